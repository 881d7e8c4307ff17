//! What `vitrine status` says. Built by the director, printed by the command line.

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};
use vitrine_config::{Word, limits};
use vitrine_render::report::Walls;
use vitrine_sync::wire::record::Downloads;

use crate::network::Trouble;

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
    /// What is wrong on the way to the cloud and what helps, while it is out of reach.
    pub network: Option<Trouble>,
    /// Version of the live manifest, 0 for none.
    pub manifest_version: u64,
    /// How far the generation is that is being prepared.
    pub downloads: Option<Downloads>,
    /// When the next hour for downloads begins, if they wait for it.
    pub downloads_wait: Option<Timestamp>,
    /// Settings of which the cloud has the last word.
    #[serde(default)]
    pub settings: Vec<SettingSaid>,
    /// What was written to the disk since the start, a few minutes ago.
    #[serde(default)]
    pub written: Option<DiskWritten>,
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
    /// What the last media worker was kept from; absent before the first one.
    pub workers: Option<Walls>,
    /// Frames handed to the display since the stage started.
    pub frames_presented: u64,
    /// Versions of the player besides the one that runs.
    #[serde(default)]
    pub update: Update,
    /// The last troubles, newest first, at most ten.
    pub troubles: Vec<String>,
}

/// One setting as the cloud has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingSaid {
    /// `section.key`
    pub key: String,
    /// As the command line takes it.
    pub value: String,
    /// When it was said.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
}

/// What was written to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskWritten {
    /// By downloads.
    pub content_bytes: u64,
    /// Of the files that came of it.
    pub content_kept_bytes: u64,
    /// By the store; absent where the kernel does not count.
    pub store_bytes: Option<u64>,
    /// In this time.
    pub within_s: u64,
}

impl DiskWritten {
    /// Whether downloads wrote more than they may for what they brought.
    pub fn content_is_over(&self) -> bool {
        // Files under way have not been kept yet: nothing to judge by.
        let may = self.content_kept_bytes.saturating_mul(limits::CONTENT_WRITTEN_PERCENT) / 100;
        self.content_kept_bytes > 0 && self.content_bytes > may
    }

    /// Whether the store wrote more than it may in this time, counted by whole days begun.
    pub fn store_is_over(&self) -> bool {
        let days = self.within_s / DAY_S + 1;
        self.store_bytes.is_some_and(|bytes| bytes > days * limits::STORE_WRITTEN_BYTES_A_DAY)
    }
}

/// Seconds of a day.
const DAY_S: u64 = 24 * 3_600;

impl SettingSaid {
    /// As a layer takes it.
    pub fn word(self) -> (String, Word) {
        let SettingSaid { key, value, at, by } = self;
        (key, Word { value, at, by })
    }
}

/// Versions of the player, as far as they are not the package's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// The one that has proved itself; absent: the package's own.
    pub current: Option<Version>,
    /// The one before.
    pub previous: Option<Version>,
    /// The one that has to prove itself, and how often it was started.
    pub trial: Option<String>,
    /// Those that came back, newest last, each with the reason.
    pub refused: Vec<String>,
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
