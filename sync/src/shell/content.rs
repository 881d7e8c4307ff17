//! Manifests in the loop: fetched, judged, kept, prepared, put in force.
//!
//! A manifest that is believed becomes *pending* in the store before anything else happens. It goes
//! live when `plan::ready` says so; until then the old one plays. If another one comes meanwhile,
//! the newest wins: pending is one place, not a queue.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::VerifyingKey;
use tokio::task::spawn_blocking;
use vitrine_config::time::{Mono, Now, Trust};
use vitrine_wire::Digest;
use vitrine_wire::envelope::key_id;
use vitrine_wire::manifest::Order;

use super::errand::Errand;
use super::{Done, Shell, fetch, transfer};
use crate::accept::{self, Accepted, Refusal, Seen};
use crate::backoff::around;
use crate::cloud::{Cloud, News};
use crate::error::{CloudError, Failure, chain};
use crate::identity::Account;
use crate::model::{Complaint, Live, Manifest};
use crate::plan::{self, Budget, Disk, Readiness, Wants};
use crate::session::Pass;
use crate::{Connection, Event, Tuning};

/// With the push channel up, polling is only the net below it.
pub(super) const POLL_LESS: u32 = 10;
/// Pause between two asks, whatever hints come: a chatty cloud makes no loop.
const POLL_GAP: Duration = Duration::from_secs(1);
/// Pause between two words on files that came late: the player looks through everything each time.
const FRESHEN: Duration = Duration::from_secs(2);
/// Pause between two looks for what the schedule needs soon by now.
const LOOK_AHEAD: Duration = Duration::from_secs(3_600);
/// Complaints quoted in one report; the rest is counted.
const QUOTED: usize = 10;

/// A manifest that is kept but not in force.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) manifest: Arc<Manifest>,
    pub(super) since: Mono,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) live: Option<Arc<Live>>,
    pub(super) previous: Option<Manifest>,
    pub(super) pending: Option<Pending>,
    pub(super) seen: Option<Seen>,
    /// Asking for the manifest.
    pub(super) poll: Errand,
    /// Comparing wants with the disk.
    pub(super) settle: Errand,
    etag: Option<String>,
    asked_at: Mono,
    /// What came of the last ask, until it is said.
    asked: Option<Result<(), String>>,
    /// When the hours for downloads last began; patience is counted from then.
    pub(super) opened_at: Mono,
    /// Files that are left for later.
    pub(super) later: BTreeSet<Digest>,
    /// What was refused last: said once, not at every poll.
    refused: Option<Digest>,
    /// Version whose `not_after` was reported.
    lapsed: Option<u64>,
    /// When the player was told of the live files.
    said_at: Mono,
    /// Files for which there is no room, as reported.
    unmet: BTreeSet<Digest>,
}

/// What a fetch brought.
#[derive(Debug)]
pub(super) struct Fetched {
    server_time: Option<jiff::Timestamp>,
    judged: Option<Box<Judged>>,
}

#[derive(Debug)]
struct Judged {
    raw: Bytes,
    etag: Option<String>,
    verdict: Result<Option<Accepted>, Refusal>,
}

impl Content {
    /// Whether the cloud was asked and nobody knows yet.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Forgets everything and wants all of it at `at`; the store is the caller's business.
    pub(super) fn forget(&mut self, at: Mono) {
        *self = Content::default();
        self.poll.want(at);
        self.settle.want(at);
    }
}

impl<C: Cloud> Shell<C> {
    pub(super) fn hinted(&mut self, version: u64, now: Now) {
        if self.content.seen.is_none_or(|seen| seen.version < version) {
            let at = now.mono.max(self.content.asked_at.after(POLL_GAP));
            self.content.poll.want(at);
        }
    }

    pub(super) fn fetch_manifest(&mut self, cloud: &Arc<C>, pass: &Pass, now: Now) {
        let Some(account) = self.session.account().cloned() else { return };
        if !self.content.poll.start(now) {
            return;
        }
        self.content.asked_at = now.mono;
        let (cloud, pass) = (Arc::clone(cloud), pass.clone());
        let (etag, seen) = (self.content.etag.clone(), self.content.seen);
        self.tasks
            .spawn(async move { Done::Manifest(fetch(&*cloud, pass, etag, account, seen).await) });
    }

