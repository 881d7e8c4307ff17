//! What a virtual display really shows, looked at as often as can be: which item, which frame, for
//! how long, and what else.
//!
//! In:  pictures of the display with the moments at which they were taken; the items that there are.
//! Out: [`Change`]s from one item to the next.
//!
//! Each item has a ground colour of its own; clips carry their frame's number in blocks (see
//! `tests/media/make`). Whatever is neither of the two items of a change is foreign, black included.

use std::time::{Duration, Instant};

use image::RgbImage;

use crate::display::Display;

/// How far codecs and rounding may take a colour.
const TOLERANCE: u8 = 30;

/// An item as it is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Colour of its ground.
    pub rgb: [u8; 3],
    /// How long it should be on the screen.
    pub lasts: Duration,
}

/// From one item to the next, as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Place of the item that ended.
    pub from: usize,
    /// From the last sight of the one item to the first of the next, if something else was seen in
    /// between; zero if not.
    pub foreign: Duration,
    /// What the item was on the screen for.
    pub lasted: Duration,
    /// Whether the next item was the one that follows in the list.
    pub in_order: bool,
}

/// Watches a display.
#[derive(Debug)]
pub struct Oracle {
    items: Vec<Known>,
    /// The item on the screen, since when, and when it was last seen.
    on: Option<(usize, Duration, Duration)>,
    /// Something else was seen since.
    foreign: bool,
    changes: Vec<Change>,
}

impl Oracle {
    /// Of these items, played in this order.
    pub fn new(items: Vec<Known>) -> Oracle {
        Oracle { items, on: None, foreign: false, changes: Vec::new() }
    }

    /// The display looked like this at `at`.
    pub fn saw(&mut self, picture: &RgbImage, at: Duration) {
        let found = self.item(picture);
        match (self.on, found) {
            (Some((on, since, _)), Some(item)) if item == on => self.on = Some((on, since, at)),
            (Some((from, since, last)), Some(to)) => {
                let foreign = if self.foreign { at.saturating_sub(last) } else { Duration::ZERO };
                let in_order = to == (from + 1) % self.items.len();
                let lasted = at.saturating_sub(since);
                self.changes.push(Change { from, foreign, lasted, in_order });
                self.on = Some((to, at, at));
            }
            (None, Some(item)) => self.on = Some((item, at, at)),
            (_, None) => {}
        }
        self.foreign = found.is_none();
    }

    /// Changes so far; the first item's is left out, whose beginning nobody saw.
    pub fn changes(&self) -> &[Change] {
        self.changes.get(1..).unwrap_or(&[])
    }

    /// For how much longer than it should an item was on the screen, without what is foreign.
    pub fn frozen(&self, change: &Change) -> Duration {
        let lasts = self.items.get(change.from).map_or(Duration::ZERO, |item| item.lasts);
        change.lasted.saturating_sub(change.foreign).saturating_sub(lasts)
    }

    /// The item whose ground the picture has, near its middle: at the sides may be bars.
    fn item(&self, picture: &RgbImage) -> Option<usize> {
        let (width, height) = picture.dimensions();
        let [left, right] = [width * 3 / 8, width * 5 / 8];
        let places = [(width / 2, height / 2), (left, height * 5 / 8), (right, height * 5 / 8)];
        let has = |rgb: [u8; 3]| {
            let near = |(x, y): (u32, u32)| {
                let found = picture.get_pixel(x, y).0;
                found.iter().zip(rgb).all(|(f, w)| f.abs_diff(w) <= TOLERANCE)
            };
            places.into_iter().all(near)
        };
        self.items.iter().position(|item| has(item.rgb))
    }
}

/// A player that shows nothing new for so long has stopped.
const STOPPED: Duration = Duration::from_secs(20);

/// Looks at a display as often as can be until `changes` were seen; an error if there are no more.
#[allow(clippy::disallowed_methods)]
pub fn watch(display: &Display, items: &[Known], changes: usize) -> Result<Oracle, String> {
    let eye = display.eye()?;
    let mut oracle = Oracle::new(items.to_vec());
    let begun = Instant::now();
    let (mut seen, mut last) = (0, begun);
    while oracle.changes().len() < changes {
        oracle.saw(&eye.picture()?, begun.elapsed());
        if oracle.changes().len() > seen {
            (seen, last) = (oracle.changes().len(), Instant::now());
        } else if last.elapsed() > STOPPED {
            return Err(format!("nothing new after {seen} changes"));
        }
    }
    Ok(oracle)
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    const RED: [u8; 3] = [200, 0, 0];
    const BLUE: [u8; 3] = [0, 0, 200];

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn watched(seen: &[([u8; 3], u64)]) -> Oracle {
        let known = |rgb| Known { rgb, lasts: ms(100) };
        let mut oracle = Oracle::new(vec![known(RED), known(BLUE)]);
        for (rgb, at) in seen {
            oracle.saw(&RgbImage::from_pixel(16, 9, Rgb(*rgb)), ms(*at));
        }
        oracle
    }

    #[test]
    fn what_is_foreign_frozen_or_out_of_order_is_seen() {
        const BLACK: [u8; 3] = [0; 3];
        let clean =
            watched(&[(RED, 0), (BLUE, 100), (BLUE, 195), (RED, 200), (RED, 299), (BLUE, 300)]);
        assert_eq!(clean.changes().len(), 2);
        assert!(clean.changes().iter().all(|c| c.foreign == ms(0) && c.in_order));
        assert_eq!(clean.frozen(&clean.changes()[0]), ms(0));
        let black = watched(&[(RED, 0), (BLUE, 100), (BLUE, 190), (BLACK, 195), (RED, 230)]);
        assert_eq!(black.changes()[0].foreign, ms(40));
        let frozen = watched(&[(RED, 0), (BLUE, 100), (BLUE, 240), (RED, 250)]);
        assert_eq!(frozen.frozen(&frozen.changes()[0]), ms(50));
        // Half of each is neither.
        let mut torn = watched(&[(RED, 0), (BLUE, 100)]);
        let half = RgbImage::from_fn(16, 9, |x, _| Rgb(if x < 8 { RED } else { BLUE }));
        torn.saw(&half, ms(190));
        torn.saw(&RgbImage::from_pixel(16, 9, Rgb(RED)), ms(200));
        assert!(torn.changes()[0].foreign > ms(0), "a torn picture is no item");
    }
}
