//! Tokens of devices: looked up by hash, issued in families.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Scope, time, time_or_none};
use crate::error::Error;
use crate::limits;
use crate::secret::Hash;

/// Whose access token it is.
#[derive(Debug, Clone)]
pub struct AccessRow {
    /// Tenant.
    pub tenant: String,
    /// Device.
    pub device: String,
    /// End of its life.
    pub expires_at: Timestamp,
    /// When the device was last heard of.
    pub seen_at: Option<Timestamp>,
}

/// Whose refresh token it is.
#[derive(Debug, Clone)]
pub struct RefreshRow {
    /// Tenant.
    pub tenant: String,
    /// Device.
    pub device: String,
    /// Its family.
    pub family: String,
    /// End of its life.
    pub expires_at: Timestamp,
    /// Whether it was used before.
    pub used: bool,
}

/// Finds an access token.
pub fn access(conn: &Connection, hash: &Hash) -> Result<Option<AccessRow>, Error> {
    let sql = "SELECT token.tenant, device, expires_at, seen_at
        FROM token JOIN device ON device.tenant = token.tenant AND device.id = device
        WHERE hash = ?1 AND kind = 'access'";
    let read = |row: &Row| {
        Ok(AccessRow {
            tenant: row.get("tenant")?,
            device: row.get("device")?,
            expires_at: time(row, "expires_at")?,
            seen_at: time_or_none(row, "seen_at")?,
        })
    };
    Ok(conn.prepare_cached(sql)?.query_row([hash], read).optional()?)
}

/// Finds a refresh token.
pub fn refresh(conn: &Connection, hash: &Hash) -> Result<Option<RefreshRow>, Error> {
    let sql = "SELECT * FROM token WHERE hash = ?1 AND kind = 'refresh'";
    let read = |row: &Row| {
        Ok(RefreshRow {
            tenant: row.get("tenant")?,
            device: row.get("device")?,
            family: row.get("family")?,
            expires_at: time(row, "expires_at")?,
            used: row.get("used")?,
        })
    };
    Ok(conn.query_row(sql, [hash], read).optional()?)
}

/// Notes that a refresh token was used.
pub fn mark_used(conn: &Connection, hash: &Hash) -> Result<(), Error> {
    conn.execute("UPDATE token SET used = 1 WHERE hash = ?1", [hash])?;
    Ok(())
}

/// Remembers an assertion until `until`. False if it was taken before.
pub fn remember_assertion(
    conn: &Connection,
    device: &str,
    jti: &str,
    until: Timestamp,
    now: Timestamp,
) -> Result<bool, Error> {
    conn.execute("DELETE FROM assertion WHERE until < ?1", [now.as_millisecond()])?;
    let sql = "INSERT INTO assertion VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    Ok(conn.execute(sql, params![device, jti, until.as_millisecond()])? == 1)
}

impl Scope<'_> {
    /// Keeps a pair of tokens, and drops what lapsed and the oldest families beyond the limit.
    pub fn keep_tokens(
        &self,
        device: &str,
        family: &str,
        hashes: [&Hash; 2],
        now: Timestamp,
    ) -> Result<(), Error> {
        let now_ms = now.as_millisecond();
        let sql = "DELETE FROM token WHERE tenant = ?1 AND device = ?2 AND expires_at <= ?3";
        self.conn.execute(sql, params![self.tenant, device, now_ms])?;
        let kinds =
            [("access", limits::ACCESS_LIFE_S), ("refresh", limits::REFRESH_LIFE_S)].into_iter();
        for (hash, (kind, life_s)) in hashes.into_iter().zip(kinds) {
            let sql = "INSERT INTO token (hash, tenant, device, family, kind, expires_at)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let until = now_ms + life_s * 1_000;
            self.conn.execute(sql, params![hash, self.tenant, device, family, kind, until])?;
        }
        let sql = "DELETE FROM token WHERE tenant = ?1 AND device = ?2 AND family NOT IN
            (SELECT family FROM token WHERE tenant = ?1 AND device = ?2
             GROUP BY family ORDER BY max(rowid) DESC LIMIT ?3)";
        self.conn.execute(sql, params![self.tenant, device, limits::FAMILIES])?;
        Ok(())
    }

    /// Makes every token of a family worthless.
    pub fn revoke_family(&self, device: &str, family: &str) -> Result<(), Error> {
        let sql = "DELETE FROM token WHERE tenant = ?1 AND device = ?2 AND family = ?3";
        self.conn.execute(sql, [self.tenant, device, family])?;
        Ok(())
    }
}
