//! What the device remembers: generations, outbox, orders, the latest time.

use std::path::Path;

use jiff::Timestamp;
use vitrine_wire::record::Record;

mod error;
mod thread;

pub(crate) use error::StoreError;
pub(crate) use thread::{Handle, start};

/// What opening the store found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The store was not closed by the last process: power cut, kill, crash.
    pub(crate) unclean: bool,
    /// Why the database was moved aside and a new one was filled from the envelope files; records
    /// and orders in it are lost. Worth a fault record.
    pub(crate) rebuilt: Option<String>,
}

/// A manifest as it came, with when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Generation {
    /// Its version.
    pub(crate) version: u64,
    /// The signed bytes. The disk is no witness: prove them again before they are believed.
    pub(crate) envelope: Vec<u8>,
    /// When it was kept, by the device's clock.
    pub(crate) received_at: Timestamp,
}

/// The open store.
pub(crate) struct Store {}

impl Store {
    /// Opens it.
    pub(crate) fn open(_state_dir: &Path) -> Result<(Store, Opened), StoreError> {
        Err(StoreError::Stopped)
    }
    /// Closes it.
    pub(crate) fn close(self) -> Result<(), StoreError> {
        Err(StoreError::Stopped)
    }
    /// Kept, proved, but not in force yet.
    pub(crate) fn pending(&mut self) -> Result<Option<Generation>, StoreError> {
        Err(StoreError::Stopped)
    }
    /// In force.
    pub(crate) fn live(&mut self) -> Result<Option<Generation>, StoreError> {
        Err(StoreError::Stopped)
    }
    /// In force before the live one.
    pub(crate) fn previous(&mut self) -> Result<Option<Generation>, StoreError> {
        Err(StoreError::Stopped)
    }
    /// Keeps a proved manifest.
    pub(crate) fn keep_pending(
        &mut self,
        _version: u64,
        _envelope: &[u8],
        _received_at: Timestamp,
    ) -> Result<(), StoreError> {
        Err(StoreError::Stopped)
    }
    /// Puts a kept generation in force.
    pub(crate) fn go_live(&mut self, _version: u64) -> Result<(), StoreError> {
        Err(StoreError::Stopped)
    }
    /// Drops a generation that is not believed (any more); if it was live, the previous one is.
    pub(crate) fn discard(&mut self, _version: u64) -> Result<(), StoreError> {
        Err(StoreError::Stopped)
    }
    /// Highest version ever kept for this tenant; 0 for none. Never goes down.
    pub(crate) fn highest_version(&mut self) -> Result<u64, StoreError> {
        Err(StoreError::Stopped)
    }
    /// Adds to the outbox and returns how many old ones went for want of room.
    pub(crate) fn append_records(&mut self, _records: &[Record]) -> Result<usize, StoreError> {
        Err(StoreError::Stopped)
    }
    /// At most `most`, oldest first.
    pub(crate) fn oldest_records(&mut self, _most: usize) -> Result<Vec<Record>, StoreError> {
        Err(StoreError::Stopped)
    }
    /// Deletes what the cloud keeps.
    pub(crate) fn acknowledge(&mut self, _ids: &[String]) -> Result<(), StoreError> {
        Err(StoreError::Stopped)
    }
    /// Records in the outbox.
    pub(crate) fn outbox_len(&mut self) -> Result<usize, StoreError> {
        Err(StoreError::Stopped)
    }
    /// Notes durably that an order is about to be done; true only the first time.
    pub(crate) fn begin_order(&mut self, _id: &str) -> Result<bool, StoreError> {
        Err(StoreError::Stopped)
    }
    /// Notes that an order is over and puts its result in the outbox, in one step.
    pub(crate) fn end_order(&mut self, _id: &str, _result: &Record) -> Result<usize, StoreError> {
        Err(StoreError::Stopped)
    }
    /// Orders that a stop or crash cut off: to be reported as failed, not done again.
    pub(crate) fn begun_but_not_ended(&mut self) -> Result<Vec<String>, StoreError> {
        Err(StoreError::Stopped)
    }
    /// Notes the time; earlier than the latest known changes nothing. At most once a minute: flash.
    pub(crate) fn note_time(&mut self, _at: Timestamp) -> Result<(), StoreError> {
        Err(StoreError::Stopped)
    }
    /// The latest time noted.
    pub(crate) fn latest_time(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Err(StoreError::Stopped)
    }
    /// Wipes what is the tenant's: generations, versions, records, orders, set-aside databases.
    pub(crate) fn forget_tenant(&mut self) -> Result<(), StoreError> {
        Err(StoreError::Stopped)
    }
}
