//! Where pictures are made: decode threads, and the work that waits for them.
//!
//! Two threads, named `decode-0` and `decode-1`, each with one picture at a time. A decoder that
//! panics costs its picture, not its thread. Work that nobody waits for any more is passed over.
//!
//! Not here: what is done with a picture (`source::image`, `source::clock`, `source::ticker`).

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

use jiff::tz::TimeZone;

use super::coded::Coded;
use super::decode::avif::{self, Avif};
use super::decode::{self, Room, Still};
use super::reel::{Bytes, Frame, Reel};
use super::text::{self, Strip};
use super::{Waker, card, svg};
use crate::place::Fitting;
use crate::scene::{Card, TextStyle};
use crate::worker::pool::Supply;

/// Decoding is CPU work next to the video decoder's: two cores of four.
const THREADS: usize = 2;
/// Jobs that wait: two scenes of 32 zones, and as many that were just replaced.
const JOBS_WAITING: usize = 128;
/// Longest file: no picture within the limits is larger, even uncompressed.
const FILE_BYTES: u64 = 256 << 20;

/// What a picture is made from.
#[derive(Debug, Clone)]
pub(super) enum Recipe {
    File(PathBuf),
    Card(Card),
    Page { text: String, style: TextStyle },
    Strip { text: String, style: TextStyle },
}

/// The decode threads. Dropping it ends them after the pictures they are at, without waiting.
pub(super) struct Decoders {
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    jobs: Mutex<Jobs>,
    change: Condvar,
    room: Room,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    closed: bool,
}

struct Job {
    task: Task,
    /// What it is about, for the text of an error.
    name: String,
    fitting: Fitting,
    order: Arc<Order>,
    waker: Waker,
}

/// What is to be done.
pub(super) enum Task {
    /// Make a picture, or the first one.
    Begin(Recipe),
    /// Make the next one.
    GoOn(Box<Reel>),
    /// Make one of what a worker has decoded.
    Develop(Box<Coded>),
    /// Find a time zone; None, or one that is not known: the system's.
    Zone(Option<String>),
}

/// What came of it.
pub(super) enum Made {
    Still(Still),
    /// A worker has to decode it first.
    Coded(Box<Avif>),
    /// None: there are no more.
    Frame(Option<Frame>, Box<Reel>),
    Strip(Strip),
    Zone(TimeZone),
}

/// Where the outcome of a job is left. A source that has dropped it does not want it any more.
#[derive(Default)]
struct Order {
    outcome: Mutex<Option<Result<Made, String>>>,
}

impl Decoders {
    /// # Errors
    /// No thread can be had.
    pub(super) fn start() -> io::Result<Decoders> {
        let queue = Arc::new(Queue::default());
        for number in 0..THREADS {
            let queue = queue.clone();
            Builder::new().name(format!("decode-{number}")).spawn(move || queue.serve())?;
        }
        Ok(Decoders { queue })
    }

    /// Somebody who asks for pictures; `waker` is called for each that is made. `supply` gives the
    /// workers that some are decoded by.
    pub(super) fn maker(&self, supply: Supply, waker: Waker) -> Maker {
        Maker { queue: self.queue.clone(), supply, waker }
    }
}

/// Asks for pictures.
pub(super) struct Maker {
    queue: Arc<Queue>,
    supply: Supply,
    waker: Waker,
}

/// Something that is being made. Who drops it does not want it any more.
pub(super) struct Ask(Arc<Order>);

impl Maker {
    /// Has something made that covers `fitting`; `name` is what an error is about.
    ///
    /// # Errors
    /// Too much is waiting already.
    pub(super) fn ask(&self, task: Task, name: String, fitting: Fitting) -> Result<Ask, String> {
        let order = Arc::new(Order::default());
        let job = Job { task, name, fitting, order: order.clone(), waker: self.waker.clone() };
        self.queue.push(job)?;
        Ok(Ask(order))
    }

    /// Has a picture decoded that messages call `name`.
    ///
    /// # Errors
    /// No memory for it.
    pub(super) fn decode(&self, picture: Avif, name: &str) -> Result<Coded, String> {
        Coded::open(picture, name, &self.supply, &self.waker)
            .map_err(|error| format!("{name}: {error}"))
    }
}

