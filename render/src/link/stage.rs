//! The stage's end: connects for ever, keeps the newest wish in one slot, says what happens.
//!
//! Threads: `link-in` connects and reads, `link-out` writes one connection. The stage's own thread
//! only ever takes what is there ([`StageLink::drain`]) and leaves what it has to say.

use std::io::BufReader;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::frame::Frame;
use super::{Agent, Ask, LinkError, READS_WITHIN, SNAPSHOTS_OPEN, check_peer, connect, frame};
use crate::report::Report;
use crate::scene::Wish;
use crate::source::Waker;

/// Pause between two tries to reach the agent: it is back within a second after a crash, and a
/// missing one costs nothing that could be measured.
const RECONNECT: Duration = Duration::from_millis(200);
/// Words that wait for the agent. A scene change says a handful; an agent this far behind hangs,
/// and is better served by a new hello than by old news.
const WORDS_WAITING: usize = 256;

/// The stage's end of the link. Dropping it closes the connection.
pub(crate) struct StageLink {
    shared: Arc<Shared>,
    outlet: Option<Outlet>,
    thread: Option<JoinHandle<()>>,
}

/// What has come since the last look.
#[derive(Default)]
pub(crate) struct Inbox {
    /// The newest one.
    pub wish: Option<Box<Wish>>,
    /// Numbers of the pictures asked for.
    pub snapshots: Vec<u64>,
    /// The agent wants the stage to end, or will never come back.
    pub quit: bool,
    /// A new agent listens: it must be greeted.
    pub connected: bool,
    /// The agent before is gone.
    disconnected: bool,
}

/// One word and what travels behind it.
type Word = (Report, Vec<u8>);

/// The way to one agent. Gone when that agent is.
struct Outlet {
    words: SyncSender<Word>,
    stream: UnixStream,
}

struct Shared {
    state: Mutex<State>,
    stop: Condvar,
    waker: Waker,
}

#[derive(Default)]
struct State {
    inbox: Inbox,
    outlet: Option<Outlet>,
    stream: Option<UnixStream>,
    stopping: bool,
}

impl StageLink {
    /// Starts to connect; `waker` is called whenever [`StageLink::drain`] has something.
    ///
    /// # Errors
    /// [`LinkError::Io`] when no thread can be had.
    pub(crate) fn start(agent: Agent, waker: Waker) -> Result<StageLink, LinkError> {
        let shared = Arc::new(Shared { state: Mutex::default(), stop: Condvar::new(), waker });
        let thread = {
            let shared = shared.clone();
            Builder::new()
                .name("link-in".into())
                .spawn(move || shared.serve(agent))
                .map_err(io_error("start a thread"))?
        };
        Ok(StageLink { shared, outlet: None, thread: Some(thread) })
    }

    /// Takes everything that has come. After `connected`, the first word must be the hello.
    pub(crate) fn drain(&mut self) -> Inbox {
        let mut state = self.shared.lock();
        let inbox = std::mem::take(&mut state.inbox);
        if inbox.connected || inbox.disconnected {
            self.outlet = state.outlet.take();
        }
        inbox
    }

    /// Leaves a word for the agent. Nobody connected: it is lost, as the hello says where things
    /// stand. An agent that does not read loses the connection.
    pub(crate) fn say(&mut self, report: Report, blob: Vec<u8>) {
        let Some(outlet) = &self.outlet else { return };
        if outlet.words.try_send((report, blob)).is_err() {
            // Full or gone; an error means that the stream is closed already.
            outlet.stream.shutdown(Shutdown::Both).ok();
            self.outlet = None;
        }
    }
}

impl Inbox {
    fn put(&mut self, ask: Ask) {
        match ask {
            Ask::Wish(wish) => self.wish = Some(wish),
            Ask::Quit => self.quit = true,
            Ask::Snapshot { id } if self.snapshots.len() < SNAPSHOTS_OPEN => {
                self.snapshots.push(id);
            }
            Ask::Snapshot { id } => tracing::warn!(id, "too many snapshots asked for at once"),
        }
    }
}

