//! Assets: ranges, redirects, and answers that are not what was asked for.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_RANGE, LOCATION,
    RANGE,
};
use reqwest::{Client, Response, StatusCode, Url};

use super::headers;
use super::pace::Pace;
use crate::cloud::{Body, Part};
use crate::error::{CloudError, Failure};
use crate::session::Pass;

const CALL: &str = "GET asset";

/// A cloud points to an object store, the store to a mirror; more is a loop.
const REDIRECTS: usize = 5;

/// An asset on its way in.
#[derive(Debug)]
pub(crate) struct HttpBody {
    response: Response,
    from: u64,
    etag: Option<String>,
    host: String,
    pace: Pace,
}

impl Body for HttpBody {
    fn from(&self) -> u64 {
        self.from
    }

    fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    fn host(&self) -> &str {
        &self.host
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, CloudError> {
        match self.pace.watch(self.response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| failed(&self.host, error)),
            Err(slow) => Err(stalled(&self.host, slow.to_string())),
        }
    }
}

/// Fetches assets.
#[derive(Debug)]
pub(super) struct Assets {
    /// Never negotiates compression: ranges and digests are over the bytes themselves.
    pub(super) client: Client,
    /// A body is judged over this.
    pub(super) window: Duration,
}

/// Asks for `part` and follows redirects; credentials stay with the origin of `url`.
pub(super) async fn open(
    assets: &Assets,
    url: Url,
    pass: &Pass,
    part: Part,
) -> Result<HttpBody, CloudError> {
    let home = url.origin();
    let mut at = url;
    let mut proof = Some(headers::proof(pass)?);
    for _ in 0..=REDIRECTS {
        let host = host(&at);
        if part.avoid.contains(&host) {
            return Err(CloudError::new(CALL, Failure::PutOff { host }));
        }
        let response = ask(&assets.client, &at, proof.as_ref(), &part).await?;
        if response.status().is_success() {
            let (from, etag) = judge(&response, &part)?;
            let pace = Pace::over(assets.window);
            return Ok(HttpBody { response, from, etag, host, pace });
        }
        if !response.status().is_redirection() {
            return Err(super::refusal(CALL, response).await);
        }
        at = target(&at, &response)?;
        if at.origin() != home {
            // Gone for good: a way back home must not carry them either.
            proof = None;
        }
    }
    Err(strange(format!("redirected more than {REDIRECTS} times")))
}

async fn ask(
    client: &Client,
    at: &Url,
    proof: Option<&reqwest::header::HeaderMap>,
    part: &Part,
) -> Result<Response, CloudError> {
    let mut request = client.get(at.clone()).header(ACCEPT_ENCODING, "identity");
    if let Some(proof) = proof {
        request = request.headers(proof.clone());
    }
    if part.from > 0 {
        request = request.header(RANGE, format!("bytes={}-", part.from));
        if let Some(etag) = &part.etag {
            request = request.header(IF_RANGE, etag);
        }
    }
    request.send().await.map_err(|error| failed(&host(at), error))
}

/// Where a redirect leads, if that is a place to go.
fn target(at: &Url, response: &Response) -> Result<Url, CloudError> {
    let status = response.status().as_u16();
    let told = headers::text(response.headers(), &LOCATION)
        .ok_or_else(|| strange(format!("status {status} without a location")))?;
    let url = at.join(&told).map_err(|error| strange(format!("redirected nowhere: {error}")))?;
    headers::may_talk_to(&url).map_err(|why| strange(format!("redirected to what {why}")))?;
    Ok(url)
}

/// Lets an answer pass that is the part asked for, or the whole: its first byte and its validator.
fn judge(response: &Response, part: &Part) -> Result<(u64, Option<String>), CloudError> {
    let from = match response.status() {
        StatusCode::OK => 0,
        StatusCode::PARTIAL_CONTENT if part.from > 0 => part.from,
        status => return Err(strange(format!("status {status}, want 200 or 206"))),
    };
    kind(response, part)?;
    if from > 0 {
        range(response, part)?;
    }
    let (want, length) =
        (part.asset.size_bytes - from.min(part.asset.size_bytes), length(response));
    if length.is_some_and(|found| found != want) {
        return Err(strange(format!("{} bytes, want {want}", length.unwrap_or(0))));
    }
    let etag = headers::text(response.headers(), &ETAG).filter(|etag| etag.starts_with('"'));
    Ok((from, etag))
}

/// A hotel's login page comes with status 200; bytes in another coding have another digest.
fn kind(response: &Response, part: &Part) -> Result<(), CloudError> {
    let told = headers::text(response.headers(), &CONTENT_TYPE).unwrap_or_default();
    if told.starts_with("text/html") && !part.asset.media_type.starts_with("text/html") {
        return Err(strange(format!("a page, want {}; a login page?", part.asset.media_type)));
    }
    match headers::text(response.headers(), &CONTENT_ENCODING).as_deref() {
        None | Some("identity") => Ok(()),
        Some(other) => Err(strange(format!("coded as {:?}, want identity", super::quote(other)))),
    }
}

fn range(response: &Response, part: &Part) -> Result<(), CloudError> {
    let size = part.asset.size_bytes;
    match headers::content_range(response.headers()) {
        Some((first, last, whole))
            if first == part.from && last + 1 == size && whole.is_none_or(|w| w == size) =>
        {
            Ok(())
        }
        found => {
            let wanted = format!("bytes {}-{}/{size}", part.from, size.saturating_sub(1));
            let text = format!("range is {found:?}, want {wanted}");
            Err(CloudError::new(CALL, Failure::Range(text)))
        }
    }
}

fn length(response: &Response) -> Option<u64> {
    response.headers().get(CONTENT_LENGTH).and_then(headers::number)
}

/// Whoever answers there, as one word. Not the whole address: those of object stores hold signatures.
fn host(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or(0);
    format!("{}:{port}", url.host_str().unwrap_or_default())
}

fn failed(host: &str, error: reqwest::Error) -> CloudError {
    if error.is_timeout() {
        return stalled(host, crate::error::chain(&error.without_url()));
    }
    super::unreachable(CALL, error)
}

fn stalled(host: &str, why: String) -> CloudError {
    CloudError::new(CALL, Failure::Stalled { host: host.into(), why })
}

fn strange(text: String) -> CloudError {
    CloudError::new(CALL, Failure::Strange(text))
}