    pub(super) async fn manifest_came(&mut self, came: Result<Fetched, CloudError>, now: Now) {
        match came {
            Err(error) => {
                self.content.asked = Some(Err(error.to_string()));
                self.manifest_failed(&error, now);
            }
            Ok(Fetched { server_time, judged }) => {
                self.content.asked = Some(Ok(()));
                self.line_works(now);
                self.session.heard(server_time, now);
                self.connected(Connection::Online { push: self.push.is_open() });
                let kept = match judged {
                    Some(judged) => self.judged(*judged, now).await,
                    None => {
                        self.transfers.calm();
                        true
                    }
                };
                if kept {
                    let pause = around(self.poll_pause(now), rand::random());
                    self.content.poll.worked(Some(now.mono.after(pause)));
                } else {
                    self.content.poll.failed(None, now, rand::random());
                }
            }
        }
    }

    /// Pause between two polls.
    pub(super) fn poll_pause(&self, now: Now) -> Duration {
        let rarely = self.push.is_open() || self.push.is_held(now) || self.tuning.metered;
        self.tuning.poll * if rarely { POLL_LESS } else { 1 }
    }

    fn manifest_failed(&mut self, error: &CloudError, now: Now) {
        self.call_failed(error, now);
        if error.wants_token() {
            self.content.poll.put_off(now);
        } else {
            self.content.poll.failed(error.retry_after, now, rand::random());
            self.line.failed(now.mono);
            self.session.line_failed(self.content.poll.failures());
            self.connected(Connection::Offline { why: error.to_string() });
        }
    }

    /// False: it is believed but could not be kept, and is to be had again.
    async fn judged(&mut self, judged: Judged, now: Now) -> bool {
        self.content.etag = judged.etag;
        match judged.verdict {
            Ok(None) => {}
            Ok(Some(accepted)) => return self.accepted(accepted, judged.raw, now).await,
            Err(refusal) => {
                let bytes = Digest::of(&judged.raw);
                if self.content.refused.replace(bytes) != Some(bytes) {
                    self.trouble(refusal.code(), refusal.to_string()).await;
                }
            }
        }
        true
    }

    async fn accepted(&mut self, accepted: Accepted, raw: Bytes, now: Now) -> bool {
        let Accepted { manifest, complaints, seen, next_key } = accepted;
        // First: what is kept is then proved by either key, whenever we are cut off.
        if let Some(next_key) = next_key {
            self.rotate(next_key).await;
        }
        let kept = self.ways.store.keep_pending(seen.version, raw.to_vec(), now.wall).await;
        if let Err(error) = kept {
            // Without the bytes in the store it would be gone after a restart: ask again instead.
            self.content.etag = None;
            if self.content.poll.failures() == 0 {
                self.trouble("manifest_not_kept", chain(&error)).await;
            }
            return false;
        }
        tracing::info!(version = seen.version, "sync: manifest accepted");
        self.content.seen = Some(seen);
        self.content.refused = None;
        self.content.unmet.clear();
        let manifest = Arc::new(manifest);
        self.content.pending = Some(Pending { manifest: Arc::clone(&manifest), since: now.mono });
        self.content.settle.want(now.mono);
        if !complaints.is_empty() {
            self.trouble("manifest_partial", complained(seen.version, &complaints)).await;
        }
        self.take_orders(&manifest.orders, now).await;
        true
    }

    /// Pins the tenant's next key, durably or not at all: the cloud goes on signing with both.
    async fn rotate(&mut self, tenant_key: VerifyingKey) {
        let Some(account) = self.session.account().cloned() else { return };
        let former_key = Some(account.tenant_key);
        let account = Account { tenant_key, former_key, ..account };
        match account.save(&self.options.state_dir) {
            Ok(()) => {
                let (from, to) = (former_key.map(|k| key_id(&k)), key_id(&account.tenant_key));
                let from = from.unwrap_or_default();
                self.session.rotated(account);
                let detail = format!("the tenant's key is {to} from now on, no longer {from}");
                self.trouble("tenant_key_rotated", detail).await;
            }
            Err(error) => self.trouble("account_not_kept", chain(&error)).await,
        }
    }

    /// Hands over orders that are new and still to be started; each is noted first, so that it is
    /// done once whatever happens.
    pub(super) async fn take_orders(&mut self, orders: &[Order], now: Now) {
        let wall = self.session.wall(now);
        for order in orders.iter().filter(|order| wall < order.expires_at) {
            match self.ways.store.begin_order(order.id.clone()).await {
                Ok(true) => self.say(Event::Order(order.clone())),
                Ok(false) => {}
                Err(error) => {
                    let detail = format!("order {:?} is not begun: {}", order.id, chain(&error));
                    self.trouble("order_not_noted", detail).await;
                }
            }
        }
    }

