//! A whole stage with real sources and a real GPU, filmed refresh by refresh.
//!
//! Time is made up: it goes on when everything that is due at the next refresh has come, so a film
//! is the same on any machine. What is judged are the pixels that the target has in the end.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, LazyLock, Mutex};

use image::RgbImage;

use super::*;
use crate::gpu::painter::GpuPainter;
use crate::gpu::target::OFFSCREEN_FORMAT;
use crate::gpu::{Gpu, Wanted, capture};
use crate::source::worker::WorkerCommand;
use crate::source::{Sources, Waker};
use crate::test_media::media;

/// Guard against hanging on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(40);
/// A display at 60 Hz.
pub const REFRESH: Duration = Duration::from_nanos(16_666_667);

pub static GPU: LazyLock<Gpu> = LazyLock::new(|| {
    let waker: Waker = Arc::new(|| {});
    Gpu::open(Wanted::Any, None, &waker).expect("a GPU, at least a software one").0
});

/// Not a test: the process that films start.
#[test]
#[ignore = "started by the other tests as their media worker"]
fn media_worker_entry() {
    match crate::worker::inherited_socket() {
        Ok(socket) => crate::worker::run(socket).expect("worker"),
        Err(error) => assert!(error.to_string().contains("started by the stage")),
    }
}

/// What the target has at one refresh.
#[derive(Debug, Clone)]
pub struct Glimpse {
    pub at: Mono,
    /// Whether anything was drawn for it.
    pub drawn: bool,
    pub picture: RgbImage,
}

/// A stage, its fellows and a clock that is moved by hand.
pub struct Film {
    pub stage: Stage,
    pub painter: GpuPainter,
    pub now: Mono,
    pub said: Vec<Report>,
    screen: Size,
    sources: Sources,
    bell: Arc<(Mutex<u64>, Condvar)>,
    last: RgbImage,
}

impl Film {
    pub fn new(width_px: u32, height_px: u32) -> Film {
        let bell = Arc::new((Mutex::new(0), Condvar::new()));
        let ring = Arc::clone(&bell);
        let waker: Waker = Arc::new(move || {
            *ring.0.lock().expect("bell") += 1;
            ring.1.notify_all();
        });
        let entry = concat!(module_path!(), "::media_worker_entry");
        let entry = entry.split_once("::").expect("a crate").1;
        let args =
            ["--ignored", "--exact", entry, "--nocapture", "--test-threads=1"].map(OsString::from);
        let program = std::env::current_exe().expect("own path");
        let worker = WorkerCommand { program, args: args.to_vec() };
        let screen = Size { width_px, height_px };
        let mut stage = Stage::new(screen);
        stage.set_refresh(REFRESH);
        Film {
            stage,
            painter: GpuPainter::new(GPU.clone(), OFFSCREEN_FORMAT),
            now: Mono(1_000_000_000_000),
            said: Vec::new(),
            screen,
            sources: Sources::start(worker, waker, Arc::default()).expect("threads"),
            bell,
            last: RgbImage::new(width_px, height_px),
        }
    }

    pub fn wish(&mut self, wanted: Scene, next: Option<Next>) {
        self.stage.wish(Wish { wanted, next }, self.now, &mut self.sources);
        self.stage.sweep(Some(&mut self.painter));
    }

    /// One refresh.
    pub fn step(&mut self) -> Glimpse {
        self.now = self.now.after(REFRESH);
        self.settle();
        let drawn = self.stage.wants_frame() && self.draw();
        self.said.extend(self.stage.take_reports());
        Glimpse { at: self.now, drawn, picture: self.last.clone() }
    }

    /// Refreshes until `turn` has been handed over; what was there at each.
    pub fn until_shown(&mut self, turn: Turn) -> Vec<Glimpse> {
        let mut film = Vec::new();
        while !self.has_shown(turn) {
            film.push(self.step());
        }
        film
    }

    pub fn has_shown(&self, wanted: Turn) -> bool {
        let shown =
            |report: &Report| matches!(report, Report::Shown { turn, .. } if *turn == wanted);
        self.said.iter().any(shown)
    }

    /// All GPU memory is gone, and another device takes over.
    pub fn lose_gpu(&mut self) {
        self.painter = GpuPainter::new(GPU.clone(), OFFSCREEN_FORMAT);
        self.stage.lose_pictures();
        self.last = RgbImage::new(self.screen.width_px, self.screen.height_px);
    }

    fn draw(&mut self) -> bool {
        let Some(frame) = self.stage.compose(self.now, &mut self.painter) else { return false };
        let (tell, told) = sync_channel(1);
        let others = frame.others.iter().map(|other| (other, other.size));
        let pictures: Vec<_> = std::iter::once((&frame, self.screen)).chain(others).collect();
        capture::start(&self.painter, &pictures, move |png| drop(tell.send(png))).expect("thread");
        let png = told.recv().expect("an answer").expect("a picture");
        self.last = image::load_from_memory(&png).expect("PNG").into_rgb8();
        self.stage.presented(self.now, &mut self.painter);
        true
    }

    /// Waits until everything that is due by now has come from elsewhere.
    fn settle(&mut self) {
        loop {
            let seen = *self.bell.0.lock().expect("bell");
            self.stage.tick(self.now, Some(&mut self.painter));
            if self.is_settled() {
                return;
            }
            let (count, bell) = &*self.bell;
            let count = count.lock().expect("bell");
            let waited = bell.wait_timeout_while(count, PATIENCE, |count| *count == seen);
            assert!(!waited.expect("bell").1.timed_out(), "nothing happens any more");
        }
    }

    fn is_settled(&self) -> bool {
        let mut asked: BTreeSet<_> = self.stage.asked();
        asked.extend(self.stage.passing.layers().map(|layer| layer.turn));
        let is_settled = |turn: &Turn| {
            let Some(showing) = self.stage.showings.get(turn) else { return false };
            let goes_on = showing.source.next_at().is_some() || showing.source.ends_at().is_some();
            let waits = showing.started_at.is_some() && self.moves(*turn) && !goes_on;
            showing.failed || showing.uploaded && !waits
        };
        asked.iter().all(is_settled)
    }
}

impl Film {
    fn moves(&self, turn: Turn) -> bool {
        let is_video = |layer: &Layer| matches!(layer.source, scene::Source::Video { .. });
        let mut layers = self.stage.current.layers.iter().chain(self.stage.passing.layers());
        layers.any(|layer| layer.turn == turn && is_video(layer))
    }
}

/// The frame number in the blocks of a picture that fills the film.
pub fn number(picture: &RgbImage) -> u32 {
    let (width, height) = picture.dimensions();
    let bright = |bit: u32| picture.get_pixel(width * (2 * bit + 1) / 24, height / 16).0[0] > 128;
    (0..12).map(|bit| u32::from(bright(bit)) << bit).sum()
}

/// The colour below the blocks.
pub fn ground(picture: &RgbImage) -> [u8; 3] {
    picture.get_pixel(picture.width() / 2, picture.height() / 2).0
}

pub fn video(turn: Turn, name: &str, looped: bool) -> Layer {
    let audio = scene::AudioOut::None;
    let source = scene::Source::Video { path: media(name), volume: 0.0, looped, audio };
    Layer { fit: Fit::Stretch, ..Layer::new(turn, source) }
}

pub fn colour(turn: Turn, rgb: [u8; 3]) -> Layer {
    Layer::new(turn, scene::Source::Colour(Rgb(rgb)))
}

pub fn only(layer: Layer) -> Scene {
    Scene { layers: vec![layer], ..Scene::default() }
}
