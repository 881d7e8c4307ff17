//! What lies on a player's disk, read without the player, and whether that is as promised.
//!
//! The promises: a file under its final name has the digest that it is named after; the generation
//! that is live is whole; versions never go down; the device's key is never replaced; what is in the
//! outbox stays there until the cloud has it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::Connection;
use vitrine_wire::Digest;
use vitrine_wire::envelope::Envelope;
use vitrine_wire::manifest::Manifest;

/// What lies in a state directory of a player that does not run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disk {
    /// The device's key.
    pub key: Option<Vec<u8>>,
    /// Whose device it is.
    pub account: Option<Vec<u8>>,
    /// Version of the generation in force, 0 for none.
    pub live: u64,
    /// The files that it names.
    pub needs: BTreeSet<Digest>,
    /// The highest version ever kept.
    pub highest: u64,
    /// Ids of records that wait for the cloud.
    pub outbox: BTreeSet<String>,
    /// Files of the cache.
    pub files: BTreeSet<Digest>,
}

impl Disk {
    /// Reads a state directory; what is not there yet counts as empty.
    ///
    /// # Errors
    ///
    /// Something is there that a crash may never leave behind.
    pub fn read(state: &Path) -> Result<Disk, String> {
        let mut disk = Disk {
            key: there(fs::read(state.join("device.key")))?,
            account: there(fs::read(state.join("account.json")))?,
            files: files(&state.join("assets"))?,
            ..Disk::default()
        };
        if there(fs::metadata(state.join("store.db")))?.is_some() {
            disk.read_store(state)?;
        }
        Ok(disk)
    }

    fn read_store(&mut self, state: &Path) -> Result<(), String> {
        // Of a copy: reading a database with a log changes it.
        let copy = tempfile::tempdir().map_err(text)?;
        for name in ["store.db", "store.db-wal"] {
            there(fs::copy(state.join(name), copy.path().join(name)))?;
        }
        let store = Connection::open(copy.path().join("store.db")).map_err(text)?;
        let tables: u64 = one(&store, "SELECT count(*) FROM sqlite_schema WHERE name = 'fact'")?;
        if tables == 0 {
            // Killed before the one transaction that makes it.
            return Ok(());
        }
        self.highest = one(&store, "SELECT highest_version FROM fact")?;
        let live = "SELECT version, bytes FROM generation JOIN envelope USING (version)
                    WHERE turn IS NOT NULL ORDER BY turn DESC LIMIT 1";
        let live = all(&store, live, |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        if let Some((version, envelope)) = live.into_iter().next() {
            self.live = version;
            self.needs = needs(&envelope)?;
        }
        let waiting = "SELECT id FROM record WHERE refused = 0";
        self.outbox = all(&store, waiting, |row| row.get(0))?.into_iter().collect();
        Ok(())
    }

    /// Compares with what was there `before`. `said_live`: the highest version that the player
    /// called live meanwhile.
    ///
    /// # Errors
    ///
    /// A promise is broken.
    pub fn keeps_promises(&self, before: &Disk, said_live: u64) -> Result<(), String> {
        let demand = |holds: bool, what: String| if holds { Ok(()) } else { Err(what) };
        let live = before.live.max(said_live);
        demand(self.live >= live, format!("live is {}, was {live}", self.live))?;
        let (now, then) = (self.highest, before.highest);
        demand(now >= then, format!("the highest version is {now}, was {then}"))?;
        let lacking = self.needs.difference(&self.files).next();
        demand(lacking.is_none(), format!("{} is live without {lacking:?}", self.live))?;
        let key = before.key.is_none() || self.key == before.key;
        demand(key, "the device's key was replaced".into())?;
        let account = before.account.is_none() || self.account == before.account;
        demand(account, "the account was changed".into())
    }
}

/// The files that the manifest in an envelope names.
fn needs(envelope: &[u8]) -> Result<BTreeSet<Digest>, String> {
    let envelope: Envelope = serde_json::from_slice(envelope).map_err(text)?;
    let payload = STANDARD.decode(envelope.payload).map_err(text)?;
    let manifest: Manifest = serde_json::from_slice(&payload).map_err(text)?;
    Ok(manifest.assets.into_iter().map(|asset| asset.sha256).collect())
}

/// Every file under its final name, each proved.
fn files(assets: &Path) -> Result<BTreeSet<Digest>, String> {
    let mut found = BTreeSet::new();
    for dir in list(assets)?.into_iter().filter(|dir| dir.is_dir() && !dir.ends_with("parts")) {
        for file in list(&dir)? {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let digest: Digest = name.parse().map_err(text)?;
            let is = Digest::of(&fs::read(&file).map_err(text)?);
            if is != digest {
                return Err(format!("the file {digest} has the digest {is}"));
            }
            found.insert(digest);
        }
    }
    Ok(found)
}

fn list(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = there(fs::read_dir(dir))?.into_iter().flatten();
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(text)).collect()
}

fn one(store: &Connection, sql: &str) -> Result<u64, String> {
    store.query_row(sql, (), |row| row.get(0)).map_err(text)
}

fn all<T>(
    store: &Connection,
    sql: &str,
    read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, String> {
    let rows = || -> rusqlite::Result<Vec<T>> {
        store.prepare(sql)?.query_map((), |row| read(row))?.collect()
    };
    rows().map_err(text)
}

fn there<T>(result: io::Result<T>) -> Result<Option<T>, String> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
