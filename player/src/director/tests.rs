//! The director and a stage, driven for simulated hours.

use super::sim::*;
use crate::event::{Answer, Command, Effect, Event, StageEvent};

mod asks;
mod cards;
mod chaos;
mod failures;
mod generations;
mod layouts;
mod once;
mod overlays;
mod plays;
mod stage;
mod tickers;
