//! The promises of the module head, and the order of first need as tables.

use jiff::Timestamp;
use jiff::civil::time;
use proptest::prelude::*;

use super::*;
use crate::model::{Content, Day, EntryKind, Fit, Item, Layout, Playlist, Target, Validity};
use crate::model::{Window, Zone};

/// Noon on a Wednesday, with a day's horizon.
fn noon() -> When {
    let now = "2026-03-04T12:00[UTC]".parse().unwrap();
    When { now, horizon: Duration::from_secs(24 * 3_600), thrifty: false }
}

fn plan(wants: &Wants<'_>, disk: &Disk, budget: Budget) -> Plan {
    super::plan(wants, disk, budget, &noon())
}

fn ready(
    pending: &Manifest,
    here: &BTreeMap<Digest, Held>,
    waited: Duration,
    patience: Duration,
) -> Readiness {
    super::ready(pending, here, (waited, patience), &noon())
}

fn digest(n: u8) -> Digest {
    Digest([n; 32])
}

fn asset(n: u8, size_bytes: u64) -> Asset {
    Asset { sha256: digest(n), size_bytes, media_type: String::new(), name: String::new() }
}

fn held(bytes: u64) -> Held {
    Held { bytes, since: Timestamp::UNIX_EPOCH }
}

/// A manifest that names these assets and plays nothing.
fn manifest(assets: impl IntoIterator<Item = (u8, u64)>) -> Manifest {
    let asset = |(n, bytes)| (digest(n), asset(n, bytes));
    Manifest {
        version: 1,
        tenant: "t".into(),
        device: "d".into(),
        content: Digest([0; 32]),
        not_after: None,
        assets: assets.into_iter().map(asset).collect(),
        playlists: BTreeMap::new(),
        layouts: BTreeMap::new(),
        schedule: Vec::new(),
        settings: Default::default(),
    }
}

/// Adds a playlist of images; 0 is a colour, which needs no file.
fn playlist(manifest: &mut Manifest, id: &str, assets: &[u8]) {
    let item = |(place, n): (usize, &u8)| Item {
        id: place.to_string(),
        content: match n {
            0 => Content::Colour([1, 2, 3]),
            n => Content::Image(digest(*n)),
        },
        duration: None,
        fit: Fit::Contain,
        focus: [0.5; 2],
        background: None,
        transition: None,
        volume: 1.0,
        valid: Validity::default(),
    };
    let items = assets.iter().enumerate().map(item).collect();
    let playlist = Playlist { id: id.into(), name: String::new(), transition: None, items };
    manifest.playlists.insert(id.into(), playlist);
}

fn entry(manifest: &mut Manifest, kind: EntryKind, priority: i32, target: Target, open: bool) {
    let window = Window { days: Vec::new(), from: time(9, 0, 0, 0), until: time(10, 0, 0, 0) };
    manifest.schedule.push(Entry {
        id: manifest.schedule.len().to_string(),
        kind,
        priority,
        display: 1,
        target,
        windows: if open { Vec::new() } else { vec![window] },
        valid: Validity::default(),
    });
}

fn always(manifest: &mut Manifest, playlist: &str) {
    entry(manifest, EntryKind::Normal, 0, Target::Playlist(playlist.into()), true);
}

fn layout(manifest: &mut Manifest, id: &str, playlists: &[&str]) {
    let zone = |playlist: &&str| Zone {
        id: playlist.to_string(),
        x_px: 0,
        y_px: 0,
        width_px: 1,
        height_px: 1,
        opacity: 1.0,
        volume: 1.0,
        rotation_deg: 0.0,
        playlist: playlist.to_string(),
    };
    let zones = playlists.iter().map(zone).collect();
    let layout = Layout {
        id: id.into(),
        name: String::new(),
        width_px: 1,
        height_px: 1,
        background: None,
        background_image: None,
        letterbox: None,
        letterbox_image: None,
        transition: None,
        zones,
    };
    manifest.layouts.insert(id.into(), layout);
}

