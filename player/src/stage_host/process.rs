//! A stage as a process: how it is started, found again, waited for and killed.
//!
//! A stage outlives an agent that is killed, so that the picture stays. The next agent finds it by
//! `<runtime_dir>/stage.lock`: the stage holds a lock on that file for as long as it lives and has
//! written into it who it is ([`Identity`]).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};
use vitrine_config::model::{Log, LogFormat, Output};

use crate::error::{Code, Error};

/// Contents of the lock file: a process id, a release and an output in words.
const IDENTITY_BYTES: u64 = 1 << 10;

/// Name of the process that keeps a stage on the screen.
const SERVICE: &str = "screen";

/// The lock file that belongs to a stage socket.
pub fn lock_path(socket: &Path) -> PathBuf {
    socket.with_extension("lock")
}

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Process id.
    pub pid: u32,
    /// Release and output: another agent takes up the stage only if it would start the same one.
    pub kind: String,
}

impl Identity {
    /// Whether it is of this release.
    pub fn is_of_this_release(&self) -> bool {
        self.release() == env!("CARGO_PKG_VERSION")
    }

    /// Its release.
    pub fn release(&self) -> &str {
        self.kind.split(' ').next().unwrap_or_default()
    }

    /// Whether it draws on `output`, whatever its release.
    pub fn draws_on(&self, output: Output) -> bool {
        self.kind.split(' ').skip(1).eq(flags(output))
    }

    fn write(&self) -> String {
        format!("{}\n{}\n", self.pid, self.kind)
    }

    fn read(text: &str) -> Option<Identity> {
        let (pid, kind) = text.split_once('\n')?;
        Some(Identity { pid: pid.parse().ok()?, kind: kind.trim_end().to_owned() })
    }
}

/// What a stage of this release on this output is.
pub fn kind(output: Output) -> String {
    let mut words = vec![env!("CARGO_PKG_VERSION").to_owned()];
    words.extend(flags(output));
    words.join(" ")
}

/// The output as the command line of `vitrine stage` has it.
fn flags(output: Output) -> Vec<String> {
    match output {
        Output::Windowed { width_px, height_px } => {
            vec!["--windowed".to_owned(), format!("{width_px}x{height_px}")]
        }
        Output::Offscreen { width_px, height_px } => {
            vec!["--offscreen".to_owned(), format!("{width_px}x{height_px}")]
        }
        Output::Fullscreen | Output::External | Output::None => Vec::new(),
    }
}

/// Takes the lock for this process for as long as the file is kept open.
///
/// # Errors
/// [`Error::Busy`] when another stage lives here; [`Error::File`].
pub fn hold_lock(path: &Path, kind: String) -> Result<File, Error> {
    let mut file = open_lock(path, true).map_err(Error::file(path, "open"))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let path = path.display();
            return Err(Error::Busy(format!("another stage is running: it holds {path}")));
        }
        Err(error) => return Err(Error::file(path, "lock")(error.into())),
    }
    let text = Identity { pid: std::process::id(), kind }.write();
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())
    };
    write(&mut file).map_err(Error::file(path, "write"))?;
    Ok(file)
}

/// The stage that lives here, if one does.
pub fn survivor(path: &Path) -> Option<Identity> {
    let file = open_lock(path, false).ok()?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => {}
        // Free: closing the file lets it go again.
        _ => return None,
    }
    let mut text = String::new();
    file.take(IDENTITY_BYTES).read_to_string(&mut text).ok()?;
    Identity::read(&text)
}

fn open_lock(path: &Path, create: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(create).truncate(false).mode(0o640).open(path)
}

/// How a stage is started.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The socket it connects to.
    pub socket: PathBuf,
    /// What it draws on.
    pub output: Output,
    /// How it logs.
    pub log: Log,
}

impl Recipe {
    /// Starts one, in a process group of its own: a Ctrl-C at the terminal is for the agent, which
    /// then asks the stage to end; and its workers can be killed with it.
    pub fn start(&self) -> io::Result<Child> {
        self.command().spawn()
    }

