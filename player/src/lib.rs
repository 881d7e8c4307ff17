//! Decides and connects.
//!
//! Start at `director` (every cause of every change), then `schedule` (what is due) and `run` (who
//! is started and stopped in which order). [`event`] lists all causes and effects.
//!
//! Does no pixel, socket or SQL work in its core; the shell around it is thin.

mod agenda;
pub mod director;
pub mod event;
mod playlist;
mod scene_of;
mod schedule;
pub mod status;
pub mod telemetry;
