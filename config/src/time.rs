//! Time as an argument. Only `player::clock` makes these values; everybody else is handed them.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A moment on `CLOCK_MONOTONIC`, in nanoseconds: the same in every process of this boot, so it
/// may cross a socket.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Mono(pub u64);

impl Mono {
    /// Later by `wait`; stays at the end of time.
    pub fn after(self, wait: Duration) -> Mono {
        Mono(self.0.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Earlier by `lead`; stays at the beginning of time.
    pub fn before(self, lead: Duration) -> Mono {
        Mono(self.0.saturating_sub(u64::try_from(lead.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long from `earlier` to here; zero if `earlier` is later.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// How far the wall clock deserves belief.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Set by the network.
    Synced,
    /// Not before the last time known; maybe long after. Select by it, never expire, delete or
    /// report by it.
    Guess,
}

/// One reading of all clocks. Within one event it does not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The time of day.
    pub wall: Timestamp,
    /// Steady time.
    pub mono: Mono,
    /// How far `wall` deserves belief.
    pub trust: Trust,
}

/// The seam to the clocks. The real one is `player::clock`; tests bring their own.
pub trait Clock: Send + Sync {
    /// Reads all clocks.
    fn now(&self) -> Now;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mono_saturates_at_both_ends() {
        assert_eq!(Mono(5).since(Mono(9)), Duration::ZERO);
        assert_eq!(Mono(u64::MAX).after(Duration::from_secs(1)), Mono(u64::MAX));
        assert_eq!(Mono(5).before(Duration::from_nanos(9)), Mono(0));
        assert_eq!(Mono(9).before(Duration::from_nanos(4)), Mono(5));
        assert_eq!(Mono(1).after(Duration::from_nanos(2)), Mono(3));
    }
}
