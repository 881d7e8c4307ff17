//! A store without its database: what is kept in memory while the disk says no, and the way back.

use std::collections::BTreeSet;

use rusqlite::Connection;
use vitrine_config::limits::OUTBOX_RECORDS;

use super::{Opened, Store, StoreError, facts, generations, open, outbox, settings, with_causes};

/// Records kept in memory while the disk cannot be written: a day of a busy screen, 4 MB.
const VOLATILE_RECORDS: usize = 10_000;

impl Store {
    /// The way out when the disk says no: what the envelope files tell, and a memory that ends with
    /// the process.
    pub(super) fn open_in_memory(&mut self, why: &StoreError) -> Result<Opened, StoreError> {
        let mut db = open::in_memory()?;
        let adopted = super::transact(&mut db, "adopt", |all| generations::adopt(all, &self.files));
        if let Err(error) = adopted {
            tracing::warn!(%error, "store: the envelope files cannot be read either");
        }
        (self.db, self.volatile, self.outbox_most) = (Some(db), true, VOLATILE_RECORDS);
        Ok(Opened { volatile: Some(with_causes(why)), ..Opened::default() })
    }

    /// Tries the disk again, if what is kept is kept in memory only: who held the database may be
    /// gone, the card may have been mended. What came meanwhile goes along. Returns what was found;
    /// None: nothing has changed.
    pub(crate) fn return_to_disk(&mut self) -> Result<Option<Opened>, StoreError> {
        if !self.volatile {
            return Ok(None);
        }
        let Some(memory) = self.db.take() else { return Ok(None) };
        match self.open_on_disk() {
            Ok(opened) => {
                self.bring_along(&memory)?;
                Ok(Some(opened))
            }
            Err(error) => {
                tracing::debug!(error = with_causes(&error), "store: still in memory only");
                self.db = Some(memory);
                Ok(None)
            }
        }
    }

    fn bring_along(&mut self, memory: &Connection) -> Result<(), StoreError> {
        let records = outbox::oldest(memory, OUTBOX_RECORDS, &BTreeSet::new())?.records;
        self.append_records(&records)?;
        if let Some(ledger) = settings::read(memory)? {
            self.keep_settings(&ledger, &[])?;
        }
        if let Some(live) = generations::live(memory, 0)?
            && self.live()?.is_none_or(|kept| kept.version != live.version)
        {
            self.replace_live(live.version, facts::turned_down(memory)?)?;
        }
        Ok(())
    }
}
