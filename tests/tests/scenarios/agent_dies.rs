//! The agent is killed: the picture stays, and nothing that was acknowledged is lost.

use std::collections::BTreeSet;

use rustix::process::Signal;
use vitrine_tests::display::Display;
use vitrine_tests::patience::{until, wait_for};
use vitrine_tests::picture;
use vitrine_tests::player::Player;
use vitrine_tests::process::is_alive;

use crate::stage_set::{GREEN, RED, SCREEN, Set, TOLERANCE, until_colour};

#[test]
fn a_killed_agent_leaves_the_picture_up() {
    let set = Set::new();
    let display = Display::start(320, 180).unwrap();
    let mut player = set.paired_player_by(set.cloud.url(), "fullscreen", Some(&display));
    set.tenant.play(&[set.still("red", RED)], "600s").unwrap();
    until_colour(&player, RED);
    let stage = player.process().family_with(" stage");
    player.process().signal(Signal::KILL);
    player.process().ended(std::time::Duration::from_secs(5)).expect("killed");
    assert!(is_alive(stage[0]), "the stage went with the agent");
    let seen = display.picture().unwrap();
    assert!(picture::near(picture::at(&seen, 0.5, 0.5), RED, TOLERANCE), "the picture is gone");

    let mut heir = Player::start(player.dir(), Some(display.name())).unwrap();
    heir.until_status("the new agent has the old stage", |status| {
        status["stage"].as_str().is_some_and(|text| text.contains(&stage[0].to_string()))
    });
    set.tenant.play(&[set.still("green", GREEN)], "600s").unwrap();
    until_colour(&heir, GREEN);
    assert_eq!(heir.process().family_with(" stage").len(), 0, "a second stage was started");
}

/// Twenty kills at moments that depend on the machine's load, spread over what a player does.
/// After each: versions never go down, what the cloud has acknowledged stays, what plays is whole.
#[test]
fn twenty_kills_lose_nothing_that_was_acknowledged() {
    let set = Set::new();
    let mut player = set.paired_player(SCREEN);
    let (mut version, mut known) = (0, BTreeSet::new());
    for kill in 0..20u32 {
        let still = set.still(&format!("still-{kill}"), [kill as u8 * 10, 80, 80]);
        set.tenant.play(&[still, set.still("green", GREEN)], "500ms").unwrap();
        let goal = 1 + u64::from(kill % 4) * 2;
        wait_for(std::time::Duration::from_millis(300 * goal), || {
            let status = player.status()?;
            (status["showing"][0]["turn"].as_u64()? > 100 * goal).then_some(())
        });
        let status = player.status();
        player.process().signal(Signal::KILL);
        let _ = player.process().ended(std::time::Duration::from_secs(5));
        let seen = status.and_then(|s| s["manifest_version"].as_u64()).unwrap_or(0);
        let acknowledged: BTreeSet<String> = ids(&set);
        assert!(acknowledged.is_superset(&known), "the cloud forgot records");
        known = acknowledged;

        player = Player::start(player.dir(), None).unwrap();
        let after = player.until_status("it is back", |status| {
            status["manifest_version"].as_u64() >= Some(seen.max(version))
        });
        assert!(after["user_code"].is_null(), "kill {kill}: it forgot that it was paired: {after}");
        version = after["manifest_version"].as_u64().unwrap_or(0);
    }
    until_colour(&player, GREEN);
    let twice = until("records go on", || {
        let all = set.records("proof_of_play");
        (all.len() > 20).then_some(all)
    });
    let distinct: BTreeSet<String> = twice.iter().map(|r| r["id"].to_string()).collect();
    assert_eq!(distinct.len(), twice.len(), "a record was kept twice");
}

fn ids(set: &Set) -> BTreeSet<String> {
    set.records("proof_of_play").iter().map(|record| record["id"].to_string()).collect()
}
