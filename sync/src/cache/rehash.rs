//! A file of the cache, read again to see whether it is still what it is named after.
//!
//! Read from the medium and not from memory, in steps, so that whoever calls sets the pace.

use std::fs::File;
use std::io::{self, Read};

use rustix::fs::{Advice, fadvise};
use vitrine_wire::Digest;
use vitrine_wire::digest::Hasher;

use super::Cache;

/// Read in one step.
pub(crate) const STEP_BYTES: usize = 1 << 20;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Rehash {
    asset: Digest,
    file: File,
    hasher: Hasher,
}

impl Rehash {
    /// Opens the file of `asset`.
    pub(crate) fn open(cache: &Cache, asset: Digest) -> io::Result<Rehash> {
        let file = File::open(cache.path(&asset))?;
        // A wish: without it the memory's copy is looked at, which proves less.
        fadvise(&file, 0, None, Advice::DontNeed).ok();
        Ok(Rehash { asset, file, hasher: Hasher::default() })
    }

    /// Reads on. At the end of the file: whether it is sound.
    pub(crate) fn step(&mut self) -> io::Result<Option<bool>> {
        let mut bytes = Vec::with_capacity(STEP_BYTES);
        let read = (&self.file).take(STEP_BYTES as u64).read_to_end(&mut bytes)?;
        self.hasher.update(&bytes);
        if read == STEP_BYTES {
            return Ok(None);
        }
        Ok(Some(self.hasher.digest() == self.asset))
    }
}
