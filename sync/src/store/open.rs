//! From a state directory to a database that can be relied on.
//!
//! In:  the state directory, which may hold anything.
//! Out: a connection with today's schema, and an [`Opened`] that says what had to be done.
//!
//! Promises: a database that is damaged, empty, foreign or newer than this release never stops the
//! start: it is moved aside, [`BROKEN_KEPT`] of them are kept for whoever wants to look, and a new
//! one takes its place. After a stop that was not clean the database is checked before it is used.
//!
//! Not here: what goes into the new one (`generations`).

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, ffi};

use super::error::{io_failed, sql_failed};
use super::{Opened, StoreError, migrate};
use crate::durable;

/// Versions before it can corrupt a database when the write-ahead log is reset.
const SQLITE_WANTED: (i32, &str) = (3_051_003, "3.51.3");

/// Databases moved aside that stay: two tell a pattern, and each may be as large as the outbox.
const BROKEN_KEPT: usize = 2;

/// The log is cut back to this after a checkpoint; one manifest of the largest size makes it grow.
const LOG_KEPT_BYTES: u64 = 1 << 20;

/// How long somebody else may hold the database or its directory before we go on without: a backup
/// copies it, an agent that was told to stop writes its last records. The screen waits for this once.
const HELD_WITHIN: Duration = Duration::from_secs(2);
/// Pause between two tries for the directory.
const HELD_LOOK: Duration = Duration::from_millis(50);

/// Refuses to work with a SQLite that is known to lose data.
pub(super) fn check_sqlite() -> Result<(), StoreError> {
    let (number, wanted) = SQLITE_WANTED;
    if rusqlite::version_number() >= number {
        Ok(())
    } else {
        Err(StoreError::OldSqlite { found: rusqlite::version(), wanted })
    }
}

/// Takes the state directory for this process, for as long as the file is open. Waits for another one
/// that is about to end.
pub(super) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("store.lock");
    let file = File::options().create(true).append(true).open(&path);
    let file = file.map_err(io_failed("open the lock", &path))?;
    // Nothing is ever said on it: a pause.
    let (_keep, pause) = sync_channel::<()>(0);
    for _ in 0..HELD_WITHIN.as_millis() / HELD_LOOK.as_millis() {
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => drop(pause.recv_timeout(HELD_LOOK)),
            Err(error) => return Err(io_failed("lock", &path)(error.into())),
        }
    }
    Err(StoreError::Locked { path })
}

/// Opens the database in `dir`, checked after an unclean stop and replaced if it is no good.
///
/// From here on until [`mark_clean`] the stop counts as unclean.
/// `damaged`: the last connection met damage, so a quick look is not enough.
pub(super) fn connect(dir: &Path, damaged: bool) -> Result<(Connection, Opened), StoreError> {
    let path = database(dir);
    let clean = clean_mark(dir);
    let unclean = path.exists() && !clean.exists();
    durable::remove(&clean).map_err(io_failed("remove", &clean))?;
    let check = match (unclean, damaged) {
        (_, true) => Some("integrity_check"),
        (true, false) => Some("quick_check"),
        (false, false) => None,
    };
    let rebuilt = match try_twice(&path, check) {
        Ok(db) => return Ok((db, Opened { unclean, ..Opened::default() })),
        Err(error) => broken(&error).ok_or(error)?,
    };
    move_aside(dir).map_err(io_failed("move the broken database aside", &path))?;
    let db = try_connect(&path, None)?;
    Ok((db, Opened { unclean, rebuilt: Some(rebuilt), ..Opened::default() }))
}

/// Notes that the database was closed as it should be.
pub(super) fn mark_clean(dir: &Path) -> Result<(), StoreError> {
    let path = clean_mark(dir);
    durable::write(&path, b"", 0o600).map_err(io_failed("write", &path))
}

/// Removes every database that was moved aside.
pub(super) fn remove_aside(dir: &Path) -> Result<(), StoreError> {
    keep_aside(dir, 0).map_err(io_failed("remove broken databases", dir))
}

/// What is wrong with the database, if the error says that something is.
pub(super) fn broken(error: &StoreError) -> Option<String> {
    match error {
        StoreError::Broken { found } => Some(found.clone()),
        StoreError::Sqlite { action, source: rusqlite::Error::SqliteFailure(failure, _) } => {
            let damaged = match failure.code {
                ffi::ErrorCode::DatabaseCorrupt | ffi::ErrorCode::NotADatabase => true,
                // A sector that cannot be read: a new file lies on other ones.
                ffi::ErrorCode::SystemIoFailure => matches!(
                    failure.extended_code,
                    ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ
                ),
                _ => false,
            };
            damaged.then(|| format!("{action}: {failure}"))
        }
        _ => None,
    }
}

