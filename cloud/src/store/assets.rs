//! Assets of a tenant: what is known of the files.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, params};
use vitrine_wire::Digest;
use vitrine_wire::manifest::Asset;

use super::Scope;
use crate::error::Error;

fn asset(row: &Row) -> rusqlite::Result<Asset> {
    let digest: String = row.get("sha256")?;
    let wrong = |e| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(e));
    Ok(Asset {
        sha256: digest.parse().map_err(wrong)?,
        size_bytes: row.get("size_bytes")?,
        media_type: row.get("media_type")?,
        name: row.get("name")?,
    })
}

impl Scope<'_> {
    /// All assets, by name.
    pub fn assets(&self) -> Result<Vec<Asset>, Error> {
        let sql = "SELECT * FROM asset WHERE tenant = ?1 ORDER BY name, sha256";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map([self.tenant], asset)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One asset.
    pub fn asset(&self, digest: &Digest) -> Result<Option<Asset>, Error> {
        let sql = "SELECT * FROM asset WHERE tenant = ?1 AND sha256 = ?2";
        let mut query = self.conn.prepare_cached(sql)?;
        Ok(query.query_row(params![self.tenant, digest.to_string()], asset).optional()?)
    }

    /// Keeps an asset; the same bytes under another name get the new name. True if it is new.
    pub fn put_asset(&self, asset: &Asset) -> Result<bool, Error> {
        let new = self.asset(&asset.sha256)?.is_none();
        let sql = "INSERT INTO asset (tenant, sha256, size_bytes, media_type, name)
            VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (tenant, sha256) DO UPDATE SET name = excluded.name";
        let Asset { sha256, size_bytes, media_type, name } = asset;
        let digest = sha256.to_string();
        self.conn.execute(sql, params![self.tenant, digest, size_bytes, media_type, name])?;
        Ok(new)
    }

    /// Forgets an asset. False if there is none.
    pub fn remove_asset(&self, digest: &Digest) -> Result<bool, Error> {
        let sql = "DELETE FROM asset WHERE tenant = ?1 AND sha256 = ?2";
        Ok(self.conn.execute(sql, params![self.tenant, digest.to_string()])? == 1)
    }
}
