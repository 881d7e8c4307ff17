//! Whatever is found instead of the database, the store opens and the live generation is there.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::store::StoreError;

/// A closed store with versions 1 (previous), 2 (live), 3 (pending) and plenty of records.
pub(super) fn filled() -> TempDir {
    let dir = tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    for version in [1, 2] {
        store.keep_pending(version, &envelope(version), at(5)).unwrap();
        store.go_live(version).unwrap();
    }
    store.keep_pending(3, &envelope(3), at(6)).unwrap();
    let records: Vec<_> = (0..500).map(|n| proof(&n.to_string())).collect();
    store.append_records(&records).unwrap();
    store.close().unwrap();
    dir
}

fn asides(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().contains("store.db.broken-"))
        .collect();
    all.sort();
    all
}

pub(super) fn holds_the_generations(store: &mut Store, case: &str) {
    let live = store.live().unwrap().unwrap();
    assert_eq!((live.version, &live.envelope), (2, &envelope(2)), "case {case:?}");
    assert_eq!(store.previous().unwrap().unwrap().version, 1, "case {case:?}");
    assert_eq!(store.pending().unwrap().unwrap().version, 3, "case {case:?}");
    assert_eq!(store.highest_version().unwrap(), 3, "case {case:?}");
}

/// How a database is spoilt.
type Spoil = fn(&Path);

fn truncate(path: &Path) {
    let length = fs::metadata(path).unwrap().len();
    OpenOptions::new().write(true).open(path).unwrap().set_len(length / 2).unwrap();
}

fn garbage_in_the_middle(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xa5);
    fs::write(path, bytes).unwrap();
}

const SPOILS: &[(&str, Spoil)] = &[
    ("zero bytes", |path| fs::write(path, b"").unwrap()),
    ("garbage", |path| fs::write(path, [0x5a; 9_000]).unwrap()),
    ("all zeros", |path| fs::write(path, vec![0; 40_960]).unwrap()),
    ("truncated", truncate),
    ("garbage in the middle", garbage_in_the_middle),
    ("newer schema", |path| {
        Connection::open(path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    }),
    ("a directory", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }),
    ("another program's", |path| {
        fs::remove_file(path).unwrap();
        Connection::open(path).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
    }),
];

#[test]
fn a_broken_database_is_moved_aside_and_filled_again() {
    for (case, spoil) in SPOILS {
        let dir = filled();
        spoil(&dir.path().join("store.db"));
        // The last stop was not clean: what spoils a database is a power cut.
        fs::remove_file(dir.path().join("store.clean")).unwrap();
        let (mut store, opened) = open(dir.path());
        assert!(opened.rebuilt.is_some() && opened.unclean, "case {case:?}: {opened:?}");
        holds_the_generations(&mut store, case);
        assert_eq!(asides(dir.path()).len(), 1, "case {case:?}");
        store.append_records(&[fault("after")]).unwrap();
        store.close().unwrap();
        let (mut store, opened) = open(dir.path());
        assert_eq!(opened, Opened::default(), "case {case:?}: second start");
        holds_the_generations(&mut store, case);
        assert_eq!(ids(&store.oldest_records(9).unwrap()), ["after"], "case {case:?}");
    }
}

#[test]
fn a_database_that_rots_after_a_clean_stop_is_no_obstacle_either() {
    for (case, spoil) in SPOILS {
        let dir = filled();
        spoil(&dir.path().join("store.db"));
        let (mut store, opened) = open(dir.path());
        assert!(!opened.unclean && opened.volatile.is_none(), "case {case:?}: {opened:?}");
        holds_the_generations(&mut store, case);
        // Whatever damage there is, this meets it; what comes afterwards is kept.
        store.oldest_records(999).unwrap();
        store.append_records(&[fault("after")]).unwrap();
        assert!(store.oldest_records(999).unwrap().contains(&fault("after")), "case {case:?}");
    }
}

#[test]
fn a_whole_database_is_not_moved_aside() {
    let dir = filled();
    fs::remove_file(dir.path().join("store.clean")).unwrap();
    let (mut store, opened) = open(dir.path());
    assert_eq!(opened, Opened { unclean: true, ..Opened::default() });
    assert_eq!(store.outbox_len().unwrap(), 500);
    assert!(asides(dir.path()).is_empty());
}

#[test]
fn damage_found_while_running_heals_at_the_next_request() {
    let dir = filled();
    let (mut store, _) = open(dir.path());
    garbage_in_the_middle(&dir.path().join("store.db"));
    assert_eq!(store.healed().unwrap(), None);
    assert_eq!(store.oldest_records(500).unwrap(), [], "the records are lost");
    let healed = store.healed().unwrap().unwrap();
    assert!(healed.rebuilt.is_some() && store.healed().unwrap().is_none());
    holds_the_generations(&mut store, "running");
    store.append_records(&[fault("after")]).unwrap();
    assert_eq!(asides(dir.path()).len(), 1);
}

#[test]
fn at_most_two_broken_databases_stay() {
    let dir = filled();
    for _ in 0..5 {
        fs::write(dir.path().join("store.db"), b"").unwrap();
        drop(open(dir.path()));
    }
    let names: Vec<_> =
        asides(dir.path()).iter().map(|p| p.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["store.db.broken-4", "store.db.broken-5"]);
}

#[test]
fn an_old_log_is_never_taken_up_by_a_new_database() {
    let dir = filled();
    fs::remove_file(dir.path().join("store.db")).unwrap();
    fs::write(dir.path().join("store.db-wal"), [7; 4096]).unwrap();
    let (mut store, opened) = open(dir.path());
    assert!(opened.rebuilt.is_some_and(|why| why.contains("missing")));
    holds_the_generations(&mut store, "log without database");
}

