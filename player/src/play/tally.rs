//! What `vitrine play` says at the end: what was shown, how soon, how smoothly.

use std::collections::BTreeSet;

use serde::Serialize;
use vitrine_config::time::Mono;
use vitrine_render::report::{Report, Walls};

use crate::error::Error;
use crate::status::Showing;
use crate::{cli, out};

/// Everything counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tally {
    #[serde(skip)]
    started: Mono,
    /// What draws, once that is known.
    gpu: Option<String>,
    /// Whether frames stay in their decoder's memory.
    zero_copy: String,
    /// From the start of the program to the first frame of an item.
    first_frame_ms: Option<u64>,
    /// In the order in which they were first shown.
    items: Vec<Item>,
    /// Showings, including the second and third of an item.
    showings: u64,
    /// Frames of items that the display was handed.
    frames_presented: u64,
    /// Frames that came too late to be shown.
    frames_dropped: u64,
    /// What media workers were kept from; null without any.
    walls: Option<Walls>,
    #[serde(skip)]
    seen: BTreeSet<(String, String)>,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// Name of the file.
    pub name: String,
    /// From the start of the program to its first frame.
    pub shown_after_ms: u64,
    /// Where its picture was saved.
    pub picture: Option<String>,
}

impl Tally {
    /// Nothing yet.
    pub fn new(started: Mono) -> Tally {
        Tally {
            started,
            gpu: None,
            zero_copy: String::new(),
            first_frame_ms: None,
            items: Vec::new(),
            showings: 0,
            frames_presented: 0,
            frames_dropped: 0,
            walls: None,
            seen: BTreeSet::new(),
        }
    }

    /// When counting began.
    pub fn started(&self) -> Mono {
        self.started
    }

    /// Counts what the stage says about frames, and notes what it draws with.
    pub fn count(&mut self, report: &Report) {
        match report {
            Report::Gone { frames_presented, frames_dropped, .. } => {
                self.frames_presented += frames_presented;
                self.frames_dropped += frames_dropped;
            }
            Report::Beat(beat) => self.walls = beat.walls.or(self.walls),
            Report::Hello(hello) => {
                self.gpu = Some(hello.gpu.clone());
                self.zero_copy.clone_from(&hello.zero_copy);
            }
            _ => {}
        }
    }

    /// A showing whose first frame was presented at `at`. Returns the item's place, counted from
    /// 1, if it is shown for the first time.
    pub fn shown(&mut self, showing: &Showing, at: Mono) -> Option<usize> {
        let after_ms = u64::try_from(at.since(self.started).as_millis()).unwrap_or(u64::MAX);
        self.first_frame_ms.get_or_insert(after_ms);
        self.showings += 1;
        if !self.seen.insert((showing.playlist.clone(), showing.item.clone())) {
            return None;
        }
        let name = showing.label.clone();
        self.items.push(Item { name, shown_after_ms: after_ms, picture: None });
        Some(self.items.len())
    }

    /// The item at a place, counted from 1.
    pub fn item(&mut self, nth: usize) -> Option<&mut Item> {
        nth.checked_sub(1).and_then(|index| self.items.get_mut(index))
    }

    /// The last words.
    ///
    /// # Errors
    /// Nothing was shown at all.
    pub fn print(&self, args: &cli::Play) -> Result<(), Error> {
        if args.format.json {
            let text = serde_json::to_string(self).map_err(|error| Error::Output(error.into()))?;
            out::print(&text)?;
        } else {
            out::print(&self.text())?;
            if let Some(dir) = &args.snapshot {
                out::print(&format!("pictures in {}", dir.display()))?;
            }
        }
        if self.items.is_empty() {
            let why = "nothing to play: none of the files reached the screen; the complaints above say why";
            return Err(Error::NothingToPlay(why.to_owned()));
        }
        Ok(())
    }

    fn text(&self) -> String {
        let names: Vec<_> = self.items.iter().map(|item| item.name.as_str()).collect();
        let first = self
            .first_frame_ms
            .map_or_else(|| "no frame".to_owned(), |ms| format!("first frame after {ms} ms"));
        format!(
            "{}, {}: {}\n{first}, {} presented, {} dropped",
            count(self.items.len() as u64, "item"),
            count(self.showings, "showing"),
            names.join(", "),
            count(self.frames_presented, "frame"),
            self.frames_dropped,
        )
    }
}

fn count(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn showing(item: &str) -> Showing {
        Showing {
            turn: 1,
            zone: None,
            playlist: "p".into(),
            item: item.into(),
            label: format!("{item}.png"),
            since: None,
        }
    }

    #[test]
    fn items_are_counted_once_and_showings_always() {
        let mut tally = Tally::new(Mono(0));
        assert_eq!(tally.shown(&showing("a"), Mono(250_000_000)), Some(1));
        assert_eq!(tally.shown(&showing("b"), Mono(900_000_000)), Some(2));
        assert_eq!(tally.shown(&showing("a"), Mono(999_000_000)), None);
        tally.count(&Report::Gone {
            turn: 1,
            at: Mono(1),
            frames_presented: 30,
            frames_dropped: 2,
        });
        let want = "2 items, 3 showings: a.png, b.png\n\
                    first frame after 250 ms, 30 frames presented, 2 dropped";
        assert_eq!(tally.text(), want);
    }
}
