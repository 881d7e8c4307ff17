//! Which refresh shows which picture of one moving source.
//!
//! The one nearest to its moment. Where the source's rate and the display's do not go into each other,
//! some moments lie in the middle between two refreshes, where a hair's breadth decides, and the rhythm
//! would stumble with each breath of the machine. So all of a source's moments are moved together, by
//! as little as keeps them off the middle.
//!
//! Promise, held by the property test below: pictures at an even rate are shown in the evenest rhythm
//! that there is (3:2:3:2 for 24 on 60 Hz), without a stumble, however the machine's own times vary.

use std::time::Duration;

use vitrine_config::time::Mono;

use super::grid::Grid;

/// Nearer than this to the middle, in shares of a refresh, is too near. 24 on 50 Hz has moments
/// every twelfth of a refresh: there is room for this on both sides of the middle.
const NEAR: f64 = 0.02;
/// Moments are moved by no more than this, in shares of a refresh: sound goes by them, too.
const MOVED: f64 = 0.25;
/// Frames are drawn so long before their refresh, in shares of one: the middle, and a little for the
/// lateness with which refreshes are seen.
const AHEAD: f64 = 0.6;
/// Of rounding, in nanoseconds.
const HAIR_NS: f64 = 1_000.0;

/// How the moments of one source are moved.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rhythm {
    /// In shares of a refresh; more: pictures come sooner.
    moved: f64,
}

impl Rhythm {
    /// What is due by this moment belongs on the refresh at `shown` or before.
    pub(crate) fn due_by(&self, shown: Mono, refresh: Duration) -> Mono {
        let ns = refresh.as_nanos() as f64 * (0.5 + self.moved) + HAIR_NS;
        shown.after(Duration::from_nanos(ns as u64))
    }

    /// When to draw a picture that is due at `due`: in the middle between the refresh that it is for
    /// and the one before; where those are not known, when the one it is for may come.
    pub(crate) fn draw_at(&self, due: Mono, grid: &Grid) -> Mono {
        let refresh_ns = grid.refresh().as_nanos() as f64;
        let meant = due.0 as f64 - self.moved * refresh_ns;
        let at = match grid.nearest(meant) {
            Some(refresh) => refresh.0 as f64 - AHEAD * refresh_ns,
            None => meant - 0.5 * refresh_ns,
        };
        Mono(at.max(0.0) as u64)
    }

