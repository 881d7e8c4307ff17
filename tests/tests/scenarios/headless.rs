//! The agent needs no display, and a display for a while no GPU.

use std::fs;
use std::path::{Path, PathBuf};

use vitrine_tests::display::Display;
use vitrine_tests::patience::until;
use vitrine_tests::picture;
use vitrine_tests::player::Player;

use crate::stage_set::{GREEN, Set, TOLERANCE};

#[test]
fn syncs_with_no_display_at_all() {
    let set = Set::new();
    let mut player = set.paired_player("none");
    set.tenant.play(&[set.still("green", GREEN)], "1s").unwrap();
    player.until_status("the manifest is live", |s| s["manifest_version"].as_u64() > Some(0));
    let cached = || {
        let all = std::fs::read_dir(player.dir().join("state/assets")).ok()?;
        all.flatten().any(|entry| entry.file_name().len() == 2).then_some(())
    };
    until("the asset is in the cache", cached);
    until("the cloud has a heartbeat", || (!set.records("heartbeat").is_empty()).then_some(()));
    assert_eq!(player.process().family_with(" stage").len(), 0);
}

#[test]
fn a_display_that_is_not_there_does_not_stop_sync() {
    let set = Set::new();
    let player = set.paired_player("fullscreen");
    set.tenant.play(&[set.still("green", GREEN)], "1s").unwrap();
    player.until_status("the manifest is live", |s| s["manifest_version"].as_u64() > Some(0));
}

/// The description of the software driver, wherever this system has it.
fn driver() -> PathBuf {
    let dir = Path::new("/usr/share/vulkan/icd.d");
    let mut all = fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    all.find(|path| path.to_string_lossy().contains("lvp_icd")).expect("mesa-vulkan-drivers")
}

#[test]
fn a_gpu_that_comes_back_is_taken_without_a_visit() {
    let set = Set::new();
    let display = Display::start(320, 180).unwrap();
    let (dir, loaded) = (set.path().join("player"), set.path().join("icd.json"));
    Player::configure(&dir, set.cloud.url(), "fullscreen", "").unwrap();
    let mut command = Player::command(&dir);
    command
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("NOTIFY_SOCKET")
        .env("DISPLAY", display.name());
    command.env("WGPU_BACKEND", "vulkan").env("VK_DRIVER_FILES", &loaded);
    let player = Player::start_with(command, &dir).unwrap();
    set.approve(&player);
    set.tenant.play(&[set.still("green", GREEN)], "600s").unwrap();
    let middle = || picture::at(&display.picture().unwrap(), 0.5, 0.5);
    until("the card about the missing GPU", || {
        let seen = display.picture().unwrap();
        seen.pixels().any(|pixel| pixel.0.iter().all(|value| *value > 150)).then_some(())
    });
    player.until_status("the manifest is live", |s| s["manifest_version"].as_u64() > Some(1));
    assert!(!picture::near(middle(), GREEN, TOLERANCE), "the rig has another driver");
    fs::copy(driver(), &loaded).unwrap();
    until("its content is on the display", || {
        picture::near(middle(), GREEN, TOLERANCE).then_some(())
    });
}
