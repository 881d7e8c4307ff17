//! The config file is broken and mended while the screen plays.

use vitrine_tests::patience::until;
use vitrine_tests::player::Player;

use crate::stage_set::{RED, SCREEN, Set, shows, until_colour};

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
