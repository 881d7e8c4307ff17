//! Commands and orders.

use std::sync::Arc;

use vitrine_sync::Request;
use vitrine_sync::model::{Action, Order};
use vitrine_sync::wire::record::Body;

use super::*;

fn abc() -> World {
    let items = vec![image("a"), image("b"), image("c")];
    let mut world = World::playing(live(1, vec![playlist("p", items)]));
    world.run_to(1_000);
    world.take_shown();
    world
}

fn ask(world: &mut World, command: Command) -> Option<Answer> {
    world.effects.clear();
    world.handle(Event::Command { ask: 7, command });
    answer(world)
}

fn answer(world: &World) -> Option<Answer> {
    world.effects.iter().find_map(|effect| match effect {
        Effect::Answer { ask: 7, answer } => Some(answer.clone()),
        _ => None,
    })
}

fn order(world: &mut World, id: &str, action: Action) {
    let expires_at = now(1 << 40).wall;
    world.sync(vitrine_sync::Event::Order(Order { id: id.into(), action, expires_at }));
}

fn results(world: &World) -> Vec<(String, bool)> {
    let bodies = world.effects.iter().filter_map(|effect| match effect {
        Effect::Sync(Request::Record(record)) => Some(&record.body),
        _ => None,
    });
    let results = bodies.filter_map(|body| match body {
        Body::OrderResult(result) => Some((result.order.clone(), result.done)),
        _ => None,
    });
    results.collect()
}

fn asked_snapshot(world: &World) -> Option<u64> {
    world.effects.iter().find_map(|effect| match effect {
        Effect::Snapshot { id } => Some(*id),
        _ => None,
    })
}

#[test]
fn next_and_previous_go_round() {
    let mut world = abc();
    for (command, want) in [
        (Command::Next, "b"),
        (Command::Next, "c"),
        (Command::Next, "a"),
        (Command::Previous, "c"),
        (Command::Previous, "b"),
    ] {
        assert!(matches!(ask(&mut world, command), Some(Answer::Done)), "{command:?}");
        let ms = world.ms + 100;
        world.run_to(ms);
        let names = world.stage.as_ref().map(Stage::names).unwrap_or_default();
        assert_eq!(names, want, "{command:?}");
    }
    // The item has its whole time from then on.
    world.take_shown();
    world.run_to(11_600);
    assert_eq!(world.take_shown(), ["11450 c"]);
}

#[test]
fn next_is_refused_where_there_is_none() {
    for (case, content) in
        [("lone", Some(live(1, vec![playlist("p", vec![image("a")])]))), ("nothing", None)]
    {
        let mut world = World::new(false);
        world.start(content);
        world.up(Stage::new(0));
        world.run_to(1_000);
        let answer = ask(&mut world, Command::Next);
        assert!(matches!(answer, Some(Answer::Refused(_))), "case {case:?}");
    }
}

#[test]
fn a_screenshot_goes_to_whom_it_was_for() {
    let mut world = abc();
    assert!(ask(&mut world, Command::Screenshot).is_none(), "not yet");
    let id = asked_snapshot(&world).expect("the stage is asked");
    let png = Arc::new(vec![1, 2, 3]);
    let taken = || StageEvent::Snapshot { id, png: Ok(png.clone()) };
    world.handle(Event::Stage(taken()));
    assert!(matches!(answer(&world), Some(Answer::Screenshot(got)) if got == png));
    world.effects.clear();
    world.handle(Event::Stage(taken()));
    assert!(answer(&world).is_none(), "once");

    order(&mut world, "shot", Action::Screenshot);
    let id = asked_snapshot(&world).expect("the stage is asked");
    world.handle(Event::Stage(StageEvent::Snapshot { id, png: Ok(png.clone()) }));
    let sent = world.effects.iter().any(|effect| {
        matches!(effect, Effect::Sync(Request::Screenshot { order, .. }) if order == "shot")
    });
    assert!(sent && results(&world).is_empty(), "sync tells the result");
}

#[test]
fn a_screenshot_that_does_not_come_is_refused_in_time() {
    for case in ["error", "silence", "death", "no stage"] {
        let mut world = abc();
        if case == "no stage" {
            world.down();
        }
        assert_eq!(ask(&mut world, Command::Screenshot).is_some(), case == "no stage");
        order(&mut world, "shot", Action::Screenshot);
        match case {
            "error" => {
                for id in [1, 2] {
                    let png = Err("lost".to_owned());
                    world.handle(Event::Stage(StageEvent::Snapshot { id, png }));
                }
            }
            "silence" => world.run_to(11_001),
            _ => world.down(),
        }
        assert!(matches!(answer(&world), Some(Answer::Refused(_))), "case {case:?}");
        assert_eq!(results(&world), [("shot".to_owned(), false)], "case {case:?}");
    }
}

