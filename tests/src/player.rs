//! The player as a process, asked through its own command line.

use std::fs;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use image::RgbImage;
use serde_json::Value;

use crate::patience::until;
use crate::process::{Process, binary};

/// A player with its folders below one directory.
pub struct Player {
    process: Process,
    dir: PathBuf,
}

impl Player {
    /// Writes `<dir>/vitrine.toml`: `screen` is the value of `screen.output`, `cloud_url` where to
    /// sync from, `more` further TOML.
    pub fn configure(dir: &Path, cloud_url: &str, screen: &str, more: &str) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        let (state, runtime) = (dir.join("state"), dir.join("run"));
        let text = format!(
            "[cloud]\nurl = {cloud_url:?}\npoll_s = 5\nfirst_contact_spread_s = 0\n\
             [paths]\nstate_dir = {state:?}\nruntime_dir = {runtime:?}\n\
             [screen]\noutput = {screen:?}\n{more}"
        );
        let part = dir.join("vitrine.toml.part");
        File::write(&part, &text)?;
        fs::rename(part, dir.join("vitrine.toml"))
    }

    /// Starts `vitrine run` with `<dir>/vitrine.toml`, on `display` if there is one.
    pub fn start(dir: &Path, display: Option<&str>) -> io::Result<Player> {
        let mut command = Player::command(dir);
        command.env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY").env_remove("NOTIFY_SOCKET");
        if let Some(display) = display {
            command.env("DISPLAY", display);
        }
        Player::start_with(command, dir)
    }

    /// The command of [`Player::start`], in the environment of the caller.
    pub fn command(dir: &Path) -> Command {
        let mut command = Command::new(binary("vitrine"));
        command.args(["run", "--config"]).arg(dir.join("vitrine.toml"));
        command
    }

    /// Starts what [`Player::command`] gave.
    pub fn start_with(command: Command, dir: &Path) -> io::Result<Player> {
        let process = Process::start(command, "player", dir)?;
        Ok(Player { process, dir: dir.to_owned() })
    }

    /// Its processes, those of stage and workers among them.
    pub fn pids(&self) -> Vec<u32> {
        self.process.family()
    }

    /// Its process; the family has stage and workers.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Whether its log has `text`.
    pub fn heard(&self, text: &str) -> bool {
        self.process.log().contains(text)
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs `vitrine ARGS --config …` beside it.
    pub fn ask(&self, args: &[&str]) -> io::Result<Output> {
        let config = self.dir.join("vitrine.toml");
        Command::new(binary("vitrine")).args(args).arg("--config").arg(config).output()
    }

    /// `vitrine status --json`; None while it does not answer.
    pub fn status(&self) -> Option<Value> {
        let said = self.ask(&["status", "--json"]).ok()?;
        serde_json::from_slice(&said.stdout).ok()
    }

    /// The same by its socket, without a process: for those who look often.
    pub fn glance(&self) -> Option<Value> {
        let mut socket = UnixStream::connect(self.dir.join("run/control.sock")).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        socket.write_all(b"{\"command\":\"status\"}\n").ok()?;
        let answer: Value = serde_json::from_reader(socket).ok()?;
        answer.get("status").cloned()
    }

    /// Waits until `what` holds of the status.
    #[track_caller]
    pub fn until_status(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        until(what, || self.glance().filter(|status| holds(status)))
    }

    /// The code on the pairing card, once it is there.
    #[track_caller]
    pub fn user_code(&self) -> String {
        let status = self.until_status("a pairing code is shown", |s| s["user_code"].is_string());
        status["user_code"].as_str().unwrap_or_default().to_owned()
    }

    /// What the display was handed, by `vitrine screenshot`.
    pub fn screenshot(&self) -> Result<RgbImage, String> {
        let file = self.dir.join("screenshot.png");
        let path = file.to_string_lossy().into_owned();
        let said = self.ask(&["screenshot", "-o", &path]).map_err(|e| e.to_string())?;
        if !said.status.success() {
            return Err(String::from_utf8_lossy(&said.stderr).into_owned());
        }
        image::open(&file).map(|picture| picture.to_rgb8()).map_err(|e| e.to_string())
    }

    /// Labels of what is on the screen.
    pub fn showing(&self) -> Vec<String> {
        let status = self.status().unwrap_or_default();
        let showing = status["showing"].as_array().cloned().unwrap_or_default();
        showing.iter().filter_map(|one| one["label"].as_str().map(str::to_owned)).collect()
    }
}

/// Writes one line for the person at the terminal.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Files written by tests need not survive a power cut.
struct File;

impl File {
    fn write(path: &Path, text: &str) -> io::Result<()> {
        fs::File::create(path)?.write_all(text.as_bytes())
    }
}
