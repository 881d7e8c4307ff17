//! A director, its stage, and what must hold after each event.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use vitrine_config::Config;
use vitrine_config::time::{Mono, Now, Trust};
use vitrine_render::report::Report;
use vitrine_render::scene::{Turn, Wish};
use vitrine_sync::model::Live;
use vitrine_sync::wire::record::{Body, ProofOfPlay};

use super::{Stage, config, facts, mono, name, now};
use crate::director::Director;
use crate::event::{Effect, Event, StageEvent};

/// A director, its stage, and a clock that jumps from one thing that happens to the next.
pub struct World {
    pub director: Director,
    pub stage: Option<Stage>,
    pub ms: u64,
    pub mono: Mono,
    /// What the wall clock shows besides the truth.
    pub wall_off: SignedDuration,
    pub trust: Trust,
    /// Everything asked for but wishes.
    pub effects: Vec<Effect>,
    /// `ms name` of every layer that came on the screen.
    pub shown: Vec<String>,
    /// Item turns that the display was handed, once for each time.
    pub presented: Vec<Turn>,
    pub wishes: usize,
    /// Times the director woke by itself.
    pub ticks: usize,
    /// How long a wish is on its way.
    pub lag: Duration,
    under_way: Option<(Mono, Wish)>,
    newest_before: Turn,
    /// Names of all layers that were ever asked for.
    sent: BTreeMap<Turn, String>,
}

impl World {
    pub fn new(once: bool) -> World {
        World::with(config(), once)
    }

    pub fn with(config: Config, once: bool) -> World {
        World {
            director: Director::new(Arc::new(config), facts(once), &now(0)),
            stage: None,
            ms: 0,
            mono: Mono(0),
            wall_off: SignedDuration::ZERO,
            trust: Trust::Synced,
            effects: vec![],
            shown: vec![],
            presented: vec![],
            wishes: 0,
            ticks: 0,
            lag: Duration::ZERO,
            under_way: None,
            newest_before: 0,
            sent: BTreeMap::new(),
        }
    }

    /// A stage, and `live` in the store.
    pub fn playing(live: Live) -> World {
        let mut world = World::new(false);
        world.start(Some(live));
        world.up(Stage::new(0));
        world
    }

    pub fn start(&mut self, live: Option<Live>) {
        let started = vitrine_sync::Event::Started {
            live: live.map(Arc::new),
            paired: None,
            latest_time: None,
        };
        self.sync(started);
    }

    pub fn up(&mut self, stage: Stage) {
        let hello = stage.hello();
        self.stage = Some(stage);
        self.handle(Event::Stage(StageEvent::Up(hello)));
    }

    pub fn down(&mut self) {
        (self.stage, self.under_way) = (None, None);
        self.handle(Event::Stage(StageEvent::Down { why: "killed".into() }));
    }

    pub fn sync(&mut self, event: vitrine_sync::Event) {
        self.handle(Event::Sync(event));
    }

    pub fn go_live(&mut self, live: Live) {
        self.sync(vitrine_sync::Event::Live(Arc::new(live)));
    }

    pub fn now(&self) -> Now {
        let wall = now(0).wall + SignedDuration::from_nanos(self.mono.0 as i64) + self.wall_off;
        Now { wall, mono: self.mono, trust: self.trust }
    }

    /// One event, with everything that must hold after any.
    pub fn handle(&mut self, event: Event) {
        let now = self.now();
        let text = format!("{event:?}");
        let effects = self.director.handle(event, &now);
        let wishes = effects.iter().filter(|e| matches!(e, Effect::Wish(_))).count();
        assert!(wishes <= 1, "{wishes} wishes after {text}");
        for effect in effects {
            match effect {
                Effect::Wish(wish) => self.wish(*wish),
                other => self.effects.push(other),
            }
        }
        if let Some(deadline) = self.director.deadline() {
            assert!(deadline > now.mono, "would spin at {} ms after {text}", self.ms);
        }
    }

