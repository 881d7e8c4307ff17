//! The one place that speaks SQL.
//!
//! Two kinds of questions: those that find out who is asking (by the hash of a secret), as
//! functions on a connection; and all others, as methods of [`Scope`], which carries the tenant
//! into every query. A handler has no other way to the database.
//!
//! Promises: one transaction per request, committed with `synchronous=FULL` before the answer
//! goes out; one connection, so that nothing ever waits for a lock of the file.

mod assets;
mod content;
mod devices;
mod enrollments;
mod manifests;
mod migrate;
mod orders;
mod pairings;
mod records;
mod settings;
mod signing_keys;
mod tenants;
mod tokens;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior};

pub use devices::{NewDevice, device_key};
pub use enrollments::{Redeemed, enrolling};
pub use pairings::{Asked, NewPairing, ask, deny, start};
pub use records::{NewRecord, Screenshot};
pub use tenants::{create_tenant, operator, set_operator, set_quota, tenant_exists};
pub use tokens::{AccessRow, access, mark_used, refresh, remember_assertion};

use crate::error::Error;

/// Older releases can corrupt a write-ahead log that is reset while it is read.
const SQLITE_MIN: i32 = 3_051_003;

/// The database.
#[derive(Clone)]
pub struct Store {
    conn: Arc<Mutex<Connection>>,
}

/// One tenant's part of the database.
pub struct Scope<'c> {
    conn: &'c Connection,
    tenant: &'c str,
}

impl<'c> Scope<'c> {
    /// Narrows `conn` to `tenant`, whose id comes from a token, never from a request.
    pub fn new(conn: &'c Connection, tenant: &'c str) -> Self {
        Scope { conn, tenant }
    }

    /// Whose it is.
    pub fn tenant(&self) -> &'c str {
        self.tenant
    }
}

impl Store {
    /// Opens the database, makes it if there is none, upgrades it if it is older.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let found = rusqlite::version_number();
        if found < SQLITE_MIN {
            return Err(Error::Broken(format!("SQLite is {found}, want {SQLITE_MIN} or later")));
        }
        // Made here so that nobody else may read it; SQLite gives its log the same mode.
        let private = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        private.map_err(Error::io(format!("open {}", path.display())))?;
        let mut conn = Connection::open(path)?;
        conn.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
        )?;
        migrate::upgrade(&mut conn)?;
        Ok(Store { conn: Arc::new(Mutex::new(conn)) })
    }

    /// Does `work` in one transaction off the async threads: kept whole if it returns `Ok`,
    /// undone if it returns `Err`.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let conn = self.conn.clone();
        let task = move || {
            // A panic while the lock was held has rolled its transaction back already.
            let mut conn = conn.lock().unwrap_or_else(PoisonError::into_inner);
            let tx = Transaction::new(&mut conn, TransactionBehavior::Immediate)?;
            let done = work(&tx)?;
            tx.commit()?;
            Ok(done)
        };
        let ended = tokio::task::spawn_blocking(task).await;
        ended.unwrap_or_else(|error| Err(Error::Broken(format!("database task: {error}"))))
    }

    /// [`Store::run`] for one tenant.
    pub async fn scoped<T: Send + 'static>(
        &self,
        tenant: &str,
        work: impl FnOnce(&Scope) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let tenant = tenant.to_owned();
        self.run(move |conn| work(&Scope::new(conn, &tenant))).await
    }
}

/// Reads a column of milliseconds.
fn time(row: &Row, column: &str) -> rusqlite::Result<Timestamp> {
    let ms: i64 = row.get(column)?;
    Timestamp::from_millisecond(ms).map_err(unreadable)
}

/// [`time`] of a column that may be NULL.
fn time_or_none(row: &Row, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    let ms: Option<i64> = row.get(column)?;
    ms.map(|ms| Timestamp::from_millisecond(ms).map_err(unreadable)).transpose()
}

/// Reads a column of JSON.
fn json<T: serde::de::DeserializeOwned>(row: &Row, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(unreadable)
}

/// Writes a column of JSON.
fn to_json<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error::Broken(format!("write JSON: {e}")))
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    let kind = rusqlite::types::Type::Text;
    rusqlite::Error::FromSqlConversionFailure(0, kind, Box::new(error))
}
