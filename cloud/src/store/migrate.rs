//! One step per version, each in one transaction, upwards only.

use rusqlite::Connection;

use crate::error::Error;

/// Step `n` brings a database of version `n` to `n + 1`; a step that is out is never edited.
const STEPS: [&str; 6] = [
    include_str!("schema.sql"),
    include_str!("step_2.sql"),
    include_str!("step_3.sql"),
    include_str!("step_4.sql"),
    include_str!("step_5.sql"),
    include_str!("step_6.sql"),
];

/// Brings the database to the newest version; refuses one that is newer than this program.
pub fn upgrade(conn: &mut Connection) -> Result<(), Error> {
    let found: usize = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let newest = STEPS.len();
    let Some(steps) = STEPS.get(found..) else {
        let text = format!("database is of version {found}, this program knows up to {newest}");
        return Err(Error::Broken(text));
    };
    for (version, step) in (found + 1..).zip(steps) {
        let tx = conn.transaction()?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "user_version", version)?;
        tx.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upgrading_twice_changes_nothing() {
        let mut conn = Connection::open_in_memory().unwrap();
        upgrade(&mut conn).unwrap();
        let one = "INSERT INTO tenant (id, operator_hash, public_key, made_at)
            VALUES ('a', x'00', x'00', 0)";
        conn.execute_batch(one).unwrap();
        upgrade(&mut conn).unwrap();
        let tenants: u32 = conn.query_one("SELECT count(*) FROM tenant", [], |r| r.get(0)).unwrap();
        assert_eq!(tenants, 1);
    }

    #[test]
    fn a_newer_database_is_refused() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        let error = upgrade(&mut conn).unwrap_err().to_string();
        assert!(error.contains("version 99"), "{error}");
    }
}
