//! What is seen on a display, and nothing else.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use vitrine_tests::display::{Display, Window};
use vitrine_tests::glass::watch;
use vitrine_tests::patience::until;
use vitrine_tests::picture;
use vitrine_tests::process::{Process, binary};
use vitrine_tests::reel::Reel;

use crate::stage_set::{GREEN, RED, TOLERANCE, still_at, video};

/// For what ends by itself.
const PATIENCE: Duration = Duration::from_secs(10);

fn play(display: &Display, dir: &std::path::Path, args: &[&str]) -> Process {
    let mut command = Command::new(binary("vitrine"));
    command.arg("play").args(args).args(["--audio", "none"]);
    command.env("DISPLAY", display.name()).env_remove("WAYLAND_DISPLAY");
    Process::start(command, "play", dir).unwrap()
}

/// The short form of `./dev bench changes`.
#[test]
fn one_item_follows_the_other_with_nothing_between() {
    let dir = tempfile::tempdir().unwrap();
    let media = video("gap-30.mp4");
    let reel = Reel::make(media.parent().unwrap(), dir.path()).unwrap();
    let display = Display::start(96, 64).unwrap();
    let mut args: Vec<&str> = reel.files.iter().map(|path| path.to_str().unwrap()).collect();
    args.extend(["--windowed", "96x64", "--image-duration", "500ms"]);
    let mut player = play(&display, dir.path(), &args);
    let oracle = watch(&display, &reel.items, 14).unwrap();
    for change in oracle.changes() {
        assert!(change.foreign.is_zero() && change.in_order, "{change:?}");
    }
    player.signal(Signal::TERM);
    player.ended(PATIENCE).expect("it ends");
}

#[test]
fn a_window_has_its_picture_again_whatever_is_done_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let display = Display::start(320, 180).unwrap();
    let red = still_at(dir.path(), "red", RED);
    let _player = play(&display, dir.path(), &[red.to_str().unwrap(), "--windowed", "160x90"]);
    let window = until("there is a window", || display.window("Vitrine").ok().flatten());
    let shows = |what: &str, (width, height): (u16, u16)| {
        until(&format!("the window shows its picture {what}"), || {
            let seen = window.picture().ok()?;
            let right = seen.dimensions() == (width.into(), height.into())
                && picture::near(picture::at(&seen, 0.5, 0.5), RED, TOLERANCE);
            right.then_some(())
        });
    };
    shows("at first", (160, 90));
    for size in [(64, 36), (1, 1), (300, 170), (17, 171)] {
        window.resize(size).unwrap();
        shows(&format!("at {size:?}"), size);
    }
    for size in [(40, 20), (160, 90), (2, 2), (200, 100)] {
        window.resize(size).unwrap();
    }
    shows("after a storm of sizes", (200, 100));
    window.hide().unwrap();
    window.show().unwrap();
    shows("after it was hidden", (200, 100));
}

#[test]
fn no_cursor_is_seen_and_the_display_does_not_go_blank() {
    let dir = tempfile::tempdir().unwrap();
    let display = Display::start(160, 90).unwrap();
    let server: Window = display.root().unwrap();
    server.blank_after_s(1).unwrap();
    until("the display goes blank by itself", || server.is_blank().ok()?.then_some(()));
    server.wake().unwrap();
    let green = still_at(dir.path(), "green", GREEN);
    let mut player = play(&display, dir.path(), &[green.to_str().unwrap()]);
    until("the display shows the picture", || {
        let seen = display.picture().ok()?;
        picture::near(picture::at(&seen, 0.5, 0.5), GREEN, TOLERANCE).then_some(())
    });
    server.point_at((80, 45)).unwrap();
    until("the cursor over it is invisible", || (!server.has_cursor().ok()?).then_some(()));
    // By the server's own clock.
    until("nobody touches anything for 3 s", || (server.idle_ms().ok()? > 3_000).then_some(()));
    assert!(!server.is_blank().unwrap(), "the display went blank");
    player.signal(Signal::TERM);
    player.ended(PATIENCE).expect("it ends");
    until("the server blanks again once it is left alone", || {
        server.is_blank().ok()?.then_some(())
    });
}
