//! How soon there is a picture.

use std::path::PathBuf;
use std::time::Instant;

use vitrine_tests::cloud::Cloud;
use vitrine_tests::display::Display;
use vitrine_tests::player::{Player, tell};
use vitrine_tests::process::Process;

use crate::readings::{line, ratio};
use crate::rig::{Bench, Outcome, first_light};

/// From exec to light: a cached playlist, cloud gone, beside mpv opening the same file.
pub fn start(bench: &Bench) -> Outcome<()> {
    tell("start: exec to first frame, cached playlist without cloud, 1280x720");
    let dir = cached_player(bench)?;
    let ours = || {
        let display = Display::start(1_280, 720)?;
        let mut command = Player::command(&dir);
        command.env("DISPLAY", display.name()).env_remove("WAYLAND_DISPLAY");
        let begun = Instant::now();
        let _player = Process::start(command, "vitrine-run", bench.work.path())?;
        first_light(&display, 1.0)?;
        Ok(begun.elapsed().as_secs_f64() * 1_000.0)
    };
    let theirs = || {
        let display = Display::start(1_280, 720)?;
        let begun = Instant::now();
        let _mpv = bench.mpv(&bench.clip, "1280x720", &display, None)?;
        first_light(&display, 1.0)?;
        Ok(begun.elapsed().as_secs_f64() * 1_000.0)
    };
    let (ours, theirs) = bench.in_turn(ours, theirs)?;
    line("ms, vitrine run", &ours, None);
    line("ms, mpv --vo=gpu", &theirs, None);
    ratio("time, vitrine / mpv", &ours, &theirs, 1.0);
    Ok(())
}

/// A player's folder with the clip in its store, and the cloud it came from gone.
fn cached_player(bench: &Bench) -> Outcome<PathBuf> {
    let dir = bench.work.path().join("cached");
    let cloud = Cloud::start(bench.work.path(), "127.0.0.1:0")?;
    let tenant = cloud.tenant("bench")?;
    Player::configure(&dir, cloud.url(), "none", "")?;
    let player = Player::start(&dir, None)?;
    tenant.operator(&["pairing", "approve", &player.user_code(), "--name", "bench"])?;
    tenant.play(std::slice::from_ref(&bench.clip), "10s")?;
    player.until_status("the clip is cached", |s| s["manifest_version"].as_u64() > Some(0));
    Player::configure(&dir, cloud.url(), "fullscreen", "")?;
    Ok(dir)
}
