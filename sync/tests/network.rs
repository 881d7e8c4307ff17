//! The network half from outside: a real server on loopback, the public handle, the real disk.

// All of this is test: it reads clocks, and whatever is not as expected is a failure.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::unwrap_used)]

mod rig;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use rig::{Chaos, Player, TestCloud, item, manifest, options, tuning};
use serde_json::{Value, json};
use vitrine_sync::model::{Digest, Live};
use vitrine_sync::wire::record::{Body, Fault, Record, Trust};
use vitrine_sync::{Connection, Event, Request};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n not much of a picture";

/// Waits until the cloud's side is as wanted; panics when that takes too long.
fn until(what: &str, mut good: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !good() {
        assert!(std::time::Instant::now() < end, "{what}: not within 30 s");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

fn one_picture(version: u64) -> Value {
    manifest(version, &[("image/png", PNG)], vec![item("a", PNG)])
}

/// A cloud with one picture in force and a player that has it.
fn playing(dir: &Path) -> (TestCloud, Player) {
    let cloud = TestCloud::start();
    cloud.approve();
    cloud.add_asset(PNG);
    cloud.publish(&one_picture(1));
    let player = Player::start(options(dir, Some(&cloud.url)), tuning());
    player.live(1);
    (cloud, player)
}

fn bytes_of(live: &Live, wanted: &[u8]) -> Vec<u8> {
    fs::read(live.files.path(&Digest::of(wanted)).expect("named")).expect("readable")
}

fn fault(n: u32) -> Record {
    let body = Body::Fault(Fault { code: "test".into(), detail: format!("number {n}") });
    Record { id: format!("{n:032x}"), at: jiff::Timestamp::UNIX_EPOCH, trust: Trust::Guess, body }
}

#[test]
fn from_pairing_to_the_screen_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = TestCloud::start();
    cloud.add_asset(PNG);
    cloud.publish(&one_picture(1));
    let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
    assert_eq!(player.started(), None);
    let pairing = player.pairing();
    assert_eq!((pairing.user_code.as_str(), pairing.fingerprint.len()), ("ABCD-EFGH", 19));
    cloud.approve();
    let paired = player.wait("paired", |event| match event {
        Event::Paired(paired) => Some(paired.clone()),
        _ => None,
    });
    assert_eq!((paired.tenant.as_str(), paired.device.as_str()), ("acme", "d1"));
    let live = player.live(1);
    assert_eq!(live.missing, BTreeSet::new());
    assert_eq!(bytes_of(&live, PNG), PNG);
    player.sync.post(Request::Record(fault(1))).unwrap();
    until("record", || cloud.world().records.contains_key(&fault(1).id));
    player.stop();
}

#[test]
fn without_the_cloud_it_starts_with_what_was_live() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    player.stop();
    let url = cloud.url.clone();
    drop(cloud);
    for cloud_url in [Some(url.as_str()), None] {
        let player = Player::start(options(dir.path(), cloud_url), tuning());
        let live = player.started().expect("something to play");
        assert_eq!((live.manifest.version, live.missing.len()), (1, 0));
        assert_eq!(bytes_of(&live, PNG), PNG);
        player.stop();
    }
}

#[test]
fn a_kept_manifest_that_the_pinned_key_did_not_sign_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    player.stop();
    drop(cloud);
    let account = dir.path().join("account.json");
    let text = fs::read_to_string(&account).unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
    value["tenant_key"] =
        json!(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, other.as_bytes()));
    fs::write(&account, value.to_string()).unwrap();
    let player = Player::start(options(dir.path(), None), tuning());
    assert_eq!(player.started(), None);
    player.trouble("manifest_signature");
    player.stop();
}

