//! A cloud to test: a server in this process, a clock that the test moves, and requests that are
//! held to `openapi.yaml` by themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{SigningKey, VerifyingKey};
use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use vitrine_cloud::world::World;
use vitrine_cloud::{Options, Server, serve};
use vitrine_wire::auth::{Assertion, PairingAnswer, TokenAnswer};
use vitrine_wire::envelope::{self, Purpose};
use vitrine_wire::manifest::{Asset, Manifest};
use vitrine_wire::operator::{DeviceState, TenantMade};
use vitrine_wire::order::{Order, Orders};

use crate::spec::{Exchange, judge};

/// A test that is not done by now hangs.
const DEADLINE: Duration = Duration::from_secs(120);
/// Where the test's clock starts: 2026-07-01T12:00:00Z.
pub const START_S: i64 = 1_782_907_200;

pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Runs a test with a cloud of its own and a deadline.
pub fn run(test: impl AsyncFnOnce(&mut Rig)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let done = runtime.block_on(async {
        let mut rig = Rig::start().await;
        tokio::time::timeout(DEADLINE, test(&mut rig)).await
    });
    runtime.shutdown_background();
    done.expect("the test hangs");
}

pub struct Rig {
    server: Option<Server>,
    pub url: String,
    pub admin: String,
    pub dir: TempDir,
    clock_s: Arc<AtomicI64>,
    http: reqwest::Client,
}

impl Rig {
    async fn start() -> Rig {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut rig = Rig {
            server: None,
            url: String::new(),
            admin: String::new(),
            dir: tempfile::tempdir().unwrap(),
            clock_s: Arc::new(AtomicI64::new(START_S)),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        rig.restart().await;
        rig
    }

    /// Stops the server if it runs, and starts it on the same data.
    pub async fn restart(&mut self) {
        self.stop().await;
        let clock = self.clock_s.clone();
        let now = move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap();
        let mut options = Options::new(self.dir.path().join("data"));
        options.world = World::real().with_clock(now);
        let server = serve(options).await.unwrap();
        (self.url, self.admin) = (server.url(), server.admin_token().to_owned());
        self.server = Some(server);
    }

    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await.unwrap();
        }
    }

    /// Lets time pass for the cloud.
    pub fn pass(&self, seconds: i64) {
        self.clock_s.fetch_add(seconds, Ordering::Relaxed);
    }

    pub fn now_s(&self) -> i64 {
        self.clock_s.load(Ordering::Relaxed)
    }

    pub fn call(&self, method: Method, path: &str) -> Call {
        let request = self.http.request(method.clone(), format!("{}{path}", self.url));
        Call { method, path: path.to_owned(), sent: None, request }
    }

    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: &str, body: Value) -> Call {
        self.call(Method::POST, path).json(body)
    }

    pub fn put(&self, path: &str, body: Value) -> Call {
        self.call(Method::PUT, path).json(body)
    }

    /// Makes a tenant; returns its operator token.
    pub async fn tenant(&self, name: &str) -> String {
        let call = self.post("/api/v3/operator/tenants", json!({ "tenant": name }));
        let made: TenantMade = call.token(&self.admin).send().await.read(StatusCode::CREATED);
        made.operator_token
    }

    /// Uploads bytes under a name.
    pub async fn upload(&self, operator: &str, name: &str, bytes: &[u8]) -> Asset {
        let path = format!("/api/v3/operator/assets?name={name}");
        let call = self.call(Method::POST, &path).token(operator).bytes(bytes);
        call.send().await.read(StatusCode::CREATED)
    }

    pub async fn publish(&self, operator: &str) -> Value {
        let call = self.call(Method::POST, "/api/v3/operator/publish").token(operator);
        call.send().await.read(StatusCode::OK)
    }

    pub async fn pairing(&self, seed: u8) -> PairingAnswer {
        let body = json!({
            "public_key": key(seed),
            "name": "pi", "model": "Raspberry Pi 5", "release": "0.1.0",
        });
        self.post("/api/v3/pairing", body).send().await.read(StatusCode::OK)
    }

    pub async fn approve(&self, operator: &str, code: &str, name: &str) -> DeviceState {
        let path = format!("/api/v3/operator/pairings/{code}");
        let call = self.post(&path, json!({ "name": name })).token(operator);
        call.send().await.read(StatusCode::OK)
    }

    pub fn ask_token(&self, body: Value) -> Call {
        self.post("/api/v3/token", body)
    }

    /// Pairs a device whose key is made from `seed`.
    pub async fn device(&self, operator: &str, name: &str, seed: u8) -> Player {
        let pairing = self.pairing(seed).await;
        self.approve(operator, &pairing.user_code, name).await;
        let ask = json!({ "grant_type": DEVICE_CODE, "device_code": pairing.device_code });
        let tokens: TokenAnswer = self.ask_token(ask).send().await.read(StatusCode::OK);
        Player { key: SigningKey::from_bytes(&[seed; 32]), tokens }
    }

    /// A device's manifest, proved with the key that it got at pairing.
    pub async fn manifest(&self, player: &Player) -> Manifest {
        let reply = self.get("/api/v3/manifest").token(player.access()).send().await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
        player.open(Purpose::Manifest, "Manifest", &reply.body)
    }

    /// A device's orders, proved likewise; empty if none wait.
    pub async fn orders(&self, player: &Player) -> Vec<Order> {
        let reply = self.get("/api/v3/orders").token(player.access()).send().await;
        if reply.status == StatusCode::NOT_FOUND {
            return Vec::new();
        }
        let orders: Orders = player.open(Purpose::Orders, "Orders", &reply.body);
        assert_eq!((orders.tenant.as_str(), orders.device.as_str()), {
            (player.tokens.tenant.as_str(), player.id())
        });
        orders.orders
    }
}

