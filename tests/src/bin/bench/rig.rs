//! What the measures share: programs side by side, light on a display, CPU and memory.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vitrine_tests::cloud::{Cloud, Tenant};
use vitrine_tests::display::Display;
use vitrine_tests::patience::wait_for;
use vitrine_tests::player::Player;
use vitrine_tests::process::{Process, binary};
use vitrine_tests::usage;

use crate::readings::Readings;

/// Whatever went wrong ends the run with its text.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// What every measure needs.
pub struct Bench {
    /// Readings of each figure.
    pub runs: usize,
    /// For logs and state; gone at the end.
    pub work: TempDir,
    /// Changes from item to item that are looked at.
    pub changes: usize,
    /// What `tests/media/make` made.
    pub media: PathBuf,
    /// A 1080p30 H.264 video with sound.
    pub clip: PathBuf,
    /// A 1920x1080 picture.
    pub still: PathBuf,
}

impl Bench {
    /// Makes the work folder and the picture.
    pub fn new(media: &Path, runs: usize, changes: usize) -> Outcome<Bench> {
        let media = std::path::absolute(media)?;
        let clip = media.join("1080p30.mp4");
        let work = tempfile::tempdir()?;
        let still = work.path().join("still.png");
        image::RgbImage::from_fn(1_920, 1_080, |x, y| image::Rgb([x as u8, y as u8, 90]))
            .save(&still)?;
        Ok(Bench { runs, work, changes, media, clip, still })
    }

    /// One reading from `measure` for each of `runs`, of two things in turn, so that a slow minute
    /// hits both.
    pub fn in_turn(
        &self,
        mut ours: impl FnMut() -> Outcome<f64>,
        mut theirs: impl FnMut() -> Outcome<f64>,
    ) -> Outcome<(Readings, Readings)> {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for _ in 0..self.runs {
            a.push(ours()?);
            b.push(theirs()?);
        }
        Ok((Readings(a), Readings(b)))
    }

    /// `vitrine play` of one file in a window.
    pub fn play(&self, file: &Path, size: &str, display: &Display) -> Outcome<Process> {
        let mut command = Command::new(binary("vitrine"));
        command.arg("play").arg(file).args(["--windowed", size, "--image-duration", "600s"]);
        self.spawn(command, "vitrine", display)
    }

    /// mpv on the software GL driver, looping.
    pub fn mpv(
        &self,
        file: &Path,
        size: &str,
        display: &Display,
        ipc: Option<&Path>,
    ) -> Outcome<Process> {
        let mut command = Command::new("mpv");
        if let Some(socket) = ipc {
            command.arg(format!("--input-ipc-server={}", socket.display()));
        }
        command.args([
            "--no-config",
            "--vo=gpu",
            "--gpu-sw",
            "--ao=null",
            "--no-terminal",
            "--hwdec=no",
        ]);
        command.arg("--loop-file=inf").arg(format!("--geometry={size}+0+0")).arg(file);
        command.args(["--no-keepaspect-window", "--image-display-duration=inf"]);
        self.spawn(command, "mpv", display)
    }

    /// Starts a command on that display.
    pub fn spawn(&self, mut command: Command, name: &str, display: &Display) -> Outcome<Process> {
        command.env("DISPLAY", display.name()).env_remove("WAYLAND_DISPLAY");
        Ok(Process::start(command, name, self.work.path())?)
    }
}

/// A player's folder `name` with what is published in its store, and the cloud it came from gone.
pub fn cached_player(
    bench: &Bench,
    name: &str,
    publish: impl FnOnce(&Tenant) -> Outcome<()>,
) -> Outcome<PathBuf> {
    let dir = bench.work.path().join(name);
    let cloud = Cloud::start(bench.work.path(), "127.0.0.1:0")?;
    let tenant = cloud.tenant(name)?;
    Player::configure(&dir, cloud.url(), "none", "")?;
    let player = Player::start(&dir, None)?;
    tenant.operator(&["pairing", "approve", &player.user_code(), "--name", name])?;
    publish(&tenant)?;
    player.until_status("all is cached", |s| s["manifest_version"].as_u64() > Some(0));
    Player::configure(&dir, cloud.url(), "fullscreen", "")?;
    Ok(dir)
}

/// Waits until the display shows something that is not black, looking every few milliseconds.
pub fn first_light(display: &Display, at_most_black: f64) -> Outcome<()> {
    let lit = wait_for(Duration::from_secs(30), || {
        let picture = display.picture().ok()?;
        (vitrine_tests::picture::blackness(&picture) < at_most_black).then_some(())
    });
    lit.ok_or_else(|| "no light within 30 s".into())
}

/// CPU time of a process and its children so far.
pub fn cpu_of(process: &Process) -> Duration {
    process.family().into_iter().map(usage::cpu).sum()
}

/// CPU seconds of a process and its children within `span`.
pub fn cpu_over(process: &Process, span: Duration) -> f64 {
    let before = cpu_of(process);
    let end = Instant::now() + span;
    while Instant::now() < end {
        park_timeout(end.saturating_duration_since(Instant::now()));
    }
    cpu_of(process).saturating_sub(before).as_secs_f64()
}

/// CPU seconds of a process that ends by itself, its children that were waited for included.
pub fn whole_cpu(mut process: Process) -> Outcome<f64> {
    let mut used = Duration::ZERO;
    let ended = wait_for(Duration::from_secs(120), || {
        used = used.max(cpu_of(&process));
        process.ended(Duration::ZERO)
    });
    match ended {
        Some(status) if status.success() => Ok(used.as_secs_f64()),
        Some(status) => Err(format!("ended with {status}:\n{}", process.log()).into()),
        None => Err("did not end within two minutes".into()),
    }
}

/// Memory of a process and its children.
pub fn pss_mb(process: &Process) -> f64 {
    let bytes: u64 = process.family().into_iter().map(usage::pss_bytes).sum();
    bytes as f64 / 1e6
}
