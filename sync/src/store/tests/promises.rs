//! Each promise once, in the small.

use std::fs;

use tempfile::tempdir;

use super::*;
use crate::store::{Generation, StoreError, start};

#[test]
fn a_generation_goes_from_pending_to_live_to_previous() {
    let dir = tempdir().unwrap();
    let (mut store, opened) = open(dir.path());
    assert_eq!(opened, Opened::default());
    for version in [3, 4, 7, 9] {
        store.keep_pending(version, &envelope(version), at(version as i64)).unwrap();
        assert_eq!(store.pending().unwrap().unwrap().version, version);
        store.go_live(version).unwrap();
        assert_eq!(store.pending().unwrap(), None);
    }
    let want = Generation { version: 9, envelope: envelope(9), received_at: at(9) };
    assert_eq!(store.live().unwrap(), Some(want));
    assert_eq!(store.previous().unwrap().unwrap().version, 7);
    let mut files: Vec<_> = fs::read_dir(dir.path().join("generations"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["4.envelope", "7.envelope", "9.envelope", "note.json"]);
}

#[test]
fn no_version_goes_back_and_none_replaces_the_live_one() {
    let dir = tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    store.keep_pending(5, &envelope(5), at(0)).unwrap();
    store.keep_pending(5, &envelope(5), at(1)).unwrap();
    store.go_live(5).unwrap();
    store.keep_pending(8, &envelope(8), at(2)).unwrap();
    for (version, least) in [(0, 8), (4, 8), (5, 8), (7, 8)] {
        let refused = store.keep_pending(version, b"", at(3));
        assert!(
            matches!(refused, Err(StoreError::NotNewer { least: l, .. }) if l == least),
            "{version}"
        );
    }
    store.go_live(8).unwrap();
    assert!(matches!(
        store.keep_pending(8, b"", at(3)),
        Err(StoreError::NotNewer { least: 9, .. })
    ));
    assert!(matches!(store.keep_pending(u64::MAX, b"", at(3)), Err(StoreError::Version { .. })));
    assert!(matches!(store.go_live(6), Err(StoreError::Unknown { version: 6 })));
    assert_eq!((live_version(&mut store), store.highest_version().unwrap()), (Some(8), 8));
}

#[test]
fn a_discarded_live_generation_gives_way_to_the_previous_one_and_may_come_again() {
    let dir = tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    for version in [1, 2] {
        store.keep_pending(version, &envelope(version), at(0)).unwrap();
        store.go_live(version).unwrap();
    }
    store.discard(2).unwrap();
    assert_eq!((live_version(&mut store), store.highest_version().unwrap()), (Some(1), 2));
    store.keep_pending(2, &envelope(2), at(0)).unwrap();
    store.discard(2).unwrap();
    drop(store);
    for name in ["store.db", "store.db-wal"] {
        fs::remove_file(dir.path().join(name)).ok();
    }
    let (mut store, _) = open(dir.path());
    assert_eq!((live_version(&mut store), store.highest_version().unwrap()), (Some(1), 2));
}

#[test]
fn the_oldest_proofs_of_play_go_first_and_are_counted() {
    let dir = tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    store.outbox_most = 3;
    assert_eq!(store.append_records(&[fault("f1"), proof("p1"), proof("p2")]).unwrap(), 0);
    assert_eq!(store.append_records(&[fault("f1")]).unwrap(), 0, "the same id again");
    assert_eq!(store.append_records(&[fault("f2")]).unwrap(), 1);
    assert_eq!(ids(&store.oldest_records(9).unwrap()), ["f1", "p2", "f2"]);
    assert_eq!(store.append_records(&[fault("f3"), fault("f4")]).unwrap(), 2);
    assert_eq!(ids(&store.oldest_records(9).unwrap()), ["f2", "f3", "f4"]);
    assert_eq!(ids(&store.oldest_records(2).unwrap()), ["f2", "f3"]);
    store.acknowledge(&["f3".into(), "never heard of".into()]).unwrap();
    assert_eq!(store.oldest_records(9).unwrap(), [fault("f2"), fault("f4")]);
    assert_eq!(store.outbox_len().unwrap(), 2);
}

#[test]
fn an_order_begins_once_and_its_end_carries_the_result() {
    let dir = tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    for id in ["a", "b", "c"] {
        assert!(store.begin_order(id).unwrap());
    }
    store.end_order("b", &fault("result")).unwrap();
    drop(store);
    let (mut store, opened) = open(dir.path());
    assert!(opened.unclean);
    assert_eq!(store.begun_but_not_ended().unwrap(), ["a", "c"]);
    assert!(!store.begin_order("b").unwrap());
    assert_eq!(ids(&store.oldest_records(9).unwrap()), ["result"]);
}

#[test]
fn time_goes_forward_only() {
    let dir = tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    assert_eq!(store.latest_time().unwrap(), None);
    for (note, want) in [(-5, -5), (100, 100), (99, 100), (101, 101)] {
        store.note_time(at(note)).unwrap();
        assert_eq!(store.latest_time().unwrap(), Some(at(want)));
    }
}

#[test]
fn nothing_of_a_forgotten_tenant_stays_on_disk() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("store.db"), "secret of the tenant").unwrap();
    let (mut store, opened) = open(dir.path());
    assert!(opened.rebuilt.is_some());
    let secret = "secret of the tenant";
    let old: Vec<_> = (0..200).map(|n| fault(&format!("{secret} {n}"))).collect();
    store.append_records(&old).unwrap();
    store.acknowledge(&[old[7].id.clone()]).unwrap();
    store.begin_order(secret).unwrap();
    store.keep_pending(9, &envelope(9), at(0)).unwrap();
    store.go_live(9).unwrap();
    store.note_time(at(77)).unwrap();
    assert!(holds(dir.path(), secret), "negative control: the search finds nothing");

    store.forget_tenant().unwrap();
    assert!(!holds(dir.path(), secret));
    assert!(!holds(dir.path(), "vitrine-envelope-1"));
    assert_eq!((store.highest_version().unwrap(), store.outbox_len().unwrap()), (0, 0));
    assert_eq!((store.live().unwrap(), store.latest_time().unwrap()), (None, Some(at(77))));
    store.keep_pending(1, &envelope(1), at(0)).unwrap();
}