#[test]
fn damage_that_a_quick_look_misses_is_found_once_it_was_met() {
    let dir = tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    store.append_records(&[fault("needle1"), fault("needle2")]).unwrap();
    store.close().unwrap();
    let path = dir.path().join("store.db");
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_record_1'";
    let db = Connection::open(&path).unwrap();
    let page: usize = db.query_row(root, (), |row| row.get(0)).unwrap();
    drop(db);
    let mut bytes = fs::read(&path).unwrap();
    let start = (page - 1) * 4096;
    let index = &mut bytes[start..start + 4096];
    let key = index.windows(7).position(|at| at == b"needle1").unwrap();
    index[key + 6] = b'0';
    fs::write(&path, bytes).unwrap();
    fs::remove_file(dir.path().join("store.clean")).ok();

    let (mut store, opened) = open(dir.path());
    assert_eq!(opened, Opened { unclean: true, ..Opened::default() }, "quick_check misses it");
    store.outbox_most = 1;
    store.append_records(&[fault("new")]).unwrap();
    assert!(store.healed().unwrap().unwrap().rebuilt.is_some());
    assert_eq!(ids(&store.oldest_records(9).unwrap()), ["new"]);
    assert_eq!(asides(dir.path()).len(), 1);
}

#[test]
fn a_disk_that_cannot_be_written_does_not_stop_what_was_live() {
    let dir = filled();
    // A directory where a file has to go stands in for a disk that says no.
    fs::remove_file(dir.path().join("store.clean")).unwrap();
    fs::create_dir_all(dir.path().join("store.clean/x")).unwrap();
    let (mut store, opened) = open(dir.path());
    assert!(opened.volatile.is_some_and(|why| why.contains("store.clean")));
    holds_the_generations(&mut store, "volatile");
    assert!(matches!(store.begin_order("reboot"), Err(StoreError::Volatile)));
    assert!(matches!(store.forget_tenant(), Err(StoreError::Volatile)));
    store.append_records(&[fault("in memory")]).unwrap();
    assert_eq!(ids(&store.oldest_records(9).unwrap()), ["in memory"]);
    store.close().unwrap();

    fs::remove_dir_all(dir.path().join("store.clean")).unwrap();
    let (mut store, opened) = open(dir.path());
    assert_eq!(opened, Opened { unclean: true, ..Opened::default() });
    assert_eq!(store.outbox_len().unwrap(), 500, "what was on disk is still there");
}

#[test]
fn what_must_be_on_the_disk_is_refused_when_the_disk_goes_in_the_midst_of_work() {
    let dir = filled();
    let (mut store, _) = open(dir.path());
    // As after a failure; and the way back is barred.
    store.db = None;
    fs::create_dir_all(dir.path().join("store.clean/x")).unwrap();
    assert!(matches!(store.begin_order("reboot"), Err(StoreError::Volatile)));
    assert!(matches!(store.forget_tenant(), Err(StoreError::Volatile)));
    assert!(matches!(store.forget_device(), Err(StoreError::Volatile)));
    holds_the_generations(&mut store, "in memory");
    assert!(store.healed().unwrap().unwrap().volatile.is_some());
}

#[test]
fn a_copy_that_cannot_be_read_costs_nothing_while_the_database_can() {
    let dir = filled();
    let note = dir.path().join("generations/note.json");
    fs::remove_file(&note).unwrap();
    fs::create_dir(&note).unwrap();
    let (mut store, opened) = open(dir.path());
    assert_eq!(opened, Opened { unclean: opened.unclean, ..Opened::default() });
    holds_the_generations(&mut store, "without the note");
    assert_eq!(store.outbox_len().unwrap(), 500);
    drop(store);
    // The control: without the database the copy is all there is.
    fs::remove_file(dir.path().join("store.db")).unwrap();
    let (_, opened) = open(dir.path());
    assert!(opened.volatile.is_some_and(|why| why.contains("note")));
}

#[test]
fn a_start_that_has_nothing_to_do_writes_nothing() {
    let dir = filled();
    let before = fs::read(dir.path().join("store.db")).unwrap();
    let (store, _) = open(dir.path());
    let log = fs::metadata(dir.path().join("store.db-wal")).map_or(0, |about| about.len());
    assert_eq!(log, 0, "a full disk would have stopped this start");
    store.close().unwrap();
    assert_eq!(fs::read(dir.path().join("store.db")).unwrap(), before);
}

#[test]
fn files_that_are_lost_or_torn_are_written_again_from_the_database() {
    let dir = filled();
    let generations = dir.path().join("generations");
    fs::remove_file(generations.join("2.envelope")).unwrap();
    fs::remove_file(generations.join("note.json")).unwrap();
    fs::write(generations.join("rubbish"), b"not ours").unwrap();
    let (mut store, _) = open(dir.path());
    holds_the_generations(&mut store, "files lost");
    assert_eq!(fs::read(generations.join("2.envelope")).unwrap(), envelope(2));
    assert!(generations.join("rubbish").exists());
}

#[test]
fn with_the_database_lost_a_torn_envelope_is_passed_over_but_its_version_counts() {
    let dir = filled();
    fs::remove_file(dir.path().join("store.db")).unwrap();
    let torn = dir.path().join("generations/2.envelope");
    OpenOptions::new().write(true).truncate(true).open(torn).unwrap().write_all(b"{\"fo").unwrap();
    let third = dir.path().join("generations/3.envelope");
    fs::remove_file(&third).unwrap();
    fs::create_dir(&third).unwrap();
    let (mut store, _) = open(dir.path());
    assert_eq!(live_version(&mut store), Some(1));
    assert_eq!((store.pending().unwrap(), store.highest_version().unwrap()), (None, 3));
}
