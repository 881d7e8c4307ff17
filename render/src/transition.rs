//! How a picture makes room for another one: pure curves.
//!
//! In:  what the transition looks like and how far it is. Out: what to do to each of the two.
//!
//! Promises, each held by a property test below: it begins with the old picture alone and ends with
//! the new one as if nothing had happened; it does not jump; the old picture is covered or gone
//! exactly when the new one is there.
//!
//! Not here: which pictures (`stage::passing`), how they are placed (`place`), when frames come:
//! a frame shows the moment it is drawn for, so that the rate of frames changes nothing.

use crate::scene::{TransitionKind, Way};

/// A picture that grows begins at this share of its size.
const SMALLEST: f32 = 0.5;
/// What grows is opaque after this share of the time: no ghost of half a picture.
const OPAQUE_AFTER: f32 = 0.5;

/// What is done to a picture within its frame: a layer's rectangle, or the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Look {
    /// 0 to 1.
    pub opacity: f32,
    /// Of its size, about the middle of the frame.
    pub scale: f32,
    /// To the right and down, in extents of the frame.
    pub shift: [f32; 2],
    /// Left, top, right and bottom edge of what is seen, in extents of the frame.
    pub clip: [f32; 4],
}

impl Look {
    /// As if nothing happened.
    pub(crate) const PLAIN: Look =
        Look { opacity: 1.0, scale: 1.0, shift: [0.0; 2], clip: [0.0, 0.0, 1.0, 1.0] };

    fn at_opacity(opacity: f32) -> Look {
        Look { opacity, ..Look::PLAIN }
    }
}

/// The looks of the old and the new picture when `share` (0 to 1) of the time is over. `covers`:
/// the new one will leave nothing of the old one free, so that the old one can stay below it.
/// Otherwise the old one must leave by itself, and does so once the new one is there.
pub(crate) fn looks(kind: TransitionKind, share: f32, covers: bool) -> (Look, Look) {
    let share = if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) };
    let done = eased(share);
    match kind {
        TransitionKind::Fade if covers => (Look::PLAIN, Look::at_opacity(done)),
        TransitionKind::Fade => (leaving(share), Look::at_opacity(eased(share / OPAQUE_AFTER))),
        TransitionKind::Slide(way) => {
            let [x, y] = direction(way);
            let shifted = |by: f32| Look { shift: [x * by, y * by], ..Look::PLAIN };
            (shifted(done), shifted(done - 1.0))
        }
        TransitionKind::Wipe(way) => {
            let (old, new) = halves(way, done);
            (Look { clip: old, ..Look::PLAIN }, Look { clip: new, ..Look::PLAIN })
        }
        TransitionKind::Zoom => {
            let scale = SMALLEST + (1.0 - SMALLEST) * done;
            let new = Look { scale, ..Look::at_opacity(eased(share / OPAQUE_AFTER)) };
            (if covers { Look::PLAIN } else { leaving(share) }, new)
        }
    }
}

/// Stays until the new picture is opaque, then fades away.
fn leaving(share: f32) -> Look {
    Look::at_opacity(eased((1.0 - share) / (1.0 - OPAQUE_AFTER)))
}

/// Slow, quick, slow: 0 to 1, without a jerk at either end.
fn eased(share: f32) -> f32 {
    let share = share.clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}

fn direction(way: Way) -> [f32; 2] {
    match way {
        Way::Left => [-1.0, 0.0],
        Way::Right => [1.0, 0.0],
        Way::Up => [0.0, -1.0],
        Way::Down => [0.0, 1.0],
    }
}

