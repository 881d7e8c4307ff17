//! Every transition, looked at while it goes on, at moments that the test chooses.
//!
//! Each is compared with an approved strip of five frames: at the beginning, after each quarter of
//! its time, at the end. `VITRINE_BLESS=1` writes what is drawn now in their place.

#![allow(missing_docs, clippy::disallowed_methods, clippy::expect_used)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use image::{Rgb as Pixel, RgbImage, RgbaImage, imageops};
use support::{HandClock, Rig, colour, compare, file, near, scene};
use vitrine_config::time::Mono;
use vitrine_render::report::Report;
use vitrine_render::scene::{Layer, Rect, Rgb, Scene, Size, Transition, TransitionKind, Turn, Way};

const WIDTH: u32 = 64;
const HEIGHT: u32 = 36;
const LASTS: Duration = Duration::from_millis(400);
const QUARTERS: [u64; 5] = [0, 100, 200, 300, 400];

const KINDS: [(&str, TransitionKind); 10] = [
    ("fade", TransitionKind::Fade),
    ("slide-left", TransitionKind::Slide(Way::Left)),
    ("slide-right", TransitionKind::Slide(Way::Right)),
    ("slide-up", TransitionKind::Slide(Way::Up)),
    ("slide-down", TransitionKind::Slide(Way::Down)),
    ("wipe-left", TransitionKind::Wipe(Way::Left)),
    ("wipe-right", TransitionKind::Wipe(Way::Right)),
    ("wipe-up", TransitionKind::Wipe(Way::Up)),
    ("wipe-down", TransitionKind::Wipe(Way::Down)),
    ("zoom", TransitionKind::Zoom),
];

/// A stage whose time is the test's.
struct Film {
    rig: Rig,
    clock: HandClock,
    now_ms: u64,
}

impl Film {
    fn start() -> Film {
        let clock = HandClock::default();
        let rig = Rig::with_clock(WIDTH, HEIGHT, Arc::new(clock.clone()));
        Film { rig, clock, now_ms: 0 }
    }

    fn wait(&mut self, ms: u64) {
        self.now_ms += ms;
        self.clock.set(Mono(self.now_ms * 1_000_000));
    }

    /// Puts `scene` on, a second after whatever was before.
    fn show(&mut self, scene: Scene) -> RgbImage {
        self.wait(1_000);
        self.rig.show(scene)
    }

    /// Frames at these moments after `scene` has come on.
    fn record(&mut self, scene: Scene, at_ms: &[u64]) -> Vec<RgbImage> {
        let mut before = 0;
        let mut frames = vec![self.show(scene)];
        for at in &at_ms[1..] {
            self.wait(at - before);
            before = *at;
            frames.push(self.rig.picture());
        }
        frames
    }
}

fn strip(frames: &[RgbImage]) -> RgbImage {
    let mut strip = RgbImage::new(WIDTH * frames.len() as u32, HEIGHT);
    for (place, frame) in (0i64..).zip(frames) {
        imageops::replace(&mut strip, frame, place * i64::from(WIDTH), 0);
    }
    strip
}

/// A red and blue chequered picture that fills the screen, and a narrow one that leaves bars.
struct Media {
    _dir: tempfile::TempDir,
    wide: PathBuf,
    narrow: PathBuf,
    /// Green in the middle half, see-through around it.
    spot: PathBuf,
}

impl Media {
    fn make() -> Media {
        let dir = tempfile::tempdir().expect("directory");
        let path = |name: &str| dir.path().join(name);
        let chequered = |one: [u8; 3], other: [u8; 3]| {
            move |x: u32, y: u32| Pixel(if (x / 9 + y / 9).is_multiple_of(2) { one } else { other })
        };
        let (wide, narrow, spot) = (path("wide.png"), path("narrow.png"), path("spot.png"));
        let of_wide = chequered([200, 30, 30], [30, 40, 200]);
        RgbImage::from_fn(WIDTH, HEIGHT, of_wide).save(&wide).expect("saved");
        let of_narrow = chequered([30, 180, 60], [230, 220, 40]);
        RgbImage::from_fn(HEIGHT, HEIGHT, of_narrow).save(&narrow).expect("saved");
        let of_spot = |x: u32, _| {
            image::Rgba([20, 200, 20, if (x / 16).is_multiple_of(3) { 0 } else { 255 }])
        };
        RgbaImage::from_fn(WIDTH, HEIGHT, of_spot).save(&spot).expect("saved");
        Media { _dir: dir, wide, narrow, spot }
    }
}

fn entering(layer: Layer, kind: TransitionKind) -> Layer {
    Layer { entrance: Some(Transition { kind, lasts: LASTS }), ..layer }
}

fn still(turn: Turn, path: &Path) -> Layer {
    Layer { background: None, ..file(turn, path) }
}

#[test]
fn transitions_look_as_they_were_approved_and_end_exactly_on_the_new_picture() {
    let media = Media::make();
    let mut film = Film::start();
    let mut turn = 0;
    let mut next = || {
        turn += 1;
        turn
    };
    let mut cut = |film: &mut Film, path: &Path| film.show(scene(vec![still(next(), path)]));
    let (wide, narrow) = (cut(&mut film, &media.wide), cut(&mut film, &media.narrow));
    for (n, (name, kind)) in (10..).zip(KINDS) {
        let old = film.show(scene(vec![still(n * 10, &media.wide)]));
        assert_eq!(old, wide, "{name}: before");
        let incoming = entering(still(n * 10 + 1, &media.narrow), kind);
        let frames = film.record(scene(vec![incoming]), &QUARTERS);
        assert_eq!(frames[0], wide, "{name}: the old picture at first");
        assert_eq!(frames[4], narrow, "{name}: the new picture at last");
        compare(&format!("transition-{name}"), &strip(&frames));
    }
    film.rig.end();
}

