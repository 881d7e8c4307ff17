//! What the stage says of itself once a second.

use super::*;

#[test]
fn beats_come_once_a_second_while_a_wish_stands() {
    let mut rig = Rig::new();
    rig.ready(&[1]);
    rig.at(3_000).turn();
    assert!(rig.said.is_empty(), "a beat without a wish");
    rig.wish(&[1], None);
    for ms in (3_000..6_000).step_by(100) {
        rig.at(ms).turn();
    }
    assert_eq!(rig.count(|report| matches!(report, Report::Beat(_))), 3);
    rig.at(60_000).turn();
    rig.turn();
    assert_eq!(rig.count(|report| matches!(report, Report::Beat(_))), 4, "missed beats pile up");
}

#[test]
fn without_a_display_nobody_waits_for_movement() {
    let mut rig = Rig::new();
    rig.wish(&[1], None);
    rig.ready(&[1]);
    rig.turn();
    rig.tell(1, |script| script.next_at = Some(Mono(1)));
    let moves = |rig: &mut Rig, ms| {
        rig.said.clear();
        rig.at(ms).stage.tick(Mono(ms * 1_000_000), Some(&mut FakePainter::default()));
        rig.hear();
        rig.said.iter().find_map(|report| match report {
            Report::Beat(beat) => Some(beat.moving),
            _ => None,
        })
    };
    assert_eq!(moves(&mut rig, 10_000), Some(true));
    rig.stage.set_dark(true);
    assert_eq!(moves(&mut rig, 20_000), Some(false));
    rig.stage.set_dark(false);
    assert_eq!(moves(&mut rig, 30_000), Some(true));
}

#[test]
fn what_stands_until_its_time_is_not_overdue() {
    let mut rig = Rig::new();
    rig.wish(&[1], None);
    rig.ready(&[1]);
    rig.turn();
    // As a clock that turns every minute.
    rig.tell(1, |script| script.next_at = Some(Mono(60_000_000_000)));
    // The display takes nothing.
    for (ms, overdue) in [(10_000, false), (59_000, false), (60_000, true), (61_000, true)] {
        rig.said.clear();
        rig.at(ms).stage.tick(Mono(ms * 1_000_000), Some(&mut FakePainter::default()));
        rig.hear();
        let beat = rig.said.iter().find_map(|report| match report {
            Report::Beat(beat) => Some(beat.moving),
            _ => None,
        });
        assert_eq!(beat, Some(overdue), "at {ms} ms");
    }
}

#[test]
fn what_is_not_begun_with_is_named() {
    let mut rig = Rig::new();
    rig.wish(&[1, 2], None);
    rig.tell(1, |script| script.starting = true);
    let said = |rig: &mut Rig| {
        rig.said.clear();
        rig.hear();
        rig.said.iter().find_map(|report| match report {
            Report::Beat(beat) => Some((beat.draws, beat.starting.clone())),
            _ => None,
        })
    };
    rig.stage.tick(rig.now, None);
    assert_eq!(said(&mut rig), Some((false, vec![1])), "nothing to draw with");
    rig.at(1_000).stage.tick(Mono(1_000_000_000), Some(&mut FakePainter::default()));
    assert_eq!(said(&mut rig), Some((true, vec![1])));
    rig.tell(1, |script| script.starting = false);
    rig.at(2_000).stage.tick(Mono(2_000_000_000), Some(&mut FakePainter::default()));
    assert_eq!(said(&mut rig), Some((true, vec![])));
}
