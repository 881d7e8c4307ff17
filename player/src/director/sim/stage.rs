//! A stage that prepares, swaps and reports as promised, on exact moments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vitrine_config::time::Mono;
use vitrine_render::report::{Beat, Hello, Report};
use vitrine_render::scene::{
    Card, Fit, Layer, Next, Scene, Size, Source, Start, Text, Turn, Wish, Words,
};

/// A stage that prepares, swaps and reports as promised, on exact moments.
#[derive(Debug)]
pub struct Stage {
    now: Mono,
    current: Scene,
    wanted: Option<Scene>,
    next: Option<Next>,
    /// What is on the screen, with the moment of the first frame.
    pub on: BTreeMap<Turn, (Layer, Mono)>,
    /// When each turn that is being prepared is ready.
    ready: BTreeMap<Turn, Mono>,
    told: BTreeSet<Turn>,
    dead: BTreeSet<Turn>,
    ended: BTreeSet<Turn>,
    /// Moved on from by itself.
    left: BTreeSet<Turn>,
    newest: Turn,
    beat_at: Option<Mono>,
    /// Whether it shows signs of life.
    pub beats: bool,
    /// How long everything takes to prepare.
    pub takes: Duration,
    /// How long the media worker of a video takes to start before that.
    pub starts: Duration,
    /// When the workers have started.
    started: BTreeMap<Turn, Mono>,
    /// Before that it has nothing to draw with.
    pub draws_from: Mono,
    /// Whether files tell how long they last.
    pub tells_lengths: bool,
    /// Files that cannot be shown.
    pub broken: BTreeSet<String>,
    /// Files over which it hangs.
    pub stuck: BTreeSet<String>,
    /// How many displays it has.
    pub displays: u8,
}

/// The name of what a layer shows.
pub fn name(layer: &Layer) -> String {
    match &layer.source {
        Source::Image { path } | Source::Video { path, .. } | Source::Sound { path, .. } => {
            path.display().to_string()
        }
        Source::Colour(rgb) if layer.fit == Fit::Cover => format!("backdrop:{:?}", rgb.0),
        Source::Colour(_) => "colour".into(),
        Source::Text(Text { words: Words::Ticker { text, .. }, .. }) => format!("ticker:{text}"),
        Source::Text(_) => "text".into(),
        Source::Card(Card::Pairing { .. }) => "card:pairing".into(),
        Source::Card(Card::NoContent { headline, .. }) => format!("card:{headline}"),
        Source::Card(Card::Identify { .. }) => "card:identify".into(),
    }
}

/// How long a line takes to run across.
const ACROSS: Duration = Duration::from_secs(8);

fn length(layer: &Layer) -> Option<Duration> {
    match &layer.source {
        Source::Video { path, looped: false, .. } => {
            let path = path.display().to_string();
            let digits: String = path.chars().take_while(char::is_ascii_digit).collect();
            Some(Duration::from_secs(digits.parse().expect("a length in the name")))
        }
        Source::Text(Text { words: Words::Ticker { looped: false, .. }, .. }) => Some(ACROSS),
        _ => None,
    }
}

fn turns(scene: &Scene) -> BTreeSet<Turn> {
    scene.pictures().map(|layer| layer.turn).collect()
}

impl Stage {
    pub fn new(newest: Turn) -> Stage {
        Stage {
            now: Mono(0),
            current: Scene::default(),
            wanted: None,
            next: None,
            on: BTreeMap::new(),
            ready: BTreeMap::new(),
            told: BTreeSet::new(),
            dead: BTreeSet::new(),
            ended: BTreeSet::new(),
            left: BTreeSet::new(),
            newest,
            beat_at: None,
            beats: true,
            takes: Duration::from_millis(50),
            starts: Duration::ZERO,
            started: BTreeMap::new(),
            draws_from: Mono(0),
            tells_lengths: true,
            broken: BTreeSet::new(),
            stuck: BTreeSet::new(),
            displays: 1,
        }
    }

    /// A file cannot be shown.
    pub fn break_it(&mut self, file: &str) {
        self.broken.insert(file.into());
    }

    /// A file is never ready.
    pub fn stick(&mut self, file: &str) {
        self.stuck.insert(file.into());
    }

    pub fn hello(&self) -> Hello {
        Hello {
            pid: 1,
            newest_turn: self.newest,
            showing: self.on.keys().copied().collect(),
            size: Size { width_px: 1_280, height_px: 720 },
            displays: self.displays,
            gpu: "none".into(),
            zero_copy: String::new(),
        }
    }

    /// Takes a wish that comes at `now`.
    pub fn wish(&mut self, wish: Wish, now: Mono) {
        self.now = now;
        let fresh = |scene: &Scene| turns(scene).is_disjoint(&self.left);
        self.wanted = Some(wish.wanted).filter(fresh);
        self.next = wish.next.filter(|next| fresh(&next.scene));
        let named: BTreeSet<Turn> = self.layers().iter().map(|layer| layer.turn).collect();
        self.ready.retain(|turn, _| named.contains(turn));
        self.told.retain(|turn| named.contains(turn));
        for layer in self.layers() {
            self.newest = self.newest.max(layer.turn);
            let hangs =
                Duration::from_secs(if self.stuck.contains(&name(&layer)) { 1 << 30 } else { 0 });
            if !self.on.contains_key(&layer.turn) {
                let video = matches!(layer.source, Source::Video { .. });
                let starts = if video { self.starts } else { Duration::ZERO };
                let started = *self.started.entry(layer.turn).or_insert(now.after(starts));
                let begins = started.max(self.draws_from);
                self.ready.entry(layer.turn).or_insert(begins.after(self.takes).after(hangs));
            }
        }
        self.beat_at.get_or_insert(now);
    }

