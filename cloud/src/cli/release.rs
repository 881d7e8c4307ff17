//! `vitrine-cloud release …`: the index is changed and signed here, where the key is, and handed to
//! the cloud as it is to reach the devices.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ed25519_dalek::SigningKey;
use jiff::SignedDuration;
use reqwest::StatusCode;
use semver::Version;
use serde_json::json;
use vitrine_cloud::client::{Client, ClientError};
use vitrine_cloud::world::World;
use vitrine_wire::auth::{key_from_der, key_to_der};
use vitrine_wire::release::{self, Index, Release as Entry, key_text};

use super::operate::{Answer, told};
use super::{Release, Signing, show};

/// Makes the key in a file of its own; what is there already is never replaced.
pub fn make_key(path: &Path) -> Result<Answer, String> {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let key = SigningKey::from_bytes(&World::real().random());
    let der = key_to_der(&key).map_err(|e| failed(&e))?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(|e| failed(&e))?;
    file.write_all(&der).and_then(|()| file.sync_all()).map_err(|e| failed(&e))?;
    let public = key_text(&key.verifying_key());
    Answer::new(format!("update.key = {public:?}"), &json!({ "key": public }))
}

/// Does one command on the index.
pub async fn release(command: Release, client: &Client) -> Result<Answer, String> {
    match command {
        Release::Key { file } => make_key(&file),
        Release::List => match current(client).await? {
            Some(index) => Answer::new(show::releases(&index), &index),
            None => Answer::new("no release yet", &json!({ "releases": [] })),
        },
        Release::Add { version, file, arch, rollout, min_package, signing } => {
            let arch = arch.map_or_else(|| arch_of(&file), Ok)?;
            let here = client.upload_release(&file).await.map_err(told)?;
            let entry = Entry {
                version,
                arch,
                sha256: here.sha256,
                size_bytes: here.size_bytes,
                min_package,
                rollout_percent: rollout,
            };
            change(client, &signing, move |index| {
                index
                    .releases
                    .retain(|old| (&old.version, &old.arch) != (&entry.version, &entry.arch));
                index.releases.push(entry);
                Ok(())
            })
            .await
        }
        Release::Rollout { version, percent, signing } => {
            change(client, &signing, move |index| {
                let named = index.releases.iter_mut().filter(|entry| entry.version == version);
                let changed = named.map(|entry| entry.rollout_percent = percent).count();
                if changed > 0 { Ok(()) } else { Err(unknown(&version)) }
            })
            .await
        }
        Release::Remove { version, signing } => {
            change(client, &signing, move |index| {
                let before = index.releases.len();
                index.releases.retain(|entry| entry.version != version);
                if index.releases.len() < before { Ok(()) } else { Err(unknown(&version)) }
            })
            .await
        }
    }
}

/// Lets `edit` at the index, signs it as the next version and hands it over.
async fn change(
    client: &Client,
    signing: &Signing,
    edit: impl FnOnce(&mut Index) -> Result<(), String>,
) -> Result<Answer, String> {
    let key = read_key(&signing.key)?;
    let now = World::real().now();
    let none = Index { version: 0, issued_at: now, not_after: None, releases: Vec::new() };
    let mut index = current(client).await?.unwrap_or(none);
    edit(&mut index)?;
    (index.version, index.issued_at) = (index.version + 1, now);
    index.not_after =
        now.checked_add(SignedDuration::from_hours(24 * i64::from(signing.valid_days))).ok();
    let signed = release::seal(&index, &[&key]).map_err(|e| e.to_string())?;
    client.put_releases(signed).await.map_err(told)?;
    Answer::new(show::releases(&index), &index)
}

/// What the cloud has; unproved, because whoever has the admin token could replace it anyway.
async fn current(client: &Client) -> Result<Option<Index>, String> {
    match client.releases().await {
        Ok(signed) => release::read_unproved(&signed).map(Some).map_err(|e| e.to_string()),
        Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
        Err(error) => Err(told(error)),
    }
}

fn read_key(path: &Path) -> Result<SigningKey, String> {
    let der = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    key_from_der(&der).map_err(|e| format!("{}: {e}", path.display()))
}

fn unknown(version: &Version) -> String {
    format!("the index has no release {version}")
}

/// The kind of machine that an ELF file is for: `e_machine`, two bytes at 18, of the ELF header.
fn arch_of(path: &Path) -> Result<String, String> {
    let mut head = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.map_err(|e| format!("{}: {e}", path.display()))?;
    match (&head[..4], u16::from_le_bytes([head[18], head[19]])) {
        (b"\x7fELF", 62) => Ok("x86_64".into()),
        (b"\x7fELF", 183) => Ok("aarch64".into()),
        _ => Err(format!(
            "{}: is no program for x86_64 or aarch64; --arch says what it is for",
            path.display()
        )),
    }
}
