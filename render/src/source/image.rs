//! Pictures and cards as sources: still ones and such as move.
//!
//! When the covered size changes, a still is made again, the old one stays until then; a moving
//! picture has the new size from its next frame on.
//!
//! Not here: making them (`source::decoders`, and `source::coded` before that where a worker has to
//! decode one), when a moving picture moves (`source::film`).

use vitrine_config::time::Mono;

use super::coded::Coded;
use super::decode::Still;
use super::decoders::{Ask, Made, Maker, Recipe, Task};
use super::film::Film;
use super::reel::{Frame, Reel};
use super::{Picture, Source, SourceError, State};
use crate::place::Fitting;
use crate::scene::Size;

/// One picture, still or moving.
pub(super) struct ImageSource {
    maker: Maker,
    recipe: Recipe,
    fitting: Fitting,
    /// What is being made.
    order: Option<Ask>,
    /// What a worker is decoding.
    coded: Option<Box<Coded>>,
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
    /// Begins to make a picture.
    pub(super) fn open(maker: Maker, recipe: Recipe, fitting: Fitting) -> ImageSource {
        let mut source = ImageSource {
            maker,
            recipe,
            fitting,
            order: None,
            coded: None,
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

    fn begin(&mut self) {
        self.coded = None;
        self.order(Task::Begin(self.recipe.clone()));
    }

    fn order(&mut self, task: Task) {
        match self.maker.ask(task, self.recipe.name(), self.fitting) {
            Ok(order) => self.order = Some(order),
            Err(error) => self.settle(Err(error)),
        }
    }

    fn settle(&mut self, outcome: Result<Made, String>) {
        match outcome {
            Ok(Made::Still(still)) => {
                self.natural = Some(still.natural);
                (self.still, self.taken) = (Some(still), false);
            }
            Ok(Made::Coded(picture)) => match self.maker.decode(*picture, &self.recipe.name()) {
                Ok(coded) => self.coded = Some(Box::new(coded)),
                Err(error) => self.settle(Err(error)),
            },
            Ok(Made::Frame(frame, reel)) => self.add(frame, reel),
            // Nobody here asks for such things.
            Ok(Made::Strip(_) | Made::Zone(_)) => {}
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

    /// Goes on with what a worker has decoded.
    fn develop(&mut self, now: Mono) {
        match self.coded.as_mut().map(|coded| coded.poll(now)) {
            Some(Ok(true)) => {
                if let Some(coded) = self.coded.take() {
                    self.order(Task::Develop(coded));
                }
            }
            Some(Err(SourceError(error))) => {
                self.coded = None;
                self.settle(Err(error));
            }
            Some(Ok(false)) | None => {}
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
    fn poll(&mut self, now: Mono) -> State {
        if self.taken {
            self.still = None;
        }
        if let Some(outcome) = self.order.as_ref().and_then(Ask::take) {
            self.order = None;
            self.settle(outcome);
        }
        self.develop(now);
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

    fn is_starting(&self) -> bool {
        self.coded.as_ref().is_some_and(|coded| coded.is_starting())
    }

    fn again(&mut self) {
        match &mut self.film {
            Some(film) => film.again(),
            None if self.failed.is_none() && self.order.is_none() && self.coded.is_none() => {
                self.begin();
            }
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
    /// Nothing to be seen.
    pub(super) fn clear() -> ColourSource {
        ColourSource { rgba: [0; 4], taken: false }
    }

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
