//! Decides what is on the screen, now and next: every cause of every change comes by here.
//!
//! In:  [`Event`]s, each with the moment it came.
//! Out: [`Effect`]s, in order, and the moment at which to be woken.
//!
//! Promises, each held by a property in `director::tests`: never an empty picture, turns that only
//! rise, at most one wish an event, one proof of play for each showing that reached the display,
//! a deadline that lies ahead.
//!
//! Cannot fail, cannot wait, does no I/O, reads no clock. What plays is `playback`'s business,
//! what was really seen `ledger`'s, what was asked for once `desk`'s; here they are put
//! together. The shell around it carries out the effects.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use vitrine_config::Config;
use vitrine_config::model::Output;
use vitrine_config::time::{Mono, Now};
use vitrine_render::scene::{Card, Scene, Turn, Wish};
use vitrine_sync::wire::record::{Body, Fault};

use crate::event::{Answer, Effect, Event, HostFacts};
use crate::scene_of;
use crate::telemetry::Records;
use crate::update::state::Release;
use cards::Facts;
use cloud::CloudView;
use desk::Desk;
use health::Health;
use ledger::Ledger;
use playback::Playback;
use update::Updates;

mod asks;
mod backdrop;
mod cards;
mod cloud;
mod desk;
mod health;
mod ledger;
mod patience;
mod playback;
mod programme;
mod showing;
mod slot;
mod stack;
mod stage;
mod update;
mod view;

#[cfg(test)]
pub(crate) mod sim;
#[cfg(test)]
mod tests;

/// Wait for content before a card says that there is none: reading the store takes less, and a
/// card that flashes up at every start looks like a fault.
const STARTING_PATIENCE: Duration = Duration::from_secs(2);
/// A card's words change at most this often.
const CARD_STAYS: Duration = Duration::from_secs(1);
/// The first heartbeat, and the one after a new generation, come this soon: then the picture
/// stands that they tell of.
const HEARTBEAT_SOON: Duration = Duration::from_secs(5);
/// A last item that does not leave the screen does not keep the player from ending.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// What is known at start and does not change.
#[derive(Debug, Clone)]
pub struct StartFacts {
    /// Version of the player.
    pub release: String,
    /// What this machine is called when the settings say nothing: the host name.
    pub host_name: String,
    /// Play everything once, then [`Effect::Finished`].
    pub once: bool,
    /// Zone that the schedule is read in; [`Event::TimeZone`] changes it.
    pub time_zone: TimeZone,
    /// Random; record ids follow from it.
    pub seed: [u8; 32],
}

/// Decides what is on the screen, now and next. Cannot fail, cannot wait, reads no clock.
#[derive(Debug)]
pub struct Director {
    facts: StartFacts,
    started_at: Mono,
    host: HostFacts,
    records: Records,
    cloud: CloudView,
    playback: Playback,
    ledger: Ledger,
    desk: Desk,
    health: Health,
    updates: Updates,
    card: Option<ShownCard>,
    last_wish: Option<Wish>,
    /// When the absence of content is shown, though nothing is known yet.
    patient_until: Option<Mono>,
    heartbeat_at: Option<Mono>,
    stage_fault_at: Option<Mono>,
    finish_at: Option<Mono>,
    ready_said: bool,
    finished_said: bool,
    effects: Vec<Effect>,
}

#[derive(Debug)]
struct ShownCard {
    turn: Turn,
    card: Card,
    since: Mono,
    /// Whether other words wait.
    outdated: bool,
}

impl Director {
    /// A director that knows nothing yet: content comes with `vitrine_sync::Event::Started`.
    pub fn new(config: Arc<Config>, facts: StartFacts, now: &Now) -> Director {
        let playback = Playback::new(config, facts.time_zone.clone(), facts.once, now);
        Director {
            started_at: now.mono,
            host: HostFacts::default(),
            records: Records::new(facts.seed),
            cloud: CloudView::new(),
            playback,
            ledger: Ledger::default(),
            desk: Desk::default(),
            health: Health::new(now.mono),
            updates: Updates::default(),
            card: None,
            last_wish: None,
            patient_until: None,
            heartbeat_at: None,
            stage_fault_at: None,
            finish_at: None,
            ready_said: false,
            finished_said: false,
            effects: Vec::new(),
            facts,
        }
    }

