//! What was said of the player's settings, and the record of each change: one transaction.

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction};
use vitrine_config::{Ledger, Word};
use vitrine_wire::record::Record;

use super::error::sql_failed;
use super::{Store, StoreError, outbox};

impl Store {
    /// What was said last; None: nothing ever was, so that nothing can have changed.
    pub(crate) fn settings(&mut self) -> Result<Option<Ledger>, StoreError> {
        self.read(read)
    }

    /// Keeps what is said now together with the records of what has changed. Returns the same as
    /// [`Store::append_records`].
    pub(crate) fn keep_settings(
        &mut self,
        ledger: &Ledger,
        changes: &[Record],
    ) -> Result<usize, StoreError> {
        let most = self.outbox_most;
        self.write("keep the settings", |all| {
            write(all, ledger).map_err(sql_failed("keep the settings"))?;
            outbox::append(all, changes, most)
        })
    }
}

pub(super) fn read(db: &Connection) -> Result<Option<Ledger>, StoreError> {
    rows(db).map_err(sql_failed("read the settings"))
}

fn rows(db: &Connection) -> rusqlite::Result<Option<Ledger>> {
    let known: bool = db.query_row("SELECT settings_known FROM fact", (), |row| row.get(0))?;
    if !known {
        return Ok(None);
    }
    let mut ledger = Ledger::new();
    let mut query = db.prepare_cached("SELECT key, afar, value, at_us, by FROM setting")?;
    for row in query.query_map((), word)? {
        let (key, afar, word) = row?;
        let words = ledger.entry(key).or_default();
        *(if afar { &mut words.cloud } else { &mut words.local }) = Some(word);
    }
    Ok(Some(ledger))
}

fn word(row: &Row<'_>) -> rusqlite::Result<(String, bool, Word)> {
    let at = Timestamp::from_microsecond(row.get("at_us")?).unwrap_or_default();
    let word = Word { value: row.get("value")?, at, by: row.get("by")? };
    Ok((row.get("key")?, row.get("afar")?, word))
}

fn write(all: &Transaction<'_>, ledger: &Ledger) -> rusqlite::Result<()> {
    all.execute("DELETE FROM setting", ())?;
    all.execute("UPDATE fact SET settings_known = 1", ())?;
    let sql = "INSERT INTO setting (key, afar, value, at_us, by) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = all.prepare_cached(sql)?;
    for (key, words) in ledger {
        for (afar, word) in [(false, &words.local), (true, &words.cloud)] {
            if let Some(Word { value, at, by }) = word {
                insert.execute((key, afar, value, at.as_microsecond(), by))?;
            }
        }
    }
    Ok(())
}

/// Forgets what the tenant's cloud said; what the files say is nobody's.
pub(super) fn forget(all: &Transaction<'_>) -> Result<(), StoreError> {
    all.execute("DELETE FROM setting WHERE afar = 1", ())
        .map(drop)
        .map_err(sql_failed("forget the settings"))
}
