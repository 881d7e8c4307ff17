//! The cloud's side of protocol v3, small and with faults on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use tokio::sync::{broadcast, oneshot};
use vitrine_sync::wire::Digest;
use vitrine_sync::wire::auth::{Assertion, PairingRequest, TokenRequest, problem};
use vitrine_sync::wire::envelope::{self, Purpose};
use vitrine_sync::wire::event::Hint;
use vitrine_sync::wire::order::HEADER;
use vitrine_sync::wire::record::{Acknowledged, Batch, Record};

/// Longest wait for anything; reached by a failing test only.
const DEADLINE: Duration = Duration::from_secs(30);

/// Faults on demand; each holds until it is changed, unless it says otherwise.
#[derive(Debug, Clone, Default)]
pub struct Chaos {
    /// The next asset answer breaks off after so many bytes; once.
    pub cut_after: Option<usize>,
    /// Assets come with other bytes of the same length.
    pub wrong_bytes: bool,
    /// Everything but pairing and tokens answers with a login page.
    pub login_page: bool,
    /// The next record batch is kept but answered with 500; once.
    pub forget_to_acknowledge: bool,
    /// Assets live at this origin.
    pub redirect: Option<String>,
    /// Nothing is ever answered.
    pub silent: bool,
}

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Hit {
    pub what: String,
    pub headers: HeaderMap,
}

impl Hit {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

pub struct World {
    pub tenant: String,
    pub device: String,
    pub key: SigningKey,
    pub approved: bool,
    pub removed: bool,
    pub chaos: Chaos,
    pub records: BTreeMap<String, Record>,
    pub screenshots: BTreeMap<String, Bytes>,
    pub hits: Vec<Hit>,
    pub tokens: BTreeSet<String>,
    device_key: Option<[u8; 32]>,
    manifest: Option<(Bytes, String)>,
    orders: Option<(Bytes, String)>,
    assets: BTreeMap<Digest, Bytes>,
    refresh: BTreeSet<String>,
    counter: u64,
    base: String,
    hints: broadcast::Sender<Hint>,
    /// Notified at each request: when it came and when it was answered.
    changed: Arc<Condvar>,
}

type Shared = Arc<Mutex<World>>;

/// A cloud on a loopback port. Dropping it closes the port and every connection.
pub struct TestCloud {
    pub url: String,
    world: Shared,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestCloud {
    pub fn start() -> TestCloud {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let world = Arc::new(Mutex::new(World::new(&url)));
        let (stop, stopped) = oneshot::channel();
        let app = router(Arc::clone(&world));
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            tokio::select! {
                served = axum::serve(listener, app).into_future() => served.unwrap(),
                _ = stopped => {}
            }
        };
        let thread = Builder::new().name("test-cloud".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(serve);
        });
        TestCloud { url, world, stop: Some(stop), thread: Some(thread.unwrap()) }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn approve(&self) {
        self.world().approved = true;
    }

    pub fn add_asset(&self, bytes: impl Into<Bytes>) -> Digest {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        self.world().assets.insert(digest, bytes);
        digest
    }

    /// Signs and serves a manifest and hints at it.
    pub fn publish(&self, manifest: &Value) {
        let key = self.world().key.clone();
        self.publish_signed(manifest, &key);
    }

    pub fn publish_signed(&self, manifest: &Value, key: &SigningKey) {
        let envelope = sealed(Purpose::Manifest, manifest, key);
        let mut world = self.world();
        world.manifest = Some(envelope);
        let version = manifest["version"].as_u64().unwrap_or(0);
        world.hints.send(Hint::Manifest { version }).ok();
    }

    /// Signs and serves orders and hints at them.
    pub fn order(&self, version: u64, orders: Value) {
        let orders = json!({
            "version": version, "tenant": "acme", "device": "d1",
            "issued_at": "2026-01-01T00:00:00Z", "orders": orders,
        });
        let mut world = self.world();
        world.orders = Some(sealed(Purpose::Orders, &orders, &world.key));
        world.hints.send(Hint::Order { version }).ok();
    }

