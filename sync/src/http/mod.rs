//! The cloud over HTTPS.
//!
//! In:  the base URL, an optional private authority, calls.
//! Out: answers within limits of time, size and kind, or a [`CloudError`].
//!
//! Promises: TLS 1.2 or later with the system's authorities; cleartext to loopback only, also after
//! a redirect; only assets may be redirected, and credentials never follow to another origin; bodies
//! are measured while they stream; no token and no address with a token in it gets into a text.
//!
//! Not here: when to call and what to do about an answer (`shell`, `session`).

mod assets;
pub(crate) mod feeds;
mod headers;
mod pace;
mod push;
pub mod reach;
mod tls;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, StatusCode, Url, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use vitrine_config::limits;
use vitrine_config::model::Secret;
use vitrine_wire::auth::{PairingAnswer, PairingRequest, Problem, TokenAnswer, TokenRequest};
use vitrine_wire::order;
use vitrine_wire::record::{Acknowledged, Batch};
use vitrine_wire::release::INDEX_BYTES;

use crate::cloud::{Answer, Cloud, News, Part, Polled, Told};
use crate::error::{CloudError, Failure, chain};
use crate::session::Pass;

/// Name resolution, TCP and TLS together: three lost SYNs.
const CONNECT: Duration = Duration::from_secs(10);
/// Silence on an open connection after which it counts as dead.
const SILENCE: Duration = Duration::from_secs(30);
/// A JSON call from start to end: 4 MiB at 70 kB/s.
const CALL: Duration = Duration::from_secs(60);
/// A screenshot upload from start to end: a slow uplink carries 8 MiB at 30 kB/s.
const UPLOAD: Duration = Duration::from_secs(300);
/// Dead HTTP/2 connections are noticed by this, twice.
const PING: Duration = Duration::from_secs(15);
/// Any answer but a manifest or an asset: 200 record ids are 8 kB.
const ANSWER_BYTES: usize = 256 << 10;
/// A text of the cloud that gets into ours.
const QUOTE_CHARS: usize = 200;

