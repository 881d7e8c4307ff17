//! The operator's side of the API: what people and their tools ask of the cloud.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::order::Action;
use crate::record::Heartbeat;

/// `POST /api/v3/operator/tenants`, asked with the admin token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTenant {
    /// 1 to 63 of `a-z 0-9 -`, as in a host name.
    pub tenant: String,
}

/// `POST /api/v3/operator/tenants`, answered. The token is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantMade {
    /// Its id.
    pub tenant: String,
    /// Operator token, good for this tenant alone.
    pub operator_token: String,
}

/// `POST /api/v3/operator/tenants/{tenant}/key`, answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyReplaced {
    /// Whose.
    pub tenant: String,
    /// Id of the key that signs from now on, see [`crate::envelope::key_id`].
    pub key: String,
    /// Names of the devices that are still to follow, as far as the cloud knows.
    pub behind: Vec<String>,
}

/// `PUT /api/v3/operator/tenants/{tenant}/quota`, asked with the admin token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// For all assets together; null: as the disk has.
    pub quota_bytes: Option<u64>,
}

/// Room for assets: the answer to that, and to `GET /api/v3/operator/quota`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// For all assets together; null: as the disk has.
    pub quota_bytes: Option<u64>,
    /// Of that, taken.
    pub used_bytes: u64,
}

/// `POST /api/v3/operator/pairings/{user_code}`: the operator's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// What the device will be called.
    pub name: String,
}

/// `POST /api/v3/operator/enrollments`: the operator's yes, given in advance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEnrollment {
    /// How many devices may come by it.
    pub uses: u32,
    /// Worthless after that.
    pub expires_in_s: u64,
}

/// `POST /api/v3/operator/enrollments`, answered. The token is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollmentMade {
    /// To end it by.
    pub enrollment: String,
    /// Goes into [`crate::auth::PairingRequest::enrollment`].
    pub token: String,
    /// Where devices find this cloud.
    pub cloud_url: String,
    /// Worthless from then on.
    pub expires_at: Timestamp,
}

/// One line of `GET /api/v3/operator/enrollments`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollmentState {
    /// To end it by.
    pub enrollment: String,
    /// How many devices may still come by it.
    pub uses_left: u32,
    /// Worthless from then on.
    pub expires_at: Timestamp,
}

/// `POST /api/v3/operator/publish`, answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Version of each device's manifest.
    pub versions: std::collections::BTreeMap<String, u64>,
}

/// `POST /api/v3/operator/settings`, asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSettings {
    /// For this device alone; absent: for all of the tenant that have none of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// `section.key` to its value as on the player's command line; null: the cloud has no say in it.
    pub settings: std::collections::BTreeMap<String, Option<String>>,
    /// Who wants it so.
    pub by: String,
}

/// `POST /api/v3/operator/devices/{device}/orders`, asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrder {
    /// What to do.
    #[serde(flatten)]
    pub action: Action,
    /// Given up after that.
    pub expires_in_s: u64,
}

/// `POST /api/v3/operator/devices/{device}/orders`, answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderMade {
    /// Its id; the result record names it.
    pub order: String,
}

/// `POST /api/v3/operator/releases/files`, answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseFile {
    /// Of the bytes that arrived.
    pub sha256: Digest,
    /// Their number.
    pub size_bytes: u64,
}

/// One line of `GET /api/v3/operator/devices`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceState {
    /// Its id.
    pub device: String,
    /// What the operator calls it.
    pub name: String,
    /// Board or machine.
    pub model: String,
    /// See [`crate::auth::fingerprint`].
    pub fingerprint: String,
    /// When it was last heard of.
    pub seen_at: Option<Timestamp>,
    /// Version of the manifest that the cloud has for it.
    pub manifest_version: u64,
    /// Its last word about itself.
    pub heartbeat: Option<Heartbeat>,
}
