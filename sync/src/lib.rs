//! The cloud's wishes, made local.
//!
//! In:  [`Options`], [`Tuning`], [`Request`]s.
//! Out: [`Event`]s: which generation is live, what a pairing screen must show, how the connection is.
//!
//! Start at [`model`] (what content is) and [`Sync`] (how it is used), then `shell` (the one loop), `session` (who we are to the
//! cloud), `plan` (what to fetch), `cache` and `store` (what is kept and how it survives).
//!
//! Sees no window, no pixel, no schedule. The sync thread alone writes the cache, the store thread
//! alone holds the database, the device key never leaves this crate.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub mod feed;
pub mod model;

mod accept;
mod backoff;
mod cache;
mod cloud;
pub mod durable;
mod error;
mod handle;
mod headlines;
mod hours;
mod http;
mod identity;
mod kept;
#[cfg(test)]
mod kill_tests;
mod plan;
mod release;
mod session;
mod shell;
mod store;

pub use error::StartError;
pub use handle::{Full, STOP, Sync};
pub use http::reach;
pub use kept::kept;
pub use release::Updates;
pub use vitrine_wire as wire;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::Live;
use semver::Version;
use vitrine_config::Word;
use vitrine_config::model::{Hours, Policy, Secret};
use vitrine_wire::record::Record;

/// What is fixed while the agent runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Key, account, store, caches:
    /// `<state_dir>/{device.key,account.json,store.db,assets,generations,headlines}`.
    pub state_dir: PathBuf,
    /// Base URL. None: play what is in the store, sync with nobody.
    pub cloud_url: Option<String>,
    /// Private certificate authority, PEM.
    pub ca_file: Option<PathBuf>,
    /// Proxy for everything encrypted. None: the environment's.
    pub proxy: Option<Secret>,
    /// Redeemed instead of a code as long as there is no account.
    pub enrollment: Option<Secret>,
    /// What the device calls itself at pairing.
    pub name: String,
    /// Board or machine model.
    pub model: String,
    /// Version of the player.
    pub release: String,
    /// First contact after start is put off by a random share of this, once paired.
    pub first_contact_spread: Duration,
}

impl Options {
    /// Whom to trust and by whom to go.
    pub(crate) fn way(&self) -> http::Way {
        http::Way { ca_file: self.ca_file.clone(), proxy: self.proxy.clone() }
    }
}

/// What may change while the agent runs; same ranges as in `vitrine_config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    /// Pause between polls.
    pub poll: Duration,
    /// Downloads at a time.
    pub downloads: usize,
    /// How long a pending generation waits for what it does not need at once.
    pub patience: Duration,
    /// Room for assets.
    pub cache_bytes: u64,
    /// Left free on the file system.
    pub reserve_bytes: u64,
    /// What the schedule needs within this must be here before a generation goes live.
    pub horizon: Duration,
    /// All downloads together, bytes a second; 0: no limit.
    pub rate_bytes_s: u64,
    /// Part of the day for downloads; None: any time.
    pub download_hours: Option<Hours>,
    /// Bytes cost money: fetch nothing before its time.
    pub metered: bool,
    /// Zone of schedule and hours.
    pub time_zone: TimeZone,
}

/// [`Event::Trouble`]'s code for a token that the cloud does not take: it is of no use any more.
pub const ENROLLMENT_REFUSED: &str = "enrollment_refused";

/// The device's own word on its settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalSettings {
    /// Key to value, as the command line takes it; keys at their default are not in it.
    pub said: Arc<BTreeMap<String, String>>,
    /// What the cloud may set.
    pub policy: Policy,
}

