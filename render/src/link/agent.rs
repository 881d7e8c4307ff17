//! The agent's end: listens or joins, says what is wanted, hands on what the stage says.
//!
//! Threads: `stage-accept` waits for stages, `stage-in` reads one connection, `stage-out` writes
//! it. Nobody who calls [`AgentLink`] ever waits for the stage.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, BufReader};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::place::{Answer, Holder, Place};
use super::{Ask, LinkError, READS_WITHIN, SNAPSHOTS_OPEN, check_peer, connect, frame};
use crate::report::{Hello, Report};
use crate::scene::Wish;

/// What the agent hears from its stage, in order. Between [`Heard::Up`] and [`Heard::Down`] all
/// words come from one and the same stage.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A stage has connected: everything it should show must be said again, because what was said
    /// before is forgotten.
    Up(Hello),
    /// It said. A later [`Report::Hello`] corrects the first one (the GPU is known by then); a
    /// [`Report::Snapshot`] never comes this way.
    Report(Report),
    /// The answer to [`AgentLink::snapshot`].
    Snapshot {
        /// Number of the ask.
        id: u64,
        /// PNG, or why there is none.
        png: Result<Vec<u8>, String>,
    },
    /// The stage is gone.
    Down {
        /// How the connection ended.
        why: String,
        /// It was closed because another stage has connected, whose hello follows.
        relieved: bool,
    },
}

/// Called on the link's own threads, one word at a time; must not block for long.
type Callback = Box<dyn Fn(Heard) + Send + Sync>;

/// The agent's end of the link. One stage at a time; a newer one takes the place of the older, for good.
/// Dropping it closes the connection and the socket.
pub struct AgentLink {
    shared: Arc<Shared>,
    listening: Option<Listening>,
}

struct Listening {
    socket: UnixListener,
    path: PathBuf,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    slot: Mutex<Slot>,
    filled: Condvar,
    heard: Callback,
}

/// What waits to be written, and for which connection.
#[derive(Default)]
struct Slot {
    wish: Option<Box<Wish>>,
    snapshots: VecDeque<u64>,
    quit: bool,
    /// Number of the newest connection: a writer of an older one ends.
    connection: u64,
    stream: Option<UnixStream>,
    /// Its stage has said hello: until then nothing is written.
    greeted: bool,
    /// Who is at its other end.
    pid: u32,
    /// That one has something on the screen.
    shows: bool,
    place: Place,
    reader: Option<JoinHandle<()>>,
    closed: bool,
}

impl AgentLink {
    /// Listens on `path` (made accessible to this user only; a socket that a dead agent left
    /// behind is replaced) and calls `heard` for everything that a stage says.
    ///
    /// # Errors
    /// [`LinkError::Taken`] when a living agent listens there; [`LinkError::Io`] otherwise.
    pub fn listen(
        path: &Path,
        heard: impl Fn(Heard) + Send + Sync + 'static,
    ) -> Result<AgentLink, LinkError> {
        let fail = |action| move |source| LinkError::Io { path: path.into(), action, source };
        match connect(path, READS_WITHIN) {
            Err(error) if error.kind() != io::ErrorKind::TimedOut => {}
            // Also one that is stopped is there.
            _ => return Err(LinkError::Taken { path: path.into() }),
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(fail("remove the old socket")(error));
            }
            _ => {}
        }
        let socket = UnixListener::bind(path).map_err(fail("listen"))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(fail("protect"))?;
        let shared = Shared::new(heard);
        let thread = {
            let (socket, shared) = (socket.try_clone().map_err(fail("clone"))?, shared.clone());
            let accept = move || accept_stages(&socket, &shared);
            Builder::new().name("stage-accept".into()).spawn(accept).map_err(fail("thread"))?
        };
        let listening = Some(Listening { socket, path: path.into(), thread: Some(thread) });
        Ok(AgentLink { shared, listening })
    }

    /// Talks over one end of [`super::pair`].
    ///
    /// # Errors
    /// [`LinkError::Io`] when there is no thread or descriptor left.
    pub fn join(
        stream: UnixStream,
        heard: impl Fn(Heard) + Send + Sync + 'static,
    ) -> Result<AgentLink, LinkError> {
        let shared = Shared::new(heard);
        shared.connect(stream, 0)?;
        Ok(AgentLink { shared, listening: None })
    }

    /// Says what is wanted. Replaces a wish that was not yet sent; forgotten when a new stage says
    /// hello ([`Heard::Up`]).
    pub fn wish(&self, wish: Wish) {
        self.shared.fill(|slot| slot.wish = Some(Box::new(wish)));
    }

    /// Asks for a picture of what the display was handed: [`Heard::Snapshot`] answers.
    pub fn snapshot(&self, id: u64) {
        let mut refused = false;
        self.shared.fill(|slot| {
            refused = slot.snapshots.len() >= SNAPSHOTS_OPEN || !slot.greeted;
            if !refused {
                slot.snapshots.push_back(id);
            }
        });
        if refused {
            let png = Err("no stage is connected, or it does not answer".to_owned());
            (self.shared.heard)(Heard::Snapshot { id, png });
        }
    }

    /// Asks the stage to let go of the display and end; [`Heard::Down`] follows.
    pub fn quit(&self) {
        self.shared.fill(|slot| slot.quit = true);
    }
}

