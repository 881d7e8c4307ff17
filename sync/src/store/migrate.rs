//! From any earlier schema to the one of this release.
//!
//! In:  an open database.
//! Out: the same with today's schema, or why not.
//!
//! Promises: each step is one transaction together with its number, so a cut leaves the schema
//! before it or after it; there is no way back, a newer schema than ours is refused.
//!
//! Not here: what becomes of a refused database (`open`).

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::StoreError;
use super::error::sql_failed;

/// Today's schema, whole.
const SCHEMA: &str = include_str!("schema.sql");

/// The schema of the first release; [`STEPS`] lead on from it.
const FIRST: i64 = 1;

/// One step: SQL that leads from one version to the next.
type Step = &'static str;

/// The step at place `n` leads from version `FIRST + n` to the next.
const STEPS: &[Step] = &[
    "ALTER TABLE record ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;",
    "ALTER TABLE fact ADD COLUMN orders_version INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE fact ADD COLUMN orders_unknown INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE fact ADD COLUMN turned_down BLOB;",
    "CREATE TABLE setting (key TEXT NOT NULL, afar INTEGER NOT NULL, value TEXT NOT NULL,
         at_us INTEGER NOT NULL, by TEXT NOT NULL, PRIMARY KEY (key, afar)) STRICT;
     ALTER TABLE fact ADD COLUMN settings_known INTEGER NOT NULL DEFAULT 0;",
    "CREATE TABLE envelope (version INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
     INSERT INTO envelope SELECT version, envelope FROM generation;
     ALTER TABLE generation DROP COLUMN envelope;
     CREATE TRIGGER generation_goes AFTER DELETE ON generation BEGIN
         DELETE FROM envelope WHERE version = OLD.version;
     END;",
];

/// Brings the schema up to date, making it if the database is empty.
pub(super) fn migrate(db: &mut Connection) -> Result<(), StoreError> {
    advance(db, SCHEMA, STEPS)
}

/// [`migrate`] to the schema that `steps` end with, which `whole` spells out.
fn advance(db: &mut Connection, whole: &str, steps: &[Step]) -> Result<(), StoreError> {
    let newest = FIRST + steps.len() as i64;
    let found: i64 = db
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(sql_failed("read the schema's version"))?;
    let tables: i64 = db
        .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
        .map_err(sql_failed("read the schema"))?;
    match found {
        0 if tables == 0 => return step(db, whole, newest),
        0 => return Err(broken("tables without a schema version; they are not ours".into())),
        found if found > newest => {
            let text = format!("schema version {found}, this release knows up to {newest}");
            return Err(broken(text));
        }
        _ => {}
    }
    for (sql, to) in steps.iter().zip(FIRST + 1..) {
        if to > found {
            step(db, sql, to)?;
        }
    }
    Ok(())
}

fn step(db: &mut Connection, sql: &str, to: i64) -> Result<(), StoreError> {
    let failed = || sql_failed("upgrade the schema");
    let all = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed())?;
    run(&all, sql, to).map_err(failed())?;
    all.commit().map_err(failed())
}

fn run(all: &Transaction<'_>, sql: &str, to: i64) -> rusqlite::Result<()> {
    all.execute_batch(sql)?;
    all.pragma_update(None, "user_version", to)
}

fn broken(found: String) -> StoreError {
    StoreError::Broken { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "CREATE TABLE a (x INTEGER) STRICT;";
    const AFTER: &str = "CREATE TABLE a (x INTEGER, y INTEGER) STRICT; CREATE TABLE b (z) ;";
    const LEAD: &[Step] = &["ALTER TABLE a ADD COLUMN y INTEGER;", "CREATE TABLE b (z);"];

    fn empty() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    /// Tables with their columns.
    fn shape(db: &Connection) -> Vec<String> {
        let sql = "SELECT m.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\"
                   FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'
                   ORDER BY 1";
        let mut query = db.prepare(sql).unwrap();
        query.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn the_steps_lead_to_the_whole_schema() {
        let (mut made, mut led) = (empty(), empty());
        advance(&mut made, AFTER, LEAD).unwrap();
        advance(&mut led, BEFORE, &[]).unwrap();
        led.execute("INSERT INTO a VALUES (7)", ()).unwrap();
        advance(&mut led, AFTER, LEAD).unwrap();
        assert_eq!(shape(&led), shape(&made));
        let kept: i64 = led.query_row("SELECT x FROM a", (), |row| row.get(0)).unwrap();
        assert_eq!(kept, 7);
        advance(&mut led, AFTER, LEAD).unwrap();
    }

    /// The schema of version [`FIRST`]. Never changes.
    const FIRST_SCHEMA: &str = "
        CREATE TABLE generation (
            version        INTEGER PRIMARY KEY,
            envelope       BLOB    NOT NULL,
            received_at_ms INTEGER NOT NULL,
            turn           INTEGER UNIQUE
        ) STRICT;
        CREATE TABLE record (
            seq       INTEGER PRIMARY KEY,
            id        TEXT    NOT NULL UNIQUE,
            droppable INTEGER NOT NULL,
            body      TEXT    NOT NULL
        ) STRICT;
        CREATE INDEX record_droppable ON record (seq) WHERE droppable = 1;
        CREATE TABLE begun (
            seq   INTEGER PRIMARY KEY,
            id    TEXT    NOT NULL UNIQUE,
            ended INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE TABLE fact (
            only            INTEGER PRIMARY KEY CHECK (only = 1),
            highest_version INTEGER NOT NULL,
            latest_time_ms  INTEGER
        ) STRICT;
        INSERT INTO fact (only, highest_version) VALUES (1, 0);";

    #[test]
    fn the_first_release_leads_to_this_one() {
        let mut first = empty();
        advance(&mut first, FIRST_SCHEMA, &[]).unwrap();
        first
            .execute_batch(
                "INSERT INTO record (id, droppable, body) VALUES ('a', 0, '{}');
                 INSERT INTO generation VALUES (7, x'0102', 5, 1);",
            )
            .unwrap();
        migrate(&mut first).unwrap();
        let mut today = empty();
        migrate(&mut today).unwrap();
        assert_eq!(shape(&first), shape(&today));
        let one = |sql: &str| -> i64 { first.query_row(sql, (), |row| row.get(0)).unwrap() };
        assert_eq!(one("SELECT refused FROM record"), 0);
        assert_eq!(one("SELECT version FROM envelope WHERE bytes = x'0102'"), 7);
        first.execute("DELETE FROM generation", ()).unwrap();
        let left = first.query_row("SELECT count(*) FROM envelope", (), |row| row.get(0));
        assert_eq!(left, Ok(0), "the bytes go with their generation");
    }

    #[test]
    fn a_step_that_fails_changes_nothing() {
        let mut db = empty();
        advance(&mut db, BEFORE, &[]).unwrap();
        let before = shape(&db);
        let half = "ALTER TABLE a ADD COLUMN y INTEGER; CREATE TABLE a (x);";
        assert!(advance(&mut db, AFTER, &[half]).is_err());
        assert_eq!(shape(&db), before);
        let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, FIRST);
    }

    #[test]
    fn what_is_newer_or_not_ours_is_refused() {
        let mut newer = empty();
        advance(&mut newer, AFTER, LEAD).unwrap();
        newer.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(migrate(&mut newer), Err(StoreError::Broken { .. })));
        let mut foreign = empty();
        foreign.execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(matches!(migrate(&mut foreign), Err(StoreError::Broken { .. })));
    }
}