    /// A picture that was due at `due` goes with the refresh at `shown`.
    pub(crate) fn took(&mut self, due: Mono, shown: Mono, refresh: Duration) {
        let refresh_ns = (refresh.as_nanos() as f64).max(1.0);
        let off = (due.0 as f64 - shown.0 as f64) / refresh_ns - self.moved;
        if !(-0.5..=0.5).contains(&off) {
            // Late: nothing to be learned from it.
            return;
        }
        let too_near = (off.abs() - (0.5 - NEAR)).max(0.0) + NEAR;
        if too_near > NEAR {
            self.moved = (self.moved + too_near.copysign(off)).clamp(-MOVED, MOVED);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START_NS: f64 = 1e12;

    /// A display and a stage that plays pictures at an even rate on it: for how many refreshes it
    /// shows each, from the moment on when it knows the display.
    struct Play {
        refresh_ns: f64,
        picture_ns: f64,
        /// The first picture's moment, in shares of a refresh after one.
        phase: f64,
        /// What the stage takes for the display's refreshes.
        grid: Grid,
        learns: bool,
    }

    impl Play {
        fn new(rate: f64, hertz: f64, phase: f64) -> Play {
            let refresh_ns = 1e9 / hertz;
            let grid = Grid::new(Duration::from_nanos(refresh_ns as u64));
            Play { refresh_ns, picture_ns: 1e9 / rate, phase, grid, learns: false }
        }

        /// The stage sees a few seconds of refreshes.
        fn learn(&mut self, late: &[f64]) {
            self.learns = true;
            for (refresh, late) in (-300..0).zip(late.iter().cycle()) {
                self.see(refresh, *late);
            }
        }

        /// It sees one, up to a fifth of a refresh late.
        fn see(&mut self, refresh: i64, late: f64) {
            if self.learns {
                let at_ns = START_NS + (refresh as f64 + late / 5.0) * self.refresh_ns;
                self.grid.saw(Mono(at_ns as u64));
            }
        }

        /// For how many refreshes each of `count` pictures is on the display. The stage comes to
        /// draw up to 0.4 refreshes after the moment it wanted.
        fn holds(&mut self, count: usize, late: &[f64]) -> Vec<u64> {
            let mut rhythm = Rhythm::default();
            let refresh = Duration::from_nanos(self.refresh_ns as u64);
            let (first_ns, picture_ns) = (self.phase * self.refresh_ns + START_NS, self.picture_ns);
            let due = |picture: u64| Mono((first_ns + picture as f64 * picture_ns) as u64);
            let (mut picture, mut shown, mut now) = (0, Vec::new(), Mono(0));
            let mut seen = late.len() / 2;
            for lateness in late.iter().cycle() {
                let wake = rhythm.draw_at(due(picture), &self.grid);
                now = wake
                    .max(now)
                    .after(Duration::from_nanos((lateness * 0.4 * self.refresh_ns) as u64));
                // As the display has it; one frame each.
                let at = ((now.0 as f64 - START_NS) / self.refresh_ns).floor() as i64 + 1;
                let at = shown.last().map_or(at, |(last, _)| at.max(last + 1));
                let meant = self.grid.next(now).unwrap_or(now);
                let first = picture;
                while due(picture) <= rhythm.due_by(meant, refresh) {
                    picture += 1;
                }
                if picture > first {
                    if self.grid.next(now).is_some() {
                        rhythm.took(due(first), meant, refresh);
                    }
                    shown.push((at, picture));
                    seen += 1;
                    self.see(at, late[seen % late.len()]);
                }
                // The display takes the next one when it has this one.
                now = now.max(Mono((START_NS + (at as f64 - 1.0) * self.refresh_ns) as u64 + 1));
                if shown.len() > count {
                    break;
                }
            }
            shown.windows(2).map(|two| (two[1].0 - two[0].0) as u64).collect()
        }
    }

    /// Whether pictures come as evenly as can be: any number of them takes as many refreshes as any
    /// other such number, but for one.
    fn stumbles(holds: &[u64]) -> usize {
        let spread = |length: usize| {
            let sums = holds.windows(length).map(|some| some.iter().sum::<u64>());
            let (least, most) = (sums.clone().min(), sums.max());
            most.zip(least).map_or(0, |(most, least)| most - least)
        };
        [1, 2, 3, 5, 10].into_iter().filter(|length| spread(*length) > 1).count()
    }

    /// For how many refreshes each of a second's pictures is shown by a display that says nothing, and
    /// is ready up to a quarter of a refresh late or early.
    fn holds_by_claim(rate: u64, hertz: u64, jitter: &[i64]) -> Vec<u32> {
        let refresh = Duration::from_nanos(1_000_000_000 / hertz);
        let picture = |number: u64| Mono(START_NS as u64 + number * 1_000_000_000 / rate);
        let (mut shown, mut holds) = (0, vec![0]);
        for (n, jitter) in (0..).zip(jitter.iter().cycle()).take(hertz as usize) {
            let late = if n == 0 { 0 } else { jitter * 1_000_000_000 / (hertz as i64 * 400) };
            let now =
                Mono((START_NS as u64 + n * 1_000_000_000 / hertz).saturating_add_signed(late));
            while picture(shown + 1) <= Rhythm::default().due_by(now, refresh) {
                shown += 1;
                holds.push(0);
            }
            *holds.last_mut().expect("one at least") += 1;
        }
        holds
    }

    #[test]
    fn a_claim_is_enough_where_rates_go_into_each_other() {
        for (rate, hertz, wanted) in [(30, 60, 2), (60, 60, 1), (25, 50, 2), (50, 50, 1)] {
            for jitter in [&[0][..], &[-90, 40, 90, -10, 0], &[70, -100, 100]] {
                let holds = holds_by_claim(rate, hertz, jitter);
                // The first begins at its very moment, the last is cut off by the end.
                let even = &holds[1..holds.len() - 1];
                assert!(even.iter().all(|hold| *hold == wanted), "{rate} on {hertz} Hz: {holds:?}");
            }
        }
        // More pictures than refreshes: every sixth is passed over, and no two in a row.
        let holds = holds_by_claim(60, 50, &[0, 30, -30]);
        assert!(holds.windows(2).all(|pair| pair != [0, 0]), "{holds:?}");
    }

    #[test]
    fn drawing_begins_when_the_picture_is_due_and_not_before() {
        for (at, refresh_ns) in [(5_000_000, 16), (1_000_000_000, 16_666_667), (5_000, 0)] {
            let refresh = Duration::from_nanos(refresh_ns);
            let rhythm = Rhythm::default();
            let draw_at = rhythm.draw_at(Mono(at), &Grid::new(refresh));
            assert!(rhythm.due_by(draw_at, refresh) >= Mono(at), "{at}");
            let before = Mono(draw_at.0.saturating_sub(HAIR_NS as u64 + 1));
            assert!(draw_at == before || rhythm.due_by(before, refresh) < Mono(at), "{at}");
        }
    }

    const RATES: [f64; 5] = [24.0, 25.0, 30.0, 50.0, 60.0];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_rhythm_is_the_evenest_there_is(
            rate in prop::sample::select(RATES.to_vec()),
            hertz in prop::sample::select(vec![50.0, 60.0]),
            phase in 0.0..1.0f64,
            late in prop::collection::vec(0.0..1.0f64, 11..80),
        ) {
            prop_assume!(rate <= hertz);
            let mut play = Play::new(rate, hertz, phase);
            play.learn(&late);
            // Ten minutes; the first second is for finding the place.
            let holds = play.holds(rate as usize * 600, &late);
            let even = &holds[rate as usize..];
            prop_assert_eq!(stumbles(even), 0, "{} on {} Hz", rate, hertz);
        }
    }

    /// The test above can fail: without the display's refreshes, or with its moments left where they
    /// are, the rhythm stumbles.
    #[test]
    fn without_a_grid_it_stumbles() {
        let late = [0.0, 0.9, 0.3, 1.0, 0.1, 0.6, 0.95, 0.02, 0.5];
        let stumbling = |phase: f64| {
            let mut blind = Play::new(24.0, 60.0, phase);
            stumbles(&blind.holds(2_400, &late)[24..])
        };
        assert!((0..10).any(|tenth| stumbling(f64::from(tenth) / 10.0) > 0));
    }
}
