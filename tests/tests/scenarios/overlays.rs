//! A band of words in front of whatever plays, on a display and by its own window.

use std::fs::File;
use std::io::Write;

use serde_json::json;
use vitrine_tests::patience::until;
use vitrine_tests::picture;
use vitrine_tests::player::Player;

use crate::stage_set::{RED, SCREEN, Set, TOLERANCE, until_colour};

/// A band along the bottom edge: a fifth of the page's height.
fn band(set: &Set) {
    let text = "text:Fire drill at noon,size=90,colour=#ffffff,align=centre,background=#2834c8";
    set.tenant.operator(&["playlist", "set", "alarm", "--item", text]).unwrap();
    let zone = json!({"id": "band", "x_px": 0, "y_px": 864, "width_px": 1920, "height_px": 216,
        "playlist": "alarm"});
    let layout = json!({"id": "band", "name": "band", "width_px": 1920, "height_px": 1080,
        "background": "#ffffff", "zones": [zone]});
    let path = set.path().join("band.json");
    File::create(&path).unwrap().write_all(layout.to_string().as_bytes()).unwrap();
    set.tenant.operator(&["layout", "put", path.to_str().unwrap()]).unwrap();
}

/// Waits until the left end of the band has this colour; the middle is red all the while.
fn until_band(player: &Player, colour: [u8; 3]) {
    until(&format!("the band shows {colour:?}"), || {
        let shot = player.screenshot().ok()?;
        let near = |x, y, colour| picture::near(picture::at(&shot, x, y), colour, TOLERANCE);
        assert!(near(0.5, 0.3, RED), "what plays below is disturbed");
        near(0.02, 0.9, colour).then_some(())
    });
}

#[test]
fn a_band_of_words_lies_in_front_of_what_plays_and_leaves_it_alone() {
    let set = Set::new();
    let player = set.paired_player(SCREEN);
    set.tenant.play(&[set.still("red", RED)], "1h").unwrap();
    until_colour(&player, RED);
    let turn = |player: &Player| player.status().unwrap()["showing"][0]["turn"].clone();
    let before = turn(&player);
    band(&set);
    let schedule = |entries: &[&str]| {
        let entries = entries.iter().flat_map(|entry| ["--entry", entry]);
        let args: Vec<&str> = ["schedule", "set"].into_iter().chain(entries).collect();
        set.tenant.operator(&args).unwrap();
        set.tenant.operator(&["publish"]).unwrap();
    };
    schedule(&["main", "layout:band,kind=overlay,priority=9"]);
    until_band(&player, BLUE_BAND);
    let status = player.status().unwrap();
    let due = status["due"].as_str().unwrap();
    assert!(due.contains("in front of it \"entry-2\""), "{due}");
    assert_eq!(turn(&player), before, "the picture below began anew");
    if let Some(keep) = std::env::var_os("VITRINE_KEEP_PICTURES") {
        player.screenshot().unwrap().save(std::path::Path::new(&keep).join("band.png")).unwrap();
    }
    schedule(&["main"]);
    until_band(&player, RED);
    assert_eq!(turn(&player), before, "the picture below began anew");
    let proofs = until("the band is proved", || {
        let proofs = set.records("proof_of_play");
        (!proofs.is_empty()).then_some(proofs)
    });
    assert!(proofs.iter().all(|proof| proof["playlist"] == "alarm"), "{proofs:?}");
}

const BLUE_BAND: [u8; 3] = [0x28, 0x34, 0xc8];
