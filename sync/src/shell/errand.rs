//! A kind of call that is made again and again, one at a time: when next.
//!
//! In:  when it is wanted, how it went, the time.
//! Out: whether to make it now.
//!
//! Promises: never two at a time; a wish that comes while one is under way is not lost; after a
//! failure the back-off holds against ordinary wishes and yields to [`Errand::hurry`], even to one
//! that came before the failure was known.

use std::time::Duration;

use vitrine_config::time::{Mono, Now};

use crate::backoff::Backoff;

/// See the head of this file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Errand {
    at: Option<Mono>,
    not_before: Mono,
    busy: bool,
    /// Haste came while one was under way: what that one finds may be older than the haste.
    hurried: bool,
    backoff: Backoff,
}

impl Errand {
    /// Wants it at `at` or earlier.
    pub(super) fn want(&mut self, at: Mono) {
        self.at = Some(self.at.map_or(at, |before| before.min(at)));
    }

    /// Wants it at `at`, whatever was wanted before.
    pub(super) fn want_instead(&mut self, at: Mono) {
        self.at = Some(at);
    }

    /// Wants it now, whatever failed before.
    pub(super) fn hurry(&mut self, now: Now) {
        (self.not_before, self.hurried) = (Mono::default(), self.busy);
        self.want(now.mono);
    }

    /// Whether to make the call; if so, it counts as under way.
    pub(super) fn start(&mut self, now: Now) -> bool {
        let due = self.deadline().is_some_and(|at| at <= now.mono);
        if due {
            (self.at, self.busy, self.hurried) = (None, true, false);
        }
        due
    }

    /// Not before `at`, however it is wanted; a failure or haste sets that anew.
    pub(super) fn hold(&mut self, at: Mono) {
        self.not_before = at;
    }

    /// What held it back is over, be it a plan or a failure.
    pub(super) fn release(&mut self) {
        self.not_before = Mono::default();
    }

    /// It worked; wanted again at `next`, if at all.
    pub(super) fn worked(&mut self, next: Option<Mono>) {
        self.backoff.worked();
        (self.busy, self.not_before) = (false, Mono::default());
        if let Some(next) = next {
            self.want(next);
        }
    }

    /// It did not; it is made again after the back-off.
    pub(super) fn failed(&mut self, told: Option<Duration>, now: Now, random: f64) {
        self.busy = false;
        let until = now.mono.after(self.backoff.failed(told, random));
        self.not_before = if self.hurried { now.mono } else { until };
        self.want(self.not_before);
    }

    /// It neither worked nor failed: made again at `next`, whatever was wanted before.
    pub(super) fn again(&mut self, next: Mono) {
        self.busy = false;
        self.want(next);
    }

    /// It came to nothing for a reason of ours: made again as soon as it can be.
    pub(super) fn put_off(&mut self, now: Now) {
        self.busy = false;
        self.want(now.mono);
    }

    /// When [`Errand::start`] will say yes.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.at.filter(|_| !self.busy).map(|at| at.max(self.not_before))
    }

    /// Whether one is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// How often in a row it failed.
    pub(super) fn failures(&self) -> u32 {
        self.backoff.failures()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use vitrine_config::time::Trust;

    fn at(s: u64) -> Now {
        let mono = Mono(s * 1_000_000_000);
        Now { wall: Timestamp::UNIX_EPOCH, mono, trust: Trust::Guess }
    }

    #[test]
    fn one_at_a_time_and_no_wish_is_lost() {
        let mut errand = Errand::default();
        assert!(!errand.start(at(0)), "nobody wants it");
        errand.want(at(5).mono);
        assert!(!errand.start(at(4)), "too soon");
        assert!(errand.start(at(5)));
        errand.want(at(5).mono);
        assert!(!errand.start(at(6)), "under way");
        errand.worked(Some(at(60).mono));
        assert!(errand.start(at(6)), "wanted meanwhile");
    }

    #[test]
    fn back_off_holds_against_wishes_but_not_against_haste() {
        let mut errand = Errand::default();
        errand.want(at(0).mono);
        assert!(errand.start(at(0)));
        errand.failed(Some(Duration::from_secs(30)), at(0), 0.0);
        errand.want(at(1).mono);
        assert!(!errand.start(at(29)));
        errand.hurry(at(29));
        assert!(errand.start(at(29)));
        errand.hurry(at(30));
        errand.failed(Some(Duration::from_secs(30)), at(31), 0.0);
        assert!(errand.start(at(31)), "the haste came after it was asked");
        errand.failed(Some(Duration::from_secs(30)), at(32), 0.0);
        assert!(!errand.start(at(61)), "one haste, one call");
        assert!(errand.start(at(62)));
        errand.worked(None);
        assert_eq!(errand.deadline(), None);
    }
}
