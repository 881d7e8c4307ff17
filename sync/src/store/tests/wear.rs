//! What the store writes, counted by the kernel.

use tempfile::tempdir;
use vitrine_config::limits::STORE_WRITTEN_BYTES_A_DAY;
use vitrine_wire::record::Heartbeat;

use super::*;
use crate::store::thread::thread_written_bytes;

fn heartbeat(n: i64) -> Record {
    let body = Body::Heartbeat(Heartbeat {
        release: "0.1.0".into(),
        uptime_s: n.unsigned_abs() * 300,
        manifest_version: 7,
        showing: "poster.jpg, news of the day, clock".into(),
        screen_ok: true,
        disk_free_bytes: 9_000_000_000,
        memory_free_bytes: 500_000_000,
        temperature_c: Some(51.5),
        outbox: 1,
        tenant_key: Some("0123456789abcdef".into()),
        downloads: None,
    });
    Record { id: format!("{n:032x}"), at: at(n * 300), trust: Trust::Synced, body }
}

/// A day of nothing but signs of life, each kept, sent and forgotten, and the time noted as often.
#[test]
fn a_day_of_heartbeats_stays_within_its_budget() {
    let dir = tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let Some(before) = thread_written_bytes() else {
        panic!("this kernel does not count what threads write: /proc/thread-self/io");
    };
    for n in 1..=288 {
        store.note_time(at(n * 300)).unwrap();
        let beat = heartbeat(n);
        store.append_records(std::slice::from_ref(&beat)).unwrap();
        store.acknowledge(&[beat.id]).unwrap();
    }
    store.close().unwrap();
    let bytes = thread_written_bytes().unwrap() - before;
    println!("a day of heartbeats: {bytes} bytes, {} for each", bytes / 288);
    assert!(bytes > 288 * 500, "{bytes}: not counted at all");
    assert!(bytes <= STORE_WRITTEN_BYTES_A_DAY, "{bytes} bytes");
}