    /// Takes one event at `now`. What is asked for is to be carried out in order.
    pub fn handle(&mut self, event: Event, now: &Now) -> Vec<Effect> {
        match event {
            Event::Sync(event) => self.sync_says(event, now),
            Event::Stage(event) => self.stage_says(event, now),
            Event::Command { ask, command } => self.command(ask, command, now),
            Event::Settings(config) => self.settings(config, now),
            Event::FilesSay(_) => {}
            Event::Host(facts) => self.host = facts,
            Event::Network(trouble) => self.cloud.looked(trouble),
            Event::TimeZone(zone) => {
                self.facts.time_zone = zone.clone();
                self.playback.agenda.set_zone(zone);
            }
            Event::Trouble(fault) => self.fault(fault, now),
            Event::Update(news) => self.update_says(news, now),
            Event::Tick => {}
        }
        self.settle(now);
        std::mem::take(&mut self.effects)
    }

    /// When it wants to be woken with [`Event::Tick`] if nothing else happens before; later than
    /// the last `now`. None: not by itself.
    pub fn deadline(&self) -> Option<Mono> {
        let outdated = self.card.as_ref().filter(|card| card.outdated);
        [
            self.playback.deadline(),
            self.desk.deadline(),
            self.health.deadline(),
            outdated.map(|card| card.since.after(CARD_STAYS)),
            self.patient_until.filter(|_| !self.cloud.started && self.last_wish.is_none()),
            self.heartbeat_at,
            self.finish_at.filter(|_| !self.finished_said),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn settings(&mut self, config: Arc<Config>, now: &Now) {
        let sooner = now.mono.after(config.cloud.heartbeat);
        self.heartbeat_at = self.heartbeat_at.map(|at| at.min(sooner));
        self.playback.configure(config, now.mono);
    }

    fn sync_says(&mut self, event: vitrine_sync::Event, now: &Now) {
        use vitrine_sync::Event as Said;
        match event {
            Said::Started { live, paired, latest_time: _ } => {
                self.cloud.started = true;
                self.cloud.paired = paired;
                if let Some(live) = live {
                    self.playback.adopt(live, now);
                }
                let no_screen = self.playback.config.screen.output == Output::None;
                self.ready_if(no_screen);
                self.content(no_screen);
            }
            Said::Live(live) => {
                if live.manifest.version != self.playback.version() {
                    self.heartbeat_soon(now);
                }
                self.playback.adopt(live, now);
            }
            Said::Pairing(pairing) => self.cloud.pairing = Some(pairing),
            Said::Paired(paired) => {
                self.cloud.pairing = None;
                self.cloud.paired = Some(paired);
            }
            Said::Unpaired => self.cloud.paired = None,
            Said::Connection(connection) => self.cloud.connected(connection),
            Said::Settings(words) => self.cloud.settings = words,
            Said::Written(written) => self.cloud.written = Some((written, now.mono)),
            Said::Progress(progress) => self.cloud.progress = Some(progress),
            Said::Trouble { code, detail } => self.cloud.trouble(now.wall, &code, &detail),
            Said::Asked(result) => self.cloud.asked(result),
            Said::RolledBack { ask, result } => {
                let answer = result.map_or_else(Answer::Refused, |_| Answer::Done);
                self.effects.push(Effect::Answer { ask, answer });
            }
            Said::ReleaseAnswer { ask, answer } => {
                let answer = answer.map_or_else(Answer::Refused, Answer::Told);
                self.effects.push(Effect::Answer { ask, answer });
            }
            Said::ReleaseHere { version, sha256, hurry } => {
                self.release_here(Release { version, sha256 }, hurry);
            }
            Said::Order(order) => self.order(order, now),
        }
    }

    fn keep(&mut self, body: Option<Body>, now: &Now) {
        let request = body.map(|body| self.records.request(body, now));
        self.effects.extend(request.map(Effect::Sync));
    }

    fn fault(&mut self, fault: Fault, now: &Now) {
        self.cloud.trouble(now.wall, &fault.code, &fault.detail);
        self.effects.push(Effect::Fault(fault));
    }

    fn ready_if(&mut self, ready: bool) {
        if ready && !self.ready_said {
            self.ready_said = true;
            self.effects.push(Effect::Ready);
        }
    }

    /// Brings everything together after an event.
    fn settle(&mut self, now: &Now) {
        self.playback.has_displays(self.health.displays());
        let judge = self.health.is_judge(now.mono, self.facts.once);
        self.playback.settle(now, judge.then(|| self.health.starting()));
        for fault in self.playback.take_faults() {
            self.fault(fault, now);
        }
        if let Some(version) = self.playback.hopeless() {
            let why = format!("nothing of version {version} can be shown");
            self.effects.push(Effect::Sync(vitrine_sync::Request::GiveUp(why)));
        }
        self.settle_desk(now);
        self.settle_update();
        self.wish(now);
        self.beat(now);
        self.finish(now);
    }

    /// Sends the wish if it is another one than before.
    fn wish(&mut self, now: &Now) {
        // Also when nobody is there to show it: a person may ask what would be on.
        let card = self.backdrop(now.mono);
        let mut wanted = self.playback.wanted(&card);
        wanted.layers.extend(self.badge());
        let patient = self.patient_until.is_some_and(|until| now.mono < until);
        if self.health.stage().is_err() || (!self.cloud.started && patient) {
            return;
        }
        let mut next = self.playback.next(&card);
        if let Some(next) = &mut next {
            next.scene.layers.extend(self.badge());
        }
        let wish = Wish { wanted, next };
        self.playback.asked(now.mono);
        if let Some(live) = self.playback.live() {
            self.playback.showings().for_each(|s| self.ledger.enter(s, &live.manifest));
        }
        if self.last_wish.as_ref() != Some(&wish) {
            self.effects.push(Effect::Wish(Box::new(wish.clone())));
            self.last_wish = Some(wish);
        }
    }

    /// What is behind everything while nothing plays: a card.
    fn backdrop(&mut self, now: Mono) -> Scene {
        if !self.playback.needs_card() {
            self.card = None;
            return Scene::default();
        }
        let due = self.playback.agenda.due();
        let live = self.playback.live();
        let missing = live.map_or(0, |live| live.missing.len());
        let zone = &self.facts.time_zone;
        let card = cards::card(&Facts { cloud: &self.cloud, due, missing, zone });
        match &mut self.card {
            Some(shown) if shown.card == card => shown.outdated = false,
            Some(shown) if now < shown.since.after(CARD_STAYS) => shown.outdated = true,
            _ => {
                let turn = self.playback.turns.next();
                self.card = Some(ShownCard { turn, card, since: now, outdated: false });
            }
        }
        let mut scene = scene_of::page(None, &self.playback.config);
        let layer = |shown: &ShownCard| scene_of::card(shown.turn, shown.card.clone());
        scene.layers.extend(self.card.as_ref().map(layer));
        scene
    }

    /// Says that we live, and sends heartbeats.
    fn beat(&mut self, now: &Now) {
        if self.health.says_alive(now.mono) {
            self.effects.push(Effect::Alive);
        }
        if self.cloud.paired.is_none() {
            // Nobody would get it.
            self.heartbeat_at = None;
            return;
        }
        let at = *self.heartbeat_at.get_or_insert(now.mono.after(HEARTBEAT_SOON));
        if at <= now.mono {
            self.heartbeat_at = Some(now.mono.after(self.playback.config.cloud.heartbeat));
            let heartbeat = self.heartbeat(now.mono);
            self.keep(Some(Body::Heartbeat(heartbeat)), now);
        }
    }

    fn heartbeat_soon(&mut self, now: &Now) {
        let soon = now.mono.after(HEARTBEAT_SOON);
        self.heartbeat_at = self.heartbeat_at.map(|at| at.min(soon));
    }

    /// Says once that everything was played, as soon as the last item has left the screen.
    fn finish(&mut self, now: &Now) {
        if !self.playback.is_through() || self.finished_said {
            return;
        }
        let latest = *self.finish_at.get_or_insert(now.mono.after(FINISH_WITHIN));
        if self.ledger.on_screen().next().is_none() || latest <= now.mono {
            self.finished_said = true;
            self.effects.push(Effect::Finished);
        }
    }
}
