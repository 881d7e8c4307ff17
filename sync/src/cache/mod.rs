//! Files named by their SHA-256: `<root>/<first two hex>/<sha256 hex>`, mode 0444.
//!
//! In:  finished downloads, names to remove.
//! Out: what is here, where, how long.
//!
//! Promises: a file under its final name is whole and has the digest that it is named after
//! ([`admit`], crash test); nothing is removed but what the caller names, what has the wrong length,
//! and partial downloads that nobody wants.
//!
//! Start at [`Cache::open`], then `download` (how bytes come in), `evict` (which go).
//! Not here: what to fetch and what to drop (`plan`), the network. The sync thread is the one writer.

mod admit;
mod download;
mod error;
pub(crate) mod evict;
mod rehash;
mod scan;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use vitrine_wire::Digest;

use crate::durable;
use crate::model::Files;

pub(crate) use download::Download;
pub(crate) use error::{CacheError, FetchError, Remedy};
pub(crate) use rehash::Rehash;

/// A file of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    /// Its length.
    pub(crate) bytes: u64,
    /// When it came, or was last needed since, by the file's own time.
    pub(crate) since: Timestamp,
}

/// The cache. Clones are the same cache.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    root: Arc<Path>,
    held: Arc<Mutex<BTreeMap<Digest, Held>>>,
    counts: Arc<Counts>,
}

/// What downloads have done since the cache was opened.
#[derive(Debug, Default)]
struct Counts {
    written_bytes: AtomicU64,
    kept_bytes: AtomicU64,
}

impl Cache {
    /// Looks at what is in `root` (making it if need be) and tidies: files of a length other than
    /// `wanted` says go, partial downloads of what is not in `wanted` go, foreign names stay and are
    /// not counted. Also says what was found amiss, one text each; what cannot be tidied because the
    /// disk says no is no obstacle. Blocks; reads no file's bytes.
    pub(crate) fn open(
        root: PathBuf,
        wanted: &BTreeMap<Digest, u64>,
    ) -> Result<(Cache, Vec<String>), CacheError> {
        let parts = root.join("parts");
        durable::make_dir(&parts, 0o755).map_err(failed("make the directory", &parts))?;
        let mut amiss = Vec::new();
        let held = scan::files(&root, wanted, &mut amiss)?;
        let held = Arc::new(Mutex::new(held));
        let cache = Cache { root: root.into(), held, counts: Arc::default() };
        let unwanted = |parts: BTreeMap<Digest, u64>| {
            let parts: Vec<Digest> =
                parts.into_keys().filter(|part| !wanted.contains_key(part)).collect();
            cache.drop_parts(&parts)
        };
        if let Err(error) = cache.parts().and_then(unwanted) {
            amiss.push(error.detail());
        }
        Ok((cache, amiss))
    }

    /// Whether the whole file is here.
    pub(crate) fn contains(&self, asset: &Digest) -> bool {
        self.lock().contains_key(asset)
    }

    /// Every file that is here.
    pub(crate) fn held(&self) -> BTreeMap<Digest, Held> {
        self.lock().clone()
    }

    /// Where the file lies, or would.
    pub(crate) fn path(&self, asset: &Digest) -> PathBuf {
        home(&self.root, asset)
    }

    /// For the player: where every file lies.
    pub(crate) fn files(&self) -> Files {
        Files::Cache { root: self.root.to_path_buf() }
    }

    /// Bytes that may still be written to the file system by an ordinary user.
    pub(crate) fn free_bytes(&self) -> Result<u64, CacheError> {
        let stat = rustix::fs::statvfs(&*self.root)
            .map_err(|error| failed("ask for free space", &self.root)(error.into()))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Partial downloads with the bytes that they hold so far.
    pub(crate) fn parts(&self) -> Result<BTreeMap<Digest, u64>, CacheError> {
        scan::parts(&self.root.join("parts"))
    }

    /// Drops these partial downloads; one that is not there is fine. They are named, and not those
    /// that are to stay: a download may begin at any moment.
    pub(crate) fn drop_parts(&self, assets: &[Digest]) -> Result<(), CacheError> {
        for asset in assets {
            let part = self.part(asset);
            match fs::remove_file(&part) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("remove", &part)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Notes that files were needed until `at`: of those that nobody needs, the one that was needed
    /// longest ago goes first. What the disk does not take is forgotten at the next start.
    pub(crate) fn needed_until(&self, assets: &[Digest], at: Timestamp) {
        for asset in assets {
            if let Some(held) = self.lock().get_mut(asset) {
                held.since = at;
                let noted = File::open(self.path(asset)).and_then(|f| f.set_modified(at.into()));
                if let Err(error) = noted {
                    tracing::debug!(%asset, %error, "cache: time not noted");
                }
            }
        }
    }

    /// Removes a file; none of that name is fine. Who reads it at the moment reads on undisturbed.
    pub(crate) fn remove(&self, asset: &Digest) -> Result<(), CacheError> {
        let path = self.path(asset);
        self.lock().remove(asset);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Removes everything in the directory for good: another tenant's bytes are none of the next
    /// one's business. No download may be under way.
    pub(crate) fn wipe(&self) -> Result<(), CacheError> {
        self.lock().clear();
        wipe(&self.root)
    }

    /// Where the bytes of a download gather.
    fn part(&self, asset: &Digest) -> PathBuf {
        self.root.join("parts").join(format!("{asset}.part"))
    }

    fn admitted(&self, asset: Digest, held: Held) {
        self.counts.kept_bytes.fetch_add(held.bytes, Ordering::Relaxed);
        self.lock().insert(asset, held);
    }

    /// Bytes written since the cache was opened, and those of them that are whole files now.
    pub(crate) fn written(&self) -> (u64, u64) {
        let Counts { written_bytes, kept_bytes } = &*self.counts;
        (written_bytes.load(Ordering::Relaxed), kept_bytes.load(Ordering::Relaxed))
    }

    /// The list is whole between any two statements, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a file lies in the cache at `root`, or would.
pub(crate) fn home(root: &Path, asset: &Digest) -> PathBuf {
    let name = asset.to_string();
    root.join(&name[..2]).join(name)
}

/// [`Cache::wipe`] of a cache that nobody has opened.
pub(crate) fn wipe(root: &Path) -> Result<(), CacheError> {
    let parts = root.join("parts");
    let make = || durable::make_dir(&parts, 0o755).map_err(failed("make the directory", &parts));
    make()?;
    scan::wipe(root)?;
    make()
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    let path = path.to_owned();
    move |source| CacheError { action, path, source }
}

#[cfg(test)]
mod tests;
