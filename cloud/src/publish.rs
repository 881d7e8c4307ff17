//! Publishing: content becomes signed manifests, all of them in one transaction or none; and orders
//! become signed orders.
//!
//! Promises, held by tests in `tests/`: versions of a device rise with every change of its own
//! content and only then; what is wrong anywhere stops the whole.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use serde::Serialize;
use vitrine_wire::Digest;
use vitrine_wire::envelope::{self, Purpose, SIGNATURES_MAX};
use vitrine_wire::manifest::Manifest;
use vitrine_wire::order::Orders;

use crate::check;
use crate::compose::{self, Address, Edition};
use crate::error::Error;
use crate::hub::News;
use crate::limits;
use crate::store::Scope;

/// What is signed with, and when.
pub struct Seal {
    /// The tenant's keys by number: the last one signs, with those before it beside it for devices
    /// that may not have followed yet.
    pub keys: BTreeMap<u64, SigningKey>,
    /// Becomes `issued_at`.
    pub now: Timestamp,
}

impl Seal {
    /// Puts a payload into an envelope that the device believes, whichever key it has pinned of those
    /// from number `pinned` on.
    fn seal<T: Serialize>(&self, of: Purpose, what: &T, pinned: u64) -> Result<Vec<u8>, Error> {
        let mut keys: Vec<_> = self.keys.range(pinned..).map(|(_, key)| key).collect();
        // One that is that far behind after all says so itself: the key that it names stays.
        while keys.len() > SIGNATURES_MAX {
            keys.remove(1);
        }
        json(&envelope::seal(of, &json(what)?, &keys))
    }

    /// The key that signs, for a device to which it is new.
    fn next_key(&self, pinned: u64) -> Option<String> {
        let (number, key) = self.keys.last_key_value()?;
        let text = || STANDARD.encode(key.verifying_key().as_bytes());
        (*number > pinned).then(text)
    }
}

/// Checks everything and gives every device its manifest. Returns the version of each.
pub fn publish(scope: &Scope, seal: &Seal) -> Result<BTreeMap<String, u64>, Error> {
    let edition = checked(scope)?;
    scope.set_edition(&edition)?;
    let mut next = None;
    let mut versions = BTreeMap::new();
    for device in scope.devices()? {
        let version = stamp(scope, (&device.device, &edition), seal, &mut next)?;
        versions.insert(device.device, version);
    }
    Ok(versions)
}

/// Signs the orders of one device that are neither answered nor lapsed. Returns their version.
pub fn orders(scope: &Scope, device: &str, seal: &Seal) -> Result<u64, Error> {
    let orders = Orders {
        version: scope.next_version()?,
        tenant: scope.tenant().into(),
        device: device.into(),
        issued_at: seal.now,
        orders: scope.orders(device, seal.now)?,
    };
    let sealed = seal.seal(Purpose::Orders, &orders, scope.pinned(device)?)?;
    scope.put_order_envelope(device, orders.version, &sealed)?;
    Ok(orders.version)
}

/// Signs everything anew that devices get, after another key was noted. Returns what there is for
/// whom.
pub fn sign_anew(scope: &Scope, seal: &Seal) -> Result<Vec<(String, News)>, Error> {
    let (edition, mut next) = (scope.edition()?, None);
    let devices = scope.devices()?.into_iter();
    devices
        .map(|device| {
            let device = device.device;
            scope.forget_content(&device)?;
            let manifest = stamp(scope, (&device, &edition), seal, &mut next)?;
            let waits = scope.order_envelope(&device, seal.now)?.is_some();
            let orders = if waits { orders(scope, &device, seal)? } else { 0 };
            Ok((device, News { manifest, orders }))
        })
        .collect()
}

/// Signs anew what one device gets, after it said that it has another key pinned than was known.
pub fn sign_for(scope: &Scope, device: &str, seal: &Seal) -> Result<(), Error> {
    scope.forget_content(device)?;
    refresh(scope, device, seal)?;
    if scope.order_envelope(device, seal.now)?.is_some() {
        orders(scope, device, seal)?;
    }
    Ok(())
}

/// Gives one device its manifest of what is published. Returns its version.
pub fn refresh(scope: &Scope, device: &str, seal: &Seal) -> Result<u64, Error> {
    stamp(scope, (device, &scope.edition()?), seal, &mut None)
}

/// [`refresh`] for one device, or for all of the tenant. Returns what there is for whom.
pub fn refresh_all(
    scope: &Scope,
    device: Option<&str>,
    seal: &Seal,
) -> Result<Vec<(String, u64)>, Error> {
    let (edition, mut next) = (scope.edition()?, None);
    let devices = scope.devices()?.into_iter().map(|state| state.device);
    devices
        .filter(|one| device.is_none_or(|device| device == one))
        .map(|one| {
            let version = stamp(scope, (&one, &edition), seal, &mut next)?;
            Ok((one, version))
        })
        .collect()
}

/// The content of a tenant, if all of it is right.
pub fn checked(scope: &Scope) -> Result<Edition, Error> {
    let (content, mut assets) = (scope.draft()?, scope.assets()?);
    let complaints = check::draft(&content, &assets);
    if !complaints.is_empty() {
        return Err(Error::content(complaints));
    }
    let used = compose::assets_of(&content.playlists, &content.layouts);
    assets.retain(|asset| used.contains(&asset.sha256));
    Ok(Edition { content, assets })
}

/// Signs and keeps a manifest if it says something new. `next` holds the version that all devices
/// of one publication share, once the first of them needed it.
fn stamp(
    scope: &Scope,
    (device, edition): (&str, &Edition),
    seal: &Seal,
    next: &mut Option<u64>,
) -> Result<u64, Error> {
    let to = Address { tenant: scope.tenant(), device };
    let content = compose::manifest(edition, to, scope.settings(device)?);
    let hash = Digest::of(&json(&content)?).0;
    if let Some((version, _)) = scope.manifest_state(device)?.filter(|(_, had)| *had == hash) {
        return Ok(version);
    }
    let version = match *next {
        Some(version) => version,
        None => *next.insert(scope.next_version()?),
    };
    let pinned = scope.pinned(device)?;
    let tenant_key = seal.next_key(pinned);
    let manifest = Manifest { version, issued_at: seal.now, tenant_key, ..content };
    let sealed = seal.seal(Purpose::Manifest, &manifest, pinned)?;
    if sealed.len() > limits::MANIFEST_WIRE_BYTES {
        let (found, most) = (sealed.len(), limits::MANIFEST_WIRE_BYTES);
        let text = format!("the manifest would have {found} bytes, devices take at most {most}");
        return Err(Error::refused(StatusCode::UNPROCESSABLE_ENTITY, "too_large", text));
    }
    scope.put_manifest(device, version, &hash, &sealed)?;
    Ok(version)
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|e| Error::Broken(format!("write JSON: {e}")))
}
