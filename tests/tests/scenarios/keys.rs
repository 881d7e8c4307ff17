//! The tenant's key is replaced: screens follow, the one on line and the one that was off, and the old
//! key is worth nothing any more.

use std::fs;

use vitrine_tests::chaos::Relay;
use vitrine_tests::forge::{Forger, remake};
use vitrine_tests::patience::until;
use vitrine_tests::player::Player;
use vitrine_wire::auth::key_from_der;

use crate::stage_set::{BLUE, GREEN, RED, SCREEN, Set, shows, until_colour};

fn rotate(set: &Set) {
    set.cloud.admin(&["tenant", "rotate-key", "acme"]).unwrap();
}

fn followed(set: &Set) -> usize {
    set.records("fault").iter().filter(|fault| fault["code"] == "tenant_key_rotated").count()
}

#[test]
fn a_screen_follows_on_line_and_after_two_keys_off_line() {
    let set = Set::new();
    let relay = Relay::start(set.cloud.address()).unwrap();
    let url = format!("http://{}", relay.address());
    let player = set.paired_player_by(&url, SCREEN, None);
    set.tenant.play(&[set.still("red", RED)], "1s").unwrap();
    until_colour(&player, RED);
    rotate(&set);
    until("it follows", || (followed(&set) == 1).then_some(()));
    set.tenant.play(&[set.still("blue", BLUE)], "1s").unwrap();
    until_colour(&player, BLUE);

    relay.set_down(true);
    rotate(&set);
    rotate(&set);
    set.tenant.play(&[set.still("green", GREEN)], "1s").unwrap();
    let dir = player.dir().to_owned();
    drop(player);
    let player = Player::start(&dir, None).unwrap();
    until_colour(&player, BLUE);
    relay.set_down(false);
    player.ask(&["sync", "now"]).unwrap();
    until_colour(&player, GREEN);
    until("it follows two keys at once", || (followed(&set) == 2).then_some(()));
}

#[test]
fn a_stolen_key_is_worth_nothing_once_it_is_replaced() {
    let set = Set::new();
    let stolen = fs::read(set.cloud.data().join("keys/acme.key")).unwrap();
    let stolen = key_from_der(&stolen).unwrap();
    let forger = Forger::start(set.cloud.url()).unwrap();
    let player = set.paired_player_by(forger.url(), SCREEN, None);
    set.tenant.play(&[set.still("red", RED)], "1s").unwrap();
    until_colour(&player, RED);
    rotate(&set);
    until("it follows", || (followed(&set) == 1).then_some(()));
    let forged = remake(&forger.genuine().unwrap(), &stolen, |manifest| {
        manifest["version"] = 1_000.into();
        manifest["schedule"] = serde_json::Value::Array(vec![]);
    });
    forger.forge(Some(forged));
    player.ask(&["sync", "now"]).unwrap();
    until("the cloud has the fault record", || {
        set.records("fault").iter().any(|f| f["code"] == "manifest_signature").then_some(())
    });
    assert!(shows(&player, RED), "the thief took the content off the screen");
    // The control: by the key that is in force the same is taken.
    let newest = fs::read(set.cloud.data().join("keys/acme.2.key")).unwrap();
    let genuine = remake(&forger.genuine().unwrap(), &key_from_der(&newest).unwrap(), |manifest| {
        manifest["version"] = 1_000.into();
        manifest["schedule"] = serde_json::Value::Array(vec![]);
    });
    forger.forge(Some(genuine));
    player.ask(&["sync", "now"]).unwrap();
    player.until_status("the screen has nothing to show", |status| {
        status["showing"].as_array().is_some_and(Vec::is_empty)
    });
}