/// Why there is no way to the cloud at all, whatever the network does.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// Not an address that is used.
    #[error("cloud.url {url:?}: {why}; want https://…, or http:// to a loopback address")]
    Url {
        /// As configured.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The private authority.
    #[error("cloud.ca_file {path}: {why}; want a PEM file with certificates")]
    Authority {
        /// As configured.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The proxy; its address may hold a password.
    #[error("cloud.proxy is not usable; want http://[name:password@]host:port")]
    Proxy,
    /// The TLS library refuses.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Whom to trust and by whom to go.
#[derive(Debug, Clone, Default)]
pub struct Way {
    /// A private authority, trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// None: as the environment says.
    pub proxy: Option<Secret>,
}

/// The cloud at one base URL. Connections are kept and shared.
pub(crate) struct Http {
    base: Url,
    /// Negotiates compression.
    calls: Client,
    assets: assets::Assets,
    /// Offers HTTP/1.1 alone: the push channel is an upgrade of it.
    channel: Client,
}

impl Http {
    /// Checks the settings and reads the authorities; connects to nobody.
    pub(crate) fn new(url: &str, way: &Way, release: &str) -> Result<Http, SettingsError> {
        let base = base(url)?;
        let mut tls = tls::config(way.ca_file.as_deref())?;
        let common = |tls: &rustls::ClientConfig| common(&base, way.proxy.as_ref(), tls, release);
        let calls = build(common(&tls)?)?;
        let client = build(common(&tls)?.no_gzip().no_zstd())?;
        let assets = assets::Assets { client, window: pace::WINDOW };
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let channel = build(common(&tls)?)?;
        Ok(Http { base, calls, assets, channel })
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let prefix = self.base.path().trim_end_matches('/');
        url.set_path(&format!("{prefix}{path}"));
        url
    }

    async fn post<T: DeserializeOwned>(
        &self,
        call: &'static str,
        path: &str,
        pass: Option<&Pass>,
        body: &impl Serialize,
    ) -> Told<T> {
        let request = self.calls.post(self.url(path)).timeout(CALL).json(body);
        let response = send(call, with(request, pass)?).await?;
        let server_time = headers::server_time(response.headers());
        let body = json(call, response, ANSWER_BYTES).await?;
        let value = serde_json::from_slice(&body)
            .map_err(|error| CloudError::new(call, Failure::Strange(error.to_string())))?;
        Ok(Answer { value, server_time })
    }
}

impl Http {
    /// Asks for a signed envelope of at most so many bytes, unless it is the one that is known.
    async fn envelope(
        &self,
        call: &'static str,
        path: &str,
        (pass, etag): (&Pass, Option<String>),
        most_bytes: usize,
    ) -> Result<(Answer<News>, HeaderMap), CloudError> {
        let mut request = with(self.calls.get(self.url(path)).timeout(CALL), Some(pass))?;
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let response = send(call, request).await?;
        let headers = response.headers().clone();
        let server_time = headers::server_time(&headers);
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok((Answer { value: News::Unchanged, server_time }, headers));
        }
        let etag = headers::text(&headers, &ETAG);
        let raw = json(call, response, most_bytes).await?;
        Ok((Answer { value: News::Envelope { raw, etag }, server_time }, headers))
    }
}

impl Cloud for Http {
    type Body = assets::HttpBody;
    type Hints = push::Socket;

    async fn pairing(&self, ask: PairingRequest) -> Told<PairingAnswer> {
        self.post("POST pairing", "/api/v3/pairing", None, &ask).await
    }

    async fn token(&self, ask: TokenRequest) -> Told<TokenAnswer> {
        self.post("POST token", "/api/v3/token", None, &ask).await
    }

    async fn manifest(&self, pass: Pass, etag: Option<String>) -> Told<Polled> {
        let (call, most) = ("GET manifest", limits::MANIFEST_DECODED_BYTES);
        let (answer, headers) =
            self.envelope(call, "/api/v3/manifest", (&pass, etag), most).await?;
        let orders = headers::text(&headers, &HeaderName::from_static(order::HEADER));
        let Answer { value: news, server_time } = answer;
        Ok(Answer { value: Polled { news, orders }, server_time })
    }

    async fn orders(&self, pass: Pass, etag: Option<String>) -> Told<News> {
        let (call, path) = ("GET orders", "/api/v3/orders");
        Ok(self.envelope(call, path, (&pass, etag), ANSWER_BYTES).await?.0)
    }

    async fn releases(&self, pass: Pass, etag: Option<String>) -> Told<News> {
        let (call, path) = ("GET releases", "/api/v3/releases");
        Ok(self.envelope(call, path, (&pass, etag), INDEX_BYTES).await?.0)
    }

    async fn asset(&self, pass: Pass, part: Part) -> Result<assets::HttpBody, CloudError> {
        assets::open(
            &self.assets,
            self.url(&format!("/api/v3/assets/{}", part.digest())),
            &pass,
            part,
        )
        .await
    }

    async fn records(&self, pass: Pass, batch: Batch) -> Told<Acknowledged> {
        self.post("POST records", "/api/v3/records", Some(&pass), &batch).await
    }

    async fn screenshot(&self, pass: Pass, order: String, png: Arc<Vec<u8>>) -> Told<()> {
        let mut url = self.url("/api/v3/screenshots");
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(&order);
        }
        let body = Bytes::from_owner(Picture(png));
        let request = self.calls.put(url).timeout(UPLOAD).header(CONTENT_TYPE, "image/png");
        let response = send("PUT screenshot", with(request, Some(&pass))?.body(body)).await?;
        Ok(Answer { value: (), server_time: headers::server_time(response.headers()) })
    }

    async fn hints(&self, pass: Pass) -> Result<push::Socket, CloudError> {
        push::open(&self.channel, self.url("/api/v3/events"), &pass).await
    }
}

/// Lends the shared bytes to a request without a copy.
struct Picture(Arc<Vec<u8>>);

