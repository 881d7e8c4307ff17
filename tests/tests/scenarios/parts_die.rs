//! Parts are killed: each costs at most what it was doing.

use rustix::process::Signal;
use vitrine_tests::patience::until;
use vitrine_tests::process::{is_alive, kill};

use crate::stage_set::{GREEN, RED, SCREEN, Set, until_colour, video};

#[test]
fn a_killed_media_worker_costs_at_most_its_item() {
    let set = Set::new();
    let mut player = set.paired_player(SCREEN);
    let files = [video("h264.mp4"), set.still("red", RED)];
    set.tenant.play(&files, "1s").unwrap();
    player.until_status("the video plays", |status| {
        status["showing"][0]["label"].as_str().is_some_and(|label| label.contains("h264"))
    });
    let (agent, stage) = (player.process().pid(), player.process().family_with(" stage"));
    for worker in player.process().family_with("media-worker") {
        kill(worker, Signal::KILL);
    }
    until_colour(&player, RED);
    player.until_status("the video plays again", |status| {
        status["showing"][0]["label"].as_str().is_some_and(|label| label.contains("h264"))
    });
    assert_eq!(player.process().family_with(" stage"), stage, "the stage went with it");
    assert!(is_alive(agent));
}

#[test]
fn a_killed_stage_is_back_on_the_right_item_while_the_agent_goes_on() {
    let set = Set::new();
    let mut player = set.paired_player(SCREEN);
    set.tenant.play(&[set.still("green", GREEN)], "600s").unwrap();
    until_colour(&player, GREEN);
    let agent = player.process().pid();
    let stage = player.process().family_with(" stage");
    assert_eq!(stage.len(), 1, "{stage:?}");
    kill(stage[0], Signal::KILL);
    let again = until("another stage is there", || {
        let now = player.process().family_with(" stage");
        (now.len() == 1 && now != stage).then_some(now)
    });
    until_colour(&player, GREEN);
    assert!(is_alive(agent) && is_alive(again[0]));
    until("the cloud has a fault record of it", || {
        set.records("fault").iter().any(|fault| fault["code"] == "stage_died").then_some(())
    });
}
