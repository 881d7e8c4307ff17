//! Against a compositor that is only its protocol.

// A test that meets the unexpected must panic.
#![allow(clippy::unwrap_used)]

mod compositor;

use rustix::event::Timespec;
use wayland_client::Connection;

use self::compositor::{Compositor, Screen, Temper, Wish};
use super::{NO_PROTOCOL, ask_by};
use crate::scene::{Mode, Size};

const FHD: (i32, i32, i32) = (1920, 1080, 60_000);
const HD: (i32, i32, i32) = (1280, 720, 60_000);

/// On, at the first of these modes, which is its own.
fn screen(name: &'static str, x: i32, modes: &[(i32, i32, i32)]) -> Screen {
    Screen { name, at: Some((x, 0)), modes: modes.to_vec(), current: 0, ..Screen::default() }
}

fn mode((width, height, rate): (u32, u32, u32)) -> Option<Mode> {
    let size = Size { width_px: width, height_px: height };
    Some(Mode { size, refresh_millihertz: Some(rate) })
}

/// Asks it for `mode`: what was refused, and what it was asked for.
#[track_caller]
fn asked(compositor: Compositor, mode: Option<Mode>) -> (Result<Vec<String>, String>, Compositor) {
    let patience = if compositor.temper == Temper::Deaf { 1_000_000 } else { 999_999_999 };
    let silence_max = Timespec { tv_sec: 0, tv_nsec: patience };
    compositor.serve(move |socket| {
        let connection = Connection::from_socket(socket).map_err(|error| error.to_string())?;
        ask_by(&connection, mode, silence_max).map_err(|error| error.to_string())
    })
}

#[test]
fn a_display_runs_at_the_mode_asked_for_and_its_neighbour_moves() {
    let screens = vec![screen("L", 0, &[FHD, HD]), screen("R", 1920, &[HD])];
    let (refused, seen) = asked(Compositor::new(screens), mode((1280, 720, 59_940)));
    assert_eq!(refused, Ok(vec![]));
    let left = Wish::On { mode: Some(1), at: None };
    let right = Wish::On { mode: None, at: Some((1280, 0)) };
    assert_eq!(seen.asked, [vec![("L", left), ("R", right)]]);
}

#[test]
fn without_a_wish_each_display_has_its_own() {
    let at_hd = Screen { current: 1, ..screen("L", 0, &[FHD, HD]) };
    let (refused, seen) = asked(Compositor::new(vec![at_hd]), None);
    assert_eq!(refused, Ok(vec![]));
    assert_eq!(seen.asked, [vec![("L", Wish::On { mode: Some(0), at: None })]]);
}

#[test]
fn what_is_right_already_is_left_alone() {
    let (refused, seen) =
        asked(Compositor::new(vec![screen("L", 0, &[FHD])]), mode((1920, 1080, 60_000)));
    assert_eq!((refused, seen.asked), (Ok(vec![]), vec![]));
}

#[test]
fn a_display_without_the_mode_keeps_its_own_and_the_list_is_told() {
    let screens = vec![screen("L", 0, &[FHD]), screen("R", 1920, &[FHD, HD])];
    let (refused, seen) = asked(Compositor::new(screens), mode((1280, 720, 60_000)));
    let told = refused.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("L has no mode 1280x720@60"), "{told:?}");
    assert!(told[0].ends_with("it lists 1920x1080@60"), "{told:?}");
    let right = Wish::On { mode: Some(1), at: None };
    assert_eq!(seen.asked, [vec![("L", Wish::On { mode: None, at: None }), ("R", right)]]);
}

#[test]
fn a_display_that_is_off_stays_off() {
    let off = Screen { at: None, ..screen("off", 0, &[FHD, HD]) };
    let screens = vec![off, screen("on", 0, &[FHD, HD])];
    let (refused, seen) = asked(Compositor::new(screens), mode((1280, 720, 60_000)));
    assert_eq!(refused, Ok(vec![]));
    let on = Wish::On { mode: Some(1), at: None };
    assert_eq!(seen.asked, [vec![("off", Wish::Off), ("on", on)]]);
}

#[test]
fn turned_and_scaled_displays_lie_side_by_side_by_what_they_show() {
    let turned = Screen { on_its_side: true, ..screen("turned", 0, &[FHD, HD]) };
    let scaled = Screen { scale: 2.0, ..screen("scaled", 1080, &[FHD, HD]) };
    let screens = vec![turned, scaled, screen("R", 2040, &[HD])];
    let (refused, seen) = asked(Compositor::new(screens), mode((1280, 720, 60_000)));
    assert_eq!(refused, Ok(vec![]));
    let at = |mode, x| Wish::On { mode, at: Some((x, 0)) };
    let turned = Wish::On { mode: Some(1), at: None };
    let wanted = vec![("turned", turned), ("scaled", at(Some(1), 720)), ("R", at(None, 1360))];
    assert_eq!(seen.asked, [wanted]);
}

#[test]
fn displays_that_change_meanwhile_are_asked_again() {
    let plugged = screen("new", 1920, &[FHD, HD]);
    let mut compositor = Compositor::new(vec![screen("L", 0, &[FHD, HD])]);
    compositor.plugged = vec![plugged];
    let (refused, seen) = asked(compositor, mode((1280, 720, 60_000)));
    assert_eq!(refused, Ok(vec![]));
    let first = ("L", Wish::On { mode: Some(1), at: None });
    let second = ("new", Wish::On { mode: Some(1), at: Some((1280, 0)) });
    assert_eq!(seen.asked, [vec![first], vec![first, second]]);
}

#[test]
fn a_refusal_and_a_silence_are_told() {
    for (temper, mode, wanted) in [
        (Temper::Refusing, mode((1280, 720, 60_000)), Err("the compositor refused it".to_owned())),
        (Temper::Deaf, mode((1280, 720, 60_000)), Err("the compositor does not answer".to_owned())),
        (Temper::Without, mode((1280, 720, 60_000)), Err(NO_PROTOCOL.to_owned())),
        (Temper::Without, None, Ok(vec![])),
    ] {
        let mut compositor = Compositor::new(vec![screen("L", 0, &[FHD, HD])]);
        compositor.temper = temper;
        let (refused, _) = asked(compositor, mode);
        assert_eq!(refused, wanted, "{temper:?}");
    }
}
