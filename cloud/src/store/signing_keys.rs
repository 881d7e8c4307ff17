//! Signing keys of a tenant, by number; and how far each device has followed.

use ed25519_dalek::VerifyingKey;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use vitrine_wire::envelope::key_id;

use super::Scope;
use crate::error::Error;

/// Notes a key of a tenant; the highest number is the one that signs.
pub fn put_signing_key(
    conn: &Connection,
    tenant: &str,
    (number, public_key): (u64, &[u8; 32]),
    now: Timestamp,
) -> Result<(), Error> {
    let sql =
        "INSERT INTO signing_key (tenant, number, public_key, made_at) VALUES (?1, ?2, ?3, ?4)";
    conn.execute(sql, params![tenant, number, public_key, now.as_millisecond()])?;
    conn.execute("UPDATE tenant SET public_key = ?2 WHERE id = ?1", params![tenant, public_key])?;
    Ok(())
}

impl Scope<'_> {
    /// Number of the key that signs.
    pub fn key_number(&self) -> Result<u64, Error> {
        let sql = "SELECT max(number) FROM signing_key WHERE tenant = ?1";
        Ok(self.conn.query_row(sql, [self.tenant], |row| row.get(0))?)
    }

    /// Makes another key the one that signs.
    pub fn put_key(&self, key: (u64, &[u8; 32]), now: Timestamp) -> Result<(), Error> {
        put_signing_key(self.conn, self.tenant, key, now)
    }

    /// The lowest number of a key that this device may have pinned.
    pub fn pinned(&self, device: &str) -> Result<u64, Error> {
        let sql = "SELECT key_number FROM device WHERE tenant = ?1 AND id = ?2";
        Ok(self.conn.query_row(sql, [self.tenant, device], |row| row.get(0))?)
    }

    /// The lowest number of a key that any device may have pinned; the one that signs if there is none.
    pub fn lowest_pinned(&self) -> Result<u64, Error> {
        let sql = "SELECT min(key_number) FROM device WHERE tenant = ?1";
        let lowest: Option<u64> = self.conn.query_row(sql, [self.tenant], |row| row.get(0))?;
        lowest.map_or_else(|| self.key_number(), Ok)
    }

    /// Names of the devices that may have pinned a key below `number`.
    pub fn behind(&self, number: u64) -> Result<Vec<String>, Error> {
        let sql = "SELECT name FROM device WHERE tenant = ?1 AND key_number < ?2 ORDER BY name, id";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map(params![self.tenant, number], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A device says by its id which key it has pinned; keys that are not the tenant's change nothing.
    /// True: an older one than was known, as on a card that was put back.
    pub fn follows(&self, device: &str, pinned: &str) -> Result<bool, Error> {
        let sql = "SELECT number, public_key FROM signing_key WHERE tenant = ?1";
        let mut query = self.conn.prepare_cached(sql)?;
        let read = |row: &Row| Ok((row.get("number")?, row.get("public_key")?));
        let keys = query.query_map([self.tenant], read)?;
        let mut keys = keys.collect::<Result<Vec<(u64, [u8; 32])>, _>>()?.into_iter();
        let named =
            |key: &[u8; 32]| VerifyingKey::from_bytes(key).is_ok_and(|k| key_id(&k) == pinned);
        let Some((number, _)) = keys.find(|(_, key)| named(key)) else { return Ok(false) };
        let known = self.pinned(device)?;
        if number != known {
            let sql = "UPDATE device SET key_number = ?3 WHERE tenant = ?1 AND id = ?2";
            self.conn.execute(sql, params![self.tenant, device, number])?;
        }
        Ok(number < known)
    }
}