#[test]
fn first_need_table() {
    let all = (1..=9).map(|n| (n, 10));
    type Fill = fn(&mut Manifest);
    let cases: &[(&str, Fill, &[u8])] = &[
        ("nothing plays: by name", |_| {}, &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (
            "items in order, the rest last",
            |m| {
                playlist(m, "p", &[5, 0, 3, 5]);
                always(m, "p");
            },
            &[5, 3, 1, 2, 4, 6, 7, 8, 9],
        ),
        (
            "rank, then priority, then place",
            |m| {
                for (id, n) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
                    playlist(m, id, &[n]);
                }
                let target = |id: &str| Target::Playlist(id.into());
                entry(m, EntryKind::Fallback, 99, target("a"), true);
                entry(m, EntryKind::Normal, 1, target("b"), true);
                entry(m, EntryKind::Normal, 2, target("c"), true);
                entry(m, EntryKind::Interrupt, i32::MIN, target("d"), true);
            },
            &[4, 3, 2, 1, 5, 6, 7, 8, 9],
        ),
        (
            "always on before what waits for its window",
            |m| {
                playlist(m, "noon", &[7]);
                playlist(m, "net", &[8]);
                entry(m, EntryKind::Interrupt, 5, Target::Playlist("noon".into()), false);
                entry(m, EntryKind::Fallback, 0, Target::Playlist("net".into()), true);
            },
            &[8, 7, 1, 2, 3, 4, 5, 6, 9],
        ),
        (
            "zones start together",
            |m| {
                playlist(m, "left", &[9, 8, 7]);
                playlist(m, "right", &[1, 2]);
                layout(m, "l", &["left", "right"]);
                entry(m, EntryKind::Normal, 0, Target::Layout("l".into()), true);
            },
            &[9, 1, 8, 2, 7, 3, 4, 5, 6],
        ),
        (
            "the pictures of a page before those of its zones",
            |m| {
                playlist(m, "left", &[9, 8]);
                layout(m, "l", &["left"]);
                let page = m.layouts.get_mut("l").unwrap();
                page.background_image = Some(digest(5));
                page.letterbox_image = Some(digest(4));
                entry(m, EntryKind::Normal, 0, Target::Layout("l".into()), true);
            },
            &[5, 4, 9, 8, 1, 2, 3, 6, 7],
        ),
        (
            "playlists without entry before assets without item",
            |m| playlist(m, "idle", &[6]),
            &[6, 1, 2, 3, 4, 5, 7, 8, 9],
        ),
    ];
    for (case, fill, want) in cases {
        let mut manifest = manifest(all.clone());
        fill(&mut manifest);
        let wants = Wants { pending: Some(&manifest), ..Wants::default() };
        let disk = Disk { free_bytes: 1_000, ..Disk::default() };
        let plan = plan(&wants, &disk, Budget { cache_bytes: 1_000, reserve_bytes: 0 });
        let got: Vec<u8> = plan.downloads.iter().map(|asset| asset.sha256.0[0]).collect();
        assert_eq!(got, *want, "case {case:?}");
    }
}