/// What sync says. The list is closed: reading it is reading all that can come from this crate.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Said once after start, before anything else: what the store remembers.
    Started {
        /// The live generation, if there is one.
        live: Option<Arc<Live>>,
        /// Whether this device belongs to a tenant.
        paired: Option<Paired>,
        /// Latest wall time the store has seen: no guess may be before it.
        latest_time: Option<Timestamp>,
    },
    /// Another generation (or more files or other headlines of the same one) is in force from now on. After pairing with
    /// another tenant an empty one of version 0: what was shown before is not to be shown any more.
    Live(Arc<Live>),
    /// A person must approve this device.
    Pairing(Pairing),
    /// A person has.
    Paired(Paired),
    /// The cloud does not know this device any more; content stays until a new tenant sends some.
    Unpaired,
    /// How the connection is.
    Connection(Connection),
    /// What the cloud has the last word on of the player's settings, by key.
    Settings(BTreeMap<String, Word>),
    /// What was written to the disk; said every few minutes.
    Written(Written),
    /// How downloads are.
    Progress(Progress),
    /// The cloud was asked for news and has answered, or why not. Said after everything that came of
    /// the answer at once.
    Asked(Result<(), String>),
    /// Something was refused, passed over or went wrong; also kept as a fault record already.
    Trouble {
        /// Machine-readable, as in [`wire::record::Fault::code`].
        code: String,
        /// For a person.
        detail: String,
    },
    /// The answer to [`Request::Rollback`] of a person: the version that is live now, or why it stays
    /// as it was.
    RolledBack {
        /// Number of the question.
        ask: u64,
        /// What came of it.
        result: Result<u64, String>,
    },
    /// The answer to [`Request::Release`] of a person.
    ReleaseAnswer {
        /// Number of the question.
        ask: u64,
        /// What there is or will be done; or why nothing.
        answer: Result<String, String>,
    },
    /// A newer version of the player is whole in `<state_dir>/releases` and may be tried.
    ReleaseHere {
        /// Which.
        version: Version,
        /// Name of its file, as in the cache of assets.
        sha256: model::Digest,
        /// Somebody asked for it: it need not wait for a good moment.
        hurry: bool,
    },
    /// An order that is new, still valid and durably noted as begun: to be done once.
    Order(model::Order),
}

/// Whose device this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paired {
    /// Tenant id.
    pub tenant: String,
    /// Device id.
    pub device: String,
}

/// What a pairing screen must show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairing {
    /// `XXXX-XXXX`.
    pub user_code: String,
    /// Where a person enters it.
    pub verification_uri: String,
    /// The same with the code.
    pub verification_uri_complete: String,
    /// Of the device key.
    pub fingerprint: String,
}

/// How the connection to the cloud is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// No cloud is configured.
    Off,
    /// Not tried yet, or being tried.
    Connecting,
    /// The last exchange succeeded.
    Online {
        /// Whether the push channel is up.
        push: bool,
    },
    /// The last exchange failed.
    Offline {
        /// What, wanted, found.
        why: String,
    },
}

/// What was written to the disk since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// By downloads.
    pub content_bytes: u64,
    /// Of the files that came of it.
    pub content_kept_bytes: u64,
    /// By the store: database, log, envelopes. None: the kernel does not count.
    pub store_bytes: Option<u64>,
}

/// How downloads are. What is left for later, because bytes cost money, does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Version being prepared; 0 for none.
    pub version: u64,
    /// Assets it needs.
    pub assets: usize,
    /// Of these, here.
    pub assets_here: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, here.
    pub bytes_here: u64,
    /// Those under way.
    pub files: Vec<FileProgress>,
    /// When the next hour for downloads begins, if this is none.
    pub opens_at: Option<Timestamp>,
}

/// How one download is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProgress {
    /// Which.
    pub asset: model::Digest,
    /// What people call it.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Of these, here.
    pub bytes_here: u64,
}

/// Who wants something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// A person at the device; the number of the question.
    Person(u64),
    /// The cloud; the id of the order, which sync then ends by itself.
    Order(String),
}

/// What sync is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Keep it durably and tell the cloud.
    Record(Record),
    /// Ask the cloud now.
    SyncNow,
    /// New tuning.
    Tune(Tuning),
    /// What the device's own files say of its settings; said once after start and when it changes.
    /// Before that the cloud has no say.
    Settings(LocalSettings),
    /// Go back to the generation that was live before; answered with [`Event::RolledBack`].
    Rollback(Asker),
    /// The same because nothing of the live one can be shown, in words; not answered.
    GiveUp(String),
    /// What the player is and wants of updates; said once. Without it there are none.
    Updates(Updates),
    /// See whether the cloud has a newer version of the player; a person is answered with
    /// [`Event::ReleaseAnswer`].
    Release {
        /// Who wants to know.
        asker: Asker,
        /// Bring it too: [`Event::ReleaseHere`] follows.
        take: bool,
    },
    /// A screenshot that an order asked for; its result record follows by itself.
    Screenshot {
        /// Id of the order.
        order: String,
        /// The picture.
        png: Arc<Vec<u8>>,
    },
}
