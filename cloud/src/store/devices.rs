//! Devices of a tenant.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use vitrine_wire::auth::fingerprint;
use vitrine_wire::operator::DeviceState;
use vitrine_wire::record::Heartbeat;

use super::{Scope, json, time_or_none, to_json};
use crate::error::Error;

/// What an approval makes of a pairing.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// Id to use if the machine is not known yet.
    pub id: String,
    /// What the operator calls it.
    pub name: String,
    /// Board or machine.
    pub model: String,
    /// Version of the player.
    pub release: String,
    /// Its Ed25519 key.
    pub public_key: [u8; 32],
}

/// Whose an assertion is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    /// Tenant.
    pub tenant: String,
    /// Its Ed25519 key.
    pub public_key: [u8; 32],
}

/// Finds the key that must have signed an assertion which names `device`.
pub fn device_key(conn: &Connection, device: &str) -> Result<Option<DeviceRow>, Error> {
    let mut query = conn.prepare_cached("SELECT tenant, public_key FROM device WHERE id = ?1")?;
    let read = |row: &Row| {
        Ok(DeviceRow { tenant: row.get("tenant")?, public_key: row.get("public_key")? })
    };
    Ok(query.query_row([device], read).optional()?)
}

const STATE: &str = "SELECT device.id, name, model, public_key, seen_at, heartbeat,
        coalesce(manifest.version, 0) AS version
    FROM device LEFT JOIN manifest
        ON manifest.tenant = device.tenant AND manifest.device = device.id
    WHERE device.tenant = ?1";

fn state(row: &Row) -> rusqlite::Result<DeviceState> {
    let heartbeat: Option<String> = row.get("heartbeat")?;
    let key: [u8; 32] = row.get("public_key")?;
    Ok(DeviceState {
        device: row.get("id")?,
        name: row.get("name")?,
        model: row.get("model")?,
        fingerprint: fingerprint(&key),
        seen_at: time_or_none(row, "seen_at")?,
        manifest_version: row.get("version")?,
        heartbeat: heartbeat.map(|_| json(row, "heartbeat")).transpose()?,
    })
}

impl Scope<'_> {
    /// All devices, by name.
    pub fn devices(&self) -> Result<Vec<DeviceState>, Error> {
        let mut query = self.conn.prepare_cached(&format!("{STATE} ORDER BY name, device.id"))?;
        let rows = query.query_map([self.tenant], state)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One device.
    pub fn device(&self, id: &str) -> Result<Option<DeviceState>, Error> {
        let mut query = self.conn.prepare_cached(&format!("{STATE} AND device.id = ?2"))?;
        Ok(query.query_row([self.tenant, id], state).optional()?)
    }

    /// Keeps a device and returns its id: the old one if this machine is the tenant's already.
    pub fn put_device(&self, new: &NewDevice, now: Timestamp) -> Result<String, Error> {
        let sql = "INSERT INTO device
                (id, tenant, name, model, release, public_key, made_at, key_number)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
                (SELECT max(number) FROM signing_key WHERE tenant = ?2))
            ON CONFLICT (tenant, public_key) DO UPDATE
                SET name = excluded.name, model = excluded.model, release = excluded.release,
                    seen_at = NULL
            RETURNING id";
        let NewDevice { id, name, model, release, public_key } = new;
        let made_at = now.as_millisecond();
        let values = params![id, self.tenant, name, model, release, public_key, made_at];
        Ok(self.conn.query_row(sql, values, |row| row.get(0))?)
    }

    /// Forgets a device, its tokens, manifest and orders; its records stay. False if unknown.
    pub fn remove_device(&self, id: &str) -> Result<bool, Error> {
        let sql = "DELETE FROM setting WHERE tenant = ?1 AND device = ?2";
        self.conn.execute(sql, [self.tenant, id])?;
        let sql = "DELETE FROM device WHERE tenant = ?1 AND id = ?2";
        Ok(self.conn.execute(sql, [self.tenant, id])? == 1)
    }

    /// Notes that a device was heard of, and that its pairing has served.
    pub fn seen(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE device SET seen_at = ?3 WHERE tenant = ?1 AND id = ?2";
        self.conn.execute(sql, params![self.tenant, id, now.as_millisecond()])?;
        self.conn.execute("DELETE FROM pairing WHERE device = ?1", [id])?;
        Ok(())
    }

    /// Keeps the newest word of a device about itself, by its own clock.
    pub fn heartbeat(&self, id: &str, at: Timestamp, said: &Heartbeat) -> Result<(), Error> {
        let sql = "UPDATE device SET heartbeat = ?3, heartbeat_at = ?4, release = ?5
            WHERE tenant = ?1 AND id = ?2 AND coalesce(heartbeat_at <= ?4, 1)";
        let values = params![self.tenant, id, to_json(said)?, at.as_millisecond(), said.release];
        self.conn.execute(sql, values)?;
        Ok(())
    }
}
