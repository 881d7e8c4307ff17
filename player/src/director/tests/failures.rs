//! What happens when something cannot be shown.

use std::time::Duration;

use super::*;

fn broken(names: &[&str]) -> Stage {
    let mut stage = Stage::new(0);
    stage.broken = names.iter().map(|name| (*name).to_owned()).collect();
    stage
}

fn playing_on(stage: Stage, items: Vec<vitrine_sync::model::Item>) -> World {
    let mut world = World::new(false);
    world.start(Some(live(1, vec![playlist("p", items)])));
    world.up(stage);
    world
}

#[test]
fn what_is_shown_all_the_same_is_told_and_changes_nothing() {
    use vitrine_render::report::Report;
    for (code, report) in [
        ("decoder_failed", (|turn, what| Report::Mended { turn, what }) as fn(_, _) -> _),
        ("file_broken", |turn, what| Report::BrokeOff { turn, what }),
    ] {
        let mut world = World::playing(live(1, vec![playlist("p", vec![video("9a"), image("b")])]));
        world.run_to(1_000);
        let report = report(world.presented[0], "no luck with it".to_owned());
        world.handle(Event::Stage(StageEvent::Report(report)));
        world.run_to(12_000);
        assert_eq!(world.take_shown(), ["50 9a", "9050 b"], "{code}");
        assert_eq!(world.faults(), [code]);
    }
}

#[test]
fn a_broken_item_is_passed_over_and_reported_once() {
    let mut world = playing_on(broken(&["b"]), vec![image("a"), image("b"), image("c")]);
    world.run_to(3_600_000);
    let shown = world.take_shown();
    assert_eq!(&shown[..3], ["50 a", "10050 c", "20050 a"], "never a gap");
    assert_eq!(shown.len(), 360);
    assert_eq!(world.faults(), ["item_failed"]);
}

#[test]
fn an_item_that_is_never_ready_is_passed_over_in_time() {
    let mut stage = Stage::new(0);
    stage.stuck.insert("a".into());
    let mut world = playing_on(stage, vec![image("a"), image("b")]);
    world.run_to(10_000);
    assert_eq!(world.take_shown(), ["5050 b"]);
    assert_eq!(world.faults(), ["item_failed"]);
}

#[test]
fn a_slow_device_gets_the_time_that_it_needs() {
    let mut stage = Stage::new(0);
    stage.takes = Duration::from_secs(8);
    let mut world = playing_on(stage, vec![image("a"), image("b"), image("c")]);
    world.run_to(120_000);
    // a was given up after 5 s, b had 10. Known by then: what comes next is asked for in time.
    assert_eq!(world.take_shown()[..3], ["13000 b", "23000 c", "33000 a"]);
    assert_eq!(world.faults(), ["item_failed"]);
    world.run_to(3_600_000);
    assert_eq!(world.take_shown().len(), 348);
    world.go_live(live(2, vec![playlist("p", vec![image("d")])]));
    world.run_to(3_610_000);
    assert_eq!(world.take_shown(), ["3608000 d"], "the first try counts");
    assert_eq!(world.faults(), ["item_failed"], "nothing more was late");
}

#[test]
fn nothing_is_to_blame_before_the_stage_can_draw() {
    let mut stage = Stage::new(0);
    stage.draws_from = mono(20_000);
    let mut world = playing_on(stage, vec![image("a"), image("b")]);
    world.run_to(40_000);
    assert_eq!(world.take_shown(), ["20050 a", "30050 b"]);
    assert_eq!(world.faults(), [""; 0]);
    // From then on the clock runs.
    let mut stage = Stage::new(0);
    (stage.draws_from, stage.stuck) = (mono(20_000), ["a".to_owned()].into());
    let mut world = playing_on(stage, vec![image("a"), image("b")]);
    world.run_to(23_900);
    assert_eq!(world.faults(), [""; 0]);
    world.run_to(30_000);
    assert_eq!((world.take_shown(), world.faults().len()), (vec!["24050 b".to_owned()], 1));
}

#[test]
fn the_start_of_a_worker_is_not_the_items_fault() {
    let mut stage = Stage::new(0);
    stage.starts = Duration::from_secs(9);
    let mut world = playing_on(stage, vec![video("3a"), image("b")]);
    world.run_to(11_000);
    assert_eq!(world.take_shown(), ["9050 3a"]);
    world.run_to(300_000);
    assert_eq!(world.faults(), [""; 0]);
}

#[test]
fn one_item_that_hangs_changes_nothing_for_the_others() {
    let mut stage = Stage::new(0);
    stage.stuck.insert("a".into());
    let mut world = playing_on(stage, vec![image("a"), image("b"), image("c")]);
    world.run_to(24 * 3_600_000);
    let longest = Duration::from_millis(vitrine_config::limits::PREPARE_MAX_MS);
    let at = |line: &String| line.split(' ').next().and_then(|ms| ms.parse::<u64>().ok());
    let shown: Vec<u64> = world.take_shown().iter().filter_map(at).collect();
    let held: u64 = shown.windows(2).map(|two| two[1] - two[0] - 10_000).sum();
    // A try an hour, each of a minute at most, of which the lead is nobody's loss.
    assert!(held < 32 * longest.as_millis() as u64, "{held} ms");
    assert_eq!(world.faults(), ["item_failed"]);
}

