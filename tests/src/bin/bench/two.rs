//! Memory of two 1080p videos side by side, beside mpv with one.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use vitrine_tests::cloud::Tenant;
use vitrine_tests::display::Display;
use vitrine_tests::player::{Player, tell};
use vitrine_tests::process::Process;

use crate::readings::{line, ratio};
use crate::rig::{Bench, Outcome, cached_player, cpu_over, first_light, pss_mb};

/// A second is left for both to come; then memory is what it stays.
const BEFORE: Duration = Duration::from_secs(8);

/// A layout of two zones, each with a 1080p30 video.
pub fn two(bench: &Bench) -> Outcome<()> {
    tell("two: 1080p30 H.264 twice, side by side in 1280x720, software drivers, whole tree");
    let dir = cached_player(bench, "two", |tenant| publish(bench, tenant))?;
    let ours = || {
        let display = Display::start(1_280, 720)?;
        let mut command = Player::command(&dir);
        command.env("DISPLAY", display.name()).env_remove("WAYLAND_DISPLAY");
        let player = Process::start(command, "vitrine-two", bench.work.path())?;
        memory(&player, &display)
    };
    let theirs = || {
        let display = Display::start(1_280, 720)?;
        let mpv = bench.mpv(&bench.clip, "1280x720", &display, None)?;
        memory(&mpv, &display)
    };
    let (ours, theirs) = bench.in_turn(ours, theirs)?;
    line("PSS MB, vitrine with two", &ours, None);
    line("PSS MB, mpv --vo=gpu with one", &theirs, None);
    ratio("PSS, vitrine / mpv", &ours, &theirs, 1.0);
    Ok(())
}

fn memory(player: &Process, display: &Display) -> Outcome<f64> {
    first_light(display, 0.6)?;
    cpu_over(player, BEFORE);
    Ok(pss_mb(player))
}

fn publish(bench: &Bench, tenant: &Tenant) -> Outcome<()> {
    let clip = bench.clip.to_string_lossy();
    let page = bench.work.path().join("two.json");
    let zone = |id: &str, x_px: u32| {
        serde_json::json!({"id": id, "x_px": x_px, "y_px": 0, "width_px": 640, "height_px": 720,
            "playlist": id})
    };
    let layout = serde_json::json!({"id": "two", "width_px": 1_280, "height_px": 720,
        "zones": [zone("left", 0), zone("right", 640)]});
    File::create(&page)?.write_all(layout.to_string().as_bytes())?;
    tenant.operator(&["asset", "add", &clip])?;
    for side in ["left", "right"] {
        tenant.operator(&["playlist", "set", side, "--item", &clip])?;
    }
    tenant.operator(&["layout", "put", &page.to_string_lossy()])?;
    tenant.operator(&["schedule", "set", "--entry", "layout:two"])?;
    tenant.operator(&["publish"]).map(drop)?;
    Ok(())
}
