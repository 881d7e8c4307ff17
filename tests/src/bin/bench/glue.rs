//! What playing costs beyond decoding.

use std::process::Command;

use vitrine_tests::display::Display;
use vitrine_tests::player::tell;
use vitrine_tests::process::{Process, binary};

use crate::readings::{line, ratio};
use crate::rig::{Bench, Outcome, whole_cpu};

/// A clip with next to nothing to rasterise, beside decoding alone.
pub fn glue(bench: &Bench) -> Outcome<()> {
    tell("glue: the clip once through a 64x36 window, beside decoding it into nothing");
    let ours = || {
        let display = Display::start(320, 180)?;
        let mut command = Command::new(binary("vitrine"));
        command.arg("play").arg(&bench.clip).args(["--windowed", "64x36", "--once"]);
        whole_cpu(bench.spawn(command, "vitrine-once", &display)?)
    };
    let theirs = || {
        let mut command = Command::new("gst-launch-1.0");
        command.args(["-q", "filesrc"]).arg(format!("location={}", bench.clip.display()));
        command.args(["!", "decodebin3", "!", "fakesink", "sync=true"]);
        whole_cpu(Process::start(command, "gst-launch", bench.work.path())?)
    };
    let (ours, theirs) = bench.in_turn(ours, theirs)?;
    line("CPU-s, vitrine", &ours, None);
    line("CPU-s, decoding alone", &theirs, None);
    ratio("CPU, vitrine / decoding alone", &ours, &theirs, 1.3);
    Ok(())
}
