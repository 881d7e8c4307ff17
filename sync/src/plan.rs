//! What to download and what to drop, decided before anything is touched.
//!
//! In:  the manifests in force, to come and of earlier days, what the disk holds, the byte budget.
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

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vitrine_wire::Digest;

use crate::cache::Held;
use crate::cache::evict::{self, Worth};
use crate::model::{Asset, Entry, EntryKind, Item, Manifest, Playlist, Target};

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
        /// Of those that the schedule can reach.
        missing: BTreeSet<Digest>,
    },
}

/// Beyond this many times the patience, anything at all to show is enough: one file that the cloud
/// has lost must not hold back a whole generation for ever.
pub(crate) const LAST_PATIENCE: u32 = 4;

/// Compares wants with the disk.
pub(crate) fn plan(wants: &Wants<'_>, disk: &Disk, budget: Budget) -> Plan {
    let wanted = wanted_in_order(wants);
    let names: BTreeSet<Digest> = wanted.iter().map(|asset| asset.sha256).collect();
    let files = files_with_worth(&names, wants.previous, disk);
    let limit_bytes = limit(disk, budget);
    let (downloads, unmet) = choose(wanted, disk, room(&files, limit_bytes));
    let incoming = downloads.iter().fold(0u64, |sum, asset| sum.saturating_add(asset.size_bytes));
    let chosen: BTreeSet<Digest> = downloads.iter().map(|asset| asset.sha256).collect();
    Plan {
        stale_parts: disk.parts.keys().filter(|part| !chosen.contains(part)).copied().collect(),
        evict: evict::select(&files, limit_bytes, incoming).remove,
        downloads,
        unmet,
    }
}

/// Decides whether `pending` may go live with the files in `here`, `waited` after it came.
///
/// 1. Everything that the schedule can reach is here: now.
/// 2. After `patience`: as soon as each schedule entry has an item to show.
/// 3. After [`LAST_PATIENCE`] times that: as soon as any entry has one.
///
/// Until then what plays is better than what would. Files that no entry reaches hold nothing up.
pub(crate) fn ready(
    pending: &Manifest,
    here: &BTreeMap<Digest, Held>,
    waited: Duration,
    patience: Duration,
) -> Readiness {
    let absent = |asset: &Digest| !here.contains_key(asset);
    let reached = needs(pending).into_iter().filter(|need| need.reached);
    let missing: BTreeSet<Digest> = reached.map(|need| need.asset).filter(absent).collect();
    let shows = |entry: &Entry| {
        target_items(pending, &entry.target).any(|i| i.content.asset().is_none_or(|a| !absent(&a)))
    };
    let empty = |entry: &Entry| target_items(pending, &entry.target).next().is_none();
    let mut entries = pending.schedule.iter();
    let good_enough = if waited >= patience.saturating_mul(LAST_PATIENCE) {
        entries.any(shows)
    } else {
        waited >= patience && entries.all(|entry| empty(entry) || shows(entry))
    };
    if missing.is_empty() || good_enough {
        Readiness::Go { missing: pending.assets.keys().copied().filter(absent).collect() }
    } else {
        Readiness::Wait { missing }
    }
}

/// Every asset that is to be here at the end, in the order of first need: what goes live next
/// before what is live already.
fn wanted_in_order(wants: &Wants<'_>) -> Vec<Asset> {
    let mut seen = BTreeSet::new();
    let mut wanted = Vec::new();
    for manifest in [wants.pending, wants.live].into_iter().flatten() {
        let order = needs(manifest).into_iter().filter(|need| seen.insert(need.asset));
        wanted.extend(order.filter_map(|need| manifest.assets.get(&need.asset)).cloned());
    }
    wanted
}

/// The files that are here, each with what it is worth.
fn files_with_worth(
    wanted: &BTreeSet<Digest>,
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
fn choose(wanted: Vec<Asset>, disk: &Disk, mut room: u64) -> (Vec<Asset>, Vec<Unmet>) {
    let (mut downloads, mut unmet) = (Vec::new(), Vec::new());
    for asset in wanted.into_iter().filter(|asset| !disk.held.contains_key(&asset.sha256)) {
        let bytes = asset.size_bytes;
        if bytes <= room {
            room -= bytes;
            downloads.push(asset);
        } else {
            unmet.push(Unmet { asset: asset.sha256, bytes, short_bytes: bytes - room });
        }
    }
    (downloads, unmet)
}

/// An asset of a manifest, in the order of first need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Need {
    asset: Digest,
    /// Whether the schedule leads to it.
    reached: bool,
}

/// Every asset of `manifest` once. First those of entries that are always on, then of those that
/// wait for a window, in both the higher rank first; then playlists that no entry leads to; last
/// what no item names.
///
/// An approximation, on purpose: which window opens next is the schedule's business, and an order
/// that is wrong costs minutes once.
fn needs(manifest: &Manifest) -> Vec<Need> {
    let mut seen = BTreeSet::new();
    let mut order = Vec::new();
    let mut add = |asset: Digest, reached: bool| {
        if manifest.assets.contains_key(&asset) && seen.insert(asset) {
            order.push(Need { asset, reached });
        }
    };
    let mut entries: Vec<&Entry> = manifest.schedule.iter().collect();
    entries.sort_by_key(|entry| {
        (!entry.windows.is_empty(), rank(entry.kind), -i64::from(entry.priority))
    });
    for entry in entries {
        target_items(manifest, &entry.target)
            .filter_map(|item| item.content.asset())
            .for_each(|asset| add(asset, true));
    }
    let items = manifest.playlists.values().flat_map(|playlist| &playlist.items);
    items.filter_map(|item| item.content.asset()).for_each(|asset| add(asset, false));
    manifest.assets.keys().for_each(|asset| add(*asset, false));
    order
}

/// Lower is needed earlier.
fn rank(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::Interrupt => 0,
        EntryKind::Normal => 1,
        EntryKind::Fallback => 2,
    }
}

/// The items of a target in the order in which they come up: those of a layout's zones in turn, as
/// they start together.
fn target_items<'a>(
    manifest: &'a Manifest,
    target: &'a Target,
) -> impl Iterator<Item = &'a Item> + 'a {
    let playlists: Vec<&Playlist> = match target {
        Target::Playlist(id) => manifest.playlists.get(id).into_iter().collect(),
        Target::Layout(id) => {
            let zones = manifest.layouts.get(id).map_or(&[][..], |layout| &layout.zones);
            zones.iter().filter_map(|zone| manifest.playlists.get(&zone.playlist)).collect()
        }
    };
    let longest = playlists.iter().map(|playlist| playlist.items.len()).max().unwrap_or(0);
    (0..longest).flat_map(move |place| {
        playlists.iter().filter_map(|playlist| playlist.items.get(place)).collect::<Vec<_>>()
    })
}

#[cfg(test)]
mod tests;
