//! Pairing (RFC 8628 in shape): a device asks, a person approves, the device becomes a tenant's.
//!
//! Functions on an open transaction; time and chance come from the [`World`].

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use rusqlite::Connection;
use vitrine_wire::auth::{PairingRequest, problem};

use crate::error::Error;
use crate::limits;
use crate::publish::{self, Seal};
use crate::secret;
use crate::store::{self, NewDevice, NewPairing, Redeemed, Scope};
use crate::world::World;

/// Draws before giving up on a user code that nobody else holds; one in a million is taken.
const DRAWS: usize = 4;
/// A full table empties as codes lapse; by then some have.
const RETRY_S: i64 = 60;

/// The two codes of a new pairing.
#[derive(Debug, Clone)]
pub struct Codes {
    /// The device's secret.
    pub device_code: String,
    /// What a person types.
    pub user_code: String,
}

/// A device that was just approved.
#[derive(Debug, Clone)]
pub struct Approved {
    /// Its id.
    pub device: String,
    /// Version of its first manifest.
    pub version: u64,
}

/// Starts a pairing.
pub fn begin(
    conn: &Connection,
    request: &PairingRequest,
    interval_ms: i64,
    world: &World,
) -> Result<Codes, Error> {
    let public_key = public_key(&request.public_key)?;
    for _ in 0..DRAWS {
        let codes = Codes {
            device_code: secret::token(world.random()),
            user_code: secret::user_code(|| world.random()),
        };
        let new = NewPairing {
            device_hash: secret::hash(&codes.device_code),
            user_hash: secret::hash(&codes.user_code),
            public_key,
            name: readable(&request.name),
            model: readable(&request.model),
            release: readable(&request.release),
            interval_ms,
        };
        if store::start(conn, &new, world.now())? {
            return Ok(codes);
        }
    }
    let text = "too many pairings wait for approval";
    Err(Error::later(StatusCode::SERVICE_UNAVAILABLE, "busy", text, RETRY_S))
}

/// An operator says yes to `code`: the device is the tenant's from now on and has a manifest.
pub fn approve(
    scope: &Scope,
    (code, name): (&str, &str),
    world: &World,
    seal: &Seal,
) -> Result<Approved, Error> {
    let pairing = scope.pending(&secret::hash(code), seal.now)?;
    let pairing = pairing.ok_or_else(no_such_code)?;
    let new = NewDevice {
        id: secret::id(world.random()),
        name: name.into(),
        model: pairing.model.clone(),
        release: pairing.release.clone(),
        public_key: pairing.public_key,
    };
    let device = scope.put_device(&new, seal.now)?;
    scope.approve(&pairing, &device)?;
    let version = publish::refresh(scope, &device, seal)?;
    Ok(Approved { device, version })
}

/// An operator has said yes before the device was there.
pub fn enroll(
    scope: &Scope,
    (token, code): (&secret::Hash, &str),
    world: &World,
    seal: &Seal,
) -> Result<Approved, Error> {
    let pairing = scope.pending(&secret::hash(code), seal.now)?.ok_or_else(no_such_code)?;
    match scope.redeem(token, &pairing.public_key, seal.now)? {
        Redeemed::Good => {
            let name = if pairing.name.is_empty() { "unnamed" } else { &pairing.name };
            approve(scope, (code, name), world, seal)
        }
        why => Err(not_enrolled(why)),
    }
}

/// Why a device has to be approved by a person after all.
pub fn not_enrolled(why: Redeemed) -> Error {
    let text = match why {
        Redeemed::Expired => "the enrollment token has expired: make another one",
        Redeemed::UsedUp => "as many devices as it was made for have come by this enrollment token",
        Redeemed::Good | Redeemed::Unknown => {
            "no such enrollment token: it was ended, or is of another cloud"
        }
    };
    Error::refused(StatusCode::FORBIDDEN, problem::INVALID_ENROLLMENT, text)
}

/// An operator says no to `code`.
pub fn deny(conn: &Connection, code: &str, world: &World) -> Result<(), Error> {
    let denied = store::deny(conn, &secret::hash(code), world.now())?;
    denied.then_some(()).ok_or_else(no_such_code)
}

fn no_such_code() -> Error {
    let minutes = limits::PAIRING_LIFE_S / 60;
    Error::missing(format!(
        "no pairing waits for this code: it is mistyped, older than {minutes} minutes, or was used \
         already; the screen shows the one that counts"
    ))
}

/// Reads a device's key; one that could not verify anything is refused now, not at first use.
fn public_key(text: &str) -> Result<[u8; 32], Error> {
    let wrong = || Error::bad("public_key: want an Ed25519 key, 32 bytes in standard base64");
    let bytes = STANDARD.decode(text).map_err(|_| wrong())?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| wrong())?;
    let key = VerifyingKey::from_bytes(&bytes).map_err(|_| wrong())?;
    if key.is_weak() { Err(wrong()) } else { Ok(bytes) }
}

/// What a stranger says of itself, fit for a list that people read.
fn readable(text: &str) -> String {
    let mut clean = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        if clean.len() + c.len_utf8() > limits::LABEL_BYTES {
            break;
        }
        clean.push(c);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_prove_nothing_are_refused() {
        let good = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
        let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
        for (case, text, want) in [
            ("good", base64(good.as_bytes()), true),
            ("small order", base64(&[0; 32]), false),
            ("short", base64(&[7; 31]), false),
            ("not base64", "…".into(), false),
            ("empty", String::new(), false),
        ] {
            assert_eq!(public_key(&text).is_ok(), want, "case {case:?}");
        }
    }

    #[test]
    fn what_a_stranger_says_is_cut_to_what_can_be_read() {
        assert_eq!(readable("Pi\u{1b}[2J in the\nhall"), "Pi[2J in thehall");
        assert_eq!(readable(&"ä".repeat(500)).len(), limits::LABEL_BYTES);
    }
}
