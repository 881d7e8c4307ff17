//! Which files go when there is no room, chosen before anything is touched.
//!
//! In:  what is here, the room there may be, the bytes that are to come.
//! Out: an [`Eviction`].
//!
//! Promises, held by the tests below: a pinned asset never goes; room is made if it can be; no more
//! goes than is needed; the order of the entries does not matter.
//!
//! Not here: what is pinned and what is to come (`plan`), the deed (`Cache::remove`).

use jiff::Timestamp;
use vitrine_wire::Digest;

/// How much an asset is worth, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Worth {
    /// Nobody we know of needs it; it may come back.
    Loose,
    /// An earlier generation needs it, for an instant return.
    Earlier,
    /// On screen or next on screen: never evicted.
    Pinned,
}

/// One file of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name.
    pub(crate) asset: Digest,
    /// Its length.
    pub(crate) bytes: u64,
    /// Its worth.
    pub(crate) worth: Worth,
    /// When it came or was last needed.
    pub(crate) since: Timestamp,
}

/// What goes, and what room is lacking even so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Eviction {
    /// In the order to be removed.
    pub(crate) remove: Vec<Digest>,
    /// 0 if there is room afterwards.
    pub(crate) short_bytes: u64,
}

/// Chooses until `incoming_bytes` fit under `limit_bytes`: the least worth first, of these the one
/// that was needed longest ago, of these by name, so the answer does not depend on the order of `entries`.
pub(crate) fn select(entries: &[Entry], limit_bytes: u64, incoming_bytes: u64) -> Eviction {
    let held: u64 = entries.iter().fold(incoming_bytes, |sum, e| sum.saturating_add(e.bytes));
    let mut short_bytes = held.saturating_sub(limit_bytes);
    let mut loose: Vec<_> = entries.iter().filter(|e| e.worth != Worth::Pinned).collect();
    loose.sort_by_key(|e| (e.worth, e.since, e.asset));
    let mut remove = Vec::new();
    for entry in loose {
        if short_bytes == 0 {
            break;
        }
        if entry.bytes == 0 {
            continue;
        }
        short_bytes = short_bytes.saturating_sub(entry.bytes);
        remove.push(entry.asset);
    }
    Eviction { remove, short_bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let worth = prop_oneof![Just(Worth::Loose), Just(Worth::Earlier), Just(Worth::Pinned)];
        let one = (0..1_000u64, worth, 0..5i64);
        prop::collection::vec(one, 0..12).prop_map(|list| {
            let entry = |(n, (bytes, worth, second)): (usize, (u64, Worth, i64))| Entry {
                asset: Digest([n as u8; 32]),
                bytes,
                worth,
                since: Timestamp::from_second(second).unwrap(),
            };
            list.into_iter().enumerate().map(entry).collect()
        })
    }

    fn find<'a>(entries: &'a [Entry], asset: &Digest) -> &'a Entry {
        entries.iter().find(|e| e.asset == *asset).unwrap()
    }

    proptest! {
        #[test]
        fn keeps_pins_makes_room_and_takes_no_more_than_needed(
            entries in entries(), limit in 0..6_000u64, incoming in 0..2_000u64,
        ) {
            let got = select(&entries, limit, incoming);
            let held_without = |gone: &[Digest]| -> u64 {
                entries.iter().filter(|e| !gone.contains(&e.asset)).map(|e| e.bytes).sum()
            };
            for asset in &got.remove {
                prop_assert!(find(&entries, asset).worth != Worth::Pinned, "a pinned asset went");
            }
            let short = (held_without(&got.remove) + incoming).saturating_sub(limit);
            prop_assert_eq!(got.short_bytes, short);
            let loose = entries.iter().filter(|e| e.worth != Worth::Pinned && e.bytes > 0).count();
            prop_assert!(short == 0 || got.remove.len() == loose, "gave up early");
            if let Some((last, before)) = got.remove.split_last() {
                let fitted = held_without(before) + incoming <= limit;
                prop_assert!(!fitted, "asset {} went for nothing", last);
            }
        }

        #[test]
        fn the_less_worth_goes_first(entries in entries(), limit in 0..6_000u64) {
            let got = select(&entries, limit, 0);
            let went = |e: &Entry| got.remove.contains(&e.asset);
            let dearest = entries.iter().filter(|e| went(e)).map(|e| (e.worth, e.since)).max();
            for stays in entries.iter().filter(|e| !went(e) && e.bytes > 0) {
                prop_assert!(dearest.is_none_or(|gone| gone <= (stays.worth, stays.since)));
            }
        }

        #[test]
        fn order_of_the_index_does_not_matter(entries in entries(), limit in 0..6_000u64) {
            let mut turned = entries.clone();
            turned.reverse();
            prop_assert_eq!(select(&entries, limit, 0), select(&turned, limit, 0));
        }
    }
}
