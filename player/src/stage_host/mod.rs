//! The agent's hold on its stage: the link to it, and the process behind the link.
//!
//! Thread `stage-host` carries out what [`keeper`] decides and hands on what the stage says, in
//! order. Thread `stage-wait` waits for the end of a stage process. The director's thread fills
//! the link's slot and never waits for either.

mod handover;
pub mod keeper;
pub mod process;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rustix::process::Signal;
use vitrine_config::Config;
use vitrine_config::model::{Log, Output};
use vitrine_render::link::{AgentLink, Heard};
use vitrine_render::report::{Hello, Report};
use vitrine_render::scene::Wish;

use crate::clock::read_mono;
use crate::error::{Error, chain};
use crate::event::{Event, StageEvent};
use crate::inbox::Poster;
use handover::{Handover, Step};
use keeper::{Action, Cause, Keeper};
use process::{Identity, Recipe};

/// Words of the stage and ends of processes that may wait; the thread does nothing that takes
/// long. Full: the link waits, and only the link.
const WAITING: usize = 64;
/// Without a deadline there is nothing to do; any long time does.
const LONG: Duration = Duration::from_secs(3_600);

/// A word for the host's thread.
enum Word {
    Heard(Heard),
    Cause(Cause),
    /// How the next stage is started.
    Recipe(Output, Log),
}

/// The hold on the stage. [`StageHost::stop`] lets go of it.
pub struct StageHost {
    link: Arc<AgentLink>,
    words: SyncSender<Word>,
    own: bool,
    /// The stage on the link is of this release.
    ours: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl StageHost {
    /// Listens for a stage and, unless somebody else does that, starts one at once.
    pub fn start(recipe: Recipe, poster: Poster) -> Result<StageHost, Error> {
        let (words, inbox) = sync_channel(WAITING);
        let link = {
            let words = words.clone();
            AgentLink::listen(&recipe.socket, move |heard| hear(&words, heard))
        };
        let link = Arc::new(link.map_err(|error| Error::Stage(chain(&error)))?);
        let own = recipe.output != Output::External;
        let ours = Arc::new(AtomicBool::new(true));
        let host = Host {
            recipe,
            keeper: Keeper::new(own),
            handover: Handover::new(own),
            ours: Arc::clone(&ours),
            poster,
            link: Arc::clone(&link),
            words: words.clone(),
            watched: HashSet::new(),
        };
        let thread = Builder::new()
            .name("stage-host".into())
            .spawn(move || host.run(&inbox))
            .map_err(|source| Error::Thread { name: "stage-host", source })?;
        Ok(StageHost { link, words, own, ours, thread })
    }

    /// Says what is wanted now; replaces what was said before.
    pub fn wish(&self, wish: Wish) {
        self.link.wish(wish);
        // Full: the stage is talking, so it is alive and the next wish will do.
        let _ = self.words.try_send(Word::Cause(Cause::Wished));
    }

    /// The next stage is started by these settings. Whether stages are ours to start at all stays
    /// as it was when the agent started.
    pub fn configure(&self, config: &Config) {
        let output = config.screen.output;
        if self.own && !matches!(output, Output::External | Output::None) {
            // Full: the settings of now will do for one more stage.
            let _ = self.words.try_send(Word::Recipe(output, config.log.clone()));
        }
    }

    /// Asks for a picture; the answer is [`StageEvent::Snapshot`].
    pub fn snapshot(&self, id: u64) {
        self.link.snapshot(id);
    }

    /// Whether the stage that is there, or was last, is of this release.
    pub fn is_of_this_release(&self) -> bool {
        self.ours.load(Ordering::SeqCst)
    }

    /// Asks our own stage to end, kills it if it does not, and returns when it is gone. Somebody
    /// else's stage keeps its picture; so does our own if it is to be `left` to the next agent.
    pub fn stop(self, left: bool) {
        let _ = self.words.send(Word::Cause(if left { Cause::Leave } else { Cause::Stop }));
        drop(self.words);
        // A panic has been reported by the panic hook already.
        let _ = self.thread.join();
    }
}

/// Runs on the link's threads, for a refused snapshot also on the director's, which must not wait:
/// its refusal is lost if nobody can take it, and whoever asked hears of it by his own time limit.
fn hear(words: &SyncSender<Word>, heard: Heard) {
    if matches!(heard, Heard::Snapshot { .. }) {
        let _ = words.try_send(Word::Heard(heard));
    } else {
        let _ = words.send(Word::Heard(heard));
    }
}

/// What the thread owns.
struct Host {
    recipe: Recipe,
    keeper: Keeper,
    handover: Handover,
    ours: Arc<AtomicBool>,
    poster: Poster,
    link: Arc<AgentLink>,
    words: SyncSender<Word>,
    /// Stages whose end is waited for.
    watched: HashSet<u32>,
}

impl Host {
    fn run(mut self, inbox: &Receiver<Word>) {
        let survivor = self.survivor();
        let mut running = self.decide(Cause::Begin { survivor });
        while running {
            let now = read_mono();
            let deadline = [self.keeper.deadline(), self.handover.deadline()].into_iter().flatten();
            let wait = deadline.min().map_or(LONG, |deadline| deadline.since(now));
            running = match inbox.recv_timeout(wait) {
                Ok(Word::Heard(heard)) => self.heard(heard),
                Ok(Word::Cause(cause)) => self.decide(cause),
                Ok(Word::Recipe(output, log)) => {
                    (self.recipe.output, self.recipe.log) = (output, log);
                    true
                }
                // The old stage is frozen meanwhile; the new one has its own limit.
                Err(RecvTimeoutError::Timeout) if self.awaits_heir() => self.decide(Cause::Word),
                Err(RecvTimeoutError::Timeout) => {
                    if self.handover.deadline().is_some_and(|at| at <= read_mono()) {
                        self.hand_over();
                    }
                    self.decide(Cause::Due)
                }
                Err(RecvTimeoutError::Disconnected) => false,
            };
        }
    }

