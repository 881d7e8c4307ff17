//! A device that changes hands: what was another's goes before anything of the next one comes.
//!
//! Crash points: (1) the next account is noted, (2) the store forgets, (3) the files go, (4) the
//! account is in force, (5) the note goes. A cut before (1) leaves everything as it was, and the code
//! has to be approved anew. After (1) the next start does the rest before it shows or asks anything:
//! nobody need approve again, and nothing of the tenant before is seen any more.

use std::path::Path;

use tokio::task::spawn_blocking;

use crate::cache::{self, CacheError};
use crate::error::chain;
use crate::headlines::shelf::Shelf;
use crate::identity::Account;
use crate::store;

/// Whether manifests made for the one are good for the other.
pub(super) fn same_owner(before: &Account, after: &Account) -> bool {
    (&before.tenant, &before.device, &before.tenant_key)
        == (&after.tenant, &after.device, &after.tenant_key)
}

/// Hands the device over from `before` to `next`; may be done again at any time. No download may be
/// at work.
pub(super) async fn hand_over(
    dir: &Path,
    before: &Account,
    next: &Account,
    store: &store::Handle,
    wipe: impl FnOnce() -> Result<(), CacheError> + Send + 'static,
) -> Result<(), String> {
    next.save_next(dir).map_err(|error| chain(&error))?;
    if before.tenant == next.tenant {
        // The same people's files and records stay.
        store.forget_device().await.map_err(|error| chain(&error))?;
    } else {
        store.forget_tenant().await.map_err(|error| chain(&error))?;
        let wiped = spawn_blocking(wipe).await;
        wiped.map_err(|error| chain(&error))?.map_err(|error| chain(&error))?;
        Shelf::new(dir).wipe().map_err(|error| chain(&error))?;
    }
    next.save(dir).map_err(|error| chain(&error))?;
    Account::forget_next(dir).map_err(|error| chain(&error))
}

/// Ends a handing over to `next` that was cut short. Returns whose device this is.
pub(super) async fn resume(
    dir: &Path,
    account: Option<Account>,
    next: Option<Account>,
    store: &store::Handle,
) -> Result<Option<Account>, String> {
    let Some(next) = next else { return Ok(account) };
    let assets = dir.join("assets");
    match &account {
        Some(before) if !same_owner(before, &next) => {
            hand_over(dir, before, &next, store, move || cache::wipe(&assets)).await?;
            tracing::info!(tenant = next.tenant, "sync: a handing over that was cut short is done");
            Ok(Some(next))
        }
        _ => Account::forget_next(dir).map_err(|error| chain(&error)).map(|()| account),
    }
}