    pub fn hits(&self, what: &str) -> Vec<Hit> {
        self.world().hits.iter().filter(|hit| hit.what.starts_with(what)).cloned().collect()
    }

    /// Waits until the cloud is as wanted; panics when that takes too long.
    pub fn until(&self, what: &str, mut good: impl FnMut(&World) -> bool) {
        let world = self.world();
        let changed = Arc::clone(&world.changed);
        let waited = changed.wait_timeout_while(world, DEADLINE, |world| !good(world));
        assert!(!waited.unwrap().1.timed_out(), "{what}: not within {DEADLINE:?}");
    }
}

impl Drop for TestCloud {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl World {
    /// How often it was asked what begins so.
    pub fn count(&self, what: &str) -> usize {
        self.hits.iter().filter(|hit| hit.what.starts_with(what)).count()
    }

    fn new(base: &str) -> World {
        World {
            tenant: "acme".into(),
            device: "d1".into(),
            key: SigningKey::from_bytes(&[9; 32]),
            approved: false,
            removed: false,
            chaos: Chaos::default(),
            records: BTreeMap::new(),
            screenshots: BTreeMap::new(),
            hits: Vec::new(),
            tokens: BTreeSet::new(),
            device_key: None,
            manifest: None,
            orders: None,
            assets: BTreeMap::new(),
            refresh: BTreeSet::new(),
            counter: 0,
            base: base.to_owned(),
            hints: broadcast::channel(16).0,
            changed: Arc::default(),
        }
    }

    fn grant(&mut self) -> Response {
        self.counter += 1;
        let [access, refresh] =
            ["access", "refresh"].map(|kind| format!("hush-{kind}-{}", self.counter));
        self.tokens.insert(access.clone());
        self.refresh.insert(refresh.clone());
        Json(json!({
            "access_token": access, "token_type": "Bearer", "expires_in_s": 3600,
            "refresh_token": refresh, "tenant": self.tenant, "device": self.device,
            "tenant_key": STANDARD.encode(self.key.verifying_key().as_bytes()),
        }))
        .into_response()
    }

