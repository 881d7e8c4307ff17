//! When the display shows the next frame: its refreshes, learned from moments at which it was seen to
//! be ready for another one.
//!
//! In:  such moments, late by the machine's jitter and with any number of refreshes between them.
//! Out: the grid of refreshes, as soon as the moments lie on one.
//!
//! A phase-locked loop for each rate that displays have, the display's own claim first: each takes the
//! distance of a moment to its grid as its error, and the one whose errors stay small is believed.
//!
//! Promises, held by the property tests below: a display of a usual rate is found within a few seconds
//! of moving pictures, whatever it claims to be, and one of another rate if it says so; moments that lie on no grid are not taken for
//! one.

use std::f64::consts::TAU;
use std::time::Duration;

use vitrine_config::time::Mono;

/// Rates of displays in hertz, besides what one says of itself.
const RATES: [f64; 2] = [60.0, 50.0];
/// Share of an error that moves the grid: jitter of a quarter of a refresh becomes one of a fiftieth.
const PHASE_GAIN: f64 = 0.05;
/// Share of an error that changes the length of a refresh.
const PERIOD_GAIN: f64 = 0.000_5;
/// No display is farther from its rate than 59.94 is from 60, and some for its crystal.
const PERIOD_OFF: f64 = 0.002;
/// Moments over which steadiness is judged.
const JUDGED_OVER: f64 = 24.0;
/// From 1 (all on the grid) to 0 (anywhere); jitter of a quarter of a refresh is 0.64.
const STEADY: f64 = 0.45;
/// So much less steady may the rate be that the display claims, and is believed.
const CLAIM: f64 = 0.1;
/// Beyond this many refreshes without a word nobody knows where the grid is by now.
const FORGOTTEN: f64 = 600.0;

/// The refreshes of a display.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    claimed: Duration,
    tracks: Vec<Track>,
}

/// The refreshes at one rate.
#[derive(Debug, Clone)]
struct Track {
    nominal_ns: f64,
    period_ns: f64,
    /// A refresh, near the last moment; None before the first.
    at_ns: Option<f64>,
    steadiness: f64,
}

impl Grid {
    /// Of a display that claims to show each frame for this long; zero: it says nothing.
    pub(crate) fn new(claimed: Duration) -> Grid {
        let rates = RATES.into_iter().map(|hertz| 1e9 / hertz);
        let claim = Some(claimed.as_nanos() as f64).filter(|ns| *ns > 0.0);
        let new = |ns: f64| claim.is_none_or(|claim| (ns / claim - 1.0).abs() > PERIOD_OFF);
        let tracks = claim.into_iter().chain(rates.filter(|ns| new(*ns))).map(Track::new).collect();
        Grid { claimed, tracks }
    }

    /// The display was seen to be ready for another frame at `at`.
    pub(crate) fn saw(&mut self, at: Mono) {
        self.tracks.iter_mut().for_each(|track| track.saw(at.0 as f64));
    }

    /// For how long it shows each frame: as was seen, else as it claims.
    pub(crate) fn refresh(&self) -> Duration {
        self.track().map_or(self.claimed, |track| Duration::from_nanos(track.period_ns as u64))
    }

    /// The refresh that shows a frame which is drawn at `now`; None while that is not known.
    pub(crate) fn next(&self, now: Mono) -> Option<Mono> {
        self.track()?.after(now.0 as f64).map(mono)
    }

    /// The refresh nearest to `at`; None while that is not known.
    pub(crate) fn nearest(&self, at: f64) -> Option<Mono> {
        let track = self.track()?;
        track.after(at - track.period_ns / 2.0).map(mono)
    }

    /// The steadiest one; the display's own claim has a start.
    fn track(&self) -> Option<&Track> {
        let is_claim = |track: &Track| track.nominal_ns == self.claimed.as_nanos() as f64;
        let weight = |track: &Track| track.steadiness + if is_claim(track) { CLAIM } else { 0.0 };
        let steady = self.tracks.iter().filter(|track| track.steadiness >= STEADY);
        steady.max_by(|one, other| weight(one).total_cmp(&weight(other)))
    }
}

impl Track {
    fn new(nominal_ns: f64) -> Track {
        Track { nominal_ns, period_ns: nominal_ns, at_ns: None, steadiness: 0.0 }
    }

