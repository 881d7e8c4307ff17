//! What `vitrine status` says. Built by the director, printed by the command line.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vitrine_sync::wire::record::Downloads;

/// State of the player at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the player.
    pub release: String,
    /// The moment.
    pub at: Timestamp,
    /// Whether the clock is `synced` or a `guess`.
    pub trust: vitrine_config::time::Trust,
    /// Since the agent started.
    pub uptime_s: u64,
    /// Tenant and device, if paired.
    pub tenant: Option<String>,
    /// Device id, if paired.
    pub device: Option<String>,
    /// Code to approve, while pairing.
    pub user_code: Option<String>,
    /// `off`, `connecting`, `online`, `online, polling` or `offline: why`.
    pub connection: String,
    /// Version of the live manifest, 0 for none.
    pub manifest_version: u64,
    /// How far the generation is that is being prepared.
    pub downloads: Option<Downloads>,
    /// When the next hour for downloads begins, if they wait for it.
    pub downloads_wait: Option<Timestamp>,
    /// How often the cloud was asked for news, whatever came of it.
    pub asked: u64,
    /// Why the last time came to nothing.
    pub ask_failed: Option<String>,
    /// Which schedule entry is in force and why, or which card and why.
    pub due: String,
    /// When the schedule next changes.
    pub due_until: Option<Timestamp>,
    /// On the screen, one line a zone.
    pub showing: Vec<Showing>,
    /// Stage: pid, size, GPU; or why there is none.
    pub stage: String,
    /// Frames handed to the display since the stage started.
    pub frames_presented: u64,
    /// The last troubles, newest first, at most ten.
    pub troubles: Vec<String>,
}

/// One showing on the screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Showing {
    /// Its number.
    pub turn: u64,
    /// Zone id; absent for a playlist over the whole screen.
    pub zone: Option<String>,
    /// Playlist id.
    pub playlist: String,
    /// Item id.
    pub item: String,
    /// Name of the file, or what else it is.
    pub label: String,
    /// First frame handed to the display.
    pub since: Option<Timestamp>,
}
