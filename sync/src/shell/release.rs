//! Releases of the player: asks for the index when somebody wants it or the hour has come, and brings
//! the file that the device may take.
//!
//! The files lie in `<state_dir>/releases`, a cache of their own: named by digest, whole by
//! construction, resumed after a cut. The index that was believed last lies beside them, so that a
//! restart remembers how far the versions have come.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::VerifyingKey;
use tokio::task::spawn_blocking;
use vitrine_config::time::{Mono, Now, Trust};
use vitrine_wire::Digest;
use vitrine_wire::release::{Index, Release, parse_key};

use super::errand::Errand;
use super::{Done, Shell, fetch};
use crate::backoff::around;
use crate::cache::Cache;
use crate::cloud::{Answer, Cloud, News, Told};
use crate::error::{CloudError, chain};
use crate::model::Asset;
use crate::release::{self, Updates};
use crate::session::Pass;
use crate::{Asker, Event, durable, hours};

/// Pause between two looks within the hours for it: a fleet spreads over it.
const LOOK: Duration = Duration::from_secs(1_800);
/// The index below the directory of releases.
const INDEX: &str = "index.json";

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Releases {
    own: Option<Own>,
    /// Asking for the index.
    pub(super) ask: Errand,
    /// Who waits for what comes of it.
    askers: Vec<(Asker, bool)>,
    /// The file that is wanted, and for which order.
    wanted: Option<Wanted>,
    /// Index whose `not_after` was reported.
    lapsed: Option<u64>,
    /// What was refused last: said once.
    refused: Option<Digest>,
}

/// What is known once the player has said who it is.
#[derive(Debug)]
struct Own {
    updates: Updates,
    key: VerifyingKey,
    cache: Cache,
    dir: PathBuf,
    seen: Option<Index>,
    etag: Option<String>,
}

#[derive(Debug)]
struct Wanted {
    release: Release,
    by: Option<String>,
    /// A person or an order does not wait for the hour.
    hurry: bool,
    fetch: Errand,
    etag: Option<String>,
}

impl Releases {
    /// When there is something to do with a pass.
    pub(super) fn deadline(&self) -> Option<Mono> {
        let fetch = self.wanted.as_ref().and_then(|wanted| wanted.fetch.deadline());
        [self.ask.deadline(), fetch].into_iter().flatten().min()
    }

    /// A call was dropped.
    pub(super) fn put_off(&mut self, now: Now) {
        if self.ask.is_busy() {
            self.ask.put_off(now);
        }
        if let Some(wanted) = self.wanted.as_mut().filter(|wanted| wanted.fetch.is_busy()) {
            wanted.fetch.put_off(now);
        }
    }
}

impl<C: Cloud> Shell<C> {
    /// The player says who it is and what it wants of updates.
    pub(super) async fn set_updates(&mut self, updates: Updates, now: Now) {
        let dir = self.options.state_dir.join("releases");
        match spawn_blocking(move || open(dir, updates)).await {
            Ok(Ok(own)) => {
                let looks = own.updates.hours.is_some();
                self.releases.own = Some(own);
                if looks {
                    self.releases.ask.want(now.mono.after(around(LOOK, rand::random())));
                }
            }
            Ok(Err(why)) => self.trouble("updates_off", why).await,
            Err(error) => tracing::error!(%error, "sync: opening the releases panicked"),
        }
    }

    /// Somebody wants to know what there is, and, if `take`, have it tried.
    pub(super) async fn want_release(&mut self, asker: Asker, take: bool, now: Now) {
        let cannot = match (&self.releases.own, self.session.account(), &self.ways.cloud) {
            (None, _, _) => Some("updates are off: update.key is not set, or the log says why"),
            (_, None, _) => Some("this device is not paired with a cloud that could have any"),
            (_, _, None) => Some("no cloud is configured"),
            _ if self.line.is_down() => Some("the cloud does not answer at the moment"),
            _ => None,
        };
        match cannot {
            Some(why) => self.answer_release(asker, Err(why.to_owned()), now).await,
            None => {
                self.releases.askers.push((asker, take));
                self.releases.ask.hurry(now);
            }
        }
    }

    async fn answer_release(&mut self, asker: Asker, answer: Result<String, String>, now: Now) {
        match asker {
            Asker::Person(ask) => self.say(Event::ReleaseAnswer { ask, answer }),
            Asker::Order(id) => self.end_order(id, answer, now).await,
        }
    }

