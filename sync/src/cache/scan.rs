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
    for entry in homes(root)? {
        let Some((asset, found)) = asset_file(&entry)? else { continue };
        match wanted.get(&asset) {
            Some(&bytes) if bytes != found.bytes => {
                let path = entry.path();
                fs::remove_file(&path).map_err(failed("remove", &path))?;
                amiss.push(format!(
                    "asset {asset}: {} bytes on disk, want {bytes}; removed, to be fetched again",
                    found.bytes
                ));
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
            parts.insert(asset, metadata(&entry)?.len());
        }
    }
    Ok(parts)
}

/// Brings the absence of removed files to the medium.
pub(super) fn sync(root: &Path) -> Result<(), CacheError> {
    for dir in list(root)?.iter().filter(|entry| is_dir(entry)) {
        let path = dir.path();
        durable::sync_dir(&path).map_err(failed("bring to the medium", &path))?;
    }
    Ok(())
}

/// Everything in the directories of two digits.
fn homes(root: &Path) -> Result<Vec<DirEntry>, CacheError> {
    let mut all = Vec::new();
    for dir in list(root)? {
        if dir.file_name().len() == 2 && is_dir(&dir) {
            all.extend(list(&dir.path())?);
        }
    }
    Ok(all)
}

/// The asset that an entry is: a plain file, named by a digest, in the directory of its first two
/// digits.
fn asset_file(entry: &DirEntry) -> Result<Option<(Digest, Held)>, CacheError> {
    let (path, name) = (entry.path(), entry.file_name());
    let Some(asset) = name.to_str().and_then(|name| name.parse::<Digest>().ok()) else {
        return Ok(None);
    };
    let home = path.parent().and_then(Path::file_name).and_then(|home| home.to_str());
    let at_home = home.is_some_and(|home| asset.to_string().starts_with(home));
    let about = metadata(entry)?;
    Ok((at_home && about.is_file()).then(|| (asset, held(&about))))
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

/// Does not follow links.
fn metadata(entry: &DirEntry) -> Result<Metadata, CacheError> {
    entry.metadata().map_err(failed("look at", &entry.path()))
}
