//! A stage with one source, and the media.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use vitrine_config::time::Mono;
use vitrine_render::scene::AudioOut;
use vitrine_render::source::worker::{VideoSource, VideoSpec, WorkerCommand, WorkerPool};
use vitrine_render::source::{Chroma, Picture, Source, State, Waker};

/// Guard against hanging on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// A start far from zero, so that times that are not counted from it show up.
pub const START: Mono = Mono(1_000_000_000_000);

/// The directory with all media, made once.
pub fn media(name: &str) -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("media");
        std::fs::create_dir_all(&dir).expect("directory for media");
        let lock = std::fs::File::create(dir.join(".lock")).expect("lock");
        lock.lock().expect("one maker at a time");
        let made = std::process::Command::new(root.join("tests/media/make")).arg(&dir).status();
        assert!(made.expect("tests/media/make").success(), "media were not made");
        dir
    })
    .join(name)
}

/// This test binary as worker.
pub fn command() -> WorkerCommand {
    as_worker("media_worker_entry")
}

/// One test of this binary as worker. It has to be alone in its process, as a worker is.
pub fn as_worker(entry: &str) -> WorkerCommand {
    let args = ["--ignored", "--exact", entry, "--nocapture", "--test-threads=1"];
    WorkerCommand {
        program: std::env::current_exe().expect("own path"),
        args: args.map(OsString::from).to_vec(),
    }
}

pub fn pool() -> WorkerPool {
    WorkerPool::new(command())
}

pub fn spec(path: impl Into<PathBuf>) -> VideoSpec {
    VideoSpec { path: path.into(), volume: 1.0, looped: false, audio: AudioOut::None }
}

/// A picture with what it looked like.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// After the start, in microseconds.
    pub at_us: u64,
    /// From the blocks.
    pub number: u32,
}

/// One source and its waker.
pub struct Rig {
    pub source: VideoSource,
    pub now: Mono,
    woken: Arc<(Mutex<u64>, Condvar)>,
}

impl Rig {
    pub fn open(spec: VideoSpec, pool: &WorkerPool) -> Rig {
        Rig::with(|waker| VideoSource::open(spec, pool, waker))
    }

    pub fn with(open: impl FnOnce(Waker) -> VideoSource) -> Rig {
        let woken = Arc::new((Mutex::new(0), Condvar::new()));
        let bell = Arc::clone(&woken);
        let waker = Arc::new(move || {
            *bell.0.lock().expect("bell") += 1;
            bell.1.notify_all();
        });
        Rig { source: open(waker), now: START, woken }
    }

    pub fn wakes(&self) -> u64 {
        *self.woken.0.lock().expect("bell")
    }

    /// Waits for another wake-up than the first `seen`, for a while.
    pub fn woken_since(&self, seen: u64, at_most: Duration) -> bool {
        let (count, bell) = &*self.woken;
        let count = count.lock().expect("bell");
        let waited = bell.wait_timeout_while(count, at_most, |count| *count == seen);
        !waited.expect("bell").1.timed_out()
    }

    /// Calls `ready` after each wake-up until it gives something.
    pub fn until<T>(&mut self, mut ready: impl FnMut(&mut Rig) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            let seen = self.wakes();
            if let Some(value) = ready(self) {
                return value;
            }
            let left = PATIENCE.checked_sub(began.elapsed()).expect("nothing happens any more");
            assert!(self.woken_since(seen, left), "nobody wakes the stage any more");
        }
    }

    /// Prepared, started, first frame not taken.
    pub fn started(spec: VideoSpec, pool: &WorkerPool) -> Rig {
        let mut rig = Rig::open(spec, pool);
        rig.ready();
        rig.source.start(START);
        rig
    }

    pub fn ready(&mut self) {
        self.until(|rig| match rig.source.poll(rig.now) {
            State::Ready(_) => Some(()),
            State::Preparing => None,
            State::Failed(error) => panic!("{error}"),
        });
    }

    /// Waits for the failure. Some files leave GStreamer without a word, mostly not: then only the
    /// source's own deadline ends the wait, so time passes here when nothing happens.
    pub fn failure(&mut self) -> String {
        for _ in 0..PATIENCE.as_secs() {
            let seen = self.wakes();
            if let State::Failed(error) = self.source.poll(self.now) {
                return error.to_string();
            }
            if !self.woken_since(seen, Duration::from_secs(1)) {
                self.now = self.now.after(Duration::from_secs(5));
            }
        }
        panic!("no failure");
    }

    /// The next picture, at the moment when it is due; None at the end.
    pub fn next<T>(&mut self, look: impl Fn(&Picture) -> T) -> Option<(u64, T)> {
        self.until(|rig| {
            if let State::Failed(error) = rig.source.poll(rig.now) {
                panic!("{error}");
            }
            let now = rig.source.next_at().unwrap_or(rig.now);
            if let Some(picture) = rig.source.take(now) {
                rig.now = now;
                return Some(Some((now.since(START).as_micros() as u64, look(&picture))));
            }
            let over = rig.source.next_at().is_none() && rig.source.ends_at().is_some();
            over.then_some(None)
        })
    }

    pub fn numbers(&mut self, at_most: usize) -> Vec<Seen> {
        let mut seen = Vec::new();
        while seen.len() < at_most
            && let Some((at_us, number)) = self.next(number)
        {
            seen.push(Seen { at_us, number });
        }
        seen
    }
}

/// Sample positions in a plane.
fn sample(plane: vitrine_render::source::Plane, x: u32, y: u32) -> u8 {
    plane.data[(y * plane.stride_bytes + x) as usize]
}

/// The frame number in the blocks.
pub fn number(picture: &Picture) -> u32 {
    let Picture::Yuv { size, luma, .. } = picture else { panic!("not YUV") };
    let bright = |bit: u32| {
        let x = (size.width_px * (2 * bit + 1)) / 24;
        sample(*luma, x, size.height_px / 16) > 128
    };
    (0..12).map(|bit| u32::from(bright(bit)) << bit).sum()
}

/// Red, green, blue at a place, 0.0 to 1.0 of width and height, as a shader computes them.
pub fn rgb(picture: &Picture, x: f32, y: f32) -> [u8; 3] {
    let Picture::Yuv { size, chroma, luma, colour, .. } = picture else { panic!("not YUV") };
    let (x, y) = ((size.width_px as f32 * x) as u32, (size.height_px as f32 * y) as u32);
    let (cb, cr) = match chroma {
        Chroma::Planar { cb, cr } => (sample(*cb, x / 2, y / 2), sample(*cr, x / 2, y / 2)),
        Chroma::Interleaved(both) => {
            (sample(*both, x / 2 * 2, y / 2), sample(*both, x / 2 * 2 + 1, y / 2))
        }
    };
    let (low, luma_span, chroma_span) =
        if colour.full_range { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
    let luma = (f32::from(sample(*luma, x, y)) - low) / luma_span;
    let (cb, cr) = ((f32::from(cb) - 128.0) / chroma_span, (f32::from(cr) - 128.0) / chroma_span);
    let (kr, kb) = (colour.kr, colour.kb);
    let red = luma + 2.0 * (1.0 - kr) * cr;
    let blue = luma + 2.0 * (1.0 - kb) * cb;
    let green = (luma - kr * red - kb * blue) / (1.0 - kr - kb);
    [red, green, blue].map(|value| (value * 255.0).round().clamp(0.0, 255.0) as u8)
}
