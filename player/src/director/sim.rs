//! A world for tests: content, moments, and a stage that keeps `vitrine_render::scene`'s promises.

use std::collections::btree_map;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use vitrine_config::model::*;
use vitrine_config::time::{Mono, Now, Trust};
use vitrine_config::{Config, model};
use vitrine_render::report::{Beat, Hello, Report};
use vitrine_render::scene::{Card, Layer, Next, Size, Source, Start, Turn, Wish};
use vitrine_sync::model::{
    Asset, Content, Digest, Entry, EntryKind, Files, Fit, Item, Layout, Live, Manifest, Playlist,
    Target, Validity, Zone,
};
use vitrine_sync::wire::record::{Body, ProofOfPlay};

use super::{Director, StartFacts};
use crate::event::{Effect, Event, StageEvent};

/// Monday, 2 March 2026, 09:00 in Berlin, at steady time 0.
const START: &str = "2026-03-02T09:00+01:00";

/// The moment `ms` after [`START`].
pub fn now(ms: u64) -> Now {
    let wall: Timestamp = START.parse().expect("a timestamp");
    let wall = wall + SignedDuration::from_millis(ms as i64);
    Now { wall, mono: mono(ms), trust: Trust::Synced }
}

pub fn mono(ms: u64) -> Mono {
    Mono(ms * 1_000_000)
}

pub fn config() -> Config {
    let second = Duration::from_secs;
    Config {
        cloud: Cloud {
            url: None,
            ca_file: None,
            poll: second(60),
            heartbeat: second(300),
            first_contact_spread: second(0),
        },
        device: model::Device { name: None, time_zone: None },
        paths: Paths { state_dir: "/state".into(), runtime_dir: "/run".into() },
        cache: Cache { size_bytes: 1, reserve_bytes: 1, downloads: 2, patience: second(1) },
        screen: Screen { output: Output::Fullscreen, background: [0, 0, 0] },
        audio: Audio { device: AudioDevice::Auto, volume: 0.5 },
        playback: Playback { image_duration: second(10), prepare: second(5) },
        log: Log { filter: "info".into(), format: LogFormat::Text },
    }
}

/// The asset called `name`.
pub fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

pub fn item(id: &str, content: Content) -> Item {
    Item {
        id: id.into(),
        content,
        duration: None,
        fit: Fit::Contain,
        background: None,
        volume: 1.0,
        valid: Validity::default(),
    }
}

pub fn colour(id: &str) -> Item {
    item(id, Content::Colour([1, 2, 3]))
}

pub fn image(id: &str) -> Item {
    item(id, Content::Image(digest(id)))
}

/// The simulated stage gives a video the length that its id begins with, in seconds.
pub fn video(id: &str) -> Item {
    item(id, Content::Video(digest(id)))
}

pub fn lasting(ms: u64, item: Item) -> Item {
    Item { duration: Some(Duration::from_millis(ms)), ..item }
}

pub fn playlist(id: &str, items: Vec<Item>) -> Playlist {
    Playlist { id: id.into(), name: id.into(), items }
}

pub fn entry(id: &str, target: Target) -> Entry {
    Entry {
        id: id.into(),
        kind: EntryKind::Normal,
        priority: 0,
        target,
        windows: vec![],
        valid: Validity::default(),
    }
}

/// A generation in which each playlist is scheduled always, the first one before all others.
pub fn live(version: u64, playlists: Vec<Playlist>) -> Live {
    let mut paths = BTreeMap::new();
    let mut assets = BTreeMap::new();
    for item in playlists.iter().flat_map(|playlist| &playlist.items) {
        if let Some(sha256) = item.content.asset() {
            paths.insert(sha256, PathBuf::from(&item.id));
            let (media_type, name) = ("image/png".into(), format!("{}.png", item.id));
            assets.insert(sha256, Asset { sha256, size_bytes: 1, media_type, name });
        }
    }
    let schedule = playlists.iter().enumerate().map(|(place, playlist)| {
        let target = Target::Playlist(playlist.id.clone());
        Entry { priority: -(place as i32), ..entry(&playlist.id, target) }
    });
    let manifest = Manifest {
        version,
        tenant: "acme".into(),
        device: "lobby".into(),
        not_after: None,
        assets,
        schedule: schedule.collect(),
        playlists: playlists.into_iter().map(|list| (list.id.clone(), list)).collect(),
        layouts: BTreeMap::new(),
        orders: vec![],
    };
    Live { manifest, files: Files::Named(paths), missing: BTreeSet::new() }
}

