//! A 1080p video beside mpv.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use vitrine_tests::display::Display;
use vitrine_tests::player::tell;
use vitrine_tests::process::Process;
use vitrine_tests::usage;

use crate::readings::{Readings, line, ratio};
use crate::rig::{Bench, Outcome, cpu_over, first_light, pss_mb};

/// 1080p30 in a 1280×720 window, beside mpv on the software GL driver.
pub fn video(bench: &Bench) -> Outcome<()> {
    tell("video: 1080p30 H.264 in a 1280x720 window, software drivers, 10 s, whole tree");
    let ipc = bench.work.path().join("mpv.sock");
    let (mut ours, mut theirs) = (Cost::default(), Cost::default());
    for _ in 0..bench.runs {
        let display = Display::start(1_280, 720)?;
        let mut process = bench.play(&bench.clip, "1280x720", &display)?;
        ours.take(&display, &process)?;
        process.signal(Signal::TERM);
        process.ended(Duration::from_secs(10)).ok_or("vitrine does not end")?;
        ours.dropped.push(dropped_by_vitrine(&process.log())?);

        let display = Display::start(1_280, 720)?;
        let process = bench.mpv(&bench.clip, "1280x720", &display, Some(&ipc))?;
        theirs.take(&display, &process)?;
        theirs.dropped.push(dropped_by_mpv(&ipc)?);
    }
    let [(our_cpu, their_cpu), (our_pss, their_pss), (our_drops, their_drops)] =
        [(ours.cpu_s, theirs.cpu_s), (ours.pss_mb, theirs.pss_mb), (ours.dropped, theirs.dropped)]
            .map(|(ours, theirs)| (Readings(ours), Readings(theirs)));
    line("CPU-s in 10 s, vitrine", &our_cpu, None);
    line("CPU-s in 10 s, mpv --vo=gpu", &their_cpu, None);
    ratio("CPU, vitrine / mpv", &our_cpu, &their_cpu, 0.9);
    line("PSS MB, vitrine", &our_pss, None);
    line("   of it the driver's own files", &Readings(ours.driver_mb), None);
    line("PSS MB, mpv --vo=gpu", &their_pss, None);
    ratio("PSS, vitrine / mpv", &our_pss, &their_pss, 0.7);
    line("frames dropped, vitrine", &our_drops, None);
    line("frames dropped, mpv --vo=gpu", &their_drops, Some("limit for vitrine"));
    Ok(())
}

/// What a player costs while it plays.
#[derive(Default)]
struct Cost {
    cpu_s: Vec<f64>,
    pss_mb: Vec<f64>,
    driver_mb: Vec<f64>,
    dropped: Vec<f64>,
}

impl Cost {
    /// Over ten seconds from the first light on.
    fn take(&mut self, display: &Display, process: &Process) -> Outcome<()> {
        first_light(display, 1.0)?;
        self.cpu_s.push(cpu_over(process, Duration::from_secs(10)));
        self.pss_mb.push(pss_mb(process));
        let driver = |pid| usage::pss_of_files(pid, &["libLLVM", "libvulkan_", "libz3"]);
        let bytes: u64 = process.family().into_iter().map(driver).sum();
        self.driver_mb.push(bytes as f64 / 1e6);
        Ok(())
    }
}

/// From the last line of `vitrine play`: `…, 299 frames presented, 1 dropped`.
fn dropped_by_vitrine(log: &str) -> Outcome<f64> {
    let before = log.rsplit_once(" dropped").ok_or("vitrine does not say what it dropped")?.0;
    Ok(before.rsplit(' ').next().unwrap_or_default().parse()?)
}

/// By mpv's JSON protocol: what its output dropped and what its decoder dropped.
fn dropped_by_mpv(socket: &Path) -> Outcome<f64> {
    let mut dropped = 0.0;
    for property in ["frame-drop-count", "decoder-frame-drop-count"] {
        let mut stream = UnixStream::connect(socket)?;
        writeln!(stream, r#"{{"command":["get_property","{property}"]}}"#)?;
        let answer = BufReader::new(stream).lines().map_while(Result::ok).find_map(|line| {
            serde_json::from_str::<serde_json::Value>(&line).ok()?.get("data")?.as_f64()
        });
        dropped += answer.ok_or_else(|| format!("mpv does not know its {property}"))?;
    }
    Ok(dropped)
}
