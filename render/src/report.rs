//! What the stage says: what the display was handed, and what went wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use vitrine_config::time::Mono;

use crate::scene::{Size, Turn};
pub use crate::worker::Walls;

/// One word from the stage, in the order in which things happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// First word of a stage to an agent, on every connection.
    Hello(Hello),
    /// The first frame with this turn was handed to the display.
    Shown {
        /// Which showing.
        turn: Turn,
        /// When.
        at: Mono,
    },
    /// This turn is off the screen.
    Gone {
        /// Which showing.
        turn: Turn,
        /// When the first frame without it was handed to the display.
        at: Mono,
        /// Frames of it that the display was handed.
        frames_presented: u64,
        /// Frames of it that came too late to be shown.
        frames_dropped: u64,
    },
    /// This turn has shown its last frame for that frame's full time and nothing stood ready to
    /// take over: the last frame stays. Said once, and only of turns that end by themselves.
    Ended {
        /// Which showing.
        turn: Turn,
        /// When its time was over.
        at: Mono,
    },
    /// Everything this turn needs is ready: it can be shown at any moment.
    Prepared {
        /// Which showing.
        turn: Turn,
        /// How long it lasts by itself, as far as its file tells; none for what has no end.
        #[serde(default)]
        lasts: Option<Duration>,
    },
    /// Something was wrong with this turn and was mended: it is shown all the same.
    Mended {
        /// Which showing.
        turn: Turn,
        /// What was wrong, and what was done.
        what: String,
    },
    /// The file of this turn is broken: what is there of it is shown, and ends by itself.
    BrokeOff {
        /// Which showing.
        turn: Turn,
        /// Which file, and what is wrong with it.
        what: String,
    },
    /// This turn cannot be shown, or not any more; what it last showed stays on the screen until
    /// the next wish.
    Failed {
        /// Which showing.
        turn: Turn,
        /// What, wanted, found.
        error: String,
    },
    /// A display does not do what was asked of it, and goes on as it was.
    Refused {
        /// Which display, wanted, found.
        what: String,
    },
    /// Evidence of life, once a second while a wish stands.
    Beat(Beat),
    /// The answer to [`crate::link::Ask::Snapshot`]; the PNG travels behind it.
    Snapshot {
        /// Which ask.
        id: u64,
        /// Why there is no picture.
        error: Option<String>,
    },
}

/// So begins [`Hello::gpu`] when nothing can be drawn; the reason follows.
pub const NO_GPU: &str = "none: ";

/// Who the stage is and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Process id.
    pub pid: u32,
    /// Highest turn that it has been asked for: the agent numbers on from there.
    pub newest_turn: Turn,
    /// Turns on the screen right now.
    pub showing: Vec<Turn>,
    /// The first display, or the target.
    pub size: Size,
    /// How many displays are there to be drawn on.
    #[serde(default = "one")]
    pub displays: u8,
    /// Adapter, driver and whether it is a software one, for people.
    pub gpu: String,
    /// Whether frames stay in their decoder's memory, for people; begins with yes, if so.
    #[serde(default)]
    pub zero_copy: String,
}

fn yes() -> bool {
    true
}

fn one() -> u8 {
    1
}

/// Evidence that the screen is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// When it was written.
    pub at: Mono,
    /// Frames handed to the display since start.
    pub frames_presented: u64,
    /// Whether a picture is due on a display that is there: then `frames_presented` must rise. Not one
    /// that is due later: a clock may stand for a minute.
    pub moving: bool,
    /// What the last media worker that was given a file is kept from.
    pub walls: Option<Walls>,
    /// Whether there is something to draw with: without it nothing can be got ready.
    #[serde(default = "yes")]
    pub draws: bool,
    /// Turns whose media worker still starts: it is not them that take so long.
    #[serde(default)]
    pub starting: Vec<Turn>,
}
