//! When each asset of a manifest is first needed.
//!
//! In:  a manifest, the local time.
//! Out: [`Need`]s, every asset once, in the order of first need.
//!
//! Promises: `an_entry_opens` (the table), `first_need_table`; work that grows with the manifest and
//! not with its square.
//!
//! Not here: which of several open entries wins (the player's schedule): all of them count as needed,
//! the higher rank first.

use std::collections::HashSet;

use jiff::civil::{DateTime, Weekday};
use jiff::{Timestamp, ToSpan, Zoned};
use vitrine_wire::Digest;

use crate::model::{Day, Entry, EntryKind, Item, Layout, Manifest, Playlist, Target, Window};

/// An asset, and when it is first needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) asset: Digest,
    /// None: the schedule never leads to it.
    pub(super) first: Option<Timestamp>,
}

/// Every asset of `manifest` once: by the moment at which an entry first leads to it, in one moment the
/// higher rank first; then playlists that no entry leads to; last what no item names.
pub(super) fn needs(manifest: &Manifest, now: &Zoned) -> Vec<Need> {
    let mut list = List { manifest, seen: HashSet::new(), order: Vec::new() };
    let mut visited = HashSet::new();
    for (opens, entry) in entries(manifest, now) {
        // A page is whole from the start.
        let page = layout(manifest, &entry.target);
        page.into_iter().flat_map(Layout::assets).for_each(|asset| list.add(asset, Some(opens)));
        let playlists: Vec<&Playlist> = playlists(manifest, &entry.target)
            .filter(|playlist| visited.insert(playlist.id.as_str()))
            .collect();
        in_turn(&playlists).for_each(|item| list.item(item, opens, now.timestamp()));
    }
    // Items may begin later than their entry.
    list.order.sort_by_key(|need| need.first.unwrap_or(Timestamp::MAX));
    let items = manifest.playlists.values().flat_map(|playlist| &playlist.items);
    items.filter_map(|item| item.content.asset()).for_each(|asset| list.add(asset, None));
    manifest.assets.keys().for_each(|asset| list.add(*asset, None));
    list.order
}

/// The entries that will ever be in force, each with when, in the order of [`needs`].
pub(super) fn entries<'a>(manifest: &'a Manifest, now: &Zoned) -> Vec<(Timestamp, &'a Entry)> {
    let mut entries: Vec<(Timestamp, &Entry)> =
        manifest.schedule.iter().filter_map(|entry| Some((opens(entry, now)?, entry))).collect();
    entries.sort_by_key(|(opens, entry)| (*opens, rank(entry.kind), -i64::from(entry.priority)));
    entries
}

/// The items of a target in the order in which they come up: those of a layout's zones in turn, as
/// they start together.
pub(super) fn target_items<'a>(
    manifest: &'a Manifest,
    target: &'a Target,
) -> impl Iterator<Item = &'a Item> + 'a {
    let playlists: Vec<&Playlist> = playlists(manifest, target).collect();
    in_turn(&playlists).collect::<Vec<_>>().into_iter()
}

struct List<'a> {
    manifest: &'a Manifest,
    seen: HashSet<Digest>,
    order: Vec<Need>,
}

impl List<'_> {
    fn item(&mut self, item: &Item, opens: Timestamp, now: Timestamp) {
        let over = item.valid.until.is_some_and(|until| until <= now);
        if let Some(asset) = item.content.asset().filter(|_| !over) {
            self.add(asset, Some(item.valid.from.map_or(opens, |from| from.max(opens))));
        }
    }

    fn add(&mut self, asset: Digest, first: Option<Timestamp>) {
        if self.manifest.assets.contains_key(&asset) && self.seen.insert(asset) {
            self.order.push(Need { asset, first });
        }
    }
}

fn layout<'a>(manifest: &'a Manifest, target: &Target) -> Option<&'a Layout> {
    match target {
        Target::Playlist(_) => None,
        Target::Layout(id) => manifest.layouts.get(id),
    }
}

fn playlists<'a>(
    manifest: &'a Manifest,
    target: &'a Target,
) -> impl Iterator<Item = &'a Playlist> + 'a {
    let one = match target {
        Target::Playlist(id) => manifest.playlists.get(id),
        Target::Layout(_) => None,
    };
    let zones = layout(manifest, target).map_or(&[][..], |layout| &layout.zones).iter();
    let of_zones = zones.filter_map(|zone| manifest.playlists.get(&zone.playlist));
    one.into_iter().chain(of_zones)
}

fn in_turn<'a, 'b>(playlists: &'b [&'a Playlist]) -> impl Iterator<Item = &'a Item> + 'b {
    let longest = playlists.iter().map(|playlist| playlist.items.len()).max().unwrap_or(0);
    let at = |place| playlists.iter().filter_map(move |playlist| playlist.items.get(place));
    (0..longest).flat_map(at)
}

