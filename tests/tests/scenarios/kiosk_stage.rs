//! Stages that somebody else starts, as the kiosk's service does.

use std::process::Command;

use rustix::process::Signal;
use vitrine_tests::patience::until;
use vitrine_tests::player::Player;
use vitrine_tests::process::{Process, binary, kill};

use crate::stage_set::{GREEN, RED, Set, until_colour};

/// A stage beside the player, as `systemd/screen` starts it.
fn stage(player: &Player, name: &str) -> Process {
    let mut command = Command::new(binary("vitrine"));
    command.args(["stage", "--take-over", "--offscreen", "320x180", "--socket"]);
    command.arg(player.dir().join("run/stage.sock"));
    command.env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY");
    Process::start(command, name, player.dir()).unwrap()
}

#[test]
fn a_stage_relieved_by_another_has_not_died_and_a_killed_one_has() {
    let set = Set::new();
    let player = set.paired_player("external");
    let mut old = stage(&player, "old");
    set.tenant.play(&[set.still("red", RED)], "600s").unwrap();
    until_colour(&player, RED);

    let new = stage(&player, "new");
    old.ended(std::time::Duration::from_secs(60)).expect("it is relieved");
    set.tenant.play(&[set.still("green", GREEN)], "600s").unwrap();
    until_colour(&player, GREEN);
    // Records go up in their order: with this one, all before it are there.
    set.tenant.operator(&["order", "lobby", "identify"]).unwrap();
    until("the order is done", || (!set.records("order_result").is_empty()).then_some(()));
    let died = || set.records("fault").iter().any(|fault| fault["code"] == "stage_died");
    assert!(!died(), "it was relieved: {:?}", set.records("fault"));

    kill(new.pid(), Signal::KILL);
    until("the cloud hears of the death", || died().then_some(()));
}
