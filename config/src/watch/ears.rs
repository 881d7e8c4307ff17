//! Hearing of changes: the kernel's notices for a changing set of directories.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// Listens to directories and wakes somebody.
pub struct Ears {
    watcher: Option<RecommendedWatcher>,
    /// Each directory listened to, and which one it was: another may have taken its name.
    heard: BTreeMap<PathBuf, (u64, u64)>,
    /// Something goes unheard: look instead.
    deaf: bool,
}

impl Ears {
    /// Wakes by `wake` at each change; a full slot means that a wake is on its way already.
    pub fn new(wake: SyncSender<()>) -> Ears {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, matters) {
                let _ = wake.try_send(());
            }
        });
        match watcher {
            Ok(watcher) => Ears { watcher: Some(watcher), heard: BTreeMap::new(), deaf: false },
            Err(error) => {
                tracing::warn!(%error, "no notices of changed settings: looking now and then");
                Ears::none()
            }
        }
    }

    /// Hears nothing.
    pub fn none() -> Ears {
        Ears { watcher: None, heard: BTreeMap::new(), deaf: true }
    }

    /// Whether a change may go unheard.
    pub fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// Listens to `dirs` from now on and to nothing else; true if that is anything new, so that
    /// what happened until now went unheard.
    pub fn listen(&mut self, dirs: &BTreeSet<PathBuf>) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let now: BTreeMap<PathBuf, (u64, u64)> =
            dirs.iter().filter_map(|dir| Some((dir.clone(), identity(dir)?))).collect();
        self.heard.retain(|dir, which| {
            let stays = now.get(dir) == Some(which);
            if !stays {
                // Fails if the directory is gone, and then there is nothing to end.
                let _ = watcher.unwatch(dir);
            }
            stays
        });
        let mut news = false;
        let mut failed = now.len() < dirs.len();
        for (dir, which) in now {
            if self.heard.contains_key(&dir) {
                continue;
            }
            match watcher.watch(&dir, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.heard.insert(dir, which);
                    news = true;
                }
                Err(error) => {
                    failed = true;
                    if !self.deaf {
                        let dir = dir.display();
                        tracing::warn!(%dir, %error, "no notices from here: looking now and then");
                    }
                }
            }
        }
        self.deaf = failed;
        news
    }
}

/// Being read is no change, and reading is what we do ourselves.
fn matters(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

fn identity(dir: &Path) -> Option<(u64, u64)> {
    fs::metadata(dir).ok().map(|meta| (meta.dev(), meta.ino()))
}
