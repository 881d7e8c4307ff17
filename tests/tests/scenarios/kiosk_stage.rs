//! Stages that somebody else starts, as the kiosk's service does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use vitrine_tests::patience::until;
use vitrine_tests::player::Player;
use vitrine_tests::process::{Process, binary, is_alive, kill};
use vitrine_tests::release::{Maker, OWN};

use crate::stage_set::{GREEN, RED, Set, until_colour};

/// As long as [`OWN`].
const OLDER: &str = "0.0.9";
const SIZE: &str = "320x180";

fn beside(mut command: Command, name: &str, dir: &Path) -> Process {
    command.env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY").env("XDG_RUNTIME_DIR", dir);
    Process::start(command, name, dir).unwrap()
}

/// A stage of `program` for the player in `dir`, started by nobody whom the player knows.
fn stage(program: &Path, dir: &Path, name: &str) -> Process {
    let mut command = Command::new(program);
    command.args(["stage", "--take-over", "--offscreen", SIZE, "--socket"]);
    command.arg(dir.join("run/stage.sock"));
    beside(command, name, dir)
}

/// What the kiosk's service runs in its compositor, with `program` as the package's.
fn service(program: &Path, dir: &Path) -> Process {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd/screen");
    let script = fs::read_to_string(script).unwrap();
    let starts = format!("'{}' stage --offscreen {SIZE}", program.display());
    assert!(script.contains("/usr/bin/vitrine stage"));
    let mine = dir.join("screen");
    put(&mine, script.replace("/usr/bin/vitrine stage", &starts).as_bytes());
    let mut command = Command::new(mine);
    command.arg(dir.join("run/stage.sock"));
    beside(command, "screen", dir)
}

/// As a package manager does: the file changes at once, and whoever runs the old one goes on with it.
fn put(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    let part = path.with_extension("part");
    let mut file = fs::File::create(&part).unwrap();
    file.write_all(bytes).unwrap();
    file.set_permissions(fs::Permissions::from_mode(0o755)).unwrap();
    drop(file);
    fs::rename(part, path).unwrap();
}

fn install(program: &Path, dir: &Path) -> PathBuf {
    let installed = dir.join("installed");
    put(&installed, &fs::read(program).unwrap());
    installed
}

fn player_dir(set: &Set, more: &str) -> PathBuf {
    let dir = set.path().join("player");
    Player::configure(&dir, set.cloud.url(), "external", more).unwrap();
    fs::create_dir_all(dir.join("run")).unwrap();
    dir
}

fn paired(set: &Set, dir: &Path) -> Player {
    let player = Player::start(dir, None).unwrap();
    set.approve(&player);
    player.until_status("paired", |status| status["tenant"] == "acme");
    set.tenant.play(&[set.still("red", RED)], "600s").unwrap();
    until_colour(&player, RED);
    player
}

/// What the cloud knows once everything that has happened until now is there: records go up in order.
fn faults(set: &Set, code: &str) -> usize {
    let made = set.tenant.operator_json(&["order", &set.device(), "identify"]).unwrap();
    until("the order is done", || {
        let results = set.records("order_result");
        results.into_iter().find(|result| result["order"] == made["order"])
    });
    set.records("fault").iter().filter(|fault| fault["code"] == code).count()
}

/// Until one stage is there, and it is none of `before`.
#[track_caller]
fn until_renewed(service: &Process, before: &[u32]) -> u32 {
    until("one stage is there, a new one", || match service.family_with(" stage")[..] {
        [stage] if !before.contains(&stage) => Some(stage),
        _ => None,
    })
}

#[test]
fn a_stage_relieved_by_another_has_not_died_and_a_killed_one_has() {
    let set = Set::new();
    let dir = player_dir(&set, "");
    let mut old = stage(&binary("vitrine"), &dir, "old");
    let player = paired(&set, &dir);
    let new = stage(&binary("vitrine"), &dir, "new");
    old.ended(Duration::from_secs(60)).expect("it is relieved");
    set.tenant.play(&[set.still("green", GREEN)], "600s").unwrap();
    until_colour(&player, GREEN);
    assert_eq!(faults(&set, "stage_died"), 0, "it was relieved");
    kill(new.pid(), Signal::KILL);
    until("the cloud hears of the death", || (faults(&set, "stage_died") == 1).then_some(()));
}

/// Each took the link from the other for ever.
#[test]
fn of_two_stages_that_do_not_know_of_each_other_the_later_one_has_the_link_for_good() {
    let set = Set::new();
    let dir = player_dir(&set, "");
    let mut first = stage(&binary("vitrine"), &dir, "first");
    let player = paired(&set, &dir);
    // As when somebody has emptied the directory: nothing says any more that one is there.
    fs::remove_file(dir.join("run/stage.lock")).unwrap();
    let second = stage(&binary("vitrine"), &dir, "second");
    first.ended(Duration::from_secs(60)).expect("it is told to end");
    let word = format!("another stage, process {}, has taken its place", second.pid());
    assert!(first.log().contains(&word), "{}", first.log());
    set.tenant.play(&[set.still("green", GREEN)], "600s").unwrap();
    until_colour(&player, GREEN);
    assert_eq!(second.family_with(" stage"), [second.pid()], "it stays");
    assert_eq!(faults(&set, "stage_died"), 0, "it was relieved");
}

