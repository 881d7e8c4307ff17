//! Stages that come and go.

use vitrine_render::report::{Beat, Hello, Report};

use super::*;

fn count(world: &World, what: fn(&Effect) -> bool) -> usize {
    world.effects.iter().filter(|effect| what(effect)).count()
}

fn alive(world: &World) -> usize {
    count(world, |effect| matches!(effect, Effect::Alive))
}

fn ready(world: &World) -> usize {
    count(world, |effect| matches!(effect, Effect::Ready))
}

#[test]
fn a_stage_that_comes_back_shows_what_is_left_of_the_item() {
    let mut world = World::playing(live(1, vec![playlist("p", vec![image("a"), image("b")])]));
    world.run_to(14_000);
    world.down();
    world.run_to(15_000);
    world.up(Stage::new(500));
    world.run_to(21_000);
    // 5 s of b were left; the new one took 50 ms to be ready.
    assert_eq!(world.take_shown(), ["50 a", "10050 b", "15050 b", "20100 a"]);
    assert!(world.presented.iter().skip(2).all(|turn| *turn > 500), "numbers it does not know");
    assert_eq!(world.faults(), ["stage_died"]);
    let turns: Vec<u64> = world.proofs().iter().map(|proof| proof.turn).collect();
    assert_eq!(turns.len(), 3, "each showing is proved once");
}

#[test]
fn a_stage_that_says_more_of_itself_is_not_disturbed() {
    let mut world = World::playing(live(1, vec![playlist("p", vec![image("a"), image("b")])]));
    world.run_to(4_000);
    let wishes = world.wishes;
    let hello = Hello { gpu: "found".into(), ..Stage::new(0).hello() };
    world.handle(Event::Stage(StageEvent::Report(Report::Hello(hello))));
    assert_eq!(world.wishes, wishes, "it was asked anew");
    world.run_to(11_000);
    assert_eq!(world.take_shown(), ["50 a", "10050 b"]);
}

#[test]
fn a_stage_of_another_release_that_stays_is_told_once_and_seen_in_the_status() {
    let mut world = World::playing(live(1, vec![playlist("p", vec![image("a")])]));
    let outdated = |why: &str, hindered| StageEvent::Outdated { why: why.into(), hindered };
    world.handle(Event::Stage(outdated("it stays", true)));
    world.handle(Event::Stage(outdated("it still stays", false)));
    assert_eq!(world.faults(), ["stage_outdated"]);
    assert_eq!(count(&world, |effect| matches!(effect, Effect::Hindered)), 1, "the first says so");
    let stage = |world: &mut World| {
        world.handle(Event::Command { ask: 1, command: Command::Status });
        let answers = world.effects.iter().rev().find_map(|effect| match effect {
            Effect::Answer { answer: Answer::Status(status), .. } => Some(status.stage.clone()),
            _ => None,
        });
        answers.expect("a status")
    };
    assert!(stage(&mut world).ends_with("; it still stays"));
    world.up(Stage::new(500));
    assert!(!stage(&mut world).contains("stays"), "another one is there");
}

#[test]
fn a_stage_that_comes_back_late_shows_the_next_item() {
    let mut world = World::playing(live(1, vec![playlist("p", vec![image("a"), image("b")])]));
    world.run_to(5_000);
    world.down();
    world.run_to(60_000);
    world.up(Stage::new(0));
    world.run_to(61_000);
    assert_eq!(world.take_shown(), ["50 a", "60050 b"]);
}

#[test]
fn the_schedule_goes_on_without_a_stage() {
    let mut content =
        live(1, vec![playlist("p", vec![image("a")]), playlist("q", vec![image("b")])]);
    content.manifest.schedule[0].valid.until = Some(now(60_000).wall);
    let mut world = World::new(false);
    world.start(Some(content));
    world.run_to(120_000);
    assert_eq!(world.wishes, 0, "there is nobody to wish from");
    world.up(Stage::new(0));
    world.run_to(121_000);
    assert_eq!(world.take_shown(), ["120050 b"]);
}

#[test]
fn a_stage_that_dies_again_and_again_is_reported_now_and_then() {
    let mut world = World::playing(live(1, vec![playlist("p", vec![image("a")])]));
    for second in 1..=180 {
        world.down();
        world.run_to(second * 1_000);
        world.up(Stage::new(0));
    }
    assert_eq!(world.faults().len(), 3);
}

#[test]
fn ready_is_said_once_after_the_first_frame() {
    let mut world = World::playing(live(1, vec![playlist("p", vec![image("a"), image("b")])]));
    assert_eq!(ready(&world), 0);
    world.run_to(50);
    assert_eq!(ready(&world), 1);
    world.run_to(50_000);
    assert_eq!(ready(&world), 1);
}

