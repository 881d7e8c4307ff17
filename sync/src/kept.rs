//! What was live, read without taking hold of anything: for a start that finds the state directory in
//! somebody else's hands, or in no state to be opened.
//!
//! In:  a state directory.
//! Out: the generation that was live, proved again, and whose it is.
//!
//! Not here: anything that writes. What is shown this way is as old as the last start that could.

use std::path::Path;
use std::sync::Arc;

use crate::Paired;
use crate::accept;
use crate::headlines::shelf::Shelf;
use crate::identity::Account;
use crate::model::{Files, Live};
use crate::{cache, store};

/// Reads what was live. None: nothing, or nothing that can be read or proved, or a device that is
/// being handed over.
pub fn kept(state_dir: &Path) -> Option<(Arc<Live>, Paired)> {
    if !matches!(Account::load_next(state_dir), Ok(None)) {
        return None;
    }
    let account = Account::load(state_dir).ok()??;
    let manifest = accept::prove_kept(&store::live_envelope(state_dir)?, &account).ok()?.manifest;
    let root = state_dir.join("assets");
    let whole = |asset: &crate::model::Asset| {
        std::fs::metadata(cache::home(&root, &asset.sha256))
            .is_ok_and(|about| about.is_file() && about.len() == asset.size_bytes)
    };
    let absent = manifest.assets.values().filter(|asset| !whole(asset));
    let missing = absent.map(|asset| asset.sha256).collect();
    let paired = Paired { tenant: account.tenant, device: account.device };
    let headlines = Shelf::new(state_dir).headlines();
    let files = Files::Cache { root };
    Some((Arc::new(Live { manifest, files, missing, headlines }), paired))
}
