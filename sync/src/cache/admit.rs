//! The one step in which a finished download becomes a file of the cache.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::durable;

/// Gives a finished, proved download its final name.
///
/// After a power cut at any point the cache holds either no file of this name or the whole one:
/// (1) the bytes reach the medium under the `.part` name, (2) the rename swaps the name in one step,
/// (3) the directory entry reaches the medium. A cut before (2) leaves a `.part` that the next start
/// resumes or drops; a cut before (3) may undo (2), which looks the same as a cut before (2).
pub(super) fn admit(file: &File, part: &Path, home: &Path) -> io::Result<()> {
    let dir = home.parent().ok_or(io::ErrorKind::InvalidInput)?;
    durable::make_dir(dir, 0o755)?;
    file.set_permissions(Permissions::from_mode(0o444))?;
    file.sync_all()?;
    fs::rename(part, home)?;
    durable::sync_dir(dir)
}
