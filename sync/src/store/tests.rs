//! What the store promises, one file per kind of trouble.
#![allow(clippy::disallowed_methods)] // Tests spoil files on purpose.

mod broken;
mod held;
mod promises;
mod random;
mod wear;

use std::path::Path;

use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use vitrine_wire::envelope::{self, Purpose};
use vitrine_wire::record::{Body, Fault, ProofOfPlay, Record, Trust};

use super::{Opened, Store};

/// A different envelope for each version.
fn envelope(version: u64) -> Vec<u8> {
    let key = SigningKey::from_bytes(&[1; 32]);
    let sealed = envelope::seal(Purpose::Manifest, &version.to_le_bytes(), &[&key]);
    serde_json::to_vec(&sealed).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn open(dir: &Path) -> (Store, Opened) {
    Store::open(dir).unwrap()
}

/// Has the database of `dir` refuse to begin this order as long as the latest time noted is earlier.
pub(crate) fn take_no_order(dir: &Path, id: &str, until: Timestamp) {
    let db = rusqlite::Connection::open(dir.join("store.db")).unwrap();
    let worn_out = format!(
        "CREATE TRIGGER worn_out BEFORE INSERT ON begun
         WHEN NEW.id = '{id}' AND (SELECT latest_time_ms FROM fact) < {}
         BEGIN SELECT RAISE(ABORT, 'worn out'); END",
        until.as_millisecond()
    );
    db.execute_batch(&worn_out).unwrap();
}

fn proof(id: &str) -> Record {
    let body = Body::ProofOfPlay(ProofOfPlay {
        turn: 1,
        manifest_version: 1,
        playlist: "p".into(),
        item: "i".into(),
        zone: None,
        asset: None,
        shown_ms: 10_000,
        frames_presented: 1,
        frames_dropped: 0,
    });
    Record { id: id.into(), at: at(1), trust: Trust::Synced, body }
}

fn fault(id: &str) -> Record {
    let body = Body::Fault(Fault { code: "c".into(), detail: "d".into() });
    Record { id: id.into(), at: at(2), trust: Trust::Guess, body }
}

fn ids(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.id.as_str()).collect()
}

fn live_version(store: &mut Store) -> Option<u64> {
    store.live().unwrap().map(|generation| generation.version)
}
