//! Pairings that wait for a person. They belong to no tenant until one approves.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::time;
use crate::error::Error;
use crate::limits;
use crate::secret::Hash;

/// A pairing as asked for.
#[derive(Debug, Clone)]
pub struct NewPairing {
    /// Of the device code.
    pub device_hash: Hash,
    /// Of the user code.
    pub user_hash: Hash,
    /// The device's Ed25519 key.
    pub public_key: [u8; 32],
    /// What the device calls itself.
    pub name: String,
    /// Board or machine.
    pub model: String,
    /// Version of the player.
    pub release: String,
    /// Wait between two asks.
    pub interval_ms: i64,
}

/// What became of a pairing, when its device asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// No such device code, or it served already.
    Unknown,
    /// Its time is over.
    Expired,
    /// Asked before the interval was over; the interval has grown.
    TooSoon,
    /// Nobody approved yet.
    Pending,
    /// An operator said no.
    Denied,
    /// An operator said yes.
    Approved {
        /// Whose device it is now.
        tenant: String,
        /// Its id.
        device: String,
    },
}

/// Keeps a new pairing. False if there are too many or the user code is taken by chance.
pub fn start(conn: &Connection, new: &NewPairing, now: Timestamp) -> Result<bool, Error> {
    let now_ms = now.as_millisecond();
    conn.execute("DELETE FROM pairing WHERE expires_at <= ?1", [now_ms])?;
    let sql = "INSERT INTO pairing
            (device_hash, user_hash, public_key, name, model, release, interval_ms, expires_at)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE (SELECT count(*) FROM pairing) < ?9
        ON CONFLICT DO NOTHING";
    let made = conn.execute(
        sql,
        params![
            new.device_hash,
            new.user_hash,
            new.public_key,
            new.name,
            new.model,
            new.release,
            new.interval_ms,
            now_ms + limits::PAIRING_LIFE_S * 1_000,
            limits::PAIRINGS,
        ],
    )?;
    Ok(made == 1)
}

/// A device asks what became of its pairing. An approved one may be asked for again until the
/// device was heard of with a token of its own, because the answer may have been lost.
pub fn ask(conn: &Connection, device_hash: &Hash, now: Timestamp) -> Result<Asked, Error> {
    let sql = "SELECT pairing.*, tenant FROM pairing LEFT JOIN device ON device.id = device
        WHERE device_hash = ?1";
    let now_ms = now.as_millisecond();
    let read = |row: &Row| {
        let asked_at: Option<i64> = row.get("asked_at")?;
        let interval_ms: i64 = row.get("interval_ms")?;
        let device: Option<String> = row.get("device")?;
        let tenant: Option<String> = row.get("tenant")?;
        Ok(match device.zip(tenant) {
            _ if time(row, "expires_at")? <= now => Asked::Expired,
            _ if row.get("denied")? => Asked::Denied,
            Some((device, tenant)) => Asked::Approved { tenant, device },
            None if asked_at.is_some_and(|at| now_ms < at + interval_ms) => Asked::TooSoon,
            None => Asked::Pending,
        })
    };
    let Some(asked) = conn.query_row(sql, [device_hash], read).optional()? else {
        return Ok(Asked::Unknown);
    };
    let grow = if asked == Asked::TooSoon { limits::SLOW_DOWN_S * 1_000 } else { 0 };
    let sql = "UPDATE pairing SET asked_at = ?2, interval_ms = interval_ms + ?3
        WHERE device_hash = ?1";
    conn.execute(sql, params![device_hash, now_ms, grow])?;
    Ok(asked)
}

/// An operator says no. False if no pairing waits under this code.
pub fn deny(conn: &Connection, user_hash: &Hash, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE pairing SET denied = 1
        WHERE user_hash = ?1 AND expires_at > ?2 AND device IS NULL AND NOT denied";
    Ok(conn.execute(sql, params![user_hash, now.as_millisecond()])? == 1)
}

impl super::Scope<'_> {
    /// Finds the pairing that waits under a user code. None if the code is wrong, lapsed or
    /// served. No tenant in this query: a pairing belongs to whoever holds its code.
    pub fn pending(&self, user_hash: &Hash, now: Timestamp) -> Result<Option<NewPairing>, Error> {
        let sql = "SELECT * FROM pairing
            WHERE user_hash = ?1 AND expires_at > ?2 AND device IS NULL AND NOT denied";
        let read = |row: &Row| {
            Ok(NewPairing {
                device_hash: row.get("device_hash")?,
                user_hash: row.get("user_hash")?,
                public_key: row.get("public_key")?,
                name: row.get("name")?,
                model: row.get("model")?,
                release: row.get("release")?,
                interval_ms: row.get("interval_ms")?,
            })
        };
        let values = params![user_hash, now.as_millisecond()];
        Ok(self.conn.query_row(sql, values, read).optional()?)
    }

    /// An operator says yes: the pairing leads to this tenant's `device` from now on.
    pub fn approve(&self, pairing: &NewPairing, device: &str) -> Result<(), Error> {
        let sql =
            "UPDATE pairing SET device = (SELECT id FROM device WHERE tenant = ?2 AND id = ?3)
            WHERE device_hash = ?1";
        self.conn.execute(sql, params![pairing.device_hash, self.tenant, device])?;
        Ok(())
    }
}
