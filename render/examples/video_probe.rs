//! Plays a file in real time without a screen and says what that cost.
//!
//! `cargo run --release --example video_probe -- FILE [cold|warm]`
//!
//! One line: frames, dropped frames, milliseconds to the first frame (with or without a spare
//! worker), CPU seconds of the worker and of this process (which copies each frame once, as an
//! upload would), peak proportional memory of the worker.

#![allow(clippy::disallowed_methods)]

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::Thread;
use std::time::Duration;

use vitrine_config::time::Mono;
use vitrine_render::scene::AudioOut;
use vitrine_render::source::worker::{VideoSource, VideoSpec, WorkerCommand, WorkerPool};
use vitrine_render::source::{Chroma, Picture, Source, State};

/// Longest sleep: the source wants to be asked once a second.
const NAP: Duration = Duration::from_secs(1);
/// Unit of the CPU times in `/proc`, the same on every Linux.
const TICKS_PER_S: f64 = 100.0;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let Some(file) = args.next() else { return Err("usage: video_probe FILE [cold|warm]".into()) };
    if file == "media-worker" {
        let socket = vitrine_render::worker::inherited_socket()?;
        return Ok(vitrine_render::worker::run(socket)?);
    }
    let pool = WorkerPool::new(WorkerCommand::default());
    if args.next().is_some_and(|mode| mode == "warm") {
        pool.warm();
        std::thread::park_timeout(Duration::from_secs(3));
    }
    let cost = play(file.into(), &pool)?;
    writeln!(std::io::stdout(), "{cost}")?;
    Ok(())
}

fn now() -> Mono {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Mono(now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs())
}

fn play(path: PathBuf, pool: &WorkerPool) -> Result<String, Box<dyn Error>> {
    let spec = VideoSpec { path, volume: 1.0, looped: false, audio: AudioOut::Auto };
    let me: Thread = std::thread::current();
    let opened = now();
    let mut source = VideoSource::open(spec, pool, Arc::new(move || me.unpark()));
    while source.poll(now()) == State::Preparing {
        std::thread::park_timeout(NAP);
    }
    let first = now().since(opened);
    source.start(now());
    let (mut upload, mut frames, mut peak_kb, mut worker_s) = (Vec::new(), 0, 0, 0.0);
    loop {
        if let State::Failed(error) = source.poll(now()) {
            return Err(error.into());
        }
        if let Some(picture) = source.take(now()) {
            copy(&picture, &mut upload);
            frames += 1;
            if frames % 30 == 0 {
                (peak_kb, worker_s) = (peak_kb.max(worker(pss_kb)), worker(cpu_s));
            }
        }
        if source.ends_at().is_some_and(|end| end <= now()) {
            break;
        }
        let wait = source.next_at().or(source.ends_at()).map_or(NAP, |at| at.since(now()));
        std::thread::park_timeout(wait.min(NAP));
    }
    let (dropped, own_s) = (source.dropped(), cpu_s(Path::new("/proc/self")));
    Ok(format!(
        "{frames} frames, {dropped} dropped, first after {} ms, CPU worker {worker_s:.2} s, \
         here {own_s:.2} s, worker {} MB",
        first.as_millis(),
        peak_kb / 1_000
    ))
}

fn copy(picture: &Picture, into: &mut Vec<u8>) {
    into.clear();
    if let Picture::Yuv { luma, chroma, .. } = picture {
        into.extend_from_slice(luma.data);
        match chroma {
            Chroma::Planar { cb, cr } => {
                into.extend_from_slice(cb.data);
                into.extend_from_slice(cr.data);
            }
            Chroma::Interleaved(both) => into.extend_from_slice(both.data),
        }
    }
}

/// The sum of something over this process's children.
fn worker<T: std::iter::Sum>(of: fn(&Path) -> T) -> T {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let pids: Vec<PathBuf> = lists
        .flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .map(|pid| Path::new("/proc").join(pid))
        .collect();
    pids.iter().map(|process| of(process)).sum()
}

fn cpu_s(process: &Path) -> f64 {
    let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_S
}

fn pss_kb(process: &Path) -> u64 {
    let rollup = std::fs::read_to_string(process.join("smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|kb| kb.parse().ok()).unwrap_or(0)
}
