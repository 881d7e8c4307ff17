//! Tokens and keys stay where they belong: not in logs, not in events, not in records, not on disk.

use std::fmt::{Debug, Write};
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::{Metadata, Subscriber};

use super::*;

/// Hears every word of every crate.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<String>>);

impl Visit for &Ear {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Ear {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut &*self);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &SpanRecord<'_>) {
        values.record(&mut &*self);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut &*self);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Every file below `dir` but the key itself, as text.
pub fn disk(dir: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            all.push_str(&disk(&path));
        } else if entry.file_name() != "device.key" {
            all.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap()));
        }
    }
    all
}

/// The private half of the device key, in the spellings in which it would get out.
fn key_spellings(dir: &Path) -> Vec<String> {
    let der = fs::read(dir.join("device.key")).unwrap();
    // PKCS #8 of an Ed25519 key: 16 bytes of head, then the seed.
    let seed = &der[16..48];
    let hex: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, seed);
    vec![hex, base64.trim_end_matches('=').to_owned(), format!("{seed:?}")]
}

#[test]
fn no_token_and_no_key_gets_into_logs_events_records_or_files() {
    let heard = Ear::default();
    tracing::subscriber::set_global_default(heard.clone()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (cloud, store) = (TestCloud::start(), TestCloud::start());
    store.add_asset(PNG);
    cloud.world().chaos.redirect = Some(store.url.clone());
    cloud.publish(&one_picture(1));
    let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
    let mut said = vec![format!("{:?}", player.pairing())];
    cloud.approve();
    said.push(format!("{:?}", player.live(1)));
    // Everything that goes wrong has its words.
    cloud.world().tokens.clear();
    cloud.world().chaos.forget_to_acknowledge = true;
    player.sync.post(Request::Record(fault(1))).unwrap();
    cloud.publish(&one_picture(2));
    player.sync_now();
    said.push(format!("{:?}", player.live(2)));
    cloud.until("record", |world| world.records.contains_key(&fault(1).id));
    cloud.world().chaos.redirect = Some("http://cloud.example".into());
    let other = b"another picture".as_slice();
    cloud.publish(&manifest(3, &[("image/png", other)], vec![item("b", other)]));
    let asked = cloud.world().count("GET /api/v3/assets/");
    cloud.until("the file is asked for", |world| world.count("GET /api/v3/assets/") > asked);
    {
        let mut world = cloud.world();
        world.removed = true;
        world.tokens.clear();
    }
    player.sync_now();
    player.wait("unpaired", |event| matches!(event, Event::Unpaired).then_some(()));
    said.push(format!("{:?}", player.rest()));
    player.stop();

    let log = heard.0.lock().unwrap().clone();
    assert!(log.contains("paired") && log.len() > 2_000, "the ear is deaf: {log}");
    let records = serde_json::to_string(&cloud.world().records).unwrap();
    assert!(cloud.hits("GET").iter().any(|hit| {
        hit.header("authorization").is_some_and(|value| value.contains("hush-access"))
    }));
    let mut secrets = key_spellings(dir.path());
    secrets.push("hush-".into());
    for (place, text) in [
        ("log", &log),
        ("events", &said.concat()),
        ("records", &records),
        ("disk", &disk(dir.path())),
    ] {
        for secret in &secrets {
            let at = text.find(secret.as_str()).unwrap_or(0);
            let around: String = text.chars().skip(at.saturating_sub(200)).take(400).collect();
            assert!(!text.contains(secret.as_str()), "{place} holds {secret}: …{around}…");
        }
    }
    tracing::info!(token = "hush-control", "a word too many");
    assert!(heard.0.lock().unwrap().contains("hush-control"), "the control is not heard");
}
