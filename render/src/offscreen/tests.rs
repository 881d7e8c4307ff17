//! A whole stage on a display that plays up: what it does not take, and what is lost, comes back.

// Beats come by the real clock.
#![allow(clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use image::RgbImage;
use vitrine_config::time::{Now, Trust};

use super::*;
use crate::gpu::capture;
use crate::link::{Agent, AgentLink, Heard, pair};
use crate::report::Report;
use crate::scene::{Layer, Rgb, Scene, Source, Turn, Wish};
use crate::source::worker::WorkerCommand;
use crate::stage::Frame;

/// Guard against hanging on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
const SIZE: Size = Size { width_px: 32, height_px: 18 };

/// Since when, and how much faster than any other one.
struct RealClock(Instant, u64);

impl Clock for RealClock {
    fn now(&self) -> Now {
        let mono = Mono(self.0.elapsed().as_nanos() as u64 * self.1);
        Now { wall: jiff::Timestamp::UNIX_EPOCH, mono, trust: Trust::Guess }
    }
}

/// What the display does with the next frames, and what it has.
#[derive(Default)]
struct Moods {
    /// After these it takes every frame.
    next: Mutex<VecDeque<Handed>>,
    asked: AtomicU64,
    /// The GPU that drew last.
    gpu: Mutex<Option<Gpu>>,
    shown: Mutex<Option<RgbImage>>,
}

/// A display with moods.
struct Moody(Arc<Moods>);

impl Target for Moody {
    fn hand_over(&mut self, painter: &GpuPainter, frame: &Frame) -> Handed {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        *self.0.gpu.lock().expect("gpu") = Some(painter.gpu.clone());
        let mood = self.0.next.lock().expect("moods").pop_front().unwrap_or(Handed::Over);
        if mood == Handed::Over {
            let (tell, told) = mpsc::sync_channel(1);
            let tell = move |png| drop(tell.send(png));
            capture::start(painter, &[(frame, SIZE)], tell).expect("thread");
            let png = told.recv().expect("an answer").expect("a picture");
            let picture = image::load_from_memory(&png).expect("PNG").into_rgb8();
            *self.0.shown.lock().expect("picture") = Some(picture);
        }
        mood
    }
}

struct Rig {
    moods: Arc<Moods>,
    agent: AgentLink,
    heard: Receiver<Heard>,
    stage: JoinHandle<Result<(), StageError>>,
    said: Vec<Report>,
}

impl Rig {
    fn start() -> Rig {
        let open = |wanted, waker: &Waker| Gpu::open(wanted, None, waker).map(|(gpu, _)| gpu);
        Rig::start_on(Arc::new(open), 1)
    }

    /// On GPUs that `open` opens, by a clock that is so many times faster.
    fn start_on(open: Open, faster: u64) -> Rig {
        let (agent, stage) = pair().expect("pair");
        let worker = WorkerCommand { program: "/bin/false".into(), args: vec![] };
        let output = crate::Output::Offscreen(SIZE);
        let agent_end = Agent::Pair(stage);
        let options = StageOptions { output, agent: agent_end, worker, first_frame: None };
        let moods = Arc::new(Moods::default());
        let made = moods.clone();
        let run = move || {
            let clock: Arc<dyn Clock> = Arc::new(RealClock(Instant::now(), faster));
            run_on(options, &clock, SIZE, (open, |_: &Gpu, _| Moody(made.clone())))
        };
        let stage = Builder::new().name("stage".into()).spawn(run).expect("thread");
        let (tell, heard) = sync_channel(1_024);
        let tell = Mutex::new(tell);
        let tell = move |word| drop(tell.lock().expect("whole").send(word));
        let agent = AgentLink::join(agent, tell).expect("joined");
        // What is wished before the two know each other does not cross.
        assert!(
            matches!(heard.recv_timeout(PATIENCE), Ok(Heard::Up(_))),
            "the first word is no hello"
        );
        Rig { moods, agent, heard, stage, said: Vec::new() }
    }