    fn saw(&mut self, at: f64) {
        let before = self.at_ns.filter(|before| at - before < FORGOTTEN * self.period_ns);
        let Some(before) = before else {
            (self.at_ns, self.steadiness) = (Some(at), 0.0);
            return;
        };
        let refreshes = ((at - before) / self.period_ns).round();
        if refreshes < 1.0 {
            return;
        }
        let expected = before + refreshes * self.period_ns;
        let error = at - expected;
        let on_grid = (TAU * error / self.period_ns).cos();
        self.steadiness += (on_grid - self.steadiness) / JUDGED_OVER;
        self.at_ns = Some(expected + PHASE_GAIN * error);
        let longest = self.nominal_ns * PERIOD_OFF;
        let period = self.period_ns + PERIOD_GAIN * error;
        self.period_ns = period.clamp(self.nominal_ns - longest, self.nominal_ns + longest);
    }

    /// The first refresh later than `now`.
    fn after(&self, now: f64) -> Option<f64> {
        let at = self.at_ns?;
        Some(at + (((now - at) / self.period_ns).floor() + 1.0) * self.period_ns)
    }
}

fn mono(ns: f64) -> Mono {
    Mono(ns.max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START_NS: f64 = 1e12;

    /// Moments at which a display is seen that shows a frame for `period_ns`, `late` (0 to 1) quarters
    /// of a refresh late each, some refreshes apart.
    fn moments<'a>(
        period_ns: f64,
        late: &'a [f64],
        apart: &'a [u64],
    ) -> impl Iterator<Item = (Mono, f64)> + 'a {
        let mut refresh = 0;
        late.iter().cycle().zip(apart.iter().cycle()).map(move |(late, apart)| {
            refresh += apart;
            let true_ns = START_NS + refresh as f64 * period_ns;
            (mono(true_ns + late * period_ns / 4.0), true_ns)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_display_is_found_whatever_it_claims(
            (hertz, claims) in prop::sample::select(vec![
                (50.0, 0.0), (50.0, 60.0), (50.0, 75.0), (50.0, 50.0), (59.94, 0.0), (59.94, 60.0),
                (59.94, 50.0), (60.0, 0.0), (60.0, 60.0), (60.0, 50.0), (24.0, 24.0), (30.0, 30.0),
                (75.0, 75.0), (60.0, 75.0),
            ]),
            late in prop::collection::vec(0.0..1.0f64, 7..60),
            apart in prop::collection::vec(1..4u64, 1..7),
        ) {
            let apart = [vec![1], apart].concat();
            let period_ns = 1e9 / hertz;
            let claimed = if claims > 0.0 { 1.0 / claims } else { 0.0 };
            let mut grid = Grid::new(Duration::from_secs_f64(claimed));
            for (seen, (moment, true_ns)) in moments(period_ns, &late, &apart).take(1_500).enumerate() {
                grid.saw(moment);
                if seen < 300 {
                    continue;
                }
                let found = grid.refresh().as_nanos() as f64;
                prop_assert!((found / period_ns - 1.0).abs() < 0.002, "{} of {}", found, period_ns);
                // Where it is: late as moments are, an eighth of a refresh at most on the mean.
                let middle = true_ns + period_ns / 2.0;
                let next = grid.next(mono(middle)).expect("found").0 as f64;
                let off = (next - true_ns - period_ns) / period_ns;
                prop_assert!((-0.05..=0.3).contains(&off), "{} of a refresh", off);
            }
        }

        #[test]
        fn what_lies_on_no_grid_is_not_taken_for_one(
            gaps_us in prop::collection::vec(5_000..60_000u64, 200..400),
        ) {
            let mut grid = Grid::new(Duration::from_secs_f64(1.0 / 60.0));
            let mut now = Mono(START_NS as u64);
            let mut believed = 0;
            for gap in &gaps_us {
                now = now.after(Duration::from_micros(*gap));
                grid.saw(now);
                believed += u32::from(grid.next(now).is_some());
            }
            prop_assert!(believed < 60, "{} of {}", believed, gaps_us.len());
        }
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let period = Duration::from_secs_f64(1.0 / 60.0);
        let mut grid = Grid::new(period);
        let mut now = Mono(START_NS as u64);
        assert_eq!((grid.next(now), grid.refresh()), (None, period));
        for _ in 0..100 {
            now = now.after(period);
            grid.saw(now);
        }
        assert!(grid.next(now).is_some());
        grid.saw(now.after(Duration::from_secs(60)));
        assert_eq!(grid.next(now), None);
    }
}
