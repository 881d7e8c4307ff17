//! From a large file to a texture.

use std::path::Path;
use std::process::Command;

use vitrine_tests::player::tell;
use vitrine_tests::process::{Process, binary};

use crate::readings::line;
use crate::rig::{Bench, Outcome, whole_cpu};

/// A 4K JPEG from file to texture: the whole tree's CPU with it, less that with a picture of one pixel.
pub fn jpeg(bench: &Bench) -> Outcome<()> {
    tell("jpeg: a 3840x2160 JPEG from file to texture, 1920x1080 offscreen");
    let (drawn, large) = (bench.work.path().join("large.png"), bench.work.path().join("large.jpg"));
    image::RgbImage::from_fn(3_840, 2_160, |x, y| {
        let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 28;
        image::Rgb([(x / 16 + noise) as u8, (y / 9 + noise) as u8, ((x + y) / 24) as u8])
    })
    .save(&drawn)?;
    let mut packed = Command::new("ffmpeg");
    packed
        .args(["-v", "error", "-i"])
        .arg(&drawn)
        .args(["-q:v", "3", "-frames:v", "1"])
        .arg(&large);
    if !packed.status()?.success() {
        return Err("ffmpeg does not make a JPEG".into());
    }
    let small = bench.work.path().join("small.png");
    image::RgbImage::from_pixel(1, 1, image::Rgb([9, 90, 9])).save(&small)?;
    let cost = |file: &Path| {
        let mut command = Command::new(binary("vitrine"));
        command.arg("play").arg(file).args(["--offscreen", "1920x1080", "--once"]);
        command.args(["--image-duration", "1s", "--audio", "none"]);
        whole_cpu(Process::start(command, "vitrine-jpeg", bench.work.path())?)
    };
    let (with, without) = bench.in_turn(|| cost(&large), || cost(&small))?;
    let ms = (with.median() - without.median()) * 1_000.0;
    line("CPU-s of a showing of it", &with, None);
    line("CPU-s of one of a single pixel", &without, None);
    let verdict = if ms <= 120.0 { "within" } else { "OVER" };
    tell(&format!("    difference: {ms:.0} CPU-ms, {verdict} the limit of 120"));
    Ok(())
}
