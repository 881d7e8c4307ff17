//! The release index: which versions of the player there are, signed by whoever makes them.
//!
//! The key is the maker's, pinned in the device's settings; neither the cloud that passes the index
//! on nor a tenant has it. The index names each file by its digest, so nothing that is not in it is
//! ever started.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{SigningKey, VerifyingKey};
use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::envelope::{self, Envelope, EnvelopeError, Purpose};

/// An index as sent: hundreds of releases fit.
pub const INDEX_BYTES: usize = 256 << 10;
/// One release: ten times what there is today.
pub const RELEASE_BYTES: u64 = 512 << 20;

/// Every release that a device may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Rises with every change; a device never goes back.
    pub version: u64,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// When its maker would like to have replaced it. Later a device reports it as held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// In no order.
    pub releases: Vec<Release>,
}

/// One version of the player for one kind of machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its version, as `vitrine version` of the file itself says it.
    pub version: Version,
    /// Kind of machine as Rust names it: `aarch64`, `x86_64`.
    pub arch: String,
    /// Name and proof of the file.
    pub sha256: Digest,
    /// Exact length of the file.
    pub size_bytes: u64,
    /// The installed package must be this new: it brings the libraries and starts the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_package: Option<Version>,
    /// Share of all devices that may take it, in percent.
    pub rollout_percent: u8,
}

/// Why an index is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// It is not signed by the pinned key, as an index.
    #[error("release index: {0}")]
    Envelope(#[from] EnvelopeError),
    /// What is signed is no index.
    #[error("release index: not readable: {0}")]
    Shape(String),
}

/// A text that is no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("release key {found:?}: want an Ed25519 public key, 32 bytes in standard base64")]
pub struct KeyError {
    /// What was written instead.
    pub found: String,
}

impl Release {
    /// Whether `device` is in the share that may take it. Which devices come first differs from
    /// version to version: nobody is always the one to try.
    pub fn is_for(&self, device: &str) -> bool {
        let drawn = Digest::of(format!("{}\0{device}", self.version).as_bytes()).0;
        let drawn = u32::from_be_bytes([drawn[0], drawn[1], drawn[2], drawn[3]]);
        u64::from(drawn) * 100 < u64::from(self.rollout_percent) << 32
    }
}

/// Signs an index with every key in `keys`.
///
/// # Errors
/// It cannot be written as JSON.
pub fn seal(index: &Index, keys: &[&SigningKey]) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&envelope::seal(Purpose::Releases, &serde_json::to_vec(index)?, keys))
}

/// Proves `raw` against the pinned key and reads it.
pub fn open(raw: &[u8], pinned: &VerifyingKey) -> Result<Index, IndexError> {
    let payload = envelope::open(Purpose::Releases, raw, pinned)?;
    serde_json::from_slice(&payload).map_err(|error| IndexError::Shape(error.to_string()))
}

/// Reads an index without proving it: for whoever may replace it anyway.
pub fn read_unproved(raw: &[u8]) -> Result<Index, IndexError> {
    let shape = |error: &dyn std::fmt::Display| IndexError::Shape(error.to_string());
    let envelope: Envelope = serde_json::from_slice(raw).map_err(|error| shape(&error))?;
    let payload = STANDARD.decode(&envelope.payload).map_err(|error| shape(&error))?;
    serde_json::from_slice(&payload).map_err(|error| shape(&error))
}

/// Reads a public key as it stands in the settings.
pub fn parse_key(text: &str) -> Result<VerifyingKey, KeyError> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    let key = bytes.and_then(|bytes: [u8; 32]| VerifyingKey::from_bytes(&bytes).ok());
    key.ok_or_else(|| KeyError { found: text.chars().take(80).collect() })
}

/// Writes a public key as [`parse_key`] reads it.
pub fn key_text(key: &VerifyingKey) -> String {
    STANDARD.encode(key.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn release(rollout_percent: u8) -> Release {
        Release {
            version: Version::new(0, 2, 0),
            arch: "aarch64".into(),
            sha256: Digest([7; 32]),
            size_bytes: 9,
            min_package: None,
            rollout_percent,
        }
    }

    fn index() -> Index {
        let issued_at = Timestamp::UNIX_EPOCH;
        Index { version: 3, issued_at, not_after: None, releases: vec![release(100)] }
    }

    #[test]
    fn an_index_is_believed_from_the_pinned_key_alone() {
        let (pinned, tenant) = (key(1), key(2));
        let opened = |raw: &[u8]| open(raw, &pinned.verifying_key());
        assert_eq!(opened(&seal(&index(), &[&pinned]).unwrap()), Ok(index()));
        let payload = serde_json::to_vec(&index()).unwrap();
        let as_manifest =
            serde_json::to_vec(&envelope::seal(Purpose::Manifest, &payload, &[&pinned])).unwrap();
        for (case, raw) in [
            ("another key", seal(&index(), &[&tenant]).unwrap()),
            ("signed as a manifest", as_manifest),
            ("not signed", payload),
            ("a login page", b"<html>".to_vec()),
        ] {
            assert!(opened(&raw).is_err(), "case {case:?}");
        }
    }

    #[test]
    fn a_key_survives_the_settings() {
        let public = key(9).verifying_key();
        assert_eq!(parse_key(&key_text(&public)), Ok(public));
        for text in ["", "AAAA", "not base64!"] {
            assert!(parse_key(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_rollout_reaches_its_share_and_the_same_devices_first() {
        let device = |n: u32| format!("device-{n}");
        let taken = |percent| (0..10_000).filter(move |n| release(percent).is_for(&device(*n)));
        assert_eq!((taken(0).count(), taken(100).count()), (0, 10_000));
        let tenth: Vec<_> = taken(10).collect();
        // Binomial: 10 000 x 0.1 with a deviation of 30; six of them is one in 10^8.
        assert!(tenth.len().abs_diff(1_000) < 180, "{}", tenth.len());
        let half: std::collections::BTreeSet<_> = taken(50).collect();
        assert!(tenth.iter().all(|n| half.contains(n)), "a wider rollout leaves nobody out");
        let other = Release { version: Version::new(0, 3, 0), ..release(10) };
        assert!(!tenth.iter().all(|n| other.is_for(&device(*n))), "others try the next version");
    }
}
