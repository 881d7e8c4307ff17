//! New content while old content plays.

use super::*;

fn abc() -> Vec<vitrine_sync::model::Item> {
    vec![image("a"), image("b"), image("c")]
}

#[test]
fn what_is_unchanged_goes_on_undisturbed() {
    let mut world = World::playing(live(1, vec![playlist("p", abc())]));
    world.run_to(15_000);
    // b stays on, though it has moved; the order after it is the new one.
    let items = vec![image("x"), image("a"), image("b"), image("y")];
    world.go_live(live(2, vec![playlist("p", items)]));
    world.run_to(45_000);
    assert_eq!(world.take_shown(), ["50 a", "10050 b", "20050 y", "30050 x", "40050 a"]);
    let versions: Vec<u64> = world.proofs().iter().map(|proof| proof.manifest_version).collect();
    assert_eq!(versions, [1, 1, 2, 2]);
}

#[test]
fn what_is_gone_or_changed_makes_room_at_once() {
    let green = |id: &str| vitrine_sync::model::Item { background: Some([0, 9, 0]), ..image(id) };
    for (case, items, want) in [
        ("gone", vec![image("a"), image("c")], ["15050 c", "25050 a"]),
        ("gone, the last", vec![image("a")], ["15050 a", ""]),
        ("changed", vec![image("a"), green("b"), image("c")], ["15050 b", "25050 c"]),
        ("another list", vec![image("x"), image("y")], ["15050 y", "25050 x"]),
    ] {
        let mut world = World::playing(live(1, vec![playlist("p", abc())]));
        world.run_to(15_000);
        world.take_shown();
        world.go_live(live(2, vec![playlist("p", items)]));
        world.run_to(30_000);
        let want: Vec<&str> = want.into_iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(world.take_shown(), want, "case {case:?}");
    }
}

#[test]
fn another_duration_holds_for_the_item_on_the_screen() {
    let mut world = World::playing(live(1, vec![playlist("p", abc())]));
    world.run_to(5_000);
    let items = vec![lasting(7_000, image("a")), image("b")];
    world.go_live(live(2, vec![playlist("p", items)]));
    world.run_to(8_000);
    assert_eq!(world.take_shown(), ["50 a", "7050 b"]);
}

#[test]
fn another_target_takes_over_at_once() {
    let mut world = World::playing(live(1, vec![playlist("p", abc())]));
    world.run_to(5_000);
    world.go_live(live(2, vec![playlist("q", vec![image("x")])]));
    world.run_to(6_000);
    assert_eq!(world.take_shown(), ["50 a", "5050 x"]);
}

#[test]
fn the_same_generation_with_more_files_takes_them_up() {
    let mut part = live(1, vec![playlist("p", abc())]);
    part.missing = [digest("b"), digest("c")].into();
    let mut world = World::playing(part);
    world.run_to(15_000);
    assert_eq!(world.take_shown(), ["50 a"]);
    world.go_live(live(1, vec![playlist("p", abc())]));
    world.run_to(30_000);
    assert_eq!(world.take_shown(), ["15050 b", "25050 c"]);
}

#[test]
fn the_first_content_takes_the_place_of_the_card() {
    let mut world = World::new(false);
    world.start(None);
    world.up(Stage::new(0));
    world.run_to(1_000);
    world.go_live(live(1, vec![playlist("p", abc())]));
    world.run_to(2_000);
    world.go_live(live(2, vec![]));
    world.run_to(3_000);
    let want = ["50 card:Not paired yet", "1050 a", "2050 card:Nothing is scheduled"];
    assert_eq!(world.take_shown(), want);
}

#[test]
fn what_is_prepared_already_is_prepared_anew_if_it_changes() {
    let mut world = World::playing(live(1, vec![playlist("p", abc())]));
    world.run_to(5_000);
    let mut items = abc();
    items[1].background = Some([0, 9, 0]);
    world.go_live(live(2, vec![playlist("p", items)]));
    world.run_to(11_000);
    assert_eq!(world.take_shown(), ["50 a", "10050 b"]);
    let on = world.stage.iter().flat_map(|stage| stage.on.values());
    let backgrounds: Vec<_> = on.map(|(layer, _)| layer.background.map(|rgb| rgb.0)).collect();
    assert_eq!(backgrounds, [Some([0, 9, 0])]);
}
