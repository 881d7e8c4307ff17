//! Tenants: who they are, and what they published.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use vitrine_wire::operator::Room;

use super::signing_keys::put_signing_key;
use super::{Scope, to_json};
use crate::compose::Edition;
use crate::error::Error;
use crate::secret::Hash;

/// Makes a tenant whose name is free, with the hash of its operator token and its public key.
pub fn create_tenant(
    conn: &Connection,
    id: &str,
    (operator, public_key): (&Hash, &[u8; 32]),
    now: Timestamp,
) -> Result<(), Error> {
    conn.execute(
        "INSERT INTO tenant (id, operator_hash, public_key, made_at) VALUES (?1, ?2, ?3, ?4)",
        params![id, operator, public_key, now.as_millisecond()],
    )?;
    put_signing_key(conn, id, (1, public_key), now)
}

/// Whether there is a tenant of that name.
pub fn tenant_exists(conn: &Connection, id: &str) -> Result<bool, Error> {
    let mut query = conn.prepare_cached("SELECT 1 FROM tenant WHERE id = ?1")?;
    Ok(query.exists([id])?)
}

/// Replaces a tenant's operator token. False if there is no such tenant.
pub fn set_operator(conn: &Connection, id: &str, operator: &Hash) -> Result<bool, Error> {
    let sql = "UPDATE tenant SET operator_hash = ?2 WHERE id = ?1";
    Ok(conn.execute(sql, params![id, operator])? == 1)
}

/// Gives a tenant so much room for assets; None: as the disk has. False if there is no such tenant.
pub fn set_quota(conn: &Connection, id: &str, bytes: Option<u64>) -> Result<bool, Error> {
    let sql = "UPDATE tenant SET quota_bytes = ?2 WHERE id = ?1";
    Ok(conn.execute(sql, params![id, bytes])? == 1)
}

/// Whose operator token this is.
pub fn operator(conn: &Connection, hash: &Hash) -> Result<Option<String>, Error> {
    let mut query = conn.prepare_cached("SELECT id FROM tenant WHERE operator_hash = ?1")?;
    Ok(query.query_row([hash], |row| row.get("id")).optional()?)
}

impl Scope<'_> {
    /// The public half of the key that signs.
    pub fn tenant_key(&self) -> Result<[u8; 32], Error> {
        let sql = "SELECT public_key FROM tenant WHERE id = ?1";
        Ok(self.conn.query_row(sql, [self.tenant], |row| row.get(0))?)
    }

    /// Room for assets, and what of it is taken.
    pub fn room(&self) -> Result<Room, Error> {
        let sql = "SELECT quota_bytes, (SELECT coalesce(sum(size_bytes), 0) FROM asset
            WHERE tenant = tenant.id) AS used_bytes FROM tenant WHERE id = ?1";
        let read = |row: &Row| {
            Ok(Room { quota_bytes: row.get("quota_bytes")?, used_bytes: row.get("used_bytes")? })
        };
        Ok(self.conn.query_row(sql, [self.tenant], read)?)
    }

    /// What was published last.
    pub fn edition(&self) -> Result<Edition, Error> {
        let sql = "SELECT edition FROM tenant WHERE id = ?1";
        Ok(self.conn.query_row(sql, [self.tenant], |row| super::json(row, "edition"))?)
    }

    /// Keeps what is published.
    pub fn set_edition(&self, edition: &Edition) -> Result<(), Error> {
        let sql = "UPDATE tenant SET edition = ?2 WHERE id = ?1";
        self.conn.execute(sql, params![self.tenant, to_json(edition)?])?;
        Ok(())
    }

    /// Takes the next manifest version.
    pub fn next_version(&self) -> Result<u64, Error> {
        let sql = "UPDATE tenant SET version = version + 1 WHERE id = ?1 RETURNING version";
        Ok(self.conn.query_row(sql, [self.tenant], |row| row.get(0))?)
    }
}
