//! When to draw: only with a reason, never two frames for one refresh, and each picture for the
//! refresh that is nearest to its moment.
//!
//! In:  wishes for a frame, the display's go-ahead, its receipt; the length of a refresh.
//! Out: whether to draw now, and which pictures are due.
//!
//! Promises: no frame without a reason, at most one in flight, no reason is forgotten (one property
//! test); pictures at an even rate come at the evenest rhythm that the display has (table).

use std::time::Duration;

use vitrine_config::time::Mono;

/// A frame that is drawn at `now` shows what is due by this moment. Half a refresh ahead: sooner or
/// later by less than that, the frame before or behind would be nearer. It also keeps pictures at
/// the display's own rate far from the edge where a hair's breadth decides.
pub(crate) fn due_by(now: Mono, refresh: Duration) -> Mono {
    now.after(refresh / 2)
}

/// The first moment at which a frame shows what is due at `at`.
pub(crate) fn draw_at(at: Mono, refresh: Duration) -> Mono {
    let half = u64::try_from((refresh / 2).as_nanos()).unwrap_or(0);
    Mono(at.0.saturating_sub(half))
}

/// Where the next frame stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Pacing {
    /// Nothing has changed since the last frame.
    #[default]
    Idle,
    /// Something has.
    Wanted,
    /// The display has a frame and is not ready for another one.
    InFlight {
        /// Something has changed again.
        again: bool,
    },
}

impl Pacing {
    /// Something has changed.
    pub(crate) fn want(self) -> Pacing {
        match self {
            Pacing::Idle | Pacing::Wanted => Pacing::Wanted,
            Pacing::InFlight { .. } => Pacing::InFlight { again: true },
        }
    }

    /// The display would take a frame: whether to draw one.
    pub(crate) fn draw(self) -> (Pacing, bool) {
        match self {
            Pacing::Wanted => (Pacing::InFlight { again: false }, true),
            other => (other, false),
        }
    }

    /// The display is ready for another frame.
    pub(crate) fn shown(self) -> Pacing {
        match self {
            Pacing::InFlight { again: false } => Pacing::Idle,
            Pacing::InFlight { again: true } => Pacing::Wanted,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, Copy)]
    enum Op {
        Want,
        Draw,
        Shown,
    }

    /// For how many refreshes each picture is shown, at `rate` a second on a display of `hertz`
    /// that comes up to a quarter of a refresh late or early.
    fn rhythm(rate: u64, hertz: u64, jitter: &[i64]) -> Vec<u32> {
        let refresh = Duration::from_nanos(1_000_000_000 / hertz);
        let start = 1_000_000_000;
        let picture = |number: u64| Mono(start + number * 1_000_000_000 / rate);
        let (mut shown, mut holds) = (0, vec![0]);
        for (n, jitter) in (0..).zip(jitter.iter().cycle()).take(hertz as usize) {
            let late = if n == 0 { 0 } else { jitter * 1_000_000_000 / (hertz as i64 * 400) };
            let now = Mono((start + n * 1_000_000_000 / hertz).saturating_add_signed(late));
            while picture(shown + 1) <= due_by(now, refresh) {
                shown += 1;
                holds.push(0);
            }
            *holds.last_mut().expect("one at least") += 1;
        }
        holds
    }

    #[test]
    fn pictures_at_an_even_rate_come_in_the_evenest_rhythm() {
        const EXACT: &[i64] = &[0];
        for (rate, hertz, least, most) in [
            (24, 60, 2, 3),
            (25, 60, 2, 3),
            (30, 60, 2, 2),
            (50, 60, 1, 2),
            (60, 60, 1, 1),
            (24, 50, 2, 3),
            (25, 50, 2, 2),
            (30, 50, 1, 2),
            (50, 50, 1, 1),
        ] {
            // Where the rates do not go into each other, some picture is always near the edge
            // between two refreshes: there, only a punctual display keeps the rhythm.
            let loose: &[&[i64]] = &[EXACT, &[-90, 40, 90, -10, 0], &[70, -100, 100]];
            for jitter in if least == most { loose } else { &[EXACT] } {
                let holds = rhythm(rate, hertz, jitter);
                // The first begins at its very moment, the last is cut off by the end.
                let even = &holds[1..holds.len() - 1];
                let case = format!("{rate} on {hertz} Hz, {jitter:?}: {holds:?}");
                assert!(even.iter().all(|hold| (least..=most).contains(hold)), "{case}");
                assert_eq!(holds.len() as u64, rate, "{case}: one is missing");
            }
        }
        // More pictures than refreshes: every sixth is passed over, and no two in a row.
        let holds = rhythm(60, 50, &[0, 30, -30]);
        assert!(holds.windows(2).all(|pair| pair != [0, 0]), "{holds:?}");
    }

    #[test]
    fn drawing_begins_when_the_picture_is_due_and_not_before() {
        for (at, refresh) in [(0, 16), (5, 16), (1_000, 16), (1_000, 0), (1_000, 17)] {
            let refresh = Duration::from_nanos(refresh);
            let draw_at = draw_at(Mono(at), refresh);
            assert!(due_by(draw_at, refresh) >= Mono(at), "{at}");
            let before = Mono(draw_at.0.saturating_sub(1));
            assert!(draw_at == before || due_by(before, refresh) < Mono(at), "{at}: too early");
        }
    }

    proptest! {
        #[test]
        fn any_order_of_events_keeps_the_three_promises(
            ops in prop::collection::vec(
                prop::sample::select(vec![Op::Want, Op::Draw, Op::Shown]), 0..64),
        ) {
            let (mut pacing, mut in_flight, mut owed) = (Pacing::default(), 0u32, false);
            for op in ops {
                match op {
                    Op::Want => (pacing, owed) = (pacing.want(), true),
                    Op::Shown => (pacing, in_flight) = (pacing.shown(), 0),
                    Op::Draw => {
                        let (next, draws) = pacing.draw();
                        pacing = next;
                        if draws {
                            prop_assert!(owed, "drew without a reason");
                            (in_flight, owed) = (in_flight + 1, false);
                        }
                    }
                }
                prop_assert!(in_flight <= 1, "two frames for one refresh");
                let knows = matches!(pacing, Pacing::Wanted | Pacing::InFlight { again: true });
                prop_assert_eq!(owed, knows, "forgot a frame");
            }
        }
    }
}