#[test]
fn a_download_cut_in_the_middle_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let big: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    let cloud = TestCloud::start();
    cloud.approve();
    let digest = cloud.add_asset(big.clone());
    cloud.publish(&manifest(1, &[("video/mp4", &big)], vec![item("a", &big)]));
    cloud.world().chaos.cut_after = Some(300_000);
    let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
    assert_eq!(bytes_of(&player.live(1), &big), big);
    let hits = cloud.hits("GET /api/v3/assets/");
    let ranges: Vec<_> = hits.iter().map(|hit| hit.header("range")).collect();
    assert_eq!(ranges, [None, Some("bytes=300000-")]);
    assert_eq!(hits[1].header("if-range"), Some(format!("\"{digest}\"").as_str()));
    assert_eq!(hits[1].header("accept-encoding"), Some("identity"));
    player.stop();
}

#[test]
fn wrong_bytes_are_refused_and_fetched_again() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    let other = b"another picture".as_slice();
    cloud.add_asset(other);
    cloud.world().chaos.wrong_bytes = true;
    cloud.publish(&manifest(2, &[("image/png", other)], vec![item("b", other)]));
    assert!(player.trouble("asset").contains("digest"));
    assert!(!player.rest().iter().any(|event| matches!(event, Event::Live(_))), "went live");
    cloud.world().chaos = Chaos::default();
    player.sync_now();
    assert_eq!(bytes_of(&player.live(2), other), other);
    player.stop();
}

#[test]
fn what_is_not_for_this_device_is_refused_and_the_old_plays_on() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    let stranger = SigningKey::from_bytes(&[1; 32]);
    let with = |version: u64, key: &str, value: Value| {
        let mut manifest = one_picture(version);
        manifest[key] = value;
        manifest
    };
    cloud.publish_signed(&one_picture(5), &stranger);
    player.trouble("manifest_signature");
    cloud.publish(&with(6, "tenant", json!("evil")));
    player.trouble("manifest_tenant");
    cloud.publish(&with(7, "device", json!("d2")));
    player.trouble("manifest_device");
    cloud.publish(&with(1, "issued_at", json!("2026-01-02T00:00:00Z")));
    player.sync_now();
    player.trouble("manifest_older");
    let refused = cloud.hits("GET /api/v3/manifest").len();
    player.sync_now();
    until("asked again", || cloud.hits("GET /api/v3/manifest").len() > refused);
    cloud.publish(&one_picture(2));
    let live = player.wait("live", |event| match event {
        Event::Trouble { code, .. } => panic!("{code} is said again"),
        Event::Live(live) => Some(Arc::clone(live)),
        _ => None,
    });
    assert_eq!(live.manifest.version, 2, "nothing refused went live before");
    player.stop();
}

#[test]
fn an_unchanged_manifest_costs_no_body() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    let before = cloud.hits("GET /api/v3/manifest").len();
    player.sync_now();
    until("asked again", || cloud.hits("GET /api/v3/manifest").len() > before);
    let hits = cloud.hits("GET /api/v3/manifest");
    assert!(hits.last().unwrap().header("if-none-match").is_some());
    player.stop();
}

#[test]
fn a_token_that_is_refused_is_replaced_by_the_device_key() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    cloud.world().tokens.clear();
    cloud.publish(&one_picture(2));
    player.sync_now();
    player.live(2);
    assert!(cloud.world().tokens.len() == 1, "one new token, no loop");
    player.stop();
}

#[test]
fn a_hint_brings_the_manifest_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    until("push channel", || !cloud.hits("GET /api/v3/events").is_empty());
    // The next poll is an hour away.
    cloud.publish(&one_picture(2));
    player.live(2);
    player.stop();
}

#[test]
fn a_record_is_kept_once_however_often_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    cloud.world().chaos.forget_to_acknowledge = true;
    for n in 1..=3 {
        player.sync.post(Request::Record(fault(n))).unwrap();
    }
    let posts = || cloud.hits("POST /api/v3/records").len();
    until("sent", || posts() > 0);
    until("sent again", || posts() > 1);
    until("kept", || (1..=3).all(|n| cloud.world().records.contains_key(&fault(n).id)));
    player.stop();
}