/// The public half of the key that is made from `seed`, as it is sent.
pub fn key(seed: u8) -> String {
    STANDARD.encode(SigningKey::from_bytes(&[seed; 32]).verifying_key().as_bytes())
}

/// A device as the test plays it.
pub struct Player {
    pub key: SigningKey,
    pub tokens: TokenAnswer,
}

impl Player {
    pub fn access(&self) -> &str {
        &self.tokens.access_token
    }

    pub fn id(&self) -> &str {
        &self.tokens.device
    }

    /// What is in an envelope, proved with the key that it got at pairing and held to the file.
    pub fn open<T: DeserializeOwned>(&self, purpose: Purpose, schema: &str, raw: &[u8]) -> T {
        let key = STANDARD.decode(&self.tokens.tenant_key).unwrap();
        let key = VerifyingKey::from_bytes(&key.try_into().unwrap()).unwrap();
        let payload = envelope::open(purpose, raw, &key).unwrap();
        crate::spec::named(schema, &serde_json::from_slice(&payload).unwrap());
        serde_json::from_slice(&payload).unwrap()
    }

    /// Claims of an assertion that a cloud at `aud` believes at `now_s`.
    pub fn claims(&self, aud: &str, now_s: i64, jti: &str) -> Assertion {
        Assertion {
            iss: self.id().into(),
            sub: self.id().into(),
            aud: aud.into(),
            iat: now_s,
            exp: now_s + 60,
            jti: jti.into(),
        }
    }
}

/// A request in the making.
pub struct Call {
    method: Method,
    path: String,
    sent: Option<Value>,
    request: RequestBuilder,
}

impl Call {
    pub fn token(mut self, token: &str) -> Call {
        self.request = self.request.bearer_auth(token);
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Call {
        self.request = self.request.header(name, value);
        self
    }

    pub fn json(mut self, body: Value) -> Call {
        self.request = self.request.json(&body);
        self.sent = Some(body);
        self
    }

    pub fn bytes(mut self, body: &[u8]) -> Call {
        self.request = self.request.body(body.to_vec());
        self
    }

    /// The body is not what the file says, and the cloud takes it all the same.
    pub fn beyond_the_file(mut self) -> Call {
        self.sent = None;
        self
    }

    /// Sends it and holds the exchange to the file.
    pub async fn send(self) -> Reply {
        let response = self.request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = match status {
            StatusCode::SWITCHING_PROTOCOLS => Vec::new(),
            _ => response.bytes().await.unwrap().to_vec(),
        };
        let reply = Reply { status, headers, body };
        let media_type = reply.header("content-type");
        judge(&Exchange {
            method: self.method.as_str(),
            path: &self.path,
            sent: self.sent.as_ref(),
            status,
            media_type: media_type.split(';').next().unwrap_or_default(),
            got: &reply.body,
        });
        reply
    }

    /// Sends it and returns the status alone.
    pub async fn status(self) -> StatusCode {
        self.send().await.status
    }
}

#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: header::HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default().to_owned()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Reads a body of JSON; fails with its text if the status is not the one wanted.
    pub fn read<T: DeserializeOwned>(&self, want: StatusCode) -> T {
        assert_eq!(self.status, want, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }

    /// `error` of a refusal.
    pub fn error(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        body["error"].as_str().unwrap().to_owned()
    }
}

/// The smallest PNG there is room for a comment in.
pub fn png(comment: &str) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", comment.as_bytes()].concat()
}
