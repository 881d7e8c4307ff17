//! Tickers: one long line, drawn once, that runs across at a constant speed.
//!
//! In:  the words, the time. Out: a strip for the GPU, and at each moment which parts of it are seen
//! where ([`Part`]).
//!
//! Promises, held by property tests: the place depends on the time alone, not on how often anybody
//! looks; parts never overlap and never leave the rectangle; what has run in is seen whole.

use std::time::Duration;

use vitrine_config::time::Mono;

use super::decoders::{Ask, Made, Maker, Recipe, Task};
use super::text::{HAIR_PX, Shape, Strip};
use super::{Part, Picture, Source, SourceError, State};
use crate::place::Fitting;
use crate::scene::{Size, TextStyle};

/// Between the end of a line and its beginning, when it follows itself; in heights of a line.
const GAP: f64 = 2.0;
/// A line follows itself at most this often within the rectangle: each costs a draw.
const COPIES: f64 = 8.0;
/// The slowest that anybody calls running, in canvas pixels a second.
const SLOWEST_PX_S: f32 = 1.0;

/// A line on its way.
pub(super) struct TickerSource {
    maker: Maker,
    recipe: Recipe,
    fitting: Fitting,
    ask: Option<Ask>,
    speed_px_s: f32,
    looped: bool,
    strip: Option<Strip>,
    shape: Option<Shape>,
    taken: bool,
    started: Option<Mono>,
    /// The moment that `parts` are of.
    shown_at: Mono,
    parts: Vec<Part>,
    failed: Option<SourceError>,
}

impl TickerSource {
    /// Begins to draw the line.
    pub(super) fn open(
        maker: Maker,
        (text, style): (String, TextStyle),
        (speed_px_s, looped): (f32, bool),
        fitting: Fitting,
    ) -> TickerSource {
        let mut source = TickerSource {
            maker,
            recipe: Recipe::Strip { text, style },
            fitting,
            ask: None,
            speed_px_s: speed_px_s.max(SLOWEST_PX_S),
            looped,
            strip: None,
            shape: None,
            taken: false,
            started: None,
            shown_at: Mono(0),
            parts: Vec::new(),
            failed: None,
        };
        source.begin();
        source
    }

    fn begin(&mut self) {
        let task = Task::Begin(self.recipe.clone());
        match self.maker.ask(task, self.recipe.name(), self.fitting) {
            Ok(ask) => self.ask = Some(ask),
            Err(error) => self.failed = Some(SourceError(error)),
        }
    }

    fn run(&self) -> Option<Run> {
        Some(Run {
            shape: self.shape?,
            room: self.fitting.covers,
            speed_px_s: f64::from(self.speed_px_s) * self.fitting.scale,
            looped: self.looped,
        })
    }
}

impl Source for TickerSource {
    fn poll(&mut self, _now: Mono) -> State {
        match self.ask.as_ref().and_then(Ask::take) {
            Some(Ok(Made::Strip(strip))) => {
                (self.shape, self.taken) = (Some(strip.shape), false);
                (self.strip, self.ask) = (Some(strip), None);
            }
            Some(Err(error)) => self.failed = Some(SourceError(error)),
            Some(Ok(_)) | None => {}
        }
        match (&self.failed, self.shape) {
            (Some(error), _) => State::Failed(error.clone()),
            (None, Some(_)) => State::Ready(self.fitting.covers),
            (None, None) => State::Preparing,
        }
    }

    fn start(&mut self, at: Mono) {
        self.started = Some(at);
    }

    fn take(&mut self, now: Mono) -> Option<Picture<'_>> {
        let since = self.started.map_or(Duration::ZERO, |at| now.since(at));
        self.shown_at = now;
        self.parts = self.run().map(|run| run.parts(since)).unwrap_or_default();
        if std::mem::replace(&mut self.taken, true) {
            // It lies on the GPU.
            self.strip = None;
        }
        let Strip { size, rgba, .. } = self.strip.as_ref()?;
        Some(Picture::Rgba { size: *size, data: rgba })
    }

    fn next_at(&self) -> Option<Mono> {
        // Every later moment is another picture.
        self.shape.map(|_| Mono(self.shown_at.0.saturating_add(1)))
    }

    fn lasts(&self) -> Option<Duration> {
        self.run().filter(|run| !run.looped).map(|run| run.lasts())
    }

    fn ends_at(&self) -> Option<Mono> {
        let lasts = self.lasts()?;
        self.started.map(|at| at.after(lasts))
    }

    fn again(&mut self) {
        self.begin();
    }

    fn parts(&self) -> Option<&[Part]> {
        self.shape.map(|_| self.parts.as_slice())
    }

    fn resize(&mut self, covers: Size) {
        let before = self.fitting.covers;
        if before != covers {
            self.fitting.scale *= f64::from(covers.width_px) / f64::from(before.width_px.max(1));
            self.fitting.covers = covers;
            self.begin();
        }
    }
}

