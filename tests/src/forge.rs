//! A man in the middle: passes everything on, except the manifest when told to forge it.

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use serde_json::Value;
use vitrine_wire::envelope::{Envelope, Purpose, seal};

/// Longest body passed on: the media of the tests are smaller.
const BODY_BYTES: usize = 64 << 20;

/// A running man in the middle; ends with the process.
pub struct Forger {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    seen: Mutex<Option<Vec<u8>>>,
    forged: Mutex<Option<Vec<u8>>>,
    served: Mutex<u64>,
}

impl Forger {
    /// Stands between a free loopback port and `upstream`, `http://host:port`.
    pub fn start(upstream: &str) -> io::Result<Forger> {
        // Whoever comes first wins; all want the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            client: reqwest::Client::builder().no_proxy().build().map_err(io::Error::other)?,
            seen: Mutex::default(),
            forged: Mutex::default(),
            served: Mutex::default(),
        });
        let app = Router::new().fallback(pass).with_state(shared.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("forger".into()).spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, app).await
            })
        })?;
        Ok(Forger { url, shared })
    }

    /// Base URL for the player.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The last genuine envelope that went by.
    pub fn genuine(&self) -> Option<Vec<u8>> {
        lock(&self.shared.seen).clone()
    }

    /// From now on this is served as the manifest; None: the genuine one again.
    pub fn forge(&self, envelope: Option<Vec<u8>>) {
        *lock(&self.shared.forged) = envelope;
        *lock(&self.shared.served) = 0;
    }

    /// How often the forged manifest was served.
    pub fn served(&self) -> u64 {
        *lock(&self.shared.served)
    }
}

/// Opens a genuine envelope without proving it, lets `change` at its payload, signs with `key`.
pub fn remake(envelope: &[u8], key: &SigningKey, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let envelope: Envelope = serde_json::from_slice(envelope).unwrap_or_else(|e| panic!("{e}"));
    let payload = STANDARD.decode(envelope.payload).unwrap_or_else(|e| panic!("{e}"));
    let mut payload: Value = serde_json::from_slice(&payload).unwrap_or_else(|e| panic!("{e}"));
    change(&mut payload);
    let forged = seal(Purpose::Manifest, payload.to_string().as_bytes(), &[key]);
    serde_json::to_vec(&forged).unwrap_or_else(|e| panic!("{e}"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let is_manifest = request.uri().path() == "/api/v3/manifest";
    if is_manifest && let Some(forged) = lock(&shared.forged).clone() {
        *lock(&shared.served) += 1;
        return ([("content-type", "application/json"), ("etag", "\"forged\"")], forged)
            .into_response();
    }
    let answer = forward(&shared, request).await;
    answer.unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, error.to_string()).into_response())
}

async fn forward(
    shared: &Shared,
    request: Request,
) -> Result<Response, Box<dyn std::error::Error + Send + Sync>> {
    let is_manifest = request.uri().path() == "/api/v3/manifest";
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let url = format!("{}{path}", shared.upstream);
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES).await?;
    let ask = shared.client.request(parts.method, url).headers(parts.headers).body(body);
    let answer = ask.send().await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await?;
    if is_manifest && status.is_success() && !headers.contains_key("content-encoding") {
        *lock(&shared.seen) = Some(body.to_vec());
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().remove("transfer-encoding");
    Ok(response)
}
