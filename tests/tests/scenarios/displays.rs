//! Several displays, seen from the glass.

use std::ffi::OsStr;
use std::process::Command;

use image::{Rgb, RgbImage};
use vitrine_tests::kiosk::Kiosk;
use vitrine_tests::patience::until;
use vitrine_tests::picture;
use vitrine_tests::player::Player;
use vitrine_tests::process::{Process, binary};

use crate::stage_set::{GREEN, RED, Set, TOLERANCE};

/// The kiosk's compositor lays every window on all displays.
#[test]
fn under_cage_each_display_shows_its_part() {
    let dir = tempfile::tempdir().unwrap();
    let kiosk = Kiosk::start(2).unwrap();
    // Left half red, right half green, in the shape of both displays together.
    let wide = dir.path().join("wide.png");
    let half = |x: u32, _| Rgb(if x < 64 { RED } else { GREEN });
    RgbImage::from_fn(128, 36, half).save(&wide).unwrap();
    for (displays, wanted) in [
        ("extend", [RED, RED, GREEN, GREEN]),
        ("mirror", [RED, GREEN, RED, GREEN]),
        // None can be left out there.
        ("first", [RED, GREEN, RED, GREEN]),
    ] {
        let mut command = Command::new(binary("vitrine"));
        command.args(["play", "--audio", "none", "--displays", displays]).arg(&wide);
        command.env("WAYLAND_DISPLAY", kiosk.socket()).env_remove("DISPLAY");
        let _player = Process::start(command, displays, dir.path()).unwrap();
        until(&format!("both displays show their part of {displays:?}"), || {
            let seen = kiosk.picture().ok()?;
            let quarters = [0.125, 0.375, 0.625, 0.875].map(|x| picture::at(&seen, x, 0.5));
            let right = |(seen, wanted)| picture::near(seen, wanted, TOLERANCE);
            quarters.into_iter().zip(wanted).all(right).then_some(())
        });
    }
}

/// A player of a tenant whose first display plays red; green is for the second one. Its displays are
/// where this variable of its environment says.
fn each(set: &Set, (variable, server): (&str, &OsStr)) -> Player {
    for (name, colour) in [("red", RED), ("green", GREEN)] {
        let file = set.still(name, colour).to_string_lossy().into_owned();
        set.tenant.operator(&["asset", "add", &file]).unwrap();
        let item = format!("{file},duration=1h,fit=stretch");
        set.tenant.operator(&["playlist", "set", name, "--item", &item]).unwrap();
    }
    let second = "green,display=2";
    set.tenant.operator(&["schedule", "set", "--entry", "red", "--entry", second]).unwrap();
    set.tenant.operator(&["publish"]).unwrap();
    let dir = set.path().join("player");
    Player::configure(&dir, set.cloud.url(), "fullscreen", "displays = \"each\"\n").unwrap();
    let mut command = Player::command(&dir);
    command.env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY").env_remove("NOTIFY_SOCKET");
    command.env(variable, server);
    let player = Player::start_with(command, &dir).unwrap();
    set.approve(&player);
    player
}

#[test]
fn under_cage_each_display_has_its_own_schedule() {
    let set = Set::new();
    let kiosk = Kiosk::start(2).unwrap();
    let _player = each(&set, ("WAYLAND_DISPLAY", kiosk.socket().as_os_str()));
    until("both displays show their own", || {
        let seen = kiosk.picture().ok()?;
        let right = |x, colour| picture::near(picture::at(&seen, x, 0.5), colour, TOLERANCE);
        (right(0.01, RED) && right(0.49, RED) && right(0.51, GREEN) && right(0.99, GREEN))
            .then_some(())
    });
}
