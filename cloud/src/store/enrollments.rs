//! Enrollment tokens: an operator's yes to devices that will come.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use vitrine_wire::operator::EnrollmentState;

use super::{Scope, time};
use crate::error::Error;
use crate::limits;
use crate::secret::Hash;

/// Why a token does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// It does.
    Good,
    /// Its time is over.
    Expired,
    /// As many devices have come as should.
    UsedUp,
    /// There is none, or not any more.
    Unknown,
}

/// Whose token this is.
pub fn enrolling(conn: &Connection, hash: &Hash) -> Result<Option<String>, Error> {
    let mut query = conn.prepare_cached("SELECT tenant FROM enrollment WHERE hash = ?1")?;
    Ok(query.query_row([hash], |row| row.get("tenant")).optional()?)
}

impl Scope<'_> {
    /// Keeps a new token. False if the tenant has too many.
    pub fn put_enrollment(
        &self,
        hash: &Hash,
        new: &EnrollmentState,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let sql = "INSERT INTO enrollment (hash, id, tenant, uses_left, made_at, expires_at)
            SELECT ?1, ?2, ?3, ?4, ?5, ?6
            WHERE (SELECT count(*) FROM enrollment WHERE tenant = ?3) < ?7";
        let EnrollmentState { enrollment, uses_left, expires_at } = new;
        let (made_at, expires_at) = (now.as_millisecond(), expires_at.as_millisecond());
        let most = limits::ENROLLMENTS;
        let values = params![hash, enrollment, self.tenant, uses_left, made_at, expires_at, most];
        Ok(self.conn.execute(sql, values)? == 1)
    }

    /// All tokens, the oldest first, also those that do not count any more.
    pub fn enrollments(&self) -> Result<Vec<EnrollmentState>, Error> {
        let sql = "SELECT * FROM enrollment WHERE tenant = ?1 ORDER BY made_at, id";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map([self.tenant], |row| {
            Ok(EnrollmentState {
                enrollment: row.get("id")?,
                uses_left: row.get("uses_left")?,
                expires_at: time(row, "expires_at")?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Ends a token; devices that came by it stay. False if unknown.
    pub fn remove_enrollment(&self, id: &str) -> Result<bool, Error> {
        let sql = "DELETE FROM enrollment WHERE tenant = ?1 AND id = ?2";
        Ok(self.conn.execute(sql, [self.tenant, id])? == 1)
    }

    /// Takes one use. A device that is the tenant's already takes none: its answer was lost.
    pub fn redeem(
        &self,
        hash: &Hash,
        public_key: &[u8; 32],
        now: Timestamp,
    ) -> Result<Redeemed, Error> {
        let sql = "SELECT uses_left, expires_at FROM enrollment WHERE tenant = ?1 AND hash = ?2";
        let read = |row: &rusqlite::Row| Ok((row.get("uses_left")?, time(row, "expires_at")?));
        let found = self.conn.query_row(sql, params![self.tenant, hash], read).optional()?;
        let Some((uses_left, expires_at)): Option<(u32, Timestamp)> = found else {
            return Ok(Redeemed::Unknown);
        };
        if expires_at <= now {
            return Ok(Redeemed::Expired);
        }
        let sql = "SELECT 1 FROM device WHERE tenant = ?1 AND public_key = ?2";
        if self.conn.prepare_cached(sql)?.exists(params![self.tenant, public_key])? {
            return Ok(Redeemed::Good);
        }
        if uses_left == 0 {
            return Ok(Redeemed::UsedUp);
        }
        let sql = "UPDATE enrollment SET uses_left = uses_left - 1 WHERE tenant = ?1 AND hash = ?2";
        self.conn.execute(sql, params![self.tenant, hash])?;
        Ok(Redeemed::Good)
    }
}
