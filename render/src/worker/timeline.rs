//! Which frame is due: picks by time, counts what came too late, gives slots back.
//!
//! In:  frames as they arrive (ahead of their time), the start, the present.
//! Out: the frame to show, the slots that are free again, the next moment that matters.
//!
//! Promises, each held by a test of the same name:
//! - `the_newest_due_frame_is_picked_and_passed_ones_are_counted`;
//! - `every_slot_comes_back_once`;
//! - `a_slot_in_use_is_refused`: so never more than [`SLOTS`] frames wait.
//!
//! Not here: the frames' bytes (`frames`), the socket (`link`). Reads no clock.

use std::collections::VecDeque;
use std::time::Duration;

use vitrine_config::time::Mono;

use super::protocol::{Frame, SLOTS};

/// Frames of one showing.
#[derive(Debug, Default)]
pub struct Timeline {
    start: Option<Mono>,
    held: Option<Frame>,
    ahead: VecDeque<Frame>,
    end_ns: Option<u64>,
    taken: u64,
    dropped: u64,
    again: bool,
}

/// A frame in a slot that has not been given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sent a frame in slot {slot}, which it had not got back")]
pub struct SlotInUse {
    /// Which one.
    pub slot: u32,
}

impl Timeline {
    /// A frame has arrived.
    pub fn push(&mut self, frame: Frame) -> Result<(), SlotInUse> {
        let same =
            |other: &&Frame| (other.generation, other.slot) == (frame.generation, frame.slot);
        let in_use = self.held.iter().chain(&self.ahead).find(same).is_some();
        if in_use || self.ahead.len() >= SLOTS as usize * 2 {
            return Err(SlotInUse { slot: frame.slot });
        }
        self.ahead.push_back(frame);
        Ok(())
    }

    /// No frame will come behind those that are here; the last one's time is over then.
    pub fn end(&mut self, at_ns: u64) {
        self.end_ns = Some(at_ns);
    }

    /// Time zero is then.
    pub fn start(&mut self, at: Mono) {
        self.start = Some(at);
    }

    /// When time zero is.
    pub fn started(&self) -> Option<Mono> {
        self.start
    }

