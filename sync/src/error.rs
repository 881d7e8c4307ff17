//! What can go wrong between us and the cloud, and at start.

use std::time::Duration;

use jiff::Timestamp;

use crate::identity::IdentityError;
use crate::store::StoreError;

/// A call to the cloud that brought no answer of use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {failure}")]
pub(crate) struct CloudError {
    /// Method and path.
    pub(crate) call: &'static str,
    /// What happened.
    pub(crate) failure: Failure,
    /// What the other side asked for.
    pub(crate) retry_after: Option<Duration>,
    /// Its clock, if it said.
    pub(crate) server_time: Option<Timestamp>,
}

/// What happened to a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// No connection, no name, no trust, cut, too slow.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// A host that is silent or drips; it may be slow for everything that lies there.
    #[error("{host} is too slow: {why}")]
    Stalled {
        /// Whose fault it is.
        host: String,
        /// For a person.
        why: String,
    },
    /// Not asked: the host was too slow lately, and others are to come first.
    #[error("{host} was too slow lately; put off")]
    PutOff {
        /// Whom we spare ourselves.
        host: String,
    },
    /// A part of a file, but not the one asked for.
    #[error("not the part asked for: {0}")]
    Range(String),
    /// An answer that acknowledges nothing.
    #[error("none of {sent} records is acknowledged")]
    NotTaken {
        /// How many were sent.
        sent: usize,
    },
    /// A refusal.
    #[error("refused with status {status}: {error} {description}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// [`vitrine_wire::auth::Problem::error`], empty if there is none.
        error: String,
        /// For a person.
        description: String,
    },
    /// An answer that is none in this protocol, such as a hotel's login page.
    #[error("not an answer of this protocol: {0}")]
    Strange(String),
}

impl CloudError {
    /// A failure with nothing known besides.
    pub(crate) fn new(call: &'static str, failure: Failure) -> CloudError {
        CloudError { call, failure, retry_after: None, server_time: None }
    }

    /// Machine-readable reason of a refusal, empty for anything else.
    pub(crate) fn problem(&self) -> &str {
        match &self.failure {
            Failure::Refused { error, .. } => error,
            _ => "",
        }
    }

    /// HTTP status of a refusal.
    pub(crate) fn status(&self) -> Option<u16> {
        match &self.failure {
            Failure::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether nobody answered, so that other calls would fare no better.
    pub(crate) fn is_line(&self) -> bool {
        matches!(self.failure, Failure::Unreachable(_) | Failure::Stalled { .. })
    }

    /// Whether another access token may help.
    pub(crate) fn wants_token(&self) -> bool {
        self.status() == Some(401)
    }
}

/// Why sync could not be started. Everything that playing can go on without is an
/// [`crate::Event::Trouble`] instead.
#[derive(Debug, thiserror::Error)]
#[error("sync: {action}: {why}")]
pub struct StartError {
    pub(crate) action: &'static str,
    pub(crate) why: String,
}

impl StartError {
    /// `error` with the chain of its causes.
    pub(crate) fn new(action: &'static str, error: &dyn std::error::Error) -> StartError {
        StartError { action, why: chain(error) }
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> StartError {
        StartError::new("open the store", &error)
    }
}

impl From<IdentityError> for StartError {
    fn from(error: IdentityError) -> StartError {
        StartError::new("read who this device is", &error)
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        // Some libraries repeat the cause in their own text.
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}
