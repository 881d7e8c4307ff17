//! Whether a manifest is believed, decided over the bytes as they came.
//!
//! In:  an envelope's raw bytes, whose device this is, the highest version seen so far.
//! Out: the manifest with complaints, or "nothing new", or why it is refused.
//!
//! The cloud relays, it does not authorise. The signature by the key that was pinned at pairing is
//! checked before a byte of the payload is parsed; then tenant, device and version.
//!
//! Promises: `believes_only_what_the_pinned_key_signed_for_this_device_and_later` (the table) and
//! `bytes_that_nobody_signed_are_never_parsed`.
//!
//! Not here: what becomes of a refusal (`shell`), what a manifest means (`feed::cloud`).

use vitrine_wire::Digest;
use vitrine_wire::envelope::{self, EnvelopeError};

use crate::feed::cloud;
use crate::identity::Account;
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
}

/// Why a manifest is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Not signed by the pinned key.
    #[error("manifest refused: {0}")]
    Signature(EnvelopeError),
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

/// Proves an envelope, whatever its version: for one that the store has kept.
pub(crate) fn prove(raw: &[u8], account: &Account) -> Result<Accepted, Refusal> {
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
    let seen = Seen { version: manifest.version, payload: Some(Digest::of(&payload)) };
    Ok(Accepted { manifest, complaints, seen })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;
    use serde_json::json;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn account() -> Account {
        Account {
            cloud_url: "http://127.0.0.1:1".into(),
            tenant: "acme".into(),
            device: "d1".into(),
            tenant_key: key(1).verifying_key(),
        }
    }

    fn sealed(signer: u8, version: u64, tenant: &str, device: &str, mark: &str) -> Vec<u8> {
        let payload = json!({
            "version": version, "tenant": tenant, "device": device,
            "issued_at": "2026-01-01T00:00:00Z", "mark": mark,
        });
        let payload = serde_json::to_vec(&payload).unwrap();
        serde_json::to_vec(&envelope::seal(&payload, &[&key(signer)])).unwrap()
    }

    #[test]
    fn believes_only_what_the_pinned_key_signed_for_this_device_and_later() {
        let known = sealed(1, 7, "acme", "d1", "");
        let seen = prove(&known, &account()).unwrap().seen;
        for (case, raw, want) in [
            ("newer", sealed(1, 8, "acme", "d1", ""), Ok(Some(8))),
            ("the known one", known.clone(), Ok(None)),
            ("another key", sealed(2, 8, "acme", "d1", ""), Err("manifest_signature")),
            ("another tenant", sealed(1, 8, "evil", "d1", ""), Err("manifest_tenant")),
            ("another device", sealed(1, 8, "acme", "d2", ""), Err("manifest_device")),
            ("older", sealed(1, 6, "acme", "d1", ""), Err("manifest_older")),
            ("same version, other bytes", sealed(1, 7, "acme", "d1", "x"), Err("manifest_older")),
            ("a login page", b"<html>".to_vec(), Err("manifest_unreadable")),
            ("version 0", sealed(1, 0, "acme", "d1", ""), Err("manifest_unreadable")),
        ] {
            let got = accept(&raw, &account(), Some(seen));
            let got = got.map(|a| a.map(|a| a.manifest.version)).map_err(|r| r.code());
            assert_eq!(got, want, "case {case:?}");
        }
    }

    #[test]
    fn the_first_manifest_may_have_any_version() {
        let raw = sealed(1, 41, "acme", "d1", "");
        assert_eq!(accept(&raw, &account(), None).unwrap().unwrap().manifest.version, 41);
    }

    #[test]
    fn the_newest_one_may_come_again_after_its_bytes_were_lost() {
        let lost = Some(Seen { version: 7, payload: None });
        let got = |version| accept(&sealed(1, version, "acme", "d1", ""), &account(), lost);
        assert!(got(7).unwrap().is_some());
        assert_eq!(got(6).unwrap_err().code(), "manifest_older");
    }

    #[test]
    fn a_second_signature_changes_nothing() {
        let one = sealed(1, 7, "acme", "d1", "");
        let seen = prove(&one, &account()).unwrap().seen;
        let payload = envelope::open(&one, &account().tenant_key).unwrap();
        let both = serde_json::to_vec(&envelope::seal(&payload, &[&key(1), &key(2)])).unwrap();
        assert_eq!(accept(&both, &account(), Some(seen)), Ok(None));
    }

    #[test]
    fn bytes_that_nobody_signed_are_never_parsed() {
        let junk = envelope::seal(b"{ not json", &[&key(2)]);
        let raw = serde_json::to_vec(&junk).unwrap();
        assert_eq!(prove(&raw, &account()).unwrap_err().code(), "manifest_signature");
        let signed = serde_json::to_vec(&envelope::seal(b"{ not json", &[&key(1)])).unwrap();
        assert_eq!(prove(&signed, &account()).unwrap_err().code(), "manifest_unreadable");
    }
}
