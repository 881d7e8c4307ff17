//! Pages: their pictures, their safe area, what lies around them.

#![allow(missing_docs, clippy::expect_used)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use image::{Rgb as Pixel, RgbImage};
use support::{HandClock, Rig, colour, file, near, quadrants, scene};
use vitrine_config::time::Mono;
use vitrine_render::scene::{Fit, Layer, Rect, Rgb, Scene, Size, Transition, TransitionKind, Turn};

const RED: [u8; 3] = [0xd0, 0x20, 0x20];
const GREEN: [u8; 3] = [0x20, 0xc0, 0x30];
const PLUM: [u8; 3] = [0x60, 0x20, 0x60];
const PAGE: Size = Size { width_px: 160, height_px: 90 };

fn cover(turn: Turn, path: &Path) -> Option<Layer> {
    Some(Layer { fit: Fit::Cover, ..file(turn, path) })
}

/// A page with a zone in its middle, over a picture, on a picture.
fn page(dir: &Path) -> Scene {
    let around = dir.join("around.png");
    RgbImage::from_pixel(8, 8, Pixel(PLUM)).save(&around).expect("saved");
    let place = Rect { x_px: 60.0, y_px: 30.0, width_px: 40.0, height_px: 30.0 };
    let zone = Layer { place: Some(place), ..colour(3, [1, 2, 3]) };
    Scene {
        background: Rgb([9, 9, 9]),
        backdrop: cover(1, &quadrants()),
        surround: Some(Rgb([0, 0, 40])),
        surround_picture: cover(2, &around),
        canvas: Some(PAGE),
        ..scene(vec![zone])
    }
}

fn check(case: &str, picture: &RgbImage, wanted: &[((u32, u32), [u8; 3])]) {
    for ((x, y), rgb) in wanted {
        let found = *picture.get_pixel(*x, *y);
        assert!(near(found, *rgb, 20), "{case}, at {x},{y}: {found:?}, want {rgb:?}");
    }
}

#[test]
fn a_page_lies_on_its_pictures() {
    let dir = tempfile::tempdir().expect("directory");
    let mut rig = Rig::start(160, 120);
    let all = page(dir.path());
    let picture = rig.show(all.clone());
    let page_at = [((80, 60), [1, 2, 3]), ((20, 25), RED), ((140, 25), GREEN)];
    let bars = [((80, 7), PLUM), ((80, 113), PLUM)];
    check("both", &picture, &[&page_at[..], &bars].concat());
    // One at a time, under other numbers: what is left out shows the colour below.
    let only = |turn: Turn, all: &Scene| Scene {
        layers: all.layers.iter().map(|layer| Layer { turn, ..layer.clone() }).collect(),
        ..all.clone()
    };
    let picture = rig.show(Scene { surround_picture: None, ..only(4, &all) });
    check("letterbox colour", &picture, &[((80, 7), [0, 0, 40]), ((20, 25), RED)]);
    let picture = rig.show(Scene { backdrop: None, surround: None, ..only(5, &all) });
    check("background colour", &picture, &[((80, 7), PLUM), ((20, 25), [9, 9, 9])]);
    rig.end();
}

#[test]
fn the_safe_area_keeps_layers_off_the_edges() {
    let dir = tempfile::tempdir().expect("directory");
    let mut rig = Rig::start(160, 90);
    let picture = rig.show(Scene { margin: 0.1, ..page(dir.path()) });
    // 16 pixels are free at the sides, 9 above and below.
    let edges = [(8, 45), (152, 45), (80, 4), (80, 85), (15, 45), (144, 45), (80, 8), (80, 81)];
    check("around", &picture, &edges.map(|at| (at, PLUM)));
    check("page", &picture, &[((17, 10), RED), ((142, 10), GREEN), ((80, 45), [1, 2, 3])]);
    let bare = Scene { background: Rgb([7, 70, 7]), margin: 0.1, ..scene(vec![colour(9, RED)]) };
    let picture = rig.show(bare);
    check("without a page", &picture, &[((15, 45), [7, 70, 7]), ((16, 45), RED), ((143, 80), RED)]);
    rig.end();
}

#[test]
fn a_picture_behind_a_page_that_fails_says_so() {
    let dir = tempfile::tempdir().expect("directory");
    let rig = Rig::start(64, 36);
    let gone = dir.path().join("gone.png");
    rig.wish(Scene { backdrop: cover(1, &gone), ..scene(vec![colour(2, RED)]) }, None);
    assert!(rig.wait_failed(1).contains("gone.png"));
    rig.wish(scene(vec![colour(2, RED)]), None);
    rig.wait_shown(2);
    rig.end();
}

/// Pages fade into each other with their pictures.
#[test]
fn a_page_passes_into_another_with_its_pictures() {
    let dir = tempfile::tempdir().expect("directory");
    let clock = HandClock::default();
    clock.set(Mono(1_000_000_000));
    let mut rig = Rig::with_clock(160, 120, Arc::new(clock.clone()));
    rig.show(page(dir.path()));
    let lasts = Duration::from_secs(2);
    let entrance = Some(Transition { kind: TransitionKind::Fade, lasts });
    let white = Layer { entrance, ..colour(9, [255; 3]) };
    let plain = Scene { canvas: Some(PAGE), surround: Some(Rgb([255; 3])), ..scene(vec![white]) };
    clock.set(Mono(1_500_000_000));
    rig.wish(plain, None);
    rig.wait_shown(9);
    clock.set(Mono(2_500_000_000));
    let picture = rig.picture();
    let half = |rgb: [u8; 3]| rgb.map(|code| ((u16::from(code) + 255) / 2) as u8);
    check("half way", &picture, &[((20, 25), half(RED)), ((80, 7), half(PLUM))]);
    rig.end();
}
