//! `vitrine run`: the agent. Who is started and stopped in which order.
//!
//! Start, each as soon as what it needs is there:
//! 1. settings and log: a wrong file costs its wrong keys, never the picture;
//! 2. signals, so that a stop is heard from now on;
//! 3. control: its socket says that this runtime directory has its player;
//! 4. the stage's host, which starts the stage at once: it opens the display while
//! 5. sync opens the store, now or, if the directory is unusable, later;
//! 6. the director, on what both have said meanwhile;
//! 7. the watches on settings and machine.
//!
//! Where another version is due, the stage stays with its picture: the next agent takes it up.
//!
//! Stop, within two seconds whatever the network does:
//! 1. control: no more questions;
//! 2. the watches;
//! 3. the director: its inbox closes, what is in it is still handled;
//! 4. sync: what it was told is kept, what is on the wire is dropped; a disk that hangs is waited
//!    for beside the next step;
//! 5. the stage: asked to end, killed if it does not. The screen goes last.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::oneshot;
use vitrine_config::model::Output;
use vitrine_config::time::Clock;
use vitrine_config::{Config, Effect as TakesEffect, Reload, Sources, Watch};
use vitrine_sync::LocalSettings;
use vitrine_sync::wire::record::Fault;

use crate::agent_hands::{AgentHands, Due};
use crate::clock::{SystemClock, read_mono};
use crate::control::server::{Questions, Server};
use crate::director::{Director, StartFacts};
use crate::error::Error;
use crate::event::Event;
use crate::inbox::{Poster, inbox};
use crate::notify::Notifier;
use crate::signals::{Asked, Signals};
use crate::stage_host::process::Recipe;
use crate::stage_host::{self, StageHost};
use crate::sync_door::SyncDoor;
use crate::sync_start::LateSync;
use crate::telemetry::Records;
use crate::update::desk::Desk;
use crate::{cli, control, director_loop, host, log, network, provision, settings};

/// Sync mostly stops in milliseconds. With a disk that hangs it takes up to two seconds: after this
/// the stage is asked to end beside it, so that both together take no longer.
const SYNC_FIRST: Duration = Duration::from_secs(1);
/// What is left for it then.
const SYNC_LAST: Duration = Duration::from_millis(200);

type Hands = AgentHands<LateSync>;

/// How it ended.
pub enum Over {
    /// Somebody asked for it.
    Stopped,
    /// Another version is due; the stage has been left as it is.
    Relieved,
}

/// Runs until SIGTERM or SIGINT, or until another version is due.
pub fn run(args: &cli::Settings) -> Result<Over, Error> {
    let sources = settings::sources(args);
    let config = settings::load(&sources)?;
    log::start(&config.log);
    let (config, fault) = provisioned(config, &sources)?;
    let mut signals = Signals::listen()?;
    tracing::info!(release = settings::release(), "starting");
    let mut agent = Agent::start(config, sources)?;
    agent.tell(fault);
    let asked = agent.wait(&mut signals);
    if asked {
        Notifier::default().stopping();
    }
    tracing::info!("stopping");
    let relieved = agent.stop();
    tracing::info!(relieved, "stopped");
    match (asked, relieved) {
        (true, _) => Ok(Over::Stopped),
        (false, true) => Ok(Over::Relieved),
        (false, false) => Err(Error::Ended("the director")),
    }
}

/// What was put on the card counts from this very start on.
fn provisioned(config: Config, sources: &Sources) -> Result<(Arc<Config>, Option<Fault>), Error> {
    let fault = provision::take(&config);
    Ok((Arc::new(settings::load(sources)?), fault))
}

/// Everything that runs.
struct Agent {
    control: Server,
    poster: Poster,
    config: Arc<Config>,
    sources: Sources,
    watch: Option<Watch>,
    host: Option<host::Watcher>,
    director: JoinHandle<Hands>,
    /// Closes when the director's thread ends.
    over: oneshot::Receiver<()>,
}

impl Agent {
    fn start(config: Arc<Config>, sources: Sources) -> Result<Agent, Error> {
        settings::make_dir(&config.paths.runtime_dir)?;
        let clock = Arc::new(SystemClock::new());
        let (poster, inbox) = inbox();
        let questions = Questions::default();
        let socket = control::socket(&config.paths.runtime_dir);
        let control = Server::start(&socket, poster.clone(), questions.clone())?;
        let screen = start_screen(&config, &poster)?;
        let sync = LateSync::start(Arc::clone(&config), Arc::clone(&clock), poster.clone())?;
        let hands = AgentHands {
            screen,
            sync: SyncDoor::new(sync),
            questions,
            notifier: Notifier::default(),
            network: watch_network(&config, &clock, &poster)?,
            records: Records::new(rand::random()),
            zone: TimeZone::UTC,
            due: Due::new(read_mono()),
            config: Arc::clone(&config),
            afar: sources.afar.clone(),
            desk: Desk::start(&config.paths.state_dir, poster.clone())?,
            relieved: false,
        };
        let (director, over) = start_director(&config, hands, inbox, clock)?;
        let host = host::Watcher::start(config.paths.state_dir.clone(), poster.clone())?;
        let watch = Some(watch(&sources, Arc::clone(&config), false, poster.clone())?);
        Ok(Agent { control, poster, config, sources, watch, host: Some(host), director, over })
    }

