//! Who this device is: its key, and the account that the key belongs to.
//!
//! In:  the state directory; randomness for the first start.
//! Out: the device key, the [`Account`].
//!
//! Promises, each held by a test of the same name:
//! - `a_key_is_made_once_and_then_only_read`;
//! - `a_key_that_cannot_be_used_is_never_replaced`: the cloud knows the device by it, so a new one
//!   is a new device, and that is for a person to decide;
//! - `the_account_survives_the_disk`.
//!
//! Not here: pairing and tokens (`session`), signing (`wire::auth`).

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use vitrine_wire::auth::{key_from_der, key_to_der};

use crate::durable;

/// Both files are a few hundred bytes; whatever is longer is something else.
const FILE_BYTES: u64 = 16 << 10;

/// Why the device does not know who it is. The texts say what a person can do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// The file system said no.
    #[error("{path}: {action}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The key file holds no key.
    #[error(
        "{path}: no device key in it: {found}; want PKCS #8 DER with an Ed25519 key; it is left as \
         it is: restore it from a copy, or move it and account.json away and pair this device anew",
        path = path.display()
    )]
    Key {
        /// The key file.
        path: PathBuf,
        /// What is in it instead.
        found: String,
    },
    /// There is an account but not the key that it belongs to.
    #[error(
        "{key}: missing, although {account} says that this device is paired; no new key is made: \
         restore it from a copy, or move account.json away and pair this device anew",
        key = key.display(), account = account.display()
    )]
    KeyLost {
        /// The key file.
        key: PathBuf,
        /// The account file.
        account: PathBuf,
    },
    /// The account file cannot be read.
    #[error(
        "{path}: not an account: {found}; restore it from a copy, or move it away and pair this \
         device anew",
        path = path.display()
    )]
    Account {
        /// The account file.
        path: PathBuf,
        /// What is in it instead.
        found: String,
    },
    /// The cloud sent a tenant key that is none.
    #[error("tenant key {found:?}: want an Ed25519 public key, 32 bytes in standard base64")]
    TenantKey {
        /// What it sent.
        found: String,
    },
}

/// Reads the device key; at the very first start makes it from `seed`, 32 fresh random bytes. The
/// state directory must be there.
///
/// # Errors
///
/// A key that is there but cannot be used, or is missing although there is an account. Neither is
/// mended by a new key.
pub(crate) fn device_key(state_dir: &Path, seed: [u8; 32]) -> Result<SigningKey, IdentityError> {
    let path = state_dir.join("device.key");
    let account = state_dir.join("account.json");
    match read(&path)? {
        Some(der) => {
            keep_to_ourselves(&path)?;
            parse_key(&der, path)
        }
        None if account.exists() => Err(IdentityError::KeyLost { key: path, account }),
        None => make_key(path, seed),
    }
}

fn parse_key(der: &[u8], path: PathBuf) -> Result<SigningKey, IdentityError> {
    key_from_der(der).map_err(|error| {
        let found = format!("{} bytes, {error}", der.len());
        IdentityError::Key { path, found }
    })
}

/// A key that came back from a copy may be open to others.
fn keep_to_ourselves(path: &Path) -> Result<(), IdentityError> {
    let about = fs::metadata(path).map_err(failed("look at", path))?;
    if about.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "device key: others could read it; closed to them");
        let ours = Permissions::from_mode(0o400);
        fs::set_permissions(path, ours).map_err(failed("close to others", path))?;
    }
    Ok(())
}

fn make_key(path: PathBuf, seed: [u8; 32]) -> Result<SigningKey, IdentityError> {
    let key = SigningKey::from_bytes(&seed);
    let der = key_to_der(&key)
        .map_err(|error| IdentityError::Key { path: path.clone(), found: error.to_string() })?;
    // Fails if somebody else made one since: theirs stays.
    durable::create(&path, &der, 0o400).map_err(failed("make the device key", &path))?;
    Ok(key)
}

