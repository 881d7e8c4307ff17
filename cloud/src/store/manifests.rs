//! What each device gets, and the orders in it.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use vitrine_wire::manifest::Order;

use super::{Scope, json, time, to_json};
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

    /// Keeps an order.
    pub fn put_order(&self, device: &str, order: &Order) -> Result<(), Error> {
        let sql = "INSERT INTO device_order (tenant, device, id, action, expires_at)
            VALUES (?1, ?2, ?3, ?4, ?5)";
        let expires_at = order.expires_at.as_millisecond();
        let values = params![self.tenant, device, order.id, to_json(&order.action)?, expires_at];
        self.conn.execute(sql, values)?;
        Ok(())
    }

    /// Orders of a device that are neither answered nor lapsed, oldest first.
    pub fn orders(&self, device: &str, now: Timestamp) -> Result<Vec<Order>, Error> {
        let sql = "SELECT * FROM device_order
            WHERE tenant = ?1 AND device = ?2 AND expires_at > ?3 ORDER BY rowid";
        let mut query = self.conn.prepare_cached(sql)?;
        let read = |row: &Row| {
            let expires_at = time(row, "expires_at")?;
            Ok(Order { id: row.get("id")?, action: json(row, "action")?, expires_at })
        };
        let rows = query.query_map(params![self.tenant, device, now.as_millisecond()], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Notes that a device told what became of an order, and drops those that lapsed.
    pub fn answer_order(&self, device: &str, order: &str, now: Timestamp) -> Result<(), Error> {
        let sql = "DELETE FROM device_order
            WHERE tenant = ?1 AND device = ?2 AND (id = ?3 OR expires_at <= ?4)";
        self.conn.execute(sql, params![self.tenant, device, order, now.as_millisecond()])?;
        Ok(())
    }
}
