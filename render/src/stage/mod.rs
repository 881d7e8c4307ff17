//! What is on the screen and what comes next. Driven by events; waits for nothing, reads no clock.
//!
//! In:  wishes, the state of the sources, the time, what became of each frame.
//! Out: frames to draw ([`Stage::compose`]), reports, the next moment worth looking.
//!
//! Promises, held by the property tests in `stage/tests.rs`:
//! - a scene is composed only when every source in it has a picture on the GPU, unless it had one
//!   and lost it;
//! - a turn that the stage moved on from by itself never comes back;
//! - every [`Report::Shown`] is followed by exactly one [`Report::Gone`];
//! - with nothing due and nothing on its way out, nothing is drawn;
//! - a showing's time ends when its successor's begins, however long that takes to come in.
//!
//! Not here: where pixels go (`place`), how they are drawn (`gpu`), who calls (`engine`).

mod passing;
mod picture;
mod showing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use vitrine_config::time::Mono;

use self::passing::Passing;
pub(crate) use self::picture::{Drawn, Frame, Page, Paint};
use self::showing::Showing;
use crate::pacing;
use crate::place::{Fitting, View};
use crate::report::{Beat, Report};
use crate::scene::{self, Base, Fit, Layer, Next, Scene, Size, Start, Turn, Wish};
use crate::source::{Picture, Source};

/// Evidence of life is due this often while a wish stands.
const BEAT: Duration = Duration::from_secs(1);
/// What comes up to this much after its moment came in time: several refreshes of a busy display.
/// Its own time counts from that moment.
const IN_TIME: Duration = Duration::from_millis(100);
/// Turns remembered as left behind. A wish that is on its way while the stage moves on is a few
/// milliseconds old: a handful would do.
const LEFT_BEHIND: usize = 64;

/// Makes sources for layers.
pub(crate) trait Opener {
    /// Starts to prepare `layer`; what goes wrong shows in the source's state.
    fn open(&mut self, layer: &Layer, fitting: Fitting) -> Box<dyn Source>;
}

/// Takes pictures for later frames.
pub(crate) trait Painter {
    /// Keeps `picture` under `turn`, instead of the one before.
    fn put(&mut self, turn: Turn, picture: &Picture<'_>) -> Result<(), String>;

    /// Forgets the picture of `turn`.
    fn remove(&mut self, turn: Turn);
}

/// The stage.
pub(crate) struct Stage {
    screen: Size,
    /// Of the display; zero while that is not known.
    refresh: Duration,
    showings: BTreeMap<Turn, Showing>,
    /// What frames are made of.
    current: Scene,
    /// What is still to be seen of the scene before.
    passing: Passing,
    /// The moment that frames show.
    composed_at: Mono,
    /// What shall replace it as soon as it is prepared.
    wanted: Option<Scene>,
    next: Option<Next>,
    /// Turns that the stage moved on from by itself, newest last.
    left: VecDeque<Turn>,
    newest_turn: Turn,
    dirty: bool,
    frames_presented: u64,
    /// None: no wish stands yet.
    beat_at: Option<Mono>,
    reports: Vec<Report>,
}

impl Stage {
    pub(crate) fn new(screen: Size) -> Stage {
        Stage {
            screen,
            refresh: Duration::ZERO,
            showings: BTreeMap::new(),
            current: Scene::default(),
            passing: Passing::default(),
            composed_at: Mono(0),
            wanted: None,
            next: None,
            left: VecDeque::new(),
            newest_turn: 0,
            dirty: false,
            frames_presented: 0,
            beat_at: None,
            reports: Vec::new(),
        }
    }

    /// Takes a wish in place of the one before and starts to prepare what is new in it.
    pub(crate) fn wish(&mut self, wish: Wish, now: Mono, opener: &mut dyn Opener) {
        let Wish { wanted, next } = wish;
        let in_next = next.as_ref().map_or(0, |next| next.scene.newest_turn());
        self.newest_turn = self.newest_turn.max(wanted.newest_turn()).max(in_next);
        let old = self.is_left_behind(&wanted);
        self.wanted = Some(wanted).filter(|scene| !old && *scene != self.current);
        let coming = next.filter(|next| !self.is_left_behind(&next.scene));
        let shown = if old || self.wanted.is_none() { Some(&self.current) } else { None };
        self.next = coming.filter(|next| Some(&next.scene) != shown);
        self.open(opener);
        self.beat_at.get_or_insert(now);
        // An empty scene is a scene, too.
        self.dirty |= self.frames_presented == 0 && self.wanted.is_none();
    }