    /// Has a fault of the start recorded.
    fn tell(&self, fault: Option<Fault>) {
        if let Some(fault) = fault {
            // Closed: the player stops.
            let _ = self.poster.wait(Event::Trouble(fault));
        }
    }

    /// Until somebody wants it to end: true; or the director has ended by itself.
    fn wait(&mut self, signals: &mut Signals) -> bool {
        loop {
            match signals.wait(&mut self.over) {
                Some(Asked::Stop) => return true,
                Some(Asked::Reload) => self.reload(),
                None => return false,
            }
        }
    }

    /// Reads the settings anew, even if nothing seems to have changed.
    fn reload(&mut self) {
        tracing::info!("reading the settings again");
        self.watch.take();
        match watch(&self.sources, Arc::clone(&self.config), true, self.poster.clone()) {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => tracing::warn!(%error, "the settings are not watched any more"),
        }
    }

    /// Returns whether another version is due.
    fn stop(self) -> bool {
        self.control.stop();
        drop((self.watch, self.host));
        self.poster.close();
        // A panic has been reported by the panic hook already.
        let Ok(hands) = self.director.join() else { return false };
        let relieved = hands.relieved;
        let stopped = stop_sync(hands.sync.into_inner(read_mono()));
        let _ = stopped.recv_timeout(SYNC_FIRST);
        if let Some(screen) = hands.screen {
            screen.stop(relieved);
        }
        let _ = stopped.recv_timeout(SYNC_LAST);
        relieved
    }
}

fn start_screen(config: &Config, poster: &Poster) -> Result<Option<StageHost>, Error> {
    if config.screen.output == Output::None {
        return Ok(None);
    }
    let recipe = Recipe {
        socket: stage_host::socket(&config.paths.runtime_dir),
        output: config.screen.output,
        log: config.log.clone(),
    };
    StageHost::start(recipe, poster.clone()).map(Some)
}

fn watch_network(
    config: &Config,
    clock: &Arc<SystemClock>,
    poster: &Poster,
) -> Result<Option<network::Watcher>, Error> {
    let start = |goal| network::Watcher::start(goal, Arc::clone(clock), poster.clone());
    network::Goal::of(config).map(start).transpose()
}

/// Stops sync beside; the receiver hears of it.
fn stop_sync(sync: LateSync) -> Receiver<()> {
    // Nothing is ever sent: dropping the sender is the signal.
    let (end, ended) = sync_channel::<()>(0);
    let stop = move || {
        sync.stop();
        drop(end);
    };
    if let Err(error) = Builder::new().name("sync-stop".into()).spawn(stop) {
        tracing::warn!(%error, "sync is not stopped in good order");
    }
    ended
}

fn start_director(
    config: &Arc<Config>,
    mut hands: Hands,
    inbox: Receiver<Event>,
    clock: Arc<SystemClock>,
) -> Result<(JoinHandle<Hands>, oneshot::Receiver<()>), Error> {
    let (time_zone, _) = settings::time_zone(config);
    let facts = StartFacts {
        release: settings::release(),
        host_name: host::name(),
        once: false,
        time_zone: time_zone.clone(),
        seed: rand::random(),
    };
    hands.zone = time_zone;
    let mut director = Director::new(Arc::clone(config), facts, &clock.now());
    let (ended, over) = oneshot::channel();
    let thread = Builder::new()
        .name("director".into())
        .spawn(move || {
            director_loop::run(&mut director, &inbox, &*clock, &mut hands);
            drop::<oneshot::Sender<()>>(ended);
            hands
        })
        .map_err(|source| Error::Thread { name: "director", source })?;
    Ok((thread, over))
}

/// Watches the settings. What it finds at once is told only if it differs from those `in_force`, or
/// if `again`.
fn watch(
    sources: &Sources,
    mut in_force: Arc<Config>,
    again: bool,
    poster: Poster,
) -> Result<Watch, Error> {
    let (mut known, mut told) = (!again, None);
    let report = move |reload| {
        let known = std::mem::take(&mut known);
        if let Reload::Changed(config, said) = &reload {
            let local = LocalSettings { said: Arc::clone(said), policy: config.policy.clone() };
            if told.as_ref() != Some(&local) {
                told = Some(local.clone());
                let _ = poster.wait(Event::FilesSay(local));
            }
        }
        let event = match reload {
            Reload::Changed(config, _) if known && config == in_force => return,
            Reload::Changed(config, _) => {
                announce(&in_force, &config);
                in_force = Arc::clone(&config);
                Event::Settings(config)
            }
            Reload::Broken(problems) => {
                let detail = format!("the last good settings stay in force: {problems}");
                Event::Trouble(Fault { code: "settings_wrong".to_owned(), detail })
            }
        };
        // Closed: the player stops.
        let _ = poster.wait(event);
    };
    Watch::start(sources.clone(), report).map_err(|source| Error::Thread { name: "config", source })
}

/// Says what is new, and what must be started anew for it.
fn announce(old: &Config, new: &Config) {
    tracing::info!("new settings");
    for change in vitrine_config::changes(old, new) {
        let from = match change.effect {
            TakesEffect::Live => "now",
            TakesEffect::AgentRestart => "the next start of the player",
            TakesEffect::StageRestart => "the next start of the stage",
            TakesEffect::ProcessRestart => "the next start of player and stage",
        };
        tracing::info!(key = change.key, from, "changed");
    }
}