impl Drop for AgentLink {
    fn drop(&mut self) {
        let reader = {
            let mut slot = self.shared.lock();
            slot.closed = true;
            if let Some(stream) = slot.stream.take() {
                // An error means that it is closed already.
                stream.shutdown(Shutdown::Both).ok();
            }
            slot.reader.take()
        };
        self.shared.filled.notify_all();
        if let Some(listening) = &mut self.listening {
            // Wakes the accepting thread; an error means that it is gone already.
            rustix::net::shutdown(&listening.socket, rustix::net::Shutdown::Both).ok();
            listening.thread.take().map(JoinHandle::join);
            fs::remove_file(&listening.path).ok();
        }
        reader.map(JoinHandle::join);
    }
}

fn accept_stages(socket: &UnixListener, shared: &Arc<Shared>) {
    for stream in socket.incoming() {
        if shared.lock().closed {
            return;
        }
        let joined = stream
            .map_err(LinkError::Broken)
            .and_then(|stream| check_peer(&stream).map(|pid| (stream, pid)))
            .and_then(|(stream, pid)| shared.receive(stream, pid));
        if let Err(error) = joined {
            tracing::warn!(error = &error as &dyn std::error::Error, "a stage was turned away");
        }
    }
}

impl Shared {
    fn new(heard: impl Fn(Heard) + Send + Sync + 'static) -> Arc<Shared> {
        Arc::new(Shared { slot: Mutex::default(), filled: Condvar::new(), heard: Box::new(heard) })
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill(&self, put: impl FnOnce(&mut Slot)) {
        put(&mut self.lock());
        self.filled.notify_all();
    }

    /// Takes in a stage, unless it was relieved by the one that is there.
    fn receive(self: &Arc<Shared>, stream: UnixStream, pid: u32) -> Result<(), LinkError> {
        let answer = {
            let mut slot = self.lock();
            let holder = slot.holder();
            slot.place.comes(pid, holder)
        };
        match answer {
            Answer::Come => self.connect(stream, pid),
            // It tries again by itself.
            Answer::Later => Ok(()),
            Answer::End { by } => {
                tracing::warn!(pid, by, "a stage whose place another has taken is told to end");
                turn_away(stream, by)
            }
        }
    }

    /// Makes `stream` the connection; the one before is closed and its last word handed on first.
    fn connect(self: &Arc<Shared>, stream: UnixStream, pid: u32) -> Result<(), LinkError> {
        let fail =
            |source| LinkError::Io { path: PathBuf::new(), action: "take a connection", source };
        stream.set_write_timeout(Some(READS_WITHIN)).map_err(fail)?;
        let (input, output) =
            (stream.try_clone().map_err(fail)?, stream.try_clone().map_err(fail)?);
        let mut slot = self.lock();
        if let Some(old) = slot.stream.replace(stream) {
            old.shutdown(Shutdown::Both).ok();
        }
        slot.connection += 1;
        (slot.greeted, slot.shows, slot.pid) = (false, false, pid);
        let (connection, before) = (slot.connection, slot.reader.take());
        let shared = self.clone();
        let read = move || {
            before.map(JoinHandle::join);
            shared.read_all(input, connection);
        };
        slot.reader = Some(Builder::new().name("stage-in".into()).spawn(read).map_err(fail)?);
        drop(slot);
        let shared = self.clone();
        let write = move || shared.write_all(output, connection);
        Builder::new().name("stage-out".into()).spawn(write).map_err(fail)?;
        self.filled.notify_all();
        Ok(())
    }

    fn read_all(&self, stream: UnixStream, connection: u64) {
        let mut input = BufReader::new(stream);
        let mut up = false;
        let ended = loop {
            match next_word(&mut input) {
                Ok(Some(heard)) => match self.hand_on(heard, &mut up) {
                    Ok(()) => {}
                    Err(error) => break Err(error),
                },
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        // The writer notices by the closed stream; an error means that it is closed already.
        input.get_ref().shutdown(Shutdown::Both).ok();
        let relieved = self.leave(connection);
        if up {
            let why = match ended {
                Ok(()) => "the stage closed the connection".to_owned(),
                Err(error) => error_chain(&error),
            };
            (self.heard)(Heard::Down { why, relieved });
        }
    }

    fn hand_on(&self, heard: Heard, up: &mut bool) -> Result<(), LinkError> {
        if matches!(heard, Heard::Report(Report::Shown { .. })) {
            self.lock().shows = true;
        }
        let heard = match heard {
            Heard::Report(Report::Hello(hello)) if !*up => {
                *up = true;
                self.fill(|slot| slot.greet(!hello.showing.is_empty()));
                Heard::Up(hello)
            }
            _ if !*up => return Err(LinkError::NoHello),
            heard => heard,
        };
        (self.heard)(heard);
        Ok(())
    }

    /// Ends the writer of `connection`, unless a newer one has taken its place: true.
    fn leave(&self, connection: u64) -> bool {
        let mut relieved = false;
        self.fill(|slot| {
            relieved = slot.connection != connection;
            if !relieved {
                slot.connection += 1;
                slot.greeted = false;
                slot.stream = None;
            }
        });
        relieved
    }

    fn write_all(&self, mut stream: UnixStream, connection: u64) {
        while let Some(ask) = self.next_ask(connection) {
            let sent = serde_json::to_vec(&ask)
                .map_err(LinkError::Json)
                .and_then(|json| frame::write(&mut stream, &json, &[]));
            if let Err(error) = sent {
                tracing::warn!(error = error_chain(&error), "the stage cannot be told");
                // The reader says how it ended.
                stream.shutdown(Shutdown::Both).ok();
                return;
            }
        }
    }

    /// Waits for something to say; None when the connection is not the newest any more.
    fn next_ask(&self, connection: u64) -> Option<Ask> {
        let mut slot = self.lock();
        loop {
            if slot.closed || slot.connection != connection {
                return None;
            }
            if let Some(ask) = slot.take() {
                return Some(ask);
            }
            slot = self.filled.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Slot {
    fn take(&mut self) -> Option<Ask> {
        if !self.greeted {
            return None;
        }
        if std::mem::take(&mut self.quit) {
            return Some(Ask::Quit);
        }
        let wish = self.wish.take().map(Ask::Wish);
        wish.or_else(|| self.snapshots.pop_front().map(|id| Ask::Snapshot { id }))
    }

    /// Who is at the other end, unless it has hung up, which may not have been noticed yet.
    fn holder(&self) -> Option<Holder> {
        let stream = self.stream.as_ref()?;
        let mut fds = [PollFd::new(stream, PollFlags::RDHUP)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let here = rustix::event::poll(&mut fds, Some(&at_once)) == Ok(0);
        here.then_some(Holder { pid: self.pid, shows: self.shows })
    }

    /// A stage is there; what was meant for another one is forgotten.
    fn greet(&mut self, shows: bool) {
        (self.greeted, self.shows) = (true, shows);
        self.wish = None;
        self.snapshots.clear();
    }
}

/// Asks a stage to end that another one has relieved, with a word why.
fn turn_away(mut stream: UnixStream, by: u32) -> Result<(), LinkError> {
    let fail = |source| LinkError::Io { path: PathBuf::new(), action: "turn a stage away", source };
    stream.set_write_timeout(Some(READS_WITHIN)).map_err(fail)?;
    let json = serde_json::to_vec(&Ask::Quit).map_err(LinkError::Json)?;
    let why = format!("another stage, process {by}, has taken its place");
    frame::write(&mut stream, &json, why.as_bytes())
}

/// Reads one message of the stage; None at the end.
fn next_word(input: &mut BufReader<UnixStream>) -> Result<Option<Heard>, LinkError> {
    let Some(frame) = frame::read(input)? else { return Ok(None) };
    let report = serde_json::from_slice(&frame.json).map_err(LinkError::Json)?;
    Ok(Some(match report {
        Report::Snapshot { id, error } => {
            Heard::Snapshot { id, png: error.map_or(Ok(frame.blob), Err) }
        }
        report => Heard::Report(report),
    }))
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
