//! The agent's side of updates: everything that waits for the disk or for another process.
//!
//! Thread `update` looks at a release that sync has brought, puts it on trial, and tells what became
//! of the versions before. It decides nothing that concerns the screen.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use semver::Version;
use vitrine_config::time::Mono;

use super::files::Releases;
use super::look::{Amiss, Blame, version_of};
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
/// One that said nothing is looked at again after this: what keeps a machine so busy may be over.
const AGAIN_AFTER: Duration = Duration::from_secs(300);
/// From telling an outcome to forgetting it. Whoever was told has it on the disk by then; after a crash
/// before that it is told again, under the same number.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// Without anything to be done any long time will do.
const LONG: Duration = Duration::from_secs(3_600);

/// What the desk tells the director.
#[derive(Debug, Clone)]
pub enum News {
    /// What is remembered now. Said after the start and after each change.
    State(Box<State>),
    /// What became of a version. Said once, or again under the same number after a crash.
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
        let clerk = Clerk::new(Releases::of(state_dir), poster);
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
    /// Numbers of outcomes that were told, and when.
    told: BTreeMap<String, Mono>,
    /// One to be looked at again, and when.
    again: Option<(Release, Mono)>,
    answers_within: Duration,
}

impl Clerk {
    fn new(releases: Releases, poster: Poster) -> Clerk {
        let answers_within = ANSWERS_WITHIN;
        Clerk { releases, poster, told: BTreeMap::new(), again: None, answers_within }
    }

