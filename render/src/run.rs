//! The entry of the stage: where its parts come together.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use vitrine_config::time::Clock;

use crate::link::{Agent, LinkError};
use crate::scene::Size;
use crate::source::worker::WorkerCommand;
use crate::{offscreen, window};

/// What a stage needs to know.
#[derive(Debug)]
pub struct StageOptions {
    /// What it draws on.
    pub output: Output,
    /// Who tells it what to show.
    pub agent: Agent,
    /// How a media worker is started.
    pub worker: WorkerCommand,
    /// Gets a word when the display was handed the first frame.
    pub first_frame: Option<SyncSender<()>>,
}

/// What a stage draws on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// All of the display that `WAYLAND_DISPLAY` or `DISPLAY` names.
    Fullscreen,
    /// A window in it, of this size at first.
    Windowed(Size),
    /// A texture; pictures by snapshot.
    Offscreen(Size),
}

/// Why a stage cannot run. Whatever comes up later is healed or reported, and never ends it.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// There is nothing to open a window on.
    #[error("no display: {0}; start inside a Wayland or X11 session, or draw offscreen")]
    NoDisplay(String),
    /// No GPU driver that can be used, not even a software one, and no other way to say so.
    #[error("no usable GPU: {0}; a driver for Vulkan or OpenGL ES 3 is needed")]
    NoGpu(String),
    /// The link to the agent cannot be set up.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The system has no thread or descriptor left.
    #[error("stage: {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why it did not work.
        #[source]
        source: std::io::Error,
    },
}

/// Runs a stage until its agent or a person ends it: by the close button, and by Escape or q in a
/// window of its own size or when agent and stage are one process.
///
/// Must be called on the main thread of its process, once: windows demand it.
///
/// # Errors
/// [`StageError`] when there is nothing to draw on or with; never because of a scene.
pub fn run(options: StageOptions, clock: Arc<dyn Clock>) -> Result<(), StageError> {
    match options.output {
        Output::Fullscreen => window::run(options, clock, None),
        Output::Windowed(size) => window::run(options, clock, Some(size)),
        Output::Offscreen(size) => offscreen::run(options, &clock, size),
    }
}
