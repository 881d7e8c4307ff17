//! Several displays, seen from the glass.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use image::{Rgb, RgbImage};
use vitrine_tests::display::Display;
use vitrine_tests::kiosk::Kiosk;
use vitrine_tests::patience::until;
use vitrine_tests::picture;
use vitrine_tests::player::Player;
use vitrine_tests::process::{Process, binary};

use crate::stage_set::{GREEN, RED, Set, TOLERANCE, still_at};

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

const EACH: &str = "displays = \"each\"\n";

/// A player of a tenant whose first display plays red; green is for the second one. Its displays are
/// where this variable of its environment says, and set like this.
fn playing(set: &Set, (variable, server): (&str, &OsStr), screen: &str) -> Player {
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
    Player::configure(&dir, set.cloud.url(), "fullscreen", screen).unwrap();
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
    let _player = playing(&set, ("WAYLAND_DISPLAY", kiosk.socket().as_os_str()), EACH);
    until("both displays show their own", || {
        let seen = kiosk.picture().ok()?;
        let right = |x, colour| picture::near(picture::at(&seen, x, 0.5), colour, TOLERANCE);
        (right(0.01, RED) && right(0.49, RED) && right(0.51, GREEN) && right(0.99, GREEN))
            .then_some(())
    });
}

/// Waits until the glass has this extent, and in these places these colours.
#[track_caller]
fn until_seen(what: &str, display: &Display, size: (u32, u32), places: &[((u32, u32), [u8; 3])]) {
    until(what, || {
        let seen = display.picture().ok().filter(|seen| seen.dimensions() == size)?;
        let right = |((x, y), colour): &((u32, u32), _)| {
            picture::near(*seen.get_pixel(*x, *y), *colour, TOLERANCE)
        };
        places.iter().all(right).then_some(())
    });
}

fn plug_second(display: &Display) {
    display.xrandr(&["--addmode", "DUMMY1", "320x180"]).unwrap();
    let beside = ["--output", "DUMMY1", "--mode", "320x180", "--right-of", "DUMMY0"];
    display.xrandr(&beside).unwrap();
}

#[test]
fn a_display_that_comes_or_goes_costs_no_other_one_its_picture() {
    let set = Set::new();
    let display = Display::with_plugs(set.path()).unwrap();
    let plug = |args: &[&str]| display.xrandr(args).unwrap();
    let player = playing(&set, ("DISPLAY", OsStr::new(display.name())), EACH);
    let (alone, both) = ((320, 180), (640, 180));
    let red = [((5, 5), RED), ((315, 175), RED)];
    until_seen("the only display plays", &display, alone, &red);
    for round in ["plugged", "plugged again"] {
        plug_second(&display);
        let own = [red[0], red[1], ((325, 5), GREEN), ((635, 175), GREEN)];
        until_seen(&format!("a second display is {round}"), &display, both, &own);
        plug(&["--output", "DUMMY1", "--off"]);
        until_seen("it is pulled", &display, alone, &red);
    }
    plug_second(&display);
    until_seen("both", &display, both, &[((5, 5), RED), ((325, 5), GREEN)]);
    // The first one, on which the only window was at first.
    plug(&["--output", "DUMMY0", "--off", "--output", "DUMMY1", "--pos", "0x0"]);
    until_seen("the other one is pulled", &display, alone, &red);
    // A window goes with a display that changes.
    plug(&["--addmode", "DUMMY1", "640x360"]);
    plug(&["--output", "DUMMY1", "--mode", "640x360"]);
    until_seen("it is larger", &display, (640, 360), &[((5, 5), RED), ((635, 355), RED)]);
    let status = player.glance().unwrap();
    assert_eq!(status["troubles"].as_array().map(Vec::len), Some(0), "{status}");
}

#[test]
fn without_a_gpu_a_display_plugged_in_later_has_the_card_too() {
    let dir = tempfile::tempdir().unwrap();
    let display = Display::with_plugs(dir.path()).unwrap();
    let red = still_at(dir.path(), "red", RED);
    let mut command = Command::new(binary("vitrine"));
    command.args(["play", "--audio", "none", "--displays", "mirror"]).arg(&red);
    command.env("DISPLAY", display.name()).env_remove("WAYLAND_DISPLAY");
    command.env("WGPU_BACKEND", "vulkan").env("VK_ICD_FILENAMES", "/dev/null");
    let _player = Process::start(command, "play", dir.path()).unwrap();
    let card = until("the only display has the card", || {
        display.picture().ok().filter(|seen| picture::blackness(seen) < 0.1)
    });
    plug_second(&display);
    until("the second one has it, too", || {
        let seen = display.picture().ok().filter(|seen| seen.dimensions() == (640, 180))?;
        let second = image::imageops::crop_imm(&seen, 320, 0, 320, 180).to_image();
        (picture::outliers(&second, &card, TOLERANCE) == 0.0).then_some(())
    });
}