#[test]
fn records_of_a_day_offline_are_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    player.stop();
    let player = Player::start(options(dir.path(), None), tuning());
    for n in 1..=450 {
        player.sync.post(Request::Record(fault(n))).unwrap();
    }
    player.stop();
    let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
    until("all", || (1..=450).all(|n| cloud.world().records.contains_key(&fault(n).id)));
    player.stop();
}

#[test]
fn an_order_is_given_once_and_its_picture_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    let mut wanted = one_picture(2);
    wanted["orders"] = json!([
        { "id": "o1", "action": "screenshot", "expires_at": "2100-01-01T00:00:00Z" },
        { "id": "late", "action": "identify", "expires_at": "2020-01-01T00:00:00Z" },
    ]);
    cloud.publish(&wanted);
    let order = player.wait("order", |event| match event {
        Event::Order(order) => Some(order.id.clone()),
        _ => None,
    });
    assert_eq!(order, "o1");
    wanted["version"] = json!(3);
    cloud.publish(&wanted);
    player.live(3);
    let again = player.rest().into_iter().any(|event| matches!(event, Event::Order(_)));
    assert!(!again, "given twice");
    player.sync.post(Request::Screenshot { order, png: Arc::new(PNG.to_vec()) }).unwrap();
    let result = || {
        cloud.world().records.values().find_map(|record| match &record.body {
            Body::OrderResult(result) => Some((result.order.clone(), result.done)),
            _ => None,
        })
    };
    until("result", || result().is_some());
    assert_eq!(result(), Some(("o1".into(), true)));
    assert_eq!(cloud.world().screenshots["o1"], PNG);
    player.stop();
}

#[test]
fn an_order_cut_off_by_a_stop_is_reported_and_not_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    let mut wanted = one_picture(2);
    wanted["orders"] =
        json!([{ "id": "o1", "action": "identify", "expires_at": "2100-01-01T00:00:00Z" }]);
    cloud.publish(&wanted);
    player.wait("order", |event| matches!(event, Event::Order(_)).then_some(()));
    player.live(2);
    player.stop();
    let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
    until("result", || {
        cloud.world().records.values().any(
            |record| matches!(&record.body, Body::OrderResult(r) if r.order == "o1" && !r.done),
        )
    });
    assert!(!player.rest().iter().any(|event| matches!(event, Event::Order(_))), "done again");
    player.stop();
}

#[test]
fn a_removed_device_plays_on_and_the_next_tenant_finds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    let old = dir.path().join("assets");
    let files = |dir: &Path| -> usize {
        let homes = fs::read_dir(dir).unwrap().map(|home| home.unwrap().path());
        homes.map(|home| fs::read_dir(home).unwrap().count()).sum()
    };
    assert_eq!(files(&old), 1);
    {
        let mut world = cloud.world();
        (world.removed, world.approved) = (true, false);
        world.tokens.clear();
    }
    player.sync_now();
    player.wait("unpaired", |event| matches!(event, Event::Unpaired).then_some(()));
    player.pairing();
    assert_eq!(files(&old), 1, "content stays until there is a new tenant");
    {
        let mut world = cloud.world();
        (world.tenant, world.device) = ("other".into(), "d9".into());
        world.key = SigningKey::from_bytes(&[5; 32]);
        world.approved = true;
    }
    player.wait("empty screen", |event| match event {
        Event::Live(live) if live.manifest.version == 0 => Some(()),
        _ => None,
    });
    assert_eq!(files(&old), 0, "the other tenant's bytes");
    let mut theirs = one_picture(1);
    (theirs["tenant"], theirs["device"]) = (json!("other"), json!("d9"));
    cloud.publish(&theirs);
    player.sync_now();
    player.live(1);
    player.stop();
}

