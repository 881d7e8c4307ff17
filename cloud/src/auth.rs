//! Who is asking. Every route stands in the table with an [`Access`]; [`guard`] holds it, so that
//! no handler can forget to.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use vitrine_wire::auth::problem;

use crate::cloud::App;
use crate::error::Error;
use crate::limits;
use crate::secret::{self, Hash};
use crate::store::{self, AccessRow, Scope};

/// Name of the header that may repeat the tenant.
const TENANT: &str = "x-tenant";

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Open,
    /// A paired device, for itself.
    Device,
    /// An operator, for one tenant.
    Operator,
    /// Whoever runs the cloud.
    Admin,
}

/// A device that proved itself.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its tenant.
    pub tenant: String,
    /// Its id.
    pub device: String,
    /// End of its token's life.
    pub until: Timestamp,
}

/// An operator who proved to be one.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Whose.
    pub tenant: String,
}

/// Lets a request pass if its token gives the access that the route wants.
pub async fn guard(
    State((app, access)): State<(App, Access)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Error> {
    match access {
        Access::Open => {}
        Access::Device => {
            let device = device(&app, request.headers()).await?;
            own_tenant(request.headers(), &device.tenant)?;
            request.extensions_mut().insert(device);
        }
        Access::Operator => {
            let tenant = operator(&app, bearer(request.headers())?).await?;
            own_tenant(request.headers(), &tenant)?;
            request.extensions_mut().insert(Operator { tenant });
        }
        Access::Admin if bearer(request.headers())? == app.admin_hash => {}
        Access::Admin => return Err(no_token("want the admin token")),
    }
    Ok(next.run(request).await)
}

/// Finds out whose operator token has this hash.
pub async fn operator(app: &App, hash: Hash) -> Result<String, Error> {
    let tenant = app.store.run(move |conn| store::operator(conn, &hash)).await?;
    tenant.ok_or_else(|| no_token("want an operator token"))
}

async fn device(app: &App, headers: &HeaderMap) -> Result<Device, Error> {
    let (hash, now) = (bearer(headers)?, app.world.now());
    let row = app.store.run(move |conn| {
        let row = store::access(conn, &hash)?.filter(|row| row.expires_at > now);
        if let Some(AccessRow { tenant, device, seen_at, .. }) = &row {
            let age_s = seen_at.map(|at| now.duration_since(at).as_secs().abs());
            if age_s.is_none_or(|age_s| age_s >= limits::SEEN_EVERY_S) {
                Scope::new(conn, tenant).seen(device, now)?;
            }
        }
        Ok(row)
    });
    let row = row.await?.ok_or_else(|| no_token("the access token is not good (any more)"))?;
    Ok(Device { tenant: row.tenant, device: row.device, until: row.expires_at })
}

fn bearer(headers: &HeaderMap) -> Result<Hash, Error> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = value.and_then(|value| value.split_once(' ')).unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(secret::hash(token.trim()))
    } else {
        Err(no_token("want a header `Authorization: Bearer …`"))
    }
}

fn own_tenant(headers: &HeaderMap, own: &str) -> Result<(), Error> {
    match headers.get(TENANT) {
        Some(sent) if sent.as_bytes() != own.as_bytes() => {
            let text = "the X-Tenant header names another tenant than the token";
            Err(Error::refused(StatusCode::FORBIDDEN, "wrong_tenant", text))
        }
        _ => Ok(()),
    }
}

fn no_token(text: &str) -> Error {
    Error::refused(StatusCode::UNAUTHORIZED, problem::INVALID_TOKEN, text)
}

impl<S: Sync> FromRequestParts<S> for Device {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        proved(parts)
    }
}

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        proved(parts)
    }
}

/// What [`guard`] left; missing if the table gives the route another access than its handler.
fn proved<T: Clone + Send + Sync + 'static>(parts: &Parts) -> Result<T, Error> {
    let found = parts.extensions.get::<T>().cloned();
    found.ok_or_else(|| Error::Broken("a handler wants another access than its route".into()))
}
