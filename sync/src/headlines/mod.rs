//! The headlines of a news feed: RSS, Atom or JSON Feed, made into lines for a ticker.
//!
//! In:  the bytes that a server sent, and what it said of them.
//! Out: plain lines, newest first as the feed has them, or what is wrong.
//!
//! Promises, each held by a test: no markup, no entity and no control character is left in a line;
//! what is no feed, or breaks off, is an error and never an empty list; lines, their lengths and
//! what is read of a feed are bounded ([`vitrine_config::limits`]).
//!
//! Not here: fetching (`http::feeds`), when (`shell::news`).

mod json;
mod plain;
pub(crate) mod shelf;
mod xml;

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

/// Bytes in which an XML declaration says how the rest is encoded.
const DECLARATION_BYTES: usize = 256;

/// Reads a feed of whatever kind. `media_type`: as the server had it.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn read(bytes: &[u8], media_type: Option<&str>) -> Result<Vec<String>, String> {
    let text = decoded(bytes, media_type);
    let lines = match text.trim_start().starts_with('{') {
        true => json::read(&text)?,
        false => xml::read(&text)?,
    };
    if lines.is_empty() { Err("is a feed without a single headline".into()) } else { Ok(lines) }
}

/// As the server says, else as the text says of itself, else UTF-8; a mark at its start beats all.
fn decoded<'a>(bytes: &'a [u8], media_type: Option<&str>) -> Cow<'a, str> {
    let head = bytes.get(..DECLARATION_BYTES).unwrap_or(bytes);
    let head = String::from_utf8_lossy(head);
    let declared = head.trim_start().starts_with("<?xml").then(|| value(&head, "encoding="));
    let charset = media_type.and_then(|kind| value(kind, "charset="));
    let label = charset.or(declared.flatten());
    let encoding = label.and_then(|label| Encoding::for_label(label.as_bytes())).unwrap_or(UTF_8);
    encoding.decode(bytes).0
}

/// What follows `key`, with or without quotes.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let from = text.to_ascii_lowercase().find(key)? + key.len();
    let rest = text.get(from..)?.trim_start_matches(['"', '\'']);
    rest.split(['"', '\'', ';', ' ', '?']).next().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
