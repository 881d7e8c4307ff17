//! Whether this is an hour for downloads, and when that changes.

use jiff::civil::Date;
use jiff::{Timestamp, Zoned};
use vitrine_config::model::Hours;

/// What the hours say at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gate {
    /// Whether downloads may run.
    pub(crate) open: bool,
    /// When that changes.
    pub(crate) until: Timestamp,
}

/// Looks at the clock on the wall: where the clocks are changed, the hours follow. A time of day that
/// is left out is when it would have been, one that comes twice is the first.
pub(crate) fn gate(hours: Hours, now: &Zoned) -> Gate {
    let at = now.timestamp();
    let days = [now.date().yesterday(), Ok(now.date()), now.date().tomorrow()];
    let mut opens = Timestamp::MAX;
    for (from, until) in days.into_iter().flatten().filter_map(|day| span(hours, day, now)) {
        if from <= at && at < until {
            return Gate { open: true, until };
        }
        if at < from {
            opens = opens.min(from);
        }
    }
    Gate { open: false, until: opens }
}

fn span(hours: Hours, day: Date, now: &Zoned) -> Option<(Timestamp, Timestamp)> {
    let last = if hours.until <= hours.from { day.tomorrow().ok()? } else { day };
    let moment = |civil: jiff::civil::DateTime| {
        civil.to_zoned(now.time_zone().clone()).ok().map(|zoned| zoned.timestamp())
    };
    Some((moment(day.to_datetime(hours.from))?, moment(last.to_datetime(hours.until))?))
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;
    use proptest::prelude::*;

    use super::*;

    fn hours(from: (i8, i8), until: (i8, i8)) -> Hours {
        Hours { from: time(from.0, from.1, 0, 0), until: time(until.0, until.1, 0, 0) }
    }

    fn berlin(text: &str) -> Zoned {
        format!("{text}[Europe/Berlin]").parse().unwrap()
    }

    #[test]
    fn gates_of_the_day() {
        let (night, day, all) =
            (hours((22, 0), (6, 0)), hours((9, 0), (17, 30)), hours((0, 0), (0, 0)));
        for (case, hours, now, open, until) in [
            ("before the night", night, "2026-03-04T21:59:59", false, "2026-03-04T22:00"),
            ("the night begins", night, "2026-03-04T22:00", true, "2026-03-05T06:00"),
            ("after midnight", night, "2026-03-05T00:00", true, "2026-03-05T06:00"),
            ("the night is over", night, "2026-03-05T06:00", false, "2026-03-05T22:00"),
            ("by day", day, "2026-03-05T17:29", true, "2026-03-05T17:30"),
            ("after the day", day, "2026-03-05T17:30", false, "2026-03-06T09:00"),
            ("round the clock", all, "2026-03-05T13:00", true, "2026-03-06T00:00"),
            ("clocks go forward", night, "2026-03-29T01:59", true, "2026-03-29T06:00"),
            ("clocks go back", night, "2026-10-25T01:59", true, "2026-10-25T06:00"),
            (
                "half past two is left out",
                hours((2, 30), (4, 0)),
                "2026-03-29T03:29",
                false,
                "2026-03-29T03:30",
            ),
        ] {
            let got = gate(hours, &berlin(now));
            let want = Gate { open, until: berlin(until).timestamp() };
            assert_eq!(got, want, "case {case:?}: until {}", got.until);
        }
    }

    proptest! {
        #[test]
        fn the_answer_holds_until_it_says_and_lies_ahead(
            from in (0i8..24, 0i8..60), until in (0i8..24, 0i8..60), minute in 0i64..525_600,
            share in 0.0..1.0f64,
        ) {
            let hours = hours(from, until);
            let now = berlin("2026-01-01T00:00").checked_add(
                jiff::Span::new().minutes(minute)).unwrap();
            let got = gate(hours, &now);
            prop_assert!(got.until > now.timestamp());
            let whole_s = got.until.as_second() - now.timestamp().as_second();
            let wait = jiff::Span::new().seconds((whole_s as f64 * share) as i64);
            let then = gate(hours, &now.checked_add(wait).unwrap());
            prop_assert_eq!(then.open, got.open);
            prop_assert_eq!(then.until, got.until);
        }
    }
}
