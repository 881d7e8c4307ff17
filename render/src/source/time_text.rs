//! What a clock or a countdown says, and until when.
//!
//! Pure. Promise, held by a property test: a text holds from the moment it was asked for until the
//! moment that is given with it.
//!
//! Not here: what time it is (`source::wall`), pictures (`source::clock`).

use std::borrow::Cow;

use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Unit, Zoned};

use super::time_names::Names;

/// What is said of the time.
#[derive(Debug, Clone)]
pub(super) enum Saying {
    /// The time of day.
    Clock {
        format: String,
        zone: TimeZone,
        /// None: English ones.
        names: Option<Names>,
    },
    /// The time that is left.
    Countdown { to: Timestamp, format: String, over: Option<String> },
}

/// Words, and the moment at which they are no longer right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub text: String,
    /// None: never again.
    pub until: Option<Timestamp>,
}

impl Saying {
    /// What is right at `now`.
    ///
    /// # Errors
    /// A format that says nothing.
    pub(super) fn at(&self, now: Timestamp) -> Result<Said, String> {
        match self {
            Saying::Clock { format, zone, names } => {
                let (now, names) = (now.to_zoned(zone.clone()), names.as_ref());
                let text = written(format, names, &now)?;
                let until = clock_until((format, names), &now, &text);
                Ok(Said { text, until })
            }
            Saying::Countdown { to, format, over } => countdown(*to, format, over.as_deref(), now),
        }
    }
}

fn written(format: &str, names: Option<&Names>, at: &Zoned) -> Result<String, String> {
    let filled = names.map_or(Cow::Borrowed(format), |names| names.fill(format, at).into());
    strtime::format(&*filled, at).map_err(|error| format!("clock format {format:?}: {error}"))
}

/// The first edge at which something else is written: of the coarsest unit that still tells.
fn clock_until(
    (format, names): (&str, Option<&Names>),
    now: &Zoned,
    text: &str,
) -> Option<Timestamp> {
    let edges = [Unit::Second, Unit::Minute, Unit::Hour].map(|unit| edge(now, unit));
    let midday = now.with().hour(12).minute(0).second(0).subsec_nanosecond(0).build().ok();
    let midday = midday.filter(|midday| midday > now);
    let tells = |at: &Zoned| written(format, names, at).is_ok_and(|other| other != text);
    let first = edges.into_iter().flatten().chain(midday).find(tells);
    let midnight = now.start_of_day().ok().and_then(|day| day.tomorrow().ok());
    let until = first.or(midnight).map(|at| at.timestamp());
    // Where the zone changes its offset, the text may jump.
    let jump = now.time_zone().following(now.timestamp()).next().map(|jump| jump.timestamp());
    [until, jump].into_iter().flatten().min()
}

/// The next full second, minute or hour, counted in time that passes.
fn edge(now: &Zoned, unit: Unit) -> Option<Zoned> {
    let step_s = match unit {
        Unit::Second => 1,
        Unit::Minute => 60,
        _ => 3_600,
    };
    let local_s = now.timestamp().as_second() + i64::from(now.offset().seconds());
    let wait_s = step_s - local_s.rem_euclid(step_s);
    let at = Timestamp::from_second(now.timestamp().as_second() + wait_s).ok()?;
    Some(at.to_zoned(now.time_zone().clone()))
}

/// Units of a countdown, large to small: letter, seconds, digits.
const UNITS: [(char, i64, usize); 4] =
    [('D', 86_400, 1), ('H', 3_600, 2), ('M', 60, 2), ('S', 1, 2)];

fn countdown(
    to: Timestamp,
    format: &str,
    over: Option<&str>,
    now: Timestamp,
) -> Result<Said, String> {
    let named = named_units(format)?;
    let least_s = named.last().map_or(1, |(_, seconds, _)| *seconds);
    let left = to.duration_since(now);
    if left <= SignedDuration::ZERO {
        let zeros = || filled(format, &named, 0);
        return Ok(Said { text: over.map_or_else(zeros, str::to_owned), until: None });
    }
    // Rounded up: it says nothing is left when nothing is.
    let whole_s = left.as_secs() + i64::from(left.subsec_nanos() > 0);
    let steps = (whole_s + least_s - 1) / least_s;
    let text = filled(format, &named, steps * least_s);
    let until = to.checked_sub(SignedDuration::from_secs((steps - 1) * least_s)).ok();
    Ok(Said { text, until })
}

type Units = Vec<(char, i64, usize)>;

/// The units that a format names, large to small.
fn named_units(format: &str) -> Result<Units, String> {
    let mut letters = format.chars();
    let mut named = Vec::new();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            continue;
        }
        match letters.next() {
            Some('%') => {}
            Some(letter) if UNITS.iter().any(|(unit, ..)| *unit == letter) => named.push(letter),
            other => {
                let found =
                    other.map_or_else(|| "nothing".to_owned(), |letter| format!("{letter:?}"));
                return Err(format!(
                    "countdown format {format:?}: {found} after %, want D, H, M, S or %"
                ));
            }
        }
    }
    Ok(UNITS.into_iter().filter(|(unit, ..)| named.contains(unit)).collect())
}

fn filled(format: &str, named: &Units, seconds: i64) -> String {
    let mut text = String::with_capacity(format.len() + 8);
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => text.push_str(&value(letters.next(), named, seconds)),
            _ => text.push(letter),
        }
    }
    text
}

