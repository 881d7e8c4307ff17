//! Records: what a device tells the cloud, kept until acknowledged.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// Most records in one `POST /api/v3/records`.
pub const BATCH_MAX: usize = 200;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// 32 hexadecimal digits, random. The cloud keeps one record per id, however often it comes.
    pub id: String,
    /// When, by the device's clock.
    pub at: Timestamp,
    /// How far that clock deserved belief.
    pub trust: Trust,
    /// What.
    #[serde(flatten)]
    pub body: Body,
}

/// How far a device's clock deserved belief.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Set by the network.
    Synced,
    /// Not before the last time known; maybe long after.
    Guess,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// I am here, and this is how I am.
    Heartbeat(Heartbeat),
    /// This was on the screen.
    ProofOfPlay(ProofOfPlay),
    /// What became of an order.
    OrderResult(OrderResult),
    /// Something went wrong.
    Fault(Fault),
    /// Another value holds for a setting.
    SettingChanged(SettingChanged),
}

/// State of a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Version of the player.
    pub release: String,
    /// Since the agent started.
    pub uptime_s: u64,
    /// Version of the live manifest, 0 for none.
    pub manifest_version: u64,
    /// Label of what is on the screen.
    pub showing: String,
    /// Whether a display was handed a frame since the last heartbeat or a still one stands.
    pub screen_ok: bool,
    /// Free space where assets lie.
    pub disk_free_bytes: u64,
    /// Free memory.
    pub memory_free_bytes: u64,
    /// Hottest sensor, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_c: Option<f32>,
    /// Records waiting to be sent.
    pub outbox: u64,
    /// Id of the tenant's key that is pinned, see [`crate::envelope::key_id`]: while it is not the
    /// newest, the cloud signs with it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_key: Option<String>,
    /// The manifest that is being fetched, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downloads: Option<Downloads>,
}

/// How far a device is with a manifest's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downloads {
    /// Version of the manifest.
    pub version: u64,
    /// Files that it needs.
    pub assets: u64,
    /// Of these, on the device.
    pub assets_here: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Of these, on the device.
    pub bytes_here: u64,
    /// Files under way.
    #[serde(default)]
    pub files: Vec<Download>,
}

/// One file under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// Which.
    pub asset: Digest,
    /// What people call it.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Of these, on the device.
    pub bytes_here: u64,
}

/// One showing that reached the display.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProofOfPlay {
    /// Number of the showing on this device.
    pub turn: u64,
    /// Version of the manifest it came from.
    pub manifest_version: u64,
    /// Playlist id.
    pub playlist: String,
    /// Item id.
    pub item: String,
    /// Zone id, if the item played in a layout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The file, if the item has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<Digest>,
    /// From the first frame that the display was handed to the first of the next showing.
    pub shown_ms: u64,
    /// Frames that the display was handed.
    pub frames_presented: u64,
    /// Frames that came too late to be shown.
    pub frames_dropped: u64,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderResult {
    /// Id of the order.
    pub order: String,
    /// Whether it was done.
    pub done: bool,
    /// What happened, for a person.
    pub detail: String,
}

/// Something that went wrong and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Machine-readable, such as `manifest_refused`, `item_failed`, `decoder_failed`, `file_broken`, `stage_died`.
    pub code: String,
    /// What, wanted, found, done.
    pub detail: String,
}

/// Another value holds for a setting of the player: who, when, what before, what now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingChanged {
    /// `section.key`, as in the player's settings file.
    pub key: String,
    /// Who said it or took it back: an operator, or the device's own file.
    pub by: String,
    /// When that was said; the record's own time is when it took effect.
    pub said_at: Timestamp,
    /// What held before; absent: the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What holds now; absent: the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// `POST /api/v3/records`, asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// At most [`BATCH_MAX`].
    pub records: Vec<Record>,
}

/// `POST /api/v3/records`, answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Ids that the cloud now keeps: the device may forget these.
    pub ids: Vec<String>,
}
