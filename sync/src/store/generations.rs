//! Which manifest is to come, which is in force, which were.
//!
//! In:  an open transaction, the envelope files.
//! Out: rows, and files that mirror them.
//!
//! Promises: at most one generation is pending and one live; the highest version never goes down,
//! not even when the database is lost: then the files tell ([`adopt`]).
//!
//! Not here: the transaction itself (`Store`), whether an envelope is true (its reader).

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use vitrine_config::limits::GENERATIONS_KEPT;

use super::envelopes::{Envelopes, Note};
use super::error::sql_failed;
use super::{Generation, StoreError, facts};

/// The generation that waits.
pub(super) fn pending(db: &Connection) -> Result<Option<Generation>, StoreError> {
    let sql = "SELECT version, bytes, received_at_ms FROM generation JOIN envelope USING (version)
               WHERE turn IS NULL ORDER BY version DESC LIMIT 1";
    db.query_row(sql, (), generation).optional().map_err(sql_failed("read the pending generation"))
}

/// The generation that is live (`back` = 0), that was before it (1), and so on.
pub(super) fn live(db: &Connection, back: usize) -> Result<Option<Generation>, StoreError> {
    let sql = "SELECT version, bytes, received_at_ms FROM generation JOIN envelope USING (version)
               WHERE turn IS NOT NULL ORDER BY turn DESC LIMIT 1 OFFSET ?1";
    db.query_row(sql, [back as i64], generation)
        .optional()
        .map_err(sql_failed("read a live generation"))
}

/// The highest version ever kept; 0 for none.
pub(super) fn highest(db: &Connection) -> Result<u64, StoreError> {
    db.query_row("SELECT highest_version FROM fact", (), version_column)
        .map_err(sql_failed("read the highest version"))
}

/// The lowest version that may be kept now: none goes back, and none replaces what is live.
pub(super) fn least(db: &Connection) -> Result<u64, StoreError> {
    let after_live = live_version(db)?.map_or(1, |version| version + 1);
    Ok(highest(db)?.max(after_live))
}

/// Makes this the one pending generation.
pub(super) fn keep(all: &Transaction<'_>, new: &Generation) -> Result<(), StoreError> {
    all.execute("DELETE FROM generation WHERE turn IS NULL", ())
        .map_err(sql_failed("drop the pending generation"))?;
    insert(all, new)?;
    raise_highest(all, new.version)
}

/// Makes a kept generation the live one; the one before stays, and limits::GENERATIONS_KEPT of them.
pub(super) fn go_live(all: &Transaction<'_>, version: u64) -> Result<(), StoreError> {
    if live_version(all)? == Some(version) {
        return Ok(());
    }
    let next = "UPDATE generation SET turn = 1 + ifnull((SELECT max(turn) FROM generation), 0)
                WHERE version = ?1";
    let found = all.execute(next, [column(version)?]).map_err(sql_failed("go live"))?;
    if found == 0 {
        return Err(StoreError::Unknown { version });
    }
    prune(all)
}

/// Drops a generation wherever it stands.
pub(super) fn discard(all: &Transaction<'_>, version: u64) -> Result<(), StoreError> {
    all.execute("DELETE FROM generation WHERE version = ?1", [column(version)?])
        .map(drop)
        .map_err(sql_failed("discard a generation"))
}

/// Takes up envelope files that the database does not know: all of them when it is new, else those
/// that are later than anything it knows (a log that was lost, a cut before the commit).
pub(super) fn adopt(all: &Transaction<'_>, files: &Envelopes) -> Result<(), StoreError> {
    let note = files.note().map_err(files.failed("read the note"))?;
    let versions = files.versions().map_err(files.failed("list"))?;
    if highest(all)? == 0 {
        facts::adopt(all, note)?;
    }
    for (version, was_live) in adoptable(&versions, highest(all)?, note.live) {
        if let Some((envelope, received_at)) = files.read(version) {
            insert(all, &Generation { version, envelope, received_at })?;
            if was_live {
                go_live(all, version)?;
            }
        }
        raise_highest(all, version)?;
    }
    if note.highest > 0 && column(note.highest).is_ok() {
        raise_highest(all, note.highest)?;
    }
    if let Some(pending) = pending(all)?
        && note.live == Some(pending.version)
    {
        go_live(all, pending.version)?;
    }
    prune(all)
}

/// Which of the files to take up, each with whether it was live before, in the order of their turns.
///
/// Only what was live is noted, so in a new database what is later is pending and what is earlier
/// was live. Without a note the latest is pending: it goes live again by itself once it is proved
/// complete, and until then the one before it plays.
fn adoptable(files: &[u64], highest: u64, note: Option<u64>) -> Vec<(u64, bool)> {
    let latest = files.last().copied();
    let was_live = |version: u64| match note {
        Some(note) => version <= note,
        None => highest == 0 && Some(version) != latest,
    };
    files.iter().filter(|v| **v > highest).map(|v| (*v, was_live(*v))).collect()
}

