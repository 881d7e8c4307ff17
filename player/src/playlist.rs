//! Which item of a playlist comes next.
//!
//! In:  what is live, what failed, the moment.
//! Out: the next item that can be shown, and whether the playlist begins anew with it.
//!
//! Promises, each held by a test of the same name:
//! - `an_item_that_failed_is_passed_over_with_growing_gaps`: a playlist in which everything fails
//!   does not spin;
//! - `a_guess_ends_no_item`: what a guessed clock calls over is the last choice, but a choice.
//!
//! Not here: how long an item stays (`director`), which playlist plays (`schedule`).

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use vitrine_config::time::{Mono, Trust};
use vitrine_sync::model::{Content, Item, Live, Playlist, Target, Words};

/// Gap before the first new attempt: long enough for a playlist in which everything fails to cost
/// nothing, short enough to be back soon after a passing trouble.
const RETRY_FIRST: Duration = Duration::from_secs(15);
/// Longest gap: a file that never plays costs one attempt an hour.
const RETRY_LAST: Duration = Duration::from_secs(3_600);

/// Items that could not be shown, by playlist and item. Of one generation: bounded by its items.
#[derive(Debug, Default)]
pub struct Failures {
    book: BTreeMap<(String, String), Failure>,
}

#[derive(Debug)]
struct Failure {
    /// In a row.
    times: u32,
    /// How many of all of them by being late.
    late: u32,
    again_at: Mono,
}

impl Failures {
    /// Notes a failure at `now`; true if it is the item's first in this generation.
    pub fn note(&mut self, playlist: &str, item: &str, now: Mono) -> bool {
        let key = (playlist.to_owned(), item.to_owned());
        let first = !self.book.contains_key(&key);
        let failure = self.book.entry(key).or_insert(Failure { times: 0, late: 0, again_at: now });
        failure.again_at = now.after(gap(failure.times));
        failure.times = failure.times.saturating_add(1);
        first
    }

    /// The item was shown from its first to its last moment: the next gap is the first one again.
    pub fn forgive(&mut self, playlist: &str, item: &str) {
        if let Some(failure) = self.book.get_mut(&(playlist.to_owned(), item.to_owned())) {
            failure.times = 0;
        }
    }

    /// The failure was that it was not ready in time.
    pub fn note_late(&mut self, playlist: &str, item: &str) {
        if let Some(failure) = self.book.get_mut(&(playlist.to_owned(), item.to_owned())) {
            failure.late = failure.late.saturating_add(1);
        }
    }

    /// How often the item was not ready in time, in this generation.
    pub fn late(&self, playlist: &str, item: &str) -> u32 {
        let found = self.book.get(&(playlist.to_owned(), item.to_owned()));
        found.map_or(0, |failure| failure.late)
    }

    /// Whether anything has failed.
    pub fn any(&self) -> bool {
        !self.book.is_empty()
    }

    /// Another generation: everything gets a new chance.
    pub fn clear(&mut self) {
        self.book.clear();
    }

    /// When the next item gets another chance.
    pub fn next_chance(&self, now: Mono) -> Option<Mono> {
        self.book.values().map(|failure| failure.again_at).filter(|at| *at > now).min()
    }

    fn blocks(&self, playlist: &str, item: &str, now: Mono) -> bool {
        let found = self.book.get(&(playlist.to_owned(), item.to_owned()));
        found.is_some_and(|failure| failure.again_at > now)
    }
}

fn gap(times: u32) -> Duration {
    RETRY_FIRST.saturating_mul(1 << times.min(16)).min(RETRY_LAST)
}

/// What can be shown at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Stock<'a> {
    /// What there is.
    pub live: &'a Live,
    /// What does not work.
    pub failures: &'a Failures,
    /// The moment, by the wall clock.
    pub wall: Timestamp,
    /// The same by the steady clock.
    pub mono: Mono,
    /// How far `wall` deserves belief.
    pub trust: Trust,
}

/// A step to another item, or to the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Place in the playlist.
    pub index: usize,
    /// Whether the end of the playlist lies between.
    pub wraps: bool,
}

/// How much speaks for showing an item; the greatest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Chance {
    None,
    /// Over by a guessed clock: when there is nothing else.
    Doubtful,
    Good,
}

