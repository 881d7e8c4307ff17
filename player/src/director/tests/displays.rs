//! Displays with a schedule of their own, and what the stage says of displays.

use std::sync::Arc;

use vitrine_config::Config;
use vitrine_config::model::Displays;
use vitrine_render::report::{Hello, Report};
use vitrine_render::scene::Scene;

use super::*;

fn each() -> Config {
    let mut config = config();
    config.screen.displays = Displays::Each;
    config
}

/// "p" on the first display, "q" on the second one, which is there or not.
fn world(displays: u8, config: Config) -> World {
    let lists = vec![
        playlist("p", vec![image("a"), image("b")]),
        playlist("q", vec![lasting(25_000, image("x")), image("y")]),
    ];
    let mut content = live(1, lists);
    content.manifest.schedule[1].display = 2;
    let mut world = World::with(config, false);
    world.start(Some(content));
    let mut stage = Stage::new(0);
    stage.displays = displays;
    world.up(stage);
    world.run_to(1_000);
    world
}

fn wanted(world: &World) -> Scene {
    world.director.last_wish.as_ref().expect("a wish").wanted.clone()
}

fn placed(world: &World) -> Vec<(String, u8)> {
    wanted(world).layers.iter().map(|layer| (name(layer), layer.display)).collect()
}

fn now_has(world: &mut World, displays: u8) {
    let stage = world.stage.as_mut().expect("a stage");
    stage.displays = displays;
    let hello = Hello { displays, ..stage.hello() };
    world.handle(Event::Stage(StageEvent::Report(Report::Hello(hello))));
}

fn on(places: &[(&str, u8)]) -> Vec<(String, u8)> {
    places.iter().map(|(name, display)| ((*name).to_owned(), *display)).collect()
}

#[test]
fn each_display_has_its_own_programme_over_a_ground_of_its_own() {
    let mut world = world(2, each());
    assert_eq!(placed(&world), on(&[("a", 0), ("backdrop:[0, 0, 0]", 1), ("x", 1)]));
    assert_eq!(wanted(&world).apart, [1], "nothing of the first one's");
    let status = world.director.status(&world.now());
    assert!(status.due.ends_with(r#"; on display 2 "q""#), "{}", status.due);
    world.run_to(31_000);
    let shown = world.take_shown();
    let items: Vec<_> = shown.iter().filter(|line| !line.contains("backdrop")).collect();
    assert_eq!(items, ["50 a", "50 x", "10050 b", "20050 a", "25050 y", "30050 b"]);
    assert!(world.proofs().iter().any(|proof| proof.item == "x" && proof.shown_ms == 25_000));
}

#[test]
fn a_display_that_comes_or_goes_disturbs_no_other_one() {
    let mut world = world(1, each());
    assert_eq!(placed(&world), on(&[("a", 0)]));
    world.run_to(4_000);
    now_has(&mut world, 2);
    world.run_to(7_000);
    assert_eq!(placed(&world), on(&[("a", 0), ("backdrop:[0, 0, 0]", 1), ("x", 1)]));
    now_has(&mut world, 1);
    world.run_to(11_000);
    assert_eq!(placed(&world), on(&[("b", 0)]));
    assert_eq!(wanted(&world).apart, [0u8; 0]);
    let shown = world.take_shown();
    let items: Vec<_> = shown.iter().filter(|line| !line.contains("backdrop")).collect();
    assert_eq!(items, ["50 a", "4050 x", "10050 b"]);
}

#[test]
fn without_a_programme_of_its_own_a_display_shows_the_first_ones() {
    let mut config = each();
    let mut world = world(3, config.clone());
    let scene = wanted(&world);
    assert_eq!(scene.apart, [1], "the third one shows the first one's");
    config.screen.displays = Displays::Mirror;
    world.handle(Event::Settings(Arc::new(config)));
    world.run_to(2_000);
    assert_eq!(placed(&world), on(&[("a", 0)]));
}

#[test]
fn the_ground_follows_the_settings_at_once() {
    let mut config = each();
    let mut world = world(2, config.clone());
    config.screen.background = [9; 3];
    world.handle(Event::Settings(Arc::new(config)));
    assert_eq!(placed(&world)[1].0, "backdrop:[9, 9, 9]");
}

#[test]
fn what_a_display_refuses_is_told_and_changes_nothing() {
    let mut world = world(1, each());
    let what = "screen.mode: it has no such mode".to_owned();
    world.handle(Event::Stage(StageEvent::Report(Report::Refused { what })));
    world.run_to(11_000);
    assert_eq!(world.faults(), ["display_refused"]);
    assert_eq!(world.take_shown(), ["50 a", "10050 b"]);
}
