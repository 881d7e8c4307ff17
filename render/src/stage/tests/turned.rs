//! Pictures for displays and in zones that are turned: the same pictures, turned.

use image::{RgbImage, imageops};

use super::film::{Film, colour, only, video};
use super::*;
use crate::scene::{Card, Rect, Rotation, Way};

const LONG: u32 = 96;
const SHORT: u32 = 64;

/// A page with something of everything.
fn page(turn: Turn) -> Scene {
    let place = |x_px, y_px, width_px, height_px| Some(Rect { x_px, y_px, width_px, height_px });
    let card = scene::Source::Card(Card::NoContent { headline: "Up".into(), detail: "so".into() });
    let layers = vec![
        Layer { place: place(10.0, 10.0, 100.0, 60.0), ..Layer::new(turn, card) },
        Layer { place: place(100.0, 60.0, 80.0, 60.0), ..video(turn + 1, "gap-30.mp4", false) },
        Layer {
            place: place(60.0, 20.0, 30.0, 90.0),
            opacity: 0.5,
            ..colour(turn + 2, [0, 200, 99])
        },
        Layer {
            turned_deg: 30.0,
            place: place(120.0, 20.0, 50.0, 20.0),
            ..colour(turn + 3, [250; 3])
        },
    ];
    let canvas = Some(Size { width_px: 192, height_px: 128 });
    Scene {
        background: Rgb([40, 0, 0]),
        surround: Some(Rgb([0, 0, 40])),
        canvas,
        layers,
        ..Scene::default()
    }
}

/// What the target has when `page` is on, and half way to another one.
fn seen(rotation: Rotation, width_px: u32, height_px: u32) -> [RgbImage; 2] {
    let mut film = Film::new(width_px, height_px);
    film.wish(Scene { rotation, ..page(1) }, None);
    let first = film.until_shown(1).pop().expect("a frame").picture;
    let kind = TransitionKind::Slide(Way::Left);
    let mut other = only(colour(9, [9, 99, 199]));
    other.layers[0].entrance = Some(Transition { kind, lasts: super::film::REFRESH * 2 });
    film.wish(Scene { rotation, ..other }, None);
    film.until_shown(9);
    [first, film.step().picture]
}

fn differing(one: &RgbImage, other: &RgbImage) -> usize {
    assert_eq!(one.dimensions(), other.dimensions());
    let differ = |(a, b): (&image::Rgb<u8>, &image::Rgb<u8>)| {
        a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > 8)
    };
    one.pixels().zip(other.pixels()).filter(|pair| differ(*pair)).count()
}

#[test]
fn every_picture_is_turned_as_a_whole_for_the_display() {
    let (wide, tall) = (seen(Rotation::None, LONG, SHORT), seen(Rotation::None, SHORT, LONG));
    for (rotation, upright, turn) in [
        (Rotation::Half, &wide, imageops::rotate180 as fn(&RgbImage) -> RgbImage),
        (Rotation::Quarter, &tall, imageops::rotate90),
        (Rotation::ThreeQuarters, &tall, imageops::rotate270),
    ] {
        let found = seen(rotation, LONG, SHORT);
        for (place, (found, upright)) in found.iter().zip(upright).enumerate() {
            let wrong = differing(found, &turn(upright));
            // Pixels whose middles lie on the edge of the turned zone.
            assert!(wrong <= 8, "{rotation:?}, picture {place}: {wrong} pixels differ");
            assert!(differing(found, &imageops::rotate180(&turn(upright))) > 500, "all alike");
        }
    }
}

#[test]
fn another_rotation_takes_effect_with_the_next_frame_and_disturbs_nothing() {
    let mut film = Film::new(LONG, SHORT);
    let scene = |rotation| Scene { rotation, ..page(1) };
    film.wish(scene(Rotation::None), None);
    film.until_shown(1);
    film.wish(scene(Rotation::Quarter), None);
    let glimpse = film.step();
    assert!(glimpse.drawn);
    let gone = film.said.iter().filter(|report| matches!(report, Report::Gone { .. })).count();
    assert_eq!(gone, 0, "a showing began anew");
}

#[test]
fn a_zone_is_turned_about_its_middle_with_what_is_in_it() {
    let turned = |deg, x_px, y_px, width_px, height_px| {
        let place = Some(Rect { x_px, y_px, width_px, height_px });
        let mut film = Film::new(LONG, SHORT);
        let layer = Layer { place, turned_deg: deg, ..video(1, "gap-30.mp4", false) };
        film.wish(only(layer), None);
        film.until_shown(1).pop().expect("a frame").picture
    };
    let plain = turned(0.0, 28.0, 22.0, 40.0, 20.0);
    for (deg, turn) in [
        (90.0, imageops::rotate90 as fn(&RgbImage) -> RgbImage),
        (-90.0, imageops::rotate270),
        (180.0, imageops::rotate180),
        (360.0, |picture: &RgbImage| picture.clone()),
    ] {
        let found = turned(deg, 28.0, 22.0, 40.0, 20.0);
        let middle = |picture: &RgbImage| imageops::crop_imm(picture, 16, 0, 64, 64).to_image();
        let wrong = differing(&middle(&found), &turn(&middle(&plain)));
        assert!(wrong <= 70, "{deg}: {wrong} pixels differ");
    }
    let leaning = turned(45.0, 28.0, 22.0, 40.0, 20.0);
    assert_eq!(leaning.get_pixel(48, 32).0, plain.get_pixel(48, 32).0, "the middle stays");
    assert_eq!(leaning.get_pixel(30, 40).0, [0; 3], "a corner of the zone has left");
}
