//! The known good program, watching over a version on trial.
//!
//! The version gets a `NOTIFY_SOCKET` of ours: what it tells the service manager comes here, is
//! judged, and goes on to the real one. Its main process stays this one, whose own signs of life are
//! good for as long as the version's are.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::sync::oneshot;
use vitrine_config::Config;
use vitrine_config::time::Mono;

use super::files::Releases;
use super::guard::{Guard, Said, Verdict};
use super::is_shortage;
use super::launch::{GUARDED, as_chosen};
use super::state::Release;
use crate::clock::read_mono;
use crate::error::Error;
use crate::notify::{self, ALIVE, CONTENT, HINDERED};
use crate::signals::{Asked, Signals};

/// Our own sign of life goes out this often; the unit's watchdog waits six times as long.
const BEAT: Duration = Duration::from_secs(5);
/// No sign of life for so long is a hang, if the service manager has no limit of its own.
const SILENT_FOR: Duration = Duration::from_secs(30);
/// A version that was asked to end and has not is killed then: before the unit's own limit.
const END_WITHIN: Duration = Duration::from_secs(4);
/// Longest message of sd_notify(3) that we send.
const MESSAGE_BYTES: usize = 4 << 10;

/// How one start ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// Somebody asked us to stop, and it stopped.
    Stopped,
    /// It ended by itself, in good order: the next version is due.
    Left,
    /// It died, or was killed because it hung.
    Died {
        /// How.
        how: String,
        /// It had proved itself before.
        good: bool,
    },
    /// It has shown no content in its time, and is dead.
    Late,
    /// It could show none, for no fault of its own, and is dead.
    Hindered,
    /// It could not be started for want of something that the machine lacks.
    Short(String),
}

/// What starts and watches.
pub struct Guardian<'a> {
    pub releases: &'a Releases,
    pub config: &'a Config,
    pub package: &'a Path,
}

/// What both threads know.
struct Ward {
    child: Child,
    socket: UnixDatagram,
    guard: Guard,
    releases: Releases,
    stopping: Arc<AtomicBool>,
}

impl Guardian<'_> {
    /// Starts `release` on trial with our own arguments and stays with it to its end.
    pub fn watch(&self, release: &Release, signals: &mut Signals) -> Result<Ended, Error> {
        let (socket, path) = self.listen()?;
        let program = self.releases.program(release);
        let child = match self.command(&program, &path).spawn() {
            Ok(child) => child,
            Err(error) => {
                let how = format!("it cannot be started: {error}");
                return Ok(match is_shortage(&error) {
                    true => Ended::Short(how),
                    false => Ended::Died { how, good: false },
                });
            }
        };
        let pid = child.id();
        tracing::info!(version = %release.version, pid, "on trial");
        let stopping = Arc::new(AtomicBool::new(false));
        let silent_for = notify::watchdog().unwrap_or(SILENT_FOR);
        let guard = Guard::new(&self.config.update, silent_for, read_mono());
        let ward = Ward {
            child,
            socket,
            guard,
            releases: self.releases.clone(),
            stopping: stopping.clone(),
        };
        let (over, mut ended) = oneshot::channel();
        let thread = Builder::new()
            .name("guardian".into())
            .spawn(move || {
                let how = ward.stay();
                drop::<oneshot::Sender<()>>(over);
                how
            })
            .map_err(|source| Error::Thread { name: "guardian", source })?;
        while let Some(asked) = signals.wait(&mut ended) {
            let signal = match asked {
                Asked::Stop => {
                    stopping.store(true, Ordering::SeqCst);
                    Signal::TERM
                }
                Asked::Reload => Signal::HUP,
            };
            send(pid, signal);
        }
        let how = thread.join().map_err(|_| Error::Ended("the guardian"))?;
        how.map_err(|source| Error::Thread { name: "guardian", source })
    }

    fn listen(&self) -> Result<(UnixDatagram, PathBuf), Error> {
        let dir = &self.config.paths.runtime_dir;
        crate::settings::make_dir(dir)?;
        let path = dir.join("trial.sock");
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).map_err(Error::file(&path, "listen"))?;
        socket.set_nonblocking(true).map_err(Error::file(&path, "listen"))?;
        Ok((socket, path))
    }

    fn command(&self, program: &Path, socket: &Path) -> Command {
        let mut command = as_chosen(program, self.package);
        command.env(GUARDED, std::process::id().to_string()).env("NOTIFY_SOCKET", socket);
        // So that nothing that it has started is left when it is killed; stages have their own.
        command.process_group(0);
        command
    }
}