impl Stock<'_> {
    /// The playlist of this id.
    pub fn playlist(&self, id: &str) -> Option<&Playlist> {
        self.live.manifest.playlists.get(id)
    }

    /// The next item after place `after` that can be shown; from the first place if None. May be
    /// the item at `after` itself, when no other can.
    pub fn next(&self, playlist: &Playlist, after: Option<usize>) -> Option<Step> {
        let count = playlist.items.len();
        let start = after.map_or(0, |after| (after + 1).min(count));
        self.best(playlist, (0..count).map(|ahead| (start + ahead) % count), |index| {
            after.is_some_and(|after| index <= after)
        })
    }

    /// The same in the other direction.
    pub fn previous(&self, playlist: &Playlist, before: usize) -> Option<Step> {
        let count = playlist.items.len();
        let before = before.min(count);
        let places = (1..=count).map(|back| (before + count - back) % count);
        // Going back completes no pass.
        self.best(playlist, places, |_| false)
    }

    fn best(
        &self,
        playlist: &Playlist,
        places: impl Iterator<Item = usize>,
        wraps: impl Fn(usize) -> bool,
    ) -> Option<Step> {
        let mut doubtful = None;
        for index in places {
            match self.chance(playlist, playlist.items.get(index)?) {
                Chance::Good => return Some(Step { index, wraps: wraps(index) }),
                Chance::Doubtful => _ = doubtful.get_or_insert(Step { index, wraps: wraps(index) }),
                Chance::None => {}
            }
        }
        doubtful
    }

    fn chance(&self, playlist: &Playlist, item: &Item) -> Chance {
        if !self.stands(item) || self.failures.blocks(&playlist.id, &item.id, self.mono) {
            return Chance::None;
        }
        if item.valid.holds(self.wall) { Chance::Good } else { Chance::Doubtful }
    }

    /// Whether an item that is on the screen may stay: its file is here and its validity, as far
    /// as the clock is believed, holds.
    pub fn stands(&self, item: &Item) -> bool {
        let here = item.content.asset().is_none_or(|asset| {
            !self.live.missing.contains(&asset) && self.live.files.path(&asset).is_some()
        });
        let here = here && self.has_words(item);
        let begun = item.valid.from.is_none_or(|from| from <= self.wall);
        here && begun && (self.trust == Trust::Guess || item.valid.holds(self.wall))
    }

    /// False for a ticker whose feed has brought nothing yet.
    fn has_words(&self, item: &Item) -> bool {
        let Content::Text(text) = &item.content else { return true };
        let Words::Ticker { text, feed, .. } = &text.words else { return true };
        self.live.ticker_text(text, feed.as_ref()).is_some()
    }

    /// Whether a target has anything to show.
    pub fn has_something(&self, target: &Target) -> bool {
        let plays = |id: &str| self.playlist(id).is_some_and(|p| self.next(p, None).is_some());
        match target {
            Target::Playlist(id) => plays(id),
            Target::Layout(id) => {
                let layout = self.live.manifest.layouts.get(id);
                layout.is_some_and(|layout| layout.zones.iter().any(|zone| plays(&zone.playlist)))
            }
        }
    }

    /// The next moment at which the validity of any item begins or ends.
    pub fn next_bound(&self) -> Option<Timestamp> {
        let items = self.live.manifest.playlists.values().flat_map(|playlist| &playlist.items);
        let bounds = items.flat_map(|item| [item.valid.from, item.valid.until]);
        bounds.flatten().filter(|bound| *bound > self.wall).min()
    }
}

#[cfg(test)]
mod tests {
    use vitrine_sync::model::Validity;

    use super::*;
    use crate::director::sim::{colour, live, playlist};

    fn stock<'a>(live: &'a Live, failures: &'a Failures) -> Stock<'a> {
        let wall = Timestamp::from_second(1_000).expect("in range");
        Stock { live, failures, wall, mono: Mono(0), trust: Trust::Synced }
    }

    #[test]
    fn the_next_item_is_the_next_that_can_be_shown() {
        let mut list = playlist("p", vec![colour("a"), colour("b"), colour("c")]);
        list.items[1].content = Content::Image(vitrine_sync::model::Digest([7; 32]));
        let mut live = live(1, vec![list.clone()]);
        live.missing.insert(vitrine_sync::model::Digest([7; 32]));
        let failures = Failures::default();
        let stock = stock(&live, &failures);
        for (case, after, index, wraps) in [
            ("start", None, 0, false),
            ("a missing one is passed over", Some(0), 2, false),
            ("round", Some(2), 0, true),
            ("a place that is gone", Some(9), 0, true),
        ] {
            assert_eq!(stock.next(&list, after), Some(Step { index, wraps }), "case {case:?}");
        }
        for (case, before, index) in [("back", 2, 0), ("back round", 0, 2)] {
            let want = Some(Step { index, wraps: false });
            assert_eq!(stock.previous(&list, before), want, "case {case:?}");
        }
        assert_eq!(stock.next(&playlist("none", vec![]), None), None);
        assert_eq!(stock.previous(&playlist("none", vec![]), 3), None);
    }

    #[test]
    fn an_item_that_failed_is_passed_over_with_growing_gaps() {
        let list = playlist("p", vec![colour("a"), colour("b")]);
        let live = live(1, vec![list.clone()]);
        let mut failures = Failures::default();
        let mut at = Mono(0);
        for (case, gap_s) in [("first", 15), ("second", 30), ("third", 60), ("fourth", 120)] {
            assert_eq!(failures.note("p", "a", at), case == "first");
            let before = Mono(at.after(Duration::from_secs(gap_s)).0 - 1);
            let step = |mono| Stock { mono, ..stock(&live, &failures) }.next(&list, Some(1));
            assert_eq!(step(before).map(|s| s.index), Some(1), "too early, case {case:?}");
            at = at.after(Duration::from_secs(gap_s));
            assert_eq!(step(at).map(|s| s.index), Some(0), "late, case {case:?}");
        }
        (0..40).for_each(|_| _ = failures.note("p", "b", at));
        assert_eq!(failures.next_chance(at), Some(at.after(RETRY_LAST)));
        failures.forgive("p", "b");
        failures.note("p", "b", at);
        assert_eq!(failures.next_chance(at), Some(at.after(RETRY_FIRST)));
    }

    #[test]
    fn a_guess_ends_no_item() {
        let ended = Validity { from: None, until: Timestamp::from_second(900).ok() };
        let coming = Validity { from: Timestamp::from_second(1_100).ok(), until: None };
        let with = |valid: Validity| Item { valid, ..colour("a") };
        for (case, valid, trust, others, want) in [
            ("over, believed", ended, Trust::Synced, false, None),
            ("over, guessed, alone", ended, Trust::Guess, false, Some(0)),
            ("over, guessed, not alone", ended, Trust::Guess, true, Some(1)),
            ("not begun", coming, Trust::Guess, false, None),
        ] {
            let more = if others { vec![with(valid), colour("b")] } else { vec![with(valid)] };
            let list = playlist("p", more);
            let live = live(1, vec![list.clone()]);
            let failures = Failures::default();
            let stock = Stock { trust, ..stock(&live, &failures) };
            assert_eq!(stock.next(&list, None).map(|s| s.index), want, "case {case:?}");
        }
    }
}
