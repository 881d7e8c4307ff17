//! Whether the cloud can be reached, for all kinds of calls together.
//!
//! While it cannot, one kind of call alone tries again: the question for news. Ten thousand screens
//! that lost their cloud then knock once each and not three times, and when it is back, what waited
//! comes spread over as long as it was away.

use std::time::Duration;

use vitrine_config::time::Mono;

/// What waited is spread over this at most: 10 000 screens then make 6 calls a second of each kind.
const SPREAD_MAX: Duration = Duration::from_secs(1_800);

/// All others are to be back first: their first call comes within a sixth of the longest spread.
const HEAD_START: u32 = 6;

/// When what waited is to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    from: Mono,
    over: Duration,
}

impl Spread {
    /// For one kind of call; `random` is uniform in 0.0..1.0.
    pub(super) fn at(self, random: f64) -> Mono {
        self.from.after(self.over.mul_f64(random))
    }
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Line {
    down_since: Option<Mono>,
}

impl Line {
    /// A call found nobody.
    pub(super) fn failed(&mut self, now: Mono) {
        self.down_since.get_or_insert(now);
    }

    /// A call was answered. After a time without answers: how what waited is to come.
    pub(super) fn works(&mut self, now: Mono) -> Option<Spread> {
        let over = now.since(self.down_since.take()?).min(SPREAD_MAX);
        Some(Spread { from: now.after(over / HEAD_START), over })
    }

    /// Whether all but the question for news is to wait.
    pub(super) fn is_down(&self) -> bool {
        self.down_since.is_some()
    }
}