/// What is seen of the old and of the new picture when the edge has gone `done` of its way.
fn halves(way: Way, done: f32) -> ([f32; 4], [f32; 4]) {
    let left = 1.0 - done;
    match way {
        Way::Left => ([0.0, 0.0, left, 1.0], [left, 0.0, 1.0, 1.0]),
        Way::Right => ([done, 0.0, 1.0, 1.0], [0.0, 0.0, done, 1.0]),
        Way::Up => ([0.0, 0.0, 1.0, left], [0.0, left, 1.0, 1.0]),
        Way::Down => ([0.0, done, 1.0, 1.0], [0.0, 0.0, 1.0, done]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every transition there is.
    pub(crate) fn kinds() -> Vec<TransitionKind> {
        let ways = [Way::Left, Way::Right, Way::Up, Way::Down];
        let slides = ways.map(TransitionKind::Slide);
        let wipes = ways.map(TransitionKind::Wipe);
        [TransitionKind::Fade, TransitionKind::Zoom]
            .into_iter()
            .chain(slides)
            .chain(wipes)
            .collect()
    }

    /// Everything of a look that can be seen, as numbers.
    fn numbers(look: Look) -> [f32; 8] {
        let Look { opacity, scale, shift: [x, y], clip: [left, top, right, bottom] } = look;
        [opacity, scale, x, y, left, top, right, bottom]
    }

    fn is_unseen(look: Look) -> bool {
        let [left, top, right, bottom] = look.clip;
        let [x, y] = look.shift.map(f32::abs);
        look.opacity <= 0.0 || left >= right || top >= bottom || x >= 1.0 || y >= 1.0
    }

    #[test]
    fn it_begins_with_the_old_and_ends_with_the_new_picture() {
        for kind in kinds() {
            for covers in [false, true] {
                let (old, new) = looks(kind, 0.0, covers);
                assert!(old == Look::PLAIN && is_unseen(new), "{kind:?} {covers}: begin");
                let (old, new) = looks(kind, 1.0, covers);
                assert_eq!(new, Look::PLAIN, "{kind:?} {covers}: end");
                assert!(covers || is_unseen(old), "{kind:?}: the old one is still there");
            }
        }
    }

    proptest! {
        #[test]
        fn it_does_not_jump(
            kind in prop::sample::select(kinds()), covers: bool, share in 0.0..1.0f32,
        ) {
            const STEP: f32 = 1e-3;
            // The steepest of the curves, twice as quick as the others, rises by 3 over its time.
            const MOST: f32 = 3.1 * STEP;
            let (old, new) = looks(kind, share, covers);
            let (old_then, new_then) = looks(kind, share + STEP, covers);
            for (now, then) in [(old, old_then), (new, new_then)] {
                for (now, then) in numbers(now).into_iter().zip(numbers(then)) {
                    prop_assert!((now - then).abs() <= MOST, "{} to {}", now, then);
                }
            }
        }

        #[test]
        fn nothing_is_free_between_the_two(
            kind in prop::sample::select(kinds()), share in 0.0..1.0f32,
            at in (0.0..1.0f32, 0.0..1.0f32),
        ) {
            let (x, y) = at;
            let seen = |look: Look| {
                let [left, top, right, bottom] = look.clip;
                let inside = |at: f32| (0.0..=1.0).contains(&at);
                let middle = |at: f32, shift: f32| (at - shift - 0.5) / look.scale + 0.5;
                let picture = inside(middle(x, look.shift[0])) && inside(middle(y, look.shift[1]));
                picture && (left..=right).contains(&x) && (top..=bottom).contains(&y)
            };
            // At a seam, numbers are as good as numbers are; `place` rounds both alike.
            let (old, new) = looks(kind, share, true);
            let edge = [new.shift[0].abs(), new.shift[1].abs(), new.clip[0], new.clip[1],
                new.clip[2], new.clip[3]];
            let seam = edge.into_iter().any(|e| (x - e).abs() < 1e-5 || (y - e).abs() < 1e-5
                || (x - (1.0 - e)).abs() < 1e-5 || (y - (1.0 - e)).abs() < 1e-5);
            prop_assert!(seam || seen(old) || seen(new), "a hole at {},{}", x, y);
        }

        #[test]
        fn nonsense_is_the_end(kind in prop::sample::select(kinds()), covers: bool) {
            for share in [f32::NAN, f32::INFINITY, 7.0] {
                prop_assert_eq!(looks(kind, share, covers), looks(kind, 1.0, covers));
            }
        }
    }
}