/// Whose device this is, as agreed at pairing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// Base URL of the cloud that it was paired with.
    pub(crate) cloud_url: String,
    /// Tenant id.
    pub(crate) tenant: String,
    /// Device id.
    pub(crate) device: String,
    /// The tenant's public key, pinned: what it did not sign is not believed.
    pub(crate) tenant_key: VerifyingKey,
    /// The one before it: what is on the disk since then is still believed, nothing that comes.
    pub(crate) former_key: Option<VerifyingKey>,
}

/// [`Account`] as it lies on disk. Fields of later releases are passed over: a release that goes back
/// must still know whose device it is.
#[derive(Serialize, Deserialize)]
struct AccountFile {
    cloud_url: String,
    tenant: String,
    device: String,
    tenant_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    former_key: Option<String>,
}

impl Account {
    /// Reads the account. None: this device is not paired.
    pub(crate) fn load(state_dir: &Path) -> Result<Option<Account>, IdentityError> {
        Account::read(account_path(state_dir))
    }

    /// Reads the account that this device is being handed over to. None: it is not.
    pub(crate) fn load_next(state_dir: &Path) -> Result<Option<Account>, IdentityError> {
        Account::read(next_path(state_dir))
    }

    /// Notes that the device is to be this account's, before anything of the one before goes.
    pub(crate) fn save_next(&self, state_dir: &Path) -> Result<(), IdentityError> {
        self.write(next_path(state_dir))
    }

    /// Notes that nothing of the one before is left.
    pub(crate) fn forget_next(state_dir: &Path) -> Result<(), IdentityError> {
        let path = next_path(state_dir);
        durable::remove(&path).map_err(failed("remove", &path))
    }

    fn read(path: PathBuf) -> Result<Option<Account>, IdentityError> {
        let Some(bytes) = self::read(&path)? else { return Ok(None) };
        let wrong = |found: String| IdentityError::Account { path: path.clone(), found };
        let file: AccountFile =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        let key = |text: &str| parse_tenant_key(text).map_err(|error| wrong(error.to_string()));
        let tenant_key = key(&file.tenant_key)?;
        let former_key = file.former_key.as_deref().map(key).transpose()?;
        let AccountFile { cloud_url, tenant, device, .. } = file;
        Ok(Some(Account { cloud_url, tenant, device, tenant_key, former_key }))
    }

    /// Keeps the account durably, replacing the earlier one.
    pub(crate) fn save(&self, state_dir: &Path) -> Result<(), IdentityError> {
        self.write(account_path(state_dir))
    }

    fn write(&self, path: PathBuf) -> Result<(), IdentityError> {
        let file = AccountFile {
            cloud_url: self.cloud_url.clone(),
            tenant: self.tenant.clone(),
            device: self.device.clone(),
            tenant_key: STANDARD.encode(self.tenant_key.as_bytes()),
            former_key: self.former_key.map(|key| STANDARD.encode(key.as_bytes())),
        };
        let text = serde_json::to_vec_pretty(&file).map_err(|error| IdentityError::Account {
            path: path.clone(),
            found: error.to_string(),
        })?;
        durable::write(&path, &text, 0o600).map_err(failed("keep the account", &path))
    }
}

/// Reads a tenant's public key as the cloud sends it: 32 bytes in standard base64.
///
/// # Errors
///
/// Not base64, not 32 bytes, no point of the curve, or one that would let any signature pass.
pub(crate) fn parse_tenant_key(text: &str) -> Result<VerifyingKey, IdentityError> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes
        .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
        .filter(|key| !key.is_weak())
        .ok_or_else(|| IdentityError::TenantKey { found: text.chars().take(80).collect() })
}

fn account_path(state_dir: &Path) -> PathBuf {
    state_dir.join("account.json")
}

fn next_path(state_dir: &Path) -> PathBuf {
    state_dir.join("account.next.json")
}

