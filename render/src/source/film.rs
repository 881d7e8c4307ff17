//! When each picture of a reel is shown.
//!
//! In:  frames as they are made, the time. Out: the frame that is due.
//!
//! Promises: frames follow each other by the file's own times, whatever time the loop takes; what
//! was late is passed over and counted; after a pause nobody sees a film in a hurry.
//!
//! Not here: making frames (`source::reel`), on which thread (`source::image`).

use std::collections::VecDeque;
use std::time::Duration;

use vitrine_config::time::Mono;

use super::decode::Still;
use super::reel::Frame;

/// Frames made ahead: one to show and one to hide how long it takes to make the next.
pub(super) const AHEAD: usize = 2;
/// Later than this it was a pause (a dark screen, a machine that was busy): time starts anew.
const PAUSE: Duration = Duration::from_millis(500);

/// A reel on its way to the screen.
#[derive(Default)]
pub(super) struct Film {
    ready: VecDeque<Frame>,
    /// On the screen.
    shown: Option<Frame>,
    /// Since when it has its time; None before the start.
    since: Option<Mono>,
    /// It is still to be given.
    fresh: bool,
    dropped: u64,
    over: bool,
}

impl Film {
    /// Whether another frame should be made.
    pub(super) fn is_hungry(&self) -> bool {
        !self.over && self.ready.len() < AHEAD
    }

    /// Whether no more frames are to come.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// A frame was made; None: there are no more.
    pub(super) fn add(&mut self, frame: Option<Frame>) {
        match frame {
            Some(frame) => self.ready.push_back(frame),
            None => self.over = true,
        }
    }

    /// It is on screen from `at` on.
    pub(super) fn start(&mut self, at: Mono) {
        self.since = Some(at);
    }

    /// The picture due at `now`, if it is another one than before.
    pub(super) fn take(&mut self, now: Mono) -> Option<&Still> {
        if self.shown.is_none() {
            self.shown = self.ready.pop_front();
            self.fresh = self.shown.is_some();
        }
        // What is on the screen had its time; what follows goes on from here.
        if self.due().is_some_and(|due| now.since(due) > PAUSE) {
            let lasts = self.shown.as_ref().map_or(Duration::ZERO, |frame| frame.lasts);
            self.since = Some(now.before(lasts));
        }
        let mut steps = 0u64;
        while self.due().is_some_and(|due| due <= now) {
            self.since = self.due();
            self.shown = self.ready.pop_front();
            steps += 1;
        }
        self.dropped += steps.saturating_sub(1);
        self.fresh |= steps > 0;
        let fresh = std::mem::take(&mut self.fresh);
        self.shown.as_ref().map(|frame| &frame.still).filter(|_| fresh)
    }

    /// When the next picture is due; None while it is not made or there is none.
    pub(super) fn next_at(&self) -> Option<Mono> {
        let waits = self.fresh || (self.shown.is_none() && !self.ready.is_empty());
        if waits { Some(Mono(0)) } else { self.due() }
    }

    /// The picture on the screen was lost.
    pub(super) fn again(&mut self) {
        self.fresh = self.shown.is_some();
    }

    /// Frames that came too late to be given.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// When the next frame, which is made, takes over.
    fn due(&self) -> Option<Mono> {
        let (since, shown) = (self.since?, self.shown.as_ref()?);
        (!self.ready.is_empty()).then(|| since.after(shown.lasts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Size;

    const ONE: Size = Size { width_px: 1, height_px: 1 };

    fn frame(shade: u8, ms: u64) -> Option<Frame> {
        let still = Still { natural: ONE, size: ONE, rgba: vec![shade; 4] };
        Some(Frame { still, lasts: Duration::from_millis(ms) })
    }

    fn at(ms: u64) -> Mono {
        Mono(1_000_000_000 + ms * 1_000_000)
    }

    fn taken(film: &mut Film, ms: u64) -> Option<u8> {
        film.take(at(ms)).map(|still| still.rgba[0])
    }

    #[test]
    fn frames_follow_the_files_own_times() {
        let mut film = Film::default();
        film.add(frame(1, 100));
        film.add(frame(2, 50));
        assert!(!film.is_hungry(), "more is made ahead than promised");
        assert_eq!(taken(&mut film, 0), Some(1), "the first one comes before the start");
        assert_eq!(
            (taken(&mut film, 5_000), film.next_at()),
            (None, None),
            "moved before the start"
        );
        film.add(frame(3, 50));
        film.start(at(10_000));
        assert_eq!(film.next_at(), Some(at(10_100)));
        assert_eq!(taken(&mut film, 10_099), None);
        // The loop comes late; the times of the file stand.
        assert_eq!((taken(&mut film, 10_130), film.next_at()), (Some(2), Some(at(10_150))));
        assert_eq!(taken(&mut film, 10_151), Some(3));
        assert_eq!((film.next_at(), film.dropped()), (None, 0), "the next one is not made yet");
    }

    #[test]
    fn what_is_late_is_counted_and_a_pause_is_none() {
        let mut film = Film::default();
        (1..=5).for_each(|shade| film.add(frame(shade, 100)));
        film.start(at(0));
        assert_eq!(taken(&mut film, 0), Some(1));
        assert_eq!((taken(&mut film, 350), film.dropped()), (Some(4), 2));
        assert_eq!(taken(&mut film, 90_000), Some(5), "a pause leaves nothing out");
        film.add(frame(6, 100));
        assert_eq!(film.next_at(), Some(at(90_100)), "time goes on from the pause");
    }

    #[test]
    fn the_last_frame_stays_and_can_be_given_again() {
        let mut film = Film::default();
        film.add(frame(1, 100));
        film.add(None);
        film.start(at(0));
        assert_eq!(taken(&mut film, 0), Some(1));
        assert_eq!((taken(&mut film, 999), film.next_at()), (None, None));
        assert!(!film.is_hungry(), "there is no more to be made");
        film.again();
        assert_eq!(taken(&mut film, 1_000), Some(1));
    }
}