#[test]
fn when_everything_is_broken_a_card_says_so_and_nothing_spins() {
    let mut world = playing_on(broken(&["a", "b"]), vec![image("a"), image("b")]);
    world.run_to(24 * 3_600_000);
    assert_eq!(world.shown[0], "150 card:No item can be shown");
    assert!(world.ticks < 500, "{} wake-ups in a day", world.ticks);
    assert_eq!(world.faults(), ["item_failed", "item_failed"]);
    // Mended, it plays within the longest gap.
    world.stage.iter_mut().for_each(|stage| stage.broken.clear());
    world.take_shown();
    world.run_to(25 * 3_600_000 + 1_000);
    assert!(world.take_shown().iter().any(|line| line.ends_with(" a")));
}

#[test]
fn a_showing_that_breaks_off_makes_room_at_once() {
    let mut world = playing_on(Stage::new(0), vec![video("60a"), image("b")]);
    world.run_to(5_000);
    let turn = *world.presented.first().expect("a turn");
    let error = "the worker died".to_owned();
    let report = vitrine_render::report::Report::Failed { turn, error };
    world.handle(Event::Stage(StageEvent::Report(report)));
    world.run_to(10_000);
    assert_eq!(world.take_shown(), ["50 60a", "5050 b"]);
    assert_eq!(world.faults(), ["item_failed"]);
    assert_eq!(world.proofs().len(), 1, "it was on the screen");
}

#[test]
fn a_fallback_plays_when_what_is_due_cannot() {
    let mut content =
        live(1, vec![playlist("p", vec![image("a")]), playlist("house", vec![image("h")])]);
    content.manifest.schedule[1].kind = vitrine_sync::model::EntryKind::Fallback;
    let mut world = World::new(false);
    world.start(Some(content));
    world.up(broken(&["a"]));
    world.run_to(1_000);
    assert_eq!(world.take_shown(), ["100 h"]);
    world.stage.iter_mut().for_each(|stage| stage.broken.clear());
    world.run_to(16_000);
    assert_eq!(world.take_shown(), ["15100 a"], "tried again 15 s after it had failed");
}

#[test]
fn late_words_about_earlier_turns_change_nothing() {
    let mut world = playing_on(Stage::new(0), vec![image("a"), image("b")]);
    world.run_to(15_000);
    let wishes = world.wishes;
    for turn in [0, 1, 999] {
        let report = vitrine_render::report::Report::Failed { turn, error: "late".into() };
        world.handle(Event::Stage(StageEvent::Report(report)));
    }
    assert_eq!((world.wishes, world.faults().len()), (wishes, 0));
}

#[test]
fn a_new_generation_gives_everything_another_chance() {
    let mut world = playing_on(broken(&["b"]), vec![image("a"), image("b")]);
    world.run_to(12_000);
    world.stage.iter_mut().for_each(|stage| stage.broken.clear());
    world.go_live(live(2, vec![playlist("p", vec![image("a"), image("b")])]));
    world.run_to(13_000);
    // a's time is long up.
    assert_eq!(world.take_shown(), ["50 a", "12050 b"]);
}

#[test]
fn an_item_that_played_well_starts_with_the_first_gap_again() {
    let mut world = playing_on(broken(&["a"]), vec![image("a"), lasting(500, image("b"))]);
    let breaks = |world: &mut World, broken: bool| {
        for stage in world.stage.iter_mut() {
            stage.broken = broken.then(|| "a".to_owned()).into_iter().collect();
        }
    };
    // Failed at 0 s, 15 s and 45 s.
    world.run_to(50_000);
    breaks(&mut world, false);
    world.run_to(106_000);
    breaks(&mut world, true);
    world.run_to(120_000);
    breaks(&mut world, false);
    world.take_shown();
    world.run_to(140_000);
    let again = world.take_shown().into_iter().find(|line| line.ends_with(" a"));
    let ms: u64 = again.and_then(|line| line.strip_suffix(" a")?.parse().ok()).expect("a is back");
    assert!(ms < 135_000, "{ms}");
}

#[test]
fn a_lone_item_that_breaks_off_waits_for_its_gap() {
    let mut world = playing_on(Stage::new(0), vec![video("60a")]);
    world.run_to(5_000);
    let (turn, error) = (world.presented[0], "the worker died".to_owned());
    let report = vitrine_render::report::Report::Failed { turn, error };
    world.handle(Event::Stage(StageEvent::Report(report)));
    world.run_to(30_000);
    let want = ["50 60a", "5050 card:No item can be shown", "20050 60a"];
    assert_eq!(world.take_shown(), want);
}
