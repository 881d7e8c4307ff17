//! What can go wrong between us and the disk.

use std::io;
use std::path::{Path, PathBuf};

/// A store request that was not done. Nothing of it is in force, and the store is reopened and
/// checked before the next one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The file system said no.
    #[error("{path}: {action}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The database said no.
    #[error("store: {action}")]
    Sqlite {
        /// What was tried.
        action: &'static str,
        /// What it said.
        #[source]
        source: rusqlite::Error,
    },
    /// The database is damaged or not ours.
    #[error("store: {found}")]
    Broken {
        /// What is wrong with it.
        found: String,
    },
    /// This program was built with a SQLite that can corrupt its own log.
    #[error("SQLite is {found}, want at least {wanted}: older ones can corrupt the database")]
    OldSqlite {
        /// What was linked.
        found: &'static str,
        /// What is needed.
        wanted: &'static str,
    },
    /// Another process uses this state directory.
    #[error("{path}: held by another process; stop it, one state directory has one agent", path = path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A manifest that would lead back, or in place.
    #[error("manifest version {version}: want a later one than what is live, at least {least}")]
    NotNewer {
        /// What came.
        version: u64,
        /// The lowest that is taken.
        least: u64,
    },
    /// No number that the database can keep.
    #[error("manifest version {version}: want at most {max}", max = i64::MAX)]
    Version {
        /// What came.
        version: u64,
    },
    /// No such generation.
    #[error("generation {version}: not in the store")]
    Unknown {
        /// What was asked for.
        version: u64,
    },
    /// The disk cannot be written, or somebody holds the database.
    #[error(
        "store: the disk cannot be written, or another program holds the database; tried again every few minutes"
    )]
    Volatile,
    /// The store's thread has ended.
    #[error("store: stopped")]
    Stopped,
}

/// For `map_err`: an I/O failure with its facts.
pub(super) fn io_failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}

/// For `map_err`: a database failure with its facts.
pub(super) fn sql_failed(action: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |source| StoreError::Sqlite { action, source }
}
