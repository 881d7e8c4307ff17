//! Settings change while the screen plays: the file is broken and mended, the cloud and the device's
//! file have a word each.

use image::{Rgb, RgbImage};
use vitrine_tests::patience::until;
use vitrine_tests::picture;
use vitrine_tests::player::Player;

use crate::stage_set::{BLUE, GREEN, RED, SCREEN, Set, TOLERANCE, shows, until_colour};

#[test]
fn broken_and_mended_while_playing() {
    let set = Set::new();
    let mut player = set.paired_player(SCREEN);
    set.tenant.play(&[set.still("red", RED)], "1s").unwrap();
    until_colour(&player, RED);
    let pid = player.process().pid();

    let (dir, url) = (player.dir().to_owned(), set.cloud.url());
    Player::configure(&dir, url, SCREEN, "[cache]\nsize_mb = \"much\"\nspeed = 3\n").unwrap();
    let status = player
        .until_status("it complains", |status| status["troubles"].to_string().contains("size_mb"));
    assert!(status["troubles"].to_string().contains("speed"), "all problems at once: {status}");
    assert!(shows(&player, RED));

    Player::configure(&dir, url, SCREEN, "[device]\nname = \"mended\"\n").unwrap();
    until("it takes the mended file", || {
        player.process().log().contains("new settings").then_some(())
    });
    assert!(shows(&player, RED));
    assert_eq!(player.process().pid(), pid);
}

/// Waits until the bars beside a square picture have this colour.
#[track_caller]
fn until_bars(player: &Player, colour: [u8; 3]) {
    until(&format!("the bars are {colour:?}"), || {
        let shot = player.screenshot().ok()?;
        picture::near(picture::at(&shot, 0.02, 0.5), colour, TOLERANCE).then_some(())
    });
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[test]
fn the_later_word_of_cloud_and_device_is_on_the_screen_and_in_the_records() {
    let set = Set::new();
    let player = set.paired_player(SCREEN);
    let square = set.path().join("square.png");
    RgbImage::from_pixel(36, 36, Rgb(RED)).save(&square).unwrap();
    set.tenant.play(&[square], "1s").unwrap();
    until_colour(&player, RED);
    let say = |colour| {
        let word = format!("screen.background={}", hex(colour));
        set.tenant.operator(&["setting", "set", &word, "--by", "anna"]).unwrap();
    };
    say(GREEN);
    until_bars(&player, GREEN);
    let shown = player.ask(&["config", "show"]).unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains(&format!("background = {:?}  # cloud, by anna", hex(GREEN))), "{shown}");

    let (dir, url) = (player.dir().to_owned(), set.cloud.url());
    // The rest of the file ends in the section of the screen.
    Player::configure(&dir, url, SCREEN, &format!("background = {:?}\n", hex(BLUE))).unwrap();
    until_bars(&player, BLUE);
    drop(player);
    let player = Player::start(&dir, None).unwrap();
    until_bars(&player, BLUE);
    say(GREEN);
    until_bars(&player, GREEN);
    set.tenant.operator(&["setting", "set", "screen.output=none", "--by", "ben"]).unwrap();
    let changes = until("three changes and a refusal are recorded", || {
        let refused = set.records("fault").iter().any(|f| f["code"] == "setting_refused");
        let changes = set.records("setting_changed");
        (changes.len() >= 3 && refused).then_some(changes)
    });
    let who = |n: usize| changes[n]["by"].as_str().unwrap().to_owned();
    assert_eq!((changes.len(), who(0), who(2)), (3, "anna".into(), "anna".into()), "{changes:?}");
    assert_eq!(changes[1]["old"], hex(GREEN));
    assert_eq!(changes[1]["new"], hex(BLUE));
    assert!(shows(&player, RED), "it plays on");
}
