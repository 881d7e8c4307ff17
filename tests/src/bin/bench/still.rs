//! A still on screen costs nothing.

use std::thread::park_timeout;
use std::time::Duration;

use vitrine_tests::display::Display;
use vitrine_tests::player::tell;

use crate::readings::{Readings, line};
use crate::rig::{Bench, Outcome, cpu_over, first_light, pss_mb};

/// CPU and memory of it.
pub fn still(bench: &Bench) -> Outcome<()> {
    tell("still: a 1920x1080 picture in a 1280x720 window, 10 s, whole tree");
    let mut shares = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..bench.runs {
        let display = Display::start(1_280, 720)?;
        let process = bench.play(&bench.still, "1280x720", &display)?;
        first_light(&display, 1.0)?;
        park_timeout(Duration::from_secs(2));
        shares.push(cpu_over(&process, Duration::from_secs(10)) * 10.0);
        memory.push(pss_mb(&process));
    }
    line("CPU, % of a core", &Readings(shares), Some("limit 0.5"));
    line("PSS, MB", &Readings(memory), Some("limit 150"));
    Ok(())
}
