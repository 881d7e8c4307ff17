//! The stage with fakes for sources and painter: any order of events, held to its promises.

use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::scene::{self, Fit, Rgb, Start, Transition, TransitionKind};
use crate::source::{SourceError, State};

mod beats;
mod day;
mod displays;
mod film;
mod gapless;
mod passing;
mod turned;

const SCREEN: Size = Size { width_px: 64, height_px: 36 };
const PIXEL: [u8; 4] = [1, 2, 3, 255];
const ONE: Size = Size { width_px: 1, height_px: 1 };

/// What a fake source is told to say.
#[derive(Debug, Clone, Copy, Default)]
struct Script {
    ready: bool,
    failed: bool,
    starting: bool,
    lasts: Option<Duration>,
    ends_at: Option<Mono>,
    next_at: Option<Mono>,
    /// Told to leave.
    left: bool,
}

type Scripts = Rc<RefCell<BTreeMap<Turn, Script>>>;

struct FakeSource {
    turn: Turn,
    scripts: Scripts,
    taken: bool,
}

impl FakeSource {
    fn script(&self) -> Script {
        self.scripts.borrow().get(&self.turn).copied().unwrap_or_default()
    }
}

impl Source for FakeSource {
    fn poll(&mut self, _now: Mono) -> State {
        match self.script() {
            Script { failed: true, .. } => State::Failed(SourceError("told to".into())),
            Script { ready: true, .. } => State::Ready(ONE),
            _ => State::Preparing,
        }
    }

    fn start(&mut self, _at: Mono) {}

    fn take(&mut self, now: Mono) -> Option<Picture<'_>> {
        let script = self.script();
        let first = script.ready && !std::mem::replace(&mut self.taken, script.ready);
        let due = script.next_at.is_some_and(|at| at <= now);
        if due && let Some(script) = self.scripts.borrow_mut().get_mut(&self.turn) {
            script.next_at = None;
        }
        (first || due).then_some(Picture::Rgba { size: ONE, data: &PIXEL })
    }

    fn next_at(&self) -> Option<Mono> {
        self.script().next_at
    }

    fn lasts(&self) -> Option<Duration> {
        self.script().lasts
    }

    fn ends_at(&self) -> Option<Mono> {
        self.script().ends_at
    }

    fn is_starting(&self) -> bool {
        self.script().starting
    }

    fn leave(&mut self) {
        self.scripts.borrow_mut().entry(self.turn).or_default().left = true;
    }

    fn again(&mut self) {
        self.taken = false;
    }
}

impl Opener for Scripts {
    fn open(&mut self, layer: &Layer, _fitting: Fitting) -> Box<dyn Source> {
        Box::new(FakeSource { turn: layer.turn, scripts: self.clone(), taken: false })
    }
}

#[derive(Default)]
struct FakePainter {
    pictures: BTreeSet<Turn>,
    puts: u64,
}

impl Painter for FakePainter {
    fn put(&mut self, turn: Turn, _picture: &Picture<'_>) -> Result<(), String> {
        self.pictures.insert(turn);
        self.puts += 1;
        Ok(())
    }

    fn remove(&mut self, turn: Turn) {
        self.pictures.remove(&turn);
    }
}

/// A stage, its fakes and a clock that is moved by hand.
struct Rig {
    stage: Stage,
    scripts: Scripts,
    painter: FakePainter,
    now: Mono,
    said: Vec<Report>,
}

impl Rig {
    fn new() -> Rig {
        Rig {
            stage: Stage::new(SCREEN),
            scripts: Scripts::default(),
            painter: FakePainter::default(),
            now: Mono(0),
            said: Vec::new(),
        }
    }

    fn tell(&self, turn: Turn, change: impl Fn(&mut Script)) {
        change(self.scripts.borrow_mut().entry(turn).or_default());
    }

    fn ready(&self, turns: &[Turn]) {
        turns.iter().for_each(|turn| self.tell(*turn, |script| script.ready = true));
    }

