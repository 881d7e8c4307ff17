//! One stage takes the place of another, without a dark moment between their pictures.
//!
//! The old one is frozen, so that it leaves the agent to the new one while its picture stays. Once
//! the display has the new one's first frame, the old one is killed. A new one that ends before, or
//! shows nothing within [`WITHIN`], changes nothing: the old one goes on.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{Builder, JoinHandle, park_timeout};
use std::time::Duration;

use rustix::process::Signal;

use crate::error::Error;
use crate::stage_host::process::{self, Identity};

/// From the start to the first frame; a Pi from a cold card takes three seconds.
const WITHIN: Duration = Duration::from_secs(60);
/// From the first frame to the end of the old stage: the compositor gets to put it on the glass.
const OVERLAP: Duration = Duration::from_millis(500);
/// A killed process lets go of its lock at once; one that a driver holds may take longer.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks at a lock that should be free any moment.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The change of places, and afterwards the lock. Dropped after the new stage has ended; then the
/// old one goes on, if it still lives.
pub struct Succession {
    thread: Option<JoinHandle<Option<File>>>,
}

impl Succession {
    /// Freezes the stage that holds `lock` until there is a word of `first_frame`, whose sender
    /// belongs to the new stage and is dropped with it.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn begin(
        lock: PathBuf,
        kind: String,
        first_frame: Receiver<()>,
    ) -> Result<Succession, Error> {
        let old = process::survivor(&lock).map(|Identity { pid, .. }| pid);
        if let Some(pid) = old {
            tracing::info!(pid, "taking the place of the stage that is there");
            process::signal(pid, Signal::STOP);
        }
        let thread = Builder::new()
            .name("succession".into())
            .spawn(move || match first_frame.recv_timeout(WITHIN) {
                Ok(()) => succeed(old, &lock, kind),
                Err(how) => {
                    step_back(old, how);
                    None
                }
            })
            .map_err(|source| Error::Thread { name: "succession", source })?;
        Ok(Succession { thread: Some(thread) })
    }
}

impl Drop for Succession {
    fn drop(&mut self) {
        // A panic has been reported by the panic hook already.
        self.thread.take().map(JoinHandle::join);
    }
}

fn succeed(old: Option<u32>, lock: &Path, kind: String) -> Option<File> {
    park_timeout(OVERLAP);
    if let Some(pid) = old {
        process::kill(pid);
    }
    let looks = GONE_WITHIN.as_millis() / LOOK_AGAIN.as_millis();
    let held = (0..looks).find_map(|_| {
        let held = process::hold_lock(lock, kind.clone()).ok();
        if held.is_none() {
            park_timeout(LOOK_AGAIN);
        }
        held
    });
    if held.is_none() {
        tracing::warn!("an agent that starts anew will not find this stage");
    }
    held
}

fn step_back(old: Option<u32>, how: RecvTimeoutError) {
    if let Some(pid) = old {
        process::signal(pid, Signal::CONT);
    }
    if how == RecvTimeoutError::Timeout {
        tracing::warn!(?WITHIN, "nothing could be shown in time: the old stage goes on");
        process::signal(std::process::id(), Signal::TERM);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Child, Command};
    use std::sync::mpsc::{SyncSender, sync_channel};

    use super::*;

    /// An old stage: a process, and the lock that says that it is one.
    struct Old {
        dir: tempfile::TempDir,
        child: Child,
        lock: File,
    }

    impl Old {
        fn start() -> Old {
            let dir = tempfile::tempdir().expect("a directory");
            let child = Command::new("sleep").arg("1000").spawn().expect("a process");
            let lock = dir.path().join("stage.lock");
            let mut lock = process::hold_lock(&lock, "old".into()).expect("the lock");
            lock.set_len(0).expect("an empty file");
            std::io::Seek::rewind(&mut lock).expect("its begin");
            write!(lock, "{}\nold\n", child.id()).expect("another identity");
            Old { dir, child, lock }
        }

        fn succeeded_by(&self) -> (SyncSender<()>, Succession) {
            let (tell, first_frame) = sync_channel(1);
            let path = self.dir.path().join("stage.lock");
            (tell, Succession::begin(path, "new".into(), first_frame).expect("a thread"))
        }

        /// Waits until the system says that it is in one of `states` (proc(5)).
        fn is(&self, states: &str) {
            let path = format!("/proc/{}/stat", self.child.id());
            loop {
                let stat = std::fs::read_to_string(&path).expect("it is there");
                let (_, rest) = stat.rsplit_once(") ").expect("a state");
                if rest.starts_with(|state| states.contains(state)) {
                    return;
                }
                std::thread::yield_now();
            }
        }
    }

    impl Drop for Old {
        fn drop(&mut self) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }

    #[test]
    fn the_old_stage_freezes_and_goes_when_the_new_one_shows() {
        let mut old = Old::start();
        let (tell, succession) = old.succeeded_by();
        old.is("T");
        tell.send(()).expect("somebody waits");
        assert_eq!(old.child.wait().expect("an end").code(), None, "killed");
        let path = old.dir.path().join("stage.lock");
        old.lock = File::open("/dev/null").expect("another file");
        let found = loop {
            match process::survivor(&path) {
                Some(found) if found.kind == "new" => break found,
                _ => std::thread::yield_now(),
            }
        };
        assert_eq!(found.pid, std::process::id());
        drop(succession);
        assert_eq!(process::survivor(&path), None, "held for as long as the stage lives");
    }

    #[test]
    fn the_old_stage_goes_on_when_the_new_one_ends_first() {
        let old = Old::start();
        let (tell, succession) = old.succeeded_by();
        old.is("T");
        drop(tell);
        drop(succession);
        old.is("SR");
    }
}
