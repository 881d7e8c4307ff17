//! The signed manifests as plain files: what is left when the database is not.
//!
//! In:  `<state>/generations`.
//! Out: `<version>.envelope` files, and `note.json`, which says what the files alone do not.
//!
//! Promises: a file under its final name was written whole.
//!
//! Not here: which files there ought to be (`generations`), the proof of what is in them (whoever
//! reads a [`Generation`](super::Generation)).

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vitrine_config::limits::MANIFEST_DECODED_BYTES;
use vitrine_wire::Digest;
use vitrine_wire::envelope::Envelope;

use super::StoreError;
use super::error::io_failed;
use crate::durable;

/// What the files alone do not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Note {
    /// The version in force.
    pub(super) live: Option<u64>,
    /// The highest version ever kept: its file may be gone.
    pub(super) highest: u64,
    /// The version of the newest orders that were taken.
    pub(super) orders: u64,
    /// What a rollback turned down.
    pub(super) turned_down: Option<Digest>,
}

/// The directory of the files.
#[derive(Debug, Clone)]
pub(super) struct Envelopes {
    dir: PathBuf,
}

impl Envelopes {
    /// Those of a state directory; touches nothing.
    pub(super) fn at(state_dir: &Path) -> Envelopes {
        Envelopes { dir: state_dir.join("generations") }
    }

    /// Makes the directory if need be.
    pub(super) fn make(&self) -> io::Result<()> {
        durable::make_dir(&self.dir, 0o700)
    }

    /// Versions that have a file, ascending. Other names are not ours.
    pub(super) fn versions(&self) -> io::Result<Vec<u64>> {
        let mut versions = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            let version = name.to_str().and_then(|n| n.strip_suffix(".envelope")?.parse().ok());
            versions.extend(version.filter(|version: &u64| i64::try_from(*version).is_ok()));
        }
        versions.sort_unstable();
        Ok(versions)
    }

    /// Bytes and time of a file. None: it cannot be read, or holds no envelope; one bad sector must
    /// not cost the other files. Whether the envelope is *true* is not asked here.
    pub(super) fn read(&self, version: u64) -> Option<(Vec<u8>, Timestamp)> {
        match read_file(&self.path(version)) {
            Ok((bytes, time)) if serde_json::from_slice::<Envelope>(&bytes).is_ok() => {
                Some((bytes, time))
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(version, %error, "store: an envelope file cannot be read");
                None
            }
        }
    }

    /// Keeps an envelope durably.
    pub(super) fn write(&self, version: u64, envelope: &[u8]) -> io::Result<()> {
        durable::write(&self.path(version), envelope, 0o600)
    }

    /// Removes an envelope.
    pub(super) fn remove(&self, version: u64) -> io::Result<()> {
        durable::remove(&self.path(version))
    }

    /// The last note. One that is lost or unreadable is an empty one.
    pub(super) fn note(&self) -> io::Result<Note> {
        match fs::read(self.note_path()) {
            Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Note::default()),
            Err(error) => Err(error),
        }
    }

    /// Keeps a note durably.
    pub(super) fn set_note(&self, note: Note) -> io::Result<()> {
        durable::write(&self.note_path(), &serde_json::to_vec(&note)?, 0o600)
    }

    /// Removes all of it, the note first: without it no file counts as having been live.
    pub(super) fn wipe(&self) -> io::Result<()> {
        durable::remove(&self.note_path())?;
        self.versions()?.into_iter().try_for_each(|version| self.remove(version))
    }

    /// For `map_err`.
    pub(super) fn failed(&self, action: &'static str) -> impl FnOnce(io::Error) -> StoreError {
        io_failed(action, &self.dir)
    }

    fn path(&self, version: u64) -> PathBuf {
        self.dir.join(format!("{version}.envelope"))
    }

    fn note_path(&self) -> PathBuf {
        self.dir.join("note.json")
    }
}

fn read_file(path: &Path) -> io::Result<(Vec<u8>, Timestamp)> {
    let file = File::open(path)?;
    let time = file.metadata()?.modified()?;
    let mut bytes = Vec::new();
    file.take(MANIFEST_DECODED_BYTES as u64).read_to_end(&mut bytes)?;
    Ok((bytes, Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)))
}