    /// A stage that an earlier agent left, of whatever release, if it draws where we would; another
    /// kind of stage is killed, because it is not what the settings ask for.
    fn survivor(&mut self) -> Option<u32> {
        if self.recipe.output == Output::External {
            return None;
        }
        let found = process::survivor(&process::lock_path(&self.recipe.socket))?;
        self.watch_stranger(found.pid);
        if found.draws_on(self.recipe.output) {
            tracing::info!(pid = found.pid, is = found.kind, "taking up the stage that is there");
        } else {
            tracing::info!(pid = found.pid, was = found.kind, "replacing a stage of another kind");
            process::kill(found.pid);
        }
        Some(found.pid)
    }

    fn awaits_heir(&self) -> bool {
        self.handover.heir().is_some() && self.keeper.is_up()
    }

    fn heard(&mut self, heard: Heard) -> bool {
        let (cause, event) = match heard {
            Heard::Up(hello) => {
                tracing::info!(pid = hello.pid, gpu = hello.gpu, "the stage is up");
                self.watch_stranger(hello.pid);
                return self.up(hello);
            }
            Heard::Report(report) => {
                if matches!(report, Report::Shown { .. }) {
                    self.hand_over();
                }
                (Cause::Word, Some(StageEvent::Report(report)))
            }
            Heard::Snapshot { id, png } => {
                let png = png.map(Arc::new);
                (Cause::Word, Some(StageEvent::Snapshot { id, png }))
            }
            // The next one has connected and is about to say hello.
            Heard::Down { .. } if self.handover.heir().is_some() => return true,
            // The director hears of it from the keeper, with how the process ended.
            Heard::Down { why, relieved } => (self.lost(why, relieved), None),
        };
        let running = self.decide(cause);
        if let Some(event) = event {
            self.post(event);
        }
        running
    }

    /// One that makes room for another is there still, with its picture. It was closed before anything
    /// was asked of the other one, so that one cannot have ended it yet: if it is gone, it has died.
    fn lost(&self, why: String, relieved: bool) -> Cause {
        let lives = self.keeper.stage().is_some_and(process::lives);
        Cause::Lost { why, relieved: relieved && lives }
    }

    /// A stage is on the link. One that takes over from the one before leaves no gap to be told.
    fn up(&mut self, hello: Hello) -> bool {
        // The lock is still the old one's while its picture is there.
        let known = process::survivor(&process::lock_path(&self.recipe.socket));
        let known = known.filter(|known| known.pid == hello.pid);
        let ours = known.is_none_or(|known| known.is_of_this_release());
        let takes_over = self.handover.up(hello.pid, ours);
        self.ours.store(self.handover.is_ours(), Ordering::SeqCst);
        let mut actions = self.keeper.handle(Cause::Up { pid: hello.pid }, read_mono());
        actions.retain(|action| !(takes_over && matches!(action, Action::Down { .. })));
        let running = self.carry_out(actions);
        self.post(StageEvent::Up(hello));
        running
    }

