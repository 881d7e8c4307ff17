//! Header fields and addresses, read and written.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::Url;
use reqwest::header::{
    AUTHORIZATION, CONTENT_RANGE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};

use crate::error::{CloudError, Failure};
use crate::session::Pass;

/// Not taken for a time: nobody's clock is that wrong, and it must not be passed on.
const TOO_EARLY_S: i64 = 1_577_836_800;

/// Bearer token and tenant.
pub(super) fn proof(pass: &Pass) -> Result<HeaderMap, CloudError> {
    let wrong = |_| CloudError::new("make headers", Failure::Strange("token no header".into()));
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", pass.token)).map_err(wrong)?;
    bearer.set_sensitive(true);
    let tenant = HeaderValue::try_from(&pass.tenant).map_err(wrong)?;
    let tenant_name = HeaderName::from_static("x-tenant");
    Ok(HeaderMap::from_iter([(AUTHORIZATION, bearer), (tenant_name, tenant)]))
}

/// A field as text.
pub(super) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// A field as a number.
pub(super) fn number(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.parse().ok()
}

/// The other side's clock.
pub(super) fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    let at = date(&text(headers, &DATE)?)?;
    (at.as_second() > TOO_EARLY_S).then_some(at)
}

/// What the other side asks to wait: seconds, or a date by its own clock.
pub(super) fn retry_after(headers: &HeaderMap, now: Option<Timestamp>) -> Option<Duration> {
    let told = text(headers, &RETRY_AFTER)?;
    if let Ok(seconds) = told.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let wait = date(&told)?.duration_since(now?);
    Some(Duration::try_from(wait).unwrap_or_default())
}

/// First and last byte and the length of the whole, of `bytes 5-9/10`. The length may be unknown.
pub(super) fn content_range(headers: &HeaderMap) -> Option<(u64, u64, Option<u64>)> {
    let told = text(headers, &CONTENT_RANGE)?;
    let (range, whole) = told.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let whole = if whole == "*" { None } else { Some(whole.parse().ok()?) };
    Some((first.parse().ok()?, last.parse().ok()?, whole))
}

/// Whether an address may be asked at all: encrypted, or on this machine.
pub(super) fn may_talk_to(url: &Url) -> Result<(), String> {
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or("names no host")?;
    let local = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if local => Ok(()),
        "http" => Err("is cleartext to another machine".into()),
        other => Err(format!("is of scheme {other:?}")),
    }
}

fn date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::try_from(value).unwrap())])
    }

    #[test]
    fn retry_after_in_both_spellings() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (case, text, want) in [
            ("seconds", "120", Some(120)),
            ("a date", "Thu, 01 Jan 2026 00:01:00 GMT", Some(60)),
            ("a date gone by", "Wed, 31 Dec 2025 00:01:00 GMT", Some(0)),
            ("negative", "-5", None),
            ("nonsense", "soon", None),
        ] {
            let got = retry_after(&headers(RETRY_AFTER, text), Some(now));
            assert_eq!(got, want.map(Duration::from_secs), "case {case:?}");
        }
    }

    #[test]
    fn dates_of_servers_without_a_clock_are_not_believed() {
        let read = |text| server_time(&headers(DATE, text));
        assert!(read("Thu, 01 Jan 2026 00:00:00 GMT").is_some());
        assert_eq!(read("Thu, 01 Jan 1970 00:00:07 GMT"), None);
    }

    #[test]
    fn content_range_table() {
        for (text, want) in [
            ("bytes 5-9/10", Some((5, 9, Some(10)))),
            ("bytes 5-9/*", Some((5, 9, None))),
            ("bytes */10", None),
            ("items 5-9/10", None),
            ("bytes 5-9", None),
        ] {
            assert_eq!(content_range(&headers(CONTENT_RANGE, text)), want, "{text:?}");
        }
    }

    #[test]
    fn cleartext_stays_on_this_machine() {
        for (url, want) in [
            ("https://cloud.example", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost:1", true),
            ("http://acme.localhost:1", true),
            ("http://cloud.example", false),
            ("http://10.0.0.1", false),
            ("http://localhost.example", false),
            ("http://127.0.0.1.example", false),
            ("ftp://127.0.0.1", false),
            ("file:///etc/passwd", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(may_talk_to(&url).is_ok(), want, "{url}");
        }
    }
}