#[test]
fn what_the_schedule_needs_later_comes_later_and_holds_nothing_up() {
    let mut some = manifest((1..=5).map(|n| (n, 10)));
    for (id, n) in [("evening", 1), ("monday", 2), ("now", 3), ("idle", 5)] {
        playlist(&mut some, id, &[n]);
    }
    let mut new_year = some.playlists["now"].items[0].clone();
    new_year.content = Content::Image(digest(4));
    new_year.valid.from = Some("2027-01-01T00:00:00Z".parse().unwrap());
    some.playlists.get_mut("now").unwrap().items.insert(0, new_year);
    let mut window = |id: &str, days: &[Day], from| {
        entry(&mut some, EntryKind::Interrupt, 9, Target::Playlist(id.into()), false);
        let last = some.schedule.last_mut().unwrap();
        let from = time(from, 0, 0, 0);
        last.windows = vec![Window { days: days.to_vec(), from, until: time(23, 0, 0, 0) }];
    };
    window("monday", &[Day::Mon], 8);
    window("evening", &[], 18);
    always(&mut some, "now");
    let wants = Wants { pending: Some(&some), ..Wants::default() };
    let disk = Disk { free_bytes: 1_000, ..Disk::default() };
    let budget = Budget { cache_bytes: 1_000, reserve_bytes: 0 };
    let names = |plan: &Plan| -> Vec<u8> { plan.downloads.iter().map(|a| a.sha256.0[0]).collect() };
    assert_eq!(names(&plan(&wants, &disk, budget)), [3, 1, 2, 4, 5]);
    let thrifty = When { thrifty: true, ..noon() };
    let thrifty = super::plan(&wants, &disk, budget, &thrifty);
    assert_eq!(names(&thrifty), [3, 1]);
    assert_eq!(thrifty.later, [digest(2), digest(4), digest(5)]);
    let live = |here: &[u8]| {
        let files = here.iter().map(|n| (digest(*n), held(1))).collect();
        matches!(ready(&some, &files, Duration::ZERO, Duration::MAX), Readiness::Go { .. })
    };
    assert!(live(&[1, 3]) && !live(&[3]) && !live(&[1, 2, 4, 5]));
}

#[test]
fn room_table() {
    let old = manifest([(1, 40)]);
    let new = manifest([(2, 50), (3, 30)]);
    let wants = Wants { pending: Some(&new), live: Some(&old), previous: None };
    let have = |orphan: u64, free_bytes: u64| Disk {
        held: BTreeMap::from([(digest(1), held(40)), (digest(9), held(orphan))]),
        parts: BTreeMap::from([(digest(2), 20), (digest(8), 5)]),
        free_bytes,
    };
    for (case, disk, cache, reserve, down, gone, unmet) in [
        ("all fits", have(10, 500), 200, 0, &[2, 3][..], &[][..], &[][..]),
        ("the orphan goes", have(10, 500), 120, 0, &[2, 3], &[9], &[]),
        ("one holds up none", have(10, 500), 80, 0, &[3], &[], &[(2, 10)]),
        ("the live one stays", have(10, 500), 40, 0, &[], &[9], &[(2, 50), (3, 30)]),
        ("the reserve binds", have(10, 100), 900, 75, &[2], &[], &[(3, 20)]),
        ("parts count as room", have(10, 45), 900, 0, &[2, 3], &[9], &[]),
    ] {
        let plan = plan(&wants, &disk, Budget { cache_bytes: cache, reserve_bytes: reserve });
        let names = |list: &[Digest]| list.iter().map(|d| d.0[0]).collect::<Vec<_>>();
        let downloads: Vec<u8> = plan.downloads.iter().map(|a| a.sha256.0[0]).collect();
        let lacking: Vec<_> = plan.unmet.iter().map(|u| (u.asset.0[0], u.short_bytes)).collect();
        assert_eq!(downloads, down, "case {case:?}: downloads");
        assert_eq!(names(&plan.evict), gone, "case {case:?}: evict");
        assert_eq!(lacking, unmet, "case {case:?}: unmet");
        assert!(plan.stale_parts.contains(&digest(8)), "case {case:?}");
        assert_eq!(plan.stale_parts.contains(&digest(2)), !down.contains(&2), "case {case:?}");
    }
}

#[test]
fn what_was_live_before_stays_longer_than_what_nobody_needs() {
    let previous = manifest([(1, 10)]);
    let wants = Wants { previous: Some(&previous), ..Wants::default() };
    let files = (1..=2).map(|n| (digest(n), held(10)));
    let disk = Disk { held: files.collect(), ..Disk::default() };
    for (cache_bytes, want) in [(20, &[][..]), (19, &[digest(2)]), (9, &[digest(2), digest(1)])] {
        let plan = plan(&wants, &disk, Budget { cache_bytes, reserve_bytes: 0 });
        assert_eq!(plan.evict, want, "{cache_bytes} bytes");
        assert!(plan.downloads.is_empty(), "nothing is fetched for the past");
    }
}