/// A generation with one layout in which each playlist has a zone of its id.
pub fn live_layout(version: u64, playlists: Vec<Playlist>) -> Live {
    let zone = |place: usize, playlist: &Playlist| Zone {
        id: playlist.id.clone(),
        x_px: 100 * place as i32,
        y_px: 0,
        width_px: 100,
        height_px: 100,
        opacity: 1.0,
        playlist: playlist.id.clone(),
    };
    let zones = playlists.iter().enumerate().map(|(place, list)| zone(place, list)).collect();
    let layout = Layout {
        id: "page".into(),
        name: "page".into(),
        width_px: 1_000,
        height_px: 100,
        background: None,
        zones,
    };
    let mut live = live(version, playlists);
    live.manifest.schedule = vec![entry("page", Target::Layout("page".into()))];
    live.manifest.layouts.insert("page".into(), layout);
    live
}

/// A stage that prepares, swaps and reports as promised, on exact moments.
#[derive(Debug)]
pub struct Stage {
    now: Mono,
    wanted: Option<Wish>,
    /// What is on the screen, with the moment of the first frame.
    pub on: BTreeMap<Turn, (Layer, Mono)>,
    /// When each turn that is being prepared is ready.
    ready: BTreeMap<Turn, Mono>,
    told: BTreeSet<Turn>,
    dead: BTreeSet<Turn>,
    ended: BTreeSet<Turn>,
    newest: Turn,
    /// How long everything takes to prepare.
    pub takes: Duration,
    /// Files that cannot be shown.
    pub broken: BTreeSet<String>,
    /// Files over which it hangs.
    pub stuck: BTreeSet<String>,
}

/// The name of what a layer shows.
pub fn name(layer: &Layer) -> String {
    match &layer.source {
        Source::Image { path } | Source::Video { path, .. } => path.display().to_string(),
        Source::Colour(_) if layer.opacity == 0.0 => "marker".into(),
        Source::Colour(_) => "colour".into(),
        Source::Card(Card::Pairing { .. }) => "card:pairing".into(),
        Source::Card(Card::NoContent { headline, .. }) => format!("card:{headline}"),
        Source::Card(Card::Identify { .. }) => "card:identify".into(),
    }
}

fn length(layer: &Layer) -> Option<Duration> {
    match &layer.source {
        Source::Video { path, looped: false, .. } => {
            let digits: String =
                path.display().to_string().chars().take_while(char::is_ascii_digit).collect();
            Some(Duration::from_secs(digits.parse().expect("a length in the name")))
        }
        _ => None,
    }
}

impl Stage {
    pub fn new(newest: Turn) -> Stage {
        Stage {
            now: Mono(0),
            wanted: None,
            on: BTreeMap::new(),
            ready: BTreeMap::new(),
            told: BTreeSet::new(),
            dead: BTreeSet::new(),
            ended: BTreeSet::new(),
            newest,
            takes: Duration::from_millis(50),
            broken: BTreeSet::new(),
            stuck: BTreeSet::new(),
        }
    }

    pub fn hello(&self) -> Hello {
        Hello {
            pid: 1,
            newest_turn: self.newest,
            showing: self.on.keys().copied().collect(),
            size: Size { width_px: 1_280, height_px: 720 },
            gpu: "none".into(),
        }
    }

