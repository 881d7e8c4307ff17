//! What is due, why, and until when.
//!
//! In:  the schedule, a moment in the device's zone, how far the clock deserves belief, and which
//!      targets have anything to show.
//! Out: a [`Due`]: who plays, how every entry fared, the next moment worth asking again.
//!
//! Promises, each held by a test of the same name:
//! - `the_answer_holds_until_until`: nothing changes before [`Due::until`];
//! - `a_guess_never_leaves_the_screen_empty`: what a guessed clock calls over is the last choice,
//!   but a choice;
//! - `overlays_stand_in_nobodys_way`: what plays below is the same with them and without;
//! - `each_display_has_its_own_schedule`: entries for one are as good as not there for another.
//!
//! Not here: where in a playlist we are (`playlist`), when to ask again (`agenda`).

use std::cmp::Reverse;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use vitrine_config::limits;
use vitrine_config::time::Trust;
use vitrine_sync::model::{Day, Entry, EntryKind, Target, Window};

/// What is due at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Places in the schedule of the entries in force, first in the schedule first. Several take
    /// turns: each plays one pass. None: nothing is due.
    pub entries: Vec<usize>,
    /// Places in the schedule of what is in force besides: the first of the highest rank for each
    /// other display, then the overlays, back to front.
    pub overlays: Vec<usize>,
    /// How each entry of the schedule fared, in its order.
    pub verdicts: Vec<Verdict>,
    /// No answer changes before. None: never.
    pub until: Option<Timestamp>,
}

/// How an entry fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// In force.
    Plays,
    /// Could play, but a higher kind or priority does; an overlay: too many lie in front of it; on
    /// another display than the first: an equal before it does.
    Outranked,
    /// It is for a display that is not there, or has no entries of its own.
    NoDisplay,
    /// Is due, but none of its items can be shown.
    NothingToShow,
    /// None of its windows is open.
    WindowClosed,
    /// Its validity has not begun.
    NotYet,
    /// Its validity has ended.
    Over,
}

/// Higher plays. What may be over (by a guessed clock) is below everything that is not.
type Rank = (bool, Reverse<EntryRank>, i32);

/// Place of a kind: lower comes first.
type EntryRank = u8;

/// What a schedule is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The moment, in the device's zone.
    pub now: &'a Zoned,
    /// How far it deserves belief.
    pub trust: Trust,
    /// How many displays have entries of their own, 1 or more.
    pub displays: u8,
}

/// Finds what is due: of the entries for a display whose validity and one of whose windows hold and
/// whose target has something to show, those of the highest kind and priority.
///
/// Windows are half-open, `[from, until)`, in the zone of `now`; a local time that is skipped moves
/// on by the length of the gap, one that comes twice means its first occurrence.
///
/// While the clock is a guess, an entry is never over: one that would be ranks below all others,
/// fallbacks too, and so plays instead of a card only. An overlay that would be over is.
pub fn resolve(
    schedule: &[Entry],
    asked: &Asked<'_>,
    has_something: &dyn Fn(&Target) -> bool,
) -> Due {
    let mut verdicts: Vec<Verdict> = schedule.iter().map(|e| standing(e, asked)).collect();
    for (entry, verdict) in schedule.iter().zip(&mut verdicts) {
        if *verdict == Verdict::Plays && !has_something(&entry.target) {
            *verdict = Verdict::NothingToShow;
        }
    }
    let at = asked.now.timestamp();
    let entries = highest(schedule, (1, at), &mut verdicts);
    let beside = (2..=asked.displays).filter_map(|display| {
        let best = highest(schedule, (display, at), &mut verdicts);
        // Those that wait for nothing but their turn never get one.
        best.iter().skip(1).for_each(|place| verdicts[*place] = Verdict::Outranked);
        best.first().copied()
    });
    let mut in_front: Vec<usize> = beside.collect();
    in_front.extend(overlays(schedule, &mut verdicts));
    Due { entries, overlays: in_front, verdicts, until: next_edge(schedule, asked.now) }
}

/// The entries of the highest rank for a display; others that could play are outranked.
fn highest(
    schedule: &[Entry],
    (display, at): (u8, Timestamp),
    verdicts: &mut [Verdict],
) -> Vec<usize> {
    let rank_of = |place: usize, verdict: Verdict| {
        let entry = schedule.get(place).filter(|entry| entry.display == display)?;
        rank(entry, at).filter(|_| verdict == Verdict::Plays)
    };
    let best = verdicts.iter().enumerate().filter_map(|(n, verdict)| rank_of(n, *verdict)).max();
    let mut places = Vec::new();
    for (place, verdict) in verdicts.iter_mut().enumerate() {
        match rank_of(place, *verdict) {
            Some(rank) if Some(rank) == best => places.push(place),
            Some(_) => *verdict = Verdict::Outranked,
            None => {}
        }
    }
    places
}

