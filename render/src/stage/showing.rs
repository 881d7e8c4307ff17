//! One turn on its way: opened, ready, on the GPU, on the screen, gone.

use std::time::Duration;

use vitrine_config::time::Mono;

use super::Painter;
use crate::pacing::{Grid, Rhythm};
use crate::place::Fitting;
use crate::report::Report;
use crate::scene::{Size, Turn};
use crate::source::{Source, State};

/// A source and what has become of it.
pub(super) struct Showing {
    pub source: Box<dyn Source>,
    pub fitting: Fitting,
    /// Of the picture as it is, not as it was made to fit; once known.
    size: Option<Size>,
    /// Width of one of its pixels in heights of one.
    aspect: f32,
    pub failed: bool,
    /// A picture of it lies on the GPU.
    pub uploaded: bool,
    pub started_at: Option<Mono>,
    /// When the display was handed its first frame.
    pub shown_at: Option<Mono>,
    /// When that was to be, if it came in time.
    due_at: Option<Mono>,
    prepared: bool,
    ended: bool,
    /// A picture was put that the display was not yet handed.
    fresh: bool,
    /// The next picture is one that the display was handed before.
    again: bool,
    /// What the source has said of that.
    taken: Option<u64>,
    frames: u64,
    rhythm: Rhythm,
}

impl Showing {
    pub(super) fn new(source: Box<dyn Source>, fitting: Fitting) -> Showing {
        Showing {
            source,
            fitting,
            size: None,
            aspect: 1.0,
            failed: false,
            uploaded: false,
            started_at: None,
            shown_at: None,
            due_at: None,
            prepared: false,
            ended: false,
            fresh: false,
            again: false,
            taken: None,
            frames: 0,
            rhythm: Rhythm::default(),
        }
    }

    /// Everything is there for its first frame.
    pub(super) fn is_prepared(&self) -> bool {
        self.uploaded && !self.failed
    }

    /// What shall prepare it still starts.
    pub(super) fn is_starting(&self) -> bool {
        !self.failed && !self.uploaded && self.source.is_starting()
    }

    /// The screen pixels that its picture takes, before anything is cut off.
    pub(super) fn picture(&self) -> Option<Size> {
        let Size { width_px, height_px } = self.size?;
        let width = f64::from(width_px) * f64::from(self.aspect);
        Some(self.fitting.picture(width, f64::from(height_px)))
    }