    /// Takes a wish that comes at `now`.
    pub fn wish(&mut self, wish: Wish, now: Mono) {
        self.now = now;
        let on = self.on.keys().max().copied().unwrap_or(0);
        let late = wish.wanted.newest_turn() < on;
        let wanted = match self.wanted.take() {
            Some(before) if late => before.wanted,
            _ => wish.wanted,
        };
        self.wanted = Some(Wish { wanted, next: wish.next });
        let named: BTreeSet<Turn> = self.layers().iter().map(|layer| layer.turn).collect();
        self.ready.retain(|turn, _| named.contains(turn));
        self.told.retain(|turn| named.contains(turn));
        for layer in self.layers() {
            self.newest = self.newest.max(layer.turn);
            let takes = if self.stuck.contains(&name(&layer)) { 1 << 40 } else { 0 };
            let ready = now.after(self.takes).after(Duration::from_millis(takes));
            if !self.on.contains_key(&layer.turn) {
                self.ready.entry(layer.turn).or_insert(ready);
            }
        }
    }

    fn layers(&self) -> Vec<Layer> {
        let Some(wish) = &self.wanted else { return vec![] };
        let next = wish.next.iter().flat_map(|next| &next.scene.layers);
        wish.wanted.layers.iter().chain(next).cloned().collect()
    }

    fn is_ready(&self, turn: Turn) -> bool {
        self.on.contains_key(&turn) || (self.told.contains(&turn) && !self.dead.contains(&turn))
    }

    fn end_of(&self, turn: Turn) -> Option<Mono> {
        let (layer, since) = self.on.get(&turn)?;
        length(layer).map(|length| since.after(length))
    }

    fn due(&self, next: &Next) -> Option<Mono> {
        match next.start {
            Start::At(at) => Some(at),
            Start::After { turn, lasts } => self.on.get(&turn).map(|(_, at)| at.after(lasts)),
            Start::AtEnd { turn } => self.end_of(turn),
        }
    }

    /// The next moment at which something happens by itself.
    pub fn next_at(&self) -> Option<Mono> {
        let wanted = self.wanted.as_ref().map(|wish| &wish.wanted.layers);
        let can = |layers: &&Vec<Layer>| layers.iter().all(|layer| self.is_ready(layer.turn));
        let is = |layers: &&Vec<Layer>| {
            let wanted: BTreeSet<Turn> = layers.iter().map(|layer| layer.turn).collect();
            self.on.keys().copied().eq(wanted)
        };
        if wanted.filter(can).is_some_and(|layers| !is(&layers)) {
            return Some(self.now);
        }
        let untold = self.ready.iter().filter(|(turn, _)| !self.told.contains(turn));
        let ready = untold.map(|(_, at)| *at);
        let next = self.wanted.as_ref().and_then(|wish| wish.next.as_ref());
        let due = next.and_then(|next| self.due(next)).filter(|at| *at > self.now);
        let open = self.on.keys().filter(|turn| !self.ended.contains(turn));
        let ends = open.filter_map(|turn| self.end_of(*turn));
        ready.chain(due).chain(ends).min().map(|at| at.max(self.now))
    }

    /// Lives on to `now` and says what happened.
    pub fn step(&mut self, now: Mono) -> Vec<Report> {
        self.now = now;
        let mut reports = self.prepare(now);
        let wanted: Option<Vec<Layer>> = self.wanted.as_ref().map(|w| w.wanted.layers.clone());
        if let Some(layers) = wanted {
            self.swap(&layers, now, &mut reports);
        }
        let next = self.wanted.as_ref().and_then(|wish| wish.next.clone());
        if let Some(next) = next.filter(|next| self.due(next).is_some_and(|at| at <= now))
            && self.swap(&next.scene.layers, now, &mut reports)
        {
            self.wanted = Some(Wish { wanted: next.scene, next: None });
        }
        for turn in self.on.keys().copied().collect::<Vec<_>>() {
            if self.end_of(turn).is_some_and(|at| at <= now) && self.ended.insert(turn) {
                reports.push(Report::Ended { turn, at: now });
            }
        }
        reports
    }

    fn prepare(&mut self, now: Mono) -> Vec<Report> {
        let layers = self.layers();
        let mut reports = Vec::new();
        for (turn, _) in self.ready.iter().filter(|(_, at)| **at <= now) {
            if self.told.insert(*turn) {
                let layer = layers.iter().find(|layer| layer.turn == *turn);
                if layer.is_some_and(|layer| self.broken.contains(&name(layer))) {
                    self.dead.insert(*turn);
                    reports.push(Report::Failed { turn: *turn, error: "broken".into() });
                } else {
                    reports.push(Report::Prepared { turn: *turn });
                }
            }
        }
        reports
    }

