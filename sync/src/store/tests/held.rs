//! Somebody else holds the database or its directory: another process, for real.
//!
//! The test starts its own executable with the one test [`holder`], which holds what it is told to and
//! lets go when its input ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rusqlite::Connection;

use super::broken::{filled, holds_the_generations};
use super::*;
use crate::store::StoreError;

const DIR: &str = "VITRINE_HOLD_DIR";
const WHAT: &str = "VITRINE_HOLD";

/// Not a test of its own: does nothing unless a test below starts it.
#[test]
fn holder() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let dir = Path::new(&dir);
    let held: Box<dyn std::any::Any> = match std::env::var(WHAT).as_deref() {
        Ok("directory") => Box::new(crate::store::open::lock(dir).unwrap()),
        _ => {
            let db = Connection::open(dir.join("store.db")).unwrap();
            db.execute_batch("BEGIN EXCLUSIVE").unwrap();
            Box::new(db)
        }
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nheld").and_then(|()| out.flush()).unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    drop(held);
}

/// Another process that holds something; it lets go when it is dropped.
struct Holder(Child);

impl Holder {
    fn of(dir: &Path, what: &str) -> Holder {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::held::holder", "--nocapture", "--test-threads=1"])
            .env(DIR, dir)
            .env(WHAT, what)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        assert!(BufReader::new(out).lines().any(|line| line.unwrap() == "held"));
        Holder(child)
    }

    fn lets_go(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().ok();
    }
}

#[test]
fn a_database_that_another_process_holds_is_done_without_until_it_lets_go() {
    let dir = filled();
    let holder = Holder::of(dir.path(), "database");
    let (mut store, opened) = open(dir.path());
    let why = opened.volatile.unwrap();
    assert!(why.contains("locked"), "{why}");
    holds_the_generations(&mut store, "held");
    store.append_records(&[fault("meanwhile")]).unwrap();
    store.keep_pending(4, &envelope(4), at(7)).unwrap();
    store.go_live(4).unwrap();
    assert_eq!(store.return_to_disk().unwrap(), None, "still held");
    assert_eq!(live_version(&mut store), Some(4), "and still at work");
    holder.lets_go();
    assert!(store.return_to_disk().unwrap().is_some());
    assert_eq!(live_version(&mut store), Some(4));
    assert_eq!(store.return_to_disk().unwrap(), None, "nothing to do any more");
    store.close().unwrap();
    let (mut store, opened) = open(dir.path());
    assert_eq!(opened, Opened::default());
    assert_eq!((live_version(&mut store), store.outbox_len().unwrap()), (Some(4), 501));
    assert!(store.begin_order("reboot").unwrap(), "orders are done again");
}

#[test]
fn a_directory_that_another_process_holds_is_left_alone() {
    let dir = filled();
    let holder = Holder::of(dir.path(), "directory");
    let refused = Store::open(dir.path());
    assert!(matches!(refused, Err(StoreError::Locked { .. })), "{refused:?}");
    holder.lets_go();
    let (mut store, _) = open(dir.path());
    holds_the_generations(&mut store, "free again");
}

/// An agent that was told to stop has its last words: the next one waits for it.
#[test]
fn a_directory_that_is_about_to_be_free_is_waited_for() {
    let dir = filled();
    let holder = Holder::of(dir.path(), "directory");
    std::thread::scope(|scope| {
        let opens =
            scope.spawn(|| Store::open(dir.path()).map(|(mut store, _)| live_version(&mut store)));
        holder.lets_go();
        assert_eq!(opens.join().unwrap().unwrap(), Some(2));
    });
}