#[test]
fn a_mode_is_taken_when_the_display_lists_it() {
    let set = Set::new();
    let display = Display::with_plugs(set.path()).unwrap();
    let at = ("DISPLAY", OsStr::new(display.name()));
    let player = playing(&set, at, "mode = \"640x360\"\n");
    let whole = [((5, 5), RED), ((635, 355), RED)];
    until_seen("the mode is the one asked for", &display, (640, 360), &whole);
    let other = "mode = \"644x360\"\n";
    Player::configure(player.dir(), set.cloud.url(), "fullscreen", other).unwrap();
    let status = player.until_status("the refusal is told", |status| {
        status["troubles"].to_string().contains("display_refused")
    });
    let told = status["troubles"].to_string();
    assert!(told.contains("DUMMY0 has no mode 644x360"), "{told}");
    assert!(told.contains("320x180@156.25") && told.contains("640x360@59.32"), "{told}");
    until_seen("it goes on as it was", &display, (640, 360), &whole);
    Player::configure(player.dir(), set.cloud.url(), "fullscreen", "").unwrap();
    let own = [((5, 5), RED), ((315, 175), RED)];
    until_seen("without a wish it has its own", &display, (320, 180), &own);
}

/// Its displays without hardware list no mode; Debian 12's has no protocol for it either.
#[test]
fn under_cage_a_mode_that_cannot_be_had_is_told_and_costs_no_picture() {
    let set = Set::new();
    // Two: of a window on its only display, Debian 12's lets grim see black.
    let kiosk = Kiosk::start(2).unwrap();
    let at = ("WAYLAND_DISPLAY", kiosk.socket().into_os_string());
    let player = playing(&set, (at.0, &at.1), "mode = \"640x360\"\n");
    let status = player.until_status("the refusal is told", |status| {
        status["troubles"].to_string().contains("display_refused")
    });
    let told = status["troubles"].to_string();
    assert!(told.contains("screen.mode: "), "{told}");
    assert!(told.contains("has no mode 640x360") || told.contains("use cage 0.2"), "{told}");
    until("the picture is there", || {
        let seen = kiosk.picture().ok().filter(|seen| seen.dimensions() == (2560, 720))?;
        picture::near(picture::at(&seen, 0.25, 0.5), RED, TOLERANCE).then_some(())
    });
}

/// Wider than the 4096 pixels that every GPU draws; the software one draws more.
const WIDE: (u32, u32) = (5120, 2160);

/// Plays a still of this shape that is red all over, in full screen.
fn red(
    dir: &Path,
    (variable, server): (&str, &OsStr),
    (displays, shape): (&str, (u32, u32)),
) -> Process {
    let red = dir.join("red.png");
    RgbImage::from_pixel(shape.0 / 40, shape.1 / 40, Rgb(RED)).save(&red).unwrap();
    let mut command = Command::new(binary("vitrine"));
    command.args(["play", "--audio", "none", "--displays", displays]).arg(&red);
    command.env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY").env(variable, server);
    Process::start(command, "play", dir).unwrap()
}

/// Whether `seen` is red from edge to edge of its only display.
fn is_filled(seen: &RgbImage) -> bool {
    let shares = [0.0, 0.01, 0.5, 0.99, 1.0];
    let near = |x, y| picture::near(picture::at(seen, x, y), RED, TOLERANCE);
    shares.iter().all(|x| shares.iter().all(|y| near(*x, *y)))
}

#[test]
fn a_display_wider_than_every_gpu_draws_is_filled() {
    let dir = tempfile::tempdir().unwrap();
    let display = Display::start(WIDE.0, WIDE.1).unwrap();
    let player = red(dir.path(), ("DISPLAY", OsStr::new(display.name())), ("first", WIDE));
    until("it is filled under X11", || is_filled(&display.picture().ok()?).then_some(()));
    drop(player);
    let kiosk = Kiosk::with_modes(&[WIDE]).unwrap();
    let _player = red(dir.path(), ("WAYLAND_DISPLAY", kiosk.socket().as_os_str()), ("first", WIDE));
    until("it is filled under Wayland", || {
        let seen = kiosk.picture().ok().filter(|seen| seen.dimensions() == WIDE)?;
        is_filled(&seen).then_some(())
    });
}

/// Its windows hear of one extent after the other, before they have drawn in the first one and after.
#[test]
fn displays_that_change_while_windows_open_are_filled_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let kiosk = Kiosk::with_modes(&[(1280, 720), (1280, 720)]).unwrap();
    for round in 1..=3 {
        let at = ("WAYLAND_DISPLAY", kiosk.socket().into_os_string());
        let _player = red(dir.path(), (at.0, &at.1), ("mirror", (1280, 720)));
        for size in [(640, 360), (1920, 1080), (800, 450), (1280, 720), (1600, 900)] {
            kiosk.change(2, size).unwrap();
            kiosk.change(1, (size.1 * 16 / 9, size.1)).unwrap();
        }
        kiosk.change(1, (1280, 720)).unwrap();
        kiosk.change(2, (1920, 1080)).unwrap();
        until(&format!("round {round}: both are filled"), || {
            let seen = kiosk.picture().ok().filter(|seen| seen.dimensions() == (3200, 1080))?;
            let part =
                |x, width, height| image::imageops::crop_imm(&seen, x, 0, width, height).to_image();
            let filled = is_filled(&part(0, 1280, 720)) && is_filled(&part(1280, 1920, 1080));
            filled.then_some(())
        });
    }
}
