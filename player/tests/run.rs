//! `vitrine run`, from outside: a player with a screen but no cloud.
#![allow(clippy::expect_used, reason = "a test that cannot go on says so")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Manager, Reads, Running, finish, pid, vitrine};
use rustix::process::Signal;
use serde_json::Value;

/// A player in directories of its own.
struct Site {
    dir: tempfile::TempDir,
    config: PathBuf,
}

impl Site {
    fn new(output: &str) -> Site {
        let dir = tempfile::tempdir().expect("a directory");
        let config = dir.path().join("vitrine.toml");
        let site = Site { dir, config };
        site.configure(&format!("[screen]\noutput = {output:?}\n"));
        site
    }

    /// Saves the settings as editors do.
    fn configure(&self, text: &str) {
        let dir = self.dir.path().display();
        let part = self.config.with_extension("part");
        common::write(
            &part,
            &format!(
                "{text}\n[paths]\nstate_dir = \"{dir}/state\"\nruntime_dir = \"{dir}/run\"\n\
                 [log]\nformat = \"json\"\n"
            ),
        );
        std::fs::rename(part, &self.config).expect("renamed");
    }

    fn command(&self, action: &[&str]) -> Command {
        let mut command = vitrine();
        command.args(action).arg("--config").arg(&self.config);
        command
    }

    /// Starts the player and waits until it says that it is ready.
    fn start(&self, mark: &str) -> Running {
        let place = self.dir.path().join(mark);
        std::fs::create_dir(&place).expect("a directory");
        let manager = Manager::listen(&place);
        let mut command = self.command(&["run"]);
        command.env("NOTIFY_SOCKET", &manager.path);
        let player = Running::start(&mut command, Reads::Stderr, mark);
        manager.hear("READY=1");
        player
    }

    fn status(&self) -> Value {
        let output = finish(&mut self.command(&["status", "--json"]));
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn run_dir(&self, name: &str) -> PathBuf {
        self.dir.path().join("run").join(name)
    }
}

/// The process id in a log line about the stage.
fn stage_pid(line: &str) -> u32 {
    let line: Value = serde_json::from_str(line).expect("JSON");
    line["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("a pid")
}

fn lives(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

#[test]
fn it_answers_while_it_runs_and_stops_cleanly() {
    let site = Site::new("offscreen 64x36");
    let nobody = finish(&mut site.command(&["status"]));
    assert_eq!(nobody.status.code(), Some(4), "nobody is there yet: {nobody:?}");

    let mut player = site.start("answers");
    let status = site.status();
    assert_eq!(status["connection"], "off", "{status}");
    let text = finish(&mut site.command(&["status"]));
    assert!(String::from_utf8_lossy(&text.stdout).contains("cloud     off"), "{text:?}");

    let picture = site.dir.path().join("shot.png");
    let mut shot = site.command(&["screenshot"]);
    let output = finish(shot.arg("-o").arg(&picture));
    assert!(output.status.success(), "{output:?}");
    common::middle(std::fs::File::open(&picture).expect("a picture"));

    let next = finish(&mut site.command(&["next"]));
    assert_eq!(next.status.code(), Some(1), "there is nothing to skip to: {next:?}");
    assert!(finish(&mut site.command(&["sync", "now"])).status.success());

    let second = finish(&mut site.command(&["run"]));
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    assert!(String::from_utf8_lossy(&second.stderr).contains("another player"), "{second:?}");

    player.signal(Signal::TERM);
    assert!(player.wait().success());
    assert_eq!(player.left(), [0u32; 0], "processes left behind");
    assert!(!site.run_dir("control.sock").exists(), "the socket is removed");
}

#[test]
fn without_a_screen_it_is_ready_and_says_why_there_is_no_picture() {
    let site = Site::new("none");
    let mut player = site.start("none");
    assert_eq!(player.left().len(), 1, "no stage, no worker");
    let mut shot = site.command(&["screenshot"]);
    let output = finish(shot.args(["-o", "-"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no screen"), "{output:?}");
    player.signal(Signal::INT);
    assert!(player.wait().success());
}

#[test]
fn a_killed_stage_is_back_and_the_agent_goes_on() {
    let site = Site::new("offscreen 64x36");
    let mut player = site.start("stage-killed");
    let first = stage_pid(&player.line("the stage is up"));
    rustix::process::kill_process(pid(first), Signal::KILL).expect("it lives");
    let second = stage_pid(&player.line("the stage is up"));
    assert_ne!(first, second);
    assert!(!lives(first));
    let status = site.status();
    let troubles = status["troubles"].to_string();
    assert!(troubles.contains("signal 9"), "{troubles}");
    player.signal(Signal::TERM);
    assert!(player.wait().success());
    assert_eq!(player.left(), [0u32; 0], "processes left behind");
}

#[test]
fn a_killed_agent_leaves_the_picture_and_the_next_one_takes_it_up() {
    let site = Site::new("offscreen 64x36");
    let mut first = site.start("agent-killed");
    let stage = stage_pid(&first.line("the stage is up"));
    first.signal(Signal::KILL);
    first.wait();
    assert!(lives(stage), "the picture stays");
    let mut second = site.start("agent-next");
    assert_eq!(stage_pid(&second.line("taking up")), stage);
    assert_eq!(stage_pid(&second.line("the stage is up")), stage);
    second.signal(Signal::TERM);
    assert!(second.wait().success());
    assert_eq!(first.left(), [0u32; 0], "the second one ended the stage too");
}

#[test]
fn broken_settings_are_told_and_mended_ones_taken() {
    let site = Site::new("none");
    let mut player = site.start("settings");
    site.configure("[screen]\noutput = \"none\"\n[cloud]\npoll_s = 1\n");
    player.line("settings_wrong");
    let troubles = site.status()["troubles"].to_string();
    assert!(troubles.contains("cloud.poll_s"), "{troubles}");
    site.configure("[screen]\noutput = \"none\"\n[cloud]\npoll_s = 10\n");
    assert!(player.line("\"changed\"").contains("cloud.poll_s"));
    player.signal(Signal::HUP);
    player.line("reading the settings again");
    player.signal(Signal::TERM);
    assert!(player.wait().success());
}

#[test]
fn a_state_directory_that_cannot_be_used_leaves_screen_and_agent_up() {
    let site = Site::new("offscreen 64x36");
    common::write(&site.dir.path().join("state"), "a file where a directory should be");
    let mut player = site.start("no-state");
    let status = site.status();
    let troubles = status["troubles"].to_string();
    assert!(troubles.contains("sync_not_started"), "{status}");
    player.signal(Signal::TERM);
    assert!(player.wait().success());
    assert_eq!(player.left(), [0u32; 0], "processes left behind");
}
