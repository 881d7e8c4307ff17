//! What devices told: records and screenshots.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use serde_json::value::RawValue;

use super::{Scope, json, time};
use crate::error::Error;
use crate::limits;
use crate::records::{Filter, Kept};

/// A record to keep.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Its kind, known to this cloud or not.
    pub kind: String,
    /// JSON as sent.
    pub body: Box<RawValue>,
}

/// The last screenshot of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screenshot {
    /// Id under which the device sent it: that of the order.
    pub id: String,
    /// PNG or JPEG.
    pub media_type: String,
    /// Length of the file.
    pub size_bytes: u64,
    /// When it arrived.
    pub taken_at: Timestamp,
}

impl Scope<'_> {
    /// Keeps a record once. True if it is new.
    pub fn put_record(&self, device: &str, new: &NewRecord, now: Timestamp) -> Result<bool, Error> {
        let sql = "INSERT INTO record (tenant, device, id, kind, received_at, body)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (tenant, device, id) DO NOTHING";
        let NewRecord { id, kind, body } = new;
        let values = params![self.tenant, device, id, kind, now.as_millisecond(), body.get()];
        Ok(self.conn.prepare_cached(sql)?.execute(values)? == 1)
    }

    /// Drops the oldest records of a device beyond the limit.
    pub fn trim_records(&self, device: &str) -> Result<(), Error> {
        let sql = "DELETE FROM record WHERE tenant = ?1 AND device = ?2 AND seq <=
            (SELECT seq FROM record WHERE tenant = ?1 AND device = ?2
             ORDER BY seq DESC LIMIT 1 OFFSET ?3)";
        self.conn.execute(sql, params![self.tenant, device, limits::RECORDS_PER_DEVICE])?;
        Ok(())
    }

    /// Records of a device in order of arrival, at most `filter.limit` of them.
    pub fn records(&self, device: &str, filter: &Filter) -> Result<Vec<Kept>, Error> {
        let sql = "SELECT * FROM record
            WHERE tenant = ?1 AND device = ?2 AND seq > ?3 AND coalesce(kind = ?4, 1)
            ORDER BY seq LIMIT ?5";
        let mut query = self.conn.prepare_cached(sql)?;
        let read = |row: &Row| {
            let received_at = time(row, "received_at")?;
            Ok(Kept { seq: row.get("seq")?, received_at, record: json(row, "body")? })
        };
        let after = i64::try_from(filter.after).unwrap_or(i64::MAX);
        let rows = query
            .query_map(params![self.tenant, device, after, filter.kind, filter.limit], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether there is such a device, or was one that left records.
    pub fn knew(&self, device: &str) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM device WHERE tenant = ?1 AND id = ?2
            UNION ALL SELECT 1 FROM record WHERE tenant = ?1 AND device = ?2 LIMIT 1";
        Ok(self.conn.prepare_cached(sql)?.exists([self.tenant, device])?)
    }

    /// Notes the last screenshot of a device.
    pub fn put_screenshot(&self, device: &str, shot: &Screenshot) -> Result<(), Error> {
        let sql = "INSERT INTO screenshot (tenant, device, id, media_type, size_bytes, taken_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (tenant, device) DO UPDATE SET id = excluded.id,
                media_type = excluded.media_type, size_bytes = excluded.size_bytes,
                taken_at = excluded.taken_at";
        let Screenshot { id, media_type, size_bytes, taken_at } = shot;
        let taken_at = taken_at.as_millisecond();
        let values = params![self.tenant, device, id, media_type, size_bytes, taken_at];
        self.conn.execute(sql, values)?;
        Ok(())
    }

    /// The last screenshot of a device.
    pub fn screenshot(&self, device: &str) -> Result<Option<Screenshot>, Error> {
        let sql = "SELECT * FROM screenshot WHERE tenant = ?1 AND device = ?2";
        let read = |row: &Row| {
            Ok(Screenshot {
                id: row.get("id")?,
                media_type: row.get("media_type")?,
                size_bytes: row.get("size_bytes")?,
                taken_at: time(row, "taken_at")?,
            })
        };
        Ok(self.conn.query_row(sql, [self.tenant, device], read).optional()?)
    }
}
