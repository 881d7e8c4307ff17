//! Files in the loop: what is missing is planned, fetched and made room for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use vitrine_config::time::Now;
use vitrine_wire::Digest;

use super::{Done, Shell, fetch, transfer};
use crate::cache::Held;
use crate::cloud::Cloud;
use crate::error::chain;
use crate::plan::{self, Budget, Disk, Wants};
use crate::session::Pass;

/// Pause between two looks for what the schedule needs soon by now.
const LOOK_AHEAD: Duration = Duration::from_secs(3_600);
/// With more files than this to come, not every one that has come is worth a look at all.
const MANY: usize = 100;
/// Pause between two looks then: a look at 10 000 files costs more than a small file.
const MANY_SETTLE: Duration = Duration::from_secs(1);

impl<C: Cloud> Shell<C> {
    pub(super) async fn replan(&mut self, held: BTreeMap<Digest, Held>, now: Now) {
        tracing::debug!("planning");
        let parts = self.ways.cache.parts().unwrap_or_default();
        let free_bytes = match self.ways.cache.free_bytes() {
            Ok(bytes) => bytes,
            Err(error) => return self.trouble("cache", chain(&error)).await,
        };
        let disk = Disk { held, parts, free_bytes };
        let budget = Budget {
            cache_bytes: self.tuning.cache_bytes,
            reserve_bytes: self.tuning.reserve_bytes,
        };
        let pending = self.content.preparing().map(|pending| Arc::clone(&pending.manifest));
        let wants = Wants {
            pending: pending.as_deref(),
            live: self.content.live.as_ref().map(|live| &live.manifest),
            previous: self.content.previous.as_ref(),
        };
        let plan = plan::plan(&wants, &disk, budget, &self.when(now));
        tracing::debug!(downloads = plan.downloads.len(), "planned");
        if !plan.later.is_empty() {
            self.content.settle.want(now.mono.after(LOOK_AHEAD));
        }
        self.content.later = plan.later.into_iter().collect();
        let version = wants.pending.or(wants.live).map_or(0, |manifest| manifest.version);
        self.transfers.plan(plan.downloads);
        let mut tidied = self.ways.cache.drop_parts(&plan.stale_parts);
        for asset in plan.evict {
            tracing::info!(%asset, "sync: evicted to make room");
            tidied = tidied.and(self.ways.cache.remove(&asset));
        }
        if let Err(error) = tidied {
            self.trouble("cache", chain(&error)).await;
        }
        self.report_unmet(version, &plan.unmet, now).await;
    }

    async fn report_unmet(&mut self, version: u64, unmet: &[plan::Unmet], now: Now) {
        let names: BTreeSet<Digest> = unmet.iter().map(|unmet| unmet.asset).collect();
        if !unmet.is_empty() {
            // Room may come from elsewhere.
            self.content.settle.want(now.mono.after(crate::backoff::CAP));
        }
        let news = !names.is_subset(&self.content.unmet);
        self.content.unmet = names;
        if let Some(first) = unmet.first().filter(|_| news) {
            let detail = format!(
                "version {version}: no room for {} files, of which {} lacks {} of its {} bytes; \
                 raise cache.size_mb, lower cache.reserve_mb, or use a larger card",
                unmet.len(),
                first.asset,
                first.short_bytes,
                first.bytes
            );
            self.trouble("no_room", detail).await;
        }
    }

    pub(super) fn fetch_assets(&mut self, cloud: &Arc<C>, pass: &Pass, now: Now) {
        while let Some(next) = self.transfers.next(now, self.tuning.downloads) {
            let transfer::Next { asset, etag, avoid } = next;
            let digest = asset.sha256;
            let here_bytes = Arc::default();
            let errand = fetch::Errand {
                cloud: Arc::clone(cloud),
                cache: self.ways.cache.clone(),
                pass: pass.clone(),
                asset,
                etag,
                avoid,
                host: None,
                throttle: Arc::clone(&self.throttle),
                disk: Arc::clone(&self.disk),
                here_bytes: Arc::clone(&here_bytes),
            };
            let task = self.tasks.spawn(async move { Done::Asset(fetch::fetch(errand).await) });
            self.transfers.started(digest, task, here_bytes);
        }
    }

    pub(super) async fn asset_ended(&mut self, ended: fetch::Ended, now: Now) {
        if let Err(fetch::FetchFailure::Cloud(error)) = &ended.result {
            // Files may lie elsewhere: a host that is away says nothing of the cloud.
            self.refused(error, now);
        }
        let came = ended.result.is_ok();
        if let Some(detail) = self.transfers.ended(ended, now, rand::random()) {
            self.trouble("asset", detail).await;
        }
        if came {
            let many = self.transfers.waiting() > MANY;
            let pause = if many { MANY_SETTLE } else { Duration::ZERO };
            self.content.settle.want(now.mono.after(pause));
            if self.transfers.under_way().is_empty() {
                self.tell_written().await;
            }
        }
    }
}
