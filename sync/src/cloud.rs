//! The seam to the cloud: what may be asked of it. `http` is the real one, tests bring their own.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use vitrine_wire::Digest;
use vitrine_wire::auth::{PairingAnswer, PairingRequest, TokenAnswer, TokenRequest};
use vitrine_wire::event::Hint;
use vitrine_wire::record::{Acknowledged, Batch};

use crate::error::CloudError;
use crate::model::Asset;
use crate::session::Pass;

/// An answer, and the clock of who gave it.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    /// What was asked for.
    pub(crate) value: T,
    /// The `Date` header.
    pub(crate) server_time: Option<Timestamp>,
}

/// What a call brings.
pub(crate) type Told<T> = Result<Answer<T>, CloudError>;

/// The answer to the question for news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Polled {
    /// The manifest.
    pub(crate) news: News,
    /// `ETag` of the orders that wait, if there are any.
    pub(crate) orders: Option<String>,
}

/// The answer to a conditional ask for an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// What the `ETag` named is still in force.
    Unchanged,
    /// An envelope, unproved, within the limits of size.
    Envelope {
        /// As it came.
        raw: Bytes,
        /// For the next ask.
        etag: Option<String>,
    },
}

/// Which part of an asset.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// Which asset, and what it must be like.
    pub(crate) asset: Asset,
    /// The first byte wanted; the rest follows.
    pub(crate) from: u64,
    /// Validator of the answer that the bytes before came from, if it is known still.
    pub(crate) etag: Option<String>,
    /// Hosts that are not to be asked now, as [`Body::host`] names them.
    pub(crate) avoid: Arc<BTreeSet<String>>,
}

impl Part {
    /// Its name.
    pub(crate) fn digest(&self) -> Digest {
        self.asset.sha256
    }
}

/// Bytes on their way in.
pub(crate) trait Body: Send + 'static {
    /// Where the first byte belongs: what was asked for, or 0 from a server that knows no ranges.
    fn from(&self) -> u64;

    /// Strong validator for a later resumption.
    fn etag(&self) -> Option<&str>;

    /// Who sends them; a redirect may have led anywhere.
    fn host(&self) -> &str;

    /// The next bytes; None after the last. Ends with an error when too few come.
    fn chunk(&mut self) -> impl Future<Output = Result<Option<Bytes>, CloudError>> + Send;
}

/// The push channel.
pub(crate) trait Hints: Send + 'static {
    /// The next hint. Ends with an error only, at the latest when the other side is silent too long.
    /// May be dropped and asked again: nothing is lost.
    fn hint(&mut self) -> impl Future<Output = Result<Hint, CloudError>> + Send;

    /// Sends records; a hint answers.
    fn tell(&mut self, batch: &Batch) -> impl Future<Output = Result<(), CloudError>> + Send;
}

/// The calls of protocol v3. Each ends by itself when the other side falls silent, holds bounded
/// memory, and may be dropped at any time.
pub(crate) trait Cloud: Send + Sync + 'static {
    /// See [`Body`].
    type Body: Body;
    /// See [`Hints`].
    type Hints: Hints;

    /// Asks for a code to show.
    fn pairing(&self, ask: PairingRequest) -> impl Future<Output = Told<PairingAnswer>> + Send;

    /// Asks for tokens.
    fn token(&self, ask: TokenRequest) -> impl Future<Output = Told<TokenAnswer>> + Send;

    /// Asks for the manifest, unless it is the one that `etag` names.
    fn manifest(
        &self,
        pass: Pass,
        etag: Option<String>,
    ) -> impl Future<Output = Told<Polled>> + Send;

    /// Asks for the orders, unless they are those that `etag` names.
    fn orders(&self, pass: Pass, etag: Option<String>) -> impl Future<Output = Told<News>> + Send;

    /// Asks for the release index, unless it is the one that `etag` names.
    fn releases(&self, pass: Pass, etag: Option<String>)
    -> impl Future<Output = Told<News>> + Send;

    /// Asks for an asset or the rest of one. Length and kind of the answer fit when this returns.
    fn asset(
        &self,
        pass: Pass,
        part: Part,
    ) -> impl Future<Output = Result<Self::Body, CloudError>> + Send;

    /// Hands over records.
    fn records(&self, pass: Pass, batch: Batch) -> impl Future<Output = Told<Acknowledged>> + Send;

    /// Hands over the picture that an order asked for.
    fn screenshot(
        &self,
        pass: Pass,
        order: String,
        png: Arc<Vec<u8>>,
    ) -> impl Future<Output = Told<()>> + Send;

    /// Opens the push channel.
    fn hints(&self, pass: Pass) -> impl Future<Output = Result<Self::Hints, CloudError>> + Send;
}
