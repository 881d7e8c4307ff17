//! What handlers take out of a request, with refusals in the one form that all have.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use serde::de::DeserializeOwned;
use vitrine_wire::Digest;

use crate::check::is_id;
use crate::cloud::Cloud;
use crate::error::Error;
use crate::limits;
use crate::secret::typed_code;

/// A whole body.
pub struct Body(pub Bytes);

/// A body of JSON.
pub struct Json<T>(pub T);

/// The query string.
pub struct Query<T>(pub T);

/// An id in the path.
pub struct Id(pub String);

/// The name of an asset in the path.
pub struct AssetName(pub Digest);

/// A user code in the path, as typed.
pub struct UserCode(pub Option<String>);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let patience = Duration::from_secs(limits::BODY_WITHIN_S);
        let read = tokio::time::timeout(patience, Bytes::from_request(request, state)).await;
        match read {
            Ok(Ok(bytes)) => Ok(Body(bytes)),
            Ok(Err(refused)) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let text = "the body is longer than this path takes";
                Err(Error::refused(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text))
            }
            Ok(Err(refused)) => Err(Error::bad(refused.body_text())),
            Err(_) => {
                let text = format!("the body did not arrive within {patience:?}");
                Err(Error::refused(StatusCode::REQUEST_TIMEOUT, "too_slow", text))
            }
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let Body(bytes) = Body::from_request(request, state).await?;
        let read = serde_json::from_slice(&bytes);
        read.map(Json).map_err(|e| Error::bad(format!("the body is not what is wanted: {e}")))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let read = axum::extract::Query::try_from_uri(&parts.uri);
        read.map(|query| Query(query.0)).map_err(|e| Error::bad(e.body_text()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let id = part(parts, state).await?;
        if is_id(&id) { Ok(Id(id)) } else { Err(Error::bad(format!("{id:?} is not an id"))) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AssetName {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let name = part(parts, state).await?;
        name.parse()
            .map(AssetName)
            .map_err(|e: vitrine_wire::digest::DigestError| Error::bad(e.to_string()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for UserCode {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        Ok(UserCode(typed_code(&part(parts, state).await?)))
    }
}

async fn part<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Error> {
    let path = Path::<String>::from_request_parts(parts, state).await;
    path.map(|path| path.0).map_err(|e| Error::bad(e.body_text()))
}

/// Text of a header; what is not text counts as absent.
pub fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Base URL of this cloud as the asker knows it, without a slash at the end.
pub fn base_url(cloud: &Cloud, headers: &HeaderMap, uri: &Uri) -> Result<String, Error> {
    if let Some(url) = &cloud.public_url {
        return Ok(url.clone());
    }
    let authority = uri.authority().map(|authority| authority.as_str());
    let host = authority.or_else(|| text(headers, header::HOST)).unwrap_or_default();
    let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b':' | b'[' | b']');
    if host.is_empty() || !host.bytes().all(fits) {
        return Err(Error::bad(format!("Host is {host:?}, want a host name and a port")));
    }
    Ok(format!("http://{host}"))
}
