//! News feeds: other people's servers, asked without a word of who we are.
//!
//! In:  an address from a manifest, what was kept of the last answer.
//! Out: the bytes of another state of it, or that there is none.
//!
//! Promises: no token, tenant, device or cookie is sent; a redirect never leads from an encrypted
//! address to one that is not; the whole answer is bounded in size and time, after decompression.
//!
//! Not here: what the bytes say (`headlines`), when to ask (`shell::news`).

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    ACCEPT, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use reqwest::{Client, StatusCode, Url, redirect};
use vitrine_config::limits;

use super::{CONNECT, SettingsError, Way, build, by, headers, refusal, tls};
use crate::error::CloudError;
use crate::headlines::shelf::Kept;

/// From start to end, redirects and all: 2 MiB at 70 kB/s.
const CALL: Duration = Duration::from_secs(30);
/// More is a loop.
const REDIRECTS: usize = 4;
const NAME: &str = "GET feed";
const KINDS: &str = "application/feed+json, application/rss+xml, application/atom+xml, \
                     application/rdf+xml, application/json;q=0.9, application/xml;q=0.9, \
                     text/xml;q=0.9, */*;q=0.1";

/// What asks for feeds.
#[derive(Debug, Clone)]
pub(crate) struct Feeds {
    client: Client,
}

/// Another state of a feed.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) bytes: Bytes,
    pub(crate) media_type: Option<String>,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
}

impl Feeds {
    /// Connects to nobody.
    pub(crate) fn new(way: &Way, release: &str) -> Result<Feeds, SettingsError> {
        let builder = Client::builder()
            .tls_backend_preconfigured(tls::config(way.ca_file.as_deref())?)
            .user_agent(format!("vitrine/{release}"))
            .redirect(redirect::Policy::custom(follow))
            .referer(false)
            .connect_timeout(CONNECT)
            .timeout(CALL);
        let builder = match &way.proxy {
            Some(proxy) => builder.proxy(by(proxy)?),
            None => builder,
        };
        Ok(Feeds { client: build(builder)? })
    }

    /// What is at `url` now; None: what was kept, or the same again.
    pub(crate) async fn fetch(
        &self,
        url: &str,
        kept: Option<&Kept>,
    ) -> Result<Option<Fetched>, CloudError> {
        let mut request = self.client.get(url).header(ACCEPT, KINDS);
        if let Some(etag) = kept.and_then(|kept| kept.etag.as_ref()) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(at) = kept.and_then(|kept| kept.last_modified.as_ref()) {
            request = request.header(IF_MODIFIED_SINCE, at);
        }
        let response = request.send().await.map_err(|error| super::unreachable(NAME, error))?;
        match response.status() {
            StatusCode::NOT_MODIFIED if kept.is_some() => return Ok(None),
            status if status.is_success() => {}
            _ => return Err(refusal(NAME, response).await),
        }
        let text = |name| headers::text(response.headers(), name);
        let (media_type, etag) = (text(&CONTENT_TYPE), text(&ETAG));
        let last_modified = text(&LAST_MODIFIED);
        let bytes = super::body(NAME, response, limits::FEED_BYTES).await?;
        Ok(Some(Fetched { bytes, media_type, etag, last_modified }))
    }
}

fn follow(attempt: redirect::Attempt) -> redirect::Action {
    let from = attempt.previous().last().map(Url::scheme);
    if attempt.previous().len() > REDIRECTS {
        return attempt.error("too many redirects");
    }
    if from == Some("https") && attempt.url().scheme() != "https" {
        return attempt.error("a redirect from https to cleartext");
    }
    attempt.follow()
}