    /// Starts what is due.
    pub(super) fn seek_release(&mut self, cloud: &Arc<C>, pass: &Pass, now: Now) {
        let open = self.update_hours_open(now);
        let Some(own) = &self.releases.own else { return };
        if self.releases.ask.start(now) {
            if self.releases.askers.is_empty() && !open {
                let next = now.mono.after(around(LOOK, rand::random()));
                return self.releases.ask.worked(Some(next));
            }
            let (cloud, pass, etag) = (Arc::clone(cloud), pass.clone(), own.etag.clone());
            self.tasks.spawn(async move { Done::Index(cloud.releases(pass, etag).await) });
        }
        let Some(wanted) = self.releases.wanted.as_mut().filter(|wanted| open || wanted.hurry)
        else {
            return;
        };
        if wanted.fetch.start(now) {
            let errand = fetch::Errand {
                cloud: Arc::clone(cloud),
                cache: own.cache.clone(),
                pass: pass.clone(),
                asset: asset(&wanted.release),
                etag: wanted.etag.clone(),
                avoid: Arc::default(),
                host: None,
                throttle: Arc::clone(&self.throttle),
                disk: Arc::clone(&self.disk),
                here_bytes: Arc::default(),
            };
            self.tasks.spawn(async move { Done::Release(fetch::fetch(errand).await) });
        }
    }

    fn update_hours_open(&self, now: Now) -> bool {
        let hours = self.releases.own.as_ref().and_then(|own| own.updates.hours);
        hours.is_some_and(|hours| hours::gate(hours, &self.local(now)).open)
    }

    /// The cloud has answered.
    pub(super) async fn index_came(&mut self, came: Told<News>, now: Now) {
        let verdict = match came {
            Ok(Answer { value: News::Unchanged, .. }) => Ok(()),
            Ok(Answer { value: News::Envelope { raw, etag }, .. }) => self.judge(raw, etag).await,
            Err(error) => Err(self.index_failed(&error, now)),
        };
        if !self.releases.ask.is_busy() {
            // A matter of the token: asked again with the next one.
            return;
        }
        let next = self.releases.own.as_ref().and_then(|own| own.updates.hours);
        let next = next.map(|_| now.mono.after(around(LOOK, rand::random())));
        self.releases.ask.worked(next);
        self.watch_index(now).await;
        let choice = verdict.and_then(|()| self.choose());
        let askers = std::mem::take(&mut self.releases.askers);
        if askers.is_empty()
            && let Ok(release) = &choice
        {
            self.bring(release.clone(), None, now).await;
        }
        for (asker, take) in askers {
            match &choice {
                Ok(release) if take => self.bring(release.clone(), Some(asker), now).await,
                Ok(release) => {
                    let answer = Ok(format!("{} is there for this device", release.version));
                    self.answer_release(asker, answer, now).await;
                }
                Err(why) => self.answer_release(asker, Err(why.clone()), now).await,
            }
        }
    }

    fn index_failed(&mut self, error: &CloudError, now: Now) -> String {
        self.call_failed(error, now);
        if error.wants_token() {
            self.releases.ask.put_off(now);
        }
        match error.status() {
            Some(404) => "the cloud has no releases".to_owned(),
            _ => error.to_string(),
        }
    }

    /// Believes an index or says why not; what is believed is kept first.
    async fn judge(&mut self, raw: Bytes, etag: Option<String>) -> Result<(), String> {
        let Some(own) = &mut self.releases.own else { return Ok(()) };
        let judged = release::judge(&raw, &own.key, own.seen.as_ref());
        let (digest, path) = (Digest::of(&raw), own.dir.join(INDEX));
        match judged {
            Ok(index) => {
                let kept = spawn_blocking(move || durable::write(&path, &raw, 0o644)).await;
                if let Ok(Err(error)) = kept {
                    return Err(format!("release index: not kept: {error}"));
                }
                (own.seen, own.etag) = (Some(index), etag);
                Ok(())
            }
            Err(refusal) => {
                let why = refusal.to_string();
                if self.releases.refused.replace(digest) != Some(digest) {
                    self.trouble("release_index_refused", why.clone()).await;
                }
                Err(why)
            }
        }
    }

    fn choose(&self) -> Result<Release, String> {
        let own = self.releases.own.as_ref().ok_or("updates are off")?;
        let index = own.seen.as_ref().ok_or("the cloud has no releases")?;
        let device = self.session.account().map_or("", |account| &account.device);
        release::choose(index, device, &own.updates).cloned()
    }

    /// An index that its maker wanted replaced by now may be held back by somebody: told once, and
    /// used all the same. Nothing lapses by a guessed time.
    async fn watch_index(&mut self, now: Now) {
        let seen = self.releases.own.as_ref().and_then(|own| own.seen.as_ref());
        let Some((version, at)) = seen.and_then(|index| Some((index.version, index.not_after?)))
        else {
            return;
        };
        let lapsed = now.trust == Trust::Synced && at < now.wall;
        if lapsed && self.releases.lapsed.replace(version) != Some(version) {
            let detail = format!("index {version} was to be replaced by {at}; used all the same");
            self.trouble("release_index_lapsed", detail).await;
        }
    }

