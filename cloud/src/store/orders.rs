//! Orders of each device: what was asked, and the envelope they go out in.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use vitrine_wire::order::Order;

use super::{Scope, json, time, to_json};
use crate::error::Error;

impl Scope<'_> {
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

    /// Keeps the signed orders of a device in place of those before.
    pub fn put_order_envelope(
        &self,
        device: &str,
        version: u64,
        envelope: &[u8],
    ) -> Result<(), Error> {
        let sql = "INSERT INTO order_envelope (tenant, device, version, envelope)
            VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (tenant, device) DO UPDATE SET version = excluded.version,
                envelope = excluded.envelope";
        self.conn.execute(sql, params![self.tenant, device, version, envelope])?;
        Ok(())
    }

    /// The signed orders of a device with their version, if any of them still waits.
    pub fn order_envelope(
        &self,
        device: &str,
        now: Timestamp,
    ) -> Result<Option<(u64, Vec<u8>)>, Error> {
        let sql = "SELECT version, envelope FROM order_envelope
            WHERE tenant = ?1 AND device = ?2 AND EXISTS (SELECT 1 FROM device_order waits
                WHERE waits.tenant = ?1 AND waits.device = ?2 AND waits.expires_at > ?3)";
        let mut query = self.conn.prepare_cached(sql)?;
        let values = params![self.tenant, device, now.as_millisecond()];
        let read = |row: &Row| Ok((row.get("version")?, row.get("envelope")?));
        Ok(query.query_row(values, read).optional()?)
    }

    /// Notes that a device told what became of an order, and drops those that lapsed.
    pub fn answer_order(&self, device: &str, order: &str, now: Timestamp) -> Result<(), Error> {
        let sql = "DELETE FROM device_order
            WHERE tenant = ?1 AND device = ?2 AND (id = ?3 OR expires_at <= ?4)";
        self.conn.execute(sql, params![self.tenant, device, order, now.as_millisecond()])?;
        Ok(())
    }
}
