//! Why a file is not in the cache, and the next move.

use std::io;
use std::path::PathBuf;

use vitrine_wire::Digest;

/// A failed fetch. Texts name the asset, give wanted and found, and end without a full stop, so a
/// chain reads `asset 7f…: write: disk full`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// Other bytes than the manifest names.
    #[error("asset {asset}: digest is {found}, manifest wants {asset}")]
    Digest {
        /// What was wanted.
        asset: Digest,
        /// What came.
        found: Digest,
    },
    /// The server sends on and on.
    #[error("asset {asset}: longer than the {promised_bytes} bytes promised")]
    TooLong {
        /// Which.
        asset: Digest,
        /// Length in the manifest.
        promised_bytes: u64,
    },
    /// The transfer ended early.
    #[error("asset {asset}: {found_bytes} bytes came, {promised_bytes} were promised")]
    TooShort {
        /// Which.
        asset: Digest,
        /// Length in the manifest.
        promised_bytes: u64,
        /// Length here.
        found_bytes: u64,
    },
    /// The file on disk is not what was written to it.
    #[error("asset {asset}: {found_bytes} bytes on disk, {written_bytes} were written")]
    Torn {
        /// Which.
        asset: Digest,
        /// What went in.
        written_bytes: u64,
        /// What is there.
        found_bytes: u64,
    },
    /// The disk is full.
    #[error("asset {asset}: disk full: {missing_bytes} bytes to come, {free_bytes} free")]
    NoRoom {
        /// Which.
        asset: Digest,
        /// Still to be written.
        missing_bytes: u64,
        /// Free on the file system.
        free_bytes: u64,
    },
    /// Two downloads of one asset would mix in one file.
    #[error("asset {asset}: already being downloaded")]
    Busy {
        /// Which.
        asset: Digest,
    },
    /// The file system said no.
    #[error("asset {asset}: {action}")]
    Io {
        /// Which.
        asset: Digest,
        /// What was tried.
        action: &'static str,
        /// What it said.
        #[source]
        source: io::Error,
    },
}

/// The next move after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Keep the partial file; try again after the back-off.
    Resume,
    /// Drop the partial file; try again after the back-off.
    Restart,
    /// Tell the cloud; play on without the asset until there is a new plan.
    Report,
}

impl FetchError {
    /// Maps a failure to its remedy. Callers ask this; none match on variants.
    pub(crate) fn remedy(&self) -> Remedy {
        match self {
            FetchError::Digest { .. } | FetchError::TooLong { .. } | FetchError::Torn { .. } => {
                Remedy::Restart
            }
            FetchError::NoRoom { .. } => Remedy::Report,
            FetchError::TooShort { .. } | FetchError::Busy { .. } | FetchError::Io { .. } => {
                Remedy::Resume
            }
        }
    }
}

/// The cache directory itself failed.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {action}", path = path.display())]
pub(crate) struct CacheError {
    /// What was tried.
    pub(super) action: &'static str,
    /// On what.
    pub(super) path: PathBuf,
    /// What it said.
    #[source]
    pub(super) source: io::Error,
}

impl CacheError {
    /// With its cause, in one line.
    pub(super) fn detail(&self) -> String {
        format!("{self}: {}", self.source)
    }
}
