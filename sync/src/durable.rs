//! Small files that survive a power cut.
//!
//! In:  a path, the whole content, the mode.
//! Out: after a power cut at any point the path names the old content or the new one, never a mix.
//!
//! Promises: what [`write()`], [`create`] and [`remove`] returned `Ok` for is on the medium.
//!
//! Not here: large files that grow (`cache::download`), rows (`store`). Each path has one writer;
//! nothing here protects two from each other, except that [`create`] never replaces.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Puts `bytes` under `path` with exactly `mode`, replacing what was there.
///
/// Crash points: (1) the bytes reach the medium under a `.tmp` name, (2) the rename swaps the name
/// in one step, (3) the directory entry reaches the medium. A cut before (2) leaves the old content
/// and a `.tmp` that the next write removes; a cut before (3) may undo (2).
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = write_beside(path, bytes, mode)?;
    fs::rename(&temporary, path)?;
    sync_dir(parent(path))
}

/// As [`write()`], but fails with `AlreadyExists` if `path` names anything.
///
/// Crash points: as there, with a link and the removal of the `.tmp` name in place of the rename;
/// a cut between the two leaves a second name of the same file, which the next write removes.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = write_beside(path, bytes, mode)?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    linked?;
    sync_dir(parent(path))
}

/// Removes `path` for good; no such file is fine.
pub fn remove(path: &Path) -> io::Result<()> {
    let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    match fs::remove_file(path) {
        Ok(()) => sync_dir(parent(path)),
        Err(error) if is_gone(&error) => Ok(()),
        // A disk that is read-only says so before it looks.
        Err(_) if fs::symlink_metadata(path).is_err_and(|error| is_gone(&error)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the directory and those above it that are missing, each durable in its parent.
pub fn make_dir(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = parent(path);
    make_dir(above, mode)?;
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_dir(above),
    }
}

/// Brings the names in a directory to the medium.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Step (1) of [`write()`]. Whatever an earlier cut left under the temporary name goes first: it may
/// be read-only.
fn write_beside(path: &Path, bytes: &[u8], mode: u32) -> io::Result<PathBuf> {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    // The mode above passes through the umask; this one does not.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(temporary)
}

/// The directory that `path` lies in; a bare name lies in the working directory.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn write_replaces_and_leaves_no_temporary() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write(&path, b"one", 0o400).unwrap();
        write(&path, b"two", 0o644).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(mode(&path), 0o644);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_read_only_temporary_of_an_earlier_cut_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_beside(&path, b"half", 0o400).unwrap();
        write(&path, b"whole", 0o400).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }

    #[test]
    fn create_never_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        create(&path, b"first", 0o400).unwrap();
        let again = create(&path, b"second", 0o400).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(mode(&path), 0o400);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn removing_twice_and_making_twice_are_fine() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        make_dir(&deep, 0o700).unwrap();
        make_dir(&deep, 0o700).unwrap();
        let file = deep.join("f");
        write(&file, b"", 0o600).unwrap();
        remove(&file).unwrap();
        remove(&file).unwrap();
        assert!(!file.exists());
    }
}
