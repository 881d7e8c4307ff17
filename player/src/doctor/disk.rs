//! Room and speed of the place where content lies.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustix::io::Errno;

use super::finding::Finding;
use crate::clock::read_mono;

/// What is written to measure: more than a card's own memory hides, less than wears it.
const TRIAL_BYTES: usize = 16 << 20;
const BLOCK_BYTES: usize = 1 << 20;
/// A video of 20 Mbit/s is written at the speed it plays.
const SLOW_MB_PER_S: f64 = 3.0;

/// How much room there is. Nothing where the directory is not there yet.
pub fn space(dir: &Path, reserve_bytes: u64) -> Option<Finding> {
    let place = rustix::fs::statvfs(dir).ok()?;
    let free = place.f_bavail.saturating_mul(place.f_frsize);
    let found = format!("{} MB free in {}", free / 1_000_000, dir.display());
    Some(if free < reserve_bytes {
        let advice = "make room or give it a larger card: below the reserve nothing new is loaded";
        Finding::bad("room", found, advice)
    } else {
        Finding::good("room", found)
    })
}

/// How fast it takes what must survive a power cut.
pub fn speed(dir: &Path) -> Finding {
    match write_trial(dir) {
        Ok(rate) if rate < SLOW_MB_PER_S => {
            let advice = "use a card of application class A1 or better, or a USB or NVMe disk";
            Finding::fair("writing", format!("{rate:.1} MB/s with sync"), advice)
        }
        Ok(rate) => Finding::good("writing", format!("{rate:.0} MB/s with sync")),
        Err(error) => {
            let found = format!("{}: {error}", dir.display());
            Finding::bad("writing", found, advice(&error))
        }
    }
}

/// What helps against `error`, which kept the trial from being written.
fn advice(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::IO) => "the card or disk fails: save what is on it and replace it",
        Some(Errno::NOSPC | Errno::DQUOT) => "make room or give it a larger card",
        Some(Errno::ROFS) => "mount it writable; a card that has become read-only must be replaced",
        _ => "run it as root or as the player's user",
    }
}

fn write_trial(dir: &Path) -> io::Result<f64> {
    let path = dir.join(format!("doctor-{}.part", std::process::id()));
    let begun = read_mono();
    let written = File::create_new(&path).and_then(|mut file| {
        let block = vec![0xa5; BLOCK_BYTES];
        (0..TRIAL_BYTES / BLOCK_BYTES).try_for_each(|_| file.write_all(&block))?;
        file.sync_all()
    });
    let took_s = read_mono().since(begun).as_secs_f64();
    // Nothing to be done about a file that was never made.
    let _ = std::fs::remove_file(&path);
    written.map(|()| TRIAL_BYTES as f64 / 1e6 / took_s.max(1e-6))
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_trial_leaves_nothing_and_a_missing_place_is_bad() {
        let dir = tempfile::tempdir().expect("directory");
        assert_ne!(speed(dir.path()).state, State::Bad);
        assert_eq!(std::fs::read_dir(dir.path()).expect("read").count(), 0);
        assert_eq!(speed(&dir.path().join("none")).state, State::Bad);
    }

    #[test]
    fn each_error_of_a_card_has_its_own_advice() {
        for (errno, wanted) in [
            (Errno::IO, "replace it"),
            (Errno::NOSPC, "make room"),
            (Errno::ROFS, "mount it writable"),
            (Errno::ACCESS, "as root"),
        ] {
            let told = advice(&errno.into());
            assert!(told.contains(wanted), "{errno}: {told}");
        }
    }

    #[test]
    fn a_reserve_that_is_not_there_is_bad() {
        let dir = tempfile::tempdir().expect("directory");
        assert_eq!(space(dir.path(), 0).map(|found| found.state), Some(State::Good));
        assert_eq!(space(dir.path(), u64::MAX).map(|found| found.state), Some(State::Bad));
        assert_eq!(space(&dir.path().join("none"), 0), None);
    }
}
