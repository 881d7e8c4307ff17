//! One file on its way in: hashed while it flows, resumed where it was cut.
//!
//! In:  chunks of bytes, in order, from the offset that [`Download::resume`] named.
//! Out: a file under its final name, proved by length and digest, or a [`FetchError`].
//!
//! Promises: no more than the promised length is ever written; nothing gets a final name unproved;
//! what is on disk after a cut is hashed again before it is built upon.
//!
//! Not here: the request, back-off, how many at a time (`shell`), room (`plan`).
//!
//! Everything here blocks on the disk: call it from `spawn_blocking`.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use rustix::fs::{Advice, FlockOperation, fadvise};
use vitrine_wire::Digest;
use vitrine_wire::digest::Hasher;

use super::admit::admit;
use super::{Cache, FetchError, scan};
use crate::model::Asset;

/// Read at a time when a part is hashed again.
const READ_BYTES: usize = 256 << 10;

/// Sent on their way to the medium at a time.
const WRITE_BACK_BYTES: u64 = 4 << 20;

/// A download under way. Dropping it keeps the part for the next [`Download::resume`].
#[derive(Debug)]
pub(crate) struct Download {
    cache: Cache,
    asset: Digest,
    size_bytes: u64,
    part: PathBuf,
    /// Open for append, so that a write that was cut short shows in the length.
    file: File,
    hasher: Hasher,
    written_bytes: u64,
    /// Of these, on their way to the medium.
    sent_bytes: u64,
}

impl Download {
    /// Opens the part of `asset`, hashes what an earlier try left there, and returns the offset from
    /// which the rest is to be asked for. An offset equal to the size: nothing is left to ask, call
    /// [`Download::finish`]. A part that is too long is started over.
    pub(crate) fn resume(cache: &Cache, asset: &Asset) -> Result<(Download, u64), FetchError> {
        let part = cache.part(&asset.sha256);
        let failed = |action| io_failed(asset.sha256, action);
        let file = open_part(&part).map_err(failed("open the part"))?;
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(FetchError::Busy { asset: asset.sha256 });
        }
        let mut download = Download::on_file(cache, asset, file);
        download.read_back().map_err(failed("read the part"))?;
        if download.written_bytes > download.size_bytes {
            download.restart()?;
        }
        let offset = download.written_bytes;
        Ok((download, offset))
    }

    pub(super) fn on_file(cache: &Cache, asset: &Asset, file: File) -> Download {
        Download {
            cache: cache.clone(),
            asset: asset.sha256,
            size_bytes: asset.size_bytes,
            part: cache.part(&asset.sha256),
            file,
            hasher: Hasher::default(),
            written_bytes: 0,
            sent_bytes: 0,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// More than promised, or the disk. After an error drop this and resume: the part on disk is
    /// then looked at again.
    pub(crate) fn write(&mut self, chunk: &[u8]) -> Result<(), FetchError> {
        let written_bytes = self.written_bytes.saturating_add(chunk.len() as u64);
        if written_bytes > self.size_bytes {
            return Err(FetchError::TooLong { asset: self.asset, promised_bytes: self.size_bytes });
        }
        self.file.write_all(chunk).map_err(|error| self.disk("write", error))?;
        self.hasher.update(chunk);
        self.written_bytes = written_bytes;
        self.cache.counts.written_bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        self.begin_write_back();
        Ok(())
    }

    /// Lets the kernel begin to write what it holds, so that the flush at the end finds little left:
    /// a hundred megabytes at once hold up everybody else on a card for seconds.
    fn begin_write_back(&mut self) {
        let waiting = self.written_bytes - self.sent_bytes;
        if waiting >= WRITE_BACK_BYTES {
            let length = NonZeroU64::new(waiting);
            // A wish.
            fadvise(&self.file, self.sent_bytes, length, Advice::DontNeed).ok();
            self.sent_bytes = self.written_bytes;
        }
    }

    /// Forgets what is here: the server sends from the first byte.
    pub(crate) fn restart(&mut self) -> Result<(), FetchError> {
        self.file.set_len(0).map_err(|error| self.disk("empty the part", error))?;
        self.hasher = Hasher::default();
        (self.written_bytes, self.sent_bytes) = (0, 0);
        Ok(())
    }

    /// Proves length and digest, brings the bytes to the medium and gives them their final name. A
    /// part that is proved wrong is removed.
    pub(crate) fn finish(self) -> Result<(), FetchError> {
        let proved = self.prove();
        if let Err(error) = &proved {
            if error.remedy() == super::Remedy::Restart {
                fs::remove_file(&self.part).map_err(|error| self.disk("remove the part", error))?;
            }
            return proved;
        }
        admit(&self.file, &self.part, &self.cache.path(&self.asset))
            .map_err(|error| self.disk("admit", error))?;
        let about = self.file.metadata().map_err(|error| self.disk("look at", error))?;
        self.cache.admitted(self.asset, scan::held(&about));
        Ok(())
    }

    fn prove(&self) -> Result<(), FetchError> {
        let (asset, promised_bytes, written_bytes) =
            (self.asset, self.size_bytes, self.written_bytes);
        if written_bytes != promised_bytes {
            return Err(FetchError::TooShort { asset, promised_bytes, found_bytes: written_bytes });
        }
        let found = self.hasher.digest();
        if found != asset {
            return Err(FetchError::Digest { asset, found });
        }
        let found_bytes = self.file.metadata().map_err(|error| self.disk("look at", error))?.len();
        if found_bytes != written_bytes {
            return Err(FetchError::Torn { asset, written_bytes, found_bytes });
        }
        Ok(())
    }

    fn read_back(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        self.file.seek(SeekFrom::Start(0))?;
        loop {
            let read = self.file.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            self.hasher.update(&buffer[..read]);
            self.written_bytes += read as u64;
            self.sent_bytes = self.written_bytes;
        }
    }

    /// What the disk said, with numbers if it is full.
    fn disk(&self, action: &'static str, source: io::Error) -> FetchError {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FetchError::NoRoom {
                asset: self.asset,
                missing_bytes: self.size_bytes.saturating_sub(self.written_bytes),
                free_bytes: self.cache.free_bytes().unwrap_or(0),
            },
            _ => FetchError::Io { asset: self.asset, action, source },
        }
    }
}

fn open_part(part: &PathBuf) -> io::Result<File> {
    let open = || OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(part);
    match open() {
        // A cut between the two first steps of `admit` leaves the part read-only.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            fs::set_permissions(part, Permissions::from_mode(0o600))?;
            open()
        }
        other => other,
    }
}

fn io_failed(asset: Digest, action: &'static str) -> impl FnOnce(io::Error) -> FetchError {
    move |source| FetchError::Io { asset, action, source }
}