/// Makes the files say what the database says. Done after each change and at each start, so a cut
/// in between heals.
pub(super) fn mirror(db: &Connection, files: &Envelopes) -> Result<(), StoreError> {
    let kept = versions(db)?;
    let there = files.versions().map_err(files.failed("list"))?;
    for version in kept.iter().filter(|version| !there.contains(version)) {
        let envelope = envelope(db, *version)?;
        files.write(*version, &envelope).map_err(files.failed("write an envelope"))?;
    }
    let note = Note {
        live: live_version(db)?,
        highest: highest(db)?,
        orders: facts::orders_version(db)?,
        turned_down: facts::turned_down(db)?,
    };
    if files.note().map_err(files.failed("read the note"))? != note {
        files.set_note(note).map_err(files.failed("write the note"))?;
    }
    for version in there.into_iter().filter(|version| !kept.contains(version)) {
        files.remove(version).map_err(files.failed("remove an envelope"))?;
    }
    Ok(())
}

fn versions(db: &Connection) -> Result<Vec<u64>, StoreError> {
    let read = || -> rusqlite::Result<Vec<u64>> {
        db.prepare_cached("SELECT version FROM generation")?
            .query_map((), version_column)?
            .collect()
    };
    read().map_err(sql_failed("read the versions"))
}

fn envelope(db: &Connection, version: u64) -> Result<Vec<u8>, StoreError> {
    let sql = "SELECT bytes FROM envelope WHERE version = ?1";
    db.query_row(sql, [column(version)?], |row| row.get(0)).map_err(sql_failed("read an envelope"))
}

fn insert(all: &Transaction<'_>, new: &Generation) -> Result<(), StoreError> {
    let (version, at_ms) = (column(new.version)?, new.received_at.as_millisecond());
    let row = "INSERT OR REPLACE INTO generation (version, received_at_ms) VALUES (?1, ?2)";
    let envelope = "INSERT OR REPLACE INTO envelope (version, bytes) VALUES (?1, ?2)";
    all.execute(row, (version, at_ms))
        .and_then(|_| all.execute(envelope, (version, &new.envelope)))
        .map(drop)
        .map_err(sql_failed("keep a generation"))
}

fn raise_highest(all: &Transaction<'_>, version: u64) -> Result<(), StoreError> {
    // The condition spares the flash: an update to the same value is written all the same.
    let sql = "UPDATE fact SET highest_version = ?1 WHERE highest_version < ?1";
    all.execute(sql, [column(version)?]).map(drop).map_err(sql_failed("note the highest version"))
}

/// Drops the generations that are too far back, and pending ones that were overtaken.
fn prune(all: &Transaction<'_>) -> Result<(), StoreError> {
    let surplus = "DELETE FROM generation WHERE turn IS NOT NULL AND turn NOT IN
        (SELECT turn FROM generation WHERE turn IS NOT NULL ORDER BY turn DESC LIMIT ?1)";
    let overtaken = "DELETE FROM generation WHERE turn IS NULL AND version <
        ifnull((SELECT max(version) FROM generation), 0)";
    all.execute(surplus, [1 + GENERATIONS_KEPT as i64])
        .and_then(|_| all.execute(overtaken, ()))
        .map(drop)
        .map_err(sql_failed("drop old generations"))
}

fn live_version(db: &Connection) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT version FROM generation WHERE turn IS NOT NULL ORDER BY turn DESC LIMIT 1";
    db.query_row(sql, (), version_column).optional().map_err(sql_failed("read the live version"))
}

fn generation(row: &Row<'_>) -> rusqlite::Result<Generation> {
    let received_at = Timestamp::from_millisecond(row.get(2)?).unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(Generation { version: version_column(row)?, envelope: row.get(1)?, received_at })
}

/// The first column, as [`column`] wrote it.
pub(super) fn version_column(row: &Row<'_>) -> rusqlite::Result<u64> {
    row.get(0).map(i64::cast_unsigned)
}

/// SQLite keeps 63 bits of a version.
pub(super) fn column(version: u64) -> Result<i64, StoreError> {
    i64::try_from(version).map_err(|_| StoreError::Version { version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adoptable_table() {
        for (case, files, highest, note, want) in [
            ("nothing there", &[][..], 0, None, &[][..]),
            ("new: only ever pending", &[3], 0, None, &[(3, false)][..]),
            ("new: live alone", &[3], 0, Some(3), &[(3, true)]),
            ("new: all three kinds", &[2, 3, 4], 0, Some(3), &[(2, true), (3, true), (4, false)]),
            ("new: note lost", &[2, 3, 4], 0, None, &[(2, true), (3, true), (4, false)]),
            ("new: live file lost", &[2, 4], 0, Some(3), &[(2, true), (4, false)]),
            ("knows all", &[2, 3], 3, Some(3), &[]),
            ("cut before the commit", &[2, 3], 2, Some(2), &[(3, false)]),
            ("log lost", &[2, 3, 4], 2, Some(3), &[(3, true), (4, false)]),
            ("note lost too", &[2, 3], 2, None, &[(3, false)]),
        ] {
            assert_eq!(adoptable(files, highest, note), want, "case {case:?}");
        }
    }
}
