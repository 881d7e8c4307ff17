//! What lies in front of whatever plays.

use vitrine_render::scene::{Base, Layer, Size};
use vitrine_sync::model::{Entry, EntryKind, Files, Live, Playlist, Target, Validity};

use super::*;

/// `below` with overlays in front: playlists over the whole screen, always unless told otherwise.
fn with_overlays(below: Live, overlays: Vec<Playlist>) -> Live {
    let version = below.manifest.version;
    let mut over = live(version, overlays);
    let mut all = below;
    over.manifest.schedule.iter_mut().for_each(|entry| entry.kind = EntryKind::Overlay);
    all.manifest.schedule.extend(over.manifest.schedule);
    all.manifest.playlists.extend(over.manifest.playlists);
    all.manifest.assets.extend(over.manifest.assets);
    match (&mut all.files, over.files) {
        (Files::Named(paths), Files::Named(more)) => paths.extend(more),
        _ => panic!("files have names here"),
    }
    all
}

fn entry_of<'a>(live: &'a mut Live, id: &str) -> &'a mut Entry {
    live.manifest.schedule.iter_mut().find(|entry| entry.id == id).expect("an entry")
}

/// From and until a moment of the test.
fn between(from_ms: u64, until_ms: u64) -> Validity {
    Validity { from: Some(now(from_ms).wall), until: Some(now(until_ms).wall) }
}

fn names(world: &World) -> String {
    world.stage.as_ref().map(Stage::names).unwrap_or_default()
}

fn layers(world: &World) -> Vec<Layer> {
    let wish = world.director.last_wish.as_ref().expect("a wish");
    wish.wanted.layers.clone()
}

#[test]
fn an_overlay_comes_and_goes_at_its_moments_and_disturbs_nothing() {
    let main = playlist("main", vec![video("7a"), image("b")]);
    let mut content =
        with_overlays(live(1, vec![main.clone()]), vec![playlist("o", vec![image("x")])]);
    entry_of(&mut content, "o").valid = between(12_000, 21_000);
    let mut world = World::playing(content);
    world.run_to(30_000);
    let with = world.take_shown();
    let mut plain = World::playing(live(1, vec![main]));
    plain.run_to(30_000);
    let without = plain.take_shown();
    assert_eq!(
        with.iter().filter(|line| !line.ends_with(" x")).collect::<Vec<_>>(),
        without.iter().collect::<Vec<_>>(),
        "what plays below is the same"
    );
    assert!(with.contains(&"12000 x".to_owned()), "prepared ahead, there in time: {with:?}");
    let proofs = world.proofs();
    let overlay = proofs.iter().find(|proof| proof.item == "x").expect("proved");
    assert_eq!((overlay.shown_ms, overlay.playlist.as_str()), (9_000, "o"), "and gone in time");
}

#[test]
fn the_highest_priority_is_in_front_whatever_the_order_of_the_schedule() {
    let overlays = vec![
        playlist("alarm", vec![image("x")]),
        playlist("logo", vec![image("y")]),
        playlist("clock", vec![image("z")]),
    ];
    let mut content = with_overlays(live(1, vec![playlist("p", vec![image("a")])]), overlays);
    entry_of(&mut content, "alarm").priority = 10;
    entry_of(&mut content, "logo").priority = 1;
    entry_of(&mut content, "clock").priority = 2;
    let world = {
        let mut world = World::playing(content);
        world.run_to(1_000);
        world
    };
    let shown: Vec<_> = layers(&world).iter().map(name).collect();
    assert_eq!(shown, ["a", "y", "z", "x"]);
    let status = world.director.status(&world.now());
    let tail = r#"; in front of it "alarm", "clock", "logo""#;
    assert!(status.due.ends_with(tail), "{}", status.due);
}

#[test]
fn an_overlay_is_in_front_of_an_interrupt_and_of_a_card() {
    let lists = vec![playlist("p", vec![image("a")]), playlist("alarm", vec![image("b")])];
    let mut content = with_overlays(live(1, lists), vec![playlist("o", vec![image("x")])]);
    entry_of(&mut content, "p").valid = between(0, 5_000);
    let alarm = entry_of(&mut content, "alarm");
    (alarm.kind, alarm.valid) = (EntryKind::Interrupt, between(2_000, 3_000));
    let mut world = World::playing(content);
    let mut seen = Vec::new();
    for ms in [1_000, 2_500, 4_000, 6_000] {
        world.run_to(ms);
        seen.push(layers(&world).iter().map(name).collect::<Vec<_>>().join(" "));
    }
    assert_eq!(seen, ["a x", "b x", "a x", "card:Nothing is scheduled now x"]);
    let shown = world.take_shown();
    assert_eq!(shown.iter().filter(|line| line.ends_with(" x")).count(), 1, "{shown:?}");
}

