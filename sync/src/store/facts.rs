//! Single facts: the latest time, the newest orders, what a rollback turned down.
//!
//! In:  an open connection or transaction, the note of the envelope files.
//! Out: the one row of `fact`.
//!
//! Promises: the version of the orders never goes down, not even when the database is lost: then the
//! note tells ([`adopt`]).
//!
//! Not here: the highest version of a manifest (`generations`).

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};
use vitrine_wire::Digest;

use super::StoreError;
use super::envelopes::Note;
use super::error::sql_failed;
use super::generations::{column, version_column};

/// The latest time noted, in whole milliseconds.
pub(super) fn latest_time(db: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT latest_time_ms FROM fact";
    let ms: Option<i64> =
        db.query_row(sql, (), |row| row.get(0)).map_err(sql_failed("read the latest time"))?;
    Ok(ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()))
}

/// Notes the time.
pub(super) fn set_latest_time(all: &Transaction<'_>, at: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE fact SET latest_time_ms = ?1";
    all.execute(sql, [at.as_millisecond()]).map(drop).map_err(sql_failed("note the time"))
}

/// The version of the newest orders that were taken; 0 for none.
pub(super) fn orders_version(db: &Connection) -> Result<u64, StoreError> {
    db.query_row("SELECT orders_version FROM fact", (), version_column)
        .map_err(sql_failed("read the version of the orders"))
}

/// The lowest version of orders that may be taken: the newest one again, unless it is lost which of
/// them were begun.
pub(super) fn orders_least(db: &Connection) -> Result<u64, StoreError> {
    db.query_row("SELECT orders_version + orders_unknown FROM fact", (), version_column)
        .map_err(sql_failed("read the version of the orders"))
}

/// Notes that orders of this version are taken.
pub(super) fn set_orders(all: &Transaction<'_>, version: u64) -> Result<(), StoreError> {
    let sql = "UPDATE fact SET orders_version = ?1, orders_unknown = 0 WHERE orders_version < ?1";
    all.execute(sql, [column(version)?]).map(drop).map_err(sql_failed("note the orders"))
}

/// What a rollback turned down.
pub(super) fn turned_down(db: &Connection) -> Result<Option<Digest>, StoreError> {
    let bytes: Option<[u8; 32]> = db
        .query_row("SELECT turned_down FROM fact", (), |row| row.get(0))
        .map_err(sql_failed("read what was turned down"))?;
    Ok(bytes.map(Digest))
}

/// Notes what a rollback turned down, or that it does not hold any more.
pub(super) fn turn_down(all: &Transaction<'_>, what: Option<Digest>) -> Result<(), StoreError> {
    let sql = "UPDATE fact SET turned_down = ?1 WHERE turned_down IS NOT ?1";
    let what = what.map(|digest| digest.0);
    all.execute(sql, [what]).map(drop).map_err(sql_failed("note what was turned down"))
}

/// Takes up what the note of the files says into a database that is new.
pub(super) fn adopt(all: &Transaction<'_>, note: Note) -> Result<(), StoreError> {
    turn_down(all, note.turned_down)?;
    let sql = "UPDATE fact SET orders_version = ?1, orders_unknown = 1 WHERE orders_version < ?1";
    let version = column(note.orders)?;
    all.execute(sql, [version]).map(drop).map_err(sql_failed("note the orders"))
}

/// Forgets whose they were; the time is nobody's.
pub(super) fn forget(all: &Transaction<'_>) -> Result<(), StoreError> {
    let sql = "UPDATE fact SET highest_version = 0, orders_version = 0, orders_unknown = 0,
               turned_down = NULL";
    all.execute(sql, ()).map(drop).map_err(sql_failed("forget the facts"))
}
