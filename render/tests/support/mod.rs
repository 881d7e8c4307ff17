//! A whole stage, offscreen, and its agent's end of the link.

#![allow(clippy::disallowed_methods, clippy::expect_used, dead_code, missing_docs)]

pub mod profile;

use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use image::RgbImage;
use vitrine_config::time::{Clock, Mono, Now, Trust};
use vitrine_render::link::{Agent, AgentLink, Heard, pair};
use vitrine_render::report::Report;
use vitrine_render::scene::{Fit, Layer, Next, Rgb, Scene, Size, Source, Turn, Wish};
use vitrine_render::{Output, StageError, StageOptions, WorkerCommand, run};

/// Long enough for a loaded machine; nothing here waits for it to pass.
pub const PATIENCE: Duration = Duration::from_secs(60);

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
}

impl Rig {
    pub fn start(width_px: u32, height_px: u32) -> Rig {
        let (agent, stage) = pair().expect("pair");
        let options = StageOptions {
            output: Output::Offscreen(Size { width_px, height_px }),
            agent: Agent::Pair(stage),
            worker: WorkerCommand { program: "/bin/false".into(), args: vec![] },
        };
        let stage = Builder::new()
            .name("stage".into())
            .spawn(move || run(options, Arc::new(RealClock(Instant::now()))))
            .expect("thread");
        let (tell, heard) = sync_channel(1_024);
        let tell = Mutex::new(tell);
        let tell = move |word| drop(tell.lock().expect("whole").send(word));
        let agent = Some(AgentLink::join(agent, tell).expect("joined"));
        let rig = Rig { agent, heard, stage: Some(stage), asked: 0 };
        assert!(matches!(rig.next(), Heard::Up(_)), "the first word is no hello");
        rig
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
    Layer { turn, source, place: None, fit: Fit::Contain, background: None, opacity: 1.0 }
}

pub fn scene(layers: Vec<Layer>) -> Scene {
    Scene { background: Rgb([0, 0, 0]), canvas: None, layers }
}

pub fn colour(turn: Turn, rgb: [u8; 3]) -> Layer {
    layer(turn, Source::Colour(Rgb(rgb)))
}

pub fn file(turn: Turn, path: &Path) -> Layer {
    layer(turn, Source::Image { path: path.to_owned() })
}
