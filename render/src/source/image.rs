//! Pictures and cards as sources: made on decode threads at the size that is shown.
//!
//! Two threads, named `decode-0` and `decode-1`, each with one picture at a time. A decoder that
//! panics costs its picture, not its thread. When the covered size changes, a still is made again,
//! the old one stays until then; a moving picture has the new size from its next frame on.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

use vitrine_config::time::Mono;

use super::decode::{self, Room, Still};
use super::film::Film;
use super::reel::{Bytes, Frame, Reel};
use super::{Picture, Source, SourceError, State, Waker, card, svg};
use crate::place::Fitting;
use crate::scene::{Card, Size};

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

enum Task {
    /// The first picture.
    Begin(Recipe),
    /// The next one.
    GoOn(Box<Reel>),
}

/// What came of it.
enum Made {
    Still(Still),
    /// None: there are no more.
    Frame(Option<Frame>, Box<Reel>),
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

    /// Begins to make a picture.
    pub(super) fn open(&self, recipe: Recipe, fitting: Fitting, waker: Waker) -> ImageSource {
        let mut source = ImageSource {
            queue: self.queue.clone(),
            recipe,
            fitting,
            waker,
            order: None,
            natural: None,
            still: None,
            taken: false,
            film: None,
            reel: None,
            failed: None,
        };
        source.begin();
        source
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
        }
    }
}

impl Recipe {
    fn make(&self, fitting: &Fitting, room: &Room) -> Result<Made, String> {
        match self {
            Recipe::File(path) => {
                let bytes = read(path).map_err(|error| format!("cannot be read: {error}"))?;
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
        }
    }

    fn name(&self) -> String {
        match self {
            Recipe::File(path) => path.display().to_string(),
            Recipe::Card(_) => "built-in card".to_owned(),
        }
    }
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

/// One picture, still or moving.
pub(super) struct ImageSource {
    queue: Arc<Queue>,
    recipe: Recipe,
    fitting: Fitting,
    waker: Waker,
    /// What is being made.
    order: Option<Arc<Order>>,
    natural: Option<Size>,
    /// Made; held until it was taken and the next call comes.
    still: Option<Still>,
    taken: bool,
    /// Its frames, once it is known to move.
    film: Option<Film>,
    /// Where they come from, while none is being made.
    reel: Option<Box<Reel>>,
    failed: Option<SourceError>,
}

impl ImageSource {
    fn begin(&mut self) {
        self.order(Task::Begin(self.recipe.clone()));
    }

    fn order(&mut self, task: Task) {
        let order = Arc::new(Order::default());
        let job = Job {
            task,
            name: self.recipe.name(),
            fitting: self.fitting,
            order: order.clone(),
            waker: self.waker.clone(),
        };
        match self.queue.push(job) {
            Ok(()) => self.order = Some(order),
            Err(error) => self.settle(Err(error)),
        }
    }

    fn settle(&mut self, outcome: Result<Made, String>) {
        match outcome {
            Ok(Made::Still(still)) => {
                self.natural = Some(still.natural);
                (self.still, self.taken) = (Some(still), false);
            }
            Ok(Made::Frame(frame, reel)) => self.add(frame, reel),
            // What could be made once stays as it is; a film that tears is broken.
            Err(error) if self.natural.is_some() && self.film.is_none() => {
                tracing::warn!(error, "picture not remade");
            }
            Err(error) => self.failed = Some(SourceError(error)),
        }
    }

    fn add(&mut self, frame: Option<Frame>, reel: Box<Reel>) {
        if let Some(frame) = &frame {
            self.natural = Some(frame.still.natural);
        }
        let film = self.film.get_or_insert_default();
        film.add(frame);
        match film.is_hungry() {
            true => self.order(Task::GoOn(reel)),
            false if film.is_over() => {}
            false => self.reel = Some(reel),
        }
    }

    /// Has another frame made if there is room for it.
    fn feed(&mut self) {
        if self.film.as_ref().is_some_and(Film::is_hungry)
            && let Some(reel) = self.reel.take()
        {
            self.order(Task::GoOn(reel));
        }
    }
}

impl Source for ImageSource {
    fn poll(&mut self, _now: Mono) -> State {
        if self.taken {
            self.still = None;
        }
        let outcome = self
            .order
            .as_ref()
            .and_then(|order| order.outcome.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(outcome) = outcome {
            self.order = None;
            self.settle(outcome);
        }
        self.feed();
        match (&self.failed, self.natural) {
            (Some(error), _) => State::Failed(error.clone()),
            (None, Some(size)) => State::Ready(size),
            (None, None) => State::Preparing,
        }
    }

    fn start(&mut self, at: Mono) {
        if let Some(film) = &mut self.film {
            film.start(at);
        }
    }

    fn take(&mut self, now: Mono) -> Option<Picture<'_>> {
        if let Some(film) = &mut self.film {
            let Still { size, rgba, .. } = film.take(now)?;
            return Some(Picture::Rgba { size: *size, data: rgba });
        }
        if std::mem::replace(&mut self.taken, true) {
            self.still = None;
        }
        let Still { size, rgba, .. } = self.still.as_ref()?;
        Some(Picture::Rgba { size: *size, data: rgba })
    }

    fn next_at(&self) -> Option<Mono> {
        match &self.film {
            Some(film) => film.next_at(),
            None => (self.still.is_some() && !self.taken).then_some(Mono(0)),
        }
    }

    fn dropped(&self) -> u64 {
        self.film.as_ref().map_or(0, Film::dropped)
    }

    fn resize(&mut self, covers: Size) {
        let before = self.fitting.covers;
        if before != covers && self.failed.is_none() {
            let grown = f64::from(covers.width_px) / f64::from(before.width_px.max(1));
            self.fitting.scale *= grown;
            self.fitting.covers = covers;
            if self.film.is_none() {
                self.begin();
            }
        }
    }

    fn again(&mut self) {
        match &mut self.film {
            Some(film) => film.again(),
            None if self.failed.is_none() && self.order.is_none() => self.begin(),
            None => {}
        }
    }
}

/// One colour, as a picture of one pixel.
pub(super) struct ColourSource {
    rgba: [u8; 4],
    taken: bool,
}

impl ColourSource {
    pub(super) fn new(crate::scene::Rgb([red, green, blue]): crate::scene::Rgb) -> ColourSource {
        ColourSource { rgba: [red, green, blue, 255], taken: false }
    }
}

/// What a colour is a picture of.
const ONE_PIXEL: Size = Size { width_px: 1, height_px: 1 };

impl Source for ColourSource {
    fn poll(&mut self, _now: Mono) -> State {
        State::Ready(ONE_PIXEL)
    }

    fn start(&mut self, _at: Mono) {}

    fn take(&mut self, _now: Mono) -> Option<Picture<'_>> {
        let first = !std::mem::replace(&mut self.taken, true);
        first.then_some(Picture::Rgba { size: ONE_PIXEL, data: &self.rgba })
    }

    fn next_at(&self) -> Option<Mono> {
        None
    }

    fn again(&mut self) {
        self.taken = false;
    }
}