impl Drop for StageLink {
    fn drop(&mut self) {
        // The writer empties its queue (the agent should hear the last words), then ends, because
        // nobody can add to it any more.
        self.outlet = None;
        {
            let mut state = self.shared.lock();
            state.stopping = true;
            state.outlet = None;
            if let Some(stream) = state.stream.take() {
                stream.shutdown(Shutdown::Read).ok();
            }
        }
        self.shared.stop.notify_all();
        self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reading thread: one connection after the other until the stage ends.
    fn serve(&self, agent: Agent) {
        match agent {
            Agent::Pair(stream) => {
                self.talk(stream);
                self.lock().inbox.quit = true;
                (self.waker)();
            }
            Agent::Socket(path) => {
                while !self.lock().stopping {
                    if let Ok(stream) = connect(&path, READS_WITHIN) {
                        self.talk(stream);
                    }
                    self.pause();
                }
            }
        }
    }

    fn pause(&self) {
        let state = self.lock();
        let waited = self.stop.wait_timeout_while(state, RECONNECT, |state| !state.stopping);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Serves one connection until it ends. Words that were left are still written.
    fn talk(&self, stream: UnixStream) {
        let ended = check_peer(&stream).and_then(|_| self.open(&stream)).and_then(|writer| {
            let ended = self.read_all(stream);
            self.close(writer);
            ended
        });
        match ended {
            Ok(()) => tracing::info!("the agent closed the link; the picture stays"),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "the link to the agent broke; the picture stays");
            }
        }
    }

    /// Starts the writer and offers it to the stage; forgets what an agent before said.
    fn open(&self, stream: &UnixStream) -> Result<JoinHandle<()>, LinkError> {
        let clone = || stream.try_clone().map_err(io_error("clone a connection"));
        let (words, rest) = sync_channel(WORDS_WAITING);
        stream.set_write_timeout(Some(READS_WITHIN)).map_err(io_error("set a time limit"))?;
        let (output, kept, outlet) = (clone()?, clone()?, clone()?);
        let writer = Builder::new()
            .name("link-out".into())
            .spawn(move || write_all(output, &rest))
            .map_err(io_error("start a thread"))?;
        let mut state = self.lock();
        state.inbox = Inbox { connected: true, ..Inbox::default() };
        state.outlet = Some(Outlet { words, stream: outlet });
        if state.stopping {
            kept.shutdown(Shutdown::Both).ok();
        } else {
            state.stream = Some(kept);
        }
        drop(state);
        (self.waker)();
        Ok(writer)
    }

    /// The connection has ended. The last words of a stage that ends are waited for; otherwise the
    /// writer ends when the stage lets go of its outlet.
    fn close(&self, writer: JoinHandle<()>) {
        let mut state = self.lock();
        state.outlet = None;
        if state.stopping {
            drop(state);
            // It logs its own troubles.
            writer.join().ok();
        } else {
            state.inbox.disconnected = true;
            drop(state);
            (self.waker)();
        }
    }

    fn read_all(&self, stream: UnixStream) -> Result<(), LinkError> {
        let mut input = BufReader::new(stream);
        let ended = loop {
            let ask = match frame::read(&mut input) {
                Ok(Some(frame)) => understood(&frame),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            match ask {
                Ok(ask) => self.take(ask),
                Err(error) => break Err(error),
            }
        };
        if !self.lock().stopping {
            // Wakes a writer that waits for an agent that does not read.
            input.get_ref().shutdown(Shutdown::Both).ok();
        }
        ended
    }

    fn take(&self, ask: Ask) {
        self.lock().inbox.put(ask);
        (self.waker)();
    }
}

/// The writing thread: ends when nobody can leave words any more, or nobody reads them.
fn write_all(mut stream: UnixStream, words: &Receiver<Word>) {
    while let Ok((report, blob)) = words.recv() {
        let sent = serde_json::to_vec(&report)
            .map_err(LinkError::Json)
            .and_then(|json| frame::write(&mut stream, &json, &blob));
        if let Err(error) = sent {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the agent cannot be told");
            break;
        }
    }
    stream.shutdown(Shutdown::Both).ok();
}

fn understood(frame: &Frame) -> Result<Ask, LinkError> {
    let ask = serde_json::from_slice(&frame.json).map_err(LinkError::Json)?;
    if matches!(ask, Ask::Quit) {
        let told = String::from_utf8_lossy(&frame.blob);
        let why = if told.is_empty() { "the agent wants it" } else { &told };
        tracing::info!(why, "asked to end");
    }
    Ok(ask)
}

fn io_error(action: &'static str) -> impl FnOnce(std::io::Error) -> LinkError {
    move |source| LinkError::Io { path: PathBuf::new(), action, source }
}
