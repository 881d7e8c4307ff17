//! Pages of several zones.

use std::time::Duration;

use vitrine_config::time::Mono;
use vitrine_sync::model::Target;

use super::*;

#[test]
fn a_change_in_one_zone_leaves_the_others_alone() {
    let lists = vec![
        playlist("left", vec![image("a"), image("b")]),
        playlist("right", vec![lasting(25_000, image("c")), lasting(25_000, image("d"))]),
    ];
    let mut world = World::playing(live_layout(1, lists));
    world.run_to(40_000);
    let shown = world.take_shown();
    assert_eq!(shown, ["50 a", "50 c", "10050 b", "20050 a", "25050 d", "30050 b"]);
}

#[test]
fn zones_of_one_rhythm_change_together() {
    let lists = vec![
        playlist("left", vec![image("a"), image("b")]),
        playlist("right", vec![image("c"), image("d")]),
    ];
    let mut world = World::playing(live_layout(1, lists));
    world.run_to(30_000);
    let shown = world.take_shown();
    assert_eq!(shown, ["50 a", "50 c", "10050 b", "10050 d", "20050 a", "20050 c"]);
}

#[test]
fn two_videos_each_come_to_their_own_end() {
    let lists = vec![
        playlist("left", vec![video("20a"), video("21b")]),
        playlist("right", vec![video("7c"), video("8d")]),
    ];
    let mut world = World::playing(live_layout(1, lists));
    world.run_to(24_000);
    let shown = world.take_shown();
    assert_eq!(shown, ["50 20a", "50 7c", "7050 8d", "15050 7c", "20050 21b", "22050 8d"]);
}

#[test]
fn two_videos_of_unknown_length_each_come_to_their_own_end() {
    let lists = vec![
        playlist("left", vec![video("20a"), video("21b")]),
        playlist("right", vec![video("7c"), video("8d")]),
    ];
    let mut world = World::new(false);
    world.start(Some(live_layout(1, lists)));
    world.up(stage_that_tells(false));
    world.run_to(24_000);
    // The stage can wait for one end; the other video holds its last frame for as long as its
    // successor takes to prepare.
    let shown = world.take_shown();
    assert_eq!(shown, ["50 20a", "50 7c", "7100 8d", "15150 7c", "20050 21b", "22200 8d"]);
}

#[test]
fn a_file_that_goes_on_for_longer_than_it_tells_holds_up_nobody_else() {
    let lists = vec![
        playlist("left", vec![video("60a"), image("b")]),
        playlist("right", vec![image("c"), image("d")]),
    ];
    let mut world = World::new(false);
    world.start(Some(live_layout(1, lists)));
    world.up(stage_that_tells(false));
    world.run_to(100);
    let (turn, lasts) = (world.presented[0], Some(Duration::from_secs(9)));
    let report = vitrine_render::report::Report::Prepared { turn, lasts };
    world.handle(Event::Stage(StageEvent::Report(report)));
    world.run_to(35_000);
    let shown = world.take_shown();
    assert_eq!(shown, ["50 60a", "50 c", "10050 d", "20050 c", "30050 d"]);
}

#[test]
fn a_still_beside_a_video_changes_on_time() {
    let lists =
        vec![playlist("left", vec![video("25a")]), playlist("right", vec![image("b"), image("c")])];
    let mut world = World::playing(live_layout(1, lists));
    world.run_to(35_000);
    let shown = world.take_shown();
    assert_eq!(shown, ["50 25a", "50 b", "10050 c", "20050 b", "25050 25a", "30050 c"]);
}

#[test]
fn an_empty_zone_leaves_the_rest_of_the_page() {
    let lists = vec![playlist("left", vec![]), playlist("right", vec![image("b"), image("c")])];
    let mut world = World::playing(live_layout(1, lists));
    world.run_to(15_000);
    assert_eq!(world.take_shown(), ["50 b", "10050 c"]);
}

#[test]
fn a_page_takes_turns_when_every_zone_has_had_its_pass() {
    let lists = vec![
        playlist("left", vec![image("a"), image("b"), image("c")]),
        playlist("right", vec![lasting(15_000, image("d"))]),
    ];
    let mut content = live_layout(1, lists);
    content.manifest.schedule.push(entry("left alone", Target::Playlist("left".into())));
    let mut world = World::playing(content);
    world.run_to(60_000);
    let shown = world.take_shown();
    let page = ["50 a", "50 d", "10050 b", "15050 d", "20050 c"];
    assert_eq!(shown, [&page[..], &["30050 a", "40050 b", "50050 c"]].concat());
}

#[test]
fn a_zone_that_goes_goes_at_once_though_nothing_new_comes() {
    let list = |id: &str, item: &str| playlist(id, vec![image(item), image("z")]);
    let mut world = World::playing(live_layout(1, vec![list("left", "a"), list("right", "b")]));
    world.run_to(5_000);
    world.go_live(live_layout(2, vec![list("left", "a")]));
    world.run_to(5_100);
    let names = world.stage.as_ref().map(Stage::names).unwrap_or_default();
    assert_eq!(names, "a");
}

