//! When to draw: only with a reason, never two frames for one refresh, and each picture for the
//! refresh that is nearest to its moment.
//!
//! In:  wishes for a frame, the display's go-ahead, its receipt.
//! Out: whether to draw now.
//!
//! Promises: no frame without a reason, at most one in flight, no reason is forgotten (one property
//! test). Which refreshes there are is `grid`'s business, which pictures go with one `rhythm`'s.

mod grid;
mod rhythm;

pub(crate) use grid::Grid;
pub(crate) use rhythm::Rhythm;

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
