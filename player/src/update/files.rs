//! The directory of releases: what is remembered, and the programs.
//!
//! `state.json` has several writers in turn (the launcher, the guardian, the agent): each changes it
//! under a lock, from what is there then.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use vitrine_sync::durable;
use vitrine_sync::wire::Digest;

use super::state::{Release, State};

const STATE: &str = "state.json";

/// The directory.
#[derive(Debug, Clone)]
pub struct Releases {
    dir: PathBuf,
}

impl Releases {
    /// Below the player's state.
    pub fn of(state_dir: &Path) -> Releases {
        Releases::at(state_dir.join("releases"))
    }

    /// Itself.
    pub fn at(dir: PathBuf) -> Releases {
        Releases { dir }
    }

    /// Whether there ever was an update.
    pub fn is_there(&self) -> bool {
        self.dir.join(STATE).exists()
    }

    /// What is remembered; nothing where there never was an update, or where it cannot be read: then
    /// the package runs.
    pub fn read(&self) -> State {
        self.remembered().unwrap_or_default()
    }

    /// A file that cannot be understood is as good as none. One that the card does not give is not:
    /// what follows from an empty one must not be written over it.
    fn remembered(&self) -> io::Result<State> {
        match fs::read(self.dir.join(STATE)) {
            Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(error),
        }
    }

    /// Lets `change` at what is remembered. When this returns, the change is on the medium.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> io::Result<T> {
        durable::make_dir(&self.dir, 0o755)?;
        let mut lock = OpenOptions::new();
        let lock = lock.write(true).create(true).truncate(false).open(self.dir.join("lock"))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
        let before = self.remembered()?;
        let mut after = before.clone();
        let done = change(&mut after);
        if after != before {
            durable::write(&self.dir.join(STATE), &serde_json::to_vec_pretty(&after)?, 0o644)?;
        }
        Ok(done)
    }

    /// Where a release's program lies: as in the cache of assets.
    pub fn program(&self, release: &Release) -> PathBuf {
        let name = release.sha256.to_string();
        self.dir.join(&name[..2]).join(name)
    }

    /// Whether the program is what it is named after. One that is not is removed, so that it can be
    /// fetched again.
    pub fn whole(&self, release: &Release) -> Result<(), String> {
        let path = self.program(release);
        let say = |error: &dyn std::fmt::Display| format!("its file {}: {error}", path.display());
        let found = File::open(&path).and_then(Digest::of_all).map_err(|error| say(&error))?;
        if found == release.sha256 {
            return Ok(());
        }
        // Read-only for the screen's unit; the agent's own start removes it then.
        let _ = fs::remove_file(&path);
        Err(say(&"has rotted: it is not what its name says"))
    }

    /// Lets the program be started.
    pub fn make_executable(&self, release: &Release) -> io::Result<()> {
        let file = File::open(self.program(release))?;
        file.set_permissions(Permissions::from_mode(0o555))?;
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_not_written_over() {
        let dir = tempfile::tempdir().expect("a directory");
        let releases = Releases::of(dir.path());
        assert!(releases.change(|_| ()).is_ok(), "nothing was there");
        let state = dir.path().join("releases").join(STATE);
        // Leads to itself: no read of it succeeds, a rename over it would.
        std::os::unix::fs::symlink(STATE, &state).expect("a link");
        let noted =
            releases.change(|state| state.refuse(semver::Version::new(0, 2, 0), "x".into()));
        assert!(noted.is_err());
        assert!(state.is_symlink(), "it was written over");
        assert_eq!(releases.read(), State::default(), "the package runs");
    }
}
