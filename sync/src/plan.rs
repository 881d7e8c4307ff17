//! What to download and what to drop, decided before anything is touched.
//!
//! In:  the manifests in force, to come and of earlier days, what the disk holds, the byte budget, the
//!      local time and how far ahead to look.
//! Out: a [`Plan`], downloads in the order in which their assets are first needed; [`Readiness`].
//!
//! Promises, each held by a test of the same name:
//! - `pinned_is_kept`: nothing on screen or next on screen is ever dropped;
//! - `fits`: if the plan is carried out in order, the budget holds at each step;
//! - `settled`: a disk that already matches gives an empty plan.
//!
//! Not here: hashing and renaming (`cache::download`), the choice of victims (`cache::evict`),
//! retries (`shell`). This module does no I/O, reads no clock and cannot fail: a want that cannot be
//! met is listed in [`Plan::unmet`].

mod need;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Zoned};
use vitrine_wire::Digest;

use crate::cache::Held;
use crate::cache::evict::{self, Worth};
use crate::model::{Asset, Entry, Manifest};
use need::{Need, needs, target_items};

/// Whose assets are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wants<'a> {
    /// To go live next. Its assets come first.
    pub(crate) pending: Option<&'a Manifest>,
    /// In force.
    pub(crate) live: Option<&'a Manifest>,
    /// In force before: nothing is fetched for it, but what is here stays while there is room.
    pub(crate) previous: Option<&'a Manifest>,
}

/// What the disk holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    /// Whole files.
    pub(crate) held: BTreeMap<Digest, Held>,
    /// Partial downloads with their bytes so far.
    pub(crate) parts: BTreeMap<Digest, u64>,
    /// Free on the file system.
    pub(crate) free_bytes: u64,
}

/// How much it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// For assets and parts together.
    pub(crate) cache_bytes: u64,
    /// To be left free on the file system.
    pub(crate) reserve_bytes: u64,
}

/// When it is, and how far ahead is looked.
#[derive(Debug, Clone)]
pub(crate) struct When {
    /// Local time.
    pub(crate) now: Zoned,
    /// What is needed within this is needed soon.
    pub(crate) horizon: Duration,
    /// Fetch nothing before it is needed soon: bytes cost money.
    pub(crate) thrifty: bool,
}

impl When {
    fn is_soon(&self, first: Timestamp) -> bool {
        let horizon = SignedDuration::try_from(self.horizon).unwrap_or(SignedDuration::MAX);
        first.duration_since(self.now.timestamp()) <= horizon
    }

    fn soon(&self, need: &Need) -> bool {
        need.first.is_some_and(|first| self.is_soon(first))
    }
}

/// To be carried out in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Partial downloads to drop: nobody waits for them any more, or there is no room.
    pub(crate) stale_parts: Vec<Digest>,
    /// Files to drop.
    pub(crate) evict: Vec<Digest>,
    /// Files to fetch, in the order of first need.
    pub(crate) downloads: Vec<Asset>,
    /// Files that there is no room for.
    pub(crate) unmet: Vec<Unmet>,
    /// Files that are left for later: see [`When::thrifty`].
    pub(crate) later: Vec<Digest>,
}

/// A want that cannot be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unmet {
    /// The file.
    pub(crate) asset: Digest,
    /// Its length.
    pub(crate) bytes: u64,
    /// Room that it lacks, with everything gone that may go.
    pub(crate) short_bytes: u64,
}

/// Whether a pending generation may go live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Now; these assets are not here, and their items are passed over until they are.
    Go {
        /// Of all the manifest names.
        missing: BTreeSet<Digest>,
    },
    /// Not yet; these are waited for.
    Wait {
        /// Of those that the schedule needs soon.
        missing: BTreeSet<Digest>,
    },
}

/// Beyond this many times the patience, anything at all to show is enough: one file that the cloud
/// has lost must not hold back a whole generation for ever.
pub(crate) const LAST_PATIENCE: u32 = 4;

/// Compares wants with the disk.
pub(crate) fn plan(wants: &Wants<'_>, disk: &Disk, budget: Budget, when: &When) -> Plan {
    let wanted = wanted_in_order(wants, &when.now);
    let names: HashSet<Digest> = wanted.iter().map(|(_, asset)| asset.sha256).collect();
    let absent = wanted.into_iter().filter(|(_, asset)| !disk.held.contains_key(&asset.sha256));
    let (now, later): (Vec<_>, Vec<_>) =
        absent.partition(|(need, _)| !when.thrifty || when.soon(need));
    let files = files_with_worth(&names, wants.previous, disk);
    let limit_bytes = limit(disk, budget);
    let now = now.into_iter().map(|(_, asset)| asset);
    let (downloads, unmet) = choose(now, room(&files, limit_bytes));
    let incoming = downloads.iter().fold(0u64, |sum, asset| sum.saturating_add(asset.size_bytes));
    let chosen: HashSet<Digest> = downloads.iter().map(|asset| asset.sha256).collect();
    Plan {
        stale_parts: disk.parts.keys().filter(|part| !chosen.contains(part)).copied().collect(),
        evict: evict::select(&files, limit_bytes, incoming).remove,
        downloads,
        unmet,
        later: later.into_iter().map(|(need, _)| need.asset).collect(),
    }
}