impl Ask {
    /// What came of it, once it has come.
    pub(super) fn take(&self) -> Option<Result<Made, String>> {
        self.0.outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Decoders {
    fn drop(&mut self) {
        let mut jobs = self.queue.lock();
        jobs.closed = true;
        jobs.waiting.clear();
        self.queue.change.notify_all();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses when full: whoever asks for that many pictures at once gets some of them.
    fn push(&self, job: Job) -> Result<(), String> {
        let mut jobs = self.lock();
        jobs.waiting.retain(|job| job.is_wanted());
        if jobs.waiting.len() >= JOBS_WAITING {
            return Err(format!("more than {JOBS_WAITING} pictures wait to be decoded"));
        }
        jobs.waiting.push_back(job);
        drop(jobs);
        self.change.notify_one();
        Ok(())
    }

    fn next(&self) -> Option<Job> {
        let mut jobs = self.lock();
        loop {
            if jobs.closed {
                return None;
            }
            if let Some(job) = jobs.waiting.pop_front() {
                return Some(job);
            }
            jobs = self.change.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn serve(&self) {
        while let Some(job) = self.next() {
            if job.is_wanted() {
                job.carry_out(&self.room);
            }
        }
    }
}

impl Job {
    fn is_wanted(&self) -> bool {
        Arc::strong_count(&self.order) > 1
    }

    fn carry_out(self, room: &Room) {
        let Job { task, name, fitting, order, waker } = self;
        let made = catch_unwind(AssertUnwindSafe(|| task.make(&fitting, room)));
        let outcome = made.unwrap_or_else(|_| Err("the decoder broke down on it".to_owned()));
        let outcome = outcome.map_err(|error| format!("{name}: {error}"));
        *order.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        waker();
    }
}

impl Task {
    fn make(self, fitting: &Fitting, room: &Room) -> Result<Made, String> {
        match self {
            Task::Begin(recipe) => recipe.make(fitting, room),
            Task::GoOn(mut reel) => Ok(Made::Frame(reel.next(fitting)?, reel)),
            Task::Develop(coded) => coded.develop(fitting, room).map(Made::Still),
            Task::Zone(name) => Ok(Made::Zone(zone(name.as_deref()))),
        }
    }
}

impl Recipe {
    fn make(&self, fitting: &Fitting, room: &Room) -> Result<Made, String> {
        match self {
            Recipe::File(path) => {
                let bytes = read(path).map_err(|error| format!("cannot be read: {error}"))?;
                if avif::is_avif(&bytes) {
                    return Ok(Made::Coded(Box::new(Avif::read(&bytes)?)));
                }
                let bytes = Bytes(Arc::new(bytes));
                let Some(mut reel) = Reel::open(&bytes)? else {
                    return decode::decode(bytes.as_ref(), fitting, room).map(Made::Still);
                };
                let first = reel.next(fitting)?.ok_or("there is no picture in it")?;
                Ok(Made::Frame(Some(first), Box::new(reel)))
            }
            Recipe::Card(card) => {
                let size = card::size(fitting.covers);
                let rgba = svg::render(&card::drawing(card, size), size)?;
                Ok(Made::Still(Still { natural: size, size, rgba }))
            }
            Recipe::Page { text, style } => text::page(text, style, fitting).map(Made::Still),
            Recipe::Strip { text, style } => {
                text::strip(text, style, fitting.scale).map(Made::Strip)
            }
        }
    }

    /// What an error is about.
    pub(super) fn name(&self) -> String {
        match self {
            Recipe::File(path) => path.display().to_string(),
            Recipe::Card(_) => "built-in card".to_owned(),
            Recipe::Page { .. } | Recipe::Strip { .. } => "text".to_owned(),
        }
    }
}

fn zone(name: Option<&str>) -> TimeZone {
    let Some(name) = name else { return TimeZone::system() };
    TimeZone::get(name).unwrap_or_else(|error| {
        tracing::warn!(zone = name, %error, "time zone not known: the system's is used");
        TimeZone::system()
    })
}

/// Reads a whole plain file; a pipe or device could make us wait for ever.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let found = fs::metadata(path)?;
    if !found.is_file() {
        return Err(io::Error::other("not a plain file"));
    }
    if found.len() > FILE_BYTES {
        let bytes = found.len();
        return Err(io::Error::other(format!("{bytes} bytes, at most {FILE_BYTES} are read")));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0));
    File::open(path)?.take(FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}
