//! Settings of players, as operators want them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Row, params};
use vitrine_wire::manifest::Setting;

use super::{Scope, unreadable};
use crate::error::Error;

/// Stands for all devices that have no word of their own on a key.
const ALL: &str = "";

impl Scope<'_> {
    /// What is said for a device alone; None: for all.
    pub fn own_settings(&self, device: Option<&str>) -> Result<Vec<Setting>, Error> {
        let sql = "SELECT * FROM setting WHERE tenant = ?1 AND device = ?2 ORDER BY key";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map([self.tenant, device.unwrap_or(ALL)], setting)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What holds for a device: its own words, and those for all where it has none.
    pub fn settings(&self, device: &str) -> Result<Vec<Setting>, Error> {
        let mut all = BTreeMap::new();
        for setting in self.own_settings(None)?.into_iter().chain(self.own_settings(Some(device))?)
        {
            all.insert(setting.key.clone(), setting);
        }
        Ok(all.into_values().collect())
    }

    /// Says what a key is to be, for one device or for all. None: nothing.
    pub fn put_setting(
        &self,
        device: Option<&str>,
        (key, value): (&str, Option<&str>),
        (by, now): (&str, Timestamp),
    ) -> Result<(), Error> {
        let device = device.unwrap_or(ALL);
        let Some(value) = value else {
            let sql = "DELETE FROM setting WHERE tenant = ?1 AND device = ?2 AND key = ?3";
            self.conn.execute(sql, [self.tenant, device, key])?;
            return Ok(());
        };
        let sql = "INSERT INTO setting (tenant, device, key, value, updated_at, by)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (tenant, device, key) DO UPDATE SET value = excluded.value,
                updated_at = excluded.updated_at, by = excluded.by";
        self.conn
            .execute(sql, params![self.tenant, device, key, value, now.as_microsecond(), by])?;
        Ok(())
    }
}

fn setting(row: &Row) -> rusqlite::Result<Setting> {
    let updated_at = Timestamp::from_microsecond(row.get("updated_at")?).map_err(unreadable)?;
    Ok(Setting { key: row.get("key")?, value: row.get("value")?, updated_at, by: row.get("by")? })
}