/// One bad read must not cost the records: what looks damaged is looked at once more, in full.
fn try_twice(path: &Path, check: Option<&str>) -> Result<Connection, StoreError> {
    match try_connect(path, check) {
        Err(error) if broken(&error).is_some() => try_connect(path, Some("integrity_check")),
        other => other,
    }
}

fn try_connect(path: &Path, check: Option<&str>) -> Result<Connection, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(about) if !about.is_file() => return Err(found("not a plain file")),
        Ok(about) if about.len() == 0 => return Err(found("zero bytes long")),
        Ok(_) => {}
        // A log without its database belongs to another one.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            remove_beside(path).map_err(io_failed("remove the log of", path))?;
        }
        // It may be there all the same, and the newest records are in its log.
        Err(error) => return Err(io_failed("look at", path)(error)),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags).map_err(sql_failed("open"))?;
    // Before the log is made, which takes its mode from here.
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(io_failed("close", path))?;
    db.busy_timeout(HELD_WITHIN).map_err(sql_failed("open"))?;
    configure(&db)?;
    if let Some(check) = check {
        run_check(&db, check)?;
    }
    migrate::migrate(&mut db)?;
    Ok(db)
}

fn configure(db: &Connection) -> Result<(), StoreError> {
    let failed = || sql_failed("configure");
    // Exclusive first: the index of the log then lies in our memory, not in a mapped file that a
    // full disk can take away. FULL: a commit that returned is on the medium.
    db.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF;")
        .map_err(failed())?;
    let mode: String =
        db.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0)).map_err(failed())?;
    if mode != "wal" {
        return Err(found(&format!("journal mode is {mode}, want wal")));
    }
    db.execute_batch(&format!(
        "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = {LOG_KEPT_BYTES};"
    ))
    .map_err(failed())
}

/// A database that is nowhere but in memory, for when the disk does not let us write.
pub(super) fn in_memory() -> Result<Connection, StoreError> {
    let mut db = Connection::open_in_memory().map_err(sql_failed("open in memory"))?;
    migrate::migrate(&mut db)?;
    Ok(db)
}

/// Reads every page; 100 MB take about 2 s from an SD card. `integrity_check` takes a multiple of
/// that, for it compares each index with its table.
fn run_check(db: &Connection, check: &str) -> Result<(), StoreError> {
    let verdict: String = db
        .query_row(&format!("PRAGMA {check}(1)"), (), |row| row.get(0))
        .map_err(sql_failed("check"))?;
    if verdict == "ok" { Ok(()) } else { Err(found(&format!("damaged: {verdict}"))) }
}

/// Gives the database another name.
///
/// Crash points: the log goes before the database. A cut between the two leaves an older database
/// without its log, which the next start checks like any other; the other way round a new database
/// could take up an old log.
fn move_aside(dir: &Path) -> io::Result<()> {
    let path = database(dir);
    let number = asides(dir)?.last().map_or(1, |(number, _)| number + 1);
    let aside = dir.join(format!("store.db.broken-{number}"));
    let log = beside(&path, "-wal");
    if log.exists() {
        fs::rename(&log, beside(&aside, "-wal"))?;
        durable::sync_dir(dir)?;
    }
    remove_beside(&path)?;
    fs::rename(&path, &aside)?;
    durable::sync_dir(dir)?;
    keep_aside(dir, BROKEN_KEPT)
}

/// Removes all but the `most` newest databases moved aside.
fn keep_aside(dir: &Path, most: usize) -> io::Result<()> {
    let asides = asides(dir)?;
    let surplus = asides.len().saturating_sub(most);
    for (_, path) in &asides[..surplus] {
        remove_beside(path)?;
        match fs::symlink_metadata(path)?.is_dir() {
            true => fs::remove_dir_all(path)?,
            false => fs::remove_file(path)?,
        }
    }
    if surplus == 0 { Ok(()) } else { durable::sync_dir(dir) }
}

/// Databases moved aside, the oldest first.
fn asides(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut asides = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|n| n.strip_prefix("store.db.broken-")?.parse().ok());
        asides.extend(number.map(|number: u64| (number, entry.path())));
    }
    asides.sort();
    Ok(asides)
}

/// Removes the log and its index.
fn remove_beside(path: &Path) -> io::Result<()> {
    durable::remove(&beside(path, "-wal"))?;
    durable::remove(&beside(path, "-shm"))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn database(dir: &Path) -> PathBuf {
    dir.join("store.db")
}

/// There while the database is closed and was closed as it should be.
fn clean_mark(dir: &Path) -> PathBuf {
    dir.join("store.clean")
}

fn found(text: &str) -> StoreError {
    StoreError::Broken { found: format!("the database is {text}") }
}
