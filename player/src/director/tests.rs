//! The director and a stage, driven for simulated hours.
#![allow(clippy::disallowed_methods)]

use super::sim::*;

mod plays;
