//! Settings while they change.
//!
//! In: [`Sources`], and whatever happens to their files: saved in place, renamed over, links
//! swapped, deleted and made again, drop-ins added and removed, directories that come later.
//! Out: a [`Reload`] for each difference that matters, on the thread `config`.
//!
//! Promises, each held by a test in `tests/watch.rs`: a change is noticed however it was saved; a
//! wrong file changes nothing and is told once; mended, it is told again; the file that was there
//! does not fall back to defaults by vanishing.
//! Not here: applying anything.

mod ears;
mod places;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::afar::Word;
use crate::error::{Place, Problem, Problems};
use crate::load::{self, Sources};
use crate::model::Config;
use ears::Ears;
use places::Survey;

/// Quiet for this long: whoever is saving has finished. Editors take a few milliseconds from the
/// first touch to the last.
const QUIET: Duration = Duration::from_millis(100);
/// A directory that is never quiet is looked at after so many touches.
const TOUCHES: usize = 10;
/// Pause between two looks where notices work: for what they miss, such as a network file system.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Pause between two looks where they do not: a person who saved a file waits no longer than this.
const LOOK_EVERY_DEAF: Duration = Duration::from_secs(2);
/// Directories that change while we begin to listen to them: look again so often, at most.
const LISTEN_TRIES: usize = 4;

/// What the files say, key to value as the command line takes it.
pub type Said = Arc<BTreeMap<String, String>>;

/// News of the settings.
#[derive(Debug, Clone, PartialEq)]
pub enum Reload {
    /// They hold and differ from the last ones told, or are good again after they were broken; and what
    /// the files alone say of them.
    Changed(Arc<Config>, Said),
    /// They do not hold. The last good ones stay.
    Broken(Problems),
}

