//! Assets: in from operators, out to devices in whole or in part.

use std::io::SeekFrom;
use std::ops::Range;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;
use vitrine_wire::Digest;
use vitrine_wire::manifest::Asset;
use vitrine_wire::operator::Room;

use super::extract::{AssetName, Query, text};
use crate::auth::{Device, Operator};
use crate::check::is_label;
use crate::cloud::App;
use crate::compose::Draft;
use crate::conditions::{Part, part};
use crate::error::Error;
use crate::store::Scope;
use crate::{compose, files, limits, secret, sniff};

/// Bytes read from the disk at a time.
const READ_BYTES: usize = 64 << 10;

/// The query of an upload.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    name: String,
}

/// `GET /api/v3/operator/assets`
pub async fn list(
    State(app): State<App>,
    Operator { tenant }: Operator,
) -> Result<axum::Json<Vec<Asset>>, Error> {
    app.store.scoped(&tenant, |scope| scope.assets()).await.map(axum::Json)
}

/// `POST /api/v3/operator/assets?name=…`
pub async fn upload(
    State(app): State<App>,
    Operator { tenant }: Operator,
    Query(Upload { name }): Query<Upload>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, axum::Json<Asset>), Error> {
    if !is_label(&name) {
        let most = limits::LABEL_BYTES;
        return Err(Error::bad(format!("name: want 1 to {most} bytes of printable text")));
    }
    promised_length(&headers, limits::ASSET_BYTES)?;
    let promised = text(&headers, header::CONTENT_LENGTH).and_then(|n| n.parse().ok()).unwrap_or(0);
    // What could never fit is refused before any of it is taken; the rest when it is known whether it
    // is there already.
    app.store.scoped(&tenant, move |scope| has_room(scope.room()?, (0, promised))).await?;
    let part = secret::id(app.world.random());
    let received = app.files.receive(body.into_data_stream(), &part, limits::ASSET_BYTES).await?;
    let Some(media_type) = sniff::media_type(&received.head) else {
        let text = format!("{name:?} is no file that devices can show; they take {}", sniff::TAKEN);
        return Err(Error::refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_media", text));
    };
    let (sha256, size_bytes) = (received.digest, received.size_bytes);
    let asset = Asset { sha256, size_bytes, media_type: media_type.into(), name };
    // One at a time from here on, so that two cannot take the same room.
    let _alone = app.placing.lock().await;
    let fits = move |scope: &Scope| match scope.asset(&sha256)? {
        Some(_) => Ok(()),
        None => {
            let room = scope.room()?;
            has_room(room, (room.used_bytes, size_bytes))
        }
    };
    app.store.scoped(&tenant, fits).await?;
    received.place(&app.files.asset(&tenant, &sha256)).await?;
    let kept = asset.clone();
    let new = app.store.scoped(&tenant, move |scope| scope.put_asset(&kept)).await?;
    Ok((if new { StatusCode::CREATED } else { StatusCode::OK }, axum::Json(asset)))
}

/// `DELETE /api/v3/operator/assets/{sha256}`: one that nothing shows and nothing published shows.
pub async fn remove(
    State(app): State<App>,
    Operator { tenant }: Operator,
    AssetName(digest): AssetName,
) -> Result<StatusCode, Error> {
    let _alone = app.placing.lock().await;
    let work = move |scope: &Scope| {
        let (draft, edition) = (scope.draft()?, scope.edition()?);
        let names = |content: &Draft| compose::assets_of(&content.playlists, &content.layouts);
        if [&draft, &edition.content].iter().any(|content| names(content).contains(&digest)) {
            let text = "a playlist or layout names it, or did when it was published last: take it \
                        out there, publish, then remove it";
            return Err(Error::refused(StatusCode::CONFLICT, "in_use", text));
        }
        match scope.remove_asset(&digest)? {
            true => Ok(()),
            false => Err(Error::missing(format!("no asset {digest}"))),
        }
    };
    app.store.scoped(&tenant, work).await?;
    let path = app.files.asset(&tenant, &digest);
    match tokio::fs::remove_file(&path).await {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("remove {}", path.display()))(e))
        }
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

