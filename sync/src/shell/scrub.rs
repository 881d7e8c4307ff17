//! The cache looked through for what has rotted on the card: one file after the other, slowly, while
//! nobody looks at the screen.
//!
//! A file that is not what it was is fetched again, if there is a cloud to fetch it from; if not, a
//! picture with a flaw is better than none.

use std::time::Duration;

use jiff::civil::time;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use vitrine_config::model::Hours;
use vitrine_config::time::Now;
use vitrine_wire::Digest;

use super::errand::Errand;
use super::{Done, Shell};
use crate::cache::{Cache, Rehash};
use crate::cloud::Cloud;
use crate::hours;

/// When nobody looks, if the settings name no hours for downloads.
const NIGHT: Hours = Hours { from: time(2, 0, 0, 0), until: time(5, 0, 0, 0) };
/// Pause after each megabyte: 4 MB/s at most, a tenth of a card; a night is enough for 40 GB.
const STEP_PAUSE: Duration = Duration::from_millis(250);
/// From the end of one round to the next.
const ROUND: Duration = Duration::from_secs(20 * 3_600);
/// The clock may be set meanwhile.
const LOOK: Duration = Duration::from_secs(3_600);

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    pub(super) errand: Errand,
    /// The last one looked at, in the order of names.
    last: Option<Digest>,
}

/// What became of one file: whether it is sound; None: it could not be read or is gone.
#[derive(Debug)]
pub(super) struct Scrubbed {
    asset: Digest,
    sound: Option<bool>,
}

impl<C: Cloud> Shell<C> {
    /// Looks at the next file, if this is the hour for it.
    pub(super) fn scrub(&mut self, now: Now) {
        if !self.scrub.errand.start(now) {
            return;
        }
        let local = self.local(now);
        let gate = hours::gate(self.tuning.download_hours.unwrap_or(NIGHT), &local);
        if !gate.open {
            let wait = gate.until.duration_since(local.timestamp());
            let wait = Duration::try_from(wait).unwrap_or_default().min(LOOK);
            return self.scrub.errand.worked(Some(now.mono.after(wait)));
        }
        let held = self.ways.cache.held();
        let after =
            |last| held.range((std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded));
        let next = match self.scrub.last {
            Some(last) => after(last).next(),
            None => held.first_key_value(),
        };
        self.scrub.last = next.map(|(asset, _)| *asset);
        let Some(asset) = self.scrub.last else {
            return self.scrub.errand.worked(Some(now.mono.after(ROUND)));
        };
        let cache = self.ways.cache.clone();
        self.tasks.spawn(async move { Done::Scrubbed(look(cache, asset).await) });
    }

    pub(super) async fn scrubbed(&mut self, scrubbed: Scrubbed, now: Now) {
        self.scrub.errand.worked(Some(now.mono.after(STEP_PAUSE)));
        let Scrubbed { asset, sound: Some(false) } = scrubbed else { return };
        let fetchable = self.session.pass(now).is_some() && !self.line.is_down();
        let done = if fetchable { "fetched again" } else { "kept until it can be fetched again" };
        if fetchable {
            if let Err(error) = self.ways.cache.remove(&asset) {
                tracing::warn!(%error, "sync: a rotten file is not removed");
            }
            self.content.settle.want(now.mono);
        }
        let detail = format!("asset {asset}: the file is not what it was; {done}");
        self.trouble("cache_rotted", detail).await;
    }
}

async fn look(cache: Cache, asset: Digest) -> Scrubbed {
    let opened = spawn_blocking(move || Rehash::open(&cache, asset)).await;
    let Ok(Ok(mut rehash)) = opened else { return Scrubbed { asset, sound: None } };
    loop {
        let step = spawn_blocking(move || rehash.step().map(|end| (rehash, end))).await;
        match step {
            Ok(Ok((_, Some(sound)))) => return Scrubbed { asset, sound: Some(sound) },
            Ok(Ok((more, None))) => rehash = more,
            Ok(Err(error)) => {
                tracing::warn!(%asset, %error, "sync: a file of the cache cannot be read");
                return Scrubbed { asset, sound: Some(false) };
            }
            Err(_) => return Scrubbed { asset, sound: None },
        }
        sleep(STEP_PAUSE).await;
    }
}
