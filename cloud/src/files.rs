//! Bytes of assets and screenshots: one directory per tenant, nothing shared between them.
//!
//! Promise: a file under its final name is whole. Bytes are hashed while they flow into
//! `incoming/`, synced, renamed, and the directory is synced.

use std::fs::File as StdFile;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::BodyDataStream;
use axum::http::StatusCode;
use futures_util::StreamExt;
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt, BufWriter};
use vitrine_wire::Digest;
use vitrine_wire::digest::Hasher;

use crate::error::Error;
use crate::limits;

/// Bytes gathered before a write reaches the disk.
const WRITE_BYTES: usize = 256 << 10;

/// Where files lie.
#[derive(Debug, Clone)]
pub struct Files {
    incoming: PathBuf,
    tenants: PathBuf,
    releases: PathBuf,
}

/// A file that has arrived whole and lies under a name of its own; deleted unless it is placed.
#[derive(Debug)]
pub struct Received {
    part: PathBuf,
    placed: bool,
    /// Of all bytes.
    pub digest: Digest,
    /// Their number.
    pub size_bytes: u64,
    /// The first of them.
    pub head: Vec<u8>,
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.placed {
            // The next start clears what is left here.
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

impl Files {
    /// Files under `data`; what an earlier run left half-received is cleared away.
    pub fn open(data: &Path) -> Result<Self, Error> {
        let (incoming, tenants) = (data.join("incoming"), data.join("tenants"));
        let files = Files { incoming, tenants, releases: data.join("releases") };
        if files.incoming.exists() {
            let failed = Error::io(format!("clear {}", files.incoming.display()));
            std::fs::remove_dir_all(&files.incoming).map_err(failed)?;
        }
        private_dir(&files.incoming)?;
        private_dir(&files.tenants)?;
        private_dir(&files.releases)?;
        Ok(files)
    }

    /// Where an asset of a tenant lies.
    pub fn asset(&self, tenant: &str, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.tenants.join(tenant).join("assets").join(&name[..2]).join(name)
    }

    /// Where the last screenshot of a device lies.
    pub fn screenshot(&self, tenant: &str, device: &str) -> PathBuf {
        self.tenants.join(tenant).join("screenshots").join(device)
    }

    /// Where a release of the player lies: every tenant's devices may have it.
    pub fn release(&self, digest: &Digest) -> PathBuf {
        self.releases.join(digest.to_string())
    }

    /// Where the release index lies.
    pub fn release_index(&self) -> PathBuf {
        self.releases.join("index.json")
    }

    /// Takes in a body of at most `most_bytes`; `name` is fresh.
    pub async fn receive(
        &self,
        body: BodyDataStream,
        name: &str,
        most_bytes: u64,
    ) -> Result<Received, Error> {
        let part = self.incoming.join(name);
        let failed = || Error::io(format!("write {}", part.display()));
        let file = File::create_new(&part).await.map_err(failed())?;
        let (digest, size_bytes, head) = (Digest([0; 32]), 0, Vec::new());
        let mut received = Received { part: part.clone(), placed: false, digest, size_bytes, head };
        let file = received.fill(file, body, most_bytes).await?;
        file.sync_all().await.map_err(failed())?;
        Ok(received)
    }
}

impl Received {
    async fn fill(
        &mut self,
        file: File,
        mut body: BodyDataStream,
        most_bytes: u64,
    ) -> Result<File, Error> {
        let mut file = BufWriter::with_capacity(WRITE_BYTES, file);
        let mut hasher = Hasher::default();
        while let Some(chunk) = next(&mut body).await? {
            self.size_bytes += chunk.len() as u64;
            if self.size_bytes > most_bytes {
                return Err(too_long(most_bytes));
            }
            hasher.update(&chunk);
            let room = limits::HEAD_BYTES - self.head.len();
            self.head.extend_from_slice(&chunk[..room.min(chunk.len())]);
            let failed = Error::io(format!("write {}", self.part.display()));
            file.write_all(&chunk).await.map_err(failed)?;
        }
        self.digest = hasher.digest();
        file.flush().await.map_err(Error::io(format!("write {}", self.part.display())))?;
        Ok(file.into_inner())
    }

    /// Moves the file to its final name, durably.
    pub async fn place(mut self, path: &Path) -> Result<(), Error> {
        let failed = || Error::io(format!("place {}", path.display()));
        let dir = path.parent().unwrap_or(path).to_owned();
        let making = dir.clone();
        let made = tokio::task::spawn_blocking(move || private_dir(&making)).await;
        made.map_err(|e| Error::Broken(format!("file task: {e}")))??;
        fs::rename(&self.part, path).await.map_err(failed())?;
        self.placed = true;
        let dir = File::open(dir).await.map_err(failed())?;
        dir.sync_all().await.map_err(failed())
    }
}

/// The next bytes of a body; a sender that stalls is given up.
async fn next(body: &mut BodyDataStream) -> Result<Option<bytes::Bytes>, Error> {
    let patience = Duration::from_secs(limits::STALL_WITHIN_S);
    let chunk = tokio::time::timeout(patience, body.next()).await;
    let late = |_| {
        let text = format!("no byte for {} s", limits::STALL_WITHIN_S);
        Error::refused(StatusCode::REQUEST_TIMEOUT, "too_slow", text)
    };
    let broken = |e| Error::bad(format!("the body broke off: {e}"));
    chunk.map_err(late)?.transpose().map_err(broken)
}

/// The refusal of a body that is too long.
pub fn too_long(most_bytes: u64) -> Error {
    let text = format!("the body is longer than {most_bytes} bytes");
    Error::refused(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text)
}

/// Makes a directory, and those above it, that nobody else may look into, durably.
pub fn private_dir(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    let failed = || Error::io(format!("make {}", path.display()));
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path).map_err(failed())?;
    let above = path.ancestors().skip(1).filter(|dir| dir.is_dir());
    for dir in above.take(3) {
        let synced = StdFile::open(dir).and_then(|dir| dir.sync_all());
        synced.map_err(failed())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    async fn receive(files: &Files, bytes: &'static [u8]) -> Result<Received, Error> {
        files.receive(Body::from(bytes).into_data_stream(), "part", 10).await
    }

    #[tokio::test]
    async fn a_file_is_placed_whole_or_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(dir.path()).unwrap();
        let left = || std::fs::read_dir(dir.path().join("incoming")).unwrap().count();
        assert!(receive(&files, b"eleven byte").await.is_err());
        drop(receive(&files, b"ten bytes.").await.unwrap());
        assert_eq!(left(), 0, "too long, and not placed");
        let received = receive(&files, b"ten bytes.").await.unwrap();
        let (digest, path) = (received.digest, files.asset("acme", &received.digest));
        assert_eq!((digest, received.size_bytes), (Digest::of(b"ten bytes."), 10));
        assert_eq!(received.head, b"ten bytes.");
        received.place(&path).await.unwrap();
        assert_eq!((std::fs::read(path).unwrap().as_slice(), left()), (&b"ten bytes."[..], 0));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(dir.path()).unwrap();
        let broken = || std::io::Error::other("cable pulled");
        let chunks = [Ok("half"), Err(broken())];
        let body = Body::from_stream(futures_util::stream::iter(chunks)).into_data_stream();
        assert!(files.receive(body, "part", 10).await.is_err());
        assert_eq!(std::fs::read_dir(dir.path().join("incoming")).unwrap().count(), 0);
    }
}
