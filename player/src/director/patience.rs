//! How long the stage gets for an item, and how long before its moment it is asked for it.
//!
//! In:  how long items took to get ready.
//! Out: how long the next one may take.
//!
//! Promises, each held by a test of the same name:
//! - `a_slow_device_gets_the_time_that_it_needs`: the setting is for a device that is up to its
//!   work; one that needs longer is late now and then, not for ever;
//! - `one_item_that_hangs_changes_nothing_for_the_others`.
//!
//! Not here: which item was late how often (`playlist::Failures`), what follows (`playback`).

use std::collections::VecDeque;
use std::time::Duration;

use vitrine_config::limits::PREPARE_MAX_MS;

/// A change whose moment is known gets the seat at least this long before, to be prepared: a 1080p
/// video takes up to 0.7 s on a desktop, a busy Pi some times that, and a decoder that hangs is
/// given up for another one after 2.5 s.
const LEAD: Duration = Duration::from_secs(4);
/// As many of the last items are remembered: a start under load is forgotten after some minutes.
const REMEMBERED: usize = 32;
/// The longest wait that can be set is the longest one.
const LONGEST: Duration = Duration::from_millis(PREPARE_MAX_MS);

/// How long items took to get ready lately.
#[derive(Debug, Default)]
pub struct Patience {
    took: VecDeque<Duration>,
    /// Items in a row that were not ready in time.
    late: u32,
}

impl Patience {
    /// The stage had everything an item needs so long after it was asked for it.
    pub fn ready(&mut self, took: Duration) {
        self.took.truncate(REMEMBERED - 1);
        self.took.push_front(took);
        self.late = 0;
    }

    /// An item was not ready in time.
    pub fn late(&mut self) {
        self.late = self.late.saturating_add(1);
    }

    /// Twice what the slowest one took: the next one may be slower still.
    fn needs(&self) -> Duration {
        self.took.iter().max().map_or(Duration::ZERO, |took| *took * 2).min(LONGEST)
    }

    /// How long an item gets that was `late` so often before. Each time doubles it, and so does each
    /// other item just before: what is too slow for once may be in time at the next try.
    pub fn within(&self, setting: Duration, late: u32) -> Duration {
        setting.max(self.needs()).saturating_mul(1 << late.max(self.late).min(7)).min(LONGEST)
    }

    /// How long before its moment what comes next is asked for.
    pub fn lead(&self) -> Duration {
        LEAD.max(self.needs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slow_gets_longer_and_what_is_quick_does_not() {
        let s = Duration::from_secs;
        for (case, took_s, late, within_s, lead_s) in [
            ("nothing is known", vec![], 0, 5, 4),
            ("quick ones", vec![1, 2], 0, 5, 4),
            ("the slowest counts", vec![1, 9, 1], 0, 18, 18),
            ("late once", vec![], 1, 10, 4),
            ("late again", vec![], 2, 20, 4),
            ("slow and late", vec![9], 1, 36, 18),
            ("late for ever", vec![], u32::MAX, 60, 4),
            ("the longest", vec![45], 0, 60, 60),
        ] {
            let mut patience = Patience::default();
            took_s.into_iter().for_each(|took_s| patience.ready(s(took_s)));
            assert_eq!(patience.within(s(5), late), s(within_s), "case {case:?}");
            assert_eq!(patience.lead(), s(lead_s), "case {case:?}");
        }
    }

    #[test]
    fn while_nothing_gets_ready_everything_gets_longer() {
        let s = Duration::from_secs;
        let mut patience = Patience::default();
        (0..3).for_each(|_| patience.late());
        assert_eq!((patience.within(s(5), 0), patience.within(s(5), 4)), (s(40), s(60)));
        patience.ready(s(1));
        assert_eq!(patience.within(s(5), 0), s(5));
    }

    #[test]
    fn what_was_slow_once_is_forgotten() {
        let mut patience = Patience::default();
        patience.ready(Duration::from_secs(20));
        (1..REMEMBERED).for_each(|_| patience.ready(Duration::ZERO));
        assert_eq!(patience.lead(), Duration::from_secs(40));
        patience.ready(Duration::ZERO);
        assert_eq!(patience.lead(), LEAD);
    }
}
