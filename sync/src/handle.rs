//! What the player holds: start, post, stop.
//!
//! Promises: [`Event::Started`] is the first word and waits for no network; stop is answered within
//! [`STOP`] whatever network or disk do; every thread has a name.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc;
use vitrine_config::time::Clock;

use crate::error::{StartError, chain};
use crate::http::Http;
use crate::http::feeds::Feeds;
use crate::shell::{INBOX, Opened, Shell, open};
use crate::{Event, Options, Request, Tuning};

/// A stop is answered within this.
pub const STOP: Duration = Duration::from_secs(2);
/// Of these, for disk work that is under way; the rest is for the store to close.
const STOP_DISK: Duration = Duration::from_millis(800);
/// Threads for disk work: some downloads, a judgement, a look at the cache.
const DISK_THREADS: usize = 6;

/// The running sync. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Sync {
    inbox: mpsc::Sender<Request>,
    ended: Receiver<()>,
    thread: JoinHandle<()>,
}

/// The request was not taken: the inbox is full, because the disk is stuck, or sync has ended. Try
/// again later or count it: what is dropped here is lost.
#[derive(Debug, thiserror::Error)]
#[error("sync takes no requests at the moment")]
pub struct Full(pub Box<Request>);

impl Sync {
    /// Opens store and cache and starts the `sync` and `store` threads. Returns when the stored state
    /// is known; [`Event::Started`] has then been said, and nothing has waited for the network.
    ///
    /// `sink` is called on the sync thread and must not block.
    ///
    /// # Errors
    ///
    /// The state directory cannot be used: held by another process, not writable, broken beyond
    /// what the store mends, or it does not say whose this device is. A wrong cloud address, a missing
    /// authority file or a broken device key are no errors but an [`Event::Trouble`]: what is in the
    /// store plays.
    pub fn start(
        options: Options,
        tuning: Tuning,
        clock: Arc<dyn Clock>,
        sink: impl Fn(Event) + Send + 'static,
    ) -> Result<Sync, StartError> {
        let (inbox, requests) = mpsc::channel(INBOX);
        let (ready, opened) = sync_channel(1);
        let (end, ended) = sync_channel(1);
        let thread = Builder::new()
            .name("sync".into())
            .spawn(move || {
                thread(Thread { options, tuning, clock, sink: Box::new(sink), requests, ready });
                // Nobody may be waiting.
                end.try_send(()).ok();
            })
            .map_err(|error| StartError::new("start the sync thread", &error))?;
        let told = opened.recv().unwrap_or_else(|error| {
            Err(StartError::new("start the sync thread: it ended at once", &error))
        });
        told.map(|()| Sync { inbox, ended, thread })
    }

    /// Asks for something. Never waits.
    ///
    /// # Errors
    ///
    /// The inbox is full or sync has ended; the request comes back.
    pub fn post(&self, request: Request) -> Result<(), Full> {
        self.inbox.try_send(request).map_err(|error| Full(Box::new(error.into_inner())))
    }

    /// Stops. What was posted before is kept; calls that are under way are dropped. Returns whether
    /// the threads have ended; after [`STOP`] they are left behind.
    pub fn stop(self) -> bool {
        drop(self.inbox);
        if self.ended.recv_timeout(STOP) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("sync: not stopped within {} s, left behind", STOP.as_secs());
            return false;
        }
        // It is past its last statement.
        if self.thread.join().is_err() {
            tracing::error!("sync: its thread panicked");
        }
        true
    }
}

/// What the thread is given.
struct Thread {
    options: Options,
    tuning: Tuning,
    clock: Arc<dyn Clock>,
    sink: Box<dyn Fn(Event) + Send>,
    requests: mpsc::Receiver<Request>,
    ready: SyncSender<Result<(), StartError>>,
}

fn thread(start: Thread) {
    let Thread { options, tuning, clock, sink, requests, ready } = start;
    let (runtime, mut opened) = match begin(&options) {
        Ok(begun) => begun,
        Err(error) => return drop(ready.send(Err(error))),
    };
    sink(opened.started());
    if ready.send(Ok(())).is_err() {
        return;
    }
    // Reading the authorities takes a moment: after the first word.
    let cloud = match &options.cloud_url {
        None => None,
        Some(url) => match Http::new(url, &options.way(), &options.release) {
            Ok(cloud) => Some(cloud),
            Err(error) => {
                opened.note("cloud_settings", chain(&error));
                None
            }
        },
    };
    let feeds = Feeds::new(&options.way(), &options.release);
    // What is wrong with it was said of the cloud's settings.
    let ways = (cloud, feeds.ok());
    let mut shell = Shell::new(opened, (options, tuning), ways, clock, sink);
    runtime.block_on(shell.run(requests));
    // Calls first: they hold the store.
    runtime.shutdown_timeout(STOP_DISK);
    drop(shell);
}

fn begin(options: &Options) -> Result<(Runtime, Opened), StartError> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("sync-disk")
        .max_blocking_threads(DISK_THREADS)
        .build()
        .map_err(|error| StartError::new("make the runtime", &error))?;
    let opened = runtime.block_on(open(options))?;
    Ok((runtime, opened))
}
