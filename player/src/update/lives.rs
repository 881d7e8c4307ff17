//! How often the version that runs has died of late.
//!
//! In:  that a version is started, that it ends in good order; when, in which boot.
//! Out: how often it died within [`WINDOW`].
//!
//! A version that has proved itself may fall apart later: over content that its trial did not show,
//! or with time. No guardian watches it any more, so its start leaves a mark that a good end takes
//! away; a mark that the next start finds tells of a death. It lies in the runtime directory: that
//! wears no card, and what a power cut ended is no death.
//!
//! Promise: whatever happens to the mark, the version that is due is started; a lost mark is a death
//! that is not counted.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use semver::Version;
use serde::{Deserialize, Serialize};
use vitrine_config::time::Mono;

/// So many deaths within [`WINDOW`], and the version before is due.
pub const DEATHS_MAX: usize = 3;
/// One that lives longer than a third of it does the viewer no harm: the picture stays meanwhile.
const WINDOW: Duration = Duration::from_secs(600);
/// Variable with the mark's path, set in a version that was started with one.
pub const MARK: &str = "VITRINE_MARK";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// A version, a boot and [`DEATHS_MAX`] moments.
const MARK_BYTES: u64 = 4 << 10;

/// What the mark says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lives {
    version: Version,
    boot: String,
    /// Started, and not ended in good order.
    runs: bool,
    /// Nanoseconds of [`Mono`].
    deaths_at_ns: Vec<u64>,
}

impl Lives {
    /// `version` is started, after what `before` says.
    fn next(before: Option<Lives>, version: &Version, boot: &str, now: Mono) -> Lives {
        let same = |lives: &Lives| lives.version == *version && lives.boot == boot;
        let mut deaths_at_ns = Vec::new();
        if let Some(lives) = before.filter(same) {
            deaths_at_ns = lives.deaths_at_ns;
            deaths_at_ns.extend(lives.runs.then_some(now.0));
        }
        deaths_at_ns.retain(|at| now < Mono(*at).after(WINDOW));
        let over = deaths_at_ns.len().saturating_sub(DEATHS_MAX);
        deaths_at_ns.drain(..over);
        Lives { version: version.clone(), boot: boot.to_owned(), runs: true, deaths_at_ns }
    }
}

/// The mark below a runtime directory.
#[derive(Debug, Clone)]
pub struct Mark {
    path: PathBuf,
}

impl Mark {
    /// Whether there is one yet or not.
    pub fn of(runtime_dir: &Path) -> Mark {
        Mark { path: runtime_dir.join("lives.json") }
    }

    /// `version` is about to be started; returns how often it died of late.
    ///
    /// # Errors
    /// What keeps the mark from being left: then nothing is counted.
    pub fn leave(&self, version: &Version, now: Mono) -> io::Result<usize> {
        if let Some(dir) = self.path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        // Who holds it lives, and so has not died: a second player is about to be refused.
        let Some(mut file) = hold(&self.path)? else { return Ok(0) };
        let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
        let lives = Lives::next(read(&mut file)?, version, boot.trim(), now);
        write(&mut file, &lives)?;
        Ok(lives.deaths_at_ns.len())
    }

    /// For [`MARK`] of the version that is started.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The mark in the hands of the version that it tells of.
#[derive(Debug)]
pub struct Life {
    mark: File,
}

impl Life {
    /// Takes up the mark that the launcher has left for this process; None: there is none, or another
    /// player holds it.
    pub fn take_up() -> Option<Life> {
        let path = std::env::var_os(MARK)?;
        hold(Path::new(&path)).ok().flatten().map(|mark| Life { mark })
    }

    /// The process ends in good order.
    pub fn end(mut self) {
        let ended = read(&mut self.mark).and_then(|lives| match lives {
            Some(lives) => write(&mut self.mark, &Lives { runs: false, ..lives }),
            None => Ok(()),
        });
        if let Err(error) = ended {
            tracing::warn!(%error, "this end will be taken for a death");
        }
    }
}

/// The file, locked for as long as it is open; None: somebody else has it.
fn hold(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// None: it says nothing that can be understood.
fn read(file: &mut File) -> io::Result<Option<Lives>> {
    let mut text = Vec::new();
    file.rewind()?;
    file.take(MARK_BYTES).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text).ok())
}

/// In place: the lock belongs to this very file.
fn write(file: &mut File, lives: &Lives) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&serde_json::to_vec(lives)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Mono {
        Mono(s * 1_000_000_000)
    }

    #[test]
    fn deaths_within_the_window_are_counted_and_nothing_else() {
        // A start at each of these seconds, of a version, in a boot, after a good end or not.
        type Start = (u64, u64, &'static str, bool);
        let dead = |s: &[u64]| s.iter().map(|s| (*s, 3, "a", false)).collect::<Vec<Start>>();
        for (case, starts, want) in [
            ("the first", dead(&[5]), 0),
            ("dies and dies", dead(&[5, 6, 7, 8]), 3),
            ("no more is kept", dead(&[5, 6, 7, 8, 9, 10]), 3),
            ("dies as seldom as it may", dead(&[0, 300, 600, 900, 1_200]), 2),
            ("is stopped and started", vec![(5, 3, "a", true); 9], 0),
            ("one death among good ends", [vec![(5, 3, "a", true); 4], dead(&[6, 7])].concat(), 1),
            ("another version", [dead(&[5, 6, 7]), vec![(8, 2, "a", false)]].concat(), 0),
            ("the plug was pulled", [dead(&[5, 6, 7]), vec![(8, 3, "b", false)]].concat(), 0),
        ] {
            let mut lives = None;
            for (s, minor, boot, ends_well) in starts {
                let mut next = Lives::next(lives, &Version::new(0, minor, 0), boot, at(s));
                next.runs = !ends_well;
                lives = Some(next);
            }
            let deaths = lives.map(|lives| lives.deaths_at_ns.len());
            assert_eq!(deaths, Some(want), "case {case:?}");
        }
    }

    #[test]
    fn a_second_player_is_no_death_of_the_first() {
        let dir = tempfile::tempdir().expect("a directory");
        let mark = Mark::of(&dir.path().join("run"));
        let version = Version::new(0, 3, 0);
        let leave = |s| mark.leave(&version, at(s)).expect("a usable directory");
        assert_eq!(leave(1), 0);
        let first = hold(&mark.path).expect("a file").expect("nobody holds it");
        for s in 2..9 {
            assert_eq!(leave(s), 0, "the first one lives");
        }
        drop(first);
        assert_eq!(leave(9), 1, "now it is dead");
    }

    #[test]
    fn a_mark_that_makes_no_sense_is_as_good_as_none() {
        let dir = tempfile::tempdir().expect("a directory");
        let mark = Mark::of(dir.path());
        let mut file = File::create(&mark.path).expect("a file");
        file.write_all(b"{\"version\":\"0.3").expect("half of it");
        assert_eq!(mark.leave(&Version::new(0, 3, 0), at(1)).expect("a usable directory"), 0);
        assert_eq!(mark.leave(&Version::new(0, 3, 0), at(2)).expect("a usable directory"), 1);
    }
}
