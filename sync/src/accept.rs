//! Whether a manifest or orders are believed, decided over the bytes as they came.
//!
//! In:  an envelope's raw bytes, whose device this is, the highest version seen so far.
//! Out: what is in it with complaints, or "nothing new", or why it is refused.
//!
//! The cloud relays, it does not authorise. The signature by the key that was pinned at pairing is
//! checked before a byte of the payload is parsed; then tenant, device and version.
//!
//! Promises: `believes_only_what_the_pinned_key_signed_for_this_device_and_later` and
//! `orders_are_believed_by_the_same_rules_and_never_as_a_manifest` (the tables),
//! `bytes_that_nobody_signed_are_never_parsed`, `no_mutated_envelope_is_accepted`,
//! `a_key_is_replaced_only_by_one_that_signs_beside_it`.
//!
//! Not here: what becomes of a refusal (`shell`), what a manifest means (`feed::cloud`).

use ed25519_dalek::VerifyingKey;
use vitrine_wire::Digest;
use vitrine_wire::envelope::{self, EnvelopeError, Purpose};

use crate::feed::cloud;
use crate::identity::{Account, parse_tenant_key};
use crate::model::{Complaint, Manifest, Order};

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

/// Orders that are believed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AcceptedOrders {
    /// Their version.
    pub(crate) version: u64,
    /// What is to be done, each once.
    pub(crate) orders: Vec<Order>,
    /// What of it was passed over.
    pub(crate) complaints: Vec<Complaint>,
}

/// Why an envelope is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} refused: {why}", if *purpose == Purpose::Orders { "orders" } else { "manifest" })]
pub(crate) struct Refusal {
    /// What it was to be.
    pub(crate) purpose: Purpose,
    /// What is wrong with it.
    pub(crate) why: Why,
}

/// What is wrong with an envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Why {
    /// Not signed by the pinned key for this purpose.
    #[error("{0}")]
    Signature(EnvelopeError),
    /// Names another key to pin that does not sign it too, or that is none.
    #[error("it is to replace the pinned key, but {0}")]
    Key(String),
    /// No envelope, or nothing of use in it.
    #[error("{0}")]
    Unreadable(String),
    /// Made for another tenant.
    #[error("made for tenant {found:?}, this is a device of {wanted:?}")]
    Tenant {
        /// This device's.
        wanted: String,
        /// The envelope's.
        found: String,
    },
    /// Made for another device.
    #[error("made for device {found:?}, this is {wanted:?}")]
    Device {
        /// This one.
        wanted: String,
        /// The envelope's.
        found: String,
    },
    /// A step back, or two different ones of one version.
    #[error("version {found} after version {seen}; versions only rise")]
    Older {
        /// Newest believed.
        seen: u64,
        /// The envelope's.
        found: u64,
    },
}

impl Refusal {
    /// Code of the fault record.
    pub(crate) fn code(&self) -> &'static str {
        let of = |manifest, orders| {
            if self.purpose == Purpose::Orders { orders } else { manifest }
        };
        match self.why {
            Why::Signature(_) => of("manifest_signature", "orders_signature"),
            Why::Key(_) => of("manifest_key", "orders_key"),
            Why::Unreadable(_) => of("manifest_unreadable", "orders_unreadable"),
            Why::Tenant { .. } => of("manifest_tenant", "orders_tenant"),
            Why::Device { .. } => of("manifest_device", "orders_device"),
            Why::Older { .. } => of("manifest_older", "orders_older"),
        }
    }
}

fn manifest_refused(why: Why) -> Refusal {
    Refusal { purpose: Purpose::Manifest, why }
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
            Err(manifest_refused(Why::Older { seen: seen.version, found: found.version }))
        }
        _ => Ok(Some(accepted)),
    }
}

/// Two manifests of one version.
fn repeats(found: Seen, seen: Seen) -> bool {
    found.version == seen.version && seen.payload.is_some()
}

/// Decides about orders that the cloud sent. Those of version `least` may come again: which of them
/// are done already is the store's to say.
pub(crate) fn accept_orders(
    raw: &[u8],
    account: &Account,
    least: u64,
) -> Result<AcceptedOrders, Refusal> {
    let read = || {
        let payload = open(Purpose::Orders, raw, account)?;
        let (head, orders, complaints) = cloud::orders(&payload).map_err(unreadable)?;
        addressed((&head.tenant, &head.device), account)?;
        let version = head.version;
        if version < least {
            return Err(Why::Older { seen: least, found: version });
        }
        Ok(AcceptedOrders { version, orders, complaints })
    };
    read().map_err(|why| Refusal { purpose: Purpose::Orders, why })
}

/// Proves an envelope that the store has kept: whatever its version, and also by the key before the
/// pinned one.
pub(crate) fn prove_kept(raw: &[u8], account: &Account) -> Result<Accepted, Refusal> {
    let proved = prove(raw, account);
    match (&proved, account.former_key) {
        (Err(Refusal { why: Why::Signature(_), .. }), Some(tenant_key)) => {
            prove(raw, &Account { tenant_key, ..account.clone() })
        }
        _ => proved,
    }
}

fn prove(raw: &[u8], account: &Account) -> Result<Accepted, Refusal> {
    prove_manifest(raw, account).map_err(manifest_refused)
}

fn prove_manifest(raw: &[u8], account: &Account) -> Result<Accepted, Why> {
    let payload = open(Purpose::Manifest, raw, account)?;
    let fields = cloud::fields(&payload).map_err(unreadable)?;
    let named_key = cloud::tenant_key(&fields);
    let (manifest, complaints) = cloud::manifest(fields).map_err(unreadable)?;
    addressed((&manifest.tenant, &manifest.device), account)?;
    let next_key = next_key(raw, named_key, &account.tenant_key)?;
    let seen = Seen { version: manifest.version, payload: Some(Digest::of(&payload)) };
    Ok(Accepted { manifest, complaints, seen, next_key })
}

/// The payload, if the pinned key signed it for this purpose.
fn open(purpose: Purpose, raw: &[u8], account: &Account) -> Result<Vec<u8>, Why> {
    envelope::open(purpose, raw, &account.tenant_key).map_err(|error| match error {
        EnvelopeError::Key { .. } | EnvelopeError::Signature { .. } => Why::Signature(error),
        EnvelopeError::Shape(_) | EnvelopeError::Format { .. } | EnvelopeError::TooMany { .. } => {
            Why::Unreadable(error.to_string())
        }
    })
}

fn unreadable(error: cloud::Unreadable) -> Why {
    Why::Unreadable(error.to_string())
}

fn addressed((tenant, device): (&str, &str), account: &Account) -> Result<(), Why> {
    if tenant != account.tenant {
        return Err(Why::Tenant { wanted: account.tenant.clone(), found: tenant.to_owned() });
    }
    if device != account.device {
        return Err(Why::Device { wanted: account.device.clone(), found: device.to_owned() });
    }
    Ok(())
}

/// The key that is to replace the pinned one. Who names it must hold both: a stolen old key alone
/// hands the device to nobody, and a slip of the pen locks nobody out.
fn next_key(
    raw: &[u8],
    named: Option<String>,
    pinned: &VerifyingKey,
) -> Result<Option<VerifyingKey>, Why> {
    let Some(text) = named else { return Ok(None) };
    let next = parse_tenant_key(&text).map_err(|error| Why::Key(error.to_string()))?;
    if next == *pinned {
        return Ok(None);
    }
    envelope::open(Purpose::Manifest, raw, &next).map_err(|error| Why::Key(error.to_string()))?;
    Ok(Some(next))
}

#[cfg(test)]
mod tests;
