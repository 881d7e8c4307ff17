//! `GET /api/v3/manifest`: the signed envelope as it lies in the database.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use vitrine_wire::Digest;

use super::extract::text;
use crate::auth::Device;
use crate::cloud::App;
use crate::conditions::names_tag;
use crate::error::Error;

/// `GET /api/v3/manifest`. The tag names the envelope's bytes before any content coding.
pub async fn read(
    State(app): State<App>,
    Device { tenant, device, .. }: Device,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let envelope = app.store.scoped(&tenant, move |scope| scope.envelope(&device)).await?;
    let envelope = envelope.ok_or_else(|| Error::Broken("a device without a manifest".into()))?;
    let tag = format!("\"{}\"", Digest::of(&envelope));
    let unchanged = text(&headers, header::IF_NONE_MATCH).is_some_and(|had| names_tag(had, &tag));
    let tag = HeaderValue::from_str(&tag).map_err(|e| Error::Broken(e.to_string()))?;
    let fresh = [(header::ETAG, tag), (header::CACHE_CONTROL, PRIVATE)];
    if unchanged {
        return Ok((StatusCode::NOT_MODIFIED, fresh).into_response());
    }
    Ok((fresh, [(header::CONTENT_TYPE, JSON)], envelope).into_response())
}

const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
