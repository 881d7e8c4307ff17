//! What is said when there is nothing to play.

use vitrine_render::scene::{Card, Source};
use vitrine_sync::{Connection, Event as Said, Paired, Pairing, Progress};

use super::*;
use crate::network::Trouble;

fn pairing() -> Said {
    Said::Pairing(Pairing {
        user_code: "ABCD-EFGH".into(),
        verification_uri: "https://cloud.example/pair".into(),
        verification_uri_complete: "https://cloud.example/pair?code=ABCD-EFGH".into(),
        fingerprint: "1234".into(),
    })
}

fn paired() -> Said {
    Said::Paired(Paired { tenant: "acme".into(), device: "lobby".into() })
}

fn progress(assets_here: usize) -> Said {
    let some = Progress { version: 4, assets: 7, bytes: 7, bytes_here: 3, ..Progress::default() };
    Said::Progress(Progress { assets_here, ..some })
}

fn offline() -> Said {
    Said::Connection(Connection::Offline { why: "no route".into() })
}

/// Headline and detail of the card that is wanted.
fn words(world: &World) -> String {
    let scene = world.director.last_wish.as_ref().map(|wish| &wish.wanted);
    match scene.and_then(|scene| scene.layers.first()).map(|layer| &layer.source) {
        Some(Source::Card(Card::NoContent { headline, detail })) => format!("{headline}: {detail}"),
        Some(Source::Card(Card::Pairing { user_code, .. })) => format!("pair {user_code}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_card_says_what_is_missing_and_what_helps() {
    let off = || Said::Connection(Connection::Off);
    for (case, said, want) in [
        (
            "no cloud",
            vec![off()],
            "No cloud: Set url under [cloud] in the settings file, then restart.",
        ),
        ("asking", vec![], "Not paired yet: Asking the cloud for a pairing code."),
        ("offline", vec![offline()], "Not paired yet: The cloud cannot be reached: no route."),
        ("pairing", vec![pairing()], "pair ABCD-EFGH"),
        (
            "paired",
            vec![pairing(), paired()],
            "No content yet: Paired with tenant acme. Waiting for content.",
        ),
        (
            "downloading",
            vec![paired(), progress(3)],
            "No content yet: Paired with tenant acme. Waiting for content: 3 of 7 files.",
        ),
        (
            "stuck",
            vec![paired(), progress(3), offline()],
            "No content yet: Paired with tenant acme. Waiting for content: 3 of 7 files. The \
             cloud cannot be reached: no route.",
        ),
    ] {
        let mut world = World::new(false);
        world.start(None);
        said.into_iter().for_each(|said| world.sync(said));
        world.up(Stage::new(0));
        assert_eq!(words(&world), want, "case {case:?}");
    }
}

/// What the look at the network found.
fn unplugged() -> Event {
    Event::Network(Some(Trouble {
        code: "no_cable".into(),
        headline: "No network cable".into(),
        detail: "Plug one in.".into(),
    }))
}

#[test]
fn without_content_the_card_says_what_is_wrong_with_the_network() {
    let online = || Said::Connection(Connection::Online { push: true });
    for (case, said, then, want) in [
        ("unpaired", vec![offline()], None, "No network cable: Plug one in."),
        (
            "paired",
            vec![paired(), offline()],
            None,
            "No network cable: Plug one in. This screen belongs to acme.",
        ),
        (
            "a code that nobody can approve",
            vec![pairing(), offline()],
            None,
            "No network cable: Plug one in.",
        ),
        ("mended", vec![pairing(), offline()], Some(online()), "pair ABCD-EFGH"),
        ("a look that comes too late", vec![pairing(), online()], None, "pair ABCD-EFGH"),
    ] {
        let mut world = World::new(false);
        world.start(None);
        said.into_iter().for_each(|said| world.sync(said));
        world.handle(unplugged());
        then.into_iter().for_each(|said| world.sync(said));
        world.up(Stage::new(0));
        assert_eq!(words(&world), want, "case {case:?}");
    }
}

#[test]
fn nothing_that_plays_is_covered_by_the_state_of_the_network() {
    let mut world = World::playing(live(1, vec![playlist("p", vec![image("a"), image("b")])]));
    world.run_to(5_000);
    world.sync(offline());
    world.handle(unplugged());
    world.run_to(15_000);
    assert_eq!(world.take_shown(), ["50 a", "10050 b"]);
    let status = world.director.status(&world.now());
    assert_eq!(status.network.map(|trouble| trouble.code).as_deref(), Some("no_cable"));
}

#[test]
fn content_that_cannot_be_shown_is_told_apart() {
    let one = || live(1, vec![playlist("p", vec![image("a")])]);
    let empty = live(1, vec![]);
    let mut missing = one();
    missing.missing.insert(digest("a"));
    let mut later = one();
    later.manifest.schedule[0].valid.from = Some(now(90_000_000).wall);
    for (case, live, want) in [
        ("empty", empty, "Nothing is scheduled: Content has arrived, but its schedule is empty."),
        ("missing", missing, "Content is on its way: Waiting for 1 more files."),
        (
            "later",
            later,
            "Nothing is scheduled now: No entry of the schedule is due. It may change on Tuesday, \
             03 March at 10:00.",
        ),
    ] {
        let mut world = World::playing(live);
        world.run_to(10);
        assert_eq!(words(&world), want, "case {case:?}");
    }
}

#[test]
fn content_plays_on_while_the_device_is_paired_anew() {
    let mut world = World::playing(live(1, vec![playlist("p", vec![image("a"), image("b")])]));
    world.run_to(5_000);
    world.sync(Said::Unpaired);
    world.sync(pairing());
    world.run_to(15_000);
    assert_eq!(world.take_shown(), ["50 a", "10050 b"]);
}

#[test]
fn words_that_change_often_are_shown_once_a_second() {
    let mut world = World::new(false);
    world.start(None);
    world.sync(paired());
    world.up(Stage::new(0));
    for ms in 0..2_000 {
        world.run_to(ms);
        world.sync(progress(ms as usize % 7));
    }
    world.sync(progress(6));
    world.run_to(5_000);
    assert!(world.wishes <= 4, "{} wishes", world.wishes);
    assert!(words(&world).contains("6 of 7"), "the last words are shown in the end");
}
