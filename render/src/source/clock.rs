//! Clocks and countdowns: a picture for each text, made before it is due.
//!
//! In:  what is said of the time, the time of day ([`Wall`]). Out: the picture of what is right now.
//!
//! Promises: between two texts nothing wakes up; the next text is on the screen with the frame that
//! follows its moment; when the time of day is set, the right text follows as soon as it is made.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use vitrine_config::time::Mono;

use super::decode::Still;
use super::decoders::{Ask, Made, Maker, Recipe, Task};
use super::time_names::Names;
use super::time_text::{Said, Saying};
use super::wall::Wall;
use super::{Picture, Source, SourceError, State};
use crate::place::Fitting;
use crate::scene::{Size, TextStyle, Words};

/// The text that is right and the one after it.
const PAGES: usize = 2;

/// A text and its picture.
struct Page {
    from: Timestamp,
    said: Said,
    ask: Option<Ask>,
    still: Option<Still>,
}

impl Page {
    fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && self.said.until.is_none_or(|until| now < until)
    }
}

/// A clock or a countdown.
pub(super) struct ClockSource {
    maker: Maker,
    wall: Arc<Wall>,
    style: TextStyle,
    fitting: Fitting,
    /// None: the time zone is still being found.
    saying: Option<Saying>,
    zone: Option<(String, Option<Names>, Ask)>,
    /// In the order of time; the first is right, or was.
    pages: VecDeque<Page>,
    /// What is on the screen, to be given again.
    shown: Option<Still>,
    fresh: bool,
    failed: Option<SourceError>,
}

impl ClockSource {
    /// Begins to make the first picture. `words` that do not speak of time say nothing.
    pub(super) fn open(
        maker: Maker,
        wall: Arc<Wall>,
        (words, style): (Words, TextStyle),
        fitting: Fitting,
    ) -> ClockSource {
        let mut source = ClockSource {
            maker,
            wall,
            style,
            fitting,
            saying: None,
            zone: None,
            pages: VecDeque::new(),
            shown: None,
            fresh: false,
            failed: None,
        };
        match words {
            Words::Clock { format, zone, locale } => {
                source.find(format, locale.as_deref().and_then(names), zone);
            }
            Words::Countdown { to, format, over } => {
                source.saying = Some(Saying::Countdown { to, format, over });
            }
            Words::Still(_) | Words::Ticker { .. } => {}
        }
        source
    }

    fn find(&mut self, format: String, names: Option<Names>, zone: Option<String>) {
        match self.maker.ask(Task::Zone(zone), "time zone".to_owned(), self.fitting) {
            Ok(ask) => self.zone = Some((format, names, ask)),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: String) {
        self.failed.get_or_insert(SourceError(error));
    }

    /// Takes in what has been made.
    fn collect(&mut self) {
        if let Some(Ok(Made::Zone(zone))) = self.zone.as_ref().and_then(|(.., ask)| ask.take())
            && let Some((format, names, _)) = self.zone.take()
        {
            self.saying = Some(Saying::Clock { format, zone, names });
        }
        let mut failed = None;
        for page in &mut self.pages {
            match page.ask.as_ref().and_then(Ask::take) {
                Some(Ok(Made::Still(still))) => (page.still, page.ask) = (Some(still), None),
                Some(Err(error)) => failed = Some(error),
                Some(Ok(_)) | None => {}
            }
        }
        if let Some(error) = failed {
            self.fail(error);
        }
    }

    /// Lets go of what is past, and begins anew when the time of day was set.
    fn turn(&mut self, now: Timestamp) {
        if self.pages.get(1).is_some_and(|next| next.holds(now)) {
            self.pages.pop_front();
        }
        if self.pages.front().is_some_and(|page| !page.holds(now)) {
            self.pages.clear();
        }
        while self.failed.is_none() && self.pages.len() < PAGES {
            let from = match self.pages.back() {
                None => now,
                Some(Page { said: Said { until: Some(until), .. }, .. }) => *until,
                Some(_) => return,
            };
            let Some(saying) = &self.saying else { return };
            match saying.at(from) {
                Ok(said) => self.write(from, said),
                Err(error) => self.fail(error),
            }
        }
    }

    fn write(&mut self, from: Timestamp, said: Said) {
        let recipe = Recipe::Page { text: said.text.clone(), style: self.style.clone() };
        match self.maker.ask(Task::Begin(recipe), format!("text {:?}", said.text), self.fitting) {
            Ok(ask) => self.pages.push_back(Page { from, said, ask: Some(ask), still: None }),
            Err(error) => self.fail(error),
        }
    }
}

fn names(locale: &str) -> Option<Names> {
    let names = Names::of(locale);
    if names.is_none() {
        tracing::warn!(locale, "locale not known: days and months have English names");
    }
    names
}

impl Source for ClockSource {
    fn poll(&mut self, now: Mono) -> State {
        self.collect();
        let now = self.wall.at(now);
        self.turn(now);
        let is_ready = self.pages.front().is_some_and(|page| page.still.is_some());
        match &self.failed {
            Some(error) => State::Failed(error.clone()),
            None if is_ready || self.shown.is_some() => State::Ready(self.fitting.covers),
            None => State::Preparing,
        }
    }

    fn start(&mut self, _at: Mono) {}

    fn take(&mut self, now: Mono) -> Option<Picture<'_>> {
        self.turn(self.wall.at(now));
        if let Some(still) = self.pages.front_mut().and_then(|page| page.still.take()) {
            (self.shown, self.fresh) = (Some(still), true);
        }
        let Still { size, rgba, .. } = self.shown.as_ref()?;
        std::mem::take(&mut self.fresh).then_some(Picture::Rgba { size: *size, data: rgba })
    }

    fn next_at(&self) -> Option<Mono> {
        let first = self.pages.front()?;
        if self.fresh || first.still.is_some() {
            return Some(Mono(0));
        }
        let next = self.pages.get(1).filter(|page| page.still.is_some())?;
        Some(self.wall.mono(next.from))
    }

    fn again(&mut self) {
        self.fresh = self.shown.is_some();
    }

    fn resize(&mut self, covers: Size) {
        let before = self.fitting.covers;
        if before != covers {
            self.fitting.scale *= f64::from(covers.width_px) / f64::from(before.width_px.max(1));
            self.fitting.covers = covers;
            self.pages.clear();
        }
    }
}

#[cfg(test)]
mod tests;