    /// The display shows each frame for this long.
    pub(crate) fn set_refresh(&mut self, refresh: Duration) {
        self.refresh = refresh;
    }

    /// The screen has another extent.
    pub(crate) fn resize(&mut self, screen: Size) {
        if self.screen != screen {
            self.screen = screen;
            // What is on its way out was made for another extent.
            self.passing = Passing::default();
            self.fit();
            self.redraw();
        }
    }

    /// Looks after all sources and notes what has come due.
    pub(crate) fn tick(&mut self, now: Mono, mut painter: Option<&mut (dyn Painter + '_)>) {
        let asked = self.asked();
        for (turn, showing) in &mut self.showings {
            let had_picture = showing.uploaded;
            let painter: Option<&mut (dyn Painter + '_)> = match &mut painter {
                Some(painter) => Some(&mut **painter),
                None => None,
            };
            // What becomes of those on their way out is nobody's concern any more.
            let report = showing.poll(*turn, now, painter);
            self.reports.extend(report.filter(|_| asked.contains(turn)));
            // A picture that was lost is back.
            self.dirty |= showing.started && !had_picture && showing.uploaded;
        }
        let picture_due =
            self.next_picture().is_some_and(|at| at <= pacing::due_by(now, self.refresh));
        let takes_over = self.upcoming(now).is_some();
        self.dirty |= picture_due || takes_over;
        for turn in turns(&self.current).filter(|_| !takes_over) {
            let showing = self.showings.get_mut(&turn);
            self.reports.extend(showing.and_then(|showing| showing.end(turn, now)));
        }
        if let Some(at) = self.beat_at.filter(|at| *at <= now) {
            // The next one keeps the step, unless beats were missed.
            let next = at.after(BEAT);
            self.beat_at = Some(if next <= now { now.after(BEAT) } else { next });
            self.reports.push(Report::Beat(self.beat(now)));
        }
    }

    /// Whether the display should get another frame.
    pub(crate) fn wants_frame(&self) -> bool {
        self.dirty || !self.passing.is_empty()
    }

    /// Whether a frame composed at `now` would be another one than the last.
    pub(crate) fn is_behind(&self, now: Mono) -> bool {
        self.dirty || !self.passing.is_empty() && self.composed_at < now
    }

    /// Moves on to the scene that has come due, if any, and says what to draw. None: a picture that
    /// was lost with its GPU is still on its way, so the display keeps the frame it has.
    pub(crate) fn compose(&mut self, now: Mono, painter: &mut dyn Painter) -> Option<Frame> {
        self.tick(now, Some(&mut *painter));
        let due_at = self.advance(now);
        self.passing.settle(now);
        self.composed_at = now;
        let asked = self.asked();
        for turn in turns(&self.current).chain(self.passing.layers().map(|layer| layer.turn)) {
            let Some(showing) = self.showings.get_mut(&turn) else { continue };
            showing.start(now, due_at);
            if showing.failed {
                continue;
            }
            let due_by = pacing::due_by(now, self.refresh);
            if let Err(error) = showing.refresh(turn, due_by, painter) {
                let report = showing.fail(turn, error);
                self.reports.extend(Some(report).filter(|_| asked.contains(&turn)));
            }
        }
        self.dirty = false;
        self.frame()
    }

    /// The display has lost the frame that it was handed.
    pub(crate) fn redraw(&mut self) {
        self.dirty |= self.frames_presented > 0;
    }

    /// The display did not take the last frame: it is still owed.
    pub(crate) fn not_presented(&mut self) {
        self.dirty = true;
    }

    /// The display was handed the last frame.
    pub(crate) fn presented(&mut self, now: Mono, painter: &mut dyn Painter) {
        self.frames_presented += 1;
        let on_screen: BTreeSet<_> = turns(&self.current).collect();
        for (turn, showing) in &mut self.showings {
            if on_screen.contains(turn) {
                self.reports.extend(showing.presented(*turn, now));
            } else if showing.shown_at.is_some() {
                self.reports.push(showing.gone(*turn, now));
            }
        }
        self.sweep(Some(painter));
    }

    /// Drops what nothing asks for any more and the screen does not show.
    pub(crate) fn sweep(&mut self, mut painter: Option<&mut (dyn Painter + '_)>) {
        let mut asked = self.asked();
        asked.extend(self.passing.layers().map(|layer| layer.turn));
        self.showings.retain(|turn, showing| {
            let keep = showing.shown_at.is_some() || asked.contains(turn);
            if let (false, Some(painter)) = (keep, &mut painter) {
                painter.remove(*turn);
            }
            keep
        });
    }

    /// The screen goes dark on purpose: everything on it is gone.
    pub(crate) fn close(&mut self, now: Mono) {
        for (turn, mut showing) in std::mem::take(&mut self.showings) {
            if showing.shown_at.is_some() {
                self.reports.push(showing.gone(turn, now));
            }
        }
        (self.wanted, self.next, self.beat_at) = (None, None, None);
        self.passing = Passing::default();
        self.current.layers.clear();
    }

    /// The GPU has lost all pictures; the sources give them again.
    pub(crate) fn lose_pictures(&mut self) {
        self.passing = Passing::default();
        self.showings.values_mut().for_each(Showing::lose_picture);
        self.dirty = true;
    }

    /// When to [`Stage::tick`] again, whatever else happens; None: not before something happens.
    /// What is due already waits for a frame, not for a clock.
    pub(crate) fn wake_at(&self, now: Mono) -> Option<Mono> {
        let due = self.next.as_ref().filter(|next| self.is_prepared(&next.scene));
        let due = due.and_then(|next| self.due_at(next.start));
        let over = self.moving().filter_map(Showing::ends_at).min();
        let picture = self.next_picture().map(|at| pacing::draw_at(at, self.refresh));
        let moments = [self.beat_at, due, over, picture];
        moments.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// What has happened since the last call, in order.
    pub(crate) fn take_reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    /// Highest turn that was asked for.
    pub(crate) fn newest_turn(&self) -> Turn {
        self.newest_turn
    }

    /// Turns that the display was handed and that are not gone.
    pub(crate) fn showing(&self) -> Vec<Turn> {
        let shown = self.showings.iter().filter(|(_, showing)| showing.shown_at.is_some());
        shown.map(|(turn, _)| *turn).collect()
    }

    /// What the display was last handed, once more; None before the first frame.
    pub(crate) fn frame_again(&self) -> Option<Frame> {
        self.frame().filter(|_| self.frames_presented > 0)
    }

    /// Makes `current` what it should be by now. When that was to be, if it is in time.
    fn advance(&mut self, now: Mono) -> Option<Mono> {
        let mut due_at = None;
        match self.upcoming(now) {
            Some(Upcoming::Wanted) => {
                if let Some(scene) = self.wanted.take() {
                    self.take_on(scene, now);
                }
            }
            Some(Upcoming::Next) => {
                if let Some(next) = self.next.take() {
                    due_at = self.due_at(next.start).filter(|at| now.since(*at) <= IN_TIME);
                    self.move_on(next.scene, now);
                }
            }
            None => return None,
        }
        self.fit();
        due_at
    }

    /// Takes the next scene and remembers what was left for it.
    fn move_on(&mut self, scene: Scene, now: Mono) {
        let staying: BTreeSet<_> = turns(&scene).collect();
        let passed_over = self.wanted.take();
        let before = turns(&self.current).chain(passed_over.iter().flat_map(turns));
        self.left.extend(before.filter(|turn| !staying.contains(turn)));
        let surplus = self.left.len().saturating_sub(LEFT_BEHIND);
        self.left.drain(..surplus);
        self.take_on(scene, now);
    }

    /// Makes `scene` the current one; what it replaces may pass.
    fn take_on(&mut self, scene: Scene, now: Mono) {
        if self.frames_presented > 0 && !self.current.layers.is_empty() {
            self.passing.change(&self.current, &scene, now);
        }
        self.current = scene;
        let on: BTreeSet<_> = turns(&self.current).collect();
        for turn in self.passing.layers().map(|layer| layer.turn).filter(|turn| !on.contains(turn))
        {
            if let Some(showing) = self.showings.get_mut(&turn) {
                showing.source.leave();
            }
        }
    }

    /// The scene that should replace the current one now. The next one wins: when it is due, the
    /// wanted one is of the past.
    fn upcoming(&self, now: Mono) -> Option<Upcoming> {
        let next = self.next.as_ref().filter(|next| self.is_prepared(&next.scene));
        if next.and_then(|next| self.due_at(next.start)).is_some_and(|at| at <= now) {
            return Some(Upcoming::Next);
        }
        self.wanted.as_ref().filter(|scene| self.is_prepared(scene)).map(|_| Upcoming::Wanted)
    }

    /// When this start comes; None while that is not known.
    fn due_at(&self, start: Start) -> Option<Mono> {
        let turn = match start {
            Start::At(at) => return Some(at),
            Start::After { turn, .. } | Start::AtEnd { turn } => turn,
        };
        let awaited = self.current.layers.iter().chain(self.wanted.iter().flat_map(|s| &s.layers));
        let Some(showing) = self
            .showings
            .get(&turn)
            .filter(|_| awaited.into_iter().any(|layer| layer.turn == turn))
        else {
            // Neither on the screen nor on its way there: it has had its time.
            return Some(Mono(0));
        };
        match start {
            Start::At(at) => Some(at),
            Start::After { lasts, .. } => showing.since().map(|at| at.after(lasts)),
            Start::AtEnd { .. } => showing.source.ends_at().filter(|_| showing.shown_at.is_some()),
        }
    }

    fn is_prepared(&self, scene: &Scene) -> bool {
        turns(scene).all(|turn| {
            let showing = self.showings.get(&turn);
            showing.is_some_and(|showing| showing.is_prepared() || showing.shown_at.is_some())
        })
    }

    fn is_left_behind(&self, scene: &Scene) -> bool {
        turns(scene).any(|turn| self.left.contains(&turn))
    }

    /// Opens what is asked for and not there yet, and fits everything to its newest place.
    fn open(&mut self, opener: &mut dyn Opener) {
        self.take_back();
        let scenes =
            [Some(&self.current), self.wanted.as_ref(), self.next.as_ref().map(|n| &n.scene)];
        for scene in scenes.into_iter().flatten() {
            for layer in &scene.layers {
                let fitting = fitting(&view(scene, layer, self.screen), layer);
                self.showings
                    .entry(layer.turn)
                    .or_insert_with(|| Showing::new(opener.open(layer, fitting), fitting));
            }
        }
        self.fit();
    }

    /// What is asked for again although it was on its way out begins anew.
    fn take_back(&mut self) {
        let on: BTreeSet<_> = turns(&self.current).collect();
        let asked = self.asked();
        let leaving: Vec<_> = self.passing.layers().map(|layer| layer.turn).collect();
        for turn in leaving.into_iter().filter(|turn| asked.contains(turn) && !on.contains(turn)) {
            self.passing.forget(turn);
            self.showings.remove(&turn);
        }
    }

    /// Tells each source the pixels it covers: where it is now, else where it will be.
    fn fit(&mut self) {
        let next = self.next.as_ref().map(|next| &next.scene);
        for scene in [next, self.wanted.as_ref(), Some(&self.current)].into_iter().flatten() {
            for layer in &scene.layers {
                if let Some(showing) = self.showings.get_mut(&layer.turn) {
                    showing.fit(fitting(&view(scene, layer, self.screen), layer));
                }
            }
        }
    }

    /// When the first of the pictures on screen changes.
    fn next_picture(&self) -> Option<Mono> {
        let moving = self.moving();
        moving.filter_map(|showing| showing.source.next_at()).min()
    }

    /// What is on screen and not broken.
    fn moving(&self) -> impl Iterator<Item = &Showing> {
        let on_screen = turns(&self.current).filter_map(|turn| self.showings.get(&turn));
        on_screen.filter(|showing| showing.started && !showing.failed)
    }

    fn beat(&self, at: Mono) -> Beat {
        let moving = self.moving().any(|showing| showing.source.next_at().is_some());
        Beat { at, frames_presented: self.frames_presented, moving }
    }

    fn asked(&self) -> BTreeSet<Turn> {
        let next = self.next.as_ref().map(|next| &next.scene);
        let scenes = [Some(&self.current), self.wanted.as_ref(), next];
        scenes.into_iter().flatten().flat_map(turns).collect()
    }
}

/// Which scene comes now.
enum Upcoming {
    Wanted,
    Next,
}

fn turns(scene: &Scene) -> impl Iterator<Item = Turn> + '_ {
    scene.layers.iter().map(|layer| layer.turn)
}

/// How the base of `layer` lies on the upright screen.
fn view(scene: &Scene, layer: &Layer, screen: Size) -> View {
    let page = match layer.base {
        Base::Canvas => scene.canvas,
        Base::Screen => None,
        Base::Page(size) => Some(size),
    };
    View::of(page, scene.rotation.upright(screen))
}

fn fitting(view: &View, layer: &Layer) -> Fitting {
    // A colour has no shape of its own.
    let is_colour = matches!(layer.source, scene::Source::Colour(_));
    let fit = if is_colour { Fit::Stretch } else { layer.fit };
    Fitting { covers: view.layer(layer.place).size(), fit, scale: view.scale }
}
