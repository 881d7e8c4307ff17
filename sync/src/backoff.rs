//! How long to wait after a failure.
//!
//! In:  how often in a row it failed, what the other side asked for, a random number.
//! Out: a wait.
//!
//! A uniform share between half and the whole of a ceiling that triples up to [`CAP`]. Of 10 000
//! players that lost their cloud for half an hour all are back within five minutes, and fewer than
//! a hundred ask in any second (`shell::tests::fleet`), where a fixed retry keeps 2 000 a second
//! hammering and a bare exponential brings all of them at once.
//!
//! Promises, each held by a test of the same name:
//! - `waits_lie_between_the_floor_and_the_ceiling`;
//! - `what_the_other_side_asks_for_is_clamped`.
//!
//! Not here: clocks and randomness; both are arguments.

use std::time::Duration;

/// Ceiling of the first wait.
const FIRST: Duration = Duration::from_secs(2);
/// Each ceiling is so many times the one before: five short tries tell a hiccup from an outage.
const GROWTH: u32 = 3;
/// Ceiling of every later wait: a screen is back at most five minutes after its cloud.
pub(crate) const CAP: Duration = Duration::from_secs(300);
/// Share of the ceiling that is always waited: nobody spins, and a long outage costs few tries.
const FLOOR: f64 = 0.5;
/// What the other side asks for is exceeded by at most this, so that a fleet does not come in step.
const TOLD_SPREAD: f64 = 0.1;
/// Shortest `Retry-After` that is obeyed: zero would be a loop.
const TOLD_MIN: Duration = Duration::from_secs(1);
/// Longest `Retry-After` that is obeyed: a mistyped one must not silence a screen for days.
const TOLD_MAX: Duration = Duration::from_secs(3_600);

/// Failures in a row of one kind of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Forgets the failures.
    pub(crate) fn worked(&mut self) {
        self.failures = 0;
    }

    /// Counts a failure and says how long to wait.
    ///
    /// - `told`: what the other side asked for, if it did (`Retry-After`).
    /// - `random`: uniform in 0.0..1.0.
    pub(crate) fn failed(&mut self, told: Option<Duration>, random: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let own = wait(self.failures, random);
        match told {
            None => own,
            Some(told) => {
                own.max(told.clamp(TOLD_MIN, TOLD_MAX).mul_f64(1.0 + TOLD_SPREAD * random))
            }
        }
    }

    /// Other work of the same kind has failed so often: this would fare no better.
    pub(crate) fn at_least(&mut self, failures: u32) {
        self.failures = self.failures.max(failures);
    }

    /// How often in a row it failed.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }
}

/// A length of time around `middle`, from 90 % to 110 %: keeps a fleet from asking in step.
pub(crate) fn around(middle: Duration, random: f64) -> Duration {
    middle.mul_f64(0.9 + 0.2 * random.clamp(0.0, 1.0))
}

fn wait(failures: u32, random: f64) -> Duration {
    let steps = failures.saturating_sub(1).min(5);
    let ceiling = (FIRST * GROWTH.pow(steps)).min(CAP);
    ceiling.mul_f64(FLOOR + (1.0 - FLOOR) * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_lie_between_the_floor_and_the_ceiling(
            before in 0u32..2_000, random in 0.0..1.0f64,
        ) {
            let mut backoff = Backoff { failures: before };
            let got = backoff.failed(None, random);
            let ceiling = FIRST.as_secs_f64() * f64::from(GROWTH).powi(before.min(60) as i32);
            let ceiling = ceiling.min(CAP.as_secs_f64());
            prop_assert!(got.as_secs_f64() >= ceiling * FLOOR - 1e-6, "spins: {got:?}");
            prop_assert!(got.as_secs_f64() <= ceiling + 1e-6, "sleeps: {got:?}");
        }

        #[test]
        fn what_the_other_side_asks_for_is_clamped(
            failures in 0u32..20, told_s in any::<u32>(), random in 0.0..1.0f64,
        ) {
            let told = Duration::from_secs(u64::from(told_s));
            let got = Backoff { failures }.failed(Some(told), random);
            prop_assert!(got >= told.clamp(TOLD_MIN, TOLD_MAX), "sooner than asked: {got:?}");
            prop_assert!(got <= TOLD_MAX.mul_f64(1.0 + TOLD_SPREAD), "silenced: {got:?}");
        }

        #[test]
        fn around_stays_near(ms in 1u64..10_000_000, random in 0.0..1.0f64) {
            let middle = Duration::from_millis(ms);
            let got = around(middle, random);
            prop_assert!(got >= middle.mul_f64(0.89) && got <= middle.mul_f64(1.11));
        }
    }

    #[test]
    fn success_starts_over() {
        let mut backoff = Backoff::default();
        for _ in 0..9 {
            backoff.failed(None, 0.5);
        }
        backoff.worked();
        assert_eq!(backoff.failed(None, 1.0), FIRST);
    }
}
