//! What a player writes that has nothing to do.

use std::thread::park_timeout;
use std::time::{Duration, Instant};

use vitrine_tests::player::tell;
use vitrine_tests::usage;

use super::content::live_since;
use super::site::Site;
use crate::readings::{Readings, line};
use crate::rig::{Bench, Outcome};

/// One heartbeat, one note of the time, whatever else comes with them.
const SPAN: Duration = Duration::from_secs(300);
/// What comes with a start is over after this.
const SETTLED: Duration = Duration::from_secs(20);
const DAY_S: f64 = 86_400.0;

/// Writes of an idle day at the default settings, from five minutes of it.
pub fn idle(bench: &Bench) -> Outcome<()> {
    tell(
        "idle: five minutes at the default settings, nothing new, sign of life every five minutes",
    );
    let site = Site::start(&bench.work.path().join("idle"))?;
    site.publish(&site.offer("one", 1, 10_000)?, "5s")?;
    let mut player = live_since(site.player("player", "none", "heartbeat_s = 300\n")?, 0)?;
    let pid = player.process().pid();
    pause(SETTLED);
    let before = usage::written_bytes(pid);
    pause(SPAN);
    let written = (usage::written_bytes(pid) - before) as f64 / SPAN.as_secs_f64() * DAY_S;
    line("MiB a day", &Readings(vec![written / f64::from(1 << 20)]), Some("limit 8"));
    Ok(())
}

fn pause(span: Duration) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        park_timeout(end.saturating_duration_since(Instant::now()));
    }
}
