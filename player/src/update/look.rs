//! A program that a release has brought, asked who it is: before the picture is put at risk.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use semver::Version;
use serde::Deserialize;

use super::is_shortage;
use crate::clock::read_mono;

/// Why a release does not go on trial.
#[derive(Debug)]
pub struct Amiss {
    /// For a person.
    pub why: String,
    /// Decides whether it may be tried another time.
    pub blame: Blame,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The version's.
    Version,
    /// That of its file, which is fetched anew, or of a machine that is short of something right now.
    Passing,
    /// Either's: a version that hangs, or a machine that is too busy to start it.
    Unclear,
}

impl Amiss {
    pub fn lasts(why: impl ToString) -> Amiss {
        Amiss { why: why.to_string(), blame: Blame::Version }
    }

    pub fn passes(why: impl ToString) -> Amiss {
        Amiss { why: why.to_string(), blame: Blame::Passing }
    }

    fn start(error: &io::Error) -> Amiss {
        let blame = if is_shortage(error) { Blame::Passing } else { Blame::Version };
        Amiss { why: format!("it cannot be started: {error}"), blame }
    }
}

/// What `vitrine version --json` says.
#[derive(Deserialize)]
struct Spoken {
    version: Version,
}

/// Asks a program for its version; it has to say it `within`.
pub fn version_of(program: &Path, within: Duration) -> Result<Version, Amiss> {
    let child = Command::new(program)
        .args(["version", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.map_err(|error| Amiss::start(&error))?;
    let said = listen_to(&mut child, within);
    // Gone already is as good.
    let _ = child.kill();
    let ended = child.wait().map_err(Amiss::passes)?;
    let said = said?;
    let spoken: Result<Spoken, _> = serde_json::from_slice(&said);
    let strange = |_| Amiss::lasts(format!("it does not say its version: {ended}"));
    spoken.map(|spoken| spoken.version).map_err(strange)
}

/// What a child says until it ends or its time is over.
fn listen_to(child: &mut Child, within: Duration) -> Result<Vec<u8>, Amiss> {
    let mut said = Vec::new();
    let Some(mut out) = child.stdout.take() else { return Ok(said) };
    let until = read_mono().after(within);
    let mut buffer = [0; 1_024];
    while said.len() < buffer.len() {
        let wait = Timespec::try_from(until.since(read_mono())).ok();
        let mut fds = [PollFd::new(&out, PollFlags::IN)];
        match rustix::event::poll(&mut fds, wait.as_ref()) {
            Ok(0) => {
                let why = format!("it says nothing within {} s", within.as_secs());
                return Err(Amiss { why, blame: Blame::Unclear });
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(Amiss::passes(error)),
        }
        match out.read(&mut buffer).map_err(Amiss::passes)? {
            0 => break,
            read => said.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_machine_that_is_short_of_something_is_not_held_against_a_version() {
        for (errno, blame) in [
            (Errno::TXTBSY, Blame::Passing),
            (Errno::NOMEM, Blame::Passing),
            (Errno::NOEXEC, Blame::Version),
        ] {
            assert_eq!(Amiss::start(&errno.into()).blame, blame, "{errno:?}");
        }
    }

    #[test]
    fn silence_is_no_wrong_answer() {
        let dir = tempfile::tempdir().expect("a directory");
        for (case, does, blame) in [
            ("silent", "exec sleep 1000", Blame::Unclear),
            ("something else", "echo no", Blame::Version),
            ("a crash", "kill -SEGV $$", Blame::Version),
        ] {
            let path = dir.path().join(case);
            let mut file = std::fs::File::create(&path).expect("a file");
            io::Write::write_all(&mut file, format!("#!/bin/sh\n{does}\n").as_bytes()).expect(case);
            file.set_permissions(Permissions::from_mode(0o755)).expect(case);
            drop(file);
            let within = if blame == Blame::Unclear { 0 } else { 1_000 };
            let amiss = loop {
                match version_of(&path, Duration::from_secs(within)) {
                    // Another test starts a process at this very moment.
                    Err(amiss) if amiss.blame == Blame::Passing => continue,
                    other => break other.expect_err(case),
                }
            };
            assert_eq!(amiss.blame, blame, "{case}: {}", amiss.why);
        }
    }
}
