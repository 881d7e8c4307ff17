//! What plays when all is well.

use jiff::SignedDuration;
use jiff::civil::Time;
use vitrine_config::time::Trust;
use vitrine_sync::model::{EntryKind, Validity, Window};

use super::*;

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
    let lists = vec![playlist("day", vec![image("a")]), playlist("house", vec![video("40b")])];
    let mut content = live(1, lists);
    content.manifest.schedule[0].valid.until = Some(now(60_000).wall);
    let mut world = World::playing(content);
    world.run_to(110_000);
    assert_eq!(world.take_shown(), ["50 a", "60000 40b", "100000 40b"]);
}

#[test]
fn a_lone_still_is_not_shown_anew_but_accounted_for_every_hour() {
    let mut world = World::playing(live(1, vec![playlist("p", vec![image("a")])]));
    world.run_to(3_600_000);
    assert_eq!(world.take_shown(), ["50 a"]);
    world.run_to(3_700_000);
    assert_eq!(world.take_shown(), ["3600050 a"]);
    assert_eq!(world.proofs().len(), 1);
    assert_eq!(world.proofs()[0].shown_ms, 3_600_000);
}

#[test]
fn a_lone_video_follows_itself_without_a_gap() {
    let mut world = World::playing(live(1, vec![playlist("p", vec![video("3a")])]));
    world.run_to(7_000);
    assert_eq!(world.take_shown(), ["50 3a", "3050 3a", "6050 3a"]);
}

/// Names of what the last wish asks to be prepared besides what is on the screen.
fn prepared_ahead(world: &World) -> Vec<String> {
    let on = world.stage.as_ref().map_or(vec![], |stage| stage.on.keys().copied().collect());
    world.asked().into_iter().filter(|(turn, _)| !on.contains(turn)).map(|(_, name)| name).collect()
}

#[test]
fn what_comes_next_is_prepared_shortly_before_and_not_sooner() {
    for (case, items) in [
        ("still", vec![image("a"), video("3b")]),
        ("video", vec![video("10a"), video("3b")]),
        ("alone", vec![video("10a")]),
    ] {
        let mut world = World::playing(live(1, vec![playlist("p", items)]));
        world.run_to(6_049);
        assert_eq!(prepared_ahead(&world), [""; 0], "case {case:?}: too soon");
        world.run_to(6_110);
        assert_eq!(prepared_ahead(&world).len(), 1, "case {case:?}: too late");
        world.run_to(10_050);
        assert_eq!(world.take_shown().len(), 2, "case {case:?}: not in time");
    }
    // What may end at any moment has its successor ready from the start.
    let mut world = World::new(false);
    world.start(Some(live(1, vec![playlist("p", vec![video("10a"), video("3b")])])));
    world.up(stage_that_tells(false));
    world.run_to(200);
    assert_eq!(prepared_ahead(&world), ["3b"]);
}

#[test]
fn a_video_gives_way_early_to_what_comes_in_slowly() {
    use vitrine_sync::model::{Item, Transition, TransitionKind};
    let slow = |ms, item| {
        let lasts = std::time::Duration::from_millis(ms);
        Item { transition: Some(Transition { kind: TransitionKind::Fade, lasts }), ..item }
    };
    for (case, tells_lengths, first, ms, second) in [
        ("known", true, video("8a"), 1_000, "7050 b"),
        ("unknown", false, video("8a"), 1_000, "8050 b"),
        ("slower than long", true, video("2a"), 5_000, "1050 b"),
        ("its own time", true, lasting(6_000, video("8a")), 1_000, "6050 b"),
    ] {
        let items = vec![first, slow(ms, image("b"))];
        let mut world = World::new(false);
        world.start(Some(live(1, vec![playlist("p", items)])));
        world.up(stage_that_tells(tells_lengths));
        world.run_to(9_000);
        assert_eq!(world.take_shown().get(1).map(String::as_str), Some(second), "case {case:?}");
    }
}

#[test]
fn equals_take_turns_by_passes() {
    let lists = vec![
        playlist("p", vec![image("a"), image("b")]),
        playlist("q", vec![image("c")]),
        playlist("r", vec![video("5d")]),
    ];
    let mut content = live(1, lists);
    content.manifest.schedule.iter_mut().for_each(|entry| entry.priority = 0);
    let mut world = World::playing(content);
    world.run_to(50_000);
    let shown = world.take_shown();
    assert_eq!(shown, ["50 a", "10050 b", "20050 c", "30050 5d", "35050 a", "45050 b"]);
}

