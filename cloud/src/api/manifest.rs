//! `GET /api/v3/manifest` and `GET /api/v3/orders`: signed envelopes as they lie in the database.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use vitrine_wire::{Digest, order};

use super::extract::text;
use crate::auth::Device;
use crate::cloud::App;
use crate::conditions::names_tag;
use crate::error::Error;
use crate::store::Scope;

/// `GET /api/v3/manifest`. Says also whether orders wait, so that nobody need ask for that.
pub async fn read(
    State(app): State<App>,
    Device { tenant, device, .. }: Device,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let now = app.world.now();
    let work =
        move |scope: &Scope| Ok((scope.envelope(&device)?, scope.order_envelope(&device, now)?));
    let (envelope, orders) = app.store.scoped(&tenant, work).await?;
    let envelope = envelope.ok_or_else(|| Error::Broken("a device without a manifest".into()))?;
    let mut response = answer(envelope, &headers)?;
    if let Some((_, orders)) = orders {
        let name = HeaderName::from_static(order::HEADER);
        response.headers_mut().insert(name, tag(&orders)?);
    }
    Ok(response)
}

/// `GET /api/v3/orders`
pub async fn orders(
    State(app): State<App>,
    Device { tenant, device, .. }: Device,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let now = app.world.now();
    let orders = app.store.scoped(&tenant, move |scope| scope.order_envelope(&device, now)).await?;
    let (_, orders) = orders.ok_or_else(|| Error::missing("no orders wait"))?;
    answer(orders, &headers)
}

/// The envelope, unless the asker has it.
pub fn answer(envelope: Vec<u8>, asked: &HeaderMap) -> Result<Response, Error> {
    let tag = tag(&envelope)?;
    let had = text(asked, header::IF_NONE_MATCH);
    let unchanged = had.zip(tag.to_str().ok()).is_some_and(|(had, tag)| names_tag(had, tag));
    let fresh = [(header::ETAG, tag), (header::CACHE_CONTROL, PRIVATE)];
    if unchanged {
        return Ok((StatusCode::NOT_MODIFIED, fresh).into_response());
    }
    Ok((fresh, [(header::CONTENT_TYPE, JSON)], envelope).into_response())
}

/// Names the envelope's bytes before any content coding.
fn tag(envelope: &[u8]) -> Result<HeaderValue, Error> {
    let tag = format!("\"{}\"", Digest::of(envelope));
    HeaderValue::from_str(&tag).map_err(|e| Error::Broken(e.to_string()))
}

const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
