//! The hands of the director in `vitrine run`: screen, sync, control, service manager.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use vitrine_config::model::Output;
use vitrine_config::time::{Mono, Now};
use vitrine_config::{Afar, Config};
use vitrine_sync::wire::record::{Body, Fault};
use vitrine_sync::{Connection, ENROLLMENT_REFUSED, Event as SyncEvent, Request};

use crate::control::server::Questions;
use crate::director_loop::Hands;
use crate::event::{Answer, Command, Effect, Event};
use crate::notify::{self, Notifier, READY_AT_LATEST};
use crate::stage_host::StageHost;
use crate::status::Status;
use crate::sync_door::{SyncDoor, Taker};
use crate::telemetry::Records;
use crate::update::desk::{Desk, News};
use crate::{network, provision, settings};

/// Number of the question that these hands ask themselves; the control server counts from zero.
const OWN_ASK: u64 = u64::MAX;
/// Pause between two looks at what changes without a word: the system's time zone, the line for
/// the service manager.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What the hands hold.
pub struct AgentHands<T> {
    /// None: `screen.output` is `none`.
    pub screen: Option<StageHost>,
    /// To sync.
    pub sync: SyncDoor<T>,
    /// Open questions of the control server.
    pub questions: Questions,
    /// To the service manager.
    pub notifier: Notifier,
    /// Looks at the way to the cloud; None: no cloud is set.
    pub network: Option<network::Watcher>,
    /// For faults.
    pub records: Records,
    /// The settings in force.
    pub config: Arc<Config>,
    /// What the cloud has the last word on.
    pub afar: Afar,
    /// The zone that the director has been told.
    pub zone: TimeZone,
    /// What comes due by itself.
    pub due: Due,
    /// For updates.
    pub desk: Desk,
    /// Another version is due.
    pub relieved: bool,
}

/// What comes due by itself, and what waits to be told.
pub struct Due {
    /// READY without a frame.
    ready: Mono,
    /// The next look.
    look: Mono,
    /// What is wrong with the configured zone, as the director was told.
    zone_trouble: Option<String>,
}

impl Due {
    /// From the start of the agent on.
    pub fn new(now: Mono) -> Due {
        Due { ready: now.after(READY_AT_LATEST), look: now, zone_trouble: None }
    }
}

impl<T: Taker> Hands for AgentHands<T> {
    fn see(&mut self, event: &Event, now: &Now) {
        match event {
            Event::Sync(SyncEvent::Started { .. }) if !self.own_screen() => {
                self.notifier.ready("sync has started; the screen is not ours");
            }
            Event::Sync(SyncEvent::Connection(connection)) => {
                if let Some(network) = &self.network {
                    network.wanted(matches!(connection, Connection::Offline { .. }));
                }
            }
            Event::Sync(SyncEvent::Paired(_) | SyncEvent::Started { paired: Some(_), .. }) => {
                self.forget_enrollment();
            }
            Event::Sync(SyncEvent::Trouble { code, .. }) if code == ENROLLMENT_REFUSED => {
                self.forget_enrollment();
            }
            Event::Settings(config) => {
                self.sync.post(Request::Tune(settings::tuning(config)), now.mono);
                if let Some(screen) = &self.screen {
                    screen.configure(config);
                }
                self.config = Arc::clone(config);
                self.due.look = now.mono;
            }
            Event::FilesSay(local) => self.sync.post(Request::Settings(local.clone()), now.mono),
            Event::Sync(SyncEvent::Settings(words)) => self.afar.set(words.clone()),
            Event::Update(News::State(state)) => {
                let updates = settings::updates(&self.config, state);
                if let Some(updates) = updates {
                    self.sync.post(Request::Updates(updates), now.mono);
                }
            }
            Event::TimeZone(_) => {
                self.sync.post(Request::Tune(settings::tuning(&self.config)), now.mono);
            }
            _ => {}
        }
        self.keep_time(now.mono);
    }

