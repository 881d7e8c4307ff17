//! A whole stage, offscreen, and its agent's end of the link; pictures compared.

#![allow(clippy::disallowed_methods, clippy::expect_used, dead_code, missing_docs)]

pub mod delta_e;
pub mod profile;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use image::{Rgb as Pixel, RgbImage};
use vitrine_config::time::{Clock, Mono, Now, Trust};
use vitrine_render::link::{Agent, AgentLink, Heard, pair};
use vitrine_render::report::{Hello, Report};
use vitrine_render::scene::{Layer, Next, Rgb, Scene, Size, Source, Turn, Wish};
use vitrine_render::{Output, StageError, StageOptions, WorkerCommand, run};

/// Difference of a channel that nobody sees.
const TOLERANCE: u8 = 12;
/// Share of pixels that may differ more: edges of letters.
const OUTLIERS: f64 = 0.005;

/// Long enough for a loaded machine; nothing here waits for it to pass.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A clock that a test moves. The stage looks at it whenever it is spoken to.
#[derive(Clone, Default)]
pub struct HandClock(Arc<AtomicU64>);

impl HandClock {
    pub fn set(&self, at: Mono) {
        self.0.store(at.0, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Now {
        let mono = Mono(self.0.load(Ordering::SeqCst));
        let wall = jiff::Timestamp::from_nanosecond(mono.0.into()).expect("in range");
        Now { wall, mono, trust: Trust::Guess }
    }
}

struct RealClock(Instant);

impl Clock for RealClock {
    fn now(&self) -> Now {
        let mono = Mono(self.0.elapsed().as_nanos() as u64);
        Now { wall: jiff::Timestamp::UNIX_EPOCH, mono, trust: Trust::Guess }
    }
}

pub struct Rig {
    agent: Option<AgentLink>,
    heard: Receiver<Heard>,
    stage: Option<JoinHandle<Result<(), StageError>>>,
    asked: u64,
    /// The stage's first word.
    greeting: Hello,
}

impl Rig {
    pub fn start(width_px: u32, height_px: u32) -> Rig {
        Rig::with_clock(width_px, height_px, Arc::new(RealClock(Instant::now())))
    }

    pub fn with_clock(width_px: u32, height_px: u32, clock: Arc<dyn Clock>) -> Rig {
        let worker = WorkerCommand { program: "/bin/false".into(), args: vec![] };
        Rig::with((width_px, height_px), worker, clock)
    }

    /// With a command that shows videos.
    pub fn with_worker(width_px: u32, height_px: u32, worker: WorkerCommand) -> Rig {
        Rig::with((width_px, height_px), worker, Arc::new(RealClock(Instant::now())))
    }

    /// With such a command, by another clock.
    pub fn with(
        (width_px, height_px): (u32, u32),
        worker: WorkerCommand,
        clock: Arc<dyn Clock>,
    ) -> Rig {
        let (agent, stage) = pair().expect("pair");
        let options = StageOptions {
            output: Output::Offscreen(Size { width_px, height_px }),
            agent: Agent::Pair(stage),
            worker,
            first_frame: None,
        };
        let stage =
            Builder::new().name("stage".into()).spawn(move || run(options, clock)).expect("thread");
        let (tell, heard) = sync_channel(1_024);
        let tell = Mutex::new(tell);
        let tell = move |word| drop(tell.lock().expect("whole").send(word));
        let agent = Some(AgentLink::join(agent, tell).expect("joined"));
        let first = heard.recv_timeout(PATIENCE).expect("a word in time");
        let Heard::Up(greeting) = first else { panic!("the first word is no hello") };
        Rig { agent, heard, stage: Some(stage), asked: 0, greeting }
    }

    pub fn wish(&self, wanted: Scene, next: Option<Next>) {
        self.agent.as_ref().expect("joined").wish(Wish { wanted, next });
    }

    fn next(&self) -> Heard {
        self.heard.recv_timeout(PATIENCE).expect("a word in time")
    }

    /// The first report from now on that `right` picks.
    pub fn wait<T>(&self, right: impl Fn(&Report) -> Option<T>) -> T {
        loop {
            if let Heard::Report(report) = self.next()
                && let Some(got) = right(&report)
            {
                return got;
            }
        }
    }

    /// Whether frames are lent, as soon as the stage has made up its mind.
    pub fn wait_zero_copy(&self) -> String {
        let decided = |told: &str| told.starts_with("yes") || told.starts_with("no");
        if decided(&self.greeting.zero_copy) {
            return self.greeting.zero_copy.clone();
        }
        self.wait(|report| match report {
            Report::Hello(hello) => Some(hello.zero_copy.clone()).filter(|told| decided(told)),
            _ => None,
        })
    }

    pub fn wait_shown(&self, wanted: Turn) -> Mono {
        self.wait(|report| match report {
            Report::Shown { turn, at } if *turn == wanted => Some(*at),
            Report::Failed { turn, error } if *turn == wanted => panic!("{turn}: {error}"),
            _ => None,
        })
    }

    pub fn wait_failed(&self, wanted: Turn) -> String {
        self.wait(|report| match report {
            Report::Failed { turn, error } if *turn == wanted => Some(error.clone()),
            Report::Shown { turn, .. } if *turn == wanted => panic!("{turn} was shown"),
            _ => None,
        })
    }

    /// What the display was last handed.
    pub fn picture(&mut self) -> RgbImage {
        self.asked += 1;
        self.agent.as_ref().expect("joined").snapshot(self.asked);
        loop {
            if let Heard::Snapshot { id, png } = self.next() {
                assert_eq!(id, self.asked);
                let png = png.expect("a picture");
                return image::load_from_memory(&png).expect("PNG").into_rgb8();
            }
        }
    }

    pub fn show(&mut self, scene: Scene) -> RgbImage {
        let turn = scene.newest_turn();
        self.wish(scene, None);
        self.wait_shown(turn);
        self.picture()
    }

    /// Asks the stage to end and returns what it said until then.
    pub fn end(mut self) -> Vec<Report> {
        self.agent.as_ref().expect("joined").quit();
        let mut said = Vec::new();
        loop {
            match self.next() {
                Heard::Report(report) => said.push(report),
                Heard::Down { .. } => break,
                _ => {}
            }
        }
        let ended = self.stage.take().expect("running").join().expect("no panic");
        ended.expect("ended well");
        said
    }
}

pub fn layer(turn: Turn, source: Source) -> Layer {
    Layer::new(turn, source)
}

pub fn scene(layers: Vec<Layer>) -> Scene {
    Scene { layers, ..Scene::default() }
}

pub fn colour(turn: Turn, rgb: [u8; 3]) -> Layer {
    layer(turn, Source::Colour(Rgb(rgb)))
}

pub fn file(turn: Turn, path: &Path) -> Layer {
    layer(turn, Source::Image { path: path.to_owned() })
}

/// A still of four colours.
pub fn quadrants() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media/quadrants.png")
}

pub fn near(found: Pixel<u8>, wanted: [u8; 3], tolerance: u8) -> bool {
    found.0.iter().zip(wanted).all(|(f, w)| f.abs_diff(w) <= tolerance)
}

/// Whether two pictures look alike.
pub fn alike(found: &RgbImage, wanted: &RgbImage) -> Result<(), String> {
    if found.dimensions() != wanted.dimensions() {
        return Err(format!("size {:?}, want {:?}", found.dimensions(), wanted.dimensions()));
    }
    let pairs = found.pixels().zip(wanted.pixels());
    let outliers = pairs.filter(|(f, w)| !near(**f, w.0, TOLERANCE)).count();
    let share = outliers as f64 / f64::from(found.width() * found.height());
    if share <= OUTLIERS { Ok(()) } else { Err(format!("{outliers} pixels differ: {share:.4}")) }
}

/// Compares with the approved picture of this name.
pub fn compare(name: &str, found: &RgbImage) {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    let path = home.join(format!("{name}.png"));
    if std::env::var_os("VITRINE_BLESS").is_some() {
        found.save(&path).expect("saved");
        return;
    }
    let wanted = image::open(&path).expect("a picture to compare with").into_rgb8();
    if let Err(error) = alike(found, &wanted) {
        let seen = std::env::temp_dir().join(format!("{name}.found.png"));
        found.save(&seen).expect("saved");
        panic!("{name}: {error}; found: {}", seen.display());
    }
}