    fn wish(&mut self, wanted: &[Turn], next: Option<(&[Turn], Start)>) {
        let next = next.map(|(turns, start)| Next { scene: scene(turns), start });
        self.stage.wish(Wish { wanted: scene(wanted), next }, self.now, &mut self.scripts);
        self.stage.sweep(Some(&mut self.painter));
        self.hear();
    }

    fn at(&mut self, ms: u64) -> &mut Rig {
        self.now = Mono(ms * 1_000_000).max(self.now);
        self
    }

    /// One turn of the loop; the turns drawn, if a frame was.
    fn turn(&mut self) -> Option<Vec<Turn>> {
        self.stage.tick(self.now, Some(&mut self.painter));
        self.hear();
        if !self.stage.wants_frame() {
            return None;
        }
        let frame = self.stage.compose(self.now, &mut self.painter)?;
        self.stage.presented(self.now, &mut self.painter);
        self.hear();
        Some(drawn(&frame.page))
    }

    fn hear(&mut self) {
        self.said.extend(self.stage.take_reports());
    }

    fn count(&self, right: impl Fn(&Report) -> bool) -> usize {
        self.said.iter().filter(|report| right(report)).count()
    }
}

/// Turns of a page, back to front.
fn drawn(page: &Page) -> Vec<Turn> {
    let turn = |drawn: &Drawn| match drawn.paint {
        Paint::Turn(turn) => Some(turn),
        Paint::Flat | Paint::Coming => None,
    };
    page.layers.iter().filter_map(turn).collect()
}

fn scene(turns: &[Turn]) -> Scene {
    let colour = scene::Source::Colour(Rgb([0, 0, 0]));
    let layers = turns.iter().map(|turn| Layer::new(*turn, colour.clone()));
    Scene { layers: layers.collect(), ..Scene::default() }
}

fn after(turn: Turn, ms: u64) -> Start {
    Start::After { turn, lasts: Duration::from_millis(ms) }
}

fn at_end(turn: Turn) -> Start {
    Start::AtEnd { turn, early: Duration::ZERO }
}

#[test]
fn nothing_is_shown_before_all_of_it_is_prepared() {
    let mut rig = Rig::new();
    rig.wish(&[1, 2], None);
    rig.ready(&[1]);
    assert_eq!(rig.turn(), None);
    rig.ready(&[2]);
    assert_eq!(rig.turn(), Some(vec![1, 2]));
    assert_eq!(rig.turn(), None, "a still screen was drawn again");
}

#[test]
fn the_old_scene_stays_while_the_new_one_is_prepared_or_fails() {
    let mut rig = Rig::new();
    rig.ready(&[1]);
    rig.wish(&[1], None);
    assert_eq!(rig.turn(), Some(vec![1]));
    rig.wish(&[2], None);
    assert_eq!(rig.at(10).turn(), None);
    rig.tell(2, |script| script.failed = true);
    assert_eq!(rig.at(20).turn(), None);
    assert_eq!(rig.count(|report| matches!(report, Report::Failed { turn: 2, .. })), 1);
    rig.ready(&[3]);
    rig.wish(&[3], None);
    assert_eq!(rig.turn(), Some(vec![3]));
    assert_eq!(rig.count(|report| matches!(report, Report::Gone { turn: 1, .. })), 1);
    assert_eq!(rig.stage.showing(), [3]);
}

#[test]
fn next_takes_over_at_its_start_and_not_before() {
    let at = Mono(50_000_000);
    for (case, start) in [("at", Start::At(at)), ("after", after(1, 50))] {
        let mut rig = Rig::new();
        rig.ready(&[1, 2]);
        rig.wish(&[1], Some((&[2], start)));
        assert_eq!(rig.turn(), Some(vec![1]), "{case}");
        assert_eq!(rig.turn(), None, "{case}");
        assert_eq!(rig.stage.wake_at(rig.now), Some(at), "{case}");
        assert_eq!(rig.at(49).turn(), None, "{case}");
        assert_eq!(rig.at(50).turn(), Some(vec![2]), "{case}");
    }
}

