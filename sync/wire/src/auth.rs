//! Pairing and tokens: RFC 8628 (device grant) and RFC 7523 (assertion) in shape, JSON in form.
//!
//! The device makes its Ed25519 key first and sends the public half with the pairing request. From
//! then on the key alone proves the device: an assertion signed by it buys a new token after any
//! time offline.

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

/// `POST /api/v3/pairing`, asked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingRequest {
    /// The device's Ed25519 public key, 32 bytes in standard base64.
    pub public_key: String,
    /// What the device calls itself: its host name or the configured name.
    pub name: String,
    /// Board or machine model, for the operator to recognise.
    pub model: String,
    /// Version of the player.
    pub release: String,
    /// An operator's yes given in advance: [`crate::operator::EnrollmentMade::token`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrollment: Option<String>,
}

impl std::fmt::Debug for PairingRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = if self.enrollment.is_some() { "enrollment" } else { "code" };
        write!(f, "PairingRequest {{ name: {:?}, by {by}, … }}", self.name)
    }
}

/// `POST /api/v3/pairing`, answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingAnswer {
    /// The device's secret while it waits.
    pub device_code: String,
    /// Eight characters without look-alikes, shown as `XXXX-XXXX`.
    pub user_code: String,
    /// Where a person enters the code.
    pub verification_uri: String,
    /// The same with the code filled in, for the QR code.
    pub verification_uri_complete: String,
    /// Wait between two asks.
    pub interval_s: u64,
    /// The code is worthless after that.
    pub expires_in_s: u64,
}

/// `POST /api/v3/token`, asked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "grant_type")]
pub enum TokenRequest {
    /// "Has anyone approved me?"
    #[serde(rename = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode {
        /// From [`PairingAnswer`].
        device_code: String,
    },
    /// Another hour.
    #[serde(rename = "refresh_token")]
    Refresh {
        /// From the last [`TokenAnswer`]; worthless once used.
        refresh_token: String,
    },
    /// A fresh start, proved by the device key.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:jwt-bearer")]
    Assertion {
        /// See [`Assertion`].
        assertion: String,
    },
}

impl std::fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            TokenRequest::DeviceCode { .. } => "DeviceCode(…)",
            TokenRequest::Refresh { .. } => "Refresh(…)",
            TokenRequest::Assertion { .. } => "Assertion(…)",
        })
    }
}

/// `POST /api/v3/token`, answered.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenAnswer {
    /// Sent as `Authorization: Bearer …`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Life of the access token.
    pub expires_in_s: u64,
    /// For the next refresh; rotates, and its second use revokes the family.
    pub refresh_token: String,
    /// The tenant's id; sent as `X-Tenant`.
    pub tenant: String,
    /// The device's id.
    pub device: String,
    /// The tenant's Ed25519 public key, 32 bytes in standard base64. Pinned the first time, that is
    /// at pairing; a different one later changes nothing.
    pub tenant_key: String,
}

impl std::fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenAnswer {{ tenant: {:?}, device: {:?}, … }}", self.tenant, self.device)
    }
}

/// Body of every refusal, on every path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Machine-readable: see [`problem`].
    pub error: String,
    /// For the person who reads the log: what, wanted, found.
    pub error_description: String,
}

/// Values of [`Problem::error`] that a device acts on; others are only reported.
pub mod problem {
    /// Nobody approved yet: ask again after the interval.
    pub const AUTHORIZATION_PENDING: &str = "authorization_pending";
    /// Asked too soon: add five seconds to the interval.
    pub const SLOW_DOWN: &str = "slow_down";
    /// The code has lapsed: pair anew.
    pub const EXPIRED_TOKEN: &str = "expired_token";
    /// An operator said no.
    pub const ACCESS_DENIED: &str = "access_denied";
    /// Refresh token or assertion not good (any more): try the assertion, then report.
    pub const INVALID_GRANT: &str = "invalid_grant";
    /// The access token is not good (any more): get another.
    pub const INVALID_TOKEN: &str = "invalid_token";
    /// The enrollment token is unknown, lapsed or used up: pair by code.
    pub const INVALID_ENROLLMENT: &str = "invalid_enrollment";
    /// The device was removed by its operator: pair anew.
    pub const UNKNOWN_DEVICE: &str = "unknown_device";
}

