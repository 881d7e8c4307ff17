//! `./dev bench`: speed and memory of the player beside its peers, all in one run.
//!
//! Timings differ from machine to machine and from minute to minute, so everything is a ratio
//! against a peer measured in the same run, or a limit that does not depend on the machine. Printed
//! are medians, with the smallest and largest reading behind them. Peers use the same display and
//! the same software drivers.

// What is measured for people is read from the real clock.
#![allow(clippy::disallowed_methods)]

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use clap::Parser;
use rustix::process::Signal;
use vitrine_tests::cloud::Cloud;
use vitrine_tests::display::Display;
use vitrine_tests::patience::wait_for;
use vitrine_tests::player::{Player, tell};
use vitrine_tests::process::{Process, binary};
use vitrine_tests::usage;

type Measure = fn(&Bench) -> Outcome<()>;
type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Parser)]
#[command(about = "Speed and memory beside other players")]
struct Args {
    /// Folder with the generated media.
    #[arg(long)]
    media: PathBuf,
    /// Readings of each figure.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only these: still, video, glue, start.
    names: Vec<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let bench = match Bench::new(&args) {
        Ok(bench) => bench,
        Err(error) => return failed("set-up", &*error),
    };
    let all: [(&str, Measure); 4] =
        [("still", still), ("video", video), ("glue", glue), ("start", start)];
    for (name, measure) in all {
        if (args.names.is_empty() || args.names.iter().any(|wanted| wanted == name))
            && let Err(error) = measure(&bench)
        {
            return failed(name, &*error);
        }
    }
    ExitCode::SUCCESS
}

fn failed(what: &str, error: &dyn Error) -> ExitCode {
    tell(&format!("bench {what}: {error}"));
    ExitCode::FAILURE
}

struct Bench {
    runs: usize,
    work: tempfile::TempDir,
    clip: PathBuf,
    still: PathBuf,
}

impl Bench {
    fn new(args: &Args) -> Outcome<Bench> {
        let clip = std::path::absolute(args.media.join("1080p30.mp4"))?;
        let work = tempfile::tempdir()?;
        let still = work.path().join("still.png");
        image::RgbImage::from_fn(1_920, 1_080, |x, y| image::Rgb([x as u8, y as u8, 90]))
            .save(&still)?;
        Ok(Bench { runs: args.runs, work, clip, still })
    }

    /// One reading from `measure` for each of `runs`, of two things in turn, so that a slow minute
    /// hits both.
    fn in_turn(
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

    fn play(&self, file: &Path, size: &str, display: &Display) -> Outcome<Process> {
        let mut command = Command::new(binary("vitrine"));
        command.arg("play").arg(file).args(["--windowed", size, "--image-duration", "600s"]);
        self.spawn(command, "vitrine", display)
    }

    fn mpv(
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

    fn spawn(&self, mut command: Command, name: &str, display: &Display) -> Outcome<Process> {
        command.env("DISPLAY", display.name()).env_remove("WAYLAND_DISPLAY");
        Ok(Process::start(command, name, self.work.path())?)
    }
}

/// A still on screen costs nothing.
fn still(bench: &Bench) -> Outcome<()> {
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

/// 1080p30 in a 1280×720 window, beside mpv on the software GL driver.
fn video(bench: &Bench) -> Outcome<()> {
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
    ratio("CPU, vitrine / mpv", &our_cpu, &their_cpu, 1.25);
    line("PSS MB, vitrine", &our_pss, None);
    line("   of it the driver's own files", &Readings(ours.driver_mb), None);
    line("PSS MB, mpv --vo=gpu", &their_pss, None);
    ratio("PSS, vitrine / mpv", &our_pss, &their_pss, 0.8);
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

/// The same with next to nothing to rasterise, beside decoding alone.
fn glue(bench: &Bench) -> Outcome<()> {
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
    ratio("CPU, vitrine / decoding alone", &ours, &theirs, 1.5);
    Ok(())
}

/// From exec to light: a cached playlist, cloud gone, beside mpv opening the same file.
fn start(bench: &Bench) -> Outcome<()> {
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

/// Waits until the display shows something that is not black, looking every few milliseconds.
fn first_light(display: &Display, at_most_black: f64) -> Outcome<()> {
    let lit = wait_for(Duration::from_secs(30), || {
        let picture = display.picture().ok()?;
        (vitrine_tests::picture::blackness(&picture) < at_most_black).then_some(())
    });
    lit.ok_or_else(|| "no light within 30 s".into())
}

fn cpu_of(process: &Process) -> Duration {
    process.family().into_iter().map(usage::cpu).sum()
}

fn cpu_over(process: &Process, span: Duration) -> f64 {
    let before = cpu_of(process);
    let end = Instant::now() + span;
    while Instant::now() < end {
        park_timeout(end.saturating_duration_since(Instant::now()));
    }
    cpu_of(process).saturating_sub(before).as_secs_f64()
}

/// CPU seconds of a process that ends by itself, its children that were waited for included.
fn whole_cpu(mut process: Process) -> Outcome<f64> {
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

fn pss_mb(process: &Process) -> f64 {
    let bytes: u64 = process.family().into_iter().map(usage::pss_bytes).sum();
    bytes as f64 / 1e6
}

/// Several readings of one figure.
struct Readings(Vec<f64>);

impl Readings {
    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    fn median(&self) -> f64 {
        let sorted = self.sorted();
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

fn line(what: &str, readings: &Readings, limit: Option<&str>) {
    let sorted = readings.sorted();
    let (low, high) = (sorted.first().unwrap_or(&f64::NAN), sorted.last().unwrap_or(&f64::NAN));
    let limit = limit.map(|text| format!("  ({text})")).unwrap_or_default();
    tell(&format!("    {what:<34} {:8.2}   [{low:.2} .. {high:.2}]{limit}", readings.median()));
}

fn ratio(what: &str, ours: &Readings, theirs: &Readings, limit: f64) {
    let ratio = ours.median() / theirs.median();
    let verdict = if ratio <= limit { "within" } else { "OVER" };
    tell(&format!("    {what:<34} {ratio:8.2}   {verdict} the limit of {limit}"));
}