    fn proves(&self, assertion: &str) -> bool {
        let key = self.device_key.unwrap_or([0; 32]);
        Assertion::verify(assertion, &key, &self.base).is_ok_and(|a| a.iss == self.device)
    }
}

/// A signed envelope as sent, with its `ETag`.
fn sealed(purpose: Purpose, payload: &Value, key: &SigningKey) -> (Bytes, String) {
    let sealed = envelope::seal(purpose, &serde_json::to_vec(payload).unwrap(), &[key]);
    let raw = Bytes::from(serde_json::to_vec(&sealed).unwrap());
    let etag = format!("\"{}\"", Digest::of(&raw));
    (raw, etag)
}

/// A manifest for the device of [`TestCloud`].
pub fn manifest(version: u64, assets: &[(&str, &[u8])], items: Vec<Value>) -> Value {
    let assets: Vec<Value> = assets
        .iter()
        .map(|(media_type, bytes)| {
            json!({
                "sha256": Digest::of(bytes), "size_bytes": bytes.len(),
                "media_type": media_type, "name": "a file",
            })
        })
        .collect();
    json!({
        "version": version, "tenant": "acme", "device": "d1", "issued_at": "2026-01-01T00:00:00Z",
        "assets": assets,
        "playlists": [{ "id": "main", "name": "Main", "items": items }],
        "schedule": [{ "id": "always", "target": { "playlist": "main" } }],
    })
}

pub fn item(id: &str, bytes: &[u8]) -> Value {
    json!({ "id": id, "kind": "image", "asset": Digest::of(bytes) })
}

fn router(world: Shared) -> Router {
    let proved = Router::new()
        .route("/api/v3/manifest", get(get_manifest))
        .route("/api/v3/orders", get(get_orders))
        .route("/api/v3/assets/{digest}", get(get_asset))
        .route("/api/v3/events", get(get_events))
        .route("/api/v3/records", post(post_records))
        .route("/api/v3/screenshots/{id}", put(put_screenshot))
        .layer(from_fn_with_state(Arc::clone(&world), guard));
    Router::new()
        .route("/api/v3/pairing", post(post_pairing))
        .route("/api/v3/token", post(post_token))
        .route("/elsewhere/{digest}", get(get_asset))
        .merge(proved)
        .layer(from_fn_with_state(Arc::clone(&world), log))
        .with_state(world)
}

async fn log(State(world): State<Shared>, request: Request, next: Next) -> Response {
    let what = format!("{} {}", request.method(), request.uri().path());
    let headers = request.headers().clone();
    let (silent, changed) = {
        let mut world = world.lock().unwrap();
        world.hits.push(Hit { what, headers });
        (world.chaos.silent, Arc::clone(&world.changed))
    };
    changed.notify_all();
    if silent {
        std::future::pending::<()>().await;
    }
    let answer = next.run(request).await;
    changed.notify_all();
    answer
}

async fn guard(State(world): State<Shared>, request: Request, next: Next) -> Response {
    let token = request.headers().get(AUTHORIZATION).and_then(|v| v.to_str().ok());
    let token = token.and_then(|v| v.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
    let tenant = request.headers().get("x-tenant").cloned();
    {
        let world = world.lock().unwrap();
        if world.chaos.login_page {
            return ([(CONTENT_TYPE, "text/html")], "<html>Room number?</html>").into_response();
        }
        let same_tenant = tenant.is_some_and(|tenant| tenant.as_bytes() == world.tenant.as_bytes());
        if !world.tokens.contains(&token) || !same_tenant {
            return refuse(StatusCode::UNAUTHORIZED, problem::INVALID_TOKEN);
        }
    }
    next.run(request).await
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error, "error_description": "test" }))).into_response()
}

async fn post_pairing(State(world): State<Shared>, Json(ask): Json<PairingRequest>) -> Response {
    let mut world = world.lock().unwrap();
    let key = STANDARD.decode(&ask.public_key).unwrap();
    world.device_key = Some(key.try_into().unwrap());
    Json(json!({
        "device_code": "hush-device-code", "user_code": "ABCDEFGH",
        "verification_uri": format!("{}/pair", world.base),
        "verification_uri_complete": format!("{}/pair?code=ABCD-EFGH", world.base),
        "interval_s": 1, "expires_in_s": 600,
    }))
    .into_response()
}

async fn post_token(State(world): State<Shared>, Json(ask): Json<TokenRequest>) -> Response {
    let mut world = world.lock().unwrap();
    match ask {
        TokenRequest::DeviceCode { .. } if !world.approved => {
            refuse(StatusCode::BAD_REQUEST, problem::AUTHORIZATION_PENDING)
        }
        TokenRequest::DeviceCode { .. } => {
            world.removed = false;
            world.grant()
        }
        _ if world.removed => refuse(StatusCode::UNAUTHORIZED, problem::UNKNOWN_DEVICE),
        TokenRequest::Refresh { refresh_token } if world.refresh.remove(&refresh_token) => {
            world.grant()
        }
        TokenRequest::Assertion { assertion } if world.proves(&assertion) => world.grant(),
        TokenRequest::Refresh { .. } | TokenRequest::Assertion { .. } => {
            refuse(StatusCode::BAD_REQUEST, problem::INVALID_GRANT)
        }
    }
}

async fn get_manifest(State(world): State<Shared>, headers: HeaderMap) -> Response {
    let (manifest, orders) = {
        let world = world.lock().unwrap();
        (world.manifest.clone(), world.orders.clone())
    };
    let mut response = envelope_answer(manifest, &headers);
    if let Some((_, etag)) = orders {
        response.headers_mut().insert(HEADER, etag.parse().unwrap());
    }
    response
}

async fn get_orders(State(world): State<Shared>, headers: HeaderMap) -> Response {
    let orders = world.lock().unwrap().orders.clone();
    envelope_answer(orders, &headers)
}

