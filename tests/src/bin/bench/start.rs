//! How soon there is a picture.

use std::time::Instant;

use vitrine_tests::display::Display;
use vitrine_tests::player::{Player, tell};
use vitrine_tests::process::Process;

use crate::readings::{line, ratio};
use crate::rig::{Bench, Outcome, cached_player, first_light};

/// From exec to light: a cached playlist, cloud gone, beside mpv opening the same file.
pub fn start(bench: &Bench) -> Outcome<()> {
    tell("start: exec to first frame, cached playlist without cloud, 1280x720");
    let clip = std::slice::from_ref(&bench.clip);
    let dir = cached_player(bench, "cached", |tenant| Ok(tenant.play(clip, "10s")?))?;
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