/// Whether any file under `dir` contains `text`.
fn holds(dir: &Path, text: &str) -> bool {
    fs::read_dir(dir).unwrap().map(Result::unwrap).any(|entry| match entry.path() {
        path if path.is_dir() => holds(&path, text),
        path => fs::read(path).unwrap().windows(text.len()).any(|at| at == text.as_bytes()),
    })
}

#[test]
fn one_process_holds_the_store() {
    let dir = tempdir().unwrap();
    let (store, _) = open(dir.path());
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Locked { .. })));
    drop(store);
    open(dir.path());
}

#[test]
fn after_a_failed_commit_the_store_goes_on_from_what_is_on_disk() {
    let dir = tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    store.append_records(&[fault("before")]).unwrap();
    // Whatever the reason, a change that fails takes its connection along.
    let failed = store.write("spoil", |all| {
        all.execute_batch("DELETE FROM record; SELECT no_such_function()")
            .map_err(crate::store::sql_failed("spoil"))
    });
    assert!(failed.is_err());
    assert!(store.db.is_none());
    assert_eq!(ids(&store.oldest_records(9).unwrap()), ["before"]);
}

#[test]
fn dropping_the_handle_does_what_was_asked_and_closes_cleanly() {
    let dir = tempdir().unwrap();
    let (handle, opened) = start(dir.path()).unwrap();
    assert_eq!(opened, Opened::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        assert_eq!(handle.append_records(vec![fault("a")]).await.unwrap(), 0);
        // An asker that goes away after asking loses the answer, not the deed.
        let mut gone = Box::pin(handle.append_records(vec![fault("b")]));
        let mut once = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(gone.as_mut().poll(&mut once).is_pending());
        drop(gone);
    });
    drop(handle);
    let (mut store, opened) = open(dir.path());
    assert_eq!(opened, Opened::default());
    assert_eq!(ids(&store.oldest_records(9).unwrap()), ["a", "b"]);
}
