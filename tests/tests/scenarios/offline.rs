//! No network: the player starts and plays from what it has.

use vitrine_tests::chaos::Relay;
use vitrine_tests::player::Player;

use crate::stage_set::{RED, SCREEN, Set, until_colour};

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
