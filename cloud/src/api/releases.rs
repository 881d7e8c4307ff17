//! Releases of the player: in from whoever runs the cloud, out to every tenant's devices.
//!
//! The index is signed where its maker's key is, which is not here: the cloud reads it only to refuse
//! what no device could use.

use std::io::{self, Write};
use std::path::Path;

use axum::body::Body as Stream;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use vitrine_wire::operator::ReleaseFile;
use vitrine_wire::release::{Index, RELEASE_BYTES, Release, read_unproved};

use super::assets::promised_length;
use super::extract::Body;
use super::manifest::answer;
use crate::cloud::{App, Cloud};
use crate::error::{Complaint, Error};
use crate::secret;

/// `GET /api/v3/releases` and `GET /api/v3/operator/releases`
pub async fn read(State(app): State<App>, headers: HeaderMap) -> Result<Response, Error> {
    let signed = kept(&app).await?.ok_or_else(|| Error::missing("there is no release index"))?;
    answer(signed, &headers)
}

/// `PUT /api/v3/operator/releases`
pub async fn replace(State(app): State<App>, Body(signed): Body) -> Result<StatusCode, Error> {
    let index = read_unproved(&signed).map_err(|e| Error::bad(e.to_string()))?;
    let newest =
        kept(&app).await?.and_then(|kept| read_unproved(&kept).ok()).map_or(0, |kept| kept.version);
    if index.version <= newest {
        let text = format!("the index is version {}, devices have seen {newest}", index.version);
        return Err(Error::refused(StatusCode::CONFLICT, "went_back", text));
    }
    let misfits = misfits(&app, &index);
    if !misfits.is_empty() {
        return Err(Error::content(misfits));
    }
    let path = app.files.release_index();
    let failed = Error::io(format!("write {}", path.display()));
    let written = tokio::task::spawn_blocking(move || write(&path, &signed)).await;
    written.map_err(|e| Error::Broken(format!("file task: {e}")))?.map_err(failed)?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v3/operator/releases/files`
pub async fn upload(
    State(app): State<App>,
    headers: HeaderMap,
    body: Stream,
) -> Result<(StatusCode, axum::Json<ReleaseFile>), Error> {
    promised_length(&headers, RELEASE_BYTES)?;
    let part = secret::id(app.world.random());
    let received = app.files.receive(body.into_data_stream(), &part, RELEASE_BYTES).await?;
    let file = ReleaseFile { sha256: received.digest, size_bytes: received.size_bytes };
    received.place(&app.files.release(&file.sha256)).await?;
    Ok((StatusCode::CREATED, axum::Json(file)))
}

/// The signed index; None if there never was one.
async fn kept(app: &Cloud) -> Result<Option<Vec<u8>>, Error> {
    let path = app.files.release_index();
    match tokio::fs::read(&path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(Error::io(format!("read {}", path.display()))),
    }
}

/// Releases whose file is not here as it should be.
fn misfits(app: &Cloud, index: &Index) -> Vec<Complaint> {
    let found = |path: &Path| std::fs::metadata(path).map(|about| about.len()).ok();
    let misfit = |(n, release): (usize, &Release)| {
        let text = match found(&app.files.release(&release.sha256)) {
            Some(bytes) if bytes == release.size_bytes => return None,
            Some(bytes) => format!("the file has {bytes} bytes, want {}", release.size_bytes),
            None => format!("file {} was not uploaded", release.sha256),
        };
        Some(Complaint { place: format!("releases[{n}]"), text })
    };
    index.releases.iter().enumerate().filter_map(misfit).collect()
}

/// Writes a file whole and durably, in place of the one that is there.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = std::fs::File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    path.parent().map_or(Ok(()), |dir| std::fs::File::open(dir)?.sync_all())
}
