//! The stage as its agent sees it: wishes in, reports and pictures out.

#![allow(missing_docs)]

mod support;

use std::time::Duration;

use support::{Rig, colour, file, scene};
use vitrine_config::time::Mono;
use vitrine_render::report::Report;
use vitrine_render::scene::{Next, Start};

const RED: [u8; 3] = [200, 10, 20];
const BLUE: [u8; 3] = [10, 20, 200];

#[test]
fn a_wish_is_shown_and_the_next_one_follows_by_itself() {
    let mut rig = Rig::start(64, 36);
    let lasts = Duration::from_millis(300);
    let next = Next { scene: scene(vec![colour(2, BLUE)]), start: Start::After { turn: 1, lasts } };
    rig.wish(scene(vec![colour(1, RED)]), Some(next));
    let first = rig.wait_shown(1);
    assert_eq!(rig.picture().get_pixel(32, 18).0, RED);
    let second = rig.wait_shown(2);
    assert!(second.since(first) >= lasts, "the first scene was cut short");
    assert_eq!(rig.picture().get_pixel(32, 18).0, BLUE);
    let said = rig.end();
    let gone = |report: &&Report| matches!(report, Report::Gone { turn: 2, .. });
    assert_eq!(said.iter().filter(gone).count(), 1, "{said:?}");
}

#[test]
fn a_broken_picture_fails_and_the_old_one_stays() {
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("broken.png");
    std::fs::File::create(&path).expect("made");
    let mut rig = Rig::start(64, 36);
    rig.show(scene(vec![colour(1, RED)]));
    rig.wish(scene(vec![file(2, &path)]), None);
    let error = rig.wait_failed(2);
    assert!(error.contains("broken.png") && error.contains("JPEG, PNG"), "{error}");
    assert_eq!(rig.picture().get_pixel(32, 18).0, RED);
    rig.wish(scene(vec![file(3, &dir.path().join("absent.jpg"))]), None);
    assert!(rig.wait_failed(3).contains("cannot be read"));
    rig.end();
}

#[test]
fn a_still_screen_presents_one_frame_and_beats() {
    let rig = Rig::start(64, 36);
    rig.wish(scene(vec![colour(1, RED)]), None);
    rig.wait_shown(1);
    for _ in 0..2 {
        let beat = rig.wait(|report| match report {
            Report::Beat(beat) => Some(beat.clone()),
            _ => None,
        });
        assert_eq!((beat.frames_presented, beat.moving), (1, false));
    }
    rig.end();
}

#[test]
fn a_scene_waits_for_its_moment() {
    let rig = Rig::start(64, 36);
    rig.wish(scene(vec![colour(1, RED)]), None);
    let Mono(shown) = rig.wait_shown(1);
    let at = Mono(shown).after(Duration::from_millis(400));
    let next = Next { scene: scene(vec![colour(2, BLUE)]), start: Start::At(at) };
    rig.wish(scene(vec![colour(1, RED)]), Some(next));
    assert!(rig.wait_shown(2) >= at);
    rig.end();
}
