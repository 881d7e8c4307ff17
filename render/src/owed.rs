//! A frame that one of several displays did not take while the others did: it gets it though
//! nothing moves.
//!
//! In:  what became of each frame, the time. Out: when all displays are drawn on again.

use std::time::Duration;

use vitrine_config::time::Mono;

use crate::gpu::target::Handed;

/// First pause; each next one is twice as long.
const FIRST: Duration = Duration::from_millis(250);
/// Longest pause: a frame that is not taken may hold up the other displays, and one that is off
/// takes none for days.
const MOST: Duration = Duration::from_secs(60);

/// What displays lack.
#[derive(Debug)]
pub(crate) struct Owed {
    at: Option<Mono>,
    /// Before it is tried another time.
    pause: Duration,
}

impl Default for Owed {
    fn default() -> Owed {
        Owed { at: None, pause: FIRST }
    }
}

impl Owed {
    /// A frame was handed over like this.
    pub(crate) fn handed(&mut self, handed: Handed, now: Mono) {
        match handed {
            Handed::Partly if self.at.is_none() => {
                self.at = Some(now.after(self.pause));
                self.pause = (self.pause * 2).min(MOST);
            }
            // The next try will tell.
            Handed::Partly | Handed::Later => {}
            Handed::Over | Handed::Lost => *self = Owed::default(),
        }
    }

    /// Whether it is time for another try.
    pub(crate) fn is_due(&mut self, now: Mono) -> bool {
        self.at.take_if(|at| *at <= now).is_some()
    }

    /// When that is.
    pub(crate) fn wake_at(&self) -> Option<Mono> {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_that_takes_nothing_is_tried_less_and_less_often_and_one_that_does_at_once() {
        let mut owed = Owed::default();
        let mut now = Mono(0);
        owed.handed(Handed::Over, now);
        assert_eq!(owed.wake_at(), None, "nothing is owed");
        let mut pauses_ms = Vec::new();
        for _ in 0..10 {
            owed.handed(Handed::Partly, now);
            // Something moves meanwhile on the others.
            owed.handed(Handed::Partly, now.after(Duration::from_millis(9)));
            let at = owed.wake_at().expect("another try");
            pauses_ms.push(at.since(now).as_millis());
            assert!(!owed.is_due(Mono(at.0 - 1)) && owed.is_due(at) && !owed.is_due(at));
            now = at;
        }
        let doubled = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
        assert_eq!(pauses_ms, doubled);
        owed.handed(Handed::Over, now);
        owed.handed(Handed::Partly, now);
        assert_eq!(owed.wake_at(), Some(now.after(FIRST)));
    }
}
