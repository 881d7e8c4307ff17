//! The time of day, as it was last told. Nobody here reads a clock.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use vitrine_config::time::{Mono, Now};

/// Which time of day belongs to which steady time.
#[derive(Debug)]
pub(crate) struct Wall(Mutex<(Mono, Timestamp)>);

impl Default for Wall {
    fn default() -> Wall {
        Wall(Mutex::new((Mono(0), Timestamp::UNIX_EPOCH)))
    }
}

impl Wall {
    /// Takes in what the clocks say.
    pub(crate) fn set(&self, now: &Now) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (now.mono, now.wall);
    }

    /// The time of day at `mono`.
    pub(super) fn at(&self, mono: Mono) -> Timestamp {
        let (known, wall) = self.known();
        let signed = |time| SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
        let there = match mono >= known {
            true => wall.checked_add(signed(mono.since(known))),
            false => wall.checked_sub(signed(known.since(mono))),
        };
        there.unwrap_or(wall)
    }

    /// The steady time at which it is `wall`, as far as is known now.
    pub(super) fn mono(&self, wall: Timestamp) -> Mono {
        let (known, there) = self.known();
        let nanos = i128::from(known.0) + wall.as_nanosecond() - there.as_nanosecond();
        Mono(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }

    fn known(&self) -> (Mono, Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use vitrine_config::time::Trust;

    use super::*;

    #[test]
    fn both_ways_agree_before_and_after() {
        let wall = Wall::default();
        let there = Timestamp::from_second(1_000).expect("in range");
        wall.set(&Now { wall: there, mono: Mono(5_000_000_000), trust: Trust::Synced });
        for second in [0, 5, 9] {
            let mono = Mono(second * 1_000_000_000);
            assert_eq!(wall.at(mono).as_second(), 995 + second as i64);
            assert_eq!(wall.mono(wall.at(mono)), mono);
        }
    }
}
