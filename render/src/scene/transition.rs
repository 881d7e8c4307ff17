//! How pictures take each other's place.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How one picture takes the place of another; both keep moving meanwhile.
///
/// The layers that it replaces are those with the same rectangle on the same page. When the page
/// itself is another one, all of it comes in as the hindmost new layer does; layers with the same
/// turn in both stay undisturbed. A showing is [`crate::report::Report::Gone`] when its successor
/// begins to come in: transitions add nothing to anybody's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// What it looks like.
    pub kind: TransitionKind,
    /// From the first frame in which the new picture has a part to the first without the old one.
    pub lasts: Duration,
}

/// What a transition looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    /// One becomes the other.
    Fade,
    /// The new one pushes the old one this way.
    Slide(Way),
    /// An edge moves this way and uncovers the new one.
    Wipe(Way),
    /// The new one grows out of the middle.
    Zoom,
}

/// Where something moves to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Way {
    Left,
    Right,
    Up,
    Down,
}