#[test]
fn at_end_waits_for_the_last_pictures_full_time() {
    let mut rig = Rig::new();
    rig.ready(&[1]);
    rig.wish(&[1], Some((&[2], at_end(1))));
    assert_eq!(rig.turn(), Some(vec![1]));
    rig.tell(1, |script| script.ends_at = Some(Mono(40_000_000)));
    assert_eq!(rig.at(60).turn(), None, "the next scene is not prepared: the last picture stays");
    rig.ready(&[2]);
    assert_eq!(rig.at(61).turn(), Some(vec![2]));
}

#[test]
fn what_comes_in_slowly_begins_before_an_end_that_is_foreseen() {
    let ms = Duration::from_millis;
    for (case, told_ms, early_ms, end_ms, wanted_ms) in [
        ("told", Some(100), 30, None, 70),
        ("sooner than told", Some(100), 30, Some(80), 50),
        ("a cut waits for the last picture", Some(100), 0, Some(110), 110),
        ("not told", None, 30, Some(100), 70),
        ("earlier than it begins", Some(100), 900, None, 1),
    ] {
        let mut rig = Rig::new();
        rig.ready(&[1, 2]);
        rig.tell(1, |script| script.lasts = told_ms.map(ms));
        let start = Start::AtEnd { turn: 1, early: ms(early_ms) };
        rig.wish(&[1], Some((&[2], start)));
        assert_eq!(rig.turn(), Some(vec![1]), "case {case:?}");
        let prepared = Report::Prepared { turn: 1, lasts: told_ms.map(ms) };
        assert_eq!(rig.count(|report| *report == prepared), 1, "case {case:?}");
        let end = end_ms.map(|end| Mono(end * 1_000_000));
        rig.tell(1, |script| script.ends_at = end);
        let swapped = (1..200).find(|ms| rig.at(*ms).turn() == Some(vec![2]));
        assert_eq!(swapped, Some(wanted_ms), "case {case:?}");
    }
}

#[test]
fn an_end_that_nothing_follows_is_said_once() {
    const NEXT: &[Turn] = &[2];
    let over = Mono(40_000_000);
    for (case, next, said) in [("nothing next", None, 1), ("next is ready", Some(at_end(1)), 0)] {
        let mut rig = Rig::new();
        rig.ready(&[1, 2]);
        rig.wish(&[1], next.map(|start| (NEXT, start)));
        rig.turn();
        rig.tell(1, |script| script.ends_at = Some(over));
        assert_eq!(rig.stage.wake_at(rig.now), Some(over), "{case}");
        let ended = |rig: &Rig| {
            rig.count(|report| matches!(report, Report::Ended { turn: 1, at } if *at == over))
        };
        rig.at(39).turn();
        assert_eq!(ended(&rig), 0, "{case}: too early");
        rig.at(40).turn();
        rig.at(50).turn();
        assert_eq!(ended(&rig), said, "{case}");
    }
}

#[test]
fn a_layer_that_stays_is_not_disturbed() {
    let mut rig = Rig::new();
    rig.ready(&[1, 2, 3]);
    rig.wish(&[1, 2], None);
    rig.turn();
    rig.wish(&[1, 3], None);
    assert_eq!(rig.turn(), Some(vec![1, 3]));
    assert_eq!(rig.painter.puts, 3, "a picture was put again");
    assert_eq!(rig.painter.pictures, BTreeSet::from([1, 3]));
    assert_eq!(rig.count(|report| matches!(report, Report::Shown { turn: 1, .. })), 1);
    assert_eq!(rig.count(|report| matches!(report, Report::Gone { turn: 1, .. })), 0);
}

#[test]
fn a_wish_that_did_not_know_of_the_move_gives_its_next_only() {
    let mut rig = Rig::new();
    rig.ready(&[1, 2, 3]);
    rig.wish(&[1], Some((&[2], after(1, 50))));
    rig.turn();
    assert_eq!(rig.at(50).turn(), Some(vec![2]));
    rig.wish(&[1], Some((&[3], after(2, 50))));
    assert_eq!(rig.at(60).turn(), None, "went back");
    assert_eq!(rig.at(100).turn(), Some(vec![3]));
}

