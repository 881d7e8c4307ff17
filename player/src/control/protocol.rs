//! The two lines that cross the control socket.
//!
//! Asked: a [`Command`], such as `{"command":"status"}`. Answered: a [`Reply`], such as
//! `{"reply":"refused","why":"…"}`.

use std::io::{self, BufRead, ErrorKind, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::event::{Answer, Command};
use crate::status::Status;

/// A question. The longest of today has 25 bytes; room for arguments of tomorrow's.
pub const QUESTION_BYTES: usize = 4 << 10;
/// An answer: a 4K screenshot as base64, see `vitrine_config::limits::LINK_BLOB_BYTES`.
pub const REPLY_BYTES: usize = vitrine_config::limits::LINK_BLOB_BYTES / 3 * 4 + (4 << 10);

/// An [`Answer`] in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// Done.
    Done,
    /// Done, or found.
    Told {
        /// For a person.
        text: String,
    },
    /// To `status`.
    Status {
        /// How the player is.
        status: Box<Status>,
    },
    /// To `screenshot`.
    Screenshot {
        /// PNG in standard base64.
        png: String,
    },
    /// Not done.
    Refused {
        /// For a person.
        why: String,
    },
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Reply {
        match answer {
            Answer::Done => Reply::Done,
            Answer::Told(text) => Reply::Told { text },
            Answer::Status(status) => Reply::Status { status },
            Answer::Screenshot(png) => Reply::Screenshot { png: STANDARD.encode(png.as_slice()) },
            Answer::Refused(why) => Reply::Refused { why },
        }
    }
}

/// Decodes the picture of a [`Reply::Screenshot`].
pub fn picture(png: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(png).map_err(|error| format!("screenshot: {error}"))
}

/// Reads a question. Err: what is wrong with it, for the one who asked.
pub fn question(from: &mut impl BufRead) -> Result<Command, String> {
    read_line(from, QUESTION_BYTES)
}

/// Reads an answer. Err: what is wrong with it.
pub fn reply(from: &mut impl BufRead) -> Result<Reply, String> {
    read_line(from, REPLY_BYTES)
}

/// Writes a question or an answer.
pub fn write_line(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

fn read_line<T: DeserializeOwned>(from: &mut impl BufRead, limit: usize) -> Result<T, String> {
    let mut line = Vec::new();
    let allowed = u64::try_from(limit).unwrap_or(u64::MAX);
    from.take(allowed).read_until(b'\n', &mut line).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "no whole line came in time".to_owned(),
        _ => format!("reading failed: {error}"),
    })?;
    if line.last() != Some(&b'\n') {
        return Err(if line.len() >= limit {
            format!("longer than the {limit} bytes allowed")
        } else {
            format!("ends after {} bytes, without a line feed", line.len())
        });
    }
    serde_json::from_slice(&line).map_err(|error| format!("not understood: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_question_is_one_short_line_of_json_and_nothing_else() {
        let long = "x".repeat(QUESTION_BYTES + 1);
        for (case, text, want) in [
            ("plain", "{\"command\":\"next\"}\n", Ok(Command::Next)),
            ("what follows is not read", "{\"command\":\"next\"}\nrest", Ok(Command::Next)),
            ("unknown", "{\"command\":\"dance\"}\n", Err("not understood: unknown variant")),
            ("no json", "next\n", Err("not understood")),
            ("binary", "\u{0}\u{1}\n", Err("not understood")),
            ("empty line", "\n", Err("not understood")),
            ("cut", "{\"command\":", Err("ends after 11 bytes")),
            ("nothing", "", Err("ends after 0 bytes")),
            ("endless", long.as_str(), Err("longer than the 4096 bytes allowed")),
        ] {
            match (question(&mut text.as_bytes()), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "case {case:?}"),
                (Err(got), Err(want)) => assert!(got.starts_with(want), "case {case:?}: {got}"),
                (got, want) => panic!("case {case:?}: {got:?}, want {want:?}"),
            }
        }
    }

    #[test]
    fn an_answer_survives_the_wire() {
        let png = Arc::new(vec![0u8, 255, 10, 13]);
        for answer in [
            Answer::Done,
            Answer::Refused("no screen".into()),
            Answer::Screenshot(Arc::clone(&png)),
        ] {
            let want = Reply::from(answer);
            let mut wire = Vec::new();
            write_line(&mut wire, &want).expect("memory");
            assert_eq!(wire.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
            let got = reply(&mut wire.as_slice()).expect("an answer");
            assert_eq!(got, want);
            if let Reply::Screenshot { png: text } = got {
                assert_eq!(picture(&text).expect("base64"), *png);
            }
        }
    }
}
