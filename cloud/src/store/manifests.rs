//! The manifest of each device.

use rusqlite::{OptionalExtension, Row, params};

use super::Scope;
use crate::error::Error;
use crate::secret::Hash;

impl Scope<'_> {
    /// Version of a device's manifest and the hash of its content.
    pub fn manifest_state(&self, device: &str) -> Result<Option<(u64, Hash)>, Error> {
        let sql = "SELECT version, content FROM manifest WHERE tenant = ?1 AND device = ?2";
        let mut query = self.conn.prepare_cached(sql)?;
        let read = |row: &Row| Ok((row.get("version")?, row.get("content")?));
        Ok(query.query_row([self.tenant, device], read).optional()?)
    }

    /// A device's signed manifest, as sent.
    pub fn envelope(&self, device: &str) -> Result<Option<Vec<u8>>, Error> {
        let sql = "SELECT envelope FROM manifest WHERE tenant = ?1 AND device = ?2";
        let mut query = self.conn.prepare_cached(sql)?;
        Ok(query.query_row([self.tenant, device], |row| row.get(0)).optional()?)
    }

    /// Has the next manifest of a device count as new, whatever it says.
    pub fn forget_content(&self, device: &str) -> Result<(), Error> {
        let sql = "UPDATE manifest SET content = zeroblob(32) WHERE tenant = ?1 AND device = ?2";
        self.conn.execute(sql, [self.tenant, device])?;
        Ok(())
    }

    /// Replaces a device's manifest.
    pub fn put_manifest(
        &self,
        device: &str,
        version: u64,
        content: &Hash,
        envelope: &[u8],
    ) -> Result<(), Error> {
        let sql = "INSERT INTO manifest (tenant, device, version, content, envelope)
            VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (tenant, device) DO UPDATE SET version = excluded.version,
                content = excluded.content, envelope = excluded.envelope";
        self.conn.execute(sql, params![self.tenant, device, version, content, envelope])?;
        Ok(())
    }
}