/// Lower is needed earlier.
fn rank(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::Interrupt | EntryKind::Overlay => 0,
        EntryKind::Normal => 1,
        EntryKind::Fallback => 2,
    }
}

/// When an entry is in force for the first time from `now` on. None: never again.
fn opens(entry: &Entry, now: &Zoned) -> Option<Timestamp> {
    let earliest = entry.valid.from.map_or(now.timestamp(), |from| from.max(now.timestamp()));
    let local = earliest.to_zoned(now.time_zone().clone());
    let opens = if entry.windows.is_empty() {
        earliest
    } else {
        // Civil time is compared, and only the winner is made a moment: an hour that a change of
        // the clocks moves is soon enough for a download.
        let first =
            entry.windows.iter().filter_map(|window| next(window, local.datetime())).min()?;
        first.to_zoned(now.time_zone().clone()).ok()?.timestamp().max(earliest)
    };
    (entry.valid.until.is_none_or(|until| opens < until)).then_some(opens)
}

/// When a window is open for the first time from `from` on.
fn next(window: &Window, from: DateTime) -> Option<DateTime> {
    // Yesterday's may reach into today; in a week every day has come.
    (-1..=7i64).find_map(|days| {
        let date = from.date().checked_add(days.days()).ok()?;
        if !window.days.is_empty() && !window.days.iter().any(|day| is(*day, date.weekday())) {
            return None;
        }
        let last = if window.until <= window.from { date.tomorrow().ok()? } else { date };
        (last.to_datetime(window.until) > from).then(|| date.to_datetime(window.from).max(from))
    })
}

fn is(day: Day, weekday: Weekday) -> bool {
    weekday
        == match day {
            Day::Mon => Weekday::Monday,
            Day::Tue => Weekday::Tuesday,
            Day::Wed => Weekday::Wednesday,
            Day::Thu => Weekday::Thursday,
            Day::Fri => Weekday::Friday,
            Day::Sat => Weekday::Saturday,
            Day::Sun => Weekday::Sunday,
        }
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;

    use super::*;
    use crate::model::Validity;

    fn window(days: &[Day], from: i8, until: i8) -> Window {
        Window { days: days.to_vec(), from: time(from, 0, 0, 0), until: time(until, 0, 0, 0) }
    }

    #[test]
    fn an_entry_opens() {
        // A Wednesday.
        let now: Zoned = "2026-03-04T12:00[Europe/Berlin]".parse().unwrap();
        let at = |text: &str| text.parse::<Zoned>().unwrap().timestamp();
        let berlin = |text: &str| at(&format!("{text}[Europe/Berlin]"));
        for (case, windows, from, until, want) in [
            ("always", vec![], None, None, Some("2026-03-04T12:00")),
            ("open", vec![window(&[], 9, 13)], None, None, Some("2026-03-04T12:00")),
            ("later today", vec![window(&[], 15, 16)], None, None, Some("2026-03-04T15:00")),
            ("over for today", vec![window(&[], 9, 12)], None, None, Some("2026-03-05T09:00")),
            (
                "yesterday's reaches into today",
                vec![window(&[Day::Tue], 18, 13)],
                None,
                None,
                Some("2026-03-04T12:00"),
            ),
            (
                "the same day next week",
                vec![window(&[Day::Wed], 9, 12)],
                None,
                None,
                Some("2026-03-11T09:00"),
            ),
            (
                "the earlier of two",
                vec![window(&[Day::Fri], 9, 12), window(&[Day::Thu], 20, 2)],
                None,
                None,
                Some("2026-03-05T20:00"),
            ),
            ("whole days", vec![window(&[Day::Wed], 0, 0)], None, None, Some("2026-03-04T12:00")),
            ("valid later", vec![], Some("2026-04-01T00:00"), None, Some("2026-04-01T00:00")),
            (
                "the window after it is valid, in summer time",
                vec![window(&[], 9, 12)],
                Some("2026-04-01T13:00"),
                None,
                Some("2026-04-02T09:00"),
            ),
            ("over", vec![], None, Some("2026-03-04T12:00"), None),
            (
                "over before it opens",
                vec![window(&[], 15, 16)],
                None,
                Some("2026-03-04T14:00"),
                None,
            ),
        ] {
            let valid = Validity { from: from.map(&berlin), until: until.map(&berlin) };
            let entry = Entry {
                id: String::new(),
                kind: EntryKind::Normal,
                priority: 0,
                display: 1,
                target: Target::Playlist(String::new()),
                windows,
                valid,
            };
            assert_eq!(opens(&entry, &now), want.map(&berlin), "case {case:?}");
        }
    }
}
