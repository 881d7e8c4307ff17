//! What a start finds in the cache directory.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, Metadata};
use std::path::Path;

use jiff::Timestamp;
use vitrine_wire::Digest;

use super::{CacheError, Held, failed};
use crate::durable;

/// Finds every file under `root` that has a digest for a name and lies where it should. One whose
/// length is not what `wanted` says is removed and told in `amiss`: a whole file has the right one.
pub(super) fn files(
    root: &Path,
    wanted: &BTreeMap<Digest, u64>,
    amiss: &mut Vec<String>,
) -> Result<BTreeMap<Digest, Held>, CacheError> {
    let mut held = BTreeMap::new();
    for entry in homes(root, amiss)? {
        let Some((asset, found)) = asset_file(&entry) else { continue };
        match wanted.get(&asset) {
            Some(&bytes) if bytes != found.bytes => {
                amiss.push(format!(
                    "asset {asset}: {} bytes on disk, want {bytes}; removed, to be fetched again",
                    found.bytes
                ));
                let path = entry.path();
                let removed = fs::remove_file(&path).map_err(failed("remove", &path));
                amiss.extend(removed.err().map(|error| error.detail()));
            }
            _ => drop(held.insert(asset, found)),
        }
    }
    Ok(held)
}

/// Finds every partial download in `dir`.
pub(super) fn parts(dir: &Path) -> Result<BTreeMap<Digest, u64>, CacheError> {
    let mut parts = BTreeMap::new();
    for entry in list(dir)? {
        let name = entry.file_name();
        let asset = name.to_str().and_then(|name| name.strip_suffix(".part")?.parse().ok());
        if let Some(asset) = asset {
            let about = entry.metadata().map_err(failed("look at", &entry.path()))?;
            parts.insert(asset, about.len());
        }
    }
    Ok(parts)
}

/// Removes everything under `root`, and brings its absence to the medium.
pub(super) fn wipe(root: &Path) -> Result<(), CacheError> {
    for entry in list(root)? {
        let path = entry.path();
        let removed =
            if is_dir(&entry) { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(failed("remove", &path))?;
    }
    durable::sync_dir(root).map_err(failed("bring to the medium", root))
}

/// Everything in the directories of two digits. One that cannot be read costs what lies in it.
fn homes(root: &Path, amiss: &mut Vec<String>) -> Result<Vec<DirEntry>, CacheError> {
    let mut all = Vec::new();
    for dir in list(root)?.iter().filter(|dir| dir.file_name().len() == 2 && is_dir(dir)) {
        match list(&dir.path()) {
            Ok(entries) => all.extend(entries),
            Err(error) => amiss.push(error.detail()),
        }
    }
    Ok(all)
}

/// The asset that an entry is: a plain file, named by a digest, in the directory of its first two
/// digits. One that cannot even be looked at is none.
fn asset_file(entry: &DirEntry) -> Option<(Digest, Held)> {
    let (path, name) = (entry.path(), entry.file_name());
    let asset: Digest = name.to_str()?.parse().ok()?;
    let home = path.parent()?.file_name()?.to_str()?;
    let about = entry.metadata().ok()?;
    let ours = about.is_file() && asset.to_string().starts_with(home);
    ours.then(|| (asset, held(&about)))
}

/// What the file system says about a file. One with no usable time counts as the oldest.
pub(super) fn held(about: &Metadata) -> Held {
    let since = about.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    Held { bytes: about.len(), since: since.unwrap_or(Timestamp::UNIX_EPOCH) }
}

fn list(dir: &Path) -> Result<Vec<DirEntry>, CacheError> {
    let entries = fs::read_dir(dir).and_then(Iterator::collect);
    entries.map_err(failed("list", dir))
}

fn is_dir(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}