fn value(letter: Option<char>, named: &Units, seconds: i64) -> String {
    let Some(place) = named.iter().position(|(unit, ..)| Some(*unit) == letter) else {
        return "%".to_owned();
    };
    let Some((_, unit_s, digits)) = named.get(place) else { return String::new() };
    let above = place.checked_sub(1).and_then(|above| named.get(above));
    let rest_s = above.map_or(seconds, |(_, above_s, _)| seconds % above_s);
    format!("{:0digits$}", rest_s / unit_s)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn clock(format: &str, zone: &str) -> Saying {
        let zone = TimeZone::get(zone).expect("a zone");
        Saying::Clock { format: format.into(), zone, names: None }
    }

    fn countdown(format: &str) -> Saying {
        let to = time("2026-01-01T00:00:00Z");
        Saying::Countdown { to, format: format.into(), over: Some("Happy new year".into()) }
    }

    #[test]
    fn clocks_change_when_their_text_does() {
        for (case, format, zone, now, text, until) in [
            (
                "minutes",
                "%H:%M",
                "Europe/Berlin",
                "2026-06-01T10:20:30.5Z",
                "12:20",
                "2026-06-01T10:21:00Z",
            ),
            (
                "seconds",
                "%H:%M:%S",
                "UTC",
                "2026-06-01T10:20:30.5Z",
                "10:20:30",
                "2026-06-01T10:20:31Z",
            ),
            (
                "on the edge",
                "%H:%M",
                "UTC",
                "2026-06-01T10:20:00Z",
                "10:20",
                "2026-06-01T10:21:00Z",
            ),
            ("hours", "%-I %p", "UTC", "2026-06-01T09:59:59Z", "9 AM", "2026-06-01T10:00:00Z"),
            ("half days", "%p", "UTC", "2026-06-01T09:59:59Z", "AM", "2026-06-01T12:00:00Z"),
            (
                "days",
                "%A, %-d %B",
                "Asia/Tokyo",
                "2026-06-01T10:20:30Z",
                "Monday, 1 June",
                "2026-06-01T15:00:00Z",
            ),
            (
                "half an hour off",
                "%H",
                "Asia/Kolkata",
                "2026-06-01T10:20:00Z",
                "15",
                "2026-06-01T10:30:00Z",
            ),
            (
                "clocks go forward",
                "%H",
                "Europe/Berlin",
                "2026-03-29T00:30:00Z",
                "01",
                "2026-03-29T01:00:00Z",
            ),
        ] {
            let said = clock(format, zone).at(time(now)).expect("a good format");
            assert_eq!(said, Said { text: text.into(), until: Some(time(until)) }, "{case}");
        }
        let Saying::Clock { format, zone, .. } = clock("%A, %-d. %B", "Asia/Tokyo") else {
            panic!()
        };
        let german = Saying::Clock { format, zone, names: Names::of("de_DE") };
        let said = german.at(time("2026-06-01T10:20:30Z")).expect("a good format");
        let until = Some(time("2026-06-01T15:00:00Z"));
        assert_eq!(said, Said { text: "Montag, 1. Juni".into(), until });
        assert!(clock("%~", "UTC").at(time("2026-06-01T00:00:00Z")).is_err());
    }

    #[test]
    fn countdowns_name_what_is_left() {
        for (case, format, now, text, until) in [
            (
                "days and more",
                "%D days %H:%M:%S",
                "2025-12-29T22:58:57Z",
                "2 days 01:01:03",
                Some("2025-12-29T22:58:58Z"),
            ),
            (
                "the largest unit takes all",
                "%H:%M",
                "2025-12-29T22:58:57Z",
                "49:02",
                Some("2025-12-29T22:59:00Z"),
            ),
            ("rounded up", "%S", "2025-12-31T23:59:59.2Z", "01", Some("2026-01-01T00:00:00Z")),
            (
                "days alone",
                "%D %% %D",
                "2025-12-31T12:00:00Z",
                "1 % 1",
                Some("2026-01-01T00:00:00Z"),
            ),
            ("over", "%S", "2026-01-01T00:00:00Z", "Happy new year", None),
        ] {
            let said = countdown(format).at(time(now)).expect("a good format");
            assert_eq!(said, Said { text: text.into(), until: until.map(time) }, "{case}");
        }
        let error = countdown("%d").at(time("2025-01-01T00:00:00Z")).expect_err("no such unit");
        assert!(error.contains("'d' after %"), "{error}");
    }

    proptest! {
        #[test]
        fn a_text_holds_until_it_says(
            second in 1_750_000_000..1_790_000_000i64, nanos in 0..1_000_000_000i32,
            share in 0.0..1.0f64, place in 0..6usize, zone in 0..3usize,
        ) {
            let zone = ["Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns"][zone];
            let saying = match place {
                0 => clock("%H:%M:%S", zone),
                1 => clock("%A %H:%M", zone),
                2 => clock("%p %Z", zone),
                3 => clock("%d.%m.%Y", zone),
                4 => countdown("%D %H %M"),
                _ => countdown("%H:%M:%S"),
            };
            let now = Timestamp::new(second, nanos).expect("in range");
            let said = saying.at(now).expect("a good format");
            let until = said.until.unwrap_or(now + SignedDuration::from_hours(9_999));
            prop_assert!(until > now);
            let wait = until.duration_since(now).as_nanos() as f64 * share;
            let later = now + SignedDuration::from_nanos((wait as i64 - 1).max(0));
            prop_assert_eq!(saying.at(later).expect("good").text, said.text, "changed at {}", later);
        }
    }
}