#[test]
fn a_device_that_moves_within_its_tenant_keeps_picture_and_records() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    {
        let mut world = cloud.world();
        (world.removed, world.approved) = (true, false);
        world.tokens.clear();
    }
    player.sync_now();
    player.wait("unpaired", |event| matches!(event, Event::Unpaired).then_some(()));
    player.sync.post(Request::Record(fault(1))).unwrap();
    // The new device's versions begin again; the file is here already.
    let mut moved = one_picture(1);
    moved["device"] = json!("d2");
    cloud.publish(&moved);
    {
        let mut world = cloud.world();
        (world.device, world.approved) = ("d2".into(), true);
    }
    let live = player.wait("live", |event| match event {
        Event::Live(live) => Some(Arc::clone(live)),
        _ => None,
    });
    assert_eq!((live.manifest.device.as_str(), live.manifest.version), ("d2", 1));
    assert_eq!(cloud.hits("GET /api/v3/assets/").len(), 1, "fetched once");
    until("record", || cloud.world().records.contains_key(&fault(1).id));
    player.stop();
}

#[test]
fn a_login_page_is_no_cloud() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    cloud.world().chaos.login_page = true;
    player.sync_now();
    let why = player.wait("offline", |event| match event {
        Event::Connection(Connection::Offline { why }) => Some(why.clone()),
        _ => None,
    });
    assert!(why.contains("text/html"), "{why}");
    cloud.world().chaos.login_page = false;
    cloud.publish(&one_picture(2));
    player.sync_now();
    player.live(2);
    player.stop();
}

#[test]
fn credentials_do_not_follow_to_another_origin() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, store) = (TestCloud::start(), TestCloud::start());
    cloud.approve();
    store.add_asset(PNG);
    cloud.world().chaos.redirect = Some(store.url.clone());
    cloud.publish(&one_picture(1));
    let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
    player.live(1);
    assert!(cloud.hits("GET /api/v3/assets/")[0].header("authorization").is_some());
    let hit = &store.hits("GET /elsewhere/")[0];
    assert_eq!((hit.header("authorization"), hit.header("x-tenant")), (None, None));
    player.stop();
}

#[test]
fn a_redirect_into_cleartext_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = TestCloud::start();
    cloud.approve();
    cloud.world().chaos.redirect = Some("http://cloud.example".into());
    cloud.publish(&one_picture(1));
    let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
    until("asked", || !cloud.hits("GET /api/v3/assets/").is_empty());
    cloud.world().chaos.redirect = None;
    cloud.add_asset(PNG);
    player.sync_now();
    player.live(1);
    player.stop();
}

#[test]
fn stop_does_not_wait_for_a_cloud_that_never_answers() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    cloud.world().chaos.silent = true;
    player.sync_now();
    let before = cloud.hits("GET /api/v3/manifest").len();
    until("asked", || {
        player.sync_now();
        cloud.hits("GET /api/v3/manifest").len() > before
    });
    player.sync.post(Request::Record(fault(7))).unwrap();
    player.stop();
    // What was posted before the stop is kept.
    cloud.world().chaos.silent = false;
    let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
    until("record", || cloud.world().records.contains_key(&fault(7).id));
    player.stop();
}

#[test]
fn wrong_settings_cost_the_cloud_and_not_the_picture() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    player.stop();
    let no_file = dir.path().join("gone.pem");
    for (case, url, ca_file) in [
        ("no address", "cloud", None),
        ("cleartext", "http://cloud.example", None),
        ("name and password", "https://a:b@cloud.example", None),
        ("no authority", cloud.url.as_str(), Some(no_file)),
    ] {
        let mut options = options(dir.path(), Some(url));
        options.ca_file = ca_file;
        let player = Player::start(options, tuning());
        assert!(player.started().is_some(), "case {case:?}");
        player.trouble("cloud_settings");
        player.stop();
    }
}

#[test]
fn one_state_directory_has_one_agent() {
    let dir = tempfile::tempdir().unwrap();
    let player = Player::start(options(dir.path(), None), tuning());
    let clock = Arc::new(rig::clock());
    let second = vitrine_sync::Sync::start(options(dir.path(), None), tuning(), clock, drop);
    assert!(second.unwrap_err().to_string().contains("another process"));
    player.stop();
}
