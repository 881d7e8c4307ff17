//! A step back by order: what it brings back stays until there is something else to show.

use vitrine_tests::patience::until;
use vitrine_tests::player::Player;

use crate::stage_set::{BLUE, GREEN, RED, SCREEN, Set, shows, until_colour};

/// Gives an order and waits until the cloud has the answer.
fn order(set: &Set, action: &str) {
    let made = set.tenant.operator_json(&["order", &set.device(), action]).unwrap();
    let answered = until(&format!("{action} is answered"), || {
        let results = set.records("order_result");
        results.into_iter().find(|result| result["order"] == made["order"])
    });
    assert_eq!(answered["done"], true, "{answered}");
}

#[test]
fn what_a_rollback_brought_back_stays_until_something_else_is_published() {
    let set = Set::new();
    let player = set.paired_player(SCREEN);
    set.tenant.play(&[set.still("red", RED)], "1s").unwrap();
    until_colour(&player, RED);
    set.tenant.play(&[set.still("blue", BLUE)], "1s").unwrap();
    until_colour(&player, BLUE);

    order(&set, "rollback");
    until_colour(&player, RED);
    // Polls, another order, a publication without news.
    player.ask(&["sync", "now"]).unwrap();
    order(&set, "screenshot");
    set.tenant.operator(&["publish"]).unwrap();
    player.ask(&["sync", "now"]).unwrap();
    assert!(shows(&player, RED));

    let dir = player.dir().to_owned();
    drop(player);
    let player = Player::start(&dir, None).unwrap();
    until_colour(&player, RED);
    player.ask(&["sync", "now"]).unwrap();
    assert!(shows(&player, RED), "the control follows: it does take what is new");

    set.tenant.play(&[set.still("green", GREEN)], "1s").unwrap();
    until_colour(&player, GREEN);
}
