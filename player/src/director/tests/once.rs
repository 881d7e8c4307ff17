//! Playing everything once.

use super::*;

fn once(items: Vec<vitrine_sync::model::Item>, stage: Stage) -> World {
    let mut world = World::new(true);
    world.start(Some(live(1, vec![playlist("p", items)])));
    world.up(stage);
    world
}

fn finished_at(world: &mut World, until_ms: u64) -> Option<u64> {
    let finished = |world: &World| {
        world.effects.iter().filter(|effect| matches!(effect, Effect::Finished)).count()
    };
    for ms in (0..=until_ms).step_by(50) {
        world.run_to(ms);
        if finished(world) > 0 {
            world.run_to(until_ms);
            assert_eq!(finished(world), 1, "said once");
            return Some(ms);
        }
    }
    None
}

#[test]
fn it_ends_also_where_nothing_is_ever_there_to_draw_with() {
    let mut stage = Stage::new(0);
    stage.draws_from = mono(1 << 40);
    let mut world = once(vec![image("a"), image("b")], stage);
    let ended = finished_at(&mut world, 300_000);
    assert!(ended.is_some_and(|ms| (60_000..120_000).contains(&ms)), "{ended:?}");
    assert_eq!(world.take_shown(), [""; 0]);
}

#[test]
fn it_ends_when_every_item_was_shown_or_has_failed_once() {
    let broken = |names: &[&str]| {
        let mut stage = Stage::new(0);
        stage.broken = names.iter().map(|name| (*name).to_owned()).collect();
        stage
    };
    let stills = || vec![image("a"), image("b"), image("c")];
    for (case, items, stage, shown, end) in [
        ("stills", stills(), broken(&[]), vec!["50 a", "10050 b", "20050 c"], 30_050),
        ("the first fails", stills(), broken(&["a"]), vec!["100 b", "10100 c"], 20_100),
        ("the last fails", stills(), broken(&["c"]), vec!["50 a", "10050 b"], 20_050),
        ("all fail", stills(), broken(&["a", "b", "c"]), vec![], 150),
        ("one still", vec![image("a")], broken(&[]), vec!["50 a"], 10_050),
        ("ends with a video", vec![video("3a")], broken(&[]), vec!["50 3a"], 3_050),
        ("nothing at all", vec![], broken(&[]), vec![], 0),
    ] {
        let mut world = once(items, stage);
        assert_eq!(finished_at(&mut world, 60_000), Some(end), "case {case:?}");
        let mut names = world.take_shown();
        names.retain(|line| !line.ends_with("colour"));
        assert_eq!(names, shown, "case {case:?}");
        assert_eq!(world.proofs().len(), shown.len(), "case {case:?}");
    }
}
