//! Whether a manifest is believed, decided over the bytes as they came.
//!
//! In:  an envelope's raw bytes, whose device this is, the highest version seen so far.
//! Out: the manifest with complaints, or "nothing new", or why it is refused.
//!
//! The cloud relays, it does not authorise. The signature by the key that was pinned at pairing is
//! checked before a byte of the payload is parsed; then tenant, device and version.
//!
//! Promises: `believes_only_what_the_pinned_key_signed_for_this_device_and_later` (the table),
//! `bytes_that_nobody_signed_are_never_parsed`, `no_mutated_envelope_is_accepted`,
//! `a_key_is_replaced_only_by_one_that_signs_beside_it`.
//!
//! Not here: what becomes of a refusal (`shell`), what a manifest means (`feed::cloud`).

use ed25519_dalek::VerifyingKey;
use serde::Deserialize;
use vitrine_wire::Digest;
use vitrine_wire::envelope::{self, EnvelopeError};

use crate::feed::cloud;
use crate::identity::{Account, parse_tenant_key};
use crate::model::{Complaint, Manifest};

/// The newest manifest that was believed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its version.
    pub(crate) version: u64,
    /// Digest of its payload; None if its bytes are lost, so that they may be had again.
    pub(crate) payload: Option<Digest>,
}

/// A manifest that is believed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Accepted {
    /// What it says.
    pub(crate) manifest: Manifest,
    /// What of it was passed over.
    pub(crate) complaints: Vec<Complaint>,
    /// To be kept as the newest.
    pub(crate) seen: Seen,
    /// To be pinned from now on, in place of the one that proved this.
    pub(crate) next_key: Option<VerifyingKey>,
}

/// Why a manifest is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Not signed by the pinned key.
    #[error("manifest refused: {0}")]
    Signature(EnvelopeError),
    /// Names another key to pin that does not sign it too, or that is none.
    #[error("manifest refused: it is to replace the pinned key, but {0}")]
    Key(String),
    /// No envelope, or no manifest in it.
    #[error("manifest refused: {0}")]
    Unreadable(String),
    /// Made for another tenant.
    #[error("manifest refused: made for tenant {found:?}, this is a device of {wanted:?}")]
    Tenant {
        /// This device's.
        wanted: String,
        /// The manifest's.
        found: String,
    },
    /// Made for another device.
    #[error("manifest refused: made for device {found:?}, this is {wanted:?}")]
    Device {
        /// This one.
        wanted: String,
        /// The manifest's.
        found: String,
    },
    /// A step back, or two different manifests of one version.
    #[error("manifest refused: version {found} after version {seen}; versions only rise")]
    Older {
        /// Newest believed.
        seen: u64,
        /// The manifest's.
        found: u64,
    },
}

impl Refusal {
    /// Code of the fault record.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Refusal::Signature(_) => "manifest_signature",
            Refusal::Key(_) => "manifest_key",
            Refusal::Unreadable(_) => "manifest_unreadable",
            Refusal::Tenant { .. } => "manifest_tenant",
            Refusal::Device { .. } => "manifest_device",
            Refusal::Older { .. } => "manifest_older",
        }
    }
}

/// Decides about an envelope that the cloud sent. `None`: it is the one that is known already.
pub(crate) fn accept(
    raw: &[u8],
    account: &Account,
    seen: Option<Seen>,
) -> Result<Option<Accepted>, Refusal> {
    let accepted = prove(raw, account)?;
    let found = accepted.seen;
    match seen {
        Some(seen) if seen == found => Ok(None),
        Some(seen) if found.version < seen.version || repeats(found, seen) => {
            Err(Refusal::Older { seen: seen.version, found: found.version })
        }
        _ => Ok(Some(accepted)),
    }
}

/// Two manifests of one version.
fn repeats(found: Seen, seen: Seen) -> bool {
    found.version == seen.version && seen.payload.is_some()
}

/// Proves an envelope that the store has kept: whatever its version, and also by the key before the
/// pinned one.
pub(crate) fn prove_kept(raw: &[u8], account: &Account) -> Result<Accepted, Refusal> {
    let proved = prove(raw, account);
    match (&proved, account.former_key) {
        (Err(Refusal::Signature(_)), Some(tenant_key)) => {
            prove(raw, &Account { tenant_key, ..account.clone() })
        }
        _ => proved,
    }
}

fn prove(raw: &[u8], account: &Account) -> Result<Accepted, Refusal> {
    let payload = envelope::open(raw, &account.tenant_key).map_err(|error| match error {
        EnvelopeError::Key { .. } | EnvelopeError::Signature { .. } => Refusal::Signature(error),
        EnvelopeError::Shape(_) | EnvelopeError::Format { .. } | EnvelopeError::TooMany { .. } => {
            Refusal::Unreadable(error.to_string())
        }
    })?;
    let read = cloud::read(&payload).map_err(|error| Refusal::Unreadable(error.to_string()))?;
    let (manifest, complaints) = read;
    if manifest.tenant != account.tenant {
        return Err(Refusal::Tenant { wanted: account.tenant.clone(), found: manifest.tenant });
    }
    if manifest.device != account.device {
        return Err(Refusal::Device { wanted: account.device.clone(), found: manifest.device });
    }
    if i64::try_from(manifest.version).is_err() {
        // It could not be kept, and nothing could come after it.
        let text = format!("version is {}, want at most {}", manifest.version, i64::MAX);
        return Err(Refusal::Unreadable(text));
    }
    let next_key = next_key(raw, &payload, &account.tenant_key)?;
    let seen = Seen { version: manifest.version, payload: Some(Digest::of(&payload)) };
    Ok(Accepted { manifest, complaints, seen, next_key })
}

/// The one thing in a payload that is about the envelope itself.
#[derive(Deserialize)]
struct Keys {
    tenant_key: Option<String>,
}

/// The key that is to replace the pinned one. Who names it must hold both: a stolen old key alone
/// hands the device to nobody, and a slip of the pen locks nobody out.
fn next_key(
    raw: &[u8],
    payload: &[u8],
    pinned: &VerifyingKey,
) -> Result<Option<VerifyingKey>, Refusal> {
    let Ok(Keys { tenant_key: Some(text) }) = serde_json::from_slice(payload) else {
        return Ok(None);
    };
    let next = parse_tenant_key(&text).map_err(|error| Refusal::Key(error.to_string()))?;
    if next == *pinned {
        return Ok(None);
    }
    envelope::open(raw, &next).map_err(|error| Refusal::Key(error.to_string()))?;
    Ok(Some(next))
}

#[cfg(test)]
mod tests;