#[test]
fn of_stages_that_take_over_at_once_one_is_left() {
    let set = Set::new();
    let dir = player_dir(&set, "");
    let old = stage(&binary("vitrine"), &dir, "old");
    let player = paired(&set, &dir);
    let new = ["second", "third", "fourth"].map(|name| stage(&binary("vitrine"), &dir, name));
    let all: Vec<_> = new.iter().chain([&old]).map(Process::pid).collect();
    let left = || all.iter().filter(|pid| is_alive(**pid)).count();
    until("one is left", || (left() == 1).then_some(()));
    set.tenant.play(&[set.still("green", GREEN)], "600s").unwrap();
    until_colour(&player, GREEN);
    assert_eq!(left(), 1);
    assert!(!is_alive(old.pid()));
}

#[test]
fn an_upgraded_package_has_its_service_renew_the_stage_and_reloads_end_in_one() {
    let set = Set::new();
    let dir = player_dir(&set, "");
    let older = Maker::new(set.path()).unwrap().build(OLDER).unwrap();
    let installed = install(&older, &dir);
    let service = service(&installed, &dir);
    let old = until_renewed(&service, &[]);
    until("it has its place", || fs::read_to_string(dir.join("run/stage.lock")).ok());
    put(&installed, &fs::read(binary("vitrine")).unwrap());

    let player = paired(&set, &dir);
    let first = until_renewed(&service, &[old]);
    // The package asks, too, and at no good time.
    service.signal(Signal::HUP);
    let second = until("a new one is on its way", || {
        service.family_with(" stage").into_iter().find(|stage| *stage != first)
    });
    service.signal(Signal::HUP);
    until_renewed(&service, &[first, second]);
    set.tenant.play(&[set.still("green", GREEN)], "600s").unwrap();
    until_colour(&player, GREEN);
    assert_eq!(faults(&set, "stage_died"), 0);
    let stage = player.status().unwrap()["stage"].to_string();
    assert!(!stage.contains("release"), "{stage}");
}

#[test]
fn an_older_stage_that_nobody_can_be_asked_to_renew_keeps_its_picture_and_is_told() {
    let set = Set::new();
    let dir = player_dir(&set, "");
    let older = Maker::new(set.path()).unwrap().build(OLDER).unwrap();
    let old = stage(&older, &dir, "old");
    let player = paired(&set, &dir);
    let told =
        format!("the stage is still that of release {OLDER}: process {} (", std::process::id());
    player.until_status("it says so", |status| {
        status["stage"].as_str().is_some_and(|text| text.contains(&told))
    });
    set.tenant.play(&[set.still("green", GREEN)], "600s").unwrap();
    until_colour(&player, GREEN);
    assert_eq!(old.family_with(" stage"), [old.pid()], "the same one");
    assert_eq!((faults(&set, "stage_outdated"), faults(&set, "stage_died")), (1, 0));

    let new = stage(&binary("vitrine"), &dir, "new");
    until_renewed(&new, &[]);
    player.until_status("all is well", |status| {
        status["stage"].as_str().is_some_and(|text| !text.contains("release"))
    });
}

/// The new version can show nothing on a stage of its own, through no fault of its own; on the old one
/// it must not be believed.
#[test]
fn a_version_on_trial_whose_stage_nobody_starts_goes_back_and_may_be_tried_again() {
    let set = Set::new();
    let maker = Maker::new(set.path()).unwrap();
    let update =
        format!("[update]\nkey = {:?}\npresent_within_s = 10\ntrial_s = 5\n", maker.public);
    let dir = player_dir(&set, &update);
    let old = stage(&binary("vitrine"), &dir, "old");
    let player = paired(&set, &dir);
    maker.publish(&set.cloud, "0.2.0", &maker.build("0.2.0").unwrap()).unwrap();
    for time in 1..=3 {
        assert!(player.ask(&["update", "now"]).unwrap().status.success(), "time {time}");
        until("it is told what came of it", || {
            let told = set.records("fault");
            let told = told.iter().filter(|fault| fault["code"] == "update_refused");
            (told.count() == time).then_some(())
        });
        let back = player.until_status("the old one is back", |status| status["release"] == OWN);
        let refused = back["update"]["refused"].as_array().unwrap().len();
        assert_eq!(refused, usize::from(time == 3), "time {time}: {}", back["update"]);
        until_colour(&player, RED);
        assert_eq!(old.family_with(" stage"), [old.pid()], "the picture stands");
    }
    assert!(!player.ask(&["update", "now"]).unwrap().status.success(), "often enough");
}
