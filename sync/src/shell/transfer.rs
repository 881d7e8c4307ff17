//! Downloads: which next, how many at a time, when again; and one download from end to end.
//!
//! In:  the plan's list, how each one went, the time.
//! Out: the next asset to fetch, its bytes proved and in the cache.
//!
//! Not here: what is wanted (`plan`), where bytes lie (`cache`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::RwLock;
use tokio::task::{AbortHandle, spawn_blocking};
use vitrine_config::time::{Mono, Now};
use vitrine_wire::Digest;

use crate::backoff::Backoff;
use crate::cache::{Cache, Download, FetchError, Remedy};
use crate::cloud::{Body, Cloud, Part};
use crate::error::{CloudError, Failure, chain};
use crate::model::Asset;
use crate::session::Pass;

/// Range not satisfiable: what is here does not fit what is there.
const RANGE_REFUSED: u16 = 416;
/// Slow hosts remembered: assets lie with one cloud, its object store and its mirrors.
const SLOW_HOSTS: usize = 32;

/// A download that did not end with a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchFailure {
    /// The cloud's side.
    #[error("{0}")]
    Cloud(CloudError),
    /// Ours.
    #[error("{}", chain(.0))]
    Disk(#[from] FetchError),
    /// A bug of ours.
    #[error("the download panicked")]
    Lost,
}

impl FetchFailure {
    fn cloud(&self) -> Option<&Failure> {
        match self {
            FetchFailure::Cloud(error) => Some(&error.failure),
            FetchFailure::Disk(_) | FetchFailure::Lost => None,
        }
    }

    /// Whether a person should hear of it: a cloud that is away is no fault, a wrong file is.
    pub(super) fn is_fault(&self) -> bool {
        match self {
            FetchFailure::Cloud(error) => {
                matches!(error.status(), Some(400 | 403 | 404 | 410 | 416))
            }
            FetchFailure::Disk(error) => error.remedy() != Remedy::Resume,
            FetchFailure::Lost => true,
        }
    }
}

/// How a download ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) asset: Digest,
    pub(super) result: Result<(), FetchFailure>,
    /// Validator of the bytes that came, for the next try.
    pub(super) etag: Option<String>,
    /// Who sent them, if anybody did.
    pub(super) host: Option<String>,
}

#[derive(Debug)]
struct Running {
    task: AbortHandle,
    here_bytes: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Tries {
    backoff: Backoff,
    at: Mono,
    etag: Option<String>,
    reported: bool,
    /// Comes after those that are not: it lies with a host that was too slow.
    put_off: bool,
}

/// What to fetch now.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) asset: Asset,
    /// Validator of what is here already.
    pub(super) etag: Option<String>,
    /// Hosts to leave alone.
    pub(super) avoid: Arc<BTreeSet<String>>,
}

/// Downloads to make and under way.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    queue: Vec<Asset>,
    running: BTreeMap<Digest, Running>,
    tries: BTreeMap<Digest, Tries>,
    /// Hosts that were too slow since they last sent a whole file.
    slow: Arc<BTreeSet<String>>,
}

impl Transfers {
    /// Takes a new list, in the order of first need. What is under way and not in it is given up.
    pub(super) fn plan(&mut self, downloads: Vec<Asset>) {
        let wanted: BTreeSet<Digest> = downloads.iter().map(|asset| asset.sha256).collect();
        self.tries.retain(|asset, _| wanted.contains(asset));
        for (asset, running) in &self.running {
            if !wanted.contains(asset) {
                running.task.abort();
            }
        }
        self.running.retain(|asset, _| wanted.contains(asset));
        self.queue = downloads;
    }

    /// What to fetch now: the first that is due. While hosts are slow, everything that they do not
    /// hold comes first; which host holds what shows only by asking, so each file is asked for once
    /// with these hosts to be left alone, and without that when nothing else is due.
    pub(super) fn next(&self, now: Now, at_a_time: usize) -> Option<Next> {
        if self.running.len() >= at_a_time {
            return None;
        }
        let is_due = |asset: &&Asset| self.starts_at(asset).is_some_and(|at| at <= now.mono);
        let mut due = self.queue.iter().filter(is_due);
        let tries = |asset: &Asset| self.tries.get(&asset.sha256);
        let first = due.clone().find(|asset| tries(asset).is_none_or(|tries| !tries.put_off));
        let (asset, avoid) = match first {
            Some(asset) => (asset.clone(), Arc::clone(&self.slow)),
            None => (due.next()?.clone(), Arc::default()),
        };
        let etag = tries(&asset).and_then(|tries| tries.etag.clone());
        Some(Next { asset, etag, avoid })
    }

