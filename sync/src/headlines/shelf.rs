//! Headlines on disk, so that a start without a network has some.
//!
//! One file for each feed, named by the digest of its address. A file that cannot be read is as
//! good as none: it is fetched anew.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vitrine_config::limits;
use vitrine_wire::Digest;

use crate::durable;
use crate::model::Headlines;

/// What is known of a feed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Where it is.
    pub url: String,
    /// What the server calls this state of it.
    pub etag: Option<String>,
    /// When the server says that it was changed.
    pub last_modified: Option<String>,
    /// Plain headlines.
    pub lines: Vec<String>,
}

/// The directory of all feeds.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    /// In the state directory; made when there is something to keep.
    pub(crate) fn new(state_dir: &Path) -> Shelf {
        Shelf { dir: state_dir.join("headlines") }
    }

    /// Everything that can be read.
    pub(crate) fn load(&self) -> BTreeMap<String, Kept> {
        let files = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let kept = files.filter_map(|file| read(&file.path()));
        kept.map(|kept| (kept.url.clone(), kept)).collect()
    }

    /// The lines of every feed.
    pub(crate) fn headlines(&self) -> Headlines {
        self.load().into_iter().map(|(url, kept)| (url, kept.lines)).collect()
    }

    /// Keeps what is known of a feed, durably.
    pub(crate) fn keep(&self, kept: &Kept) -> io::Result<()> {
        durable::make_dir(&self.dir, 0o700)?;
        durable::write(&self.path(&kept.url), &serde_json::to_vec(kept)?, 0o600)
    }

    /// Forgets a feed.
    pub(crate) fn forget(&self, url: &str) -> io::Result<()> {
        durable::remove(&self.path(url))
    }

    /// Forgets everything.
    pub(crate) fn wipe(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn path(&self, url: &str) -> PathBuf {
        self.dir.join(Digest::of(url.as_bytes()).to_string())
    }
}

fn read(path: &Path) -> Option<Kept> {
    let bytes = std::fs::read(path).ok()?;
    let mut kept: Kept = serde_json::from_slice(&bytes).ok()?;
    kept.lines.truncate(limits::FEED_HEADLINES);
    (!kept.lines.is_empty()).then_some(kept)
}
