//! A scene in, light out.
//!
//! Start at [`scene`] (what can be asked for) and [`report`] (what comes back), then `stage` (what
//! happens in between) and `engine` (who calls it). [`link`] carries both between agent and stage;
//! [`run`] is the whole thing as a process.
//!
//! Knows no playlist, no schedule, no network; reads only the files that a scene names.

mod colour;
mod engine;
mod fallback;
mod gpu;
pub mod link;
mod offscreen;
mod owed;
mod pacing;
mod place;
pub mod report;
mod run;
pub mod scene;
mod screen;
pub mod source;
mod stage;
#[cfg(test)]
mod test_media;
mod transition;
mod window;
pub mod worker;
mod zero_copy;

pub use run::{Output, StageError, StageOptions, run};
pub use source::worker::WorkerCommand;
