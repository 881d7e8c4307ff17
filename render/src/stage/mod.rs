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

mod moving_on;
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
use crate::pacing::Grid;
use crate::place::Fitting;
use crate::report::{Beat, Report};
use crate::scene::{Displays, Layer, Mode, Next, Rotation, Scene, Size, Turn, Wish};
use crate::screen::Screen;
use crate::source::{Picture, Source};
use crate::worker::Walls;

/// Evidence of life is due this often while a wish stands.
const BEAT: Duration = Duration::from_secs(1);
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
    screen: Screen,
    /// The display's refreshes.
    grid: Grid,
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
    /// No display is there: nothing that should move can.
    dark: bool,
    /// There is something to draw with.
    draws: bool,
    /// Around media workers, as the last one said.
    walls: Option<Walls>,
    reports: Vec<Report>,
}

impl Stage {
    pub(crate) fn new(screen: Size) -> Stage {
        Stage {
            screen: screen.into(),
            grid: Grid::new(Duration::ZERO),
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
            dark: false,
            draws: false,
            walls: None,
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

    /// The display says that it shows each frame for this long.
    pub(crate) fn set_refresh(&mut self, refresh: Duration) {
        self.grid = Grid::new(refresh);
    }

    /// The display was seen to be ready for another frame at `at`.
    pub(crate) fn saw_refresh(&mut self, at: Mono) {
        self.grid.saw(at);
    }

    /// Whether there is no display at all.
    pub(crate) fn set_dark(&mut self, dark: bool) {
        self.dark = dark;
    }

    /// The screen is another one.
    pub(crate) fn resize(&mut self, screen: Screen) {
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
        self.draws = painter.is_some();
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
            let mended = showing.source.mended();
            self.reports.extend(mended.map(|what| Report::Mended { turn: *turn, what }));
            let broke_off = showing.source.broke_off();
            self.reports.extend(broke_off.map(|what| Report::BrokeOff { turn: *turn, what }));
            // A picture that was lost is back.
            self.dirty |= showing.started_at.is_some() && !had_picture && showing.uploaded;
        }
        let picture_due = self.next_drawing().is_some_and(|at| at <= now);
        let takes_over = self.upcoming(now).is_some();
        self.dirty |= picture_due || takes_over;
        for turn in turns(&self.current).filter(|_| !takes_over) {
            let showing = self.showings.get_mut(&turn);
            self.reports.extend(showing.and_then(|showing| showing.end(turn, now)));
        }
        self.foretell();
        if let Some(at) = self.beat_at.filter(|at| *at <= now) {
            // The next one keeps the step, unless beats were missed.
            let next = at.after(BEAT);
            self.beat_at = Some(if next <= now { now.after(BEAT) } else { next });
            let beat = self.beat(now);
            self.reports.push(Report::Beat(beat));
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
            if let Err(error) = showing.refresh_for(turn, (now, &self.grid), painter) {
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
        self.current = Scene::default();
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
        let moments = [self.beat_at, due, over, self.next_drawing()];
        moments.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// How the newest scene that was asked for comes onto the displays.
    pub(crate) fn hung(&self) -> (Rotation, Displays) {
        let scene = self.wanted.as_ref().unwrap_or(&self.current);
        (scene.rotation, scene.displays)
    }

    /// What displays are to run at for the newest scene that was asked for.
    pub(crate) fn mode(&self) -> Option<Mode> {
        self.wanted.as_ref().unwrap_or(&self.current).mode
    }

    /// What has happened since the last call, in order.
    pub(crate) fn take_reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    /// Frames that the display was handed since the start.
    pub(crate) fn frames_presented(&self) -> u64 {
        self.frames_presented
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

    /// Opens what is asked for and not there yet, and fits everything to its newest place.
    fn open(&mut self, opener: &mut dyn Opener) {
        self.take_back();
        let scenes =
            [Some(&self.current), self.wanted.as_ref(), self.next.as_ref().map(|n| &n.scene)];
        for scene in scenes.into_iter().flatten() {
            for (layer, fitting) in self.fittings(scene) {
                self.showings
                    .entry(layer.turn)
                    .or_insert_with(|| Showing::new(opener.open(layer, fitting), fitting));
            }
        }
        self.fit();
    }

    /// Tells what is on the screen when it will be replaced.
    fn foretell(&mut self) {
        let next = self.next.as_ref().filter(|next| self.is_prepared(&next.scene));
        let at = next.and_then(|next| self.due_at(next.start));
        let staying: BTreeSet<_> = next.iter().flat_map(|next| turns(&next.scene)).collect();
        for turn in turns(&self.current) {
            if let Some(showing) = self.showings.get_mut(&turn) {
                showing.source.leaves_at(at.filter(|_| !staying.contains(&turn)));
            }
        }
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
        let scenes = [next, self.wanted.as_ref(), Some(&self.current)];
        let fittings = scenes.into_iter().flatten().flat_map(|scene| self.fittings(scene));
        let fittings: Vec<_> = fittings.map(|(layer, fitting)| (layer.turn, fitting)).collect();
        for (turn, fitting) in fittings {
            if let Some(showing) = self.showings.get_mut(&turn) {
                showing.fit(fitting);
            }
        }
    }

    /// When to draw the first of the pictures on screen that change.
    fn next_drawing(&self) -> Option<Mono> {
        self.moving().filter_map(|showing| showing.draw_at(&self.grid)).min()
    }

    /// What is on screen and not broken.
    fn moving(&self) -> impl Iterator<Item = &Showing> {
        let on_screen = turns(&self.current).filter_map(|turn| self.showings.get(&turn));
        on_screen.filter(|showing| showing.started_at.is_some() && !showing.failed)
    }

    fn beat(&mut self, at: Mono) -> Beat {
        let newest = self.showings.values().rev().find_map(|showing| showing.source.walls());
        self.walls = newest.or(self.walls);
        let overdue = self.moving().any(|s| s.source.next_at().is_some_and(|due| due <= at));
        let (frames_presented, moving) = (self.frames_presented, overdue && !self.dark);
        let unready = self.showings.iter().filter(|(_, showing)| showing.is_starting());
        let starting = unready.map(|(turn, _)| *turn).collect();
        Beat { at, frames_presented, moving, walls: self.walls, draws: self.draws, starting }
    }

    /// Whether something on the screen should be moving.
    pub(crate) fn is_moving(&self) -> bool {
        self.moving().any(|showing| showing.source.next_at().is_some())
    }

    fn asked(&self) -> BTreeSet<Turn> {
        let next = self.next.as_ref().map(|next| &next.scene);
        let scenes = [Some(&self.current), self.wanted.as_ref(), next];
        scenes.into_iter().flatten().flat_map(turns).collect()
    }
}

fn turns(scene: &Scene) -> impl Iterator<Item = Turn> + '_ {
    scene.pictures().map(|layer| layer.turn)
}