/// Claims of a device assertion (RFC 7523, signed with EdDSA by the device key).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assertion {
    /// The device's id.
    pub iss: String,
    /// The device's id.
    pub sub: String,
    /// The cloud's base URL, as the device knows it.
    pub aud: String,
    /// Unix seconds.
    pub iat: i64,
    /// Unix seconds; at most [`ASSERTION_LIFE_MAX_S`] after `iat`.
    pub exp: i64,
    /// Random; the cloud takes each only once.
    pub jti: String,
}

/// Longest life of an assertion, and the clock error that a cloud forgives.
pub const ASSERTION_LIFE_MAX_S: i64 = 300;

/// Why an assertion could not be made or is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("assertion: {0}")]
pub struct AssertionError(String);

impl Assertion {
    /// Signs the claims into a compact JWT.
    pub fn sign(&self, key: &SigningKey) -> Result<String, AssertionError> {
        let der = key.to_pkcs8_der().map_err(|e| AssertionError(e.to_string()))?;
        let key = EncodingKey::from_ed_der(der.as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), self, &key)
            .map_err(|e| AssertionError(e.to_string()))
    }

    /// Reads who claims to be asking, unproved: to find the key for [`Assertion::verify`].
    pub fn claimed_device(token: &str) -> Result<String, AssertionError> {
        let read = jsonwebtoken::dangerous::insecure_decode::<Assertion>(token);
        read.map(|token| token.claims.iss).map_err(|e| AssertionError(e.to_string()))
    }

    /// Proves signature and audience. Times and `jti` are the caller's business: they need a clock
    /// and a memory.
    pub fn verify(token: &str, public_key: &[u8; 32], aud: &str) -> Result<Self, AssertionError> {
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_audience(&[aud]);
        rules.validate_exp = false;
        let key = DecodingKey::from_ed_der(public_key);
        jsonwebtoken::decode::<Assertion>(token, &key, &rules)
            .map(|token| token.claims)
            .map_err(|e| AssertionError(e.to_string()))
    }
}

/// The device key in the form in which it lies on disk: PKCS #8 DER.
pub fn key_to_der(key: &SigningKey) -> Result<Vec<u8>, AssertionError> {
    key.to_pkcs8_der().map(|der| der.as_bytes().to_vec()).map_err(|e| AssertionError(e.to_string()))
}

/// Reads [`key_to_der`]'s bytes.
pub fn key_from_der(der: &[u8]) -> Result<SigningKey, AssertionError> {
    SigningKey::from_pkcs8_der(der).map_err(|e| AssertionError(e.to_string()))
}

/// What a person compares on screen and in the operator's list: SHA-256 of the public key, first
/// 16 hexadecimal digits in groups of four.
pub fn fingerprint(public_key: &[u8; 32]) -> String {
    let hex = crate::Digest::of(public_key).to_string();
    [&hex[0..4], &hex[4..8], &hex[8..12], &hex[12..16]].join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Assertion {
        Assertion {
            iss: "dev1".into(),
            sub: "dev1".into(),
            aud: "http://127.0.0.1:1".into(),
            iat: 1,
            exp: 61,
            jti: "j".into(),
        }
    }

    #[test]
    fn assertion_is_believed_only_from_the_device_key_and_for_this_cloud() {
        let key = SigningKey::from_bytes(&[3; 32]);
        let token = claims().sign(&key).unwrap();
        let (mine, other) = (key.verifying_key().to_bytes(), [9; 32]);
        assert_eq!(Assertion::verify(&token, &mine, "http://127.0.0.1:1"), Ok(claims()));
        assert_eq!(Assertion::claimed_device(&token), Ok("dev1".into()));
        assert!(Assertion::verify(&token, &other, "http://127.0.0.1:1").is_err(), "other key");
        assert!(Assertion::verify(&token, &mine, "http://evil").is_err(), "other cloud");
    }

    #[test]
    fn key_survives_the_disk() {
        let key = SigningKey::from_bytes(&[5; 32]);
        let der = key_to_der(&key).unwrap();
        assert_eq!(key_from_der(&der).unwrap().to_bytes(), key.to_bytes());
    }

    #[test]
    fn debug_text_holds_no_secret() {
        let request = TokenRequest::Refresh { refresh_token: "hush".into() };
        assert!(!format!("{request:?}").contains("hush"));
    }
}