    /// Puts `layers` on the screen if they are ready; true if they are there then.
    fn swap(&mut self, layers: &[Layer], now: Mono, reports: &mut Vec<Report>) -> bool {
        if !layers.iter().all(|layer| self.is_ready(layer.turn)) {
            return false;
        }
        let turns: BTreeSet<Turn> = layers.iter().map(|layer| layer.turn).collect();
        let leaving: Vec<Turn> =
            self.on.keys().filter(|turn| !turns.contains(turn)).copied().collect();
        for layer in layers {
            if let btree_map::Entry::Vacant(place) = self.on.entry(layer.turn) {
                place.insert((layer.clone(), now));
                self.ready.remove(&layer.turn);
                reports.push(Report::Shown { turn: layer.turn, at: now });
            }
        }
        for turn in leaving {
            let since = self.on.remove(&turn).map_or(now, |(_, since)| since);
            let frames_presented = 1 + now.since(since).as_secs();
            let gone = Report::Gone { turn, at: now, frames_presented, frames_dropped: 0 };
            reports.push(gone);
        }
        true
    }

    /// A beat at `now`.
    pub fn beat(&self, now: Mono) -> Report {
        Report::Beat(Beat { at: now, frames_presented: now.0 / 1_000_000, moving: false })
    }

    /// Names of what is on the screen, back to front by turn.
    pub fn names(&self) -> String {
        let names: Vec<String> = self.on.values().map(|(layer, _)| name(layer)).collect();
        names.join(" ")
    }
}

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
    pub events: usize,
    /// How long a wish is on its way.
    pub lag: Duration,
    under_way: Option<(Mono, Wish)>,
    newest: Turn,
    /// Names of all layers that were ever asked for.
    sent: BTreeMap<Turn, String>,
}

pub fn facts(once: bool) -> StartFacts {
    StartFacts {
        release: "1.2.3".into(),
        host_name: "here".into(),
        once,
        time_zone: TimeZone::get("Europe/Berlin").expect("a zone"),
        seed: [7; 32],
    }
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
            events: 0,
            lag: Duration::ZERO,
            under_way: None,
            newest: 0,
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
        let wall: Timestamp = START.parse().expect("a timestamp");
        let wall = wall + SignedDuration::from_nanos(self.mono.0 as i64) + self.wall_off;
        Now { wall, mono: self.mono, trust: self.trust }
    }

    /// One event, with everything that must hold after any.
    pub fn handle(&mut self, event: Event) {
        let now = self.now();
        let text = format!("{event:?}");
        let effects = self.director.handle(event, &now);
        self.events += 1;
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
        let seen = |layer: &&Layer| layer.opacity > 0.0;
        assert!(wish.wanted.layers.iter().filter(seen).count() > 0, "black");
        let scenes = [Some(&wish.wanted), wish.next.as_ref().map(|next| &next.scene)];
        for scene in scenes.into_iter().flatten() {
            for turn in scene.layers.iter().map(|layer| layer.turn) {
                let known = self.sent.contains_key(&turn);
                assert!(known || turn > self.newest, "turn {turn} after {}", self.newest);
            }
            // Both scenes of a wish may carry the same new turns.
            self.sent.extend(scene.layers.iter().map(|layer| (layer.turn, name(layer))));
        }
        let (wanted, next) = (wish.wanted.newest_turn(), wish.next.as_ref());
        let newer = next.is_none_or(|next| next.scene.newest_turn() > wanted);
        assert!(newer, "the next picture is not newer than {wanted}");
        self.newest = self.sent.last_key_value().map_or(0, |(turn, _)| *turn);
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
        if !name.starts_with("card") && name != "marker" {
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
            Effect::Fault(fault) => Some(fault.code.clone()),
            _ => None,
        });
        faults.collect()
    }
}
