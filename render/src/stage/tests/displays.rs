//! Displays that each have their own picture.

use image::RgbImage;

use super::film::{Film, REFRESH, colour};
use super::*;
use crate::scene::{Base, Rect, Way};

const RED: [u8; 3] = [200, 0, 0];
const GREEN: [u8; 3] = [0, 200, 0];
const BLUE: [u8; 3] = [0, 0, 200];
const GREY: [u8; 3] = [90; 3];
const BLACK: [u8; 3] = [0; 3];

/// A wide display and a square one, which is higher.
fn film() -> Film {
    let size = |width_px, height_px| Size { width_px, height_px };
    let mut film = Film::new(64, 36);
    let screen = Screen::of(vec![size(64, 36), size(40, 40)], false).expect("two");
    film.stage.resize(screen);
    film
}

/// Red on the first display, a green half of a page on the second.
fn scene(apart: bool) -> Scene {
    let page = Base::Page(Size { width_px: 200, height_px: 100 });
    let left = Rect { x_px: 0.0, y_px: 0.0, width_px: 100.0, height_px: 100.0 };
    let ground = Layer { display: 1, base: Base::Edges, ..colour(2, BLUE) };
    let half = Layer { display: 1, base: page, place: Some(left), ..colour(3, GREEN) };
    let mut layers = vec![colour(1, RED)];
    layers.extend(apart.then_some(ground));
    layers.push(half);
    let apart = apart.then_some(1).into_iter().collect();
    Scene { displays: Displays::Each, apart, layers, ..Scene::default() }
}

#[track_caller]
fn check(case: &str, picture: &RgbImage, wanted: &[((u32, u32), [u8; 3])]) {
    assert_eq!(picture.dimensions(), (104, 40), "{case}: side by side");
    for ((x, y), colour) in wanted {
        assert_eq!(picture.get_pixel(*x, *y).0, *colour, "{case}: at {x}, {y}");
    }
}

#[test]
fn each_shows_what_names_it_in_its_own_shape() {
    let mut film = film();
    film.wish(scene(true), None);
    let seen = film.until_shown(3).pop().expect("a frame").picture;
    check(
        "apart",
        &seen,
        &[
            ((0, 0), RED),
            ((63, 35), RED),
            ((30, 38), BLACK),
            ((65, 20), GREEN),
            ((83, 20), GREEN),
            ((85, 20), BLUE),
            ((70, 8), BLUE),
            ((70, 32), BLUE),
        ],
    );
    film.wish(scene(false), None);
    film.step();
    let seen = film.step().picture;
    check("over the first one's", &seen, &[((30, 20), RED), ((65, 20), GREEN), ((85, 20), RED)]);
}

#[test]
fn what_comes_in_on_one_reaches_over_to_no_other() {
    let mut film = film();
    film.wish(scene(true), None);
    film.until_shown(3);
    let kind = TransitionKind::Slide(Way::Left);
    let entrance = Some(Transition { kind, lasts: REFRESH * 4 });
    let mut other = scene(true);
    other.layers[0] = Layer { entrance, ..colour(9, GREY) };
    film.wish(other, None);
    film.until_shown(9);
    film.step();
    let seen = film.step().picture;
    let row: Vec<_> = (0..64).map(|x| seen.get_pixel(x, 18).0).collect();
    assert!(row.contains(&RED) && row.contains(&GREY), "half way: {row:?}");
    check("beside", &seen, &[((65, 20), GREEN), ((85, 20), BLUE), ((70, 32), BLUE)]);
}

#[test]
fn where_all_are_one_layers_for_others_are_not_seen() {
    let mut film = film();
    let others = Scene { displays: Displays::Extend, ..scene(false) };
    film.wish(others, None);
    let frame = |film: &Film| film.stage.frame_again().expect("a frame");
    film.until_shown(3);
    assert_eq!(frame(&film).page.layers.len(), 1);
    assert_eq!(frame(&film).others, []);
}