    fn run(mut self, inbox: &Receiver<Job>) {
        let mut trial = self.tell();
        loop {
            // Without any of these nothing changes but by a job.
            let look = trial.then(|| read_mono().after(LOOK));
            let wait = [look, self.forget_at(), self.again_at()].into_iter().flatten().min();
            match inbox.recv_timeout(wait.map_or(LONG, |at| at.since(read_mono()))) {
                Ok(Job::Try(release)) => self.try_release(release),
                Ok(Job::SendBack(ask)) => self.send_back(ask),
                Err(RecvTimeoutError::Timeout) => {
                    self.forget_told(read_mono());
                    self.look_again(read_mono());
                    if trial == self.on_trial() {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            trial = self.tell();
        }
    }

    fn on_trial(&self) -> bool {
        self.releases.read().trial.is_some()
    }

    /// Tells what is remembered, and what was not told yet; returns whether one is on trial.
    fn tell(&mut self) -> bool {
        let state = self.numbered();
        let trial = state.trial.is_some();
        for outcome in &state.untold {
            // One without a number waits until the disk takes it: told now, it might be told twice.
            let Some(id) = outcome.id.clone().filter(|id| !self.told.contains_key(id)) else {
                continue;
            };
            self.post(News::Outcome(outcome.clone()));
            self.told.insert(id, read_mono());
        }
        self.post(News::State(Box::new(State { untold: Vec::new(), ..state })));
        trial
    }

    /// What is remembered. Its outcomes have numbers, and those are on the disk.
    fn numbered(&self) -> State {
        let state = self.releases.read();
        if state.untold.iter().all(|outcome| outcome.id.is_some()) {
            return state;
        }
        let numbered = self.releases.change(|state| {
            state.number(record_id);
            state.clone()
        });
        numbered.unwrap_or_else(|error| {
            tracing::warn!(%error, "what is known of updates cannot be kept");
            state
        })
    }

    fn forget_at(&self) -> Option<Mono> {
        self.told.values().min().map(|at| at.after(FORGOTTEN_AFTER))
    }

    fn forget_told(&mut self, now: Mono) {
        let due = |_: &String, at: &mut Mono| at.after(FORGOTTEN_AFTER) <= now;
        let over = self.told.extract_if(.., due).map(|(id, _)| id).collect();
        self.change(|state| state.forget(&over));
    }

    fn again_at(&self) -> Option<Mono> {
        self.again.as_ref().map(|(_, at)| *at)
    }

    fn look_again(&mut self, now: Mono) {
        if let Some((release, _)) = self.again.take_if(|(_, at)| *at <= now) {
            self.try_release(release);
        }
    }

    fn try_release(&mut self, release: Release) {
        let version = release.version.clone();
        let looked = self.look_at(&release);
        self.again = None;
        let began = self.releases.change(|state| match &looked {
            Ok(()) => state.begin(release.clone()),
            Err(Amiss { why, blame }) => {
                let said = format!("it was not even tried: {why}");
                match blame {
                    Blame::Version => state.refuse(version.clone(), said),
                    Blame::Passing => state.pass_over(version.clone(), said),
                    Blame::Unclear => state.doubt(version.clone(), said),
                }
                Err(why.clone())
            }
        });
        if matches!(&looked, Err(amiss) if amiss.blame == Blame::Unclear) {
            self.again = self.may_try(&version).then(|| (release, read_mono().after(AGAIN_AFTER)));
        }
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

    fn may_try(&self, version: &Version) -> bool {
        self.releases.read().refused.iter().all(|refused| refused.version != *version)
    }

    /// Whether the file is whole, starts here and is what the index calls it: before the picture is
    /// put at risk.
    fn look_at(&self, release: &Release) -> Result<(), Amiss> {
        self.releases.whole(release).map_err(Amiss::passes)?;
        self.releases.make_executable(release).map_err(Amiss::passes)?;
        let found = version_of(&self.releases.program(release), self.answers_within)?;
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

/// As `telemetry::Records` makes them.
fn record_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::Receiver;

    use tempfile::TempDir;
    use vitrine_sync::wire::Digest;

    use super::*;

    const SAYS: &[u8] = b"#!/bin/sh\necho '{\"version\":\"0.2.0\"}'\n";

    /// A clerk with a directory of its own, and what it tells.
    struct Office {
        dir: TempDir,
        clerk: Clerk,
        news: Receiver<Event>,
    }

    impl Office {
        fn open() -> Office {
            Office::at(tempfile::tempdir().expect("a directory"))
        }

        fn at(dir: TempDir) -> Office {
            let (poster, news) = crate::inbox::inbox();
            let clerk = Clerk::new(Releases::of(dir.path()), poster);
            Office { dir, clerk, news }
        }

        /// As after a crash.
        fn again(self) -> Office {
            Office::at(self.dir)
        }

        /// Puts `bytes` there as version 0.2.0.
        fn release(&self, bytes: &[u8]) -> (Release, std::path::PathBuf) {
            let release = Release { version: Version::new(0, 2, 0), sha256: Digest::of(bytes) };
            let program = self.clerk.releases.program(&release);
            fs::create_dir_all(program.parent().expect("a directory")).expect("made");
            let mut file = fs::File::create(&program).expect("a file");
            std::io::Write::write_all(&mut file, bytes).expect("written");
            (release, program)
        }

        fn remembers(&self) -> State {
            self.clerk.releases.read()
        }

        /// Outcomes told since the last call.
        fn told(&self) -> Vec<Outcome> {
            let outcome = |event| match event {
                Event::Update(News::Outcome(outcome)) => Some(outcome),
                _ => None,
            };
            self.news.try_iter().filter_map(outcome).collect()
        }
    }

    /// Has `bytes` looked at; returns what is remembered then.
    fn looked_at(bytes: &[u8], spoil: impl FnOnce(&Path)) -> State {
        let mut office = Office::open();
        let (release, program) = office.release(bytes);
        spoil(&program);
        office.clerk.try_release(release);
        office.remembers()
    }

    #[test]
    fn what_is_wrong_with_a_file_is_not_held_against_its_version() {
        let rot = |path: &Path| drop(fs::File::create(path).expect("emptied"));
        for (case, state, refused) in [
            ("rotten", looked_at(SAYS, rot), false),
            ("gone", looked_at(SAYS, |path| fs::remove_file(path).expect("gone")), false),
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
        assert!(looked_at(SAYS, |_| ()).trial.is_some(), "a good one");
    }

    #[test]
    fn one_that_says_nothing_is_looked_at_again_three_times_in_all() {
        let mut office = Office::open();
        office.clerk.answers_within = Duration::ZERO;
        let (release, _) = office.release(b"#!/bin/sh\nexec sleep 1000\n");
        office.clerk.try_release(release);
        for _ in 1..3 {
            assert_eq!(office.remembers().refused, []);
            let at = office.clerk.again_at().expect("another look");
            office.clerk.look_again(at);
        }
        assert_eq!(office.clerk.again_at(), None);
        let why = &office.remembers().refused[0].why;
        assert!(why.contains("3 times") && why.contains("says nothing"), "{why}");
    }

    #[test]
    fn an_outcome_is_told_once_and_after_a_crash_under_the_same_number() {
        let mut office = Office::open();
        let refuse = |state: &mut State| state.refuse(Version::new(0, 2, 0), "x".into());
        office.clerk.releases.change(refuse).expect("noted");
        office.clerk.tell();
        let first = office.told();
        assert!(first.len() == 1 && first[0].id.is_some(), "{first:?}");
        office.clerk.tell();
        assert_eq!(office.told(), [], "once");

        let mut office = office.again();
        office.clerk.tell();
        assert_eq!(office.told(), first, "nobody may have kept it");
        let at = office.clerk.forget_at().expect("something to forget");
        office.clerk.forget_told(at);
        assert_eq!(office.clerk.forget_at(), None);

        let mut office = office.again();
        office.clerk.tell();
        assert_eq!(office.told(), [], "it was kept");
    }
}
