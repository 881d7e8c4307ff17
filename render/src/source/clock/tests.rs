use std::time::Duration;

use vitrine_config::time::{Now, Trust};

use super::*;
use crate::scene::{Align, Fit, Rgb, VerticalPlace};
use crate::source::decoders::Decoders;
use crate::source::worker::{WorkerCommand, WorkerPool};

const SIZE: Size = Size { width_px: 64, height_px: 16 };
const FITTING: Fitting = Fitting { covers: SIZE, fit: Fit::Stretch, scale: 1.0 };

struct Rig {
    _decoders: Decoders,
    wall: Arc<Wall>,
    source: ClockSource,
    bell: std::sync::mpsc::Receiver<()>,
    now: Mono,
}

impl Rig {
    fn new(wall_s: i64, words: Words) -> Rig {
        let decoders = Decoders::start().expect("threads");
        let (ring, bell) = std::sync::mpsc::sync_channel(64);
        let waker = Arc::new(move || ring.try_send(()).unwrap_or_default());
        let maker = decoders.maker(WorkerPool::new(WorkerCommand::default()).supply(), waker);
        let wall = Arc::new(Wall::default());
        let style = TextStyle {
            font: None,
            family: Some("Vitrine Sans".into()),
            size_px: 14.0,
            weight: 400,
            colour: Rgb([255; 3]),
            align: Align::Start,
            place: VerticalPlace::Middle,
            wrap: false,
            padding_px: 0.0,
        };
        let now = Mono(7_000_000_000);
        let source = ClockSource::open(maker, wall.clone(), (words, style), FITTING);
        let mut rig = Rig { _decoders: decoders, wall, source, bell, now };
        rig.set(wall_s);
        rig
    }

    fn set(&mut self, wall_s: i64) {
        let wall = Timestamp::from_second(wall_s).expect("in range");
        self.wall.set(&Now { wall, mono: self.now, trust: Trust::Synced });
    }

    /// Waits until nothing is being made any more.
    fn settle(&mut self) {
        loop {
            self.source.poll(self.now);
            let busy =
                self.source.zone.is_some() || self.source.pages.iter().any(|p| p.ask.is_some());
            if !busy || self.source.failed.is_some() {
                return;
            }
            self.bell.recv_timeout(Duration::from_secs(60)).expect("made in time");
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    fn takes(&mut self) -> bool {
        self.source.take(self.now).is_some()
    }

    fn text(&self) -> &str {
        &self.source.pages[0].said.text
    }
}

fn clock() -> Words {
    Words::Clock { format: "%H:%M".into(), zone: Some("UTC".into()), locale: None }
}

#[test]
fn it_wakes_when_its_text_changes_and_not_before() {
    let mut rig = Rig::new(3_600 + 20, clock());
    rig.settle();
    assert_eq!(rig.source.poll(rig.now), State::Ready(SIZE));
    assert!(rig.takes(), "no first picture");
    assert_eq!(rig.text(), "01:00");
    let edge = rig.now.after(Duration::from_secs(40));
    assert_eq!(rig.source.next_at(), Some(edge));
    rig.wait(Duration::from_secs(39));
    rig.source.poll(rig.now);
    assert!(!rig.takes(), "changed early");
    rig.wait(Duration::from_secs(1));
    assert!(rig.takes(), "the next text was not ready on its moment");
    assert_eq!(rig.text(), "01:01");
    rig.settle();
    assert_eq!(rig.source.next_at(), Some(edge.after(Duration::from_secs(60))));
}

#[test]
fn when_the_time_is_set_the_right_text_follows() {
    for set_s in [7_200, 100, 3_640] {
        let mut rig = Rig::new(3_600, clock());
        rig.settle();
        assert!(rig.takes());
        rig.set(set_s);
        rig.settle();
        let is_other = rig.text() != "01:00";
        assert_eq!(rig.takes() && is_other, set_s != 3_640, "set to {set_s}: {}", rig.text());
        assert_eq!(rig.source.poll(rig.now), State::Ready(SIZE), "it lost its picture");
    }
}

#[test]
fn a_countdown_ends_and_a_wrong_format_is_told() {
    let to = Timestamp::from_second(1_000).expect("in range");
    let over = Some("Go".to_owned());
    let mut rig = Rig::new(999, Words::Countdown { to, format: "%S".into(), over });
    rig.settle();
    assert!(rig.takes());
    assert_eq!(rig.text(), "01");
    rig.wait(Duration::from_secs(1));
    assert!(rig.takes());
    assert_eq!((rig.text(), rig.source.next_at()), ("Go", None));
    let wrong = Words::Countdown { to, format: "%x".into(), over: None };
    let mut rig = Rig::new(0, wrong);
    assert!(matches!(rig.source.poll(rig.now), State::Failed(error) if error.0.contains("%x")));
}
