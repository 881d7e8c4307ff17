//! The player is followed by another version of itself: good ones stay, bad ones are gone again, and
//! the picture stands all the while.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use vitrine_tests::display::Display;
use vitrine_tests::patience::{until, wait_for};
use vitrine_tests::picture;
use vitrine_tests::player::Player;
use vitrine_tests::process::kill;
use vitrine_tests::release::{Maker, OWN};

use crate::stage_set::{GREEN, RED, SCREEN, Set, TOLERANCE, until_colour};

/// A cloud, a maker of releases, a paired player that shows red.
struct Show {
    player: Player,
    maker: Maker,
    set: Set,
}

/// How long a version has, in seconds.
struct Limits {
    present_within_s: u32,
    trial_s: u32,
}

const PATIENT: Limits = Limits { present_within_s: 60, trial_s: 5 };

impl Show {
    fn new(limits: &Limits, display: Option<&Display>) -> Show {
        let set = Set::new();
        let maker = Maker::new(set.path()).unwrap();
        let dir = set.path().join("player");
        let Limits { present_within_s, trial_s } = limits;
        let update = format!(
            "[update]\nkey = {:?}\npresent_within_s = {present_within_s}\ntrial_s = {trial_s}\n",
            maker.public
        );
        let screen = if display.is_some() { "fullscreen" } else { SCREEN };
        Player::configure(&dir, set.cloud.url(), screen, &update).unwrap();
        let player = start(&dir, display);
        set.approve(&player);
        player.until_status("paired", |status| status["tenant"] == "acme");
        set.tenant.play(&[set.still("red", RED)], "600s").unwrap();
        until_colour(&player, RED);
        Show { player, maker, set }
    }

    fn offer(&self, version: &str, program: &std::path::Path) {
        self.maker.publish(&self.set.cloud, version, program).unwrap();
    }

    /// `vitrine update WORD`: what it said, and whether it went well.
    fn update(&self, word: &str) -> (String, bool) {
        let said = self.player.ask(&["update", word]).unwrap();
        let text = [said.stdout, said.stderr].concat();
        (String::from_utf8_lossy(&text).into_owned(), said.status.success())
    }

    fn until_refused(&self, version: &str) -> String {
        self.until_refused_by(version, OWN)
    }

    /// Until `running` runs and says why it is not `version`.
    fn until_refused_by(&self, version: &str, running: &str) -> String {
        let reason = |status: &Value| {
            let refused = status["update"]["refused"].as_array()?;
            let texts = refused.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).find(|text| text.starts_with(version))
        };
        let wait = Duration::from_secs(120);
        let found = wait_for(wait, || {
            self.player.status().filter(|s| s["release"] == running).and_then(|s| reason(&s))
        });
        found.unwrap_or_else(|| panic!("{version} was not refused"))
    }

    fn until_proved(&self, version: &str) {
        until_proved(&self.player, version);
    }

    /// Starts the player again, as the service manager does when it has ended.
    fn start_again(&mut self) {
        self.player.process().ended(Duration::from_secs(60)).expect("it ends");
        for pid in self.player.process().family() {
            kill(pid, Signal::KILL);
        }
        let dir = self.player.dir().to_owned();
        self.player = start(&dir, None);
    }

    fn state_file(&self) -> PathBuf {
        self.player.dir().join("state/releases/state.json")
    }
}

/// Runs the real program until it shows something, then does `what` to it.
fn until_shown(real: &str, what: &str) -> String {
    format!(
        "'{real}' \"$@\" & pid=$!\n\
         until '{real}' status --json --config \"$3\" | grep -q '\"since\": \"'; do sleep 0.2; done\n\
         {what}; wait $pid; exit 1"
    )
}

fn start(dir: &std::path::Path, display: Option<&Display>) -> Player {
    let mut command = Player::command(dir);
    command.env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY").env_remove("NOTIFY_SOCKET");
    if let Some(display) = display {
        command.env("DISPLAY", display.name());
    }
    // As systemd says `WatchdogSec=8`.
    command.env("WATCHDOG_USEC", "8000000");
    Player::start_with(command, dir).unwrap()
}