    /// When [`Transfers::next`] will have something.
    pub(super) fn deadline(&self, at_a_time: usize) -> Option<Mono> {
        let free = self.running.len() < at_a_time;
        self.queue.iter().filter(|_| free).filter_map(|asset| self.starts_at(asset)).min()
    }

    fn starts_at(&self, asset: &Asset) -> Option<Mono> {
        let idle = !self.running.contains_key(&asset.sha256);
        idle.then(|| self.tries.get(&asset.sha256).map_or(Mono::default(), |tries| tries.at))
    }

    /// A download is under way.
    pub(super) fn started(&mut self, asset: Digest, task: AbortHandle, here_bytes: Arc<AtomicU64>) {
        self.running.insert(asset, Running { task, here_bytes });
    }

    /// A download is over. Returns what a person should hear of it, once per file.
    pub(super) fn ended(&mut self, ended: Ended, now: Now, random: f64) -> Option<String> {
        let Ended { asset, result, etag, host } = ended;
        self.running.remove(&asset);
        let Err(failure) = result else {
            self.tries.remove(&asset);
            self.queue.retain(|wanted| wanted.sha256 != asset);
            self.is_quick(&host.unwrap_or_default());
            return None;
        };
        self.weigh(asset, &failure);
        if matches!(failure.cloud(), Some(Failure::PutOff { .. })) {
            return None;
        }
        let tries = self.tries.entry(asset).or_default();
        tries.etag = etag;
        let told = match &failure {
            FetchFailure::Cloud(error) if error.wants_token() => None,
            FetchFailure::Cloud(error) => error.retry_after,
            FetchFailure::Disk(_) | FetchFailure::Lost => None,
        };
        tries.at = now.mono.after(tries.backoff.failed(told, random));
        tracing::info!(%asset, %failure, "download failed; tried again after the back-off");
        let news = failure.is_fault() && !std::mem::replace(&mut tries.reported, true);
        news.then(|| format!("asset {asset}: {failure}; tried again after a pause"))
    }

    fn weigh(&mut self, asset: Digest, failure: &FetchFailure) {
        if let Some(Failure::Stalled { host, .. } | Failure::PutOff { host }) = failure.cloud() {
            self.tries.entry(asset).or_default().put_off = true;
            if self.slow.len() < SLOW_HOSTS {
                Arc::make_mut(&mut self.slow).insert(host.clone());
            }
        }
    }

    fn is_quick(&mut self, host: &str) {
        if self.slow.contains(host) {
            Arc::make_mut(&mut self.slow).remove(host);
        }
    }

    /// Forgets the back-off: somebody wants it now.
    pub(super) fn hurry(&mut self) {
        self.tries.values_mut().for_each(|tries| tries.at = Mono::default());
    }

    /// What is under way, with the bytes that are here of each.
    pub(super) fn under_way(&self) -> BTreeMap<Digest, u64> {
        let here = |running: &Running| running.here_bytes.load(Ordering::Relaxed);
        self.running.iter().map(|(asset, running)| (*asset, here(running))).collect()
    }
}

/// What one download needs.
pub(super) struct Errand<C> {
    pub(super) cloud: Arc<C>,
    pub(super) cache: Cache,
    pub(super) pass: Pass,
    pub(super) asset: Asset,
    pub(super) etag: Option<String>,
    pub(super) avoid: Arc<BTreeSet<String>>,
    pub(super) host: Option<String>,
    /// See [`super::Shell`].
    pub(super) disk: Arc<RwLock<()>>,
    /// Bytes that are here, for the progress display.
    pub(super) here_bytes: Arc<AtomicU64>,
}

/// Fetches one asset or the rest of one; ends with the file in the cache or a failure.
pub(super) async fn fetch<C: Cloud>(mut errand: Errand<C>) -> Ended {
    let result = attempt(&mut errand).await;
    Ended { asset: errand.asset.sha256, result, etag: errand.etag, host: errand.host }
}

async fn attempt<C: Cloud>(errand: &mut Errand<C>) -> Result<(), FetchFailure> {
    let (cache, asset) = (errand.cache.clone(), errand.asset.clone());
    let resume = move || Download::resume(&cache, &asset);
    let (mut download, from) = blocking(&errand.disk, resume).await?;
    errand.here_bytes.store(from, Ordering::Relaxed);
    if from < errand.asset.size_bytes
        && let Err(failure) = receive(errand, &mut download, from).await
    {
        if failure.spoils_the_part() {
            download.restart()?;
        }
        return Err(failure);
    }
    blocking(&errand.disk, move || download.finish()).await
}

