//! Several displays, seen from the glass.

use std::process::Command;

use image::{Rgb, RgbImage};
use vitrine_tests::kiosk::Kiosk;
use vitrine_tests::patience::until;
use vitrine_tests::picture;
use vitrine_tests::process::{Process, binary};

use crate::stage_set::{GREEN, RED, TOLERANCE};

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