/// The old picture goes whole, bars and all; what is see-through lets the page through, not it.
#[test]
fn opaque_pictures_mix_without_what_is_behind_them() {
    let mut film = Film::start();
    let grey = |turn, code| scene(vec![colour(turn, [code; 3])]);
    film.show(Scene { background: Rgb([255, 0, 0]), ..grey(1, 100) });
    let layer = entering(colour(2, [200; 3]), TransitionKind::Fade);
    let incoming = Scene { background: Rgb([255, 0, 0]), ..scene(vec![layer]) };
    for (frame, wanted) in film.record(incoming, &QUARTERS).iter().zip([100, 116, 150, 184, 200]) {
        let found = *frame.get_pixel(9, 9);
        assert!(near(found, [wanted; 3], 2), "{found:?}, want {wanted}");
    }
    film.rig.end();
}

#[test]
fn see_through_pictures_over_others_change_without_a_jump() {
    let media = Media::make();
    let mut film = Film::start();
    let over = |turn| still(turn, &media.spot);
    for (n, kind) in (1..).zip([TransitionKind::Fade, TransitionKind::Zoom]) {
        let (below, old, new) = (n * 10, n * 10 + 1, n * 10 + 2);
        let below = file(below, &media.wide);
        let first = film.show(scene(vec![below.clone(), over(old)]));
        let frames = film.record(scene(vec![below, entering(over(new), kind)]), &QUARTERS);
        assert_eq!(frames[0], first);
        assert_eq!(frames[4], first, "the same picture again");
        if kind == TransitionKind::Fade {
            for (frame, quarter) in frames.iter().zip(QUARTERS) {
                let found = *frame.get_pixel(24, 20);
                assert!(near(found, [20, 200, 20], 3), "at {quarter} ms: {found:?}");
            }
        }
    }
    film.rig.end();
}

#[test]
fn the_other_zone_goes_on_undisturbed_and_its_layers_are_not_touched() {
    let media = Media::make();
    let mut film = Film::start();
    let place = |x_px| Some(Rect { x_px, y_px: 0.0, width_px: 32.0, height_px: 36.0 });
    let left = |layer| Layer { place: place(0.0), ..layer };
    let right = Layer { place: place(32.0), ..still(2, &media.wide) };
    film.show(scene(vec![left(colour(1, [90, 0, 0])), right.clone()]));
    let kind = TransitionKind::Slide(Way::Right);
    let incoming = left(entering(colour(3, [0, 90, 0]), kind));
    let frames = film.record(scene(vec![incoming, right]), &QUARTERS);
    for frame in &frames {
        let kept = imageops::crop_imm(frame, 32, 0, 32, 36).to_image();
        assert_eq!(kept, imageops::crop_imm(&frames[0], 32, 0, 32, 36).to_image());
    }
    let colours: Vec<_> = (0..32).map(|x| frames[2].get_pixel(x, 18).0).collect();
    let (new, old) = colours.split_at(16);
    assert!(new.iter().all(|rgb| *rgb == [0, 90, 0]), "{new:?}");
    assert!(old.iter().all(|rgb| *rgb == [90, 0, 0]), "{old:?}");
    film.rig.end();
}

#[test]
fn another_page_comes_in_as_a_whole() {
    let mut film = Film::start();
    let page = |background, layers| Scene {
        background: Rgb(background),
        canvas: Some(Size { width_px: 128, height_px: 72 }),
        ..scene(layers)
    };
    let place = |x_px| Some(Rect { x_px, y_px: 36.0, width_px: 32.0, height_px: 36.0 });
    let over = Layer { opacity: 0.5, ..colour(9, [250, 250, 250]) };
    let over = Layer { place: place(96.0), ..over };
    let zone = |turn, x_px, rgb| Layer { place: place(x_px), ..colour(turn, rgb) };
    let mut turn = 10;
    for (name, kind) in
        [("fade", KINDS[0].1), ("slide", KINDS[1].1), ("wipe", KINDS[8].1), ("zoom", KINDS[9].1)]
    {
        turn += 10;
        let old = vec![zone(turn, 0.0, [200, 0, 0]), zone(turn + 1, 32.0, [200, 90, 0])];
        let old = film.show(page([60, 0, 0], [old, vec![over.clone()]].concat()));
        let new = vec![
            entering(zone(turn + 2, 16.0, [0, 0, 200]), kind),
            zone(turn + 3, 48.0, [0, 90, 200]),
        ];
        let frames = film.record(page([0, 0, 60], [new, vec![over.clone()]].concat()), &QUARTERS);
        assert_eq!(frames[0], old, "{name}");
        assert_eq!(*frames[4].get_pixel(2, 2), Pixel([0, 0, 60]), "{name}");
        compare(&format!("page-{name}"), &strip(&frames));
    }
    film.rig.end();
}

#[test]
fn a_transition_takes_nothing_from_the_old_and_gives_nothing_to_the_new_showing() {
    let mut film = Film::start();
    film.show(scene(vec![colour(1, [1; 3])]));
    film.wait(500);
    let fading = scene(vec![entering(colour(2, [99; 3]), TransitionKind::Fade)]);
    film.rig.wish(fading, None);
    let begun = film.rig.wait(|report| match report {
        Report::Gone { turn: 1, at, .. } => Some(*at),
        _ => None,
    });
    assert_eq!(begun, Mono(1_500_000_000), "gone when its successor begins");
    film.wait(4_000);
    film.rig.picture();
    let said = film.rig.end();
    let shown = |report: &&Report| matches!(report, Report::Gone { turn: 1, .. });
    assert_eq!(said.iter().filter(shown).count(), 0, "said twice: {said:?}");
}
