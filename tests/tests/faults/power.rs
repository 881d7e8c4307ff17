//! The plug is pulled while the player syncs onto a real file system.

use std::path::{Path, PathBuf};
use std::thread::park_timeout;
use std::time::Duration;

use serde_json::Value;
use vitrine_tests::oracle;
use vitrine_tests::patience::wait_for;
use vitrine_tests::player::{Player, tell};
use vitrine_tests::plug::Disk;
use vitrine_tests::strace;

use crate::acts::{World, live};
use crate::rig::{PATIENCE, is_long, is_volatile, kill};

const SETTINGS: &str = "[cache]\nsize_mb = 64\nreserve_mb = 16\n";
/// A sync onto such a disk takes about half of it.
const LONGEST_MS: u64 = 800;
/// An own fsync is on the medium at once; what is not synced stays in memory for 5 s.
const CUTS: u64 = 12;

/// A paired player whose state is on that disk; its settings and its log are elsewhere.
fn player_on(disk: &Disk, world: &World) -> (PathBuf, Player) {
    let dir = world.dir.path().join("player");
    Player::configure(&dir, world.cloud.url(), "none", SETTINGS).unwrap();
    let state = disk.path().join("state");
    std::fs::create_dir(&state).unwrap();
    std::os::unix::fs::symlink(state, dir.join("state")).unwrap();
    let player = Player::start(&dir, None).unwrap();
    world.approve(&player);
    player.until_status("it is paired", |status| status["tenant"].is_string());
    disk.flush().unwrap();
    (dir, player)
}

/// A disk to cut off, or a clear word why there is none.
fn disk(dir: &Path) -> Option<Disk> {
    Disk::new(dir).map_err(|why| tell(&format!("SKIPPED, no power cuts here: {why}"))).ok()
}

/// Plays a round: something new is published, and the plug is pulled `after` so long or, without,
/// as soon as the player says that it is live. Returns the version that it called live last.
fn round(world: &World, player: &mut Player, disk: &Disk, n: u64, after: Option<Duration>) -> u64 {
    let files = [world.picture(&format!("a{n}"), 300_000), world.picture(&format!("b{n}"), 5_000)];
    world.tenant.play(&files, "1s").unwrap();
    match after {
        Some(pause) => park_timeout(pause),
        None => drop(player.until_status("it is live", |status| live(status) >= n)),
    }
    let said = player.glance().map_or(0, |status| live(&status));
    disk.cut().unwrap();
    kill(player);
    disk.restore().unwrap();
    said
}

/// Moments that look random and are the same in every run.
fn moment(n: u64) -> Option<Duration> {
    let mixed = (n + 7).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    (!n.is_multiple_of(3)).then(|| Duration::from_millis(mixed % LONGEST_MS))
}

#[test]
fn what_the_player_said_is_there_after_each_power_cut() {
    let world = World::new();
    let Some(disk) = disk(world.dir.path()) else { return };
    let (dir, mut player) = player_on(&disk, &world);
    let mut before = oracle::Disk::default();
    let cuts = if is_long() { CUTS * 10 } else { CUTS };
    for n in 1..=cuts {
        let said = round(&world, &mut player, &disk, n, moment(n));
        let after = oracle::Disk::read(&dir.join("state")).unwrap();
        after.keeps_promises(&before, said).unwrap_or_else(|fault| panic!("cut {n}: {fault}"));
        player = Player::start(&dir, None).unwrap();
        player.until_status("it catches up", |status| live(status) >= n);
        before = after;
    }
    tell(&format!("{cuts} power cuts, {} generations", before.live));
    drop(player);
}

/// A card that is worn out lets nobody write any more: what is live plays on, also after a start, and
/// with a card that can be written all goes on.
#[test]
fn a_disk_that_becomes_read_only_costs_nothing_but_what_is_new() {
    let world = World::new();
    let Some(disk) = disk(world.dir.path()) else { return };
    let (dir, mut player) = player_on(&disk, &world);
    let said = round(&world, &mut player, &disk, 1, None);
    assert_eq!(said, 1);
    let before = oracle::Disk::read(&dir.join("state")).unwrap();

    player = Player::start(&dir, None).unwrap();
    player.until_status("it plays", |status| live(status) == 1);
    if let Err(why) = disk.wear_out() {
        return tell(&format!("SKIPPED, no disk wears out here: {why}"));
    }
    world.tenant.play(&[world.picture("late", 300_000)], "1s").unwrap();
    player.until_status("it says so, and plays on", volatile_with_the_first);
    // Not to the one before the screen: nobody is there.
    let heard = || world.faults().contains("store_volatile").then_some(());
    wait_for(PATIENCE, heard).expect("the cloud hears of it");
    kill(&mut player);

    disk.restore_read_only().unwrap();
    player = Player::start(&dir, None).unwrap();
    player.until_status("it plays all the same", volatile_with_the_first);
    kill(&mut player);

    disk.restore().unwrap();
    let after = oracle::Disk::read(&dir.join("state")).unwrap();
    assert_eq!(after.keeps_promises(&before, 1), Ok(()));
    player = Player::start(&dir, None).unwrap();
    player.until_status("it catches up", |status| live(status) > 1);
}

fn volatile_with_the_first(status: &Value) -> bool {
    live(status) == 1 && is_volatile(status)
}

/// A player whose disk says that it has written, and has not: the first cut must show it.
#[test]
fn a_player_that_does_not_flush_is_found() {
    let world = World::new();
    let Some(disk) = disk(world.dir.path()) else { return };
    let (dir, mut player) = player_on(&disk, &world);
    let said = round(&world, &mut player, &disk, 1, None);
    let before = oracle::Disk::read(&dir.join("state")).unwrap();
    assert_eq!(before.keeps_promises(&oracle::Disk::default(), said), Ok(()));

    let log = world.dir.path().join("strace");
    let command = strace::lied_to(&Player::command(&dir), "fsync,fdatasync", &log);
    let mut player = Player::start_with(command, &dir).unwrap();
    let said = round(&world, &mut player, &disk, 2, None);
    assert!(strace::struck(&log));
    let found = oracle::Disk::read(&dir.join("state"))
        .and_then(|after| after.keeps_promises(&before, said))
        .expect_err("lost nothing");
    tell(&format!("without a flush: {found}"));
}
