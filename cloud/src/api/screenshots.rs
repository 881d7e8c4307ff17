//! Screenshots: in from devices, the last one out to operators.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::assets::{promised_length, send};
use super::extract::Id;
use crate::auth::{Device, Operator};
use crate::cloud::App;
use crate::error::Error;
use crate::store::Screenshot;
use crate::{limits, secret, sniff};

/// Header with the id under which the device sent the picture.
const SCREENSHOT_ID: HeaderName = HeaderName::from_static("x-screenshot-id");

/// `PUT /api/v3/screenshots/{id}`
pub async fn take(
    State(app): State<App>,
    Device { tenant, device, .. }: Device,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Error> {
    promised_length(&headers, limits::SCREENSHOT_BYTES)?;
    let (part, most) = (secret::id(app.world.random()), limits::SCREENSHOT_BYTES);
    let received = app.files.receive(body.into_data_stream(), &part, most).await?;
    let Some(media_type) = sniff::screenshot_type(&received.head) else {
        let text = "a screenshot is PNG or JPEG";
        return Err(Error::refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_media", text));
    };
    let (media_type, size_bytes) = (media_type.to_owned(), received.size_bytes);
    let shot = Screenshot { id, media_type, size_bytes, taken_at: app.world.now() };
    received.place(&app.files.screenshot(&tenant, &device)).await?;
    app.store.scoped(&tenant, move |scope| scope.put_screenshot(&device, &shot)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/v3/operator/devices/{device}/screenshot`
pub async fn last(
    State(app): State<App>,
    Operator { tenant }: Operator,
    Id(device): Id,
) -> Result<Response, Error> {
    let wanted = device.clone();
    let shot = app.store.scoped(&tenant, move |scope| scope.screenshot(&wanted)).await?;
    let Some(shot) = shot else {
        let text = format!("no screenshot of {device:?}: order one and wait for it");
        return Err(Error::missing(text));
    };
    let path = app.files.screenshot(&tenant, &device);
    let mut response = send(&path, None, shot.size_bytes).await?;
    let taken_at = shot.taken_at.to_string();
    for (name, value) in [
        (header::CONTENT_TYPE, &shot.media_type),
        (SCREENSHOT_ID, &shot.id),
        (HeaderName::from_static("x-screenshot-taken-at"), &taken_at),
    ] {
        let value = HeaderValue::from_str(value).map_err(|e| Error::Broken(e.to_string()))?;
        response.headers_mut().insert(name, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
