//! The agent's side of updates: everything that waits for the disk or for another process.
//!
//! Thread `update` looks at a release that sync has brought, puts it on trial, and tells what became
//! of the versions before. It decides nothing that concerns the screen.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use semver::Version;
use serde::Deserialize;

use super::files::Releases;
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
            Err(why) => {
                state.refuse(version.clone(), format!("it was not even tried: {why}"));
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
    fn look_at(&self, release: &Release) -> Result<(), String> {
        self.releases.whole(release)?;
        self.releases.make_executable(release).map_err(|error| error.to_string())?;
        let found = version_of(&self.releases.program(release))?;
        let wanted = &release.version;
        if found != *wanted {
            return Err(format!("the index calls it {wanted}, it calls itself {found}"));
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

/// What `vitrine version --json` says.
#[derive(Deserialize)]
struct Spoken {
    version: Version,
}

/// Asks a program for its version.
fn version_of(program: &Path) -> Result<Version, String> {
    let child = Command::new(program)
        .args(["version", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.map_err(|error| format!("it cannot be started: {error}"))?;
    let said = listen_to(&mut child);
    // Gone already is as good.
    let _ = child.kill();
    let ended = child.wait().map_err(|error| error.to_string())?;
    let said = said?;
    let spoken: Result<Spoken, _> = serde_json::from_slice(&said);
    spoken.map(|spoken| spoken.version).map_err(|_| format!("it does not say its version: {ended}"))
}

/// What a child says until it ends or its time is over.
fn listen_to(child: &mut Child) -> Result<Vec<u8>, String> {
    let mut said = Vec::new();
    let Some(mut out) = child.stdout.take() else { return Ok(said) };
    let until = read_mono().after(ANSWERS_WITHIN);
    let mut buffer = [0; 1_024];
    while said.len() < buffer.len() {
        let wait = Timespec::try_from(until.since(read_mono())).ok();
        let mut fds = [PollFd::new(&out, PollFlags::IN)];
        match rustix::event::poll(&mut fds, wait.as_ref()) {
            Ok(0) => return Err(format!("it says nothing within {} s", ANSWERS_WITHIN.as_secs())),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.to_string()),
        }
        match out.read(&mut buffer).map_err(|error| error.to_string())? {
            0 => break,
            read => said.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(said)
}
