//! Downloads: which next, how many at a time, when again.
//!
//! In:  the plan's list, how each one went, the time, whether this is an hour for downloads.
//! Out: the next asset to fetch.
//!
//! Promises: `a_stalled_host_starves_no_other`, `outside_of_the_hours_nothing_is_fetched_unless_asked`.
//!
//! Not here: what is wanted (`plan`), one download (`fetch`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::AbortHandle;
use vitrine_config::time::{Mono, Now};
use vitrine_wire::Digest;

use super::fetch::{Ended, FetchFailure};
use crate::backoff::Backoff;
use crate::error::Failure;
use crate::model::Asset;

/// Slow hosts remembered: assets lie with one cloud, its object store and its mirrors.
const SLOW_HOSTS: usize = 32;

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
    /// This is no hour for downloads.
    closed: bool,
    /// Somebody wants them all the same, until all are here.
    hurried: bool,
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
        if self.running.len() >= at_a_time || !self.is_open() {
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
        let free = self.running.len() < at_a_time && self.is_open();
        self.queue.iter().filter(|_| free).filter_map(|asset| self.starts_at(asset)).min()
    }

    fn starts_at(&self, asset: &Asset) -> Option<Mono> {
        let idle = !self.running.contains_key(&asset.sha256);
        idle.then(|| self.tries.get(&asset.sha256).map_or(Mono::default(), |tries| tries.at))
    }

    /// Files that are still to come.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
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
            self.calm();
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

    /// Opens or closes the hours for downloads; whether that is news. What is under way when they
    /// close is given up; what is here of it stays.
    pub(super) fn set_open(&mut self, open: bool) -> bool {
        let news = self.closed == open;
        self.closed = !open;
        if news && !open && !self.hurried {
            self.running.values().for_each(|running| running.task.abort());
            self.running.clear();
        }
        news
    }

    /// Whether downloads may run now.
    pub(super) fn is_open(&self) -> bool {
        !self.closed || self.hurried
    }

    /// Whatever somebody was in a hurry for is here.
    pub(super) fn calm(&mut self) {
        self.hurried &= !self.queue.is_empty();
    }

    /// Forgets the back-off and the hours: somebody wants it now.
    pub(super) fn hurry(&mut self) {
        self.hurried = true;
        self.tries.values_mut().for_each(|tries| tries.at = Mono::default());
    }

    /// What is under way, with the bytes that are here of each.
    pub(super) fn under_way(&self) -> BTreeMap<Digest, u64> {
        let here = |running: &Running| running.here_bytes.load(Ordering::Relaxed);
        self.running.iter().map(|(asset, running)| (*asset, here(running))).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use vitrine_config::time::Trust;

    use super::*;
    use crate::error::CloudError;

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

    #[test]
    fn outside_of_the_hours_nothing_is_fetched_unless_asked() {
        let mut transfers = Transfers::default();
        transfers.plan(vec![asset(1)]);
        let starts = |transfers: &Transfers| {
            assert_eq!(transfers.next(at(0), 1).is_some(), transfers.deadline(1).is_some());
            transfers.next(at(0), 1).is_some()
        };
        assert!(starts(&transfers) && !transfers.set_open(true));
        assert!(transfers.set_open(false) && !starts(&transfers));
        transfers.hurry();
        assert!(starts(&transfers));
        transfers.calm();
        assert!(starts(&transfers), "it is not here yet");
        let ended = Ended { asset: asset(1).sha256, result: Ok(()), etag: None, host: None };
        transfers.ended(ended, at(0), 0.5);
        transfers.plan(vec![asset(2)]);
        assert!(!starts(&transfers), "the hurry is over");
        assert!(transfers.set_open(true) && starts(&transfers));
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