#[test]
fn an_overlay_can_be_taken_away_after_a_move() {
    let mut rig = Rig::new();
    rig.ready(&[1, 2, 9]);
    rig.wish(&[1, 9], Some((&[2, 9], after(1, 50))));
    rig.turn();
    assert_eq!(rig.at(50).turn(), Some(vec![2, 9]));
    rig.wish(&[2], None);
    assert_eq!(rig.turn(), Some(vec![2]));
}

#[test]
fn next_overtakes_a_wanted_scene_that_is_not_ready_in_time() {
    let mut rig = Rig::new();
    rig.ready(&[1, 3]);
    rig.wish(&[1], None);
    rig.turn();
    rig.wish(&[2], Some((&[3], Start::At(Mono(50_000_000)))));
    assert_eq!(rig.at(50).turn(), Some(vec![3]));
    rig.ready(&[2]);
    assert_eq!(rig.at(60).turn(), None, "went back to what was passed over");
    rig.wish(&[2], None);
    assert_eq!(rig.at(70).turn(), None);
}

#[test]
fn a_frame_that_the_display_did_not_take_is_no_showing() {
    let mut rig = Rig::new();
    rig.ready(&[1]);
    rig.wish(&[1], None);
    rig.stage.tick(rig.now, Some(&mut rig.painter));
    assert!(rig.stage.compose(rig.now, &mut rig.painter).is_some());
    rig.stage.not_presented();
    rig.hear();
    assert_eq!(rig.count(|report| matches!(report, Report::Shown { .. })), 0);
    assert_eq!(rig.turn(), Some(vec![1]), "the frame is still owed");
}

#[test]
fn lost_pictures_come_back_before_anything_is_drawn() {
    let mut rig = Rig::new();
    rig.ready(&[1]);
    rig.wish(&[1], None);
    rig.turn();
    rig.tell(1, |script| script.ready = false);
    rig.painter.pictures.clear();
    rig.stage.lose_pictures();
    assert_eq!(rig.turn(), None, "drew a scene without its picture");
    rig.ready(&[1]);
    assert_eq!(rig.turn(), Some(vec![1]));
    assert_eq!(rig.count(|report| matches!(report, Report::Shown { .. })), 1);
}

#[derive(Debug, Clone)]
enum Op {
    /// Wanted: the newest scene; next: another one.
    Wish {
        fresh: bool,
        keep: bool,
        start: Option<u8>,
    },
    Ready(u8),
    Fail(u8),
    End(u8),
    Move(u8),
    Turn,
    TurnUnseen,
    LoseGpu,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (any::<bool>(), any::<bool>(), prop::option::of(0..4u8))
            .prop_map(|(fresh, keep, start)| Op::Wish { fresh, keep, start }),
        5 => (0..6u8).prop_map(Op::Ready),
        1 => (0..6u8).prop_map(Op::Fail),
        1 => (0..6u8).prop_map(Op::End),
        3 => (1..100u8).prop_map(Op::Move),
        6 => Just(Op::Turn),
        1 => Just(Op::TurnUnseen),
        1 => Just(Op::LoseGpu),
    ]
}

/// What a director that numbers on would wish, knowing or not knowing what the stage has done.
#[derive(Default)]
struct FakeDirector {
    newest: Turn,
    wanted: Vec<Turn>,
    next: Vec<Turn>,
}

