//! The agent's side of updates: everything that waits for the disk or for another process.
//!
//! Thread `update` looks at a release that sync has brought, puts it on trial, and tells what became
//! of the versions before. It decides nothing that concerns the screen.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use semver::Version;
use serde::Deserialize;

use super::files::Releases;
use super::is_shortage;
use super::state::{Outcome, Release, State};
use crate::clock::read_mono;
use crate::error::Error;
use crate::event::Event;
use crate::inbox::Poster;

/// Jobs that may wait: people and the cloud ask rarely.
const WAITING: usize = 8;
/// While a version is on trial, whether it has proved itself is looked at this often.
const LOOK: Duration = Duration::from_secs(5);
/// A program says its version within this: a Pi reads it from a cold card in two.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// What the desk tells the director.
#[derive(Debug, Clone)]
pub enum News {
    /// What is remembered now. Said after the start and after each change.
    State(Box<State>),
    /// What became of a version. Said once, also over restarts.
    Outcome(Outcome),
    /// A release is on trial from the next start on: give way.
    Ready,
    /// What became of [`crate::event::Effect::SendBack`]: then [`News::Ready`] follows, or why not.
    SentBack {
        /// Number of the question.
        ask: u64,
        /// Why not.
        result: Result<(), String>,
    },
}

enum Job {
    Try(Release),
    SendBack(u64),
}

/// The hold on the thread. Dropping it ends it.
pub struct Desk {
    jobs: SyncSender<Job>,
    _thread: JoinHandle<()>,
}

impl Desk {
    /// Begins by telling what is remembered.
    pub fn start(state_dir: &Path, poster: Poster) -> Result<Desk, Error> {
        let (jobs, inbox) = sync_channel(WAITING);
        let clerk = Clerk { releases: Releases::of(state_dir), poster };
        let thread = Builder::new()
            .name("update".into())
            .spawn(move || clerk.run(&inbox))
            .map_err(|source| Error::Thread { name: "update", source })?;
        Ok(Desk { jobs, _thread: thread })
    }

    /// Puts a release on trial if it looks well.
    pub fn try_release(&self, release: Release) {
        // Full: many are waiting already, and sync says it again.
        let _ = self.jobs.try_send(Job::Try(release));
    }

    /// Sends the version that runs back.
    pub fn send_back(&self, ask: u64) {
        // Full: whoever asks hears of it by the time limit.
        let _ = self.jobs.try_send(Job::SendBack(ask));
    }
}

struct Clerk {
    releases: Releases,
    poster: Poster,
}