#[test]
fn an_interrupt_gives_the_playlist_back_where_it_was() {
    let lists = vec![playlist("p", vec![image("a"), image("b"), image("c")])];
    let mut content = live(1, [lists, vec![playlist("alarm", vec![image("x")])]].concat());
    let alarm = &mut content.manifest.schedule[1];
    alarm.kind = EntryKind::Interrupt;
    alarm.valid = Validity { from: Some(now(15_000).wall), until: Some(now(18_000).wall) };
    let mut world = World::playing(content);
    world.run_to(30_000);
    assert_eq!(world.take_shown(), ["50 a", "10050 b", "15000 x", "18000 c", "28000 a"]);
}

#[test]
fn an_item_makes_room_when_its_validity_ends() {
    let mut items = vec![image("a"), image("b")];
    items[0].valid.until = Some(now(4_000).wall);
    let mut world = World::playing(live(1, vec![playlist("p", items)]));
    world.run_to(40_000);
    assert_eq!(world.take_shown(), ["50 a", "4000 b"]);
}

#[test]
fn an_item_joins_when_its_validity_begins() {
    let mut items = vec![image("a"), image("b")];
    items[1].valid.from = Some(now(34_000).wall);
    let mut world = World::playing(live(1, vec![playlist("p", items)]));
    world.run_to(45_000);
    // Its turn has long come: it comes as soon as it is prepared.
    assert_eq!(world.take_shown(), ["50 a", "34050 b", "44050 a"]);
}

#[test]
fn a_guessed_clock_ends_nothing_and_a_believed_one_does() {
    let mut content = live(1, vec![playlist("p", vec![image("a")])]);
    content.manifest.schedule[0].valid.until = Some(now(0).wall);
    let mut world = World::new(false);
    world.trust = Trust::Guess;
    world.start(Some(content));
    world.up(Stage::new(0));
    world.run_to(20_000);
    assert_eq!(world.take_shown(), ["50 a"]);
    world.trust = Trust::Synced;
    world.handle(Event::Tick);
    world.run_to(21_000);
    assert_eq!(world.take_shown(), ["20050 card:Nothing is scheduled now"]);
}

#[test]
fn a_clock_that_steps_is_followed_at_the_next_event() {
    let mut content =
        live(1, vec![playlist("p", vec![image("a")]), playlist("q", vec![image("b")])]);
    let time = |hour| Time::constant(hour, 0, 0, 0);
    content.manifest.schedule[0].windows =
        vec![Window { days: vec![], from: time(9), until: time(12) }];
    let mut world = World::playing(content);
    world.run_to(1_000);
    for (step_h, want) in [(4, "1050 b"), (0, "1100 a"), (-4, "1150 b")] {
        world.wall_off = SignedDuration::from_hours(step_h);
        world.handle(Event::Tick);
        let ms = world.ms + 50;
        world.run_to(ms);
        assert_eq!(world.shown.last().map(String::as_str), Some(want));
    }
    world.wall_off += SignedDuration::from_millis(99);
    let wishes = world.wishes;
    world.handle(Event::Tick);
    assert_eq!(world.wishes, wishes, "a slewed clock is no step");
}

#[test]
fn a_year_of_lunches_is_played_to_the_second() {
    let mut content =
        live(1, vec![playlist("lunch", vec![image("l")]), playlist("q", vec![image("b")])]);
    let time = |hour| Time::constant(hour, 0, 0, 0);
    content.manifest.schedule[0].windows =
        vec![Window { days: vec![], from: time(12), until: time(13) }];
    let mut world = World::playing(content);
    world.stage.iter_mut().for_each(|stage| stage.beats = false);
    world.run_to(365 * 24 * 3_600_000);
    let shown = world.take_shown();
    let lunches: Vec<u64> = shown
        .iter()
        .filter_map(|line| line.strip_suffix(" l"))
        .map(|ms| ms.parse().expect("a number"))
        .collect();
    // An hour is one showing of a lone still.
    assert_eq!(lunches.len(), 365);
    for ms in lunches {
        let local = now(ms).wall.to_zoned(facts(false).time_zone);
        assert_eq!(local.time(), time(12), "{local}");
    }
}

#[test]
fn settings_hold_from_the_next_item_and_the_background_at_once() {
    let mut world = World::playing(live(1, vec![playlist("p", vec![image("a"), image("b")])]));
    world.run_to(7_000);
    let mut config = config();
    config.playback.image_duration = std::time::Duration::from_secs(2);
    config.screen.background = [9, 9, 9];
    let wishes = world.wishes;
    world.handle(Event::Settings(std::sync::Arc::new(config)));
    assert_eq!(world.wishes, wishes + 1, "another background is another wish");
    world.run_to(23_000);
    // What was being prepared already keeps the time it was made with.
    assert_eq!(world.take_shown(), ["50 a", "10050 b", "20050 a", "22050 b"]);
}
