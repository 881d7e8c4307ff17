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
use crate::error::{CloudError, chain};
use crate::model::Asset;
use crate::session::Pass;

/// Range not satisfiable: what is here does not fit what is there.
const RANGE_REFUSED: u16 = 416;

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
}

/// Downloads to make and under way.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    queue: Vec<Asset>,
    running: BTreeMap<Digest, Running>,
    tries: BTreeMap<Digest, Tries>,
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

    /// What to fetch now, and the validator of what is here already.
    pub(super) fn next(&self, now: Now, at_a_time: usize) -> Option<(Asset, Option<String>)> {
        if self.running.len() >= at_a_time {
            return None;
        }
        let due = |asset: &&Asset| self.starts_at(asset).is_some_and(|at| at <= now.mono);
        let asset = self.queue.iter().find(due)?.clone();
        let etag = self.tries.get(&asset.sha256).and_then(|tries| tries.etag.clone());
        Some((asset, etag))
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
        let Ended { asset, result, etag } = ended;
        self.running.remove(&asset);
        let Err(failure) = result else {
            self.tries.remove(&asset);
            self.queue.retain(|wanted| wanted.sha256 != asset);
            return None;
        };
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
    /// See [`super::Shell`].
    pub(super) disk: Arc<RwLock<()>>,
    /// Bytes that are here, for the progress display.
    pub(super) here_bytes: Arc<AtomicU64>,
}

/// Fetches one asset or the rest of one; ends with the file in the cache or a failure.
pub(super) async fn fetch<C: Cloud>(mut errand: Errand<C>) -> Ended {
    let result = attempt(&mut errand).await;
    Ended { asset: errand.asset.sha256, result, etag: errand.etag }
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
            FetchFailure::Cloud(error) => error.status() == Some(RANGE_REFUSED),
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
    let part = Part { asset: errand.asset.clone(), from, etag: errand.etag.take() };
    let body = errand.cloud.asset(errand.pass.clone(), part);
    let mut body = body.await.map_err(FetchFailure::Cloud)?;
    errand.etag = body.etag().map(str::to_owned);
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
