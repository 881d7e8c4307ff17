//! How far the next generation is, said at most once a second.

use std::time::Duration;

use vitrine_config::time::{Mono, Now};

use super::Shell;
use crate::cloud::Cloud;
use crate::model::Manifest;
use crate::{Event, FileProgress, Progress};

/// A bar that moves every second looks alive.
const PAUSE: Duration = Duration::from_secs(1);

/// Remembers what was said.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    said: Progress,
    at: Option<Mono>,
}

impl Reporter {
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.at
    }
}

impl<C: Cloud> Shell<C> {
    pub(super) fn report_progress(&mut self, now: Now) {
        let moving = !self.transfers.under_way().is_empty();
        if self.progress.at.is_some_and(|at| now.mono < at) && !self.content.is_asked() {
            return;
        }
        let progress = self.progress_now();
        if progress != self.progress.said {
            self.progress.said = progress.clone();
            self.say(Event::Progress(progress));
        }
        self.say_asked();
        self.progress.at = moving.then(|| now.mono.after(PAUSE));
    }

    fn progress_now(&self) -> Progress {
        let later = &self.content.later;
        let unmet = self.content.live.as_ref().filter(|live| !live.missing.is_subset(later));
        let pending = self.content.preparing().map(|pending| &*pending.manifest);
        match pending.or(unmet.map(|live| &live.manifest)) {
            None => Progress::default(),
            Some(manifest) => self.progress_of(manifest),
        }
    }

    fn progress_of(&self, manifest: &Manifest) -> Progress {
        let (held, under_way) = (self.ways.cache.held(), self.transfers.under_way());
        let opens_at = self.opens_at.filter(|_| !self.transfers.is_open());
        let version = manifest.version;
        let mut progress = Progress { version, opens_at, ..Progress::default() };
        let later = &self.content.later;
        for (digest, asset) in manifest.assets.iter().filter(|(digest, _)| !later.contains(digest))
        {
            progress.assets += 1;
            progress.bytes += asset.size_bytes;
            if held.contains_key(digest) {
                progress.assets_here += 1;
                progress.bytes_here += asset.size_bytes;
            } else if let Some(&bytes_here) = under_way.get(digest) {
                progress.bytes_here += bytes_here;
                let (name, bytes) = (asset.name.clone(), asset.size_bytes);
                progress.files.push(FileProgress { asset: *digest, name, bytes, bytes_here });
            }
        }
        progress
    }
}