    /// Looks after the source; puts its first picture on the GPU as soon as both are there.
    pub(super) fn poll(
        &mut self,
        turn: Turn,
        now: Mono,
        painter: Option<&mut (dyn Painter + '_)>,
    ) -> Option<Report> {
        if self.failed {
            // What it last showed stays, on another GPU, too. If it cannot, nothing is lost by it.
            if let Some(painter) = painter.filter(|_| self.again) {
                self.refresh(turn, now, painter).ok();
            }
            return None;
        }
        match self.source.poll(now) {
            State::Preparing => return None,
            State::Ready(size) => self.size = Some(size),
            State::Failed(error) => return Some(self.fail(turn, error.to_string())),
        }
        let painter = painter.filter(|_| !self.uploaded)?;
        if let Err(error) = self.refresh(turn, now, painter) {
            return Some(self.fail(turn, error));
        }
        if !self.uploaded || std::mem::replace(&mut self.prepared, true) {
            return None;
        }
        Some(Report::Prepared { turn, lasts: self.source.lasts() })
    }

    /// Puts the picture on the GPU that belongs on the refresh which shows what is drawn at `now`, if
    /// it is another one.
    ///
    /// # Errors
    /// A picture that cannot be put there.
    pub(super) fn refresh_for(
        &mut self,
        turn: Turn,
        (now, grid): (Mono, &Grid),
        painter: &mut dyn Painter,
    ) -> Result<(), String> {
        let (due, shown, refresh) = (self.source.next_at(), grid.next(now), grid.refresh());
        let due_by = self.rhythm.due_by(shown.unwrap_or(now), refresh);
        self.refresh(turn, due_by, painter)?;
        if let (Some(due), Some(shown)) = (due.filter(|due| *due <= due_by), shown) {
            self.rhythm.took(due, shown, refresh);
        }
        Ok(())
    }

    /// When to draw its next picture; None if that is not known or never.
    pub(super) fn draw_at(&self, grid: &Grid) -> Option<Mono> {
        self.source.next_at().map(|due| self.rhythm.draw_at(due, grid))
    }

    /// Puts the newest picture that is due on the GPU, if there is another one.
    ///
    /// # Errors
    /// A picture that cannot be put there.
    pub(super) fn refresh(
        &mut self,
        turn: Turn,
        now: Mono,
        painter: &mut dyn Painter,
    ) -> Result<(), String> {
        let Some(picture) = self.source.take(now) else { return Ok(()) };
        painter.put(turn, &picture)?;
        if let Some(pixel_aspect) = picture.pixel_aspect() {
            self.aspect = if pixel_aspect.is_normal() { pixel_aspect.abs() } else { 1.0 };
        }
        self.uploaded = true;
        let again = std::mem::take(&mut self.again);
        let taken = self.source.taken();
        self.fresh |= if taken.is_some() { taken != self.taken } else { !again };
        self.taken = taken;
        Ok(())
    }

    /// Broken for good; what it last showed stays.
    pub(super) fn fail(&mut self, turn: Turn, error: String) -> Report {
        self.failed = true;
        Report::Failed { turn, error }
    }

    /// It is on screen from `now` on, and was to be from `due_at` on.
    pub(super) fn start(&mut self, now: Mono, due_at: Option<Mono>) {
        if self.started_at.is_none() {
            (self.started_at, self.due_at) = (Some(now), due_at);
            // From now on, not from then: its first picture has its full time.
            self.source.start(now);
        }
    }

    /// From when its time counts: the moment that was meant, so that the lateness of each does not
    /// add up over a day. None while it is not on the screen.
    pub(super) fn since(&self) -> Option<Mono> {
        self.shown_at.map(|shown_at| self.due_at.unwrap_or(shown_at))
    }

    /// The display was handed a frame with it.
    pub(super) fn presented(&mut self, turn: Turn, at: Mono) -> Option<Report> {
        self.frames += u64::from(std::mem::take(&mut self.fresh));
        if self.shown_at.is_some() {
            return None;
        }
        self.shown_at = Some(at);
        Some(Report::Shown { turn, at })
    }

    /// When its last picture will have had its time, as long as that was not yet said.
    pub(super) fn ends_at(&self) -> Option<Mono> {
        let on = self.shown_at.is_some() && !self.ended && !self.failed;
        self.source.ends_at().filter(|_| on)
    }

    /// `early` before its last picture will have had its time. What a file tells of its length does
    /// for a transition; a cut waits for the last picture itself.
    pub(super) fn over_at(&self, early: Duration) -> Option<Mono> {
        self.shown_at?;
        let told = || Some(self.started_at?.after(self.source.lasts()?));
        let known = self.source.ends_at();
        known.or_else(|| told().filter(|_| !early.is_zero())).map(|end| end.before(early))
    }

    /// Its last picture has had its time and stays.
    pub(super) fn end(&mut self, turn: Turn, now: Mono) -> Option<Report> {
        let at = self.ends_at().filter(|at| *at <= now)?;
        self.ended = true;
        Some(Report::Ended { turn, at })
    }

    /// The display was handed a frame without it.
    pub(super) fn gone(&mut self, turn: Turn, at: Mono) -> Report {
        self.shown_at = None;
        let frames_presented = std::mem::take(&mut self.frames);
        Report::Gone { turn, at, frames_presented, frames_dropped: self.source.dropped() }
    }

    /// It covers other pixels now.
    pub(super) fn fit(&mut self, fitting: Fitting) {
        if self.fitting != fitting {
            self.fitting = fitting;
            self.source.resize(fitting.covers);
        }
    }

    /// The GPU has forgotten its picture.
    pub(super) fn lose_picture(&mut self) {
        self.again = self.uploaded && !self.fresh;
        self.uploaded = false;
        self.source.again();
    }
}