    /// Everything asked for.
    pub fn layers(&self) -> Vec<Layer> {
        let scenes = self.wanted.iter().chain(self.next.iter().map(|next| &next.scene));
        scenes.flat_map(Scene::pictures).cloned().collect()
    }

    fn is_ready(&self, scene: &Scene) -> bool {
        let is_ready = |turn: &Turn| {
            self.on.contains_key(turn) || (self.told.contains(turn) && !self.dead.contains(turn))
        };
        turns(scene).iter().all(is_ready)
    }

    fn end_of(&self, turn: Turn) -> Option<Mono> {
        let (layer, since) = self.on.get(&turn)?;
        length(layer).map(|length| since.after(length))
    }

    fn due(&self, next: &Next) -> Option<Mono> {
        let turn = match next.start {
            Start::At(at) => return Some(at),
            Start::After { turn, .. } | Start::AtEnd { turn, .. } => turn,
        };
        let awaited = self.wanted.as_ref().is_some_and(|scene| turns(scene).contains(&turn));
        match (self.on.get(&turn), next.start) {
            (Some(_), Start::At(at)) => Some(at),
            (Some((_, at)), Start::After { lasts, .. }) => Some(at.after(lasts)),
            (Some(_), Start::AtEnd { early, .. }) => self.end_of(turn).map(|end| end.before(early)),
            (None, _) if awaited => None,
            (None, _) => Some(Mono(0)),
        }
    }

    /// The next moment at which something happens by itself.
    pub fn next_at(&self) -> Option<Mono> {
        let pending = self.wanted.as_ref().filter(|scene| turns(scene) != turns(&self.current));
        let overdue = self.next.as_ref().filter(|next| self.is_ready(&next.scene));
        let overdue = overdue.and_then(|next| self.due(next));
        let now = pending.filter(|scene| self.is_ready(scene)).map(|_| self.now);
        let untold = self.ready.iter().filter(|(turn, _)| !self.told.contains(turn));
        let ready = untold.map(|(_, at)| *at);
        let open = self.on.keys().filter(|turn| !self.ended.contains(turn));
        let ends = open.filter_map(|turn| self.end_of(*turn));
        let beat = self.beat_at.filter(|_| self.beats);
        let all = ready.chain(ends).chain(now).chain(overdue).chain(beat);
        all.min().map(|at| at.max(self.now))
    }

    /// Lives on to `now` and says what happened.
    pub fn step(&mut self, now: Mono) -> Vec<Report> {
        self.now = now;
        let mut reports = self.prepare(now);
        let due = self.next.as_ref().filter(|next| self.is_ready(&next.scene));
        if due.and_then(|next| self.due(next)).is_some_and(|at| at <= now) {
            let scene = self.next.take().map(|next| next.scene).unwrap_or_default();
            let passed_over = self.wanted.take().unwrap_or_default();
            self.left.extend(&(&(&turns(&self.current) | &turns(&passed_over)) - &turns(&scene)));
            self.swap(scene, now, &mut reports);
        } else if let Some(scene) = self.wanted.clone().filter(|scene| self.is_ready(scene)) {
            self.swap(scene, now, &mut reports);
        }
        for turn in self.on.keys().copied().collect::<Vec<_>>() {
            if self.end_of(turn).is_some_and(|at| at <= now) && self.ended.insert(turn) {
                reports.push(Report::Ended { turn, at: now });
            }
        }
        if let Some(at) = self.beat_at.filter(|at| *at <= now && self.beats) {
            self.beat_at = Some(at.after(Duration::from_secs(1)));
            reports.push(self.beat(now));
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
                    let lasts = layer.filter(|_| self.tells_lengths).and_then(length);
                    reports.push(Report::Prepared { turn: *turn, lasts });
                }
            }
        }
        reports
    }

    /// Puts `scene` on the screen. What has gone is told before what has come, as the real one does.
    fn swap(&mut self, scene: Scene, now: Mono, reports: &mut Vec<Report>) {
        let staying = turns(&scene);
        for turn in self.on.keys().copied().collect::<Vec<_>>() {
            if !staying.contains(&turn) {
                let since = self.on.remove(&turn).map_or(now, |(_, since)| since);
                let frames_presented = 1 + now.since(since).as_secs();
                reports.push(Report::Gone { turn, at: now, frames_presented, frames_dropped: 0 });
            }
        }
        for layer in scene.pictures() {
            if !self.on.contains_key(&layer.turn) {
                reports.push(Report::Shown { turn: layer.turn, at: now });
            }
            self.on.entry(layer.turn).or_insert_with(|| (layer.clone(), now));
            self.ready.remove(&layer.turn);
        }
        self.current = scene;
    }

    /// A beat at `now`.
    pub fn beat(&self, at: Mono) -> Report {
        let frames_presented = at.0 / 1_000_000;
        let draws = at >= self.draws_from;
        let open = self
            .started
            .iter()
            .filter(|(turn, started)| self.ready.contains_key(turn) && at < **started);
        let starting = open.map(|(turn, _)| *turn).collect();
        Report::Beat(Beat { at, frames_presented, moving: false, walls: None, draws, starting })
    }

    /// Names of what is on the screen, back to front by turn.
    pub fn names(&self) -> String {
        let names: Vec<String> = self.on.values().map(|(layer, _)| name(layer)).collect();
        names.join(" ")
    }
}
