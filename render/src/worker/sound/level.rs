//! How loud each sample is: the volume, and short ramps where sound begins or is cut off. A wave
//! that stops in the middle is heard as a click.
//!
//! In:  samples with their time. Out: the same, louder or quieter.
//!
//! Promises, each held by a test of the same name: `no_step_is_heard_at_either_end`,
//! `a_cut_that_is_foreseen_is_silent_from_its_moment_on`.

use gstreamer::ClockTime;

/// Length of a ramp: too short to be noticed as one, too long to be a click.
pub const RAMP: ClockTime = ClockTime::from_mseconds(10);

/// How loud it is at which time, counted from the start.
#[derive(Debug, Clone, Default)]
pub struct Level {
    /// 0.0 (silent) to 1.0 (as recorded).
    pub volume: f32,
    /// The first sample.
    begun: Option<ClockTime>,
    /// The first moment without any sound.
    silent_from: Option<ClockTime>,
    /// Up to here samples have been handed on.
    pub told_to: ClockTime,
}

impl Level {
    /// Nothing has been heard yet.
    pub fn new(volume: f32) -> Level {
        Level { volume, ..Level::default() }
    }

    /// It is over at this moment; None: it goes on.
    pub fn end_at(&mut self, at: Option<ClockTime>) {
        // What has been handed on cannot be taken back.
        self.silent_from = at.map(|at| at.max(self.told_to + RAMP));
    }

    /// It is over as soon as it can be without a click. When that is.
    pub fn end_soon(&mut self) -> ClockTime {
        let soonest = self.told_to + RAMP;
        let end = self.silent_from.map_or(soonest, |end| end.min(soonest));
        self.silent_from = Some(end);
        end
    }

    /// Makes interleaved samples, the first of which is heard at `at`, as loud as they shall be.
    pub fn apply(&mut self, samples: &mut [f32], channels: usize, rate: u32, at: ClockTime) {
        if channels == 0 || rate == 0 {
            return;
        }
        self.begun.get_or_insert(at);
        let time =
            |frame: usize| at + ClockTime::from_nseconds(frame as u64 * SECOND / u64::from(rate));
        for (place, frame) in samples.chunks_mut(channels).enumerate() {
            let gain = self.gain(time(place));
            frame.iter_mut().for_each(|sample| *sample *= gain);
        }
        self.told_to = time(samples.len() / channels);
    }

    fn gain(&self, at: ClockTime) -> f32 {
        let share = |time: ClockTime| (time.nseconds() as f32 / RAMP.nseconds() as f32).min(1.0);
        let up = self.begun.map_or(1.0, |begun| share(at.saturating_sub(begun)));
        let down = self.silent_from.map_or(1.0, |end| share(end.saturating_sub(at)));
        self.volume * up * down
    }
}

const SECOND: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 48_000;
    /// 20 ms of stereo.
    const BUFFER: usize = 960 * 2;

    /// Full-scale direct current, which is silent but for its ends, from 100 ms on.
    fn heard(level: &mut Level, buffers: u64, before: impl Fn(u64, &mut Level)) -> Vec<f32> {
        let mut heard = Vec::new();
        for place in 0..buffers {
            before(place, level);
            let mut samples = [1.0; BUFFER];
            level.apply(&mut samples, 2, RATE, ClockTime::from_mseconds(100 + 20 * place));
            heard.extend(samples.chunks(2).map(|frame| frame[0]));
        }
        heard
    }

    fn largest_step(heard: &[f32]) -> f32 {
        let ends = [0.0].into_iter().chain(heard.iter().copied()).chain([0.0]);
        let steps = ends.clone().zip(ends.skip(1)).map(|(one, next)| (next - one).abs());
        steps.fold(0.0, f32::max)
    }

    #[test]
    fn no_step_is_heard_at_either_end() {
        let mut level = Level::new(0.5);
        let end = |place, level: &mut Level| {
            if place == 5 {
                assert_eq!(level.end_soon(), ClockTime::from_mseconds(210));
                assert_eq!(level.end_soon(), ClockTime::from_mseconds(210), "later");
            }
        };
        let heard = heard(&mut level, 7, end);
        assert!(largest_step(&heard) < 0.002, "{}", largest_step(&heard));
        assert_eq!(heard[960 * 2], 0.5, "in the middle");
        assert!(heard[960 * 5 + 480..].iter().all(|sample| *sample == 0.0), "goes on");
        // The measure can fail.
        assert!(largest_step(&[0.5; 10]) > 0.4);
    }

    #[test]
    fn a_cut_that_is_foreseen_is_silent_from_its_moment_on() {
        let mut level = Level::new(1.0);
        level.end_at(Some(ClockTime::from_mseconds(150)));
        let cut = heard(&mut level, 4, |_, _| ());
        assert!(largest_step(&cut) < 0.003);
        assert!(cut[2_399] > 0.0 && cut[2_400..].iter().all(|sample| *sample == 0.0));
        let mut level = Level::new(1.0);
        let put_off = |place, level: &mut Level| {
            level.end_at((place == 0).then_some(ClockTime::from_mseconds(150)));
        };
        assert_eq!(heard(&mut level, 4, put_off).last(), Some(&1.0), "put off in time");
    }
}
