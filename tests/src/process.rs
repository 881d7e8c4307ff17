//! A program under test: started with a log, found with all its descendants, stopped by pid.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::patience::wait_for;

/// Environment variable that every process of one [`Process`] inherits, with a value of its own: a
/// stage that outlives its agent is still found by it.
const TAG: &str = "VITRINE_RIG";

/// Path of a binary of this workspace, built beside the running one.
pub fn binary(name: &str) -> PathBuf {
    let mine = std::env::current_exe().unwrap_or_default();
    let built_in = mine.ancestors().skip(1).find(|dir| dir.join(name).is_file());
    built_in.unwrap_or_else(|| panic!("{name} is not built: call ./dev test")).join(name)
}

/// A program under test and everything it starts. All of it is killed on drop.
pub struct Process {
    child: Child,
    log: PathBuf,
    tag: String,
}

impl Process {
    /// Starts `command` with its output in `<dir>/<name>.log`.
    pub fn start(mut command: Command, name: &str, dir: &Path) -> io::Result<Process> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let tag = format!("{}-{count}", std::process::id());
        let log = dir.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        command.env(TAG, &tag).stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        // Ctrl-C at the terminal is for whoever started it, who stops it in order.
        command.process_group(0);
        Ok(Process { child: command.spawn()?, log, tag })
    }

    /// Process id of the program itself.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it wrote so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The program and all it started, also what has since lost its parent.
    pub fn family(&self) -> Vec<u32> {
        let wanted = format!("{TAG}={}", self.tag);
        pids().filter(|pid| environment_has(*pid, &wanted) && !is_zombie(*pid)).collect()
    }

    /// Members of the family whose command line holds `word`.
    pub fn family_with(&self, word: &str) -> Vec<u32> {
        self.family().into_iter().filter(|pid| command_line(*pid).contains(word)).collect()
    }

    /// Sends `signal` to the program itself.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal);
    }

    /// How it ended; None if it has not after `within`.
    pub fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        wait_for(within, || self.child.try_wait().ok().flatten())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let _ = self.ended(Duration::from_secs(3));
        for pid in self.family() {
            kill(pid, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let name = self.log.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            crate::player::tell(&format!("--- end of {name}"));
            tail.iter().rev().for_each(|line| crate::player::tell(line));
        }
    }
}

/// Sends `signal` to `pid`; a process that is gone already is fine.
pub fn kill(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Whether `pid` is there and not a zombie.
pub fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists() && !is_zombie(pid)
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn environment_has(pid: u32, wanted: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
}

fn command_line(pid: u32) -> String {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&raw).replace('\0', " ")
}

fn is_zombie(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
}
