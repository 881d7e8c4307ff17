//! The push channel: hints that something is worth asking for. Content never comes this way.

use serde::{Deserialize, Serialize};

/// One text message of `GET /api/v3/events`. Kinds that are not known are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
}