#[test]
fn an_overlay_is_placed_on_the_screen_or_on_its_own_page() {
    let lists = vec![playlist("left", vec![image("a")]), playlist("right", vec![image("b")])];
    let mut content = with_overlays(
        live(1, vec![playlist("p", vec![image("c")])]),
        vec![playlist("logo", vec![image("x")])],
    );
    let page = live_layout(1, lists);
    content.manifest.layouts = page.manifest.layouts.clone();
    content.manifest.layouts.values_mut().for_each(|layout| layout.background = Some([9; 3]));
    content.manifest.playlists.extend(page.manifest.playlists);
    if let (Files::Named(paths), Files::Named(more)) = (&mut content.files, page.files) {
        paths.extend(more);
    }
    let kind = EntryKind::Overlay;
    let entry = entry("band", Target::Layout("page".into()));
    content.manifest.schedule.push(Entry { kind, priority: 3, ..entry });
    let mut world = World::playing(content);
    world.run_to(1_000);
    let placed: Vec<_> = layers(&world).iter().map(|layer| (name(layer), layer.base)).collect();
    let own = Base::Page(Size { width_px: 1_000, height_px: 100 });
    let want = [("c", Base::Canvas), ("x", Base::Screen), ("a", own), ("b", own)];
    assert_eq!(placed, want.map(|(name, base)| (name.to_owned(), base)));
}

#[test]
fn an_overlay_has_its_own_rhythm() {
    let overlay = playlist("o", vec![lasting(3_000, image("x")), lasting(4_000, image("y"))]);
    let content =
        with_overlays(live(1, vec![playlist("p", vec![image("a"), image("b")])]), vec![overlay]);
    let mut world = World::playing(content);
    world.run_to(21_000);
    let want =
        ["50 a", "50 x", "3050 y", "7050 x", "10050 b", "10050 y", "14050 x", "17050 y", "20050 a"];
    assert_eq!(world.take_shown(), want);
}

#[test]
fn an_overlay_that_fails_is_taken_off_and_tried_again() {
    let content = with_overlays(
        live(1, vec![playlist("p", vec![lasting(60_000, image("a"))])]),
        vec![playlist("o", vec![image("x")])],
    );
    let mut world = World::new(false);
    world.start(Some(content));
    let mut stage = Stage::new(0);
    stage.broken.insert("x".into());
    world.up(stage);
    world.run_to(5_000);
    assert_eq!((names(&world), world.faults()), ("a".to_owned(), vec!["item_failed".to_owned()]));
    world.stage.iter_mut().for_each(|stage| stage.broken.clear());
    world.run_to(30_000);
    assert_eq!(names(&world), "a x");
    let first = world.take_shown();
    assert_eq!(first[0], "50 a", "what plays below waits for nothing but the word");
}

#[test]
fn a_new_generation_leaves_an_unchanged_overlay_alone() {
    let below = |item: &str| live(1, vec![playlist("p", vec![image(item)])]);
    let over = || vec![playlist("o", vec![image("x")])];
    let mut world = World::playing(with_overlays(below("a"), over()));
    world.run_to(5_000);
    let mut second = with_overlays(below("b"), over());
    second.manifest.version = 2;
    world.go_live(second);
    world.run_to(10_000);
    let mut third = below("b");
    third.manifest.version = 3;
    world.go_live(third);
    world.run_to(11_000);
    assert_eq!(world.take_shown(), ["50 a", "50 x", "5050 b"]);
    assert_eq!(names(&world), "b");
}

#[test]
fn a_stage_that_comes_back_has_its_overlays_back() {
    let content = with_overlays(
        live(1, vec![playlist("p", vec![lasting(60_000, image("a"))])]),
        vec![playlist("o", vec![lasting(60_000, image("x"))])],
    );
    let mut world = World::playing(content);
    world.run_to(5_000);
    world.down();
    world.up(Stage::new(99));
    world.run_to(6_000);
    assert_eq!(names(&world), "a x");
}