    /// Brings a release, or says at once that it is here.
    async fn bring(&mut self, release: Release, asker: Option<Asker>, now: Now) {
        let version = release.version.clone();
        let (hurry, by) = match asker {
            None => (false, None),
            Some(Asker::Order(id)) => (true, Some(id)),
            Some(asker @ Asker::Person(_)) => {
                let size_mb = release.size_bytes.div_ceil(1_000_000);
                let answer = Ok(format!("{version} ({size_mb} MB) is fetched and then tried"));
                self.answer_release(asker, answer, now).await;
                (true, None)
            }
        };
        let mut fetch = Errand::default();
        fetch.want(now.mono);
        match &mut self.releases.wanted {
            Some(wanted) if wanted.release == release => {
                wanted.hurry |= hurry;
                let waiting = std::mem::replace(&mut wanted.by, by.clone());
                wanted.by = by.or(waiting);
            }
            wanted => *wanted = Some(Wanted { release, by, hurry, fetch, etag: None }),
        }
        self.make_room(now).await;
        let own = self.releases.own.as_ref();
        let here = own.zip(self.releases.wanted.as_ref());
        if here.is_some_and(|(own, wanted)| own.cache.contains(&wanted.release.sha256)) {
            self.release_here(now).await;
        }
    }

    /// Drops the files of releases that are neither in use nor wanted, and a wish that cannot be met.
    async fn make_room(&mut self, now: Now) {
        let (Some(own), Some(wanted)) = (&self.releases.own, &self.releases.wanted) else { return };
        let (cache, digest, keep) = (&own.cache, wanted.release.sha256, &own.updates.keep);
        for file in cache.held().keys().filter(|file| **file != digest && !keep.contains(file)) {
            if let Err(error) = cache.remove(file) {
                tracing::warn!(%error, "sync: an old release was not removed");
            }
        }
        let missing = if cache.contains(&digest) { 0 } else { wanted.release.size_bytes };
        let free = cache.free_bytes().unwrap_or(u64::MAX);
        if missing > free.saturating_sub(self.tuning.reserve_bytes) {
            let version = &wanted.release.version;
            let why = format!("{version} needs {missing} bytes, {free} are free with the reserve");
            let by = self.releases.wanted.take().and_then(|wanted| wanted.by);
            self.trouble("update_no_room", why.clone()).await;
            if let Some(order) = by {
                self.end_order(order, Err(why), now).await;
            }
        }
    }

    /// A download is over.
    pub(super) async fn release_ended(&mut self, ended: fetch::Ended, now: Now) {
        let Some(wanted) = &mut self.releases.wanted else { return };
        if wanted.release.sha256 != ended.asset {
            // Of one that was wanted before: what is wanted now has a fetch of its own.
            return;
        }
        let Err(failure) = ended.result else {
            return self.release_here(now).await;
        };
        wanted.etag = ended.etag;
        let first = wanted.fetch.failures() == 0;
        wanted.fetch.failed(None, now, rand::random());
        if let fetch::FetchFailure::Cloud(error) = &failure {
            self.refused(error, now);
        }
        if first && failure.is_fault() {
            let detail = format!("{failure}; tried again after a pause");
            self.trouble("update_not_fetched", detail).await;
        }
    }

    async fn release_here(&mut self, now: Now) {
        let Some(Wanted { release, by, hurry, .. }) = self.releases.wanted.take() else { return };
        let Release { version, sha256, .. } = release;
        if let Some(order) = by {
            let answer =
                format!("{version} is on the device and tried now; a fault tells if it comes back");
            self.end_order(order, Ok(answer), now).await;
        }
        self.say(Event::ReleaseHere { version, sha256, hurry });
    }
}

/// Opens the cache of releases and what is known of them.
fn open(dir: PathBuf, updates: Updates) -> Result<Own, String> {
    let key = parse_key(&updates.key).map_err(|error| error.to_string())?;
    let seen = kept_index(&dir, &key);
    let files = seen.iter().flat_map(|index| &index.releases);
    let wanted: BTreeMap<_, _> = files.map(|file| (file.sha256, file.size_bytes)).collect();
    let (cache, amiss) = Cache::open(dir.clone(), &wanted).map_err(|error| chain(&error))?;
    amiss.iter().for_each(|text| tracing::warn!(text, "sync: releases"));
    Ok(Own { updates, key, cache, dir, seen, etag: None })
}

/// The index that was believed last. The disk is no witness: it is proved again.
fn kept_index(dir: &Path, key: &VerifyingKey) -> Option<Index> {
    let raw = std::fs::read(dir.join(INDEX)).ok()?;
    release::judge(&raw, key, None).ok()
}

fn asset(release: &Release) -> Asset {
    Asset {
        sha256: release.sha256,
        size_bytes: release.size_bytes,
        media_type: String::new(),
        name: format!("vitrine {}", release.version),
    }
}
