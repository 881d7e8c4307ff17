//! A line that never stands still.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::thread::park_timeout;
use std::time::Duration;

use serde_json::json;
use vitrine_tests::cloud::Cloud;
use vitrine_tests::display::Display;
use vitrine_tests::player::{Player, tell};
use vitrine_tests::usage;

use crate::readings::{Readings, line};
use crate::rig::{Bench, Outcome, first_light};

/// A ticker over a still, at the display's rate.
pub fn ticker(bench: &Bench) -> Outcome<()> {
    tell("ticker: a line that runs over a still, 640x360, 10 s, whole tree");
    let dir = running_ticker(bench)?;
    let (mut ours, mut driver, mut frames) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let display = Display::start(640, 360)?;
        let player = Player::start(&dir, Some(display.name()))?;
        first_light(&display, 1.0)?;
        player.until_status("the ticker runs", |s| s["frames_presented"].as_u64() > Some(100));
        let pids = player.pids();
        let presented =
            || player.status().and_then(|s| s["frames_presented"].as_u64()).unwrap_or(0);
        let (before, first) = (usage::cpu_by_driver(&pids), presented());
        park_timeout(Duration::from_secs(10));
        let (after, last) = (usage::cpu_by_driver(&pids), presented());
        ours.push((after.0 - before.0).as_secs_f64() * 10.0);
        driver.push((after.1 - before.1).as_secs_f64() * 10.0);
        frames.push((last - first) as f64 / 10.0);
    }
    line("frames a second", &Readings(frames), None);
    line("CPU, % of a core, without the driver", &Readings(ours), Some("limit 10"));
    line("   the software driver's threads", &Readings(driver), None);
    Ok(())
}

/// A player's folder with the page in its store, and the cloud it came from gone.
fn running_ticker(bench: &Bench) -> Outcome<PathBuf> {
    let dir = bench.work.path().join("ticker");
    let cloud = Cloud::start(bench.work.path(), "127.0.0.1:0")?;
    let tenant = cloud.tenant("ticker")?;
    Player::configure(&dir, cloud.url(), "none", "")?;
    let player = Player::start(&dir, None)?;
    tenant.operator(&["pairing", "approve", &player.user_code(), "--name", "bench"])?;
    let zone = |id: &str, y: u32, height: u32| {
        json!({"id": id, "x_px": 0, "y_px": y, "width_px": 640, "height_px": height,
            "playlist": id, "z": y})
    };
    let page = json!({"id": "page", "width_px": 640, "height_px": 360,
        "zones": [zone("still", 0, 360), zone("line", 300, 60)]});
    let file = bench.work.path().join("page.json");
    File::create(&file)?.write_all(page.to_string().as_bytes())?;
    let still = bench.still.to_string_lossy().into_owned();
    tenant.operator(&["playlist", "set", "still", "--item", &still])?;
    let line =
        "ticker:The doors close at six; the last ferry leaves at seven,speed=120,duration=1h";
    tenant.operator(&["playlist", "set", "line", "--item", line])?;
    tenant.operator(&["layout", "put", &file.to_string_lossy()])?;
    tenant.operator(&["schedule", "set", "--entry", "layout:page"])?;
    tenant.operator(&["publish"])?;
    player.until_status("the page is cached", |s| s["manifest_version"].as_u64() > Some(0));
    Player::configure(&dir, cloud.url(), "fullscreen", "")?;
    Ok(dir)
}