    /// The time behind everything that is here or over by `now`, in nanoseconds after the start.
    pub fn reached_ns(&self, now: Mono) -> u64 {
        let known = self.ahead.back().or(self.held.as_ref());
        let known_ns = known.map_or(0, |frame| frame.at_ns.saturating_add(frame.lasts_ns));
        let over = self.start.map_or(Duration::ZERO, |start| now.since(start));
        known_ns.max(u64::try_from(over.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The frame taken last is to be taken once more, if no newer one is due by then.
    pub fn again(&mut self) {
        self.again = true;
    }

    /// The newest frame due at `now`, if it is another one than at the call before; the first one
    /// is due at any time. Every frame that is done with is handed to `release`.
    pub fn take(&mut self, now: Mono, mut release: impl FnMut(Frame)) -> Option<Frame> {
        let mut newest = None;
        while let Some(frame) = self.pop_due(now, newest.is_none()) {
            if let Some(passed) = newest.replace(frame) {
                self.dropped += 1;
                release(passed);
            }
        }
        if let Some(done) = newest.and_then(|frame| self.held.replace(frame)) {
            release(done);
        }
        self.taken += u64::from(newest.is_some());
        let again = std::mem::take(&mut self.again);
        newest.or(self.held.filter(|_| again))
    }

    fn pop_due(&mut self, now: Mono, none_yet: bool) -> Option<Frame> {
        let first = self.held.is_none() && none_yet;
        let due = first || self.due_ahead()? <= now;
        if due { self.ahead.pop_front() } else { None }
    }

    fn due_ahead(&self) -> Option<Mono> {
        let at_ns = self.ahead.front()?.at_ns;
        self.start.map(|start| start.after(Duration::from_nanos(at_ns)))
    }

    /// The frame to be shown first or now.
    pub fn front(&self) -> Option<&Frame> {
        self.held.as_ref().or(self.ahead.front())
    }

    /// Whether a frame of this generation is still here.
    pub fn uses(&self, generation: u32) -> bool {
        self.held.iter().chain(&self.ahead).any(|frame| frame.generation == generation)
    }

    /// When [`Timeline::take`] will have another frame, as far as is known.
    pub fn next_at(&self) -> Option<Mono> {
        self.held.and_then(|_| self.due_ahead())
    }

    /// Whether the last frame is here.
    pub fn is_whole(&self) -> bool {
        self.end_ns.is_some()
    }

    /// When the last frame has been shown for its full time.
    pub fn ends_at(&self) -> Option<Mono> {
        let end_ns = self.end_ns?;
        self.start.map(|start| start.after(Duration::from_nanos(end_ns)))
    }

    /// Since when a frame is missing: it is over by then and no other is known. None when all is
    /// well, or the end is.
    pub fn dry_since(&self) -> Option<Mono> {
        let held = self.held.filter(|_| self.ahead.is_empty() && self.end_ns.is_none())?;
        let over_ns = held.at_ns.saturating_add(held.lasts_ns);
        self.start.map(|start| start.after(Duration::from_nanos(over_ns)))
    }

    /// Whether word from the worker would change anything.
    pub fn waits(&self) -> bool {
        self.ahead.is_empty() && self.end_ns.is_none()
    }

    /// Frames that were picked, each counted once.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Frames that came too late to be picked.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::layout::{Format, Shape};
    use super::*;
    use crate::source::{Colour, Light};

    fn frame(slot: u32, at_ns: u64) -> Frame {
        Frame {
            generation: 1,
            slot,
            lent: None,
            shape: Shape::new(Format::I420, 16, 16).expect("a sane size"),
            colour: Colour {
                kr: 0.3,
                kb: 0.1,
                full_range: false,
                chroma_left: true,
                light: Light::Sdr,
            },
            pixel_aspect: 1.0,
            at_ns,
            lasts_ns: 10,
        }
    }

    fn filled() -> Timeline {
        let mut timeline = Timeline::default();
        for slot in 0..SLOTS {
            timeline.push(frame(slot, u64::from(slot) * 10)).expect("free slot");
        }
        timeline
    }

    #[test]
    fn the_newest_due_frame_is_picked_and_passed_ones_are_counted() {
        for (case, now, picked, dropped, released) in [
            ("before the second", 1_009, None, 0, vec![]),
            ("on time", 1_010, Some(1), 0, vec![0]),
            ("one late", 1_025, Some(2), 1, vec![1, 0]),
            ("all late", 9_000, Some(3), 2, vec![1, 2, 0]),
        ] {
            let mut timeline = filled();
            let first = timeline.take(Mono(0), |_| panic!("nothing to release"));
            assert_eq!(first.map(|frame| frame.slot), Some(0), "case {case:?}: first");
            assert_eq!(timeline.take(Mono(9_000), |_| ()), None, "case {case:?}: not started");
            timeline.start(Mono(1_000));
            assert_eq!(timeline.next_at(), Some(Mono(1_010)), "case {case:?}");
            let mut back = Vec::new();
            let taken = timeline.take(Mono(now), |frame| back.push(frame.slot));
            assert_eq!(taken.map(|frame| frame.slot), picked, "case {case:?}");
            assert_eq!((timeline.dropped(), back), (dropped, released), "case {case:?}");
        }
    }

    #[test]
    fn a_frame_can_be_taken_once_more_and_is_no_other_one() {
        let mut timeline = filled();
        timeline.take(Mono(0), |_| ());
        timeline.start(Mono(1_000));
        timeline.take(Mono(1_010), |_| ());
        timeline.again();
        let slot = |frame: Option<Frame>| frame.map(|frame| frame.slot);
        assert_eq!(slot(timeline.take(Mono(1_011), |_| panic!("still shown"))), Some(1));
        assert_eq!(timeline.take(Mono(1_012), |_| ()), None, "once");
        timeline.again();
        assert_eq!(slot(timeline.take(Mono(1_020), |_| ())), Some(2), "a newer one is as good");
        assert_eq!((timeline.take(Mono(1_021), |_| ()), timeline.dropped()), (None, 0));
        assert_eq!(timeline.taken(), 3);
    }

    #[test]
    fn a_slot_in_use_is_refused() {
        let mut timeline = filled();
        assert_eq!(timeline.push(frame(1, 99)), Err(SlotInUse { slot: 1 }));
        timeline.take(Mono(0), |_| ());
        assert_eq!(timeline.push(frame(0, 99)), Err(SlotInUse { slot: 0 }), "on screen");
    }

    #[test]
    fn the_end_is_counted_from_the_start_and_a_gap_without_end_is_noticed() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.dry_since(), None, "not begun");
        timeline.push(frame(0, 0)).expect("free slot");
        timeline.start(Mono(500));
        timeline.take(Mono(500), |_| ());
        assert_eq!(timeline.dry_since(), Some(Mono(510)));
        assert_eq!(timeline.ends_at(), None);
        timeline.end(10);
        assert_eq!((timeline.dry_since(), timeline.ends_at()), (None, Some(Mono(510))));
    }

    #[test]
    fn what_is_reached_is_behind_the_last_frame_and_never_in_the_past() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.reached_ns(Mono(700)), 0, "nothing there, not begun");
        timeline.push(frame(0, 0)).expect("free slot");
        timeline.push(frame(1, 10)).expect("free slot");
        assert_eq!(timeline.reached_ns(Mono(700)), 20, "not begun");
        timeline.start(Mono(1_000));
        for (now, reached) in [(900, 20), (1_015, 20), (1_500, 500)] {
            assert_eq!(timeline.reached_ns(Mono(now)), reached, "at {now}");
        }
    }

    proptest! {
        #[test]
        fn every_slot_comes_back_once(steps in prop::collection::vec(0u64..30, 1..60)) {
            let mut timeline = Timeline::default();
            let mut free: Vec<u32> = (0..SLOTS).collect();
            let (mut now, mut next_ns, mut shown) = (0, 0, 0u64);
            timeline.start(Mono(0));
            for step in steps {
                now += step;
                while let Some(slot) = free.pop() {
                    timeline.push(frame(slot, next_ns)).expect("free slot");
                    next_ns += 10;
                }
                shown += u64::from(timeline.take(Mono(now), |frame| free.push(frame.slot)).is_some());
                prop_assert_eq!(free.len() as u64 + 1 + timeline.ahead.len() as u64, 4);
            }
            prop_assert_eq!(shown + timeline.dropped(), next_ns / 10 - timeline.ahead.len() as u64);
        }
    }
}
