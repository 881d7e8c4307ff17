//! Orders: what the cloud wants done once.
//!
//! They travel in an envelope of their own, signed like a manifest and never as one: what is to be
//! done says nothing about what is to be shown, so an order changes no manifest and its version.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Header of the answers to `GET /api/v3/manifest`, also of a 304: the `ETag` of the orders that wait.
/// Absent while there are none, so that a poll without news stays one request.
pub const HEADER: &str = "vitrine-orders";

/// What an envelope's payload holds that is sealed for [`Purpose::Orders`](crate::envelope::Purpose).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// Rises with every new order, counted with the versions of manifests; a device never goes back.
    pub version: u64,
    /// Id of the tenant they were made for.
    pub tenant: String,
    /// Id of the device they were made for.
    pub device: String,
    /// When the cloud made this.
    pub issued_at: Timestamp,
    /// Those that are neither answered nor lapsed, the oldest first.
    pub orders: Vec<Order>,
}

/// Something to be done once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Unique for the device, for ever.
    pub id: String,
    /// What to do.
    #[serde(flatten)]
    pub action: Action,
    /// Not to be started from then on.
    pub expires_at: Timestamp,
}

/// What an order asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Send a picture of what the display was handed.
    Screenshot,
    /// Show name and address on the screen for a while.
    Identify,
    /// Go back to the manifest that was in force before, until other content is published than the one
    /// that was in force until then.
    Rollback,
    /// Bring the newest version of the player that the device may have, and try it.
    Update,
}
