//! The agent needs no display.

use vitrine_tests::patience::until;

use crate::stage_set::{GREEN, Set};

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
