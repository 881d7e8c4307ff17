//! Any order of events. What must hold after each is checked by [`World::handle`]: never black,
//! turns that rise, one wish, a deadline ahead.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;
use vitrine_config::time::Trust;
use vitrine_render::report::Report;
use vitrine_sync::model::{Action, EntryKind, Item, Live, Order, Playlist, Target};

use super::*;

#[derive(Debug, Clone)]
enum Op {
    Run { ms: u64 },
    Live { shape: u64 },
    Missing { shape: u64 },
    StageDies,
    StageComes { newest: u64 },
    Break { name: usize },
    Stick { name: usize },
    Mend,
    Fail { ago: usize },
    Slow { ms: u64 },
    Lag { ms: u64 },
    Command(Command),
    Identify,
    Shoot,
    Clock { hours: i64, guess: bool },
    LateWords { turn: u64 },
}

const NAMES: [&str; 5] = ["a", "b", "3c", "20d", "e"];

fn some_item(seed: u64) -> Item {
    let name = NAMES[(seed % 5) as usize];
    let film = name.starts_with(|c: char| c.is_ascii_digit());
    let item = if film { video(name) } else { image(name) };
    let mut item = match seed / 5 % 4 {
        0 => lasting(500 + seed % 7_000, item),
        _ => item,
    };
    match seed / 20 % 8 {
        0 => item.valid.until = Some(now(seed % 100_000).wall),
        1 => item.valid.from = Some(now(seed % 100_000).wall),
        _ => {}
    }
    item
}

/// One of many generations, made from the digits of a number.
fn some_live(version: u64, shape: u64) -> Live {
    let mut digits = shape;
    let mut pick = |of: u64| {
        digits =
            digits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (digits >> 33) % of
    };
    let lists: Vec<Playlist> = (0..pick(4))
        .map(|place| {
            let mut items: Vec<Item> = (0..pick(4)).map(|_| some_item(pick(1 << 20))).collect();
            for item in &mut items {
                if pick(2) == 0 {
                    item.fit = vitrine_sync::model::Fit::Cover;
                }
            }
            // Ids are unique.
            let mut seen = BTreeSet::new();
            items.retain(|item| seen.insert(item.id.clone()));
            playlist(&format!("p{place}"), items)
        })
        .collect();
    let with_page = pick(2) == 0 && !lists.is_empty();
    let mut live =
        if with_page { live_layout(version, lists.clone()) } else { live(version, lists.clone()) };
    if with_page {
        for list in &lists {
            live.manifest.schedule.push(entry(&list.id, Target::Playlist(list.id.clone())));
        }
    }
    for entry in &mut live.manifest.schedule {
        entry.priority = pick(2) as i32;
        use EntryKind::{Fallback, Interrupt, Normal, Overlay};
        entry.kind = [Interrupt, Normal, Fallback, Overlay][pick(4) as usize];
        match pick(4) {
            0 => entry.valid.until = Some(now(pick(100_000)).wall),
            1 => entry.valid.from = Some(now(pick(100_000)).wall),
            _ => {}
        }
    }
    live
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..30_000u64).prop_map(|ms| Op::Run { ms }),
        2 => any::<u64>().prop_map(|shape| Op::Live { shape }),
        1 => any::<u64>().prop_map(|shape| Op::Missing { shape }),
        1 => Just(Op::StageDies),
        2 => (0..2_000u64).prop_map(|newest| Op::StageComes { newest }),
        1 => (0..5usize).prop_map(|name| Op::Break { name }),
        1 => (0..5usize).prop_map(|name| Op::Stick { name }),
        1 => Just(Op::Mend),
        1 => (0..3usize).prop_map(|ago| Op::Fail { ago }),
        1 => (0..2_000u64).prop_map(|ms| Op::Slow { ms }),
        1 => (0..300u64).prop_map(|ms| Op::Lag { ms }),
        1 => prop_oneof![
            Just(Command::Next), Just(Command::Previous), Just(Command::Status),
            Just(Command::Screenshot), Just(Command::Identify),
        ].prop_map(Op::Command),
        1 => Just(Op::Identify),
        1 => Just(Op::Shoot),
        1 => (-30..30i64, any::<bool>()).prop_map(|(hours, guess)| Op::Clock { hours, guess }),
        1 => any::<u64>().prop_map(|turn| Op::LateWords { turn }),
    ]
}