fn some_manifest() -> impl Strategy<Value = Option<Manifest>> {
    let sizes = prop::collection::btree_set(1..12u8, 0..8);
    let playlists = prop::collection::vec(prop::collection::vec(0..12u8, 0..5), 0..3);
    prop::option::of((sizes, playlists).prop_map(|(assets, playlists)| {
        let mut made = manifest(assets.iter().map(|n| (*n, size(*n))));
        for (place, items) in playlists.iter().enumerate() {
            let known: Vec<u8> =
                items.iter().copied().filter(|n| *n == 0 || assets.contains(n)).collect();
            playlist(&mut made, &place.to_string(), &known);
            always(&mut made, &place.to_string());
        }
        made
    }))
}

/// One asset has one size, whoever names it.
fn size(n: u8) -> u64 {
    u64::from(n) * 37 % 90
}

prop_compose! {
    fn some_disk()(
        files in prop::collection::btree_set(1..16u8, 0..10),
        parts in prop::collection::btree_map(1..16u8, 0..40u64, 0..4),
        free_bytes in 0..600u64,
    ) -> Disk {
        Disk {
            held: files.into_iter().map(|n| (digest(n), held(size(n)))).collect(),
            parts: parts.into_iter().map(|(n, b)| (digest(n), b.min(size(n)))).collect(),
            free_bytes,
        }
    }
}

prop_compose! {
    fn some_budget()(cache_bytes in 0..700u64, reserve_bytes in 0..200u64) -> Budget {
        Budget { cache_bytes, reserve_bytes }
    }
}

type Case = (Option<Manifest>, Option<Manifest>, Option<Manifest>);

fn cases() -> impl Strategy<Value = Case> {
    (some_manifest(), some_manifest(), some_manifest())
}

fn wants(case: &Case) -> Wants<'_> {
    Wants { pending: case.0.as_ref(), live: case.1.as_ref(), previous: case.2.as_ref() }
}

fn wanted(case: &Case) -> BTreeMap<Digest, Asset> {
    [&case.0, &case.1].into_iter().flatten().flat_map(|m| m.assets.clone()).collect()
}

/// Carries a plan out as the shell does, holding the budget to account at each step.
fn carry_out(plan: &Plan, disk: &mut Disk, budget: Budget) -> Result<(), TestCaseError> {
    for part in &plan.stale_parts {
        disk.free_bytes += disk.parts.remove(part).unwrap_or(0);
    }
    for asset in &plan.evict {
        disk.free_bytes += disk.held.remove(asset).map_or(0, |held| held.bytes);
    }
    for asset in &plan.downloads {
        let more = asset.size_bytes - disk.parts.remove(&asset.sha256).unwrap_or(0);
        prop_assert!(disk.free_bytes >= more + budget.reserve_bytes, "the reserve is touched");
        disk.free_bytes -= more;
        disk.held.insert(asset.sha256, held(asset.size_bytes));
        let files: u64 = disk.held.values().map(|held| held.bytes).sum();
        let all = files + disk.parts.values().sum::<u64>();
        prop_assert!(all <= budget.cache_bytes, "{all} bytes held");
    }
    Ok(())
}

