//! One download from end to end.
//!
//! In:  an asset, what is known of the bytes that are here.
//! Out: its bytes proved and in the cache, or why not.
//!
//! Not here: which and when (`transfer`), where bytes lie (`cache`).

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::RwLock;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio::{join, select};
use vitrine_wire::Digest;

use super::throttle::Throttle;
use crate::cache::{Cache, Download, FetchError, Remedy};
use crate::cloud::{Body, Cloud, Part};
use crate::error::{CloudError, Failure, chain};
use crate::model::Asset;
use crate::session::Pass;

/// Range not satisfiable: what is here does not fit what is there.
const RANGE_REFUSED: u16 = 416;

/// Gathered while the bytes before are hashed and written: the loop then waits for neither.
const GATHER_BYTES: usize = 512 << 10;
/// Gathered no longer than this: a crash costs what is in memory.
const GATHER: Duration = Duration::from_secs(1);

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
    /// What the cloud's side did, if it was that.
    pub(super) fn cloud(&self) -> Option<&Failure> {
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

/// What one download needs.
pub(super) struct Errand<C> {
    pub(super) cloud: Arc<C>,
    pub(super) cache: Cache,
    pub(super) pass: Pass,
    pub(super) asset: Asset,
    pub(super) etag: Option<String>,
    pub(super) avoid: Arc<BTreeSet<String>>,
    pub(super) host: Option<String>,
    pub(super) throttle: Arc<Throttle>,
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
    if from < errand.asset.size_bytes {
        download = receive(errand, download, from).await?;
    }
    blocking(&errand.disk, move || download.finish()).await
}

/// Whether the bytes that are here are of no use.
fn spoils_the_part(error: &CloudError) -> bool {
    error.status() == Some(RANGE_REFUSED) || matches!(error.failure, Failure::Range(_))
}

async fn receive<C: Cloud>(
    errand: &mut Errand<C>,
    mut download: Download,
    from: u64,
) -> Result<Download, FetchFailure> {
    let (asset, etag, avoid) = (errand.asset.clone(), errand.etag.clone(), errand.avoid.clone());
    let part = Part { asset, from, etag, avoid };
    let mut body = match errand.cloud.asset(errand.pass.clone(), part).await {
        Ok(body) => body,
        Err(error) => {
            if spoils_the_part(&error) {
                download.restart()?;
            }
            return Err(FetchFailure::Cloud(error));
        }
    };
    errand.etag = body.etag().map(str::to_owned);
    errand.host = Some(body.host().to_owned());
    if body.from() != from {
        download.restart()?;
        errand.here_bytes.store(0, Ordering::Relaxed);
    }
    let mut batch = gather(&mut body, &errand.throttle).await;
    loop {
        let written = write(errand, download, batch.bytes);
        match batch.rest {
            Ok(true) => {
                (batch, download) = {
                    let (next, written) = join!(gather(&mut body, &errand.throttle), written);
                    (next, written?)
                }
            }
            Ok(false) => return written.await,
            // What came before it is kept.
            Err(error) => return written.await.and(Err(FetchFailure::Cloud(error))),
        }
    }
}

/// Bytes that came, and what came of the rest: more to come, the end, or a failure.
struct Batch {
    bytes: Vec<Bytes>,
    rest: Result<bool, CloudError>,
}

/// Takes the next bytes, at least a few.
async fn gather(body: &mut impl Body, throttle: &Throttle) -> Batch {
    let (mut bytes, mut gathered) = (Vec::new(), 0);
    let mut enough = pin!(sleep(GATHER));
    let mut next = body.chunk().await;
    loop {
        let chunk = match next {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Batch { bytes, rest: Ok(false) },
            Err(error) => return Batch { bytes, rest: Err(error) },
        };
        gathered += chunk.len();
        throttle.pay(chunk.len()).await;
        bytes.push(chunk);
        if gathered >= GATHER_BYTES {
            return Batch { bytes, rest: Ok(true) };
        }
        next = select! {
            biased;
            next = body.chunk() => next,
            () = &mut enough => return Batch { bytes, rest: Ok(true) },
        };
    }
}

/// Hashes and writes them; those that are proved wrong leave nothing behind.
async fn write<C>(
    errand: &Errand<C>,
    mut download: Download,
    bytes: Vec<Bytes>,
) -> Result<Download, FetchFailure> {
    let here_bytes = Arc::clone(&errand.here_bytes);
    let work = move || {
        for chunk in bytes {
            if let Err(error) = download.write(&chunk) {
                if error.remedy() == Remedy::Restart {
                    download.restart()?;
                }
                return Err(error);
            }
            here_bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
        Ok(download)
    };
    blocking(&errand.disk, work).await
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
