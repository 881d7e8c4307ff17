//! How long workers are waited for: longer where they have been seen to take longer.
//!
//! In:  whether one was ever ready, how long first frames took lately.
//! Out: limits.
//!
//! A limit that is for a device that is up to its work makes a slow one slower: what it kills was
//! alive, and what comes in its place has all to do again.

use std::collections::VecDeque;
use std::time::Duration;

/// As many of the last first frames are remembered: a start under load is forgotten after some items.
const REMEMBERED: usize = 8;
/// A hung decoder is given up then, however slow the device is.
const LONGEST: Duration = Duration::from_secs(20);

/// How long a source waits for a spare that is being made before it starts a process of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpareWithin {
    /// For the first of all: it may be looking at all plug-ins, which takes ten seconds on a slow
    /// device; a second one that does so beside it makes that twenty.
    pub first: Duration,
    /// For a later one, which finds the list that the first one has left.
    pub later: Duration,
}

impl Default for SpareWithin {
    fn default() -> SpareWithin {
        SpareWithin { first: Duration::from_secs(20), later: Duration::from_secs(5) }
    }
}

impl SpareWithin {
    /// `was_ready`: one has got ready before.
    pub fn limit(self, was_ready: bool) -> Duration {
        if was_ready { self.later } else { self.first }
    }
}

/// How long it took lately from the hand-over of a film to its first frame.
#[derive(Debug, Default)]
pub(crate) struct FirstFrames(VecDeque<Duration>);

impl FirstFrames {
    /// One has come.
    pub fn came(&mut self, took: Duration) {
        self.0.truncate(REMEMBERED - 1);
        self.0.push_front(took);
    }

    /// How long the next one may take: this, or twice what the slowest took.
    pub fn within(&self, at_least: Duration) -> Duration {
        let slowest = self.0.iter().max().copied().unwrap_or_default();
        (slowest * 2).min(LONGEST).max(at_least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_device_gets_the_time_that_it_needs_and_no_hang_gets_more() {
        let ms = Duration::from_millis;
        for (case, took_ms, within_ms) in [
            ("nothing is known", vec![], 2_500),
            ("quick ones", vec![100, 700], 2_500),
            ("one slow one", vec![100, 4_000, 700], 8_000),
            ("a second try after a hang", vec![50_000], 20_000),
            ("slow long ago", [vec![4_000], vec![100; REMEMBERED]].concat(), 2_500),
        ] {
            let mut frames = FirstFrames::default();
            took_ms.into_iter().for_each(|took| frames.came(ms(took)));
            assert_eq!(frames.within(ms(2_500)), ms(within_ms), "case {case:?}");
            assert_eq!(frames.within(ms(30_000)), ms(30_000), "case {case:?}: never less");
        }
    }
}