    /// Compares what is wanted with what is here, and acts on it.
    pub(super) async fn settle(&mut self, now: Now) {
        if !self.content.settle.start(now) {
            return;
        }
        self.content.settle.worked(None);
        self.go_live_if_ready(now).await;
        self.freshen(now);
        self.replan(now).await;
        if !self.content.poll.is_busy() {
            self.transfers.calm();
        }
    }

    /// Says that the cloud was asked, once everything is said that came of it.
    pub(super) fn say_asked(&mut self) {
        if let Some(asked) = self.content.asked.take() {
            self.say(Event::Asked(asked));
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

    async fn go_live_if_ready(&mut self, now: Now) {
        let Some(pending) = &self.content.pending else { return };
        let (manifest, since) = (Arc::clone(&pending.manifest), pending.since);
        let (waited, patience) = (self.waited(since, now), self.tuning.patience);
        let held = self.ways.cache.held();
        match plan::ready(&manifest, &held, (waited, patience), &self.when(now)) {
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
        self.content.pending = None;
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
    fn freshen(&mut self, now: Now) {
        let Some(live) = &self.content.live else { return };
        let held = self.ways.cache.held();
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
        let live = Arc::new(Live { manifest, files: self.ways.cache.files(), missing });
        self.content.live = Some(Arc::clone(&live));
        self.content.said_at = now.mono;
        self.say(Event::Live(live));
    }

    async fn replan(&mut self, now: Now) {
        let parts = self.ways.cache.parts().unwrap_or_default();
        let free_bytes = match self.ways.cache.free_bytes() {
            Ok(bytes) => bytes,
            Err(error) => return self.trouble("cache", chain(&error)).await,
        };
        let disk = Disk { held: self.ways.cache.held(), parts, free_bytes };
        let budget = Budget {
            cache_bytes: self.tuning.cache_bytes,
            reserve_bytes: self.tuning.reserve_bytes,
        };
        let wants = Wants {
            pending: self.content.pending.as_ref().map(|pending| &*pending.manifest),
            live: self.content.live.as_ref().map(|live| &live.manifest),
            previous: self.content.previous.as_ref(),
        };
        let plan = plan::plan(&wants, &disk, budget, &self.when(now));
        if !plan.later.is_empty() {
            self.content.settle.want(now.mono.after(LOOK_AHEAD));
        }
        self.content.later = plan.later.into_iter().collect();
        let version = wants.pending.or(wants.live).map_or(0, |manifest| manifest.version);
        self.transfers.plan(plan.downloads);
        let keep: BTreeSet<Digest> = disk.parts.into_keys().collect();
        let stale: BTreeSet<Digest> = plan.stale_parts.into_iter().collect();
        let mut tidied = self.ways.cache.keep_parts(&(&keep - &stale));
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
            self.content.settle.want(now.mono);
        }
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

async fn fetch<C: Cloud>(
    cloud: &C,
    pass: Pass,
    etag: Option<String>,
    account: Account,
    seen: Option<Seen>,
) -> Result<Fetched, CloudError> {
    let answer = cloud.manifest(pass, etag).await?;
    let server_time = answer.server_time;
    let News::Envelope { raw, etag } = answer.value else {
        return Ok(Fetched { server_time, judged: None });
    };
    // Up to 16 MiB of JSON and a signature: a second on a slow board, not the loop's.
    let bytes = raw.clone();
    let verdict = spawn_blocking(move || accept::accept(&bytes, &account, seen)).await;
    let lost = |_| CloudError::new("judge manifest", Failure::Strange("panicked".into()));
    let judged = Judged { raw, etag, verdict: verdict.map_err(lost)? };
    Ok(Fetched { server_time, judged: Some(Box::new(judged)) })
}

/// What was passed over, in one text.
pub(super) fn complained(version: u64, complaints: &[Complaint]) -> String {
    let quoted = complaints.iter().take(QUOTED).map(|c| format!("{}: {}", c.place, c.text));
    let mut text = format!("version {version}: passed over: ");
    text.push_str(&quoted.collect::<Vec<_>>().join("; "));
    if let Some(more) = complaints.len().checked_sub(QUOTED + 1) {
        text.push_str(&format!("; and {} more", more + 1));
    }
    text
}
