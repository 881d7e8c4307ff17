//! Manifests that must not be believed: each is refused with a record, and the screen plays on.

use std::fs;

use ed25519_dalek::SigningKey;
use serde_json::Value;
use vitrine_tests::forge::{Forger, remake};
use vitrine_tests::patience::until;
use vitrine_tests::player::Player;
use vitrine_wire::auth::key_from_der;

use crate::stage_set::{RED, SCREEN, Set, shows, until_colour};

/// The tenant's own key, as an attacker who broke into the cloud would have it: to show that the
/// signature alone is not what refuses a manifest for somebody else.
fn tenant_key(set: &Set) -> SigningKey {
    let keys = fs::read_dir(set.cloud.data().join("keys")).unwrap();
    let raw = fs::read(keys.flatten().next().unwrap().path()).unwrap();
    <[u8; 32]>::try_from(raw.as_slice())
        .map(|seed| SigningKey::from_bytes(&seed))
        .unwrap_or_else(|_| key_from_der(&raw).unwrap())
}

fn setting() -> (Set, Forger, Player) {
    let set = Set::new();
    let forger = Forger::start(set.cloud.url()).unwrap();
    let player = set.paired_player_by(forger.url(), SCREEN, None);
    set.tenant.play(&[set.still("red", RED)], "1s").unwrap();
    until_colour(&player, RED);
    (set, forger, player)
}

fn refused(code: &str, key: impl Fn(&Set) -> SigningKey, change: impl Fn(&mut Value)) {
    let (set, forger, player) = setting();
    let before = player.status().unwrap()["manifest_version"].clone();
    let genuine = forger.genuine().unwrap();
    forger.forge(Some(remake(&genuine, &key(&set), change)));
    player.ask(&["sync", "now"]).unwrap();
    until("the forged manifest was fetched", || (forger.served() > 0).then_some(()));
    until(&format!("the cloud has a fault record {code}"), || {
        set.records("fault").iter().any(|fault| fault["code"] == code).then_some(())
    });
    assert_eq!(player.status().unwrap()["manifest_version"], before);
    assert!(shows(&player, RED), "the old content went off the screen");
}

fn live(manifest: &Value) -> u64 {
    manifest["version"].as_u64().unwrap()
}

fn empty_and_newer(manifest: &mut Value) {
    manifest["version"] = (live(manifest) + 10).into();
    manifest["schedule"] = Value::Array(vec![]);
}

#[test]
fn signed_by_a_stranger() {
    refused("manifest_signature", |_| SigningKey::from_bytes(&[7; 32]), empty_and_newer);
}

#[test]
fn for_another_tenant() {
    refused("manifest_tenant", tenant_key, |manifest| {
        empty_and_newer(manifest);
        manifest["tenant"] = "other".into();
    });
}

#[test]
fn for_another_device() {
    refused("manifest_device", tenant_key, |manifest| {
        empty_and_newer(manifest);
        manifest["device"] = "other".into();
    });
}

#[test]
fn older_than_what_plays() {
    refused("manifest_older", tenant_key, |manifest| {
        let version = live(manifest);
        empty_and_newer(manifest);
        manifest["version"] = (version - 1).into();
    });
}

/// The negative control: the same change, genuine in every respect, does go live. Without it the
/// tests above would pass on a player that ignores every manifest.
#[test]
fn control_the_genuine_one_is_taken() {
    let (set, forger, player) = setting();
    let genuine = forger.genuine().unwrap();
    forger.forge(Some(remake(&genuine, &tenant_key(&set), empty_and_newer)));
    player.ask(&["sync", "now"]).unwrap();
    player.until_status("the screen has nothing to show", |status| {
        status["showing"].as_array().is_some_and(Vec::is_empty)
    });
}
