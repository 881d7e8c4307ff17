//! Worker processes: started, one kept spare, ended, reaped.
//!
//! In:  the command line of a worker.
//! Out: processes with a socket to each.
//!
//! Promises: at most one spare at a time; no process outlives its [`Process`], nor the spare its
//! pool; nothing here blocks the stage's thread (spawning, waiting and reaping happen on threads
//! named `media-…`).

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::patience::{FirstFrames, SpareWithin};
use super::protocol::Event;
use super::socket::Socket;
use crate::zero_copy::ZeroCopy;

/// Allocator arenas of a worker: each of its dozen threads would otherwise keep one of its own,
/// full of freed frames.
const MALLOC_ARENAS: &str = "2";
/// Larger blocks are mapped one by one and go back to the system when freed; left to itself the
/// allocator raises this to the size of a frame.
const MALLOC_MAPS_FROM_BYTES: &str = "262144";

/// Files remembered as too much for the hardware, or as broken; then all get another chance.
const REMEMBERED: usize = 256;

/// How a media worker process is started. Its standard input is the socket to the stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl Default for WorkerCommand {
    /// This very executable (also after it was replaced on the disk) with `media-worker`.
    fn default() -> Self {
        WorkerCommand {
            program: PathBuf::from("/proc/self/exe"),
            args: vec![OsString::from("media-worker")],
        }
    }
}

/// Where worker processes come from.
#[derive(Debug)]
pub struct WorkerPool(Arc<Shared>);

/// A way to the pool for the threads of sources, which may outlive it.
#[derive(Debug, Clone)]
pub(crate) struct Supply(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    command: WorkerCommand,
    spare: Mutex<Spare>,
    made: Condvar,
    spare_within: SpareWithin,
    /// One has got ready: the next ones find what it has learned of the plug-ins.
    was_ready: AtomicBool,
    first_frames: Mutex<FirstFrames>,
    /// Files that hardware has failed on.
    distrusted: Mutex<BTreeSet<PathBuf>>,
    zero_copy: Arc<ZeroCopy>,
    /// Files that break off, as has been told.
    broken: Mutex<BTreeSet<PathBuf>>,
}

#[derive(Debug)]
enum Spare {
    /// None is wanted.
    Unwanted,
    /// One is wanted and not there.
    Wanted,
    /// One is being made; its socket, once there is one, to hurry it out.
    Making(Option<Arc<Socket>>),
    /// One is there.
    Ready(Process),
}

impl WorkerPool {
    /// A pool without processes.
    pub fn new(command: WorkerCommand) -> Self {
        WorkerPool::patient(command, SpareWithin::default())
    }

    fn patient(command: WorkerCommand, spare_within: SpareWithin) -> Self {
        WorkerPool(Arc::new(Shared {
            command,
            spare: Mutex::new(Spare::Unwanted),
            made: Condvar::new(),
            spare_within,
            was_ready: AtomicBool::new(false),
            first_frames: Mutex::default(),
            distrusted: Mutex::default(),
            zero_copy: Arc::default(),
            broken: Mutex::default(),
        }))
    }

    /// Keeps one initialised spare worker from now on, so that a source need not wait for one to
    /// start. When it is used, another one takes its place once that source has its first frame.
    pub fn warm(&self) {
        let mut spare = self.0.spare();
        if matches!(*spare, Spare::Unwanted) {
            *spare = Spare::Wanted;
        }
        drop(spare);
        self.supply().refill();
    }

    /// Whether its workers lend frames.
    pub(crate) fn zero_copy(&self) -> &Arc<ZeroCopy> {
        &self.0.zero_copy
    }

    pub(crate) fn supply(&self) -> Supply {
        Supply(Arc::clone(&self.0))
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        match std::mem::replace(&mut *self.0.spare(), Spare::Unwanted) {
            Spare::Ready(process) => {
                process.kill();
                let reap = thread::Builder::new().name("media-reaper".into());
                // Without a thread it is reaped right here.
                let _ = reap.spawn(|| drop(process));
            }
            Spare::Making(Some(socket)) => socket.close(),
            Spare::Making(None) | Spare::Wanted | Spare::Unwanted => {}
        }
    }
}