/// A watch over settings. Dropped, it ends: after that no report comes any more.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    wake: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch. `report` is called on the watch's own thread, first at once with what
    /// stands there now, then at each change; it must not block.
    ///
    /// # Errors
    /// The system grants no thread or no working directory.
    pub fn start(
        sources: Sources,
        report: impl FnMut(Reload) + Send + 'static,
    ) -> io::Result<Watch> {
        let (wake, woken) = sync_channel(1);
        Watch::with(sources, report, (wake.clone(), woken), Pace::new(Ears::new(wake)))
    }

    fn with(
        mut sources: Sources,
        report: impl FnMut(Reload) + Send + 'static,
        (wake, woken): (SyncSender<()>, Receiver<()>),
        pace: Pace,
    ) -> io::Result<Watch> {
        sources.file = sources.file.map(std::path::absolute).transpose()?;
        sources.afar.wakes(wake.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let inbox = Inbox { woken, stop: stop.clone() };
        let watcher = Watcher { sources, report, pace, seen: None, had_main: false, told: None };
        let thread =
            thread::Builder::new().name("config".into()).spawn(move || watcher.run(&inbox))?;
        Ok(Watch { stop, wake, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Full: it is about to wake anyway.
        let _ = self.wake.try_send(());
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // A panic in `report` has been printed by the thread that it ended.
            let _ = thread.join();
        }
    }
}

/// How changes are heard of, and how often to look besides.
struct Pace {
    ears: Ears,
    hearing: Duration,
    deaf: Duration,
}

impl Pace {
    fn new(ears: Ears) -> Pace {
        Pace { ears, hearing: LOOK_EVERY, deaf: LOOK_EVERY_DEAF }
    }

    fn pause(&self) -> Duration {
        if self.ears.is_deaf() { self.deaf } else { self.hearing }
    }
}

/// What can wake the thread.
struct Inbox {
    woken: Receiver<()>,
    stop: Arc<AtomicBool>,
}

impl Inbox {
    /// Waits for a change and for the quiet after it, or for `pause`; false: stop.
    fn wait(&self, pause: Duration) -> bool {
        let mut wait = pause;
        for _ in 0..=TOUCHES {
            match self.woken.recv_timeout(wait) {
                Ok(()) if self.stop.load(Ordering::Acquire) => return false,
                Ok(()) => wait = QUIET,
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }
}

/// The thread's own.
struct Watcher<F> {
    sources: Sources,
    report: F,
    pace: Pace,
    /// What the disk looked like, and what held from afar, when it was last read and held.
    seen: Option<(Survey, BTreeMap<String, Word>)>,
    /// The main file was there, with something in it.
    had_main: bool,
    told: Option<Told>,
}

/// The last report, and what stands if it was bad.
struct Told {
    good: Option<(Arc<Config>, Said)>,
    broken: Option<Problems>,
}

impl<F: FnMut(Reload)> Watcher<F> {
    fn run(mut self, inbox: &Inbox) {
        self.look();
        while inbox.wait(self.pace.pause()) {
            self.look();
        }
    }

    /// Reads again if anything on disk has moved since the last time.
    fn look(&mut self) {
        let look = (self.survey(), self.sources.afar.words());
        if self.seen.as_ref() != Some(&look) {
            let outcome = self.read(&look.0);
            // What could not be read may be readable at the next look, although nothing has moved.
            self.seen = outcome.is_ok().then_some(look);
            self.tell(outcome);
        }
    }

    /// Looks at the disk and listens to all that it found. Taken before the files are read: what
    /// is saved meanwhile differs from it and is read at the next look.
    fn survey(&mut self) -> Survey {
        let Some(main) = &self.sources.file else { return Survey::default() };
        let mut survey = Survey::of(main);
        for _ in 0..LISTEN_TRIES {
            if !self.pace.ears.listen(&survey.dirs) {
                break;
            }
            survey = Survey::of(main);
        }
        survey
    }

    fn read(&mut self, survey: &Survey) -> Result<(Config, Said), Problems> {
        let filled = |(_, stamp): &(PathBuf, Option<places::Stamp>)| {
            stamp.as_ref().is_some_and(|stamp| stamp.len > 0)
        };
        let has_main = survey.files.first().is_some_and(filled);
        if self.had_main && !has_main {
            return Err(vanished(&self.sources));
        }
        self.had_main = has_main;
        Ok((load::load(&self.sources)?, Arc::new(load::files_say(&self.sources))))
    }

    fn tell(&mut self, outcome: Result<(Config, Said), Problems>) {
        let told = self.told.get_or_insert(Told { good: None, broken: None });
        let news = match outcome {
            Ok((config, said)) => {
                let mended = told.broken.take().is_some();
                let same = |good: &(Arc<Config>, Said)| *good.0 == config && good.1 == said;
                if !mended && told.good.as_ref().is_some_and(same) {
                    return;
                }
                let config = Arc::new(config);
                told.good = Some((config.clone(), said.clone()));
                Reload::Changed(config, said)
            }
            Err(problems) if told.broken.as_ref() == Some(&problems) => return,
            Err(problems) => {
                told.broken = Some(problems.clone());
                Reload::Broken(problems)
            }
        };
        (self.report)(news);
    }
}

/// Half-way through being saved, or emptied by a power cut: not a wish for defaults.
fn vanished(sources: &Sources) -> Problems {
    let mut problems = Problems::default();
    problems.push(Problem {
        place: Place::File(sources.file.clone().unwrap_or_default()),
        key: None,
        found: "gone or empty".into(),
        want: "its settings back; for defaults, a file with only a comment".into(),
    });
    problems
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn the_deaf_look_now_and_then() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("vitrine.toml");
        std::fs::write(&file, "cloud.poll_s = 10").unwrap();
        let (told, news) = sync_channel(8);
        let fast = Duration::from_millis(20);
        let pace = Pace { ears: Ears::none(), hearing: LOOK_EVERY, deaf: fast };
        let sources = Sources { file: Some(file.clone()), ..Sources::default() };
        let tell = move |reload| told.send(reload).unwrap();
        let _watch = Watch::with(sources, tell, sync_channel(1), pace).unwrap();
        for (text, poll_s) in [("", 10), ("cloud.poll_s = 20", 20), ("cloud.poll_s = 300", 300)] {
            if !text.is_empty() {
                std::fs::write(&file, text).unwrap();
            }
            // Looking without notices may catch a file half-way through being saved.
            let poll = loop {
                match news.recv_timeout(SOON).unwrap() {
                    Reload::Changed(config, _) => break config.cloud.poll,
                    Reload::Broken(_) => {}
                }
            };
            assert_eq!(poll.as_secs(), poll_s);
        }
    }
}
