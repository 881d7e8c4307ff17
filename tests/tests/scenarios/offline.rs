//! No network, no store: the player starts and plays from what it has.

use vitrine_tests::chaos::Relay;
use vitrine_tests::player::Player;

use crate::stage_set::{BLUE, RED, SCREEN, Set, until_colour};

#[test]
fn a_restart_with_the_cloud_gone_plays_from_the_store() {
    let set = Set::new();
    let relay = Relay::start(set.cloud.address()).unwrap();
    let url = format!("http://{}", relay.address());
    let player = set.paired_player_by(&url, SCREEN, None);
    set.tenant.play(&[set.still("red", RED)], "1s").unwrap();
    until_colour(&player, RED);
    let dir = player.dir().to_owned();
    drop(player);

    relay.set_down(true);
    let player = Player::start(&dir, None).unwrap();
    until_colour(&player, RED);
    let offline = |status: &serde_json::Value| {
        status["connection"].as_str().is_some_and(|text| text.starts_with("offline"))
    };
    player.until_status("it says that it is offline", offline);

    relay.set_down(false);
    let online = |status: &serde_json::Value| {
        status["connection"].as_str().is_some_and(|text| text.starts_with("online"))
    };
    player.ask(&["sync", "now"]).unwrap();
    player.until_status("it is online again", online);
}

#[test]
fn a_restart_with_the_store_in_other_hands_plays_what_was_live_until_it_is_free() {
    let set = Set::new();
    let player = set.paired_player(SCREEN);
    set.tenant.play(&[set.still("red", RED)], "1s").unwrap();
    until_colour(&player, RED);
    let dir = player.dir().to_owned();
    drop(player);

    let lock = std::fs::File::options().append(true).open(dir.join("state/store.lock")).unwrap();
    lock.lock().unwrap();
    let player = Player::start(&dir, None).unwrap();
    until_colour(&player, RED);
    let status = player.until_status("it says why it does not sync", |status| {
        status["troubles"].to_string().contains("held by another process")
    });
    assert_eq!(status["tenant"], "acme", "{status}");
    drop(lock);
    set.tenant.play(&[set.still("blue", BLUE)], "1s").unwrap();
    until_colour(&player, BLUE);
}
