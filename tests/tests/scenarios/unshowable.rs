//! Content that no decoder takes: what was shown before comes back by itself.

use std::fs;
use std::io::Write;

use vitrine_tests::patience::until;

use crate::stage_set::{GREEN, RED, SCREEN, Set, until_colour};

#[test]
fn a_publication_of_which_nothing_can_be_shown_gives_way_to_the_one_before() {
    let set = Set::new();
    let player = set.paired_player(SCREEN);
    set.tenant.play(&[set.still("red", RED)], "1s").unwrap();
    until_colour(&player, RED);
    // Its first bytes are those of a picture, so that the cloud takes it; the rest is none.
    let broken = set.path().join("broken.png");
    let bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and then nothing of the kind";
    fs::File::create(&broken).and_then(|mut file| file.write_all(bytes)).unwrap();
    set.tenant.play(&[broken], "1s").unwrap();
    until("the cloud hears that the player went back", || {
        let faults = set.records("fault");
        let told = |code: &str| faults.iter().any(|fault| fault["code"] == code);
        (told("item_failed") && told("rolled_back")).then_some(())
    });
    until_colour(&player, RED);
    set.tenant.play(&[set.still("green", GREEN)], "1s").unwrap();
    until_colour(&player, GREEN);
    // What was shown once is not given up, whatever fails then.
    let rolled_back = set.records("fault").iter().filter(|f| f["code"] == "rolled_back").count();
    assert_eq!(rolled_back, 1);
}