impl AsRef<[u8]> for Picture {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn base(text: &str) -> Result<Url, SettingsError> {
    let wrong = |why: &str| SettingsError::Url { url: text.into(), why: why.into() };
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("holds a query or fragment"));
    }
    headers::may_talk_to(&url).map_err(|why| wrong(&why))?;
    Ok(url)
}

fn common(
    base: &Url,
    proxy: Option<&Secret>,
    tls: &rustls::ClientConfig,
    release: &str,
) -> Result<ClientBuilder, SettingsError> {
    let builder = Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .user_agent(format!("vitrine/{release}"))
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(PING);
    // A proxy is for the way out of the house.
    Ok(match proxy {
        _ if base.scheme() == "http" => builder.no_proxy(),
        Some(proxy) => builder.proxy(by(proxy)?),
        None => builder,
    })
}

/// The library says nothing of the address that it does not take, and neither do we.
fn by(proxy: &Secret) -> Result<reqwest::Proxy, SettingsError> {
    reqwest::Proxy::https(proxy.reveal()).map_err(|_| SettingsError::Proxy)
}

fn build(builder: ClientBuilder) -> Result<Client, SettingsError> {
    builder.build().map_err(|error| SettingsError::Tls(chain(&error)))
}

/// Adds what proves a request.
fn with(request: RequestBuilder, pass: Option<&Pass>) -> Result<RequestBuilder, CloudError> {
    let Some(pass) = pass else { return Ok(request) };
    Ok(request.headers(headers::proof(pass)?))
}

/// Sends and takes success or 304; anything else becomes an error with what the cloud said.
async fn send(call: &'static str, request: RequestBuilder) -> Result<Response, CloudError> {
    let response = request.send().await.map_err(|error| unreachable(call, error))?;
    let status = response.status();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        return Ok(response);
    }
    Err(refusal(call, response).await)
}

/// What a refusing answer says.
async fn refusal(call: &'static str, response: Response) -> CloudError {
    let status = response.status().as_u16();
    let server_time = headers::server_time(response.headers());
    let retry_after = headers::retry_after(response.headers(), server_time);
    // What it has to say is not worth a wait without end.
    let body = timeout(SILENCE, body(call, response, ANSWER_BYTES)).await;
    let body = body.ok().and_then(Result::ok).unwrap_or_default();
    let problem = serde_json::from_slice::<Problem>(&body).ok();
    let (error, description) =
        problem.map_or_else(Default::default, |p| (quote(&p.error), quote(&p.error_description)));
    let failure = Failure::Refused { status, error, description };
    CloudError { call, failure, retry_after, server_time }
}

/// The whole body of an answer that says it is JSON.
async fn json(call: &'static str, response: Response, most: usize) -> Result<Bytes, CloudError> {
    let kind = headers::text(response.headers(), &CONTENT_TYPE).unwrap_or_default();
    if !kind.starts_with("application/json") {
        let text = format!("content type is {:?}, want application/json", quote(&kind));
        return Err(CloudError::new(call, Failure::Strange(text)));
    }
    if let Some(bytes) = response.headers().get(CONTENT_LENGTH).and_then(headers::number)
        && bytes > limits::MANIFEST_WIRE_BYTES as u64
    {
        let text = format!("{bytes} bytes, at most {} are read", limits::MANIFEST_WIRE_BYTES);
        return Err(CloudError::new(call, Failure::Strange(text)));
    }
    body(call, response, most).await
}

/// The whole body, measured after decompression while it comes.
async fn body(call: &'static str, mut from: Response, most: usize) -> Result<Bytes, CloudError> {
    let mut all = BytesMut::new();
    while let Some(chunk) = from.chunk().await.map_err(|error| unreachable(call, error))? {
        if all.len() + chunk.len() > most {
            let text = format!("longer than {most} bytes");
            return Err(CloudError::new(call, Failure::Strange(text)));
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.freeze())
}

fn unreachable(call: &'static str, error: reqwest::Error) -> CloudError {
    // Addresses of object stores hold signatures.
    CloudError::new(call, Failure::Unreachable(chain(&error.without_url())))
}

/// Foreign text, cut and made harmless for a log.
fn quote(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(QUOTE_CHARS).collect()
}

#[cfg(test)]
mod tests;
