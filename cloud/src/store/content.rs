//! Content of a tenant as its operators left it: playlists, layouts, the schedule.

use rusqlite::params;
use serde::Serialize;
use serde::de::DeserializeOwned;
use vitrine_wire::manifest::{Entry, Layout, Playlist};

use super::{Scope, json, to_json};
use crate::compose::Draft;
use crate::error::Error;

const PLAYLIST: &str = "playlist";
const LAYOUT: &str = "layout";
const SCHEDULE: &str = "schedule";

impl Scope<'_> {
    /// Everything.
    pub fn draft(&self) -> Result<Draft, Error> {
        let schedule = self.list::<Vec<Entry>>(SCHEDULE)?.pop().unwrap_or_default();
        Ok(Draft { playlists: self.list(PLAYLIST)?, layouts: self.list(LAYOUT)?, schedule })
    }

    /// Keeps a playlist in place of the one with its id.
    pub fn put_playlist(&self, playlist: &Playlist) -> Result<(), Error> {
        self.put(PLAYLIST, &playlist.id, playlist)
    }

    /// Keeps a layout in place of the one with its id.
    pub fn put_layout(&self, layout: &Layout) -> Result<(), Error> {
        self.put(LAYOUT, &layout.id, layout)
    }

    /// Keeps the schedule in place of the old one.
    pub fn put_schedule(&self, schedule: &[Entry]) -> Result<(), Error> {
        self.put(SCHEDULE, "", schedule)
    }

    /// Drops a playlist. False if there is none.
    pub fn remove_playlist(&self, id: &str) -> Result<bool, Error> {
        self.remove(PLAYLIST, id)
    }

    /// Drops a layout. False if there is none.
    pub fn remove_layout(&self, id: &str) -> Result<bool, Error> {
        self.remove(LAYOUT, id)
    }

    fn list<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>, Error> {
        let sql = "SELECT body FROM content WHERE tenant = ?1 AND kind = ?2 ORDER BY id";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map([self.tenant, kind], |row| json(row, "body"))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn put<T: Serialize + ?Sized>(&self, kind: &str, id: &str, body: &T) -> Result<(), Error> {
        let sql = "INSERT INTO content (tenant, kind, id, body) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (tenant, kind, id) DO UPDATE SET body = excluded.body";
        self.conn.execute(sql, params![self.tenant, kind, id, to_json(&body)?])?;
        Ok(())
    }

    fn remove(&self, kind: &str, id: &str) -> Result<bool, Error> {
        let sql = "DELETE FROM content WHERE tenant = ?1 AND kind = ?2 AND id = ?3";
        Ok(self.conn.execute(sql, [self.tenant, kind, id])? == 1)
    }
}
