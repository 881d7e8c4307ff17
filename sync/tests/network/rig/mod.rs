//! A cloud and a player for tests: the real wire over loopback, with faults on demand.

mod cloud;
mod paper;
mod player;

pub use cloud::{Chaos, TestCloud, World, item, manifest};
pub use paper::Paper;
pub use player::{Player, clock, options, tuning};
