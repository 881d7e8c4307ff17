//! Looks for a real GPU while a software one draws: a driver may come late, or back.
//!
//! In:  what draws, the time, what was found.
//! Out: when to look again, and the GPU to move to.
//!
//! Looking happens on a thread of its own, one at a time: one that a driver holds up is never followed
//! by another, and holds up nothing else.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use vitrine_config::time::Mono;

use crate::source::Waker;

/// First pause; each next one is twice as long.
const FIRST: Duration = Duration::from_secs(5);
/// Longest pause: where the installed drivers do not know the GPU, each look is for nothing.
const MOST: Duration = Duration::from_secs(3_600);
/// A real GPU that has drawn for so long may be looked for soon when it is lost; before, it may be
/// one that is lost again and again.
const STEADY: Duration = Duration::from_secs(600);

/// What draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drawing {
    /// None, or one is being set up.
    Nothing,
    /// The processor.
    Software,
    /// A GPU.
    Real,
}

/// When to look.
#[derive(Debug)]
struct When {
    pause: Duration,
    at: Option<Mono>,
    looking: bool,
    real_since: Option<Mono>,
}

impl When {
    fn new() -> When {
        When { pause: FIRST, at: None, looking: false, real_since: None }
    }

    /// Whether to look now.
    fn is_due(&mut self, drawing: Drawing, now: Mono) -> bool {
        if drawing != Drawing::Software {
            self.at = None;
            if drawing == Drawing::Real {
                self.real_since.get_or_insert(now);
            }
            return false;
        }
        if self.real_since.take().is_some_and(|since| now.since(since) >= STEADY) {
            self.pause = FIRST;
        }
        let at = *self.at.get_or_insert(now.after(self.pause));
        if self.looking || now < at {
            return false;
        }
        (self.at, self.looking) = (None, true);
        self.pause = (self.pause * 2).min(MOST);
        true
    }
}

/// Looks for something better; `T` is what is found.
pub(crate) struct Lookout<T> {
    when: When,
    done: (SyncSender<Option<T>>, Receiver<Option<T>>),
    waker: Waker,
}

impl<T: Send + 'static> Lookout<T> {
    pub(crate) fn new(waker: Waker) -> Lookout<T> {
        Lookout { when: When::new(), done: sync_channel(1), waker }
    }

    /// Has `look` called on a thread of its own if that is due, and returns what it has found.
    pub(crate) fn keep<L>(
        &mut self,
        drawing: Drawing,
        now: Mono,
        look: impl FnOnce() -> Option<L>,
    ) -> Option<T>
    where
        L: FnOnce() -> Option<T> + Send + 'static,
    {
        if let Ok(found) = self.done.1.try_recv() {
            self.when.looking = false;
            // What has changed meanwhile has changed for good.
            return found.filter(|_| drawing == Drawing::Software);
        }
        if self.when.is_due(drawing, now) {
            self.when.looking = look().is_some_and(|look| self.spawn(look));
        }
        None
    }

    /// False if there is no thread to be had.
    fn spawn(&self, look: impl FnOnce() -> Option<T> + Send + 'static) -> bool {
        let (done, waker) = (self.done.0.clone(), self.waker.clone());
        let work = move || {
            // There is room: only one is at it. A stage that has ended does not care.
            done.try_send(look()).ok();
            waker();
        };
        let spawned = Builder::new().name("gpu-lookout".into()).spawn(work);
        spawned.inspect_err(|error| tracing::warn!(%error, "no thread to look for a GPU")).is_ok()
    }

    /// When to call [`Lookout::keep`] again, whatever else happens.
    pub(crate) fn wake_at(&self) -> Option<Mono> {
        self.when.at.filter(|_| !self.when.looking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono(0).after(Duration::from_secs(seconds))
    }

    /// When it looks within so many seconds, each look taking `takes` of them.
    fn looks(drawing: impl Fn(u64) -> Drawing, seconds: u64, takes: u64) -> Vec<u64> {
        let mut when = When::new();
        let (mut looks, mut back) = (Vec::new(), None);
        for second in 0..seconds {
            if back == Some(second) {
                when.looking = false;
            }
            if when.is_due(drawing(second), at(second)) {
                looks.push(second);
                back = Some(second + takes);
            }
        }
        looks
    }

    #[test]
    fn a_real_gpu_is_looked_for_less_and_less_often() {
        let found = looks(|_| Drawing::Software, 20_000, 1);
        let pauses: Vec<_> = found.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(found[0], 5);
        // One second more each: the pause begins when nothing was found.
        assert_eq!(pauses[..3], [11, 21, 41], "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= 3_601), "{pauses:?}");
        assert_eq!(pauses.last(), Some(&3_601));
    }

    #[test]
    fn nothing_is_looked_for_while_a_gpu_draws_or_none_does() {
        for drawing in [Drawing::Real, Drawing::Nothing] {
            assert_eq!(looks(|_| drawing, 10_000, 1), [0; 0], "{drawing:?}");
        }
    }

    #[test]
    fn a_look_that_never_ends_is_the_last_one() {
        assert_eq!(looks(|_| Drawing::Software, 100_000, 1_000_000), [5]);
    }

    #[test]
    fn a_gpu_that_is_lost_again_and_again_is_taken_less_and_less_often() {
        // Real for half a minute after each look, then lost.
        let mut when = When::new();
        let (mut taken, mut real_until) = (Vec::new(), 0);
        for second in 0..10_000 {
            let drawing = if second < real_until { Drawing::Real } else { Drawing::Software };
            if when.is_due(drawing, at(second)) {
                when.looking = false;
                real_until = second + 31;
                taken.push(second);
            }
        }
        assert!(taken.len() <= 11, "{taken:?}");
        // One that was steady is looked for soon.
        let steady =
            |second| if (100..800).contains(&second) { Drawing::Real } else { Drawing::Software };
        let found = looks(steady, 810, 1);
        assert_eq!(found.last(), Some(&805), "{found:?}");
    }
}
