//! The stage's thread of one source: starts its worker, takes in what it says, ends it.
//!
//! In:  the wishes of the stage's thread, messages of the worker.
//! Out: checked [`Arrival`]s in a bounded inbox, and a wake-up when the stage waits for one.
//!
//! The thread lives as long as its process: it opens the file, hands it over, reads, kills and
//! reaps. The stage's thread only takes a short lock and sends without waiting.

use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{io, thread};

use super::frames::Seen;
use super::loan::{Borrowed, Ledger};
use super::pool::{Process, Readiness, Supply};
use super::protocol::{Command, Event, Frame, SLOTS};
use super::sandbox::walls::Walls;
use super::socket::{Received, Socket};
use crate::source::Waker;

/// Arrivals that may wait for the stage: the frames of two pools and the words around them. A
/// worker that keeps to the protocol cannot send more, as its slots do not come back.
const ARRIVALS: usize = SLOTS as usize * 2 + 8;

/// What came from the worker, checked.
#[derive(Debug)]
pub enum Arrival {
    /// It has the file now.
    Opened,
    /// A decoder of hardware is in use.
    Hardware(String),
    /// How long the file says that it lasts, in nanoseconds.
    Length(u64),
    /// It is shut in.
    Walls(Walls),
    /// Memory for the frames that follow.
    Pool {
        /// Its number.
        generation: u32,
        /// Mapped.
        memory: Seen,
    },
    /// A frame, inside the memory it names.
    Frame(Frame),
    /// A frame inside of what was lent; a buffer for each of its pieces.
    Lent(Frame, [Arc<Borrowed>; 3]),
    /// The last frame has come; when its time is over.
    End(u64),
    /// The last frame has come, sooner than it should have; when its time is over, and why.
    BrokeOff(u64, String),
    /// Nothing more will come, and why.
    Failed(String),
}

/// What a worker is to play.
#[derive(Debug, Clone)]
pub struct Job {
    /// The file.
    pub path: PathBuf,
    /// Its bytes, where they are in memory; else it is opened.
    pub held: Option<Arc<OwnedFd>>,
    /// Sent with it.
    pub open: Command,
}

/// The stage's end.
#[derive(Debug, Clone)]
pub struct Link(Arc<Shared>);

struct Shared {
    inbox: Mutex<Inbox>,
    waker: Waker,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Shared").field("inbox", &self.inbox).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Inbox {
    arrived: VecDeque<Arrival>,
    socket: Option<Arc<Socket>>,
    start: Option<Command>,
    /// The stage has nothing to show next: a frame is worth a wake-up.
    hungry: bool,
    closed: bool,
}

impl Link {
    /// Starts the thread, which does the rest.
    pub fn open(job: Job, supply: Supply, waker: Waker) -> Link {
        let inbox = Mutex::new(Inbox { hungry: true, ..Inbox::default() });
        let shared = Arc::new(Shared { inbox, waker });
        let thread = Thread { shared: Arc::clone(&shared), job, supply };
        let spawned = thread::Builder::new().name("media-link".into()).spawn(move || thread.run());
        if let Err(error) = spawned {
            shared.post(Arrival::Failed(format!("start a thread: {error}")));
        }
        Link(shared)
    }

    /// The oldest arrival. With None, `hungry` decides whether the next frame wakes the stage.
    pub fn next(&self, hungry: bool) -> Option<Arrival> {
        let mut inbox = self.0.inbox();
        let arrival = inbox.arrived.pop_front();
        inbox.hungry = hungry;
        arrival
    }

    /// Sets time zero, now or as soon as there is a worker. Never waits.
    pub fn start(&self, start: Command) -> io::Result<()> {
        self.0.inbox().start = Some(start.clone());
        self.send(&start)
    }

