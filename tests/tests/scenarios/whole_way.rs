//! From an empty cloud to the right picture on a display, and a change that follows.

use vitrine_tests::display::Display;
use vitrine_tests::patience::until;
use vitrine_tests::picture;

use crate::stage_set::{BLUE, GREEN, RED, SCREEN, Set, TOLERANCE, until_colour, video};

#[test]
fn a_tenants_playlist_plays_on_a_display() {
    let set = Set::new();
    let display = Display::start(320, 180).unwrap();
    let _player = set.paired_player_by(set.cloud.url(), "fullscreen", Some(&display));
    let files = [set.still("red", RED), video("h264.mp4"), set.still("green", GREEN)];
    set.tenant.play(&files, "1s").unwrap();

    let mut wanted = vec![("red", RED), ("green", GREEN), ("red again", RED)];
    while let Some((name, colour)) = wanted.first().copied() {
        until(&format!("the display shows {name}"), || {
            let seen = display.picture().unwrap();
            // The pairing card may still stand; once content plays, nothing is ever black.
            picture::near(picture::at(&seen, 0.5, 0.5), colour, TOLERANCE).then_some(())
        });
        wanted.remove(0);
    }
    let played = until("three proofs of play, one of them of the video", || {
        let proofs = set.records("proof_of_play");
        let video = |proof: &serde_json::Value| proof["frames_presented"].as_u64() > Some(5);
        (proofs.len() >= 3 && proofs.iter().any(video)).then_some(proofs)
    });
    assert!(played.iter().all(|proof| proof["playlist"] == "main"), "{played:?}");
}

#[test]
fn a_published_change_is_on_screen_within_seconds() {
    let set = Set::new();
    let player = set.paired_player(SCREEN);
    set.tenant.play(&[set.still("red", RED)], "1s").unwrap();
    until_colour(&player, RED);
    set.tenant.play(&[set.still("blue", BLUE)], "1s").unwrap();
    until_colour(&player, BLUE);
}

#[test]
fn an_order_is_done_once_and_answered() {
    let set = Set::new();
    let player = set.paired_player(SCREEN);
    set.tenant.play(&[set.still("green", GREEN)], "1s").unwrap();
    until_colour(&player, GREEN);
    let device = set.device();
    set.tenant.operator(&["order", &device, "screenshot"]).unwrap();
    let results = until("the order is answered", || {
        let results = set.records("order_result");
        (!results.is_empty()).then_some(results)
    });
    assert_eq!(results.len(), 1, "{results:?}");
    assert_eq!(results[0]["done"], true, "{results:?}");
    let file = set.path().join("from-cloud.png");
    let path = file.to_str().unwrap();
    set.tenant.operator(&["screenshot", &device, "-o", path]).unwrap();
    let shot = image::open(&file).unwrap().to_rgb8();
    assert!(picture::near(picture::at(&shot, 0.5, 0.5), GREEN, TOLERANCE));
}