    fn wish(&mut self, wish: Wish) {
        self.wishes += 1;
        assert!(!wish.wanted.layers.is_empty(), "black");
        let scenes = [Some(&wish.wanted), wish.next.as_ref().map(|next| &next.scene)];
        for scene in scenes.into_iter().flatten() {
            for layer in scene.pictures() {
                let (turn, newest) = (layer.turn, self.newest_before);
                let known = self.sent.insert(turn, name(layer)).is_some();
                assert!(known || turn > newest, "turn {turn} after {newest}");
            }
        }
        self.newest_before = self.sent.last_key_value().map_or(0, |(turn, _)| *turn);
        // One slot, newest wins; it is read when the link is.
        let at = self.under_way.take().map_or(self.mono.after(self.lag), |(at, _)| at);
        self.under_way = Some((at, wish));
        self.deliver();
    }

    /// Lets everything happen up to `ms` after the start.
    pub fn run_to(&mut self, ms: u64) {
        let end = mono(ms);
        loop {
            let stage = self.stage.as_ref().and_then(Stage::next_at);
            let deadline = self.director.deadline();
            let wish = self.under_way.as_ref().map(|(at, _)| *at);
            let next =
                stage.into_iter().chain(deadline).chain(wish).min().filter(|next| *next <= end);
            let Some(next) = next else { break };
            self.set(next.max(self.mono));
            if wish.is_some_and(|at| at <= self.mono) {
                self.deliver();
            } else if stage.is_some_and(|at| at <= self.mono) {
                self.step_stage();
            } else {
                self.ticks += 1;
                self.handle(Event::Tick);
            }
        }
        self.set(end);
    }

    fn set(&mut self, mono: Mono) {
        self.mono = mono;
        self.ms = mono.0 / 1_000_000;
    }

    fn step_stage(&mut self) {
        let mono = self.mono;
        let reports = self.stage.as_mut().map(|stage| stage.step(mono)).unwrap_or_default();
        for report in reports {
            if let Report::Shown { turn, .. } = report {
                self.note_shown(turn);
            }
            self.handle(Event::Stage(StageEvent::Report(report)));
        }
    }

    fn note_shown(&mut self, turn: Turn) {
        let name = self.sent.get(&turn).expect("the stage shows what it was asked for");
        // Neither has a proof of play.
        if !name.starts_with("card") && !name.starts_with("backdrop") {
            self.presented.push(turn);
        }
        self.shown.push(format!("{} {name}", self.ms));
    }

    /// Hands the wish that has arrived to the stage.
    fn deliver(&mut self) {
        let mono = self.mono;
        if let (Some((_, wish)), Some(stage)) =
            (self.under_way.take_if(|(at, _)| *at <= mono), &mut self.stage)
        {
            stage.wish(wish, mono);
        }
    }

    /// Turns and names of all that the stage is asked for.
    pub fn asked(&self) -> Vec<(Turn, String)> {
        let layers = self.stage.as_ref().map(Stage::layers).unwrap_or_default();
        layers.iter().map(|layer| (layer.turn, name(layer))).collect()
    }

    /// Takes what was shown since this was last called.
    pub fn take_shown(&mut self) -> Vec<String> {
        std::mem::take(&mut self.shown)
    }

    /// All proofs of play so far.
    pub fn proofs(&self) -> Vec<ProofOfPlay> {
        let bodies = self.effects.iter().filter_map(|effect| match effect {
            Effect::Sync(vitrine_sync::Request::Record(record)) => Some(&record.body),
            _ => None,
        });
        let proofs = bodies.filter_map(|body| match body {
            Body::ProofOfPlay(proof) => Some(proof.clone()),
            _ => None,
        });
        proofs.collect()
    }

    /// Codes of all faults so far.
    pub fn faults(&self) -> Vec<String> {
        let faults = self.effects.iter().filter_map(|effect| match effect {
            Effect::Fault(fault) | Effect::FaultOnce { fault, .. } => Some(fault.code.clone()),
            _ => None,
        });
        faults.collect()
    }
}
