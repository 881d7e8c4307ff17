//! Signing keys of tenants and the admin token: files in the data directory, readable by nobody
//! else.
//!
//! Keys of a tenant are numbered from 1. Each is made once, before the database knows of it, and never
//! replaced: devices pinned it. Which one signs is the database's to say.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use vitrine_wire::auth::{key_from_der, key_to_der};

use crate::error::Error;
use crate::secret;
use crate::world::World;

/// File with the admin token, in the data directory.
pub const ADMIN_FILE: &str = "admin.token";

/// The directory of the signing keys.
#[derive(Debug, Clone)]
pub struct Keys {
    dir: PathBuf,
}

impl Keys {
    /// Keys under `dir`, which exists.
    pub fn new(dir: PathBuf) -> Self {
        Keys { dir }
    }

    /// Makes a key of a tenant, or reads the one that is there from a try that was cut short.
    pub fn make(&self, tenant: &str, number: u64, world: &World) -> Result<SigningKey, Error> {
        let key = SigningKey::from_bytes(&world.random());
        let der = key_to_der(&key).map_err(|e| Error::Broken(e.to_string()))?;
        let new = write_new(&self.path(tenant, number), &der)?;
        if new { Ok(key) } else { self.read(tenant, number) }
    }

    /// Reads a key of a tenant.
    pub fn read(&self, tenant: &str, number: u64) -> Result<SigningKey, Error> {
        let path = self.path(tenant, number);
        let der = fs::read(&path).map_err(Error::io(format!("read {}", path.display())))?;
        key_from_der(&der).map_err(|e| Error::Broken(format!("{}: {e}", path.display())))
    }

    /// No tenant has a dot in its name.
    fn path(&self, tenant: &str, number: u64) -> PathBuf {
        self.dir.join(match number {
            1 => format!("{tenant}.key"),
            _ => format!("{tenant}.{number}.key"),
        })
    }
}

/// Reads the admin token of the cloud in `data`, made at its first start.
pub fn admin_token(data: &Path, world: &World) -> Result<String, Error> {
    let path = data.join(ADMIN_FILE);
    write_new(&path, format!("{}\n", secret::token(world.random())).as_bytes())?;
    read_admin_token(data)
}

/// Reads the admin token of the cloud in `data`.
pub fn read_admin_token(data: &Path) -> Result<String, Error> {
    let path = data.join(ADMIN_FILE);
    let text = fs::read_to_string(&path).map_err(Error::io(format!("read {}", path.display())))?;
    match text.trim() {
        "" => Err(Error::Broken(format!("{}: is empty; delete it for a new one", path.display()))),
        token => Ok(token.to_owned()),
    }
}

/// Writes a file that nobody else may read, whole and durable, unless there is one. False then.
fn write_new(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    if path.exists() {
        return Ok(false);
    }
    let failed = |e| Error::io(format!("write {}", path.display()))(e);
    let part = path.with_extension("part");
    let write = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    };
    write().map_err(failed)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::new(dir.path().into());
        let made = keys.make("acme", 1, &World::real()).unwrap();
        let again = keys.make("acme", 1, &World::real()).unwrap();
        assert_eq!((made.to_bytes(), keys.read("acme", 1).unwrap().to_bytes()), {
            (again.to_bytes(), again.to_bytes())
        });
        let second = keys.make("acme", 2, &World::real()).unwrap();
        assert_ne!(second.to_bytes(), made.to_bytes());
        assert_eq!(keys.read("acme", 2).unwrap().to_bytes(), second.to_bytes());
        let mode = fs::metadata(dir.path().join("acme.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(keys.read("other", 1).is_err());
    }

    #[test]
    fn the_admin_token_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let first = admin_token(dir.path(), &World::real()).unwrap();
        assert_eq!(admin_token(dir.path(), &World::real()).unwrap(), first);
        assert_eq!(read_admin_token(dir.path()).unwrap(), first);
    }
}