fn apply(world: &mut World, op: Op, version: &mut u64) {
    let order = |action| {
        let (id, expires_at) = ("o".into(), now(0).wall);
        vitrine_sync::Event::Order(Order { id, action, expires_at })
    };
    match op {
        Op::Run { ms } => {
            let ms = world.ms + ms;
            world.run_to(ms);
        }
        Op::Live { shape } => {
            *version += 1;
            world.go_live(some_live(*version, shape));
        }
        Op::Missing { shape } => {
            let mut live = some_live(*version, shape);
            live.missing.insert(digest(NAMES[(shape % 5) as usize]));
            world.go_live(live);
        }
        Op::StageDies if world.stage.is_some() => world.down(),
        Op::StageComes { newest } if world.stage.is_none() => world.up(Stage::new(newest)),
        Op::Break { name } => {
            let name = NAMES[name].to_owned();
            world.stage.iter_mut().for_each(|stage| _ = stage.broken.insert(name.clone()));
        }
        Op::Stick { name } => {
            let name = NAMES[name].to_owned();
            world.stage.iter_mut().for_each(|stage| _ = stage.stuck.insert(name.clone()));
        }
        Op::Mend => {
            if let Some(stage) = &mut world.stage {
                stage.broken.clear();
                stage.stuck.clear();
            }
        }
        Op::Fail { ago } => {
            let turn =
                world.stage.as_ref().and_then(|stage| stage.on.keys().rev().nth(ago).copied());
            if let Some(turn) = turn {
                let report = Report::Failed { turn, error: "worker died".into() };
                world.handle(Event::Stage(StageEvent::Report(report)));
            }
        }
        Op::Slow { ms } => {
            let takes = Duration::from_millis(ms);
            world.stage.iter_mut().for_each(|stage| stage.takes = takes);
        }
        Op::Lag { ms } => world.lag = Duration::from_millis(ms),
        Op::Command(command) => world.handle(Event::Command { ask: 1, command }),
        Op::Identify => world.sync(order(Action::Identify)),
        Op::Shoot => world.sync(order(Action::Screenshot)),
        Op::Clock { hours, guess } => {
            world.wall_off = SignedDuration::from_hours(hours);
            world.trust = if guess { Trust::Guess } else { Trust::Synced };
            world.handle(Event::Tick);
        }
        Op::LateWords { turn } => {
            for report in [
                Report::Prepared { turn, lasts: Some(Duration::from_secs(1)) },
                Report::Ended { turn, at: world.mono },
                Report::Gone { turn, at: world.mono, frames_presented: 1, frames_dropped: 0 },
            ] {
                // Words about turns that are on the screen would be no late words.
                if world.stage.as_ref().is_none_or(|stage| !stage.on.contains_key(&turn)) {
                    world.handle(Event::Stage(StageEvent::Report(report)));
                }
            }
        }
        Op::StageDies | Op::StageComes { .. } => {}
    }
}

proptest! {
    #[test]
    fn any_order_of_events_keeps_the_promises(ops in prop::collection::vec(op(), 0..40)) {
        let mut world = World::new(false);
        let mut version = 1;
        world.start(Some(some_live(1, ops.len() as u64)));
        world.up(Stage::new(0));
        for op in ops {
            apply(&mut world, op, &mut version);
        }
        prop_assert!(world.ticks < 5_000, "{} wake-ups", world.ticks);

        // Whatever came before: with a stage that works, something is on the screen soon.
        apply(&mut world, Op::Mend, &mut version);
        apply(&mut world, Op::Slow { ms: 10 }, &mut version);
        if world.stage.is_none() {
            world.up(Stage::new(0));
        }
        let ms = world.ms + 10_000;
        world.run_to(ms);
        prop_assert!(world.stage.as_ref().is_some_and(|stage| !stage.on.is_empty()), "black");

        // Each time that the display was handed an item is proved once.
        world.down();
        let proved: BTreeSet<u64> = world.presented.iter().copied().collect();
        prop_assert_eq!(proved.len(), world.presented.len(), "a turn came back");
        let mut proved: Vec<u64> = world.proofs().iter().map(|proof| proof.turn).collect();
        proved.sort_unstable();
        world.presented.sort_unstable();
        prop_assert_eq!(&proved, &world.presented);
    }
}