    /// Never waits; a worker that has stopped reading is an error.
    pub fn send(&self, command: &Command) -> io::Result<()> {
        let socket = self.0.inbox().socket.clone();
        match socket.map(|socket| socket.try_send(command.write().bytes())) {
            // A closed socket is the thread's to report.
            None | Some(Ok(()) | Err(rustix::io::Errno::PIPE)) => Ok(()),
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// Ends the worker; nothing will arrive any more.
    pub fn close(&self) {
        let mut inbox = self.0.inbox();
        inbox.closed = true;
        inbox.hang_up();
    }
}

impl Inbox {
    fn hang_up(&mut self) {
        if let Some(socket) = self.socket.take() {
            socket.close();
        }
    }
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post(&self, arrival: Arrival) {
        let mut inbox = self.inbox();
        if inbox.closed {
            return;
        }
        let wake = inbox.hungry || !matches!(arrival, Arrival::Frame(_) | Arrival::Lent(..));
        inbox.arrived.push_back(arrival);
        drop(inbox);
        if wake {
            (self.waker)();
        }
    }
}

/// Why the thread stopped listening to a process.
enum Stop {
    /// The stage has closed the link.
    Closed,
    /// It is over; what to say.
    Failed(String),
    /// The worker closed its end without a word.
    Gone,
}

struct Thread {
    shared: Arc<Shared>,
    job: Job,
    supply: Supply,
}

impl Thread {
    fn run(self) {
        let outcome = match &self.job.held {
            Some(file) => self.attempt(file),
            None => open_file(&self.job.path).map_or_else(Stop::Failed, |file| self.attempt(&file)),
        };
        self.supply.refill();
        if let Stop::Failed(text) = outcome {
            self.shared.post(Arrival::Failed(text));
        }
    }

    fn attempt(&self, file: &OwnedFd) -> Stop {
        let (process, readiness) = match self.supply.process() {
            Ok(made) => made,
            Err(error) => return Stop::Failed(error.to_string()),
        };
        if !self.connect(process.socket()) {
            return Stop::Closed;
        }
        let stop = self.listen(process.socket(), readiness, file);
        self.conclude(stop, process)
    }

    /// False if nobody wants it any more.
    fn connect(&self, socket: &Arc<Socket>) -> bool {
        let mut inbox = self.shared.inbox();
        inbox.socket = (!inbox.closed).then(|| Arc::clone(socket));
        !inbox.closed
    }

    fn conclude(&self, stop: Stop, process: Process) -> Stop {
        let closed = self.shared.inbox().closed;
        match stop {
            _ if closed => Stop::Closed,
            Stop::Gone => Stop::Failed(obituary(process.ended())),
            other => other,
        }
    }

    fn listen(&self, socket: &Socket, readiness: Readiness, file: &OwnedFd) -> Stop {
        if readiness == Readiness::Ready
            && let Err(stop) = self.hand_over(socket, file)
        {
            return stop;
        }
        let mut memory = Memory::default();
        loop {
            let received = match socket.receive() {
                Ok(Some(received)) => received,
                Ok(None) => return Stop::Gone,
                Err(error) => return Stop::Failed(format!("read from the media worker: {error}")),
            };
            match self.take_in(received, &mut memory) {
                Ok(true) => {}
                Ok(false) => {
                    self.supply.got_ready();
                    if let Err(stop) = self.hand_over(socket, file) {
                        return stop;
                    }
                }
                Err(text) => return Stop::Failed(text),
            }
        }
    }

    fn hand_over(&self, socket: &Socket, file: &OwnedFd) -> Result<(), Stop> {
        let sent = socket.send(self.job.open.write().bytes(), Some(file.as_fd()));
        sent.map_err(|_| Stop::Gone)?;
        self.shared.post(Arrival::Opened);
        if let Some(start) = self.shared.inbox().start.clone() {
            socket.send(start.write().bytes(), None).map_err(|_| Stop::Gone)?;
        }
        Ok(())
    }

    /// False for a `Hello`.
    fn take_in(&self, received: Received, memory: &mut Memory) -> Result<bool, String> {
        let event = Event::read(received.bytes()).map_err(|garbled| garbled.to_string())?;
        if self.shared.inbox().arrived.len() >= ARRIVALS {
            return Err(format!("the media worker sent more than {ARRIVALS} messages ahead"));
        }
        let arrival = match event {
            Event::Hello => return Ok(false),
            Event::Walls(walls) => Arrival::Walls(walls),
            Event::Pool { generation, slot_bytes } => {
                let fd = received.fd.ok_or("the media worker sent no frame memory")?;
                let seen = Seen::new(&fd, slot_bytes).map_err(|error| error.to_string())?;
                memory.pool = Some((generation, slot_bytes));
                memory.lent.forget();
                Arrival::Pool { generation, memory: seen }
            }
            Event::Frame(frame) => {
                self.supply.refill();
                memory.place(frame)?
            }
            Event::Lend { number } => {
                let added = memory.lent.add(number, received.fd);
                added.map_err(|error| format!("the media worker lent no memory: {error}"))?;
                return Ok(true);
            }
            Event::Hardware { decoder } => Arrival::Hardware(decoder),
            Event::Length { ns } => Arrival::Length(ns),
            Event::End { at_ns } => Arrival::End(at_ns),
            Event::BrokeOff { at_ns, text } => Arrival::BrokeOff(at_ns, text),
            Event::Failed { text } => return Err(text),
        };
        self.shared.post(arrival);
        Ok(true)
    }
}

/// What one worker has shared.
#[derive(Default)]
struct Memory {
    /// Its number, and bytes of a slot.
    pool: Option<(u32, u32)>,
    lent: Ledger,
}

impl Memory {
    /// The frame, if it lies inside of it.
    fn place(&self, frame: Frame) -> Result<Arrival, String> {
        let Some(lent) = frame.lent else { return inside(frame, self.pool).map(Arrival::Frame) };
        if self.pool.map(|(generation, _)| generation) != Some(frame.generation) {
            return Err("the media worker lent a frame before it had slots".to_owned());
        }
        match self.lent.of(&lent, frame.shape) {
            Ok(buffers) => Ok(Arrival::Lent(frame, buffers)),
            Err(error) => Err(format!("the media worker lent {error}")),
        }
    }
}

/// The frame, if it lies inside the memory that it names.
fn inside(frame: Frame, memory: Option<(u32, u32)>) -> Result<Frame, String> {
    match memory {
        Some((generation, slot_bytes))
            if generation == frame.generation && frame.shape.bytes() <= slot_bytes as usize =>
        {
            Ok(frame)
        }
        _ => Err(format!(
            "the media worker sent a frame of {} bytes outside of its memory",
            frame.shape.bytes()
        )),
    }
}

fn open_file(path: &Path) -> Result<OwnedFd, String> {
    let kind = std::fs::metadata(path).map_err(|error| format!("open: {error}"))?;
    if !kind.is_file() {
        return Err("not a file".to_owned());
    }
    File::open(path).map(OwnedFd::from).map_err(|error| format!("open: {error}"))
}

fn obituary(status: Option<ExitStatus>) -> String {
    match status.map(|status| (status.signal(), status)) {
        Some((Some(signal), _)) => format!("the media worker was killed by signal {signal}"),
        Some((None, status)) => format!("the media worker ended by itself: {status}"),
        None => "the media worker closed its socket and hung".to_owned(),
    }
}