impl FetchFailure {
    /// Whether the bytes that are here are of no use.
    fn spoils_the_part(&self) -> bool {
        match self {
            FetchFailure::Cloud(error) => {
                error.status() == Some(RANGE_REFUSED) || matches!(error.failure, Failure::Range(_))
            }
            FetchFailure::Disk(error) => error.remedy() == Remedy::Restart,
            FetchFailure::Lost => false,
        }
    }
}

async fn receive<C: Cloud>(
    errand: &mut Errand<C>,
    download: &mut Download,
    from: u64,
) -> Result<(), FetchFailure> {
    let (asset, etag, avoid) = (errand.asset.clone(), errand.etag.clone(), errand.avoid.clone());
    let part = Part { asset, from, etag, avoid };
    let body = errand.cloud.asset(errand.pass.clone(), part);
    let mut body = body.await.map_err(FetchFailure::Cloud)?;
    errand.etag = body.etag().map(str::to_owned);
    errand.host = Some(body.host().to_owned());
    let mut here = body.from();
    if here != from {
        download.restart()?;
    }
    while let Some(chunk) = body.chunk().await.map_err(FetchFailure::Cloud)? {
        download.write(&chunk)?;
        here += chunk.len() as u64;
        errand.here_bytes.store(here, Ordering::Relaxed);
    }
    Ok(())
}

/// Runs what waits for the disk off the loop.
async fn blocking<T: Send + 'static>(
    disk: &Arc<RwLock<()>>,
    work: impl FnOnce() -> Result<T, FetchError> + Send + 'static,
) -> Result<T, FetchFailure> {
    let at_work = Arc::clone(disk).read_owned().await;
    let work = move || {
        let done = work();
        drop(at_work);
        done
    };
    spawn_blocking(work).await.map_err(|_| FetchFailure::Lost)?.map_err(FetchFailure::Disk)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use vitrine_config::time::Trust;

    use super::*;

    fn at(s: u64) -> Now {
        let mono = Mono(s * 1_000_000_000);
        Now { wall: Timestamp::UNIX_EPOCH, mono, trust: Trust::Guess }
    }

    fn asset(n: u8) -> Asset {
        let (sha256, name) = (Digest([n; 32]), String::new());
        Asset { sha256, size_bytes: 1, media_type: String::new(), name }
    }

    fn failed(failure: Failure) -> Result<(), FetchFailure> {
        Err(FetchFailure::Cloud(CloudError::new("GET asset", failure)))
    }

    /// One download at a time; the first `slow` files lie with a host that stalls for 30 s. Returns
    /// the seconds until everything else was here.
    async fn everything_else(all: u8, slow: u8) -> u64 {
        let mut transfers = Transfers::default();
        transfers.plan((0..all).map(asset).collect());
        let (mut second, mut here) = (0, 0);
        while here < all - slow {
            let Some(next) = transfers.next(at(second), 1) else {
                second += 1;
                continue;
            };
            let digest = next.asset.sha256;
            let idle = tokio::spawn(std::future::pending::<()>()).abort_handle();
            transfers.started(digest, idle, Arc::default());
            let slow = digest.0[0] < slow;
            let host = if slow { "slow:1" } else { "good:1" }.to_owned();
            let result = match slow {
                true if next.avoid.contains(&host) => {
                    failed(Failure::PutOff { host: host.clone() })
                }
                true => {
                    second += 30;
                    failed(Failure::Stalled { host: host.clone(), why: String::new() })
                }
                false => Ok(()),
            };
            here += u8::from(result.is_ok());
            let ended = Ended { asset: digest, result, etag: None, host: Some(host) };
            transfers.ended(ended, at(second), 0.5);
        }
        second
    }

    #[tokio::test]
    async fn a_stalled_host_starves_no_other() {
        assert_eq!(everything_else(200, 100).await, 30, "one window, once");
        assert_eq!(everything_else(200, 0).await, 0);
    }

    #[tokio::test]
    async fn files_of_a_slow_host_are_tried_again_when_nothing_else_is_left() {
        let mut transfers = Transfers::default();
        transfers.plan(vec![asset(1)]);
        let idle = tokio::spawn(std::future::pending::<()>()).abort_handle();
        transfers.started(asset(1).sha256, idle, Arc::default());
        let host = "slow:1".to_owned();
        let result = failed(Failure::Stalled { host, why: String::new() });
        let ended = Ended { asset: asset(1).sha256, result, etag: None, host: None };
        assert_eq!(transfers.ended(ended, at(0), 0.5), None);
        let due = transfers.deadline(1).unwrap();
        assert!(due > Mono::default(), "after the back-off");
        let next = transfers.next(Now { mono: due, ..at(0) }, 1).unwrap();
        assert!(next.avoid.is_empty());
    }
}
