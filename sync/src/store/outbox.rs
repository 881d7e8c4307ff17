//! Records that the cloud does not have yet, and orders that were begun.
//!
//! In:  an open transaction.
//! Out: rows.
//!
//! Promises: a record leaves when the cloud has acknowledged it, or counted, when there are too
//! many; the oldest proofs of play go first. One that cannot be sent is set aside and holds up no
//! other. An order begins once.
//!
//! Not here: the transaction itself (`Store`), sending (`session`).

use std::collections::BTreeSet;

use rusqlite::{Connection, Transaction};
use vitrine_wire::record::{Body, Record};

use super::StoreError;
use super::error::sql_failed;

/// Orders remembered after their end. A cloud keeps an order in the manifest until it has the
/// result; this is more than a manifest of the largest size can hold.
const BEGUN_KEPT: i64 = 100_000;
/// Records set aside that stay: enough to find the mistake, too few to matter.
const REFUSED_KEPT: i64 = 100;

/// Records to send.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Oldest {
    /// The oldest first.
    pub(crate) records: Vec<Record>,
    /// Ids of those on the way that this release cannot read.
    pub(crate) unreadable: Vec<String>,
}

/// Adds records at the end and returns how many old ones had to go so that `most` remain, and how
/// many of the new ones cannot be written down.
pub(super) fn append(
    all: &Transaction<'_>,
    records: &[Record],
    most: usize,
) -> Result<usize, StoreError> {
    let failed = || sql_failed("append a record");
    let mut insert = all
        .prepare_cached("INSERT OR IGNORE INTO record (id, droppable, body) VALUES (?1, ?2, ?3)")
        .map_err(failed())?;
    let mut lost = 0;
    for record in records {
        match serde_json::to_string(record) {
            Ok(body) => {
                let droppable = matches!(record.body, Body::ProofOfPlay(_));
                insert.execute((&record.id, droppable, body)).map_err(failed())?;
            }
            Err(error) => {
                tracing::error!(id = record.id, %error, "store: a record cannot be written down");
                lost += 1;
            }
        }
    }
    let surplus = surplus(all, most)?;
    let dropped = drop_oldest(all, surplus).map_err(sql_failed("drop old records"))?;
    Ok(lost + dropped)
}

/// How many more wait than may. Rows are counted only where the ends of the queue lie far enough apart.
fn surplus(all: &Transaction<'_>, most: usize) -> Result<usize, StoreError> {
    let ends = "SELECT ifnull(max(seq), 0) - ifnull((SELECT seq FROM record WHERE refused = 0
                    ORDER BY seq LIMIT 1), 0) FROM record";
    let apart: i64 = all
        .query_row(ends, (), |row| row.get(0))
        .map_err(sql_failed("measure the queue of records"))?;
    let may_be_too_long = usize::try_from(apart).is_ok_and(|apart| apart >= most);
    if may_be_too_long { Ok(len(all)?.saturating_sub(most)) } else { Ok(0) }
}

fn drop_oldest(all: &Transaction<'_>, surplus: usize) -> rusqlite::Result<usize> {
    if surplus == 0 {
        return Ok(0);
    }
    let proofs = all.execute(
        "DELETE FROM record WHERE seq IN
             (SELECT seq FROM record WHERE droppable = 1 AND refused = 0 ORDER BY seq LIMIT ?1)",
        [surplus as i64],
    )?;
    let others = all.execute(
        "DELETE FROM record WHERE seq IN
             (SELECT seq FROM record WHERE refused = 0 ORDER BY seq LIMIT ?1)",
        [(surplus - proofs) as i64],
    )?;
    Ok(proofs + others)
}

/// At most `most` records, but none of `except`.
pub(super) fn oldest(
    db: &Connection,
    most: usize,
    except: &BTreeSet<String>,
) -> Result<Oldest, StoreError> {
    let failed = || sql_failed("read records");
    let sql = "SELECT id, body FROM record WHERE refused = 0 ORDER BY seq";
    let mut query = db.prepare_cached(sql).map_err(failed())?;
    let mut rows = query.query(()).map_err(failed())?;
    let mut oldest = Oldest::default();
    while oldest.records.len() < most
        && let Some(row) = rows.next().map_err(failed())?
    {
        let (id, body): (String, String) = row.try_into().map_err(failed())?;
        match serde_json::from_str(&body) {
            Ok(_) if except.contains(&id) => {}
            Ok(record) => oldest.records.push(record),
            Err(_) => oldest.unreadable.push(id),
        }
    }
    Ok(oldest)
}

/// Takes records out of the queue for good.
pub(super) fn set_aside(all: &Transaction<'_>, ids: &[String]) -> Result<(), StoreError> {
    let failed = || sql_failed("set records aside");
    let sql = "UPDATE record SET refused = 1 WHERE id = ?1";
    let mut update = all.prepare_cached(sql).map_err(failed())?;
    for id in ids {
        update.execute([id]).map_err(failed())?;
    }
    let surplus = "DELETE FROM record WHERE refused = 1 AND seq NOT IN
        (SELECT seq FROM record WHERE refused = 1 ORDER BY seq DESC LIMIT ?1)";
    all.execute(surplus, [REFUSED_KEPT]).map(drop).map_err(failed())
}

/// Deletes what the cloud keeps from now on; ids that are not here are fine.
pub(super) fn acknowledge(all: &Transaction<'_>, ids: &[String]) -> Result<(), StoreError> {
    let failed = || sql_failed("acknowledge records");
    let mut delete = all.prepare_cached("DELETE FROM record WHERE id = ?1").map_err(failed())?;
    for id in ids {
        delete.execute([id]).map_err(failed())?;
    }
    Ok(())
}

/// Records that wait.
pub(super) fn len(db: &Connection) -> Result<usize, StoreError> {
    let count: i64 = db
        .query_row("SELECT count(*) FROM record WHERE refused = 0", (), |row| row.get(0))
        .map_err(sql_failed("count records"))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Notes that an order is begun; false if it was before.
pub(super) fn begin(all: &Transaction<'_>, id: &str) -> Result<bool, StoreError> {
    let insert = "INSERT OR IGNORE INTO begun (id) VALUES (?1)";
    let new = all.execute(insert, [id]).map_err(sql_failed("begin an order"))?;
    Ok(new == 1)
}

/// Notes that an order is over, begun or not.
pub(super) fn end(all: &Transaction<'_>, id: &str) -> Result<(), StoreError> {
    let upsert = "INSERT INTO begun (id, ended) VALUES (?1, 1)
                  ON CONFLICT (id) DO UPDATE SET ended = 1";
    let forget = "DELETE FROM begun WHERE ended = 1
                  AND seq <= (SELECT max(seq) FROM begun) - ?1";
    all.execute(upsert, [id])
        .and_then(|_| all.execute(forget, [BEGUN_KEPT]))
        .map(drop)
        .map_err(sql_failed("end an order"))
}

/// Orders begun and not ended, the oldest first.
pub(super) fn unended(db: &Connection) -> Result<Vec<String>, StoreError> {
    let read = || -> rusqlite::Result<Vec<String>> {
        let mut query = db.prepare_cached("SELECT id FROM begun WHERE ended = 0 ORDER BY seq")?;
        query.query_map((), |row| row.get(0))?.collect()
    };
    read().map_err(sql_failed("read the orders begun"))
}