/// Where a line is at which time; lengths in screen pixels.
#[derive(Debug, Clone, Copy)]
struct Run {
    shape: Shape,
    room: Size,
    speed_px_s: f64,
    looped: bool,
}

impl Run {
    /// From the first letter's coming in to the last one's going out.
    fn lasts(&self) -> Duration {
        let way = f64::from(self.room.width_px) + self.shape.length_px;
        Duration::try_from_secs_f64(way / self.speed_px_s).unwrap_or(Duration::MAX)
    }

    /// From one beginning of the line to the next.
    fn period_px(&self) -> f64 {
        let least = f64::from(self.room.width_px) / COPIES;
        (self.shape.length_px + self.shape.height_px * GAP).max(least)
    }

    /// What is seen after `since`, by pieces that lie in one row of the strip.
    fn parts(&self, since: Duration) -> Vec<Part> {
        let width = f64::from(self.room.width_px);
        let way = since.as_secs_f64() * self.speed_px_s;
        // How far the beginning of the first line has come in, and the same of those behind it.
        let period = self.period_px();
        let first =
            if self.looped { ((way - width - period) / period).ceil().max(0.0) } else { 0.0 };
        let mut parts = Vec::new();
        let mut come_px = way - first * period;
        loop {
            if come_px <= 0.0 {
                return parts;
            }
            self.pieces(come_px, &mut parts);
            if !self.looped {
                return parts;
            }
            come_px -= period;
        }
    }

    /// The pieces of one line that has come in by `come_px`.
    fn pieces(&self, come_px: f64, parts: &mut Vec<Part>) {
        let Shape { length_px, leftward, .. } = self.shape;
        let width = f64::from(self.room.width_px);
        // Its left edge, from the left edge of the rectangle.
        let left = if leftward { come_px - length_px } else { width - come_px };
        let row_px = f64::from(self.shape.row_px) / self.shape.grain;
        let rows = (length_px / row_px).ceil() as u32;
        for row in 0..rows {
            let begin = f64::from(row) * row_px;
            let end = (begin + row_px).min(length_px);
            let (from, to) = ((left + begin).max(0.0), (left + end).min(width));
            if from < to {
                parts.push(self.part(row, (from, to), left));
            }
        }
    }