#[test]
fn a_seat_is_kept_for_the_first_change() {
    use crate::director::slot::{Ahead, What, seat};
    use vitrine_render::scene::Start;
    let known = |ms| Ahead {
        start: Start::At(mono(ms)),
        due: Some(mono(ms)),
        what: What::TakeOver { main: Some(ms as usize), overlays: None },
    };
    let start = Start::AtEnd { turn: 1, early: Duration::ZERO };
    let open = Ahead { start, due: None, what: What::Curtain };
    let before: fn(u64) -> Option<Mono> = |ms| Some(mono(ms - 4_000));
    for (case, ahead, now_ms, want, again_at) in [
        ("nothing", vec![], 0, None, None),
        ("not yet", vec![known(9_000), known(8_000)], 3_999, None, before(8_000)),
        ("the first", vec![known(9_000), known(8_000)], 4_000, Some(known(8_000)), None),
        ("an open end", vec![open.clone()], 0, Some(open.clone()), None),
        ("until", vec![known(9_000), open.clone()], 4_999, Some(open.clone()), before(9_000)),
        ("the lead", vec![known(9_000), open], 5_000, Some(known(9_000)), None),
    ] {
        let lead = Duration::from_secs(4);
        assert_eq!(seat(ahead, lead, mono(now_ms)), (want, again_at), "case {case:?}");
    }
}

#[test]
fn changes_within_a_blink_are_one() {
    let lists = vec![
        playlist("left", vec![image("a"), image("b")]),
        playlist("right", vec![lasting(10_060, image("c")), image("d")]),
    ];
    let mut world = World::playing(live_layout(1, lists));
    world.run_to(15_000);
    assert_eq!(world.take_shown(), ["50 a", "50 c", "10050 b", "10050 d"]);
}

#[test]
fn every_turn_of_a_page_is_a_whole_pass() {
    let lists = vec![
        playlist("left", vec![lasting(20_000, image("a")), lasting(20_000, image("b"))]),
        playlist("right", vec![lasting(15_000, video("9c"))]),
        playlist("alone", vec![image("x")]),
    ];
    let mut content = live_layout(1, lists);
    content.manifest.layouts.values_mut().for_each(|layout| layout.zones.truncate(2));
    content.manifest.schedule.push(entry("alone", Target::Playlist("alone".into())));
    let mut world = World::playing(content);
    world.run_to(120_000);
    let mut shown = world.take_shown();
    shown.retain(|line| !line.ends_with("9c"));
    assert_eq!(shown, ["50 a", "20050 b", "40050 x", "50050 a", "70050 b", "90050 x", "100050 a"]);
}

#[test]
fn zones_that_end_their_passes_together_make_one_pass() {
    let list = |id: &str, one: &str, two: &str| playlist(id, vec![image(one), image(two)]);
    let mut content = live_layout(1, vec![list("left", "a", "b"), list("right", "c", "d")]);
    content.manifest.schedule.push(entry("left alone", Target::Playlist("left".into())));
    let mut world = World::playing(content);
    world.run_to(25_000);
    assert_eq!(world.take_shown(), ["50 a", "50 c", "10050 b", "10050 d", "20050 a"]);
}

#[test]
fn a_zone_whose_only_item_breaks_off_waits_for_its_gap() {
    let lists = vec![playlist("left", vec![video("60a")]), playlist("right", vec![image("b")])];
    let mut world = World::playing(live_layout(1, lists));
    world.run_to(5_000);
    let (turn, error) = (world.presented[0], "the worker died".to_owned());
    let report = vitrine_render::report::Report::Failed { turn, error };
    world.handle(Event::Stage(StageEvent::Report(report)));
    world.run_to(30_000);
    assert_eq!(world.take_shown(), ["50 60a", "50 b", "20050 60a"]);
}

fn one_zone() -> Vec<vitrine_sync::model::Playlist> {
    vec![playlist("left", vec![image("a"), image("b")])]
}

#[test]
fn a_page_comes_with_its_pictures_and_they_stay() {
    let mut world = World::playing(live_on_pictures(1, one_zone()));
    world.run_to(25_000);
    let want = ["50 backdrop:around", "50 backdrop:page", "50 a", "10050 b", "20050 a"];
    assert_eq!(world.take_shown(), want);
    // A manifest with the same pictures leaves them alone, one without takes them away.
    world.go_live(live_on_pictures(2, one_zone()));
    world.run_to(29_000);
    assert_eq!(world.take_shown(), [""; 0]);
    world.go_live(live_layout(3, one_zone()));
    world.run_to(30_000);
    assert_eq!(world.stage.as_ref().expect("a stage").names(), "a");
}

#[test]
fn a_page_stands_without_a_picture_that_fails() {
    for (case, fails, at) in
        [("broken", Stage::break_it as fn(&mut Stage, &str), 100), ("never", Stage::stick, 5_050)]
    {
        let mut stage = Stage::new(0);
        fails(&mut stage, "backdrop:page");
        let mut world = World::new(false);
        world.start(Some(live_on_pictures(1, one_zone())));
        world.up(stage);
        world.run_to(9_000);
        let shown = world.take_shown();
        assert_eq!(shown.len(), 2, "{case}: {shown:?}");
        let by_then = |line: &String| {
            let ms = line.split(' ').next().and_then(|ms| ms.parse::<u64>().ok());
            ms.is_some_and(|ms| ms <= at)
        };
        assert!(shown.iter().all(by_then), "{case}: {shown:?}");
        assert_eq!(world.faults(), ["backdrop_failed"], "{case}");
    }
}

#[test]
fn pictures_of_a_page_are_back_after_the_stage_died() {
    let mut world = World::playing(live_on_pictures(1, one_zone()));
    world.run_to(3_000);
    world.down();
    world.run_to(4_000);
    world.up(Stage::new(0));
    world.run_to(5_000);
    let names = world.stage.as_ref().expect("a stage").names();
    assert_eq!(names, "a backdrop:around backdrop:page");
}