#[track_caller]
fn until_proved(player: &Player, version: &str) {
    let wait = Duration::from_secs(90);
    let proved =
        |status: &Value| status["release"] == version && status["update"]["current"] == version;
    let found = wait_for(wait, || player.status().filter(proved));
    assert!(found.is_some(), "{version} has not proved itself: {:?}", player.status());
}

/// Looks at the display all the time, until it is dropped; then says how often it was not red.
struct Watch {
    over: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<(u32, u32)>,
}

impl Watch {
    fn start(display: Arc<Display>) -> Watch {
        let over = Arc::new(AtomicBool::new(false));
        let end = over.clone();
        let look = move || {
            let (mut looks, mut wrong) = (0, 0);
            while !end.load(Ordering::SeqCst) {
                let seen = display.picture().unwrap();
                let red = [0.1, 0.5, 0.9]
                    .iter()
                    .all(|at| picture::near(picture::at(&seen, *at, 0.5), RED, TOLERANCE));
                (looks, wrong) = (looks + 1, wrong + u32::from(!red));
            }
            (looks, wrong)
        };
        let thread = std::thread::Builder::new().name("watch".into()).spawn(look).unwrap();
        Watch { over, thread }
    }

    fn end(self) -> (u32, u32) {
        self.over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

#[test]
fn a_good_version_takes_over_and_the_picture_stands() {
    let display = Arc::new(Display::start(320, 180).unwrap());
    let mut show = Show::new(&PATIENT, Some(&display));
    let (said, well) = show.update("check");
    assert!(!well && said.contains("no releases"), "{said}");
    show.offer("0.2.0", &show.maker.build("0.2.0").unwrap());
    let (said, well) = show.update("check");
    assert!(well && said.contains("0.2.0 is there"), "{said}");
    let before = show.player.process().family_with(" stage");

    let watch = Watch::start(display.clone());
    show.set.tenant.operator(&["order", "lobby", "update"]).unwrap();
    show.until_proved("0.2.0");
    let (looks, wrong) = watch.end();
    assert!(looks > 50 && wrong == 0, "{wrong} of {looks} looks were not red");
    let after = show.player.process().family_with(" stage");
    assert!(after.len() == 1 && after != before, "the stage is the old one: {before:?} {after:?}");
    until("the order and the outcome are told", || {
        let done = show.set.records("order_result");
        let told = show.set.records("fault");
        let updated = told.iter().any(|fault| fault["code"] == "updated");
        (updated && done.first()?["done"] == true).then_some(())
    });

    // The next start goes straight to it.
    show.player.process().signal(Signal::TERM);
    show.player.process().ended(Duration::from_secs(10)).expect("it stops");
    let dir = show.player.dir().to_owned();
    show.player = start(&dir, Some(&display));
    until_colour(&show.player, RED);
    assert_eq!(show.player.status().unwrap()["release"], "0.2.0");
    assert_eq!(show.player.process().family_with(" run ").len(), 1, "a guardian without a ward");

    let watch = Watch::start(display.clone());
    assert!(show.update("rollback").1);
    show.player.until_status("the package runs", |status| {
        status["release"] == OWN && status["showing"][0]["since"].is_string()
    });
    let (looks, wrong) = watch.end();
    assert_eq!(wrong, 0, "of {looks}");
    let (said, well) = show.update("now");
    assert!(!well && said.contains("held until"), "{said}");
}

/// Whether the system says that the process is stopped (proc(5)).
fn is_frozen(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

#[test]
fn a_new_stage_that_dies_in_the_old_ones_place_leaves_the_picture_there() {
    let display = Arc::new(Display::start(320, 180).unwrap());
    let mut show = Show::new(&PATIENT, Some(&display));
    let old = show.player.process().family_with(" stage");
    show.offer("0.2.0", &show.maker.build("0.2.0").unwrap());
    let watch = Watch::start(display.clone());
    assert!(show.update("now").1);
    until("the old stage is frozen", || old.iter().all(|pid| is_frozen(*pid)).then_some(()));
    for heir in show.player.process().family_with("--take-over") {
        kill(heir, Signal::KILL);
    }
    // Awake again, it is followed by another try.
    show.until_proved("0.2.0");
    let (looks, wrong) = watch.end();
    assert!(looks > 50 && wrong == 0, "{wrong} of {looks} looks were not red");
    let after = show.player.process().family_with(" stage");
    assert!(after.len() == 1 && after != old, "{old:?} {after:?}");
}

#[test]
fn bad_versions_are_gone_again_and_never_tried_twice() {
    let limits = Limits { present_within_s: 15, trial_s: 30 };
    let show = Show::new(&limits, None);
    let maker = &show.maker;
    let real = maker.build("0.9.0").unwrap();
    let real = real.to_string_lossy();
    let mut foreign = std::fs::read(&*real).unwrap();
    // `e_machine` of the ELF header: 0xf3 is RISC-V.
    foreign[18] = 0xf3;
    // Alive and busy, where no stage finds it.
    let elsewhere = show.set.path().join("elsewhere");
    let nowhere =
        format!("-o screen.output=external -o 'paths.runtime_dir={}'", elsewhere.display());
    let script = |version: &str, what: &str| maker.script(version, what).unwrap();
    for (case, version, program, want) in [
        ("no program", "0.2.0", maker.file("junk", b"junk").unwrap(), "cannot be started"),
        (
            "another machine's",
            "0.2.1",
            maker.file("foreign", &foreign).unwrap(),
            "cannot be started",
        ),
        ("another version", "0.2.2", maker.build("0.1.9").unwrap(), "calls itself 0.1.9"),
        ("crashes", "0.3.0", script("0.3.0", "kill -SEGV $$"), "ended 3 times"),
        ("hangs", "0.4.0", script("0.4.0", "exec sleep 600"), "no sign of life"),
        (
            "shows nothing",
            "0.5.0",
            script("0.5.0", &format!("exec '{real}' \"$@\" {nowhere}")),
            "no content within 15 s",
        ),
        (
            "shows, then dies",
            "0.6.0",
            script("0.6.0", &until_shown(&real, "kill -9 $pid")),
            "ended 3 times",
        ),
        (
            "shows, then hangs",
            "0.7.0",
            script("0.7.0", &until_shown(&real, "kill -STOP $pid")),
            "no sign of life",
        ),
    ] {
        show.offer(version, &program);
        assert!(show.update("now").1, "case {case:?}");
        let why = show.until_refused(version);
        assert!(why.contains(want), "case {case:?}: {why}");
        until_colour(&show.player, RED);
        let (said, well) = show.update("now");
        assert!(!well && said.contains("held until"), "case {case:?}: {said}");
    }
    until("every refusal is told", || {
        let faults = show.set.records("fault");
        (faults.iter().filter(|fault| fault["code"] == "update_refused").count() == 8).then_some(())
    });
    // The rig can do it: the same program without the faults stays.
    show.offer("0.9.0", std::path::Path::new(&*real));
    assert!(show.update("now").1);
    show.until_proved("0.9.0");
}

/// A version that behaves while it is on trial and dies of what it shows later.
#[test]
fn one_that_falls_apart_later_is_sent_back_by_itself() {
    let mut show = Show::new(&PATIENT, None);
    show.offer("0.2.0", &show.maker.build("0.2.0").unwrap());
    assert!(show.update("now").1);
    show.until_proved("0.2.0");
    // Neither stops in good order nor two deaths send one back.
    for signal in [Signal::TERM, Signal::KILL, Signal::TERM, Signal::KILL, Signal::TERM] {
        show.player.process().signal(signal);
        show.start_again();
        until_colour(&show.player, RED);
        assert_eq!(show.player.status().unwrap()["release"], "0.2.0");
    }

    let real = show.maker.build("0.3.0").unwrap();
    let real = real.to_string_lossy();
    let on_trial = format!("[ -z \"$VITRINE_ON_TRIAL\" ] || exec '{real}' \"$@\"\n");
    let dies = on_trial + &until_shown(&real, "kill -9 $pid");
    show.offer("0.3.0", &show.maker.script("0.3.0", &dies).unwrap());
    assert!(show.update("now").1);
    show.until_proved("0.3.0");
    show.player.process().signal(Signal::TERM);
    show.start_again();
    for _ in 0..3 {
        show.player.process().ended(Duration::from_secs(60)).expect("it dies");
        assert_eq!(show.player.process().family_with(" stage").len(), 1, "the picture stands");
        show.start_again();
    }
    let why = show.until_refused_by("0.3.0", "0.2.0");
    assert!(why.contains("died 3 times"), "{why}");
    until_colour(&show.player, RED);
    let (said, well) = show.update("now");
    assert!(!well && said.contains("held until"), "{said}");
    until("it is told", || {
        let refused = |fault: &Value| fault["code"] == "update_refused";
        show.set.records("fault").iter().any(refused).then_some(())
    });
}

#[test]
fn only_what_its_maker_signed_is_fetched_and_only_what_is_whole_is_tried() {
    let show = Show::new(&PATIENT, None);
    let cloud = &show.set.cloud;
    let program = show.maker.build("0.2.0").unwrap();
    let index = cloud.data().join("releases/index.json");
    let refused = |case: &str, want: &str| {
        let (said, well) = show.update("now");
        assert!(!well && said.contains(want), "case {case:?}: {said}");
    };
    show.offer("0.1.9", &program);
    let older = std::fs::read(&index).unwrap();

    let key = show.maker.key().to_string_lossy();
    let program_text = program.to_string_lossy();
    let foreign = ["add", "0.8.0", &program_text, "--arch", "riscv64", "--key", &key];
    show.maker.release(cloud, &foreign).unwrap();
    show.maker.release(cloud, &["remove", "0.1.9", "--key", &key]).unwrap();
    refused("another machine's", &format!("{OWN} is the newest"));
    put(&index, &older);
    refused("rollback", "versions only rise");

    let other = Maker::new(&show.set.path().join("other")).unwrap();
    std::fs::remove_file(&index).unwrap();
    other.publish(cloud, "0.3.0", &program).unwrap();
    refused("another maker", "want the pinned key");

    std::fs::remove_file(&index).unwrap();
    let held = ["add", "0.2.0", &program_text, "--rollout", "0", "--key", &key];
    for _ in 0..4 {
        show.maker.release(cloud, &held).unwrap();
    }
    refused("not for this device", "0 % of devices");
    let needs = ["add", "0.2.0", &program_text, "--min-package", "0.1.1", "--key", &key];
    show.maker.release(cloud, &needs).unwrap();
    refused("package too old", "wants the package 0.1.1");

    show.maker.release(cloud, &["add", "0.2.0", &program_text, "--key", &key]).unwrap();
    let mut files = std::fs::read_dir(cloud.data().join("releases")).unwrap().flatten();
    let file = files.find(|entry| entry.file_name().len() == 64).unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    put(&file, &damaged);
    assert!(show.update("now").1);
    until("the damage is told", || {
        let faults = show.set.records("fault");
        faults.iter().any(|fault| fault["code"] == "update_not_fetched").then_some(())
    });
    assert!(!show.state_file().exists(), "something was tried");
    put(&file, &whole);
    show.until_proved("0.2.0");
    until_colour(&show.player, RED);
}

/// The plug is pulled in every state that the disk can be in; each time the player comes back with
/// its content, and in the end the new version runs.
#[test]
fn a_power_cut_at_any_step_leads_on_or_back() {
    let mut show = Show::new(&Limits { present_within_s: 60, trial_s: 10 }, None);
    show.offer("0.2.0", &show.maker.build("0.2.0").unwrap());
    let parts = show.player.dir().join("state/releases/parts");
    let state = show.state_file();
    let remembers = |what: &str| std::fs::read_to_string(&state).unwrap_or_default().contains(what);
    let part = || std::fs::read_dir(&parts).is_ok_and(|mut all| all.next().is_some());
    for (case, reached) in [
        ("the file is half here", &part as &dyn Fn() -> bool),
        ("the trial is noted", &|| remembers("\"trial\": {")),
        ("it is about to be started", &|| remembers("\"starts\": ")),
        ("it has proved itself", &|| remembers("\"trial\": null")),
    ] {
        // What an order or a person wanted is not remembered; the file is.
        show.update("now");
        until(case, || reached().then_some(()));
        for pid in show.player.process().family() {
            kill(pid, Signal::KILL);
        }
        let dir = show.player.dir().to_owned();
        show.player = start(&dir, None);
        until_colour(&show.player, RED);
    }
    show.until_proved("0.2.0");
    show.set.tenant.play(&[show.set.still("green", GREEN)], "600s").unwrap();
    until_colour(&show.player, GREEN);
}

fn put(path: &std::path::Path, bytes: &[u8]) {
    let mut file = std::fs::File::create(path).unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
}