    /// Starts one that takes the place of the stage that is there.
    pub fn start_heir(&self) -> io::Result<Child> {
        self.command().arg("--take-over").spawn()
    }

    fn command(&self) -> Command {
        // The running file itself, even if an update has replaced it meanwhile.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("vitrine").arg("stage").arg("--socket").arg(&self.socket);
        command.args(flags(self.output)).arg("--log-level").arg(&self.log.filter);
        if self.log.format == LogFormat::Json {
            command.arg("--log-json");
        }
        // The service manager listens to the agent alone.
        command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC");
        command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        command
    }
}

/// Waits for the end of our own child and says how it ended.
pub fn wait(mut child: Child) -> String {
    match child.wait() {
        Ok(status) => describe(status),
        Err(error) => format!("lost sight of it: {error}"),
    }
}

/// Waits for the end of a process that is no child of ours.
pub fn wait_for_stranger(pid: u32) -> String {
    let gone = "it ended; how is not known, because somebody else had started it";
    let Some(handle) = handle(pid) else { return gone.to_owned() };
    let mut fds = [PollFd::new(&handle, PollFlags::IN)];
    loop {
        match rustix::event::poll(&mut fds, None) {
            Ok(_) => return gone.to_owned(),
            Err(Errno::INTR) => {}
            Err(error) => return format!("lost sight of it: {error}"),
        }
    }
}

/// Whether a process is there and has not ended, frozen or not.
pub fn lives(pid: u32) -> bool {
    let Some(handle) = handle(pid) else { return false };
    let mut fds = [PollFd::new(&handle, PollFlags::IN)];
    rustix::event::poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
}

fn handle(pid: u32) -> Option<rustix::fd::OwnedFd> {
    rustix::process::pidfd_open(process(pid)?, PidfdFlags::empty()).ok()
}

fn process(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Has the screen's service start a new stage beside the one that is there, if the service is what
/// `systemd/screen` says: the parent of that stage. Else says why not.
pub fn renew_by_service(stage: u32) -> Result<(), String> {
    let about = |pid: u32, what: &str| std::fs::read_to_string(format!("/proc/{pid}/{what}"));
    let unseen = |error: &dyn std::fmt::Display| format!("who has started it is not seen: {error}");
    let stat = about(stage, "stat").map_err(|error| unseen(&error))?;
    // proc(5): the parent is the second word after the name in brackets.
    let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
    let parent = parent.and_then(|pid| pid.parse().ok()).ok_or_else(|| unseen(&"no parent"))?;
    let name = about(parent, "comm").map_err(|error| unseen(&error))?;
    let name = name.trim_end();
    if name != SERVICE {
        return Err(format!(
            "process {parent} ({name}) has started it, and only {SERVICE:?} of the kiosk's service is \
             known to renew it"
        ));
    }
    let asked = process(parent).map(|pid| rustix::process::kill_process(pid, Signal::HUP));
    match asked {
        Some(Err(error)) => Err(format!("process {parent} ({name}) cannot be asked: {error}")),
        _ => Ok(()),
    }
}

/// Sends a signal to a stage alone; one that is gone needs none.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = process(pid) {
        rustix::process::kill_process(pid, signal).ok();
    }
}

/// Kills a stage and the workers in its process group; false if there is no such process.
pub fn kill(pid: u32) -> bool {
    let Some(pid) = process(pid) else { return false };
    // The group first: it exists for as long as any of its processes does.
    let group = rustix::process::kill_process_group(pid, Signal::KILL);
    let own = rustix::process::kill_process(pid, Signal::KILL);
    group.is_ok() || own.is_ok()
}

