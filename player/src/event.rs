//! Everything that can make the director act, and everything it can ask for.
//!
//! The lists are closed on purpose: reading them is reading every cause and every effect.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use vitrine_config::Config;
use vitrine_render::report::{Hello, Report};
use vitrine_render::scene::Wish;
use vitrine_sync::LocalSettings;
use vitrine_sync::wire::record::Fault;

use crate::network::Trouble;
use crate::status::Status;
use crate::update::desk::News;
use crate::update::state::Release;

/// A cause.
#[derive(Debug, Clone)]
pub enum Event {
    /// From sync.
    Sync(vitrine_sync::Event),
    /// From the stage's host.
    Stage(StageEvent),
    /// From a person at the local API; answered with [`Effect::Answer`] of the same number.
    Command {
        /// Number of the question.
        ask: u64,
        /// The question.
        command: Command,
    },
    /// The settings have changed.
    Settings(Arc<Config>),
    /// What the device's files alone say of the settings, for sync to weigh against the cloud.
    FilesSay(LocalSettings),
    /// How the machine is, measured now and then.
    Host(HostFacts),
    /// What is wrong between here and the cloud, looked for while it is out of reach; None: nothing
    /// that can be seen from here.
    Network(Option<Trouble>),
    /// The zone that the schedule is read in: another one was set, here or in the system.
    TimeZone(TimeZone),
    /// Something went wrong outside of sync and the stage, such as a settings file that cannot be
    /// read; becomes a fault.
    Trouble(Fault),
    /// From the update's desk.
    Update(News),
    /// The deadline has come.
    Tick,
}

/// What the stage's host says.
#[derive(Debug, Clone)]
pub enum StageEvent {
    /// A stage has connected: everything it should show must be said again.
    Up(Hello),
    /// The stage said.
    Report(Report),
    /// The answer to [`Effect::Snapshot`].
    Snapshot {
        /// Number of the ask.
        id: u64,
        /// PNG, or why not.
        png: Result<Arc<Vec<u8>>, String>,
    },
    /// The stage that is there is another release's, and is not being followed by one of this release.
    Outdated {
        /// What holds that up, and what helps.
        why: String,
        /// Nobody could be asked for another one, which is no fault of this release.
        hindered: bool,
    },
    /// The stage is gone; the host is already bringing it back.
    Down {
        /// How it ended.
        why: String,
    },
}

/// How the machine is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct HostFacts {
    /// Free space where assets lie.
    pub disk_free_bytes: u64,
    /// Free memory.
    pub memory_free_bytes: u64,
    /// Hottest sensor.
    pub temperature_c: Option<f32>,
}

/// What a person may ask at the local API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// How are you?
    Status,
    /// Skip to the next item.
    Next,
    /// Back to the previous item.
    Previous,
    /// A picture of what the display was handed.
    Screenshot,
    /// Show the name on the screen for a while.
    Identify,
    /// Ask the cloud now.
    SyncNow,
    /// Go back to the content that was live before.
    Rollback,
    /// See whether there is a newer version of the player.
    UpdateCheck,
    /// Bring it and try it.
    UpdateNow,
    /// Go back to the version before.
    UpdateRollback,
}

/// The answer to a [`Command`].
#[derive(Debug, Clone)]
pub enum Answer {
    /// Done.
    Done,
    /// Done, or found, in words.
    Told(String),
    /// To [`Command::Status`].
    Status(Box<Status>),
    /// To [`Command::Screenshot`]: PNG.
    Screenshot(Arc<Vec<u8>>),
    /// Not done, and why.
    Refused(String),
}

/// An effect, carried out by the shell in order.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Fill the slot to the stage.
    Wish(Box<Wish>),
    /// Ask the stage for a picture; the answer is [`StageEvent::Snapshot`].
    Snapshot {
        /// Number of the ask.
        id: u64,
    },
    /// Tell sync.
    Sync(vitrine_sync::Request),
    /// Keep as a fault record (`telemetry::Records::record`) and log.
    Fault(Fault),
    /// This version has no screen of its own to prove itself on, for no fault of its own.
    Hindered,
    /// Keep as a fault record under this id, however often it comes, and log.
    FaultOnce {
        /// Of the record.
        id: String,
        /// What.
        fault: Fault,
    },
    /// Answer a person.
    Answer {
        /// Number of the question.
        ask: u64,
        /// The answer.
        answer: Answer,
    },
    /// The first frame is on the display: tell the service manager, once.
    Ready,
    /// We live, and the screen does not hang: feed the watchdog.
    Alive,
    /// Content is on the screen of the stage that is there: evidence for a version on trial.
    Content,
    /// Put this release on trial.
    TryRelease(Release),
    /// Send the version that runs back; the answer goes to this question.
    SendBack(u64),
    /// Another version is due: end, and let the package's program start it.
    GiveWay,
    /// Everything was played once, as asked: end.
    Finished,
}