    fn carry_out(&mut self, effect: Effect, now: &Now) {
        match effect {
            Effect::Wish(wish) => {
                if let Some(screen) = &self.screen {
                    screen.wish(*wish);
                }
            }
            Effect::Snapshot { id } => {
                // Without a screen the director refuses such a wish itself.
                if let Some(screen) = &self.screen {
                    screen.snapshot(id);
                }
            }
            Effect::Sync(request) => self.sync.post(request, now.mono),
            Effect::Fault(fault) => self.fault(fault, None, now),
            Effect::FaultOnce { id, fault } => self.fault(fault, Some(id), now),
            Effect::Answer { ask: OWN_ASK, answer } => self.tell_status(answer),
            Effect::Answer { ask, answer } => self.questions.answer(ask, answer),
            Effect::Ready => self.notifier.ready("the first frame is on the display"),
            Effect::Alive => self.notifier.alive(),
            Effect::Content => {
                if self.screen.as_ref().is_none_or(StageHost::is_of_this_release) {
                    self.notifier.content();
                }
            }
            Effect::Hindered => self.notifier.hindered(),
            Effect::TryRelease(release) => self.desk.try_release(release),
            Effect::SendBack(ask) => self.desk.send_back(ask),
            Effect::GiveWay => self.relieved = true,
            Effect::Finished => tracing::debug!("everything was played once"),
        }
    }

    fn own_event(&mut self, now: &Now) -> Option<Event> {
        if self.due.look > now.mono {
            return None;
        }
        let (zone, trouble) = settings::time_zone(&self.config);
        if trouble != self.due.zone_trouble {
            self.due.zone_trouble.clone_from(&trouble);
            if let Some(detail) = trouble {
                let fault = Fault { code: "settings_wrong".to_owned(), detail };
                return Some(Event::Trouble(fault));
            }
        }
        if zone != self.zone {
            self.zone = zone.clone();
            return Some(Event::TimeZone(zone));
        }
        self.due.look = now.mono.after(LOOK_EVERY);
        let command = Command::Status;
        notify::is_wanted().then_some(Event::Command { ask: OWN_ASK, command })
    }

    fn done(&self, _now: &Now) -> bool {
        self.relieved
    }

    fn deadline(&self) -> Option<Mono> {
        let ready = (!self.notifier.is_ready()).then_some(self.due.ready);
        let look = Some(self.due.look);
        [ready, look, self.sync.deadline()].into_iter().flatten().min()
    }
}

impl<T: Taker> AgentHands<T> {
    /// It has served, or it is worth nothing.
    fn forget_enrollment(&self) {
        if let Err(error) = provision::forget_enrollment(&self.config.paths.state_dir) {
            tracing::warn!(%error, "the enrollment token stays in the state directory");
        }
    }

    fn own_screen(&self) -> bool {
        self.screen.is_some() && self.config.screen.output != Output::External
    }

    fn keep_time(&mut self, now: Mono) {
        if now >= self.due.ready {
            self.notifier.ready("no frame yet; syncing all the same");
        }
        if self.sync.deadline().is_some_and(|at| at <= now) {
            self.sync.flush(now);
        }
    }

    /// `id`: of its record, if it has been told before under that one, maybe.
    fn fault(&mut self, fault: Fault, id: Option<String>, now: &Now) {
        tracing::warn!(code = fault.code, "{}", fault.detail);
        let mut record = self.records.record(Body::Fault(fault), now);
        record.id = id.unwrap_or(record.id);
        self.sync.post(Request::Record(record), now.mono);
    }

    fn tell_status(&mut self, answer: Answer) {
        if let Answer::Status(status) = answer {
            self.notifier.status(line(&status));
        }
    }
}

/// The state in one line, for `systemctl status`.
fn line(status: &Status) -> String {
    let labels: Vec<_> = status.showing.iter().map(|showing| showing.label.as_str()).collect();
    let showing = if labels.is_empty() { "nothing".to_owned() } else { labels.join(", ") };
    format!("showing {showing}; cloud {}", status.connection)
}