/// The overlays in force, back to front: by priority, then as in the schedule. Beyond
/// [`limits::OVERLAYS`] the hindmost are outranked.
fn overlays(schedule: &[Entry], verdicts: &mut [Verdict]) -> Vec<usize> {
    let entry = |place: &usize| schedule.get(*place);
    let plays = |place: &usize| {
        entry(place).is_some_and(|entry| entry.kind == EntryKind::Overlay)
            && verdicts.get(*place) == Some(&Verdict::Plays)
    };
    let mut places: Vec<usize> = (0..schedule.len()).filter(plays).collect();
    places.sort_by_key(|place| entry(place).map(|entry| entry.priority));
    let surplus = places.len().saturating_sub(limits::OVERLAYS);
    for place in places.drain(..surplus) {
        verdicts[place] = Verdict::Outranked;
    }
    places
}

/// None: an overlay, which competes with nobody.
fn rank(entry: &Entry, at: Timestamp) -> Option<Rank> {
    let certain = entry.valid.until.is_none_or(|until| at < until);
    let kind = match entry.kind {
        EntryKind::Interrupt => 0,
        EntryKind::Normal => 1,
        EntryKind::Fallback => 2,
        EntryKind::Overlay => return None,
    };
    Some((certain, Reverse(kind), entry.priority))
}

/// How an entry stands by itself; `Plays` if nothing but others can be in its way.
fn standing(entry: &Entry, asked: &Asked<'_>) -> Verdict {
    let Asked { now, trust, displays } = *asked;
    let at = now.timestamp();
    if entry.display > displays {
        return Verdict::NoDisplay;
    }
    if entry.valid.from.is_some_and(|from| at < from) {
        return Verdict::NotYet;
    }
    let ends = trust == Trust::Synced || entry.kind == EntryKind::Overlay;
    if ends && entry.valid.until.is_some_and(|until| until <= at) {
        return Verdict::Over;
    }
    let open =
        entry.windows.is_empty() || spans(entry, now).any(|(from, until)| from <= at && at < until);
    if open { Verdict::Plays } else { Verdict::WindowClosed }
}

/// The first moment after `now` at which any entry may fare differently.
fn next_edge(schedule: &[Entry], now: &Zoned) -> Option<Timestamp> {
    let bounds = |entry: &Entry| [entry.valid.from, entry.valid.until].into_iter().flatten();
    let edges = |entry| spans(entry, now).flat_map(|(from, until)| [from, until]);
    schedule
        .iter()
        .flat_map(|entry| edges(entry).chain(bounds(entry)))
        .filter(|edge| *edge > now.timestamp())
        .min()
}

/// The openings of an entry's windows from yesterday's, which may still be open, to those a week
/// ahead, which shows every edge once.
fn spans(entry: &Entry, now: &Zoned) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    let today = now.date();
    let days = (-1..=7_i64).filter_map(move |day| today.checked_add(day.days()).ok());
    days.flat_map(move |date| {
        entry.windows.iter().filter_map(move |window| span(window, date, now.time_zone()))
    })
}

/// When `window` opens on `date` and closes again; None if it does not open that day.
fn span(window: &Window, date: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    if !window.days.is_empty() && !window.days.contains(&day(date.weekday())) {
        return None;
    }
    let overnight = window.until <= window.from;
    let last = if overnight { date.tomorrow().ok()? } else { date };
    let from = instant(date.to_datetime(window.from), zone)?;
    let until = instant(last.to_datetime(window.until), zone)?;
    Some((from, until))
}

fn instant(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(local).compatible().ok()
}

fn day(weekday: Weekday) -> Day {
    match weekday {
        Weekday::Monday => Day::Mon,
        Weekday::Tuesday => Day::Tue,
        Weekday::Wednesday => Day::Wed,
        Weekday::Thursday => Day::Thu,
        Weekday::Friday => Day::Fri,
        Weekday::Saturday => Day::Sat,
        Weekday::Sunday => Day::Sun,
    }
}

#[cfg(test)]
mod tests;
