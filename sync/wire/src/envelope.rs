//! The signed envelope that manifests, orders and release indexes travel in.
//!
//! In:  raw bytes, what they are to be, and the pinned public key.
//! Out: the raw payload bytes, proved, or why not.
//!
//! The signature covers the payload bytes exactly as sent: nothing is parsed before it is proved.
//! A device holds one pinned key per tenant, handed over at pairing; a key inside an envelope is
//! never believed. Signatures by other keys are passed over, so that a tenant can sign with an old
//! and a new key at once.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::Digest;

/// The only envelope format there is; another value is refused, not guessed at.
pub const FORMAT: &str = "vitrine-envelope-1";

/// Signatures looked at in one envelope; more is refused, so that proving stays cheap.
pub const SIGNATURES_MAX: usize = 4;

/// What a signature is for. It goes into what is signed, so that one that was made for the one can
/// never pass as one for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A [`Manifest`](crate::manifest::Manifest).
    Manifest,
    /// [`Orders`](crate::order::Orders).
    Orders,
    /// A release [`Index`](crate::release::Index).
    Releases,
}

impl Purpose {
    /// Comes before the payload in what is signed.
    fn context(self) -> &'static [u8] {
        match self {
            Purpose::Manifest => b"vitrine manifest v3\0",
            Purpose::Orders => b"vitrine orders v3\0",
            Purpose::Releases => b"vitrine releases v3\0",
        }
    }
}

/// The envelope as sent: JSON with the payload in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Always [`FORMAT`].
    pub format: String,
    /// The JSON of what it is for, standard base64 with padding.
    pub payload: String,
    /// One per signing key.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature in an [`Envelope`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeSignature {
    /// See [`key_id`].
    pub key: String,
    /// Ed25519 signature, 64 bytes, standard base64 with padding.
    pub signature: String,
}

/// Why an envelope is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, or not of this shape.
    #[error("envelope: not readable: {0}")]
    Shape(String),
    /// A format this release does not know.
    #[error("envelope: format is {found:?}, want {FORMAT:?}")]
    Format {
        /// What was written.
        found: String,
    },
    /// None of the signatures was made by the pinned key.
    #[error("envelope: signed by {found:?}, want the pinned key {wanted}")]
    Key {
        /// Key ids in the envelope.
        found: Vec<String>,
        /// Id of the pinned key.
        wanted: String,
    },
    /// The pinned key's signature does not fit the payload.
    #[error("envelope: the signature by {key} does not fit the payload")]
    Signature {
        /// Id of the pinned key.
        key: String,
    },
    /// More signatures than [`SIGNATURES_MAX`].
    #[error("envelope: {found} signatures, at most {SIGNATURES_MAX} are read")]
    TooMany {
        /// How many there are.
        found: usize,
    },
}

/// Short name of a public key: the first 16 hexadecimal digits of its SHA-256.
pub fn key_id(key: &VerifyingKey) -> String {
    let mut id = Digest::of(key.as_bytes()).to_string();
    id.truncate(16);
    id
}

/// Puts `payload` into an envelope signed with every key in `keys`.
pub fn seal(purpose: Purpose, payload: &[u8], keys: &[&SigningKey]) -> Envelope {
    let message = message(purpose, payload);
    let signatures = keys
        .iter()
        .map(|key| EnvelopeSignature {
            key: key_id(&key.verifying_key()),
            signature: STANDARD.encode(key.sign(&message).to_bytes()),
        })
        .collect();
    Envelope { format: FORMAT.into(), payload: STANDARD.encode(payload), signatures }
}

