//! From pending to live: when a generation goes in force, and what the player is told of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use vitrine_config::time::{Mono, Now, Trust};
use vitrine_wire::Digest;

use super::Shell;
use crate::cache::Held;
use crate::cloud::Cloud;
use crate::error::chain;
use crate::model::{Live, Manifest};
use crate::plan::{self, Readiness};
use crate::{Event, Tuning};

/// Pause between two words on files that came late: the player looks through everything each time.
const FRESHEN: Duration = Duration::from_secs(2);

impl<C: Cloud> Shell<C> {
    /// Compares what is wanted with what is here, and acts on it.
    pub(super) async fn settle(&mut self, now: Now) {
        if !self.content.settle.start(now) {
            return;
        }
        self.content.settle.worked(None);
        // One look for all: a file that comes while we decide must be missed by every part of it,
        // so that its download is still wanted, ends, and brings us back here.
        let held = self.ways.cache.held();
        self.go_live_if_ready(&held, now).await;
        self.freshen(&held, now);
        self.replan(held, now).await;
        if !self.content.poll.is_busy() {
            self.transfers.calm();
        }
    }

    pub(super) fn when(&self, now: Now) -> plan::When {
        let Tuning { horizon, metered: thrifty, .. } = self.tuning;
        plan::When { now: self.local(now), horizon, thrifty }
    }

    /// How long a generation has waited for files that could come.
    fn waited(&self, since: Mono, now: Now) -> Duration {
        if !self.transfers.is_open() {
            return Duration::ZERO;
        }
        now.mono.since(since.max(self.content.opened_at))
    }

    async fn go_live_if_ready(&mut self, held: &BTreeMap<Digest, Held>, now: Now) {
        let Some(pending) = self.content.preparing() else { return };
        let (manifest, since) = (Arc::clone(&pending.manifest), pending.since);
        let (waited, patience) = (self.waited(since, now), self.tuning.patience);
        match plan::ready(&manifest, held, (waited, patience), &self.when(now)) {
            Readiness::Wait { missing } => {
                tracing::debug!(version = manifest.version, missing = missing.len(), "not ready");
                let edges = [patience, patience.saturating_mul(plan::LAST_PATIENCE)];
                let next = edges.into_iter().filter(|edge| *edge > waited).min();
                if let Some(edge) = next.filter(|_| self.transfers.is_open()) {
                    self.content.settle.want(now.mono.after(edge - waited));
                }
            }
            Readiness::Go { missing } => self.go_live(&manifest, missing, now).await,
        }
    }

    async fn go_live(&mut self, manifest: &Manifest, missing: BTreeSet<Digest>, now: Now) {
        if let Err(error) = self.ways.store.go_live(manifest.version).await {
            self.content.settle.failed(None, now, rand::random());
            if self.content.settle.failures() == 1 {
                self.trouble("generation_not_kept", chain(&error)).await;
            }
            return;
        }
        tracing::info!(version = manifest.version, missing = missing.len(), "sync: live");
        (self.content.pending, self.content.turned_down) = (None, None);
        self.content.previous = self.content.live.take().map(|live| live.manifest.clone());
        self.note_need(manifest, now);
        self.say_live(manifest.clone(), missing, now);
    }

    /// What the generation before needed and this one does not was needed until now.
    fn note_need(&self, live: &Manifest, now: Now) {
        let before = self.content.previous.iter().flat_map(|previous| previous.assets.keys());
        let gone = before.filter(|asset| !live.assets.contains_key(asset)).copied();
        let (cache, gone, at) =
            (self.ways.cache.clone(), gone.collect::<Vec<_>>(), self.session.wall(now));
        // Nobody waits for it; a file that is removed meanwhile is none to note.
        drop(spawn_blocking(move || cache.needed_until(&gone, at)));
    }

    /// Tells the player of files that have come since the generation went live.
    fn freshen(&mut self, held: &BTreeMap<Digest, Held>, now: Now) {
        let Some(live) = &self.content.live else { return };
        let absent = live.manifest.assets.keys().filter(|asset| !held.contains_key(asset));
        let missing: BTreeSet<Digest> = absent.copied().collect();
        if missing == live.missing {
            return;
        }
        let next = self.content.said_at.after(FRESHEN);
        if !missing.is_empty() && now.mono < next {
            self.content.settle.want(next);
            return;
        }
        let manifest = live.manifest.clone();
        self.say_live(manifest, missing, now);
    }

    pub(super) fn say_live(&mut self, manifest: Manifest, missing: BTreeSet<Digest>, now: Now) {
        self.news.subscribe(&manifest, now.mono);
        let (files, headlines) = (self.ways.cache.files(), self.news.headlines());
        let live = Arc::new(Live { manifest, files, missing, headlines });
        self.content.live = Some(Arc::clone(&live));
        self.content.said_at = now.mono;
        self.say(Event::Live(live));
    }

    /// A generation that the cloud wanted replaced by now is reported once and plays on. Nothing
    /// lapses by a guessed time.
    pub(super) async fn watch_lapse(&mut self, now: Now) {
        let Some(live) = &self.content.live else { return };
        let (version, not_after) = (live.manifest.version, live.manifest.not_after);
        let Some(not_after) = not_after.filter(|at| now.trust == Trust::Synced && *at < now.wall)
        else {
            return;
        };
        if self.content.lapsed.replace(version) != Some(version) {
            let detail = format!("version {version} was to be replaced by {not_after}; plays on");
            self.trouble("manifest_lapsed", detail).await;
        }
    }
}
