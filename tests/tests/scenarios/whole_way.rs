//! From an empty cloud to the right picture on a display, and a change that follows.

use std::io::Write;

use serde_json::json;
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

#[test]
fn a_layout_lies_on_its_pictures() {
    let set = Set::new();
    let player = set.paired_player(SCREEN);
    let [red, green, blue] =
        [("red", RED), ("green", GREEN), ("blue", BLUE)].map(|(name, rgb)| set.still(name, rgb));
    let [red, green, blue] = [&red, &green, &blue].map(|path| path.to_str().unwrap());
    let page = set.path().join("page.json");
    let zone = json!({"id": "middle", "x_px": 40, "y_px": 40, "width_px": 100, "height_px": 100,
        "playlist": "main"});
    let layout = json!({"id": "page", "width_px": 180, "height_px": 180, "zones": [zone]});
    std::fs::File::create(&page).unwrap().write_all(layout.to_string().as_bytes()).unwrap();
    let operator = |args: &[&str]| set.tenant.operator(args).unwrap();
    operator(&["playlist", "set", "main", "--item", &format!("{green},fit=cover")]);
    let images = ["--background-image", red, "--letterbox-image", blue];
    operator(&[&["layout", "put", page.to_str().unwrap()][..], &images].concat());
    operator(&["schedule", "set", "--entry", "layout:page"]);
    operator(&["publish"]);
    until_colour(&player, GREEN);
    let seen = player.screenshot().unwrap();
    for (case, x, colour) in [("around", 0.05, BLUE), ("page", 0.27, RED), ("zone", 0.5, GREEN)] {
        let found = picture::at(&seen, x, 0.5);
        assert!(picture::near(found, colour, TOLERANCE), "{case}: {found:?}");
    }
}