fn describe(status: ExitStatus) -> String {
    const NO_DISPLAY: i32 = Code::NoDisplay as i32;
    const NO_GPU: i32 = Code::NoGpu as i32;
    match (status.code(), status.signal()) {
        (Some(NO_DISPLAY), _) => "there is no display for it: is one connected, and do \
                                  WAYLAND_DISPLAY or DISPLAY name it?"
            .to_owned(),
        (Some(NO_GPU), _) => "it found no GPU driver that it can use".to_owned(),
        (Some(0), _) => "it ended by itself".to_owned(),
        (Some(code), _) => format!("it ended with exit code {code}; its own log says why"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_the_file() {
        let given = Identity { pid: 42, kind: "0.1.0 --offscreen 64x36".into() };
        assert_eq!(Identity::read(&given.write()), Some(given));
        for text in ["", "x\n", "12", "-1\nfoo\n"] {
            assert_eq!(Identity::read(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_kind_survives_the_file() {
        let size = Output::Offscreen { width_px: 64, height_px: 36 };
        for output in [Output::Fullscreen, size] {
            let given = Identity { pid: 42, kind: kind(output) };
            assert_eq!(Identity::read(&given.write()), Some(given), "{output:?}");
        }
    }

    #[test]
    fn a_stage_is_found_while_it_lives_and_only_then() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = lock_path(&dir.path().join("stage.sock"));
        assert_eq!(survivor(&path), None, "no file");
        let held = hold_lock(&path, "a kind".into()).expect("the lock");
        let found = survivor(&path).expect("a survivor");
        assert_eq!(found, Identity { pid: std::process::id(), kind: "a kind".into() });
        assert!(matches!(hold_lock(&path, "b".into()), Err(Error::Busy(_))), "a second one");
        drop(held);
        assert_eq!(survivor(&path), None, "the file is there, nobody holds it");
    }

    #[test]
    fn how_a_process_ended_is_told() {
        let run = |script| Command::new("sh").args(["-c", script]).spawn().expect("a shell");
        assert_eq!(wait(run("exit 3")), "it ended with exit code 3; its own log says why");
        assert!(wait(run("exit 5")).starts_with("there is no display"));
        assert_eq!(wait(run("kill -9 $$")), "it was ended by signal 9");
    }

    #[test]
    fn a_stranger_that_is_gone_is_not_waited_for() {
        let mut child = Command::new("true").spawn().expect("a process");
        let pid = child.id();
        child.wait().expect("an end");
        assert!(wait_for_stranger(pid).starts_with("it ended"));
    }

    #[test]
    fn only_the_service_is_asked_to_renew_a_stage() {
        let mut child = Command::new("sleep").arg("1000").spawn().expect("a process");
        let why = renew_by_service(child.id()).expect_err("a test is no service");
        assert!(why.contains(&format!("process {} (", std::process::id())), "{why}");
        child.kill().expect("it is there");
        child.wait().expect("an end");
        let why = renew_by_service(child.id()).expect_err("it is gone");
        assert!(why.contains("is not seen"), "{why}");
    }

    #[test]
    fn a_frozen_process_lives_and_a_dead_one_does_not_even_before_it_is_waited_for() {
        let mut child = Command::new("sleep").arg("1000").spawn().expect("a process");
        let pid = child.id();
        signal(pid, Signal::STOP);
        assert!(lives(pid));
        let watched = handle(pid).expect("it is there");
        assert!(kill(pid));
        let mut fds = [PollFd::new(&watched, PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut fds, None), Ok(1), "it ends");
        assert!(!lives(pid), "nobody has waited for it yet");
        child.wait().expect("an end");
        assert!(!lives(pid));
    }

    #[test]
    fn a_kill_takes_the_whole_group() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & echo $!; wait"]).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().expect("a shell");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output");
        io::BufRead::read_line(&mut io::BufReader::new(out), &mut line).expect("a line");
        let grandchild: u32 = line.trim().parse().expect("a process id");
        let watched = handle(grandchild).expect("it lives");
        assert!(kill(child.id()));
        assert_eq!(wait(child), "it was ended by signal 9");
        let mut fds = [PollFd::new(&watched, PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut fds, None), Ok(1), "the grandchild is gone");
    }
}