/// Proves `raw` against `pinned` and returns the payload bytes.
///
/// Strict verification (RFC 8032 with small-order points refused), so one payload has one meaning.
pub fn open(purpose: Purpose, raw: &[u8], pinned: &VerifyingKey) -> Result<Vec<u8>, EnvelopeError> {
    let shape = |error: String| EnvelopeError::Shape(error);
    let envelope: Envelope = serde_json::from_slice(raw).map_err(|e| shape(e.to_string()))?;
    if envelope.format != FORMAT {
        return Err(EnvelopeError::Format { found: envelope.format });
    }
    if envelope.signatures.len() > SIGNATURES_MAX {
        return Err(EnvelopeError::TooMany { found: envelope.signatures.len() });
    }
    let wanted = key_id(pinned);
    let Some(signed) = envelope.signatures.iter().find(|s| s.key == wanted) else {
        let found = envelope.signatures.into_iter().map(|s| s.key).collect();
        return Err(EnvelopeError::Key { found, wanted });
    };
    let payload = STANDARD.decode(&envelope.payload).map_err(|e| shape(e.to_string()))?;
    let misfit = || EnvelopeError::Signature { key: wanted.clone() };
    let bytes = STANDARD.decode(&signed.signature).map_err(|_| misfit())?;
    let signature = Signature::from_slice(&bytes).map_err(|_| misfit())?;
    pinned.verify_strict(&message(purpose, &payload), &signature).map_err(|_| misfit())?;
    Ok(payload)
}

fn message(purpose: Purpose, payload: &[u8]) -> Vec<u8> {
    [purpose.context(), payload].concat()
}

#[cfg(test)]
mod tests {
    use super::Purpose::{Manifest, Orders};
    use super::*;
    use proptest::prelude::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn sealed(payload: &[u8], keys: &[&SigningKey]) -> Vec<u8> {
        serde_json::to_vec(&seal(Manifest, payload, keys)).unwrap()
    }

    #[test]
    fn opens_what_the_pinned_key_sealed() {
        let (old, new) = (key(1), key(2));
        let raw = sealed(b"{}", &[&old, &new]);
        assert_eq!(open(Manifest, &raw, &old.verifying_key()), Ok(b"{}".to_vec()));
        assert_eq!(open(Manifest, &raw, &new.verifying_key()), Ok(b"{}".to_vec()));
    }

    #[test]
    fn refuses_the_rest() {
        let (pinned, other) = (key(1), key(2));
        let good = seal(Manifest, b"{}", &[&pinned]);
        let forged_name = {
            let mut envelope = seal(Manifest, b"{}", &[&other]);
            envelope.signatures[0].key = key_id(&pinned.verifying_key());
            envelope
        };
        let swapped = Envelope { payload: STANDARD.encode(b"{ }"), ..good.clone() };
        let newer = Envelope { format: "vitrine-envelope-2".into(), ..good.clone() };
        let unsigned = Envelope { signatures: vec![], ..good.clone() };
        let crowded = Envelope { signatures: vec![good.signatures[0].clone(); 5], ..good };
        for (case, envelope) in [
            ("another key", seal(Manifest, b"{}", &[&other])),
            ("another key under the pinned name", forged_name),
            ("made for another purpose", seal(Orders, b"{}", &[&pinned])),
            ("made for another purpose", seal(Purpose::Releases, b"{}", &[&pinned])),
            ("payload swapped", swapped),
            ("newer format", newer),
            ("no signature", unsigned),
            ("too many signatures", crowded),
        ] {
            let raw = serde_json::to_vec(&envelope).unwrap();
            assert!(open(Manifest, &raw, &pinned.verifying_key()).is_err(), "case {case:?}");
        }
        assert!(open(Manifest, b"<html>", &pinned.verifying_key()).is_err(), "a login page");
    }

    proptest! {
        #[test]
        fn no_changed_byte_changes_what_is_believed(at in 0usize..400, flip in 1u8..=255) {
            let pinned = key(7);
            let payload = br#"{"version":3,"tenant":"acme"}"#;
            let mut raw = sealed(payload, &[&pinned]);
            let at = at % raw.len();
            raw[at] ^= flip;
            if let Ok(believed) = open(Manifest, &raw, &pinned.verifying_key()) {
                prop_assert_eq!(believed, payload.to_vec());
            }
        }
    }
}
