//! What plays when all is well.

use super::*;
use vitrine_sync::model::Validity;

#[test]
fn items_follow_one_another_for_their_durations() {
    let items =
        vec![lasting(1_000, image("a")), image("b"), video("3c"), lasting(7_000, video("2d"))];
    let mut world = World::playing(live(1, vec![playlist("p", items)]));
    world.run_to(22_000);
    assert_eq!(world.take_shown(), ["50 a", "1050 b", "11050 3c", "14050 2d", "21050 a"]);
}

#[test]
fn a_schedule_edge_changes_the_picture_at_its_moment() {
    let mut content =
        live(1, vec![playlist("day", vec![image("a")]), playlist("house", vec![video("40b")])]);
    let until = now(60_000).wall;
    content.manifest.schedule[0].valid = Validity { from: None, until: Some(until) };
    let mut world = World::playing(content);
    world.run_to(90_000);
    assert_eq!(world.take_shown(), ["50 a", "60000 40b"]);
    world.run_to(110_000);
    assert_eq!(world.take_shown(), ["100000 40b"]);
}
