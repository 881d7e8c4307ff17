//! As much as a manifest may hold. What that costs is printed, never asserted: tests run on loaded
//! machines. `cargo test --release -p vitrine-sync large -- --nocapture` gives figures worth reading.
#![allow(clippy::disallowed_methods)] // Files are made in bulk.

use std::collections::BTreeMap;

use vitrine_config::limits;
use vitrine_wire::envelope::{Purpose, seal};

use super::*;
use crate::accept;
use crate::plan::{self, Budget, Disk, Readiness, Wants};

const ITEMS: usize = limits::ITEMS;

fn file(n: usize) -> Vec<u8> {
    format!("picture {n}").into_bytes()
}

fn large(version: u64) -> Vec<u8> {
    let files: Vec<Vec<u8>> = (0..ITEMS).map(file).collect();
    let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    let payload = serde_json::to_vec(&manifest(version, &files)).unwrap();
    serde_json::to_vec(&seal(Purpose::Manifest, &payload, &[&tenant()])).unwrap()
}

/// CPU time of this thread, so that others on the machine do not count; zero where nobody counts.
fn cpu() -> Duration {
    let counts = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = counts.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// Does something and prints what that cost.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begin = cpu();
    let done = work();
    println!("{what}: {:.1} ms", ms(cpu() - begin));
    done
}

/// Does something often and prints what all but one in a hundred cost at most.
fn often(what: &str, mut work: impl FnMut(usize)) {
    let mut took: Vec<Duration> = (0..300)
        .map(|n| {
            let begin = cpu();
            work(n);
            cpu() - begin
        })
        .collect();
    took.sort_unstable();
    println!("{what}: p99 {:.2} ms", ms(took[took.len() * 99 / 100]));
}

#[tokio::test]
async fn ten_thousand_items_are_judged_planned_and_started_from() {
    let bench = bench(Duration::ZERO).await;
    let dir = bench._dir.path().to_owned();
    let (account, raw) = (Account::load(&dir).unwrap().unwrap(), large(1));
    println!("envelope of {} items: {} kB", ITEMS, raw.len() / 1_000);
    let accepted = timed("verified and parsed", || accept::accept(&raw, &account, None));
    let manifest = accepted.unwrap().unwrap().manifest;
    assert_eq!((manifest.assets.len(), manifest.playlists["p"].items.len()), (ITEMS, ITEMS));
    let when = bench.shell.when(bench.shell.now());
    let wants = Wants { pending: Some(&manifest), ..Wants::default() };
    let budget = Budget { cache_bytes: 1 << 30, reserve_bytes: 0 };
    let empty = Disk { free_bytes: 1 << 40, ..Disk::default() };
    let plan = timed("planned", || plan::plan(&wants, &empty, budget, &when));
    assert_eq!(plan.downloads.len(), ITEMS);
    let at_once = (Duration::ZERO, Duration::from_secs(1));
    let ready = timed("asked whether it is ready", || {
        plan::ready(&manifest, &BTreeMap::new(), at_once, &when)
    });
    assert!(matches!(ready, Readiness::Wait { .. }));

    let bench = bench
        .restart_after(|dir| {
            for n in 0..ITEMS {
                let path = crate::cache::home(&dir.join("assets"), &Digest::of(&file(n)));
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, file(n)).unwrap();
            }
            let (mut store, _) = store::Store::open(dir).unwrap();
            store.keep_pending(1, &raw, Timestamp::UNIX_EPOCH).unwrap();
            store.go_live(1).unwrap();
            store.close().unwrap();
        })
        .await;
    assert_eq!(bench.plays(), 1);
    let begin = cpu();
    let bench = bench.restart().await;
    println!("started from {ITEMS} files: {:.1} ms beside the store", ms(cpu() - begin));
    let events = bench.events.lock().unwrap();
    let missing = events.iter().rev().find_map(|(_, event)| match event {
        Event::Started { live, .. } => live.as_ref().map(|live| live.missing.len()),
        _ => None,
    });
    assert_eq!(missing, Some(0));
}

#[test]
fn the_store_answers_with_everything_full() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = store::Store::open(dir.path()).unwrap();
    for version in 1..=4 {
        store.keep_pending(version, &large(version), Timestamp::UNIX_EPOCH).unwrap();
        store.go_live(version).unwrap();
    }
    let fault = |n: usize| {
        let body = Body::Fault(Fault { code: "c".into(), detail: "d".repeat(200) });
        let trust = record::Trust::Synced;
        Record { id: format!("{n:032x}"), at: Timestamp::UNIX_EPOCH, trust, body }
    };
    store.append_records(&(0..50_000).map(fault).collect::<Vec<_>>()).unwrap();
    often("a record kept", |n| assert_eq!(store.append_records(&[fault(60_000 + n)]).unwrap(), 0));
    often("the next 200 read", |_| {
        assert_eq!(store.next_records(200, &Default::default()).unwrap().records.len(), 200);
    });
    often("a record acknowledged", |n| store.acknowledge(&[fault(n).id]).unwrap());
    often("records counted", |_| assert!(store.outbox_len().unwrap() > 40_000));
    often("an order begun", |n| assert!(store.begin_order(&n.to_string()).unwrap()));
    often("the time noted", |n| {
        store.note_time(Timestamp::from_second(n as i64).unwrap()).unwrap()
    });
    often("the live envelope read", |_| assert!(store.live().unwrap().is_some()));
}
