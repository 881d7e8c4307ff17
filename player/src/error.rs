//! Why `vitrine` ends with something else than success, and with which exit code.
//!
//! Texts start in lower case, say what, wanted, found and what to do, and end without a full stop.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// What a script can tell apart. `2`, usage, is also what the argument parser ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// It did not work; the text says why.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The settings are wrong.
    Config = 3,
    /// No player answers.
    Unreachable = 4,
    /// There is no display to draw on.
    NoDisplay = 5,
    /// There is no GPU to draw with, not even a software one.
    NoGpu = 6,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code as u8)
    }
}

/// A failed command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Settings, all problems at once.
    #[error("{0}")]
    Config(String),
    /// Nobody listens on the control socket.
    #[error("no player answers on {}: {source}; is vitrine.service running?", .socket.display())]
    Unreachable {
        /// Where.
        socket: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The player said no.
    #[error("the player refused: {0}")]
    Refused(String),
    /// The player's answer makes no sense to this release.
    #[error("the player's answer was not understood: {0}; are both of the same release?")]
    Answer(String),
    /// A file or directory.
    #[error("{}: {action}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Another one is at work.
    #[error("{0}")]
    Busy(String),
    /// Nothing of what was named can be played.
    #[error("{0}")]
    NothingToPlay(String),
    /// There is nothing to open a window on.
    #[error("no display: {0}")]
    NoDisplay(String),
    /// There is nothing to draw with.
    #[error("no usable GPU: {0}; a driver for Vulkan or OpenGL ES 3 is needed")]
    NoGpu(String),
    /// The stage, or the link to it, could not be set up.
    #[error("{0}")]
    Stage(String),
    /// A media worker cannot work.
    #[error("{0}")]
    Worker(String),
    /// The system gave no thread.
    #[error("thread {name}: {source}")]
    Thread {
        /// Which.
        name: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Signals cannot be received.
    #[error("signals: {0}")]
    Signals(#[source] io::Error),
    /// Standard output is gone or full.
    #[error("standard output: {0}")]
    Output(#[source] io::Error),
    /// `vitrine doctor` has found what will not work.
    #[error("{0} of what was looked at will not work; see BAD")]
    Unwell(usize),
    /// A part of the player ended by itself.
    #[error("{0} ended although nobody asked it to")]
    Ended(&'static str),
}

impl Error {
    /// What the process ends with.
    pub fn code(&self) -> Code {
        match self {
            Error::Config(_) => Code::Config,
            Error::Unreachable { .. } => Code::Unreachable,
            Error::NoDisplay(_) => Code::NoDisplay,
            Error::NoGpu(_) => Code::NoGpu,
            _ => Code::Failed,
        }
    }

    /// A failed action on a path; for `map_err`.
    pub fn file(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { path, action, source }
    }
}

/// An error with all its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_what_the_manual_says() {
        let lost = io::Error::other("gone");
        for (case, error, code) in [
            ("settings", Error::Config("x".into()), 3),
            ("no player", Error::Unreachable { socket: "/s".into(), source: lost }, 4),
            ("no display", Error::NoDisplay("x".into()), 5),
            ("no GPU", Error::NoGpu("x".into()), 6),
            ("refused", Error::Refused("x".into()), 1),
            ("no content", Error::NothingToPlay("x".into()), 1),
        ] {
            assert_eq!(error.code() as u8, code, "case {case:?}");
        }
    }
}