impl Ward {
    /// Until the version's process is gone, and with it what it has started.
    fn stay(mut self) -> io::Result<Ended> {
        let ended = self.watch();
        self.kill();
        ended
    }

    fn watch(&mut self) -> io::Result<Ended> {
        let pid = Pid::from_child(&self.child);
        let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        let (mut killed_for, mut kill_at) = (None, None);
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.listen();
                return Ok(self.ended(status, killed_for));
            }
            self.listen();
            let now = read_mono();
            if self.stopping.load(Ordering::SeqCst) {
                let at = *kill_at.get_or_insert(now.after(END_WITHIN));
                if now >= at {
                    self.kill();
                }
                self.wait(&handle, at.max(now.after(BEAT / 10)))?;
                continue;
            }
            match self.guard.judge(now) {
                Some(Verdict::Good) => self.believe(),
                Some(verdict) => {
                    killed_for = Some(verdict);
                    self.kill();
                    self.child.wait()?;
                    continue;
                }
                None => notify::tell(ALIVE),
            };
            self.wait(&handle, self.guard.deadline().min(now.after(BEAT)))?;
        }
    }

    /// Kills the version and what it has started.
    fn kill(&self) {
        // Gone already is as good.
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }

    fn believe(&self) -> bool {
        tracing::info!("it has proved itself");
        if let Err(error) = self.releases.change(|state| state.confirm()) {
            // Then it is on trial again after the next start, which does no harm.
            tracing::warn!(%error, "the new version was not noted as good");
        }
        true
    }

    fn ended(&self, status: ExitStatus, killed_for: Option<Verdict>) -> Ended {
        let how = match (killed_for, status.success()) {
            _ if self.stopping.load(Ordering::SeqCst) => return Ended::Stopped,
            (Some(Verdict::Late), _) => return Ended::Late,
            (Some(Verdict::Hindered), _) => return Ended::Hindered,
            (Some(_), _) => "it gave no sign of life and was killed".to_owned(),
            (None, true) => return Ended::Left,
            (None, false) => format!("it ended with {status}"),
        };
        Ended::Died { how, good: self.guard.is_good() }
    }

    /// Takes everything that was said.
    fn listen(&mut self) {
        let mut buffer = [0; MESSAGE_BYTES];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            // One or more of them, as sd_notify(3) has it: a later version may say several at once.
            String::from_utf8_lossy(&buffer[..length]).lines().for_each(|word| self.hear(word));
        }
    }

    fn hear(&mut self, word: &str) {
        match word {
            ALIVE => self.guard.hear(Said::Alive, read_mono()),
            CONTENT => self.guard.hear(Said::Content, read_mono()),
            HINDERED => self.guard.hear(Said::Hindered, read_mono()),
            // The unit goes on with the version before.
            "STOPPING=1" if !self.stopping.load(Ordering::SeqCst) => {}
            other => drop(notify::tell(other)),
        }
    }

    fn wait(&self, handle: &OwnedFd, until: Mono) -> io::Result<()> {
        let mut fds =
            [PollFd::new(handle, PollFlags::IN), PollFd::new(&self.socket, PollFlags::IN)];
        let wait = Timespec::try_from(until.since(read_mono())).ok();
        match rustix::event::poll(&mut fds, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // Gone already: the thread that waits for it says so.
        let _ = rustix::process::kill_process(pid, signal);
    }
}