    fn wish(&self, turn: Turn, rgb: [u8; 3]) {
        let layers = vec![Layer::new(turn, Source::Colour(Rgb(rgb)))];
        let wanted = Scene { layers, ..Scene::default() };
        self.agent.wish(Wish { wanted, next: None });
    }

    fn moods(&self, next: &[Handed]) {
        self.moods.next.lock().expect("moods").extend(next);
    }

    /// Listens until something `right` was said.
    fn until(&mut self, right: impl Fn(&Report) -> bool) {
        loop {
            match self.heard.recv_timeout(PATIENCE).expect("a word in time") {
                Heard::Report(report) => {
                    let done = right(&report);
                    self.said.push(report);
                    if done {
                        return;
                    }
                }
                Heard::Up(_) | Heard::Snapshot { .. } => {}
                Heard::Down { why, .. } => panic!("the stage ended: {why}"),
            }
        }
    }

    fn until_shown(&mut self, wanted: Turn) {
        self.until(|report| matches!(report, Report::Shown { turn, .. } if *turn == wanted));
    }

    fn until_beats(&mut self, beats: usize) {
        (0..beats).for_each(|_| self.until(|report| matches!(report, Report::Beat(_))));
    }

    fn asked(&self) -> u64 {
        self.moods.asked.load(Ordering::SeqCst)
    }

    /// Whether the GPU that drew last is a real one.
    fn is_real(&self) -> bool {
        let gpu = self.moods.gpu.lock().expect("gpu");
        gpu.as_ref().is_some_and(|gpu| !gpu.software)
    }

    fn lose_gpu(&self) {
        self.moods.gpu.lock().expect("gpu").clone().expect("a GPU has drawn").lose();
    }

    fn shows(&self, rgb: [u8; 3]) -> bool {
        let shown = self.moods.shown.lock().expect("picture");
        shown.as_ref().is_some_and(|picture| picture.get_pixel(16, 9).0 == rgb)
    }

    fn count(&self, right: impl Fn(&Report) -> bool) -> usize {
        self.said.iter().filter(|report| right(report)).count()
    }

    fn end(self) {
        self.agent.quit();
        self.stage.join().expect("no panic").expect("ended well");
    }
}

const RED: [u8; 3] = [200, 0, 0];
const BLUE: [u8; 3] = [0, 0, 200];

#[test]
fn a_frame_that_is_not_taken_is_owed_and_one_that_is_lost_is_drawn_anew() {
    use Handed::{Later, Lost};
    for (case, moods) in [
        ("busy", &[Later, Later][..]),
        ("lost", &[Lost]),
        ("lost again and again", &[Lost, Lost, Later, Lost]),
    ] {
        let mut rig = Rig::start();
        rig.moods(moods);
        rig.wish(1, RED);
        rig.until_shown(1);
        assert!(rig.shows(RED), "{case}: at first");
        // The same in the middle of things.
        rig.moods(moods);
        rig.wish(2, BLUE);
        rig.until_shown(2);
        assert!(rig.shows(BLUE), "{case}: later");
        let gone = |report: &Report| matches!(report, Report::Gone { turn: 1, .. });
        if rig.count(gone) == 0 {
            rig.until(gone);
        }
        let shown = rig.count(|report| matches!(report, Report::Shown { .. }));
        assert_eq!((shown, rig.count(gone)), (2, 1), "{case}: {:?}", rig.said);
        rig.end();
    }
}

#[test]
fn a_picture_that_stands_is_back_by_itself_when_the_device_was_lost() {
    let mut rig = Rig::start();
    rig.wish(1, RED);
    rig.until_shown(1);
    rig.until_beats(1);
    let before = rig.asked();
    *rig.moods.shown.lock().expect("picture") = None;
    rig.lose_gpu();
    while rig.asked() == before {
        rig.until_beats(1);
    }
    rig.until_beats(1);
    assert!(rig.shows(RED), "the picture is not back");
    let off = |report: &Report| matches!(report, Report::Gone { .. } | Report::Failed { .. });
    assert_eq!(rig.count(off), 0, "it was never off: {:?}", rig.said);
    rig.end();
}