/// Reads a small file; None if there is none.
fn read(path: &Path) -> Result<Option<Vec<u8>>, IdentityError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES).read_to_end(&mut bytes).map_err(failed("read", path))?;
    Ok(Some(bytes))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IdentityError {
    let path = path.to_owned();
    move |source| IdentityError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account {
            cloud_url: "https://cloud.example".into(),
            tenant: "acme".into(),
            device: "d1".into(),
            tenant_key: SigningKey::from_bytes(&[7; 32]).verifying_key(),
            former_key: None,
        }
    }

    fn put(path: &Path, bytes: &[u8]) {
        durable::write(path, bytes, 0o600).unwrap();
    }

    #[test]
    fn a_key_is_made_once_and_then_only_read() {
        let dir = tempfile::tempdir().unwrap();
        let made = device_key(dir.path(), [1; 32]).unwrap();
        let read = device_key(dir.path(), [2; 32]).unwrap();
        assert_eq!(made.to_bytes(), [1; 32]);
        assert_eq!(read.to_bytes(), made.to_bytes());
        let mode = fs::metadata(dir.path().join("device.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o400);
    }

    #[test]
    fn a_key_that_cannot_be_used_is_never_replaced() {
        let good = key_to_der(&SigningKey::from_bytes(&[3; 32])).unwrap();
        let longer = [&good[..], &[0]].concat();
        for (case, bytes) in [
            ("empty", &b""[..]),
            ("garbage", &[0xff; 48]),
            ("bare seed", &[3; 32]),
            ("one byte short", &good[..good.len() - 1]),
            ("one byte long", &longer),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("device.key");
            put(&path, bytes);
            let error = device_key(dir.path(), [1; 32]).unwrap_err().to_string();
            assert!(error.contains("pair this device anew"), "case {case:?}: {error}");
            assert_eq!(fs::read(&path).unwrap(), bytes, "case {case:?}: the file changed");
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_closed_to_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("device.key");
        device_key(dir.path(), [1; 32]).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(device_key(dir.path(), [2; 32]).unwrap().to_bytes(), [1; 32]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
    }

    #[test]
    fn a_path_that_cannot_be_read_is_an_error_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("device.key")).unwrap();
        assert!(device_key(dir.path(), [1; 32]).is_err());
        assert!(dir.path().join("device.key").is_dir());
    }

    #[test]
    fn a_paired_device_without_its_key_gets_no_new_one() {
        let dir = tempfile::tempdir().unwrap();
        account().save(dir.path()).unwrap();
        let error = device_key(dir.path(), [1; 32]).unwrap_err();
        assert!(matches!(error, IdentityError::KeyLost { .. }), "{error}");
        assert!(!dir.path().join("device.key").exists());
    }

    #[test]
    fn the_account_survives_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Account::load(dir.path()).unwrap(), None);
        account().save(dir.path()).unwrap();
        assert_eq!(Account::load(dir.path()).unwrap(), Some(account()));
        let former_key = Some(SigningKey::from_bytes(&[8; 32]).verifying_key());
        let rotated = Account { former_key, ..account() };
        rotated.save(dir.path()).unwrap();
        assert_eq!(Account::load(dir.path()).unwrap(), Some(rotated));
        let mode = fs::metadata(account_path(dir.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_account_that_cannot_be_read_is_an_error_not_an_unpaired_device() {
        let weak = STANDARD.encode([0; 32]);
        let with_key = |key: &str| {
            format!(r#"{{"cloud_url":"u","tenant":"t","device":"d","tenant_key":"{key}"}}"#)
        };
        for (case, text) in [
            ("empty", String::new()),
            ("no object", "[]".into()),
            ("field missing", r#"{"tenant":"t"}"#.into()),
            ("key of wrong length", with_key("AAAA")),
            ("key that anybody can sign for", with_key(&weak)),
        ] {
            let dir = tempfile::tempdir().unwrap();
            put(&account_path(dir.path()), text.as_bytes());
            assert!(Account::load(dir.path()).is_err(), "case {case:?}");
        }
    }
}