impl Clerk {
    fn run(&self, inbox: &Receiver<Job>) {
        let mut trial = self.tell();
        loop {
            // Without a trial nothing changes but by a job.
            let job = match trial {
                true => inbox.recv_timeout(LOOK),
                false => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match job {
                Ok(Job::Try(release)) => self.try_release(release),
                Ok(Job::SendBack(ask)) => self.send_back(ask),
                Err(RecvTimeoutError::Timeout) if self.on_trial() => continue,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            trial = self.tell();
        }
    }

    fn on_trial(&self) -> bool {
        self.releases.read().trial.is_some()
    }

    /// Tells what is remembered, and what was not told yet; returns whether one is on trial.
    fn tell(&self) -> bool {
        let state = self.releases.read();
        let trial = state.trial.is_some();
        for outcome in state.untold.iter().cloned() {
            self.post(News::Outcome(outcome));
        }
        if !state.untold.is_empty() {
            let told = state.untold.len();
            self.change(|state| drop(state.untold.drain(..told.min(state.untold.len()))));
        }
        self.post(News::State(Box::new(State { untold: Vec::new(), ..state })));
        trial
    }

    fn try_release(&self, release: Release) {
        let version = release.version.clone();
        let looked = self.look_at(&release);
        let began = self.releases.change(|state| match looked {
            Ok(()) => state.begin(release),
            Err(Amiss { why, lasts }) => {
                let said = format!("it was not even tried: {why}");
                match lasts {
                    true => state.refuse(version.clone(), said),
                    false => state.pass_over(version.clone(), said),
                }
                Err(why)
            }
        });
        match began {
            Ok(Ok(())) => {
                tracing::info!(%version, "goes on trial");
                self.post(News::Ready);
            }
            Ok(Err(why)) => tracing::warn!(%version, why, "does not go on trial"),
            Err(error) => {
                tracing::warn!(%version, %error, "does not go on trial: it cannot be noted")
            }
        }
    }

    /// Whether the file is whole, starts here and is what the index calls it: before the picture is
    /// put at risk.
    fn look_at(&self, release: &Release) -> Result<(), Amiss> {
        self.releases.whole(release).map_err(Amiss::passes)?;
        self.releases.make_executable(release).map_err(Amiss::passes)?;
        let found = version_of(&self.releases.program(release))?;
        let wanted = &release.version;
        if found != *wanted {
            let why = format!("the index calls it {wanted}, it calls itself {found}");
            return Err(Amiss::lasts(why));
        }
        Ok(())
    }

    fn send_back(&self, ask: u64) {
        let sent = self.releases.change(|state| state.roll_back("sent back by a person"));
        let result = sent.unwrap_or_else(|error| Err(format!("it cannot be noted: {error}")));
        let gone = result.is_ok();
        self.post(News::SentBack { ask, result });
        if gone {
            self.post(News::Ready);
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        if let Err(error) = self.releases.change(change) {
            tracing::warn!(%error, "what is known of updates cannot be kept");
        }
    }

    fn post(&self, news: News) {
        // Closed: the player stops.
        let _ = self.poster.wait(Event::Update(news));
    }
}

/// Why a release does not go on trial.
#[derive(Debug)]
struct Amiss {
    why: String,
    /// It is the version's fault. Else it is that of its file, which is fetched anew, or of a machine
    /// that is short of something at the moment.
    lasts: bool,
}

impl Amiss {
    fn lasts(why: impl ToString) -> Amiss {
        Amiss { why: why.to_string(), lasts: true }
    }

    fn passes(why: impl ToString) -> Amiss {
        Amiss { why: why.to_string(), lasts: false }
    }

    fn start(error: &io::Error) -> Amiss {
        Amiss { why: format!("it cannot be started: {error}"), lasts: !is_shortage(error) }
    }
}

/// What `vitrine version --json` says.
#[derive(Deserialize)]
struct Spoken {
    version: Version,
}

/// Asks a program for its version.
fn version_of(program: &Path) -> Result<Version, Amiss> {
    let child = Command::new(program)
        .args(["version", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.map_err(|error| Amiss::start(&error))?;
    let said = listen_to(&mut child);
    // Gone already is as good.
    let _ = child.kill();
    let ended = child.wait().map_err(Amiss::passes)?;
    let said = said?;
    let spoken: Result<Spoken, _> = serde_json::from_slice(&said);
    let strange = |_| Amiss::lasts(format!("it does not say its version: {ended}"));
    spoken.map(|spoken| spoken.version).map_err(strange)
}

/// What a child says until it ends or its time is over.
fn listen_to(child: &mut Child) -> Result<Vec<u8>, Amiss> {
    let mut said = Vec::new();
    let Some(mut out) = child.stdout.take() else { return Ok(said) };
    let until = read_mono().after(ANSWERS_WITHIN);
    let mut buffer = [0; 1_024];
    while said.len() < buffer.len() {
        let wait = Timespec::try_from(until.since(read_mono())).ok();
        let mut fds = [PollFd::new(&out, PollFlags::IN)];
        match rustix::event::poll(&mut fds, wait.as_ref()) {
            Ok(0) => {
                let within_s = ANSWERS_WITHIN.as_secs();
                return Err(Amiss::lasts(format!("it says nothing within {within_s} s")));
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
    use std::fs;

    use vitrine_sync::wire::Digest;

    use super::*;

    /// Has `bytes` looked at as version 0.2.0; returns what is remembered then.
    fn looked_at(bytes: &[u8], spoil: impl FnOnce(&Path)) -> State {
        let dir = tempfile::tempdir().expect("a directory");
        let release = Release { version: Version::new(0, 2, 0), sha256: Digest::of(bytes) };
        let releases = Releases::of(dir.path());
        let program = releases.program(&release);
        fs::create_dir_all(program.parent().expect("a directory")).expect("made");
        let mut file = fs::File::create(&program).expect("a file");
        io::Write::write_all(&mut file, bytes).expect("written");
        drop(file);
        spoil(&program);
        let (poster, _inbox) = crate::inbox::inbox();
        let clerk = Clerk { releases, poster };
        clerk.try_release(release);
        clerk.releases.read()
    }

    #[test]
    fn what_is_wrong_with_a_file_is_not_held_against_its_version() {
        let says = b"#!/bin/sh\necho '{\"version\":\"0.2.0\"}'\n";
        let rot = |path: &Path| drop(fs::File::create(path).expect("emptied"));
        for (case, state, refused) in [
            ("rotten", looked_at(says, rot), false),
            ("gone", looked_at(says, |path| fs::remove_file(path).expect("gone")), false),
            ("no program", looked_at(b"junk", |_| ()), true),
            (
                "another version",
                looked_at(b"#!/bin/sh\necho '{\"version\":\"0.1.0\"}'\n", |_| ()),
                true,
            ),
        ] {
            assert_eq!(!state.refused.is_empty(), refused, "case {case:?}");
            assert!(state.untold[0].why_not.is_some(), "case {case:?}: nobody is told");
        }
        assert!(looked_at(says, |_| ()).trial.is_some(), "a good one");
    }

    #[test]
    fn a_machine_that_is_short_of_something_is_not_held_against_a_version() {
        for (errno, lasts) in [(Errno::TXTBSY, false), (Errno::NOMEM, false), (Errno::NOEXEC, true)]
        {
            assert_eq!(Amiss::start(&errno.into()).lasts, lasts, "{errno:?}");
        }
    }
}