    /// Something is on the screen: the moment to get from another release's stage to ours.
    fn hand_over(&mut self) {
        match self.handover.shown(read_mono()) {
            None => {}
            Some(Step::Renew { stage, again }) => self.renew(stage, again),
            Some(Step::StartHeir) => match self.recipe.start_heir() {
                Ok(heir) => {
                    let pid = heir.id();
                    tracing::info!(pid, "our own stage is to take the place of another release's");
                    self.handover.started(pid);
                    self.watch(pid, move || process::wait(heir));
                }
                Err(error) => tracing::warn!(%error, "our own stage cannot be started"),
            },
        }
    }

    /// Has somebody else renew his stage. One that he does not renew is left as it is: an older picture
    /// is better than none.
    fn renew(&mut self, stage: u32, again: bool) {
        let asked = process::renew_by_service(stage);
        let (hindered, why) = match asked {
            Ok(()) => {
                tracing::info!(stage, "another release's stage is to be renewed by its service");
                self.handover.called();
                if !again {
                    return;
                }
                (false, "its service was asked for a new one, and nothing came of it".to_owned())
            }
            Err(why) => (true, why),
        };
        let known = process::survivor(&process::lock_path(&self.recipe.socket));
        let release = known.as_ref().map_or("unknown", Identity::release);
        let why = format!(
            "the stage is still that of release {release}: {why}; `systemctl reload vitrine-kiosk`, or a \
             new start of whatever has started it, brings the one of {}",
            env!("CARGO_PKG_VERSION")
        );
        self.post(StageEvent::Outdated { why, hindered });
    }

    /// Carries out what the keeper wants; false when nothing is left to be done.
    fn decide(&mut self, cause: Cause) -> bool {
        if let Cause::Ended { pid, .. } = &cause {
            self.watched.remove(pid);
            if let Some(frozen) = self.handover.ended(*pid) {
                process::signal(frozen, Signal::CONT);
                // What it shows it had shown before, so it says nothing of it.
                self.hand_over();
            }
        }
        if matches!(cause, Cause::Stop | Cause::Leave) {
            self.handover.stop().into_iter().for_each(|pid| _ = process::kill(pid));
        }
        let actions = self.keeper.handle(cause, read_mono());
        self.carry_out(actions)
    }

    fn carry_out(&mut self, actions: Vec<Action>) -> bool {
        for action in actions {
            let follows = match action {
                Action::Start => Some(self.start()),
                Action::Kill { pid, why } => self.kill(pid, why),
                Action::Quit => {
                    self.link.quit();
                    None
                }
                Action::Down { why } => {
                    self.post(StageEvent::Down { why });
                    None
                }
                Action::Finished => return false,
            };
            if follows.is_some_and(|cause| !self.decide(cause)) {
                return false;
            }
        }
        true
    }

    /// Its end follows by itself, unless it was gone already and nobody saw it.
    fn kill(&mut self, pid: u32, why: &str) -> Option<Cause> {
        tracing::warn!(pid, why, "killing the stage");
        let gone = !process::kill(pid) && !self.watched.contains(&pid);
        gone.then(|| Cause::Ended { pid, why: "it was gone already".to_owned() })
    }

    fn start(&mut self) -> Cause {
        let child = match self.recipe.start() {
            Ok(child) => child,
            Err(error) => return Cause::NotStarted { why: error.to_string() },
        };
        let pid = child.id();
        if self.keeper.is_news() {
            tracing::info!(pid, "stage started");
        }
        self.watch(pid, move || process::wait(child));
        Cause::Started { pid }
    }

    /// A stage that we did not start ourselves.
    fn watch_stranger(&mut self, pid: u32) {
        if !self.watched.contains(&pid) {
            self.watch(pid, move || process::wait_for_stranger(pid));
        }
    }

    fn watch(&mut self, pid: u32, wait: impl FnOnce() -> String + Send + 'static) {
        let (words, news) = (self.words.clone(), self.keeper.is_news());
        let spawned = Builder::new().name("stage-wait".into()).spawn(move || {
            let why = wait();
            if news {
                tracing::info!(pid, why, "stage ended");
            }
            let _ = words.send(Word::Cause(Cause::Ended { pid, why }));
        });
        match spawned {
            Ok(_) => drop(self.watched.insert(pid)),
            // The limits on hello and silence still replace it.
            Err(error) => tracing::warn!(%error, pid, "no thread to wait for the stage"),
        }
    }

    fn post(&self, event: StageEvent) {
        // Closed: the player stops, nobody needs to know.
        let _ = self.poster.wait(Event::Stage(event));
    }
}

/// The socket on which stages are expected.
pub fn socket(runtime_dir: &std::path::Path) -> PathBuf {
    runtime_dir.join("stage.sock")
}
