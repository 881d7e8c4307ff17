//! What is on its way out: for how long, and what it costs the others.

use super::*;
use crate::scene::{Transition, TransitionKind};

const LASTS: Duration = Duration::from_millis(40);

/// `scene` with layers that fade in.
fn fading(turns: &[Turn]) -> Scene {
    let mut scene = scene(turns);
    for layer in &mut scene.layers {
        layer.entrance = Some(Transition { kind: TransitionKind::Fade, lasts: LASTS });
    }
    scene
}

impl Rig {
    fn wish_scene(&mut self, wanted: Scene) {
        self.stage.wish(Wish { wanted, next: None }, self.now, &mut self.scripts);
        self.stage.sweep(Some(&mut self.painter));
        self.hear();
    }

    fn faded_to(turns: &[Turn]) -> Rig {
        let mut rig = Rig::new();
        rig.ready(&[1, 2, 3, 4]);
        rig.wish_scene(fading(&[1]));
        assert_eq!(rig.turn(), Some(vec![1]));
        assert_eq!(rig.turn(), None, "there was nothing to come in over");
        rig.wish_scene(fading(turns));
        rig
    }
}

#[test]
fn frames_come_as_long_as_something_passes_and_both_sources_live() {
    let mut rig = Rig::faded_to(&[2]);
    assert_eq!(rig.at(100).turn(), Some(vec![1]), "at first the old one alone");
    let left = |turn| rig.scripts.borrow().get(&turn).is_some_and(|script| script.left);
    assert_eq!((left(1), left(2)), (true, false), "who is heard");
    let puts = rig.painter.puts;
    rig.tell(1, |script| script.next_at = Some(Mono(110_000_000)));
    assert_eq!(rig.at(120).turn(), Some(vec![1, 2]));
    assert_eq!(rig.painter.puts, puts + 1, "the old one stands still");
    assert_eq!(rig.at(130).turn(), Some(vec![1, 2]));
    assert_eq!(rig.painter.pictures, BTreeSet::from([1, 2]));
    assert_eq!(rig.at(140).turn(), Some(vec![2]), "over");
    assert_eq!(rig.turn(), None);
    assert_eq!(rig.painter.pictures, BTreeSet::from([2]), "the old picture is kept");
}

#[test]
fn showings_end_and_begin_as_with_a_cut() {
    let mut rig = Rig::faded_to(&[2]);
    rig.at(100).turn();
    for ms in (110..300).step_by(10) {
        rig.at(ms).turn();
    }
    let at = Mono(100_000_000);
    let gone = |report: &Report| matches!(report, Report::Gone { turn: 1, .. });
    let in_time = |report: &Report| match report {
        Report::Gone { turn: 1, at: end, .. } | Report::Shown { turn: 2, at: end } => *end == at,
        _ => false,
    };
    assert_eq!((rig.count(gone), rig.count(in_time)), (1, 2), "{:?}", rig.said);
}

#[test]
fn the_next_change_does_not_wait_and_an_interrupted_one_ends_at_once() {
    let mut rig = Rig::faded_to(&[2]);
    rig.at(100).turn();
    rig.wish_scene(fading(&[3]));
    assert_eq!(rig.at(120).turn(), Some(vec![2]), "3 comes in over 2, and 1 is gone");
    assert_eq!(rig.at(130).turn(), Some(vec![2, 3]));
    assert_eq!(rig.painter.pictures, BTreeSet::from([2, 3]));
    rig.wish_scene(scene(&[4]));
    assert_eq!(rig.at(140).turn(), Some(vec![4]), "a cut is a cut");
    assert_eq!(rig.turn(), None);
}

#[test]
fn what_is_broken_or_lost_on_its_way_out_troubles_nobody() {
    let mut rig = Rig::faded_to(&[2]);
    rig.at(100).turn();
    rig.tell(1, |script| script.failed = true);
    assert_eq!(rig.at(120).turn(), Some(vec![1, 2]), "its last picture stays");
    assert_eq!(rig.count(|report| matches!(report, Report::Failed { .. })), 0);
    rig.painter.pictures.clear();
    rig.stage.lose_pictures();
    assert_eq!(rig.at(130).turn(), Some(vec![2]), "a new GPU begins with what is on");
}

#[test]
fn a_showing_that_was_on_its_way_out_can_come_back() {
    let mut rig = Rig::faded_to(&[2]);
    rig.at(100).turn();
    rig.wish_scene(fading(&[1]));
    assert_eq!(rig.at(110).turn(), Some(vec![2]));
    assert_eq!(rig.at(120).turn(), Some(vec![2, 1]));
    assert_eq!(rig.count(|report| matches!(report, Report::Shown { turn: 1, .. })), 2);
}

#[test]
fn an_overlay_that_comes_or_goes_is_no_other_page() {
    let mut rig = Rig::faded_to(&[2]);
    rig.at(100).turn();
    let mut with_overlay = fading(&[2]);
    with_overlay.layers.extend(scene(&[9]).layers);
    rig.ready(&[9]);
    rig.wish_scene(with_overlay);
    assert_eq!(rig.at(120).turn(), Some(vec![1, 2, 9]), "the fade goes on below it");
    rig.wish_scene(fading(&[2]));
    assert_eq!(rig.at(130).turn(), Some(vec![1, 2]));
    assert_eq!(rig.at(140).turn(), Some(vec![2]));
}

#[test]
fn another_page_comes_in_as_a_whole_and_what_stays_lies_in_front() {
    let mut rig = Rig::faded_to(&[1]);
    let page = |turns: &[Turn], rgb| Scene { background: Rgb(rgb), ..fading(turns) };
    rig.ready(&[9]);
    rig.wish_scene(page(&[1, 9], [0; 3]));
    rig.at(100).turn();
    rig.at(200).turn();
    rig.wish_scene(page(&[2, 3, 9], [7; 3]));
    let frame = |rig: &mut Rig| {
        rig.stage.tick(rig.now, Some(&mut rig.painter));
        let frame = rig.stage.compose(rig.now, &mut rig.painter).expect("a frame");
        rig.stage.presented(rig.now, &mut rig.painter);
        frame
    };
    frame(rig.at(300));
    let half = frame(rig.at(320));
    assert_eq!(drawn(&half.page), [1, 9]);
    assert_eq!(half.page.layers[1].paint, Paint::Coming, "between the old page and what stays");
    assert_eq!(half.coming.as_ref().map(drawn), Some(vec![2, 3]));
    let over = frame(rig.at(340));
    assert_eq!((drawn(&over.page), over.coming), (vec![2, 3, 9], None));
}
