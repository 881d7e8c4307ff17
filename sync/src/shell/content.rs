//! Manifests in the loop: fetched, judged, kept.
//!
//! A manifest that is believed becomes *pending* in the store before anything else happens. It goes
//! live when `plan::ready` says so (`live`); until then the old one plays. If another one comes
//! meanwhile, the newest wins: pending is one place, not a queue.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::VerifyingKey;
use tokio::task::spawn_blocking;
use vitrine_config::time::{Mono, Now};
use vitrine_wire::Digest;
use vitrine_wire::envelope::key_id;

use super::errand::Errand;
use super::{Done, Shell};
use crate::accept::{self, Accepted, Refusal, Seen};
use crate::backoff::around;
use crate::cloud::{Cloud, News, Polled};
use crate::error::{CloudError, Failure, chain};
use crate::identity::Account;
use crate::model::{Complaint, Live, Manifest};
use crate::session::Pass;
use crate::{Connection, Event};

/// With the push channel up, polling is only the net below it.
pub(super) const POLL_LESS: u32 = 10;
/// Pause between two asks, whatever hints come: a chatty cloud makes no loop.
pub(super) const POLL_GAP: Duration = Duration::from_secs(1);
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
    /// Somebody waits for the answer.
    pub(super) hurried: bool,
    /// Comparing wants with the disk.
    pub(super) settle: Errand,
    /// Shows what a rollback took from the screen: it does not come back by itself.
    pub(super) turned_down: Option<Digest>,
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
    pub(super) lapsed: Option<u64>,
    /// When the player was told of the live files.
    pub(super) said_at: Mono,
    /// Files for which there is no room, as reported.
    pub(super) unmet: BTreeSet<Digest>,
}

/// What a fetch brought.
#[derive(Debug)]
pub(super) struct Fetched {
    server_time: Option<jiff::Timestamp>,
    judged: Option<Box<Judged>>,
    orders: Option<String>,
}

#[derive(Debug)]
struct Judged {
    raw: Bytes,
    etag: Option<String>,
    verdict: Result<Option<Accepted>, Refusal>,
}

impl Content {
    /// Somebody wants an answer now, whoever else finds out whether the cloud is there.
    pub(super) fn hurry(&mut self, now: Now) {
        self.poll.hurry(now);
        self.hurried = true;
    }

    /// Whether the cloud was asked and nobody knows yet.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// The generation that goes live when its files are here. One that shows what a rollback turned
    /// down does not: the rollback holds until there is something else to show.
    pub(super) fn preparing(&self) -> Option<&Pending> {
        let turned_down = |pending: &&Pending| self.turned_down == Some(pending.manifest.content);
        self.pending.as_ref().filter(|pending| !turned_down(pending))
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
        } else if self.push.is_open() {
            // That was all there is to know.
            let pause = around(self.poll_pause(now), rand::random());
            self.content.poll.want_instead(now.mono.after(pause));
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
        self.content.hurried = false;
        match came {
            Err(error) => {
                self.content.asked = Some(Err(error.to_string()));
                self.manifest_failed(&error, now);
            }
            Ok(Fetched { server_time, judged, orders }) => {
                self.content.asked = Some(Ok(()));
                self.line_works(now);
                self.session.heard(server_time, now);
                self.orders_wait(orders, now);
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
        self.tell_healed().await;
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
        let settings = manifest.settings.clone();
        self.content.pending = Some(Pending { manifest: Arc::new(manifest), since: now.mono });
        self.content.settle.want(now.mono);
        if !complaints.is_empty() {
            self.trouble("manifest_partial", complained(seen.version, &complaints)).await;
        }
        self.set_from_afar(settings, now).await;
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

    /// Says that the cloud was asked, once everything is said that came of it.
    pub(super) fn say_asked(&mut self) {
        if let Some(asked) = self.content.asked.take() {
            self.say(Event::Asked(asked));
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
    let Polled { news, orders } = answer.value;
    let News::Envelope { raw, etag } = news else {
        return Ok(Fetched { server_time, judged: None, orders });
    };
    tracing::debug!(bytes = raw.len(), "manifest came");
    // Up to 16 MiB of JSON and a signature: a second on a slow board, not the loop's.
    let bytes = raw.clone();
    let verdict = spawn_blocking(move || accept::accept(&bytes, &account, seen)).await;
    tracing::debug!("manifest judged");
    let lost = |_| CloudError::new("judge manifest", Failure::Strange("panicked".into()));
    let judged = Judged { raw, etag, verdict: verdict.map_err(lost)? };
    Ok(Fetched { server_time, judged: Some(Box::new(judged)), orders })
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