    /// What lies in one row of the strip, between two places of the rectangle.
    fn part(&self, row: u32, (from, to): (f64, f64), left: f64) -> Part {
        let Shape { size, grain, row_px, step_px, height_px, .. } = self.shape;
        let (width, height) = (f64::from(self.room.width_px), f64::from(self.room.height_px));
        let hair = f64::from(HAIR_PX);
        let u = |x: f64| {
            let px = (x - left) * grain - f64::from(row * row_px) + hair;
            (px / f64::from(size.width_px)) as f32
        };
        // In the middle of the rectangle, on whole pixels; cut where that is lower.
        let top = ((height - height_px) / 2.0).floor();
        let (above, below) = (top.max(0.0), (top + height_px).min(height));
        let v = |y: f64| {
            let px = (y - top) * grain + f64::from(row * step_px) + hair;
            (px / f64::from(size.height_px)) as f32
        };
        Part {
            at: [from / width, above / height, to / width, below / height].map(|n| n as f32),
            uv: [u(from), v(above), u(to), v(below)],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(length_px: f64, leftward: bool, looped: bool) -> Run {
        let rows = (length_px / 100.0).ceil() as u32;
        let size = Size { width_px: 102, height_px: rows * 22 };
        let (height_px, grain, row_px, step_px) = (20.0, 1.0, 100, 22);
        let shape = Shape { size, length_px, height_px, grain, row_px, step_px, leftward };
        let room = Size { width_px: 320, height_px: 40 };
        Run { shape, room, speed_px_s: 60.0, looped }
    }

    /// The pixel of the line, from its left, that is seen at a pixel of the rectangle.
    fn seen(run: &Run, since: Duration, x: f64) -> Option<f64> {
        let at = x / f64::from(run.room.width_px);
        let parts = run.parts(since);
        let part =
            parts.iter().find(|part| f64::from(part.at[0]) <= at && at < f64::from(part.at[2]))?;
        let share = (at - f64::from(part.at[0])) / f64::from(part.at[2] - part.at[0]);
        let u = f64::from(part.uv[0]) + share * f64::from(part.uv[2] - part.uv[0]);
        let row = (f64::from(part.uv[1]) * f64::from(run.shape.size.height_px) / 22.0).floor();
        Some(u * f64::from(run.shape.size.width_px) - 1.0 + row * 100.0)
    }

    #[test]
    fn a_line_runs_in_and_out_at_its_speed() {
        let run = run(450.0, false, false);
        assert_eq!(run.parts(Duration::ZERO), [], "it begins outside");
        assert_eq!(run.lasts(), Duration::from_secs_f64((320.0 + 450.0) / 60.0));
        let over = run.lasts() + Duration::from_millis(1);
        assert_eq!(run.parts(over), [], "it ends outside");
        for (second, x, want) in [
            (1.0, 300.0, Some(40.0)),
            (1.0, 250.0, None),
            (6.0, 0.5, Some(40.5)),
            (6.25, 0.5, Some(55.5)),
        ] {
            let found = seen(&run, Duration::from_secs_f64(second), x);
            let near = match (found, want) {
                (Some(found), Some(want)) => (found - want).abs() < 0.02,
                (found, want) => found.is_none() && want.is_none(),
            };
            assert!(near, "{second} s, {x}: {found:?}, want {want:?}");
        }
    }

    #[test]
    fn a_script_from_the_right_runs_to_the_right() {
        let run = run(450.0, true, false);
        let at = |second, x| seen(&run, Duration::from_secs_f64(second), x);
        assert!((at(1.0, 0.5).expect("its right end is in") - 390.5).abs() < 0.02);
        assert_eq!(at(1.0, 61.0), None);
    }

    proptest! {
        #[test]
        fn parts_never_overlap_and_never_leave_the_rectangle(
            length in 1.0..2_000.0f64, leftward: bool, looped: bool, ms in 0..3_600_000u64,
        ) {
            let run = run(length, leftward, looped);
            let mut parts = run.parts(Duration::from_millis(ms));
            prop_assert!(parts.len() < 32, "{} draws", parts.len());
            parts.sort_by(|a, b| a.at[0].total_cmp(&b.at[0]));
            let mut end = 0.0;
            for part in parts {
                prop_assert!(part.at[0] >= end && part.at[2] <= 1.0 && part.at[0] < part.at[2]);
                prop_assert!(part.at[1] >= 0.0 && part.at[3] <= 1.0 && part.at[1] < part.at[3]);
                prop_assert!(part.uv.iter().all(|uv| (0.0..=1.0).contains(uv)), "{:?}", part);
                end = part.at[2];
            }
        }

        #[test]
        fn it_moves_by_its_speed_whenever_anybody_looks(
            length in 400.0..2_000.0f64, leftward: bool, looped: bool, ms in 6_000..40_000u64, step in 1..200u64,
        ) {
            let run = run(length, leftward, looped);
            let (one, other) = (Duration::from_millis(ms), Duration::from_millis(ms + step));
            let moved = step as f64 * 0.06 * if leftward { 1.0 } else { -1.0 };
            let places = (seen(&run, one, 160.0), seen(&run, other, 160.0 + moved));
            if let (Some(x), Some(later)) = places {
                prop_assert!((later - x).abs() < 0.05, "{} became {}", x, later);
            }
        }

        #[test]
        fn a_line_that_follows_itself_never_ends(length in 1.0..2_000.0f64, hours in 1..1_000u64) {
            let run = run(length, false, true);
            let since = Duration::from_secs(hours * 3_600);
            let whole = (0..320).filter(|x| seen(&run, since, f64::from(*x)).is_some()).count();
            let gaps = run.period_px() - length;
            prop_assert!(whole > 0 || gaps >= 320.0 - 1.0, "nothing is seen");
        }
    }
}
