//! What can go wrong, and how it is told.
//!
//! A refusal is the asker's to mend and says how; anything else is ours, goes to the log in full
//! and to the asker as a bare 500.

use std::fmt;
use std::io;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The asker can mend it.
    #[error("{0}")]
    Refused(Refusal),
    /// SQLite failed.
    #[error("database: {0}")]
    Database(#[from] rusqlite::Error),
    /// The file system failed.
    #[error("{action}: {source}")]
    Io {
        /// What was tried, with the path.
        action: String,
        /// How it failed.
        source: io::Error,
    },
    /// Something the cloud itself wrote cannot be read back or made.
    #[error("{0}")]
    Broken(String),
}

/// An answer that says no.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    code: &'static str,
    text: String,
    retry_after_s: Option<i64>,
    problems: Vec<Complaint>,
}

/// One thing that is wrong in what an operator sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Complaint {
    /// Where, such as `playlists.menu.items[3].asset`.
    pub place: String,
    /// What, wanted, found.
    pub text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

impl Error {
    /// A refusal with a machine-readable code and a text for people.
    pub fn refused(status: StatusCode, code: &'static str, text: impl Into<String>) -> Self {
        let (text, problems) = (text.into(), Vec::new());
        Error::Refused(Refusal { status, code, text, retry_after_s: None, problems })
    }

    /// 400: the request itself is wrong.
    pub fn bad(text: impl Into<String>) -> Self {
        Error::refused(StatusCode::BAD_REQUEST, "bad_request", text)
    }

    /// 404: there is no such thing, or it is another tenant's.
    pub fn missing(text: impl Into<String>) -> Self {
        Error::refused(StatusCode::NOT_FOUND, "not_found", text)
    }

    /// 429 or 503 with the time after which it is worth another try.
    pub fn later(status: StatusCode, code: &'static str, text: &str, retry_after_s: i64) -> Self {
        let (text, retry_after_s) = (text.to_owned(), Some(retry_after_s));
        Error::Refused(Refusal { status, code, text, retry_after_s, problems: Vec::new() })
    }

    /// 422: everything that is wrong in what an operator sent, at once.
    pub fn content(problems: Vec<Complaint>) -> Self {
        let lines = problems.iter().map(|p| format!("{}: {}", p.place, p.text));
        let text = lines.collect::<Vec<_>>().join("\n");
        let (status, code) = (StatusCode::UNPROCESSABLE_ENTITY, "invalid_content");
        Error::Refused(Refusal { status, code, text, retry_after_s: None, problems })
    }

    /// A failed file operation.
    pub fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Error::Io { action, source }
    }

    /// The answer that tells it.
    fn refusal(self) -> Refusal {
        let (status, code, text) = match self {
            Error::Refused(refusal) => return refusal,
            Error::Io { ref source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                tracing::warn!(error = %self, "disk full");
                (StatusCode::INSUFFICIENT_STORAGE, "disk_full", "the cloud's disk is full")
            }
            other => {
                tracing::error!(error = %other, "request failed");
                let text = "the cloud failed; its log says why";
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", text)
            }
        };
        let text = text.to_owned();
        Refusal { status, code, text, retry_after_s: None, problems: Vec::new() }
    }

    /// Code and text of a refusal that is no answer to a request.
    pub fn named(self) -> (String, String) {
        let refusal = self.refusal();
        (refusal.code.to_owned(), refusal.text)
    }

    /// The text for a page that a person reads.
    pub fn told(self) -> (StatusCode, String) {
        let refusal = self.refusal();
        (refusal.status, refusal.text)
    }
}

/// Body of a refusal: `vitrine_wire::auth::Problem`, and the single problems where there are some.
#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: &'a str,
    #[serde(skip_serializing_if = "<[Complaint]>::is_empty")]
    problems: &'a [Complaint],
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let refusal = self.refusal();
        let body = axum::Json(Body {
            error: refusal.code,
            error_description: &refusal.text,
            problems: &refusal.problems,
        });
        let mut response = (refusal.status, body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = refusal.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if refusal.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