fn envelope_answer(there: Option<(Bytes, String)>, headers: &HeaderMap) -> Response {
    let Some((raw, etag)) = there else {
        return refuse(StatusCode::NOT_FOUND, "not_found");
    };
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([(CONTENT_TYPE, "application/json".to_owned()), (ETAG, etag)], raw).into_response()
}

async fn get_asset(
    State(world): State<Shared>,
    Path(digest): Path<Digest>,
    headers: HeaderMap,
) -> Response {
    let mut world = world.lock().unwrap();
    if let Some(origin) = &world.chaos.redirect {
        let to = format!("{origin}/elsewhere/{digest}?signature=hush-signature");
        return (StatusCode::FOUND, [("location", to)]).into_response();
    }
    let Some(mut bytes) = world.assets.get(&digest).cloned() else {
        return refuse(StatusCode::NOT_FOUND, "not_found");
    };
    if world.chaos.wrong_bytes {
        bytes = bytes.iter().map(|byte| !byte).collect();
    }
    let cut_after = world.chaos.cut_after.take();
    let (size, from) = (bytes.len(), range_start(&headers));
    let rest = bytes.slice(from.min(size)..);
    let mut answer = Response::builder()
        .header(CONTENT_TYPE, "application/octet-stream")
        .header("content-length", rest.len())
        .header(ETAG, format!("\"{digest}\""));
    if from > 0 {
        let range = format!("bytes {from}-{}/{size}", size - 1);
        answer = answer.status(StatusCode::PARTIAL_CONTENT).header(CONTENT_RANGE, range);
    }
    answer.body(body(rest, cut_after)).unwrap()
}

fn range_start(headers: &HeaderMap) -> usize {
    let range = headers.get(RANGE).and_then(|value| value.to_str().ok());
    range.and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()).unwrap_or(0)
}

/// All of it, or the first bytes and then a broken connection.
fn body(bytes: Bytes, cut_after: Option<usize>) -> Body {
    match cut_after {
        None => Body::from(bytes),
        Some(cut) => {
            // The pause lets the bytes before the cut reach the other side.
            let (first, broken) = (bytes.slice(..cut), std::io::Error::other("cut"));
            let steps = [Ok(first), Err(broken)];
            let steps = futures_util::stream::iter(steps);
            Body::from_stream(futures_util::StreamExt::then(steps, |step| async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                step
            }))
        }
    }
}

async fn post_records(State(world): State<Shared>, Json(batch): Json<Batch>) -> Response {
    let mut world = world.lock().unwrap();
    let ids: Vec<String> = batch.records.iter().map(|record| record.id.clone()).collect();
    for record in batch.records {
        world.records.entry(record.id.clone()).or_insert(record);
    }
    if std::mem::take(&mut world.chaos.forget_to_acknowledge) {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, "oops");
    }
    Json(Acknowledged { ids }).into_response()
}

async fn put_screenshot(
    State(world): State<Shared>,
    Path(id): Path<String>,
    png: Bytes,
) -> StatusCode {
    world.lock().unwrap().screenshots.insert(id, png);
    StatusCode::NO_CONTENT
}

async fn get_events(State(world): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    let hints = world.lock().unwrap().hints.subscribe();
    upgrade.on_upgrade(move |socket| hint(socket, hints))
}

async fn hint(mut socket: WebSocket, mut hints: broadcast::Receiver<Hint>) {
    // A kind that nobody knows must do no harm.
    let unknown = Message::Text(r#"{"type":"weather","rain":true}"#.into());
    if socket.send(unknown).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            hint = hints.recv() => {
                let Ok(hint) = hint else { return };
                let text = serde_json::to_string(&hint).unwrap();
                if socket.send(Message::Text(text.into())).await.is_err() {
                    return;
                }
            }
            message = socket.recv() => {
                if !matches!(message, Some(Ok(_))) {
                    return;
                }
            }
        }
    }
}