#[test]
fn without_an_output_ready_does_not_wait_for_a_frame() {
    let mut config = config();
    config.screen.output = vitrine_config::model::Output::None;
    let mut world = World::with(config, false);
    assert_eq!(ready(&world), 0);
    world.start(None);
    assert_eq!(ready(&world), 1);
}

#[test]
fn only_evidence_counts_as_a_living_screen() {
    let mut world = World::playing(live(1, vec![playlist("p", vec![video("60a")])]));
    for (case, wait_ms, frames_presented, moving, ok) in [
        ("nothing was ever presented", 0, 0, true, false),
        ("first frames", 0, 5, true, true),
        ("no more frames, though one is due", 6_000, 5, true, false),
        ("no more frames of a still", 0, 5, false, true),
        ("it moves", 6_000, 6, true, true),
    ] {
        world.stage.iter_mut().for_each(|stage| stage.beats = false);
        world.run_to(world.ms + wait_ms);
        let (walls, draws, starting) = (None, true, Vec::new());
        let beat = Beat { at: world.mono, frames_presented, moving, walls, draws, starting };
        world.handle(Event::Stage(StageEvent::Report(Report::Beat(beat))));
        assert_eq!(world.director.health.screen_ok(world.mono), ok, "case {case:?}");
    }
}

#[test]
fn without_a_stage_the_agent_is_alive_by_itself_and_with_one_that_hangs_it_is_not() {
    let mut world = World::new(false);
    world.start(None);
    world.run_to(60_000);
    assert!((11..=14).contains(&alive(&world)), "{}", alive(&world));
    let mut stage = Stage::new(0);
    stage.beats = false;
    world.up(stage);
    world.run_to(60_000 + 76_000);
    let before = alive(&world);
    world.run_to(300_000);
    assert_eq!(alive(&world), before, "no beat, no proof");
    world.stage.iter_mut().for_each(|stage| stage.beats = true);
    world.run_to(310_000);
    assert!(alive(&world) > before, "it was but slow");
}

#[test]
fn no_card_flashes_up_while_the_store_is_being_read() {
    let mut world = World::new(false);
    world.up(Stage::new(0));
    world.run_to(1_900);
    world.start(Some(live(1, vec![playlist("p", vec![image("a")])])));
    world.run_to(3_000);
    assert_eq!(world.take_shown(), ["1950 a"]);

    let mut world = World::new(false);
    world.up(Stage::new(0));
    world.run_to(3_000);
    assert_eq!(world.take_shown(), ["2050 card:Starting"]);
}

#[test]
fn the_stage_may_keep_a_picture_over_the_death_of_the_agent() {
    // A new director meets a stage that shows turns of the old one.
    let content = || live(1, vec![playlist("p", vec![image("a"), image("b")])]);
    let stage = World::playing(content()).stage.expect("a stage");
    let newest = stage.hello().newest_turn;
    let mut world = World::new(false);
    world.start(Some(content()));
    world.up(stage);
    world.run_to(10_000);
    assert!(!world.presented.is_empty() && world.presented.iter().all(|turn| *turn > newest));
}

#[test]
fn a_stage_without_signs_of_life_is_no_judge_of_items() {
    let mut stage = Stage::new(0);
    stage.beats = false;
    stage.stuck.insert("a".into());
    let mut world = World::new(false);
    world.start(Some(live(1, vec![playlist("p", vec![image("a"), image("b")])])));
    world.up(stage);
    world.run_to(3_600_000);
    assert!(world.faults().is_empty(), "its display may be away");
    world.stage.iter_mut().for_each(|stage| stage.beats = true);
    world.run_to(3_610_000);
    assert_eq!(world.faults(), ["item_failed"]);
    assert_eq!(world.shown.len(), 1, "and b is on");
}

#[test]
fn a_step_of_the_stage_that_crosses_a_wish_is_taken_back() {
    let mut world = World::playing(live(1, vec![playlist("p", vec![image("a"), image("b")])]));
    world.run_to(10_000);
    world.lag = std::time::Duration::from_millis(100);
    // On its way when the stage goes on to b, which is not there any more.
    world.go_live(live(2, vec![playlist("p", vec![image("a")])]));
    world.run_to(20_000);
    assert_eq!(world.take_shown(), ["50 a", "10050 b", "10400 a"]);
    let turns: std::collections::BTreeSet<u64> = world.presented.iter().copied().collect();
    assert_eq!(turns.len(), 3, "under another number");
}

#[test]
fn what_is_wanted_and_has_left_the_screen_is_wanted_anew() {
    let mut world = World::playing(live(1, vec![playlist("p", vec![image("a")])]));
    world.run_to(4_000);
    let turn = world.presented[0];
    let (at, frames_presented, frames_dropped) = (world.mono, 1, 0);
    let report = Report::Gone { turn, at, frames_presented, frames_dropped };
    world.handle(Event::Stage(StageEvent::Report(report)));
    world.run_to(5_000);
    assert_eq!(world.take_shown(), ["50 a", "4250 a"]);
}