/// Decides whether `pending` may go live with the files in `here`, `waited` after it came.
///
/// 1. Everything that the schedule needs within the horizon is here: now.
/// 2. After `patience`: as soon as each entry that opens within it has an item to show.
/// 3. After [`LAST_PATIENCE`] times that: as soon as any entry has one.
///
/// Until then what plays is better than what would. Files that are not needed soon hold nothing up.
pub(crate) fn ready(
    pending: &Manifest,
    here: &BTreeMap<Digest, Held>,
    (waited, patience): (Duration, Duration),
    when: &When,
) -> Readiness {
    let absent = |asset: &Digest| !here.contains_key(asset);
    let soon = needs(pending, &when.now).into_iter().filter(|need| when.soon(need));
    let missing: BTreeSet<Digest> = soon.map(|need| need.asset).filter(absent).collect();
    let shows = |entry: &Entry| {
        target_items(pending, &entry.target).any(|i| i.content.asset().is_none_or(|a| !absent(&a)))
    };
    let empty = |entry: &Entry| target_items(pending, &entry.target).next().is_none();
    let soon = need::entries(pending, &when.now);
    let mut soon = soon.into_iter().filter(|(opens, _)| when.is_soon(*opens)).map(|(_, e)| e);
    let good_enough = if waited >= patience.saturating_mul(LAST_PATIENCE) {
        pending.schedule.iter().any(shows)
    } else {
        waited >= patience && soon.all(|entry| empty(entry) || shows(entry))
    };
    if missing.is_empty() || good_enough {
        Readiness::Go { missing: pending.assets.keys().copied().filter(absent).collect() }
    } else {
        Readiness::Wait { missing }
    }
}

/// Every asset that is to be here at the end, in the order of first need: what goes live next
/// before what is live already.
fn wanted_in_order<'a>(wants: &Wants<'a>, now: &Zoned) -> Vec<(Need, &'a Asset)> {
    let mut seen = HashSet::new();
    let mut wanted = Vec::new();
    for manifest in [wants.pending, wants.live].into_iter().flatten() {
        let order = needs(manifest, now).into_iter().filter(|need| seen.insert(need.asset));
        let with_asset = |need: Need| Some((need, manifest.assets.get(&need.asset)?));
        wanted.extend(order.filter_map(with_asset));
    }
    wanted
}

/// The files that are here, each with what it is worth.
fn files_with_worth(
    wanted: &HashSet<Digest>,
    previous: Option<&Manifest>,
    disk: &Disk,
) -> Vec<evict::Entry> {
    let worth = |asset: &Digest| {
        if wanted.contains(asset) {
            Worth::Pinned
        } else if previous.is_some_and(|manifest| manifest.assets.contains_key(asset)) {
            Worth::Earlier
        } else {
            Worth::Loose
        }
    };
    let entry = |(&asset, held): (&Digest, &Held)| evict::Entry {
        asset,
        bytes: held.bytes,
        worth: worth(&asset),
        since: held.since,
    };
    disk.held.iter().map(entry).collect()
}

/// Bytes that files and parts together may take: the smaller of what the settings allow and what the
/// disk can give without touching the reserve.
fn limit(disk: &Disk, budget: Budget) -> u64 {
    let held = disk.held.values().map(|held| held.bytes);
    let taken = held.chain(disk.parts.values().copied());
    let all = taken.fold(disk.free_bytes, u64::saturating_add);
    budget.cache_bytes.min(all.saturating_sub(budget.reserve_bytes))
}

/// Bytes that downloads may bring once everything is gone that may go.
fn room(files: &[evict::Entry], limit_bytes: u64) -> u64 {
    let pinned = files.iter().filter(|file| file.worth == Worth::Pinned);
    limit_bytes.saturating_sub(pinned.fold(0, |sum, file| sum.saturating_add(file.bytes)))
}

/// Splits what is wanted and not here into what fits and what does not. One that does not fit holds
/// up none that do.
fn choose<'a>(wanted: impl Iterator<Item = &'a Asset>, mut room: u64) -> (Vec<Asset>, Vec<Unmet>) {
    let (mut downloads, mut unmet) = (Vec::new(), Vec::new());
    for asset in wanted {
        let bytes = asset.size_bytes;
        if bytes <= room {
            room -= bytes;
            downloads.push(asset.clone());
        } else {
            unmet.push(Unmet { asset: asset.sha256, bytes, short_bytes: bytes - room });
        }
    }
    (downloads, unmet)
}

#[cfg(test)]
mod tests;
