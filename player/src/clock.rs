//! The only place where clocks are read.
//!
//! In:  the kernel's clocks, systemd-timesyncd's word that it has set them, the latest wall time
//!      that the store remembers ([`SystemClock::not_before`]).
//! Out: [`Now`].
//!
//! Promises, each held by a test of the same name:
//! - `a_guess_is_never_before_what_the_store_has_seen`;
//! - `a_guess_goes_on_from_there`: it does not stand still until the real clock catches up;
//! - `a_synced_clock_is_taken_as_it_is`.
//!
//! How trust is found: the kernel's own flag (`adjtimex`, `STA_UNSYNC`) cannot be read without
//! `unsafe`, so we look for the file that systemd-timesyncd, the default of Debian and Raspberry Pi
//! OS, leaves when it has set the clock in this boot. On a system with chrony or ntpd the file may
//! be missing: the clock then counts as a guess, which makes the player careful, never wrong.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use vitrine_config::time::{Clock, Mono, Now, Trust};

/// The word about trust is asked for this seldom: a stage reads the clock for every frame.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// systemd-timesyncd touches it when it has set the clock; it lies on a tmpfs.
pub const SYNCED_MARK: &str = "/run/systemd/timesync/synchronized";

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    mark: PathBuf,
    known: Mutex<Known>,
}

/// What is remembered between two readings.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    floor: Option<Floor>,
    /// The last look, and what it found.
    trust: Option<(Mono, Trust)>,
}

/// A wall time that was certainly reached at a moment of steady time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Floor {
    wall: Timestamp,
    mono: Mono,
}

impl SystemClock {
    /// Of this machine.
    pub fn new() -> SystemClock {
        SystemClock { mark: PathBuf::from(SYNCED_MARK), known: Mutex::default() }
    }

    /// No guess is before `latest` from now on. A later floor is kept, an earlier one ignored.
    pub fn not_before(&self, latest: Timestamp) {
        let mono = read_mono();
        let mut known = self.known();
        if known.floor.is_none_or(|floor| reached(floor, mono) < latest) {
            known.floor = Some(Floor { wall: latest, mono });
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let (wall, mono) = (read_wall(), read_mono());
        let mut known = self.known();
        let fresh = known.trust.filter(|(at, _)| mono.since(*at) < LOOK_EVERY);
        let (_, trust) = *known.trust.insert(fresh.unwrap_or_else(|| (mono, trust(&self.mark))));
        judge(wall, mono, trust, known.floor)
    }
}

/// Steady time alone, for those who need no clock to be handed around: limits on a wait.
pub fn read_mono() -> Mono {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Mono(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

#[allow(clippy::disallowed_methods, reason = "this is the one place that reads clocks")]
fn read_wall() -> Timestamp {
    Timestamp::now()
}

fn trust(mark: &Path) -> Trust {
    if mark.exists() { Trust::Synced } else { Trust::Guess }
}

fn judge(wall: Timestamp, mono: Mono, trust: Trust, floor: Option<Floor>) -> Now {
    let wall = match (trust, floor) {
        (Trust::Guess, Some(floor)) => wall.max(reached(floor, mono)),
        _ => wall,
    };
    Now { wall, mono, trust }
}

/// The wall time that has been reached at `mono` at the least.
fn reached(floor: Floor, mono: Mono) -> Timestamp {
    SignedDuration::try_from(mono.since(floor.mono))
        .ok()
        .and_then(|since| floor.wall.checked_add(since).ok())
        .unwrap_or(floor.wall)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: Floor = Floor { wall: Timestamp::constant(1_000, 0), mono: Mono(5_000_000_000) };

    fn wall(second: i64) -> Timestamp {
        Timestamp::constant(second, 0)
    }

    #[test]
    fn a_guess_is_never_before_what_the_store_has_seen() {
        let now = judge(wall(7), FLOOR.mono, Trust::Guess, Some(FLOOR));
        assert_eq!(now.wall, FLOOR.wall);
        let later = judge(wall(2_000), FLOOR.mono, Trust::Guess, Some(FLOOR));
        assert_eq!(later.wall, wall(2_000), "a later clock is kept");
    }

    #[test]
    fn a_guess_goes_on_from_there() {
        let now = judge(wall(7), Mono(8_000_000_000), Trust::Guess, Some(FLOOR));
        assert_eq!(now.wall, wall(1_003));
    }

    #[test]
    fn a_synced_clock_is_taken_as_it_is() {
        let now = judge(wall(7), FLOOR.mono, Trust::Synced, Some(FLOOR));
        assert_eq!((now.wall, now.trust), (wall(7), Trust::Synced));
    }

    #[test]
    fn an_earlier_floor_does_not_replace_a_later_one() {
        let clock = SystemClock::new();
        let far: Timestamp = "2100-01-01T00:00:00Z".parse().expect("a date");
        clock.not_before(far);
        clock.not_before(wall(5));
        assert!(clock.known().floor.is_some_and(|floor| floor.wall == far));
    }

    #[test]
    fn the_mark_decides_on_trust() {
        let dir = tempfile::tempdir().expect("a directory");
        let mark = dir.path().join("synchronized");
        assert_eq!(trust(&mark), Trust::Guess);
        std::fs::File::create(&mark).expect("a file");
        assert_eq!(trust(&mark), Trust::Synced);
    }

    #[test]
    fn steady_time_does_not_go_back() {
        let first = read_mono();
        assert!(read_mono() >= first);
    }
}
