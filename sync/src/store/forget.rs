//! A device that changes hands: what was the tenant's goes.

use super::error::sql_failed;
use super::{Store, StoreError, facts, open, settings};

impl Store {
    /// Wipes what is the tenant's: generations and the highest version, records, orders, databases
    /// moved aside. The latest time stays; it is nobody's.
    ///
    /// Crash points: (1) the files go, (2) the rows go in one transaction, (3) the free pages and
    /// the log that still hold their bytes. A cut before (2) leaves the tenant whole, for the rows
    /// bring the files back: call it again before the new account is saved. So does a cut before
    /// (3), which leaves bytes that nothing refers to.
    pub(crate) fn forget_tenant(&mut self) -> Result<(), StoreError> {
        self.be_on_disk()?;
        self.files.wipe().map_err(self.files.failed("remove the envelopes"))?;
        self.write_on_disk("forget the tenant", |all| {
            all.execute_batch("DELETE FROM generation; DELETE FROM record; DELETE FROM begun;")
                .map_err(sql_failed("forget the tenant"))?;
            settings::forget(all)?;
            facts::forget(all)
        })?;
        self.read(|db| {
            db.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")
                .map_err(sql_failed("wipe the database"))
        })?;
        open::remove_aside(&self.dir)
    }

    /// Drops what was made for this tenant's device of before: generations and versions. Records stay
    /// until the tenant has them.
    pub(crate) fn forget_device(&mut self) -> Result<(), StoreError> {
        self.be_on_disk()?;
        self.files.wipe().map_err(self.files.failed("remove the envelopes"))?;
        self.write_on_disk("forget the device", |all| {
            all.execute_batch("DELETE FROM generation;")
                .map_err(sql_failed("forget the device"))?;
            facts::forget(all)
        })
    }
}
