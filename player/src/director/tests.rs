//! The director and a stage, driven for simulated hours.

use super::sim::*;
use crate::event::{Answer, Command, Effect, Event, StageEvent};

/// A stage whose files tell how long they last, or do not.
fn stage_that_tells(tells_lengths: bool) -> Stage {
    let mut stage = Stage::new(0);
    stage.tells_lengths = tells_lengths;
    stage
}

mod asks;
mod cards;
mod chaos;
mod displays;
mod failures;
mod generations;
mod layouts;
mod once;
mod overlays;
mod plays;
mod stage;
mod tickers;