/// Refuses what the tenant has no room for, with the figures.
fn has_room(room: Room, (beside_bytes, size_bytes): (u64, u64)) -> Result<(), Error> {
    let Room { quota_bytes, used_bytes } = room;
    let Some(quota_bytes) = quota_bytes else { return Ok(()) };
    if beside_bytes.saturating_add(size_bytes) <= quota_bytes {
        return Ok(());
    }
    let text = format!(
        "no room for {size_bytes} bytes: {used_bytes} of the tenant's {quota_bytes} are taken; \
         remove what no playlist needs (`vitrine-cloud asset remove`), or have the quota raised"
    );
    Err(Error::refused(StatusCode::PAYLOAD_TOO_LARGE, "quota", text))
}

/// A file that a device may have.
struct Readable {
    path: PathBuf,
    size_bytes: u64,
    media_type: String,
}

/// A file of the tenant, or a release of the player.
async fn find(app: &App, tenant: &str, digest: Digest) -> Result<Readable, Error> {
    let known = app.store.scoped(tenant, move |scope| scope.asset(&digest)).await?;
    if let Some(Asset { size_bytes, media_type, .. }) = known {
        return Ok(Readable { path: app.files.asset(tenant, &digest), size_bytes, media_type });
    }
    let path = app.files.release(&digest);
    let about = tokio::fs::metadata(&path).await;
    let about = about.map_err(|_| Error::missing(format!("no asset {digest}")))?;
    let media_type = "application/octet-stream".to_owned();
    Ok(Readable { path, size_bytes: about.len(), media_type })
}

/// `GET /api/v3/assets/{sha256}`
pub async fn read(
    State(app): State<App>,
    Device { tenant, .. }: Device,
    AssetName(digest): AssetName,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let asset = find(&app, &tenant, digest).await?;
    let tag = format!("\"{digest}\"");
    let (range, if_range) = (text(&headers, header::RANGE), text(&headers, header::IF_RANGE));
    let range = match part(range, if_range, &tag, asset.size_bytes) {
        Part::Whole => None,
        Part::Some(range) => Some(range),
        Part::Nothing => return none_of(asset.size_bytes),
    };
    let mut response = send(&asset.path, range, asset.size_bytes).await?;
    for (name, value) in [
        (header::ETAG, tag.as_str()),
        (header::CONTENT_TYPE, &asset.media_type),
        (header::CACHE_CONTROL, "private, max-age=31536000, immutable"),
    ] {
        let value = HeaderValue::from_str(value).map_err(|e| Error::Broken(e.to_string()))?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// Refuses a body that says itself that it is too long, before any of it is taken.
pub fn promised_length(headers: &HeaderMap, most_bytes: u64) -> Result<(), Error> {
    let promised = text(headers, header::CONTENT_LENGTH).and_then(|n| n.parse::<u64>().ok());
    match promised {
        Some(length) if length > most_bytes => Err(files::too_long(most_bytes)),
        _ => Ok(()),
    }
}

/// 416, with the length that would have been right.
fn none_of(size_bytes: u64) -> Result<Response, Error> {
    let text = format!("the file has {size_bytes} bytes, none of them was asked for");
    let refused = Error::refused(StatusCode::RANGE_NOT_SATISFIABLE, "bad_range", text);
    let mut response = refused.into_response();
    let whole = HeaderValue::try_from(format!("bytes */{size_bytes}"));
    let whole = whole.map_err(|e| Error::Broken(e.to_string()))?;
    response.headers_mut().insert(header::CONTENT_RANGE, whole);
    Ok(response)
}

/// Sends a file or a range of it, as it is: never compressed, never looked into by a browser.
pub async fn send(
    path: &Path,
    range: Option<Range<u64>>,
    size_bytes: u64,
) -> Result<Response, Error> {
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let range = range.unwrap_or(0..size_bytes);
    let failed = || Error::io(format!("read {}", path.display()));
    let mut file = File::open(path).await.map_err(failed())?;
    file.seek(SeekFrom::Start(range.start)).await.map_err(failed())?;
    let length = range.end - range.start;
    let stream = ReaderStream::with_capacity(file.take(length), READ_BYTES);
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_LENGTH, length)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if status == StatusCode::PARTIAL_CONTENT {
        let (first, last) = (range.start, range.end - 1);
        let here = format!("bytes {first}-{last}/{size_bytes}");
        response = response.header(header::CONTENT_RANGE, here);
    }
    response.body(Body::from_stream(stream)).map_err(|e| Error::Broken(e.to_string()))
}
