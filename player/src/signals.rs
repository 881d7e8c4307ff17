//! What the system asks of the process: end, or read the settings again.

use std::thread::{Builder, JoinHandle};

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::error::Error;

/// One thing that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// SIGTERM or SIGINT: end.
    Stop,
    /// SIGHUP: read the settings again.
    Reload,
}

/// The ear for signals. From its making on, none of them ends the process by itself.
pub struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Begins to listen.
    pub fn listen() -> Result<Signals, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(Error::Signals)?;
        let guard = runtime.enter();
        let ear = |kind| signal(kind).map_err(Error::Signals);
        let terminate = ear(SignalKind::terminate())?;
        let interrupt = ear(SignalKind::interrupt())?;
        let hang_up = ear(SignalKind::hangup())?;
        drop(guard);
        Ok(Signals { runtime, terminate, interrupt, hang_up })
    }

    /// Waits for the next signal, or for the other end of `over` to be dropped: then None.
    pub fn wait(&mut self, over: &mut oneshot::Receiver<()>) -> Option<Asked> {
        self.runtime.block_on(async {
            tokio::select! {
                _ = over => None,
                _ = self.terminate.recv() => Some(Asked::Stop),
                _ = self.interrupt.recv() => Some(Asked::Stop),
                _ = self.hang_up.recv() => Some(Asked::Reload),
            }
        })
    }
}

/// A thread that calls `stop` at the first SIGTERM or SIGINT; for a process whose main thread
/// belongs to a window. Dropping it ends the thread.
pub struct Watcher {
    over: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Begins to listen. A SIGHUP, the end of the terminal, is a stop as well: there are no
    /// settings to be read again.
    pub fn start(stop: impl FnOnce() + Send + 'static) -> Result<Watcher, Error> {
        let mut signals = Signals::listen()?;
        let (over, mut ended) = oneshot::channel();
        let thread = Builder::new()
            .name("signals".into())
            .spawn(move || {
                if signals.wait(&mut ended).is_some() {
                    stop();
                }
            })
            .map_err(|source| Error::Thread { name: "signals", source })?;
        Ok(Watcher { over: Some(over), thread: Some(thread) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.over.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
