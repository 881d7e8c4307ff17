//! The push channel. From the cloud: hints that something is worth asking for; content never comes this
//! way. From the device, to a cloud that says so: records, which then cost no request of their own.

use serde::{Deserialize, Serialize};

/// One text message of the cloud on `GET /api/v3/events`. Kinds that are not known are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Hint {
    /// There is a manifest of this version.
    Manifest {
        /// Its version.
        version: u64,
    },
    /// There are orders of this version.
    Order {
        /// Their version.
        version: u64,
    },
    /// Records may be sent here: a text message with a [`Batch`](crate::record::Batch), the next one
    /// when it is answered.
    Records,
    /// The answer to a batch: the cloud keeps these from now on.
    Acknowledged {
        /// Ids of records.
        ids: Vec<String>,
    },
    /// The answer to a batch of which nothing can be kept.
    Refused {
        /// As in [`Problem::error`](crate::auth::Problem).
        error: String,
        /// For a person.
        description: String,
    },
}
