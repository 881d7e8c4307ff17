//! The link between agent and stage: one Unix socket, wishes one way, reports the other.
//!
//! A message is two little-endian `u32` lengths (JSON, blob), the JSON, the blob. The agent listens
//! on `<runtime_dir>/stage.sock`; a stage connects, says [`crate::report::Report::Hello`], and
//! connects again whenever the agent went away, keeping its picture meanwhile.

use serde::{Deserialize, Serialize};

use crate::scene::Wish;

/// What an agent says to a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Replaces the wish before.
    Wish(Box<Wish>),
    /// Send a picture of what the display was handed, after the next frame if one is due now.
    Snapshot {
        /// Comes back in the report.
        id: u64,
    },
    /// Let go of the display and end.
    Quit,
}