impl Shared {
    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supply {
    /// Notes that a decoder of hardware has failed on this file.
    pub fn distrust(&self, path: &Path) {
        remember(&self.0.distrusted, path);
    }

    /// Whether hardware is to be left alone with this file.
    pub fn distrusts(&self, path: &Path) -> bool {
        self.0.distrusted.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    /// Whether workers lend frames.
    pub fn zero_copy(&self) -> &ZeroCopy {
        &self.0.zero_copy
    }

    /// Notes that this file breaks off; whether that is news.
    pub fn breaks_off(&self, path: &Path) -> bool {
        remember(&self.0.broken, path)
    }

    /// The first frame of a film came so long after it was handed over.
    pub fn first_frame_came(&self, took: Duration) {
        self.0.first_frames.lock().unwrap_or_else(PoisonError::into_inner).came(took);
    }

    /// How long the next one may take, by what the last ones took.
    pub fn first_frame_within(&self, at_least: Duration) -> Duration {
        self.0.first_frames.lock().unwrap_or_else(PoisonError::into_inner).within(at_least)
    }

    /// A process that was waited for is ready.
    pub fn got_ready(&self) {
        self.0.was_ready.store(true, Ordering::Relaxed);
    }

    /// The spare, or a new process that says `Hello` when it is ready. Blocks while it is spawned.
    pub fn process(&self) -> io::Result<(Process, Readiness)> {
        let making = |spare: &mut Spare| matches!(spare, Spare::Making(_));
        let within = self.0.spare_within.limit(self.0.was_ready.load(Ordering::Relaxed));
        let waited = self.0.made.wait_timeout_while(self.0.spare(), within, making);
        let (mut spare, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *spare, Spare::Wanted) {
            Spare::Ready(mut process) => {
                // It may have been killed while it waited.
                if process.is_running() {
                    return Ok((process, Readiness::Ready));
                }
            }
            other => *spare = other,
        }
        drop(spare);
        Ok((Process::spawn(&self.0.command)?, Readiness::Starting))
    }

    /// Begins to make a spare if one is wanted; returns at once.
    pub fn refill(&self) {
        let mut spare = self.0.spare();
        if !matches!(*spare, Spare::Wanted) {
            return;
        }
        *spare = Spare::Making(None);
        drop(spare);
        let supply = self.clone();
        let spawned =
            thread::Builder::new().name("media-spare".into()).spawn(move || supply.make());
        if spawned.is_err() {
            *self.0.spare() = Spare::Wanted;
        }
    }

    fn make(&self) {
        let made = Process::spawn(&self.0.command).and_then(|process| {
            self.announce(process.socket());
            process.greeted()
        });
        let mut spare = self.0.spare();
        // Dropped behind the lock: it may take a moment to end.
        let mut unwanted = None;
        match (&*spare, made) {
            (Spare::Making(_), Ok(process)) => {
                self.got_ready();
                *spare = Spare::Ready(process);
            }
            (Spare::Making(_), Err(error)) => {
                tracing::warn!(%error, "no spare media worker");
                *spare = Spare::Wanted;
            }
            (_, made) => unwanted = made.ok(),
        }
        drop(spare);
        self.0.made.notify_all();
        drop(unwanted);
    }

    /// So that the pool can hang up on a spare that never gets ready.
    fn announce(&self, socket: &Arc<Socket>) {
        match &mut *self.0.spare() {
            Spare::Making(announced) => *announced = Some(Arc::clone(socket)),
            // The pool is gone.
            _ => socket.close(),
        }
    }
}

/// Whether it was not known before.
fn remember(paths: &Mutex<BTreeSet<PathBuf>>, path: &Path) -> bool {
    let mut paths = paths.lock().unwrap_or_else(PoisonError::into_inner);
    if paths.len() >= REMEMBERED {
        paths.clear();
    }
    paths.insert(path.to_owned())
}

/// Whether a process has said `Hello` already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    Starting,
}

/// A running worker; killed and reaped when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    socket: Arc<Socket>,
}

impl Process {
    fn spawn(command: &WorkerCommand) -> io::Result<Process> {
        let (ours, theirs) = Socket::pair()?;
        let child = std::process::Command::new(&command.program)
            .args(&command.args)
            .env("MALLOC_ARENA_MAX", MALLOC_ARENAS)
            .env("MALLOC_MMAP_THRESHOLD_", MALLOC_MAPS_FROM_BYTES)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| {
                let text = format!("start {}: {error}", command.program.display());
                io::Error::new(error.kind(), text)
            })?;
        Ok(Process { child, socket: Arc::new(ours) })
    }

    /// Waits for its `Hello`.
    fn greeted(self) -> io::Result<Process> {
        let hello = self.socket.receive()?.map(|received| Event::read(received.bytes()));
        match hello {
            Some(Ok(Event::Hello)) => Ok(self),
            _ => Err(io::Error::other("the media worker ended before it was ready")),
        }
    }

    pub fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }

    fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn kill(&self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            // Not reaped yet, so the number is still its own. Fails if it is dead already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }

    /// Waits until it has ended by itself: its socket is closed, so that is soon. One that does
    /// not is killed.
    pub fn ended(mut self) -> Option<ExitStatus> {
        if self.closed_by_itself() {
            return self.child.wait().ok();
        }
        None
    }

    fn closed_by_itself(&mut self) -> bool {
        // A closed socket without an end within a second is a worker that hangs in its exit.
        let Ok(pidfd) = rustix::process::Pid::from_raw(self.child.id().cast_signed())
            .ok_or(rustix::io::Errno::SRCH)
            .and_then(|pid| rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()))
        else {
            return false;
        };
        let mut ends = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
        let within = rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 };
        rustix::event::poll(&mut ends, Some(&within)).is_ok_and(|ended| ended > 0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that has been reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests;