proptest! {
    #[test]
    fn pinned_is_kept(case in cases(), disk in some_disk(), budget in some_budget()) {
        let plan = plan(&wants(&case), &disk, budget);
        let wanted = wanted(&case);
        prop_assert!(!plan.evict.iter().any(|gone| wanted.contains_key(gone)));
    }

    #[test]
    fn fits(case in cases(), mut disk in some_disk(), budget in some_budget()) {
        let plan = plan(&wants(&case), &disk, budget);
        carry_out(&plan, &mut disk, budget)?;
    }

    #[test]
    fn settled(case in cases(), mut disk in some_disk(), budget in some_budget()) {
        let first = plan(&wants(&case), &disk, budget);
        carry_out(&first, &mut disk, budget)?;
        let second = plan(&wants(&case), &disk, budget);
        prop_assert_eq!(&second.downloads, &[]);
        prop_assert_eq!(&second.stale_parts, &[]);
        prop_assert_eq!(&second.evict, &[]);
        prop_assert_eq!(second.unmet.len(), first.unmet.len());
    }

    #[test]
    fn every_want_is_here_or_to_come_or_unmet(
        case in cases(), disk in some_disk(), budget in some_budget(),
    ) {
        let plan = plan(&wants(&case), &disk, budget);
        let mut all: Vec<Digest> = plan.downloads.iter().map(|asset| asset.sha256).collect();
        all.extend(plan.unmet.iter().map(|unmet| unmet.asset));
        all.sort();
        let absent = |name: &Digest| !disk.held.contains_key(name);
        let want: Vec<Digest> = wanted(&case).into_keys().filter(absent).collect();
        prop_assert_eq!(all, want);
    }
}

#[test]
fn ready_table() {
    let hour = Duration::from_secs(3_600);
    let zero = Duration::ZERO;
    let mut both = manifest([(1, 1), (2, 1), (3, 1), (4, 1)]);
    playlist(&mut both, "a", &[1, 2]);
    playlist(&mut both, "b", &[3]);
    playlist(&mut both, "idle", &[4]);
    always(&mut both, "a");
    always(&mut both, "b");
    let mut colours = manifest([(1, 1)]);
    playlist(&mut colours, "a", &[1, 0]);
    playlist(&mut colours, "empty", &[]);
    always(&mut colours, "a");
    always(&mut colours, "empty");
    let nothing = manifest([]);
    for (case, manifest, here, waited, patience, go) in [
        ("all that plays is here", &both, &[1, 2, 3][..], zero, hour, true),
        ("one is to come", &both, &[1, 3], zero, hour, false),
        ("patience ends: each entry shows", &both, &[1, 3], hour, hour, true),
        ("patience ends: one shows nothing", &both, &[1, 2], hour, hour, false),
        ("patience four times over", &both, &[1, 2], 4 * hour, hour, true),
        ("nothing to show, ever", &both, &[4], 100 * hour, hour, false),
        ("no patience, something to show", &both, &[3], zero, zero, true),
        ("no patience, nothing to show", &both, &[], zero, zero, false),
        ("a colour is something", &colours, &[], hour, hour, true),
        ("a colour is no hurry", &colours, &[], zero, hour, false),
        ("meant to be empty", &nothing, &[], zero, hour, true),
    ] {
        let files = here.iter().map(|n| (digest(*n), held(1))).collect();
        let got = ready(manifest, &files, waited, patience);
        assert_eq!(matches!(got, Readiness::Go { .. }), go, "case {case:?}: {got:?}");
        let (Readiness::Go { missing } | Readiness::Wait { missing }) = got;
        assert!(missing.iter().all(|asset| !files.contains_key(asset)), "case {case:?}");
    }
}

#[test]
fn what_goes_live_says_all_that_is_missing_what_waits_only_what_it_waits_for() {
    let mut some = manifest([(1, 1), (2, 1)]);
    playlist(&mut some, "a", &[1]);
    always(&mut some, "a");
    let ready = |here: &[u8]| {
        let files = here.iter().map(|n| (digest(*n), held(1))).collect();
        ready(&some, &files, Duration::ZERO, Duration::MAX)
    };
    assert_eq!(ready(&[1]), Readiness::Go { missing: BTreeSet::from([digest(2)]) });
    assert_eq!(ready(&[]), Readiness::Wait { missing: BTreeSet::from([digest(1)]) });
}