#[test]
fn screenshots_under_way_are_bounded() {
    let mut world = abc();
    for _ in 0..100 {
        world.handle(Event::Command { ask: 1, command: Command::Screenshot });
    }
    let asked = world.effects.iter().filter(|e| matches!(e, Effect::Snapshot { .. })).count();
    assert_eq!(asked, 8);
}

#[test]
fn identify_lies_over_the_picture_for_ten_seconds() {
    let mut world = abc();
    order(&mut world, "who", Action::Identify);
    world.run_to(1_100);
    let names = |world: &World| world.stage.as_ref().map(Stage::names).unwrap_or_default();
    assert_eq!(names(&world), "a card:identify");
    world.run_to(11_000);
    assert_eq!(names(&world), "card:identify b", "the playlist goes on underneath");
    assert!(results(&world).is_empty());
    world.run_to(11_200);
    assert_eq!(names(&world), "b");
    assert_eq!(results(&world), [("who".to_owned(), true)]);
    assert_eq!(world.take_shown().iter().filter(|line| line.ends_with(" b")).count(), 1);
}

#[test]
fn identify_without_a_screen_is_refused() {
    let mut world = World::new(false);
    world.start(None);
    assert!(matches!(ask(&mut world, Command::Identify), Some(Answer::Refused(_))));
    order(&mut world, "who", Action::Identify);
    assert_eq!(results(&world), [("who".to_owned(), false)]);
}

#[test]
fn status_tells_what_is_on_the_screen_and_why() {
    let mut world = abc();
    world.sync(vitrine_sync::Event::Trouble { code: "x".into(), detail: "y".into() });
    let Some(Answer::Status(status)) = ask(&mut world, Command::Status) else {
        panic!("no status");
    };
    assert_eq!(status.due, "entry \"p\" (normal, priority 0)");
    assert_eq!(status.manifest_version, 1);
    let [showing] = &status.showing[..] else { panic!("{:?}", status.showing) };
    assert_eq!((showing.item.as_str(), showing.label.as_str()), ("a", "a.png"));
    assert_eq!(showing.since, Some(now(50).wall));
    assert_eq!(status.stage, "pid 1, 1280 x 720 px, none");
    assert_eq!(status.troubles, ["2026-03-02T08:00:01Z x: y"]);
}

#[test]
fn heartbeats_come_while_somebody_would_get_them() {
    let mut world = abc();
    let beats = |world: &World| {
        let bodies = world.effects.iter().filter_map(|effect| match effect {
            Effect::Sync(Request::Record(record)) => Some(&record.body),
            _ => None,
        });
        let beats = bodies.filter_map(|body| match body {
            Body::Heartbeat(beat) => Some(beat.clone()),
            _ => None,
        });
        beats.collect::<Vec<_>>()
    };
    world.stage.iter_mut().for_each(|stage| stage.beats = false);
    world.run_to(1_000_000);
    assert!(beats(&world).is_empty(), "not paired");
    let paired = vitrine_sync::Paired { tenant: "acme".into(), device: "lobby".into() };
    world.sync(vitrine_sync::Event::Paired(paired));
    world.run_to(1_004_000);
    let beat = world.stage.as_ref().expect("a stage").beat(world.mono);
    world.handle(Event::Stage(StageEvent::Report(beat)));
    world.run_to(1_906_000);
    let beats = beats(&world);
    assert_eq!(beats.len(), 4, "soon, then every 300 s");
    assert!(beats[0].screen_ok && !beats[1].screen_ok, "the evidence is fresh or none");
    assert_eq!((beats[0].showing.as_str(), beats[0].uptime_s), ("b.png", 1_005));
}

#[test]
fn sync_now_and_troubles_are_passed_on() {
    let mut world = abc();
    assert!(matches!(ask(&mut world, Command::SyncNow), Some(Answer::Done)));
    let asked = |effect: &Effect| matches!(effect, Effect::Sync(Request::SyncNow));
    assert!(world.effects.iter().any(asked));
    let (code, detail) = ("config_refused".into(), "line 3".into());
    let fault = vitrine_sync::wire::record::Fault { code, detail };
    world.handle(Event::Trouble(fault));
    assert_eq!(world.faults(), ["config_refused"]);
}
