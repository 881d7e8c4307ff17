//! The HTTP face: one table of routes, one file per group of handlers.
//!
//! `openapi.yaml` beside `src/` says what each call means; a test holds this table to it.

mod assets;
mod content;
mod devices;
mod enrollments;
mod events;
mod extract;
mod manifest;
mod page;
mod pairing;
mod records;
mod releases;
mod screenshots;
mod settings;
mod tenants;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderMap, Method, StatusCode, Version, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post, put};
use tower_http::compression::{CompressionLayer, Predicate, predicate::SizeAbove};
use vitrine_wire::release::INDEX_BYTES;

use crate::auth::{Access, guard};
use crate::cloud::App;
use crate::error::Error;
use crate::limits;

/// Answers below this gain nothing by compression, in bytes.
const COMPRESS_ABOVE: u64 = 256;

/// One call of the API.
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path with `{names}`.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// Longest body that is read into memory; streamed bodies have their own limits.
    body_max: usize,
    handler: MethodRouter<App>,
}

/// Every call there is.
pub fn table() -> Vec<Route> {
    use Access::{Admin, Device, Open, Operator};
    const SMALL: usize = limits::SMALL_BODY_BYTES;
    const CONTENT: usize = limits::CONTENT_BODY_BYTES;
    let (get_, post_) = (Method::GET, Method::POST);
    let (put_, delete_) = (Method::PUT, Method::DELETE);
    let route = |method: &Method, path, access, body_max, handler| Route {
        method: method.clone(),
        path,
        access,
        body_max,
        handler,
    };
    vec![
        route(&get_, "/health", Open, SMALL, get(tenants::health)),
        route(&get_, "/pair", Open, SMALL, get(page::show)),
        route(&post_, "/pair", Open, SMALL, post(page::approve)),
        route(&post_, "/api/v3/pairing", Open, SMALL, post(pairing::begin)),
        route(&post_, "/api/v3/token", Open, SMALL, post(pairing::token)),
        route(&get_, "/api/v3/manifest", Device, SMALL, get(manifest::read)),
        route(&get_, "/api/v3/orders", Device, SMALL, get(manifest::orders)),
        route(&get_, "/api/v3/assets/{sha256}", Device, SMALL, get(assets::read)),
        route(&get_, "/api/v3/events", Device, SMALL, get(events::listen)),
        route(&post_, "/api/v3/records", Device, limits::RECORDS_BODY_BYTES, post(records::take)),
        route(&put_, "/api/v3/screenshots/{id}", Device, SMALL, put(screenshots::take)),
        route(&get_, "/api/v3/releases", Device, SMALL, get(releases::read)),
        route(&get_, "/api/v3/operator/releases", Admin, SMALL, get(releases::read)),
        route(&put_, "/api/v3/operator/releases", Admin, INDEX_BYTES, put(releases::replace)),
        route(&post_, "/api/v3/operator/releases/files", Admin, SMALL, post(releases::upload)),
        route(&post_, "/api/v3/operator/tenants", Admin, SMALL, post(tenants::create)),
        route(&post_, "/api/v3/operator/tenants/{tenant}/token", Admin, SMALL, {
            post(tenants::renew_token)
        }),
        route(&put_, "/api/v3/operator/tenants/{tenant}/quota", Admin, SMALL, {
            put(tenants::set_quota)
        }),
        route(&get_, "/api/v3/operator/quota", Operator, SMALL, get(tenants::room)),
        route(&post_, "/api/v3/operator/tenants/{tenant}/key", Admin, SMALL, {
            post(tenants::replace_key)
        }),
        route(&post_, "/api/v3/operator/pairings/{user_code}", Operator, SMALL, {
            post(pairing::approve)
        }),
        route(&delete_, "/api/v3/operator/pairings/{user_code}", Operator, SMALL, {
            delete(pairing::deny)
        }),
        route(&get_, "/api/v3/operator/enrollments", Operator, SMALL, get(enrollments::list)),
        route(&post_, "/api/v3/operator/enrollments", Operator, SMALL, post(enrollments::create)),
        route(&delete_, "/api/v3/operator/enrollments/{enrollment}", Operator, SMALL, {
            delete(enrollments::remove)
        }),
        route(&get_, "/api/v3/operator/assets", Operator, SMALL, get(assets::list)),
        route(&post_, "/api/v3/operator/assets", Operator, SMALL, post(assets::upload)),
        route(&delete_, "/api/v3/operator/assets/{sha256}", Operator, SMALL, {
            delete(assets::remove)
        }),
        route(&get_, "/api/v3/operator/content", Operator, SMALL, get(content::read)),
        route(&put_, "/api/v3/operator/playlists/{id}", Operator, CONTENT, {
            put(content::put_playlist)
        }),
        route(&delete_, "/api/v3/operator/playlists/{id}", Operator, SMALL, {
            delete(content::remove_playlist)
        }),
        route(&put_, "/api/v3/operator/layouts/{id}", Operator, CONTENT, {
            put(content::put_layout)
        }),
        route(&delete_, "/api/v3/operator/layouts/{id}", Operator, SMALL, {
            delete(content::remove_layout)
        }),
        route(&put_, "/api/v3/operator/schedule", Operator, CONTENT, put(content::put_schedule)),
        route(&post_, "/api/v3/operator/publish", Operator, SMALL, post(content::publish)),
        route(&get_, "/api/v3/operator/settings", Operator, SMALL, get(settings::list)),
        route(&post_, "/api/v3/operator/settings", Operator, SMALL, post(settings::set)),
        route(&get_, "/api/v3/operator/devices", Operator, SMALL, get(devices::list)),
        route(&delete_, "/api/v3/operator/devices/{device}", Operator, SMALL, {
            delete(devices::remove)
        }),
        route(&post_, "/api/v3/operator/devices/{device}/orders", Operator, SMALL, {
            post(devices::order)
        }),
        route(&get_, "/api/v3/operator/devices/{device}/screenshot", Operator, SMALL, {
            get(screenshots::last)
        }),
        route(&get_, "/api/v3/operator/devices/{device}/records", Operator, SMALL, {
            get(records::list)
        }),
    ]
}

/// The table as a service.
pub fn router(app: App) -> Router {
    let mut router = Router::new();
    for route in table() {
        let guard = middleware::from_fn_with_state((app.clone(), route.access), guard);
        let limit = DefaultBodyLimit::max(route.body_max);
        router = router.route(route.path, route.handler.layer(limit).route_layer(guard));
    }
    router
        .fallback(async || Error::missing("no such path: see the OpenAPI file"))
        .method_not_allowed_fallback(async || {
            let text = "this path does not know this method: see the OpenAPI file";
            Error::refused(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text)
        })
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(COMPRESS_ABOVE).and(is_text)))
        .layer(middleware::from_fn(log))
        .with_state(app)
}

/// JSON and pages are compressed; assets and pictures are sent as they are.
fn is_text(_: StatusCode, _: Version, headers: &HeaderMap, _: &axum::http::Extensions) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes());
    let text = [&b"application/json"[..], b"text/html"];
    kind.is_some_and(|kind| text.iter().any(|text| kind.starts_with(text)))
}

/// One line per request, with the path of the table: the real one may hold a user code.
async fn log(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let path = path.as_ref().map_or("(none)", MatchedPath::as_str);
    tracing::debug!(%method, path, status = response.status().as_u16(), "request");
    response
}