/// The tests above can fail: what is never taken is never called shown, and the stage lives on.
#[test]
fn what_no_display_takes_is_not_shown() {
    let mut rig = Rig::start();
    rig.moods(&[Handed::Later; 10_000]);
    rig.wish(1, RED);
    rig.until_beats(3);
    assert!(rig.asked() >= 2, "it gave up");
    assert!(rig.asked() < 60, "{} tries in a few seconds: it spins", rig.asked());
    assert_eq!(rig.count(|report| matches!(report, Report::Shown { .. })), 0);
    rig.moods.next.lock().expect("moods").clear();
    rig.until_shown(1);
    assert!(rig.shows(RED));
    rig.end();
}

/// A machine whose GPU is there only now and then. Both are drawn on alike: only the name differs.
#[derive(Default)]
struct Machine {
    has_gpu: AtomicBool,
    looks: AtomicU64,
    /// Holds up whoever looks for the GPU.
    hangs: Mutex<()>,
}

impl Machine {
    fn open(&self, wanted: Wanted, waker: &Waker) -> Result<Gpu, String> {
        if wanted == Wanted::Real {
            self.looks.fetch_add(1, Ordering::SeqCst);
            drop(self.hangs.lock().expect("whole"));
        }
        let real = self.has_gpu.load(Ordering::SeqCst);
        if wanted == Wanted::Real && !real {
            return Err("not there".to_owned());
        }
        let (mut gpu, _) = Gpu::open(Wanted::Any, None, waker)?;
        gpu.software = !real;
        Ok(gpu)
    }

    fn opener(self: &Arc<Machine>) -> Open {
        let machine = self.clone();
        Arc::new(move |wanted, waker| machine.open(wanted, waker))
    }

    fn looks(&self) -> u64 {
        self.looks.load(Ordering::SeqCst)
    }
}

#[test]
fn a_real_gpu_that_comes_late_or_back_is_moved_to_under_the_picture() {
    let machine = Arc::new(Machine::default());
    let mut rig = Rig::start_on(machine.opener(), 100);
    rig.wish(1, RED);
    rig.until_shown(1);
    assert!(!rig.is_real(), "it began with a GPU that is not there");
    while machine.looks() < 2 {
        rig.until_beats(1);
    }
    assert!(!rig.is_real(), "it moved to nothing");
    for round in ["late", "back"] {
        *rig.moods.shown.lock().expect("picture") = None;
        machine.has_gpu.store(true, Ordering::SeqCst);
        while !(rig.is_real() && rig.shows(RED)) {
            rig.until_beats(1);
        }
        let looks = machine.looks();
        rig.until_beats(3);
        assert_eq!(machine.looks(), looks, "{round}: it looks on");
        machine.has_gpu.store(false, Ordering::SeqCst);
        rig.lose_gpu();
        while rig.is_real() {
            rig.until_beats(1);
        }
    }
    let off = |report: &Report| matches!(report, Report::Gone { .. } | Report::Failed { .. });
    assert_eq!(rig.count(off), 0, "it was never off: {:?}", rig.said);
    rig.end();
}

#[test]
fn a_driver_that_hangs_while_it_is_looked_for_holds_up_nothing() {
    let machine = Arc::new(Machine::default());
    let hanging = machine.clone();
    let held = hanging.hangs.lock().expect("whole");
    let mut rig = Rig::start_on(machine.opener(), 100);
    rig.wish(1, RED);
    rig.until_shown(1);
    while machine.looks() == 0 {
        rig.until_beats(1);
    }
    rig.until_beats(3);
    assert_eq!(machine.looks(), 1, "another one is looking, too");
    rig.wish(2, BLUE);
    rig.until_shown(2);
    assert!(rig.shows(BLUE));
    drop(held);
    rig.end();
}

#[test]
fn a_display_that_lacks_the_picture_gets_it_though_nothing_moves() {
    use Handed::{Over, Partly};
    let mut rig = Rig::start();
    rig.moods(&[Partly, Partly, Over]);
    rig.wish(1, RED);
    rig.until_shown(1);
    while rig.asked() < 3 {
        rig.until_beats(1);
    }
    rig.until_beats(2);
    assert_eq!(rig.asked(), 3, "all have it, and it is drawn on");
    rig.end();
}