impl FakeDirector {
    fn wish(&mut self, rig: &mut Rig, fresh: bool, keep: bool, start: Option<u8>) {
        if fresh || self.wanted.is_empty() {
            let kept = self.wanted.first().copied().filter(|_| keep);
            self.newest += 1;
            self.wanted = kept.into_iter().chain([self.newest]).collect();
        }
        let on = *self.wanted.last().expect("not empty");
        let start = start.map(|kind| match kind {
            0 => Start::At(rig.now.after(Duration::from_millis(30))),
            1 => after(on, 30),
            2 => at_end(on),
            _ => Start::At(Mono(0)),
        });
        self.newest += 1;
        self.next = vec![self.newest];
        // Every third showing comes in slowly.
        let kind = TransitionKind::Slide(crate::scene::Way::Left);
        let entrance = Some(Transition { kind, lasts: Duration::from_millis(20) });
        let slow = |turns: &[Turn]| {
            let mut scene = scene(turns);
            let slow = scene.layers.iter_mut().filter(|layer| layer.turn % 3 == 0);
            slow.for_each(|layer| layer.entrance = entrance);
            scene
        };
        let next = start.map(|start| Next { scene: slow(&self.next), start });
        rig.stage.wish(Wish { wanted: slow(&self.wanted), next }, rig.now, &mut rig.scripts);
        rig.stage.sweep(Some(&mut rig.painter));
        rig.hear();
    }

    fn recent(&self, back: u8) -> Turn {
        self.newest.saturating_sub(back.into())
    }
}

/// Sees every frame and holds the stage to what it promises.
#[derive(Default)]
struct Watcher {
    left: BTreeSet<Turn>,
    on: BTreeSet<Turn>,
}

impl Watcher {
    fn frame(&mut self, rig: &Rig, turns: &[Turn], moved_on: bool) -> Result<(), TestCaseError> {
        for turn in turns {
            prop_assert!(rig.painter.pictures.contains(turn), "turn {} has no picture", turn);
        }
        let on: BTreeSet<_> = super::turns(&rig.stage.current).collect();
        for turn in &on {
            prop_assert!(!self.left.contains(turn), "turn {} came back", turn);
        }
        if moved_on {
            self.left.extend(self.on.difference(&on));
        }
        self.on = on;
        Ok(())
    }
}

fn check_reports(said: &[Report], showing: &[Turn]) -> Result<(), TestCaseError> {
    let mut on = BTreeSet::new();
    for report in said {
        match report {
            Report::Shown { turn, .. } => prop_assert!(on.insert(*turn), "{} shown twice", turn),
            Report::Gone { turn, .. } => prop_assert!(on.remove(turn), "{} was not on", turn),
            _ => {}
        }
    }
    prop_assert_eq!(on.into_iter().collect::<Vec<_>>(), showing);
    Ok(())
}

proptest! {
    #[test]
    fn any_order_of_events_keeps_the_promises(ops in prop::collection::vec(op(), 0..120)) {
        let (mut rig, mut director, mut watcher) =
            (Rig::new(), FakeDirector::default(), Watcher::default());
        for op in ops {
            match op {
                Op::Wish { fresh, keep, start } => director.wish(&mut rig, fresh, keep, start),
                Op::Ready(back) => rig.ready(&[director.recent(back)]),
                Op::Fail(back) => rig.tell(director.recent(back), |script| script.failed = true),
                Op::End(back) => {
                    let now = rig.now;
                    rig.tell(director.recent(back), |script| script.ends_at = Some(now));
                }
                Op::Move(ms) => rig.now = rig.now.after(Duration::from_millis(ms.into())),
                Op::Turn => {
                    let had_next = rig.stage.next.is_some();
                    if let Some(turns) = rig.turn() {
                        let moved_on = had_next && rig.stage.next.is_none();
                        watcher.frame(&rig, &turns, moved_on)?;
                        let due_again =
                            rig.stage.next.is_some() || !rig.stage.passing.is_empty();
                        prop_assert!(due_again || rig.turn().is_none(), "drew for nothing");
                    }
                }
                Op::TurnUnseen => {
                    rig.stage.tick(rig.now, Some(&mut rig.painter));
                    if rig.stage.compose(rig.now, &mut rig.painter).is_some() {
                        rig.stage.not_presented();
                    }
                    rig.hear();
                }
                Op::LoseGpu => {
                    rig.painter.pictures.clear();
                    rig.stage.lose_pictures();
                }
            }
            check_reports(&rig.said, &rig.stage.showing())?;
            prop_assert!(rig.stage.wake_at(rig.now).is_none_or(|at| at > rig.now));
        }
        rig.stage.close(rig.now);
        rig.hear();
        check_reports(&rig.said, &[])?;
    }
}
