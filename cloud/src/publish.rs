//! Publishing: content becomes signed manifests, all of them in one transaction or none.
//!
//! Promises, held by tests in `tests/`: versions of a device rise with every change of its own
//! content and only then; what is wrong anywhere stops the whole.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use serde::Serialize;
use vitrine_wire::Digest;
use vitrine_wire::envelope;
use vitrine_wire::manifest::Manifest;

use crate::check;
use crate::compose::{self, Address, Edition};
use crate::error::Error;
use crate::limits;
use crate::store::Scope;

/// What a manifest is signed with, and when.
pub struct Seal {
    /// The tenant's key.
    pub key: SigningKey,
    /// Becomes `issued_at`.
    pub now: Timestamp,
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

/// Gives one device its manifest of what is published and of its orders. Returns its version.
pub fn refresh(scope: &Scope, device: &str, seal: &Seal) -> Result<u64, Error> {
    stamp(scope, (device, &scope.edition()?), seal, &mut None)
}

/// The content of a tenant, if all of it is right.
pub fn checked(scope: &Scope) -> Result<Edition, Error> {
    let (content, mut assets) = (scope.draft()?, scope.assets()?);
    let complaints = check::draft(&content, &assets);
    if !complaints.is_empty() {
        return Err(Error::content(complaints));
    }
    let used = compose::assets_of(&content.playlists);
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
    let content = compose::manifest(edition, to, scope.orders(device, seal.now)?);
    let hash = Digest::of(&json(&content)?).0;
    if let Some((version, _)) = scope.manifest_state(device)?.filter(|(_, had)| *had == hash) {
        return Ok(version);
    }
    let version = match *next {
        Some(version) => version,
        None => *next.insert(scope.next_version()?),
    };
    let manifest = Manifest { version, issued_at: seal.now, ..content };
    let sealed = json(&envelope::seal(&json(&manifest)?, &[&seal.key]))?;
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
