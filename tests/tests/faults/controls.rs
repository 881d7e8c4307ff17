//! What the oracle must find. Without these, its silence would mean nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use vitrine_tests::oracle::Disk;
use vitrine_tests::player::Player;
use vitrine_tests::strace::{self, Fault};

use crate::acts::{LAST, World, sync};
use crate::rig::{Act, Run, Said, copy, kill};

/// Lets a run come to its end, then does what no crash may do to its disk.
fn after_damage(act: &Act, name: &str, damage: impl Fn(&Path)) -> Result<(), String> {
    let run = act.run(name);
    let mut player = Player::start(run.dir(), None).unwrap();
    assert!(run.play_well(&mut player), "{name}: no good run to begin with");
    kill(&mut player);
    damage(&run.dir().join("state"));
    run.judge(&Said::up_to(LAST)).map(drop)
}

/// The largest file of the cache under its final name.
fn a_file(state: &Path) -> PathBuf {
    let disk = Disk::read(state).unwrap();
    let name = disk.needs.first().unwrap().to_string();
    state.join("assets").join(&name[..2]).join(name)
}

#[test]
fn the_oracle_finds_each_damage() {
    let world = World::new();
    let act = sync(&world);
    let golden = act.golden.clone().unwrap();
    let nothing = after_damage(&act, "nothing", |_| ());
    assert_eq!(nothing, Ok(()), "finds fault with a good run");

    type Damage<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Damage<'_>, &str); 5] = [
        (
            "half a file",
            &|state| {
                let file = a_file(state);
                fs::remove_file(&file).unwrap();
                fs::copy(state.join("device.key"), file).map(drop).unwrap();
            },
            "has the digest",
        ),
        ("a lost file", &|state| fs::remove_file(a_file(state)).unwrap(), "live without"),
        (
            "an older store",
            &|state| {
                for name in ["store.db", "store.db-wal", "store.db-shm", "generations"] {
                    let (old, new) = (golden.join(name), state.join(name));
                    let _ = fs::remove_file(&new);
                    let _ = fs::remove_dir_all(&new);
                    if old.exists() {
                        copy(&old, &new);
                    }
                }
            },
            "live is 5, was 6",
        ),
        (
            "another key",
            &|state| {
                let key = state.join("device.key");
                fs::remove_file(&key).unwrap();
                File::create(&key).map(drop).unwrap();
            },
            "key was replaced",
        ),
        (
            "half a store",
            &|state| {
                let store = File::options().write(true).open(state.join("store.db")).unwrap();
                store.set_len(5_000).unwrap();
                let _ = fs::remove_file(state.join("store.db-wal"));
            },
            "live is 0, was 6",
        ),
    ];
    for (case, damage, wanted) in cases {
        let found = after_damage(&act, case, damage).expect_err(case);
        assert!(found.contains(wanted), "{case}: {found}");
    }
}

/// A record that was kept and then forgotten is missed in the cloud.
#[test]
fn a_lost_record_is_missed() {
    let world = World::new();
    let act = sync(&world);
    let run: Run<'_> = act.run("forgetful");
    let store = Connection::open(run.dir().join("state/store.db")).unwrap();
    store.execute("DELETE FROM record", ()).unwrap();
    drop(store);
    let owed = run.judge(&Said::up_to(0)).unwrap();
    assert!(!owed.is_subset(&world.records()), "{owed:?}");
}

/// A disk that says that it has given a download its name, and has not: the player believes it and
/// goes live without the file, which is what a wrong order of steps looks like.
#[test]
fn a_rename_that_did_not_happen_is_found() {
    let world = World::new();
    let act = sync(&world);
    let calls = act.calls();
    let rename = calls
        .iter()
        .find(|c| c.name == "rename" && c.path.extension().is_some_and(|e| e == "part"));
    let run = act.run("liar");
    let log = run.log();
    let command = Player::command(run.dir());
    let command = strace::faulty(&command, rename.unwrap(), Fault::Lies, run.dir(), &log);
    let mut player = Player::start_with(command, run.dir()).unwrap();
    run.play_well(&mut player);
    kill(&mut player);
    assert!(strace::struck(&log));
    let found = run.judge(&Said::up_to(LAST)).expect_err("a lie passes");
    assert!(found.contains("live without"), "{found}");
}
