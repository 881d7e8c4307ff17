//! Tokens: three ways to get a pair of them.
//!
//! Promises, held by tests in `tests/`: a refresh token works once and its second use makes its
//! whole family worthless; an assertion is taken once; nothing is told to somebody who proves
//! nothing.
//!
//! Some refusals change what is kept (a grown interval, a revoked family), so they come back as
//! an [`Answer`] inside `Ok`: the transaction is kept.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use vitrine_wire::auth::{ASSERTION_LIFE_MAX_S, Assertion, TokenAnswer, TokenRequest, problem};

use crate::error::Error;
use crate::limits;
use crate::secret;
use crate::store::{self, Asked, Scope};
use crate::world::World;

/// Longest `jti` that is remembered.
const JTI_BYTES: usize = 128;

/// Tokens, or a refusal that is kept in mind.
pub type Answer = Result<TokenAnswer, Error>;

/// Answers a request for tokens. `audiences` are the names under which this cloud is known.
pub fn grant(
    conn: &Connection,
    request: &TokenRequest,
    audiences: &[String; 2],
    world: &World,
) -> Result<Answer, Error> {
    match request {
        TokenRequest::DeviceCode { device_code } => by_device_code(conn, device_code, world),
        TokenRequest::Refresh { refresh_token } => by_refresh(conn, refresh_token, world),
        TokenRequest::Assertion { assertion } => by_assertion(conn, assertion, audiences, world),
    }
}

fn by_device_code(conn: &Connection, code: &str, world: &World) -> Result<Answer, Error> {
    let (error, text) = match store::ask(conn, &secret::hash(code), world.now())? {
        Asked::Approved { tenant, device } => {
            let family = secret::id(world.random());
            return issue(&Scope::new(conn, &tenant), &device, &family, world).map(Ok);
        }
        Asked::Pending => (problem::AUTHORIZATION_PENDING, "nobody approved the code yet"),
        Asked::TooSoon => (problem::SLOW_DOWN, "asked too soon: add 5 seconds to the interval"),
        Asked::Expired => (problem::EXPIRED_TOKEN, "the code has lapsed: pair anew"),
        Asked::Denied => (problem::ACCESS_DENIED, "an operator refused this device"),
        Asked::Unknown => (problem::EXPIRED_TOKEN, "no pairing has this device code: pair anew"),
    };
    Ok(Err(no(error, text)))
}

fn by_refresh(conn: &Connection, token: &str, world: &World) -> Result<Answer, Error> {
    let hash = secret::hash(token);
    let Some(row) = store::refresh(conn, &hash)? else {
        return Ok(Err(no(problem::INVALID_GRANT, "the refresh token is not known (any more)")));
    };
    let scope = Scope::new(conn, &row.tenant);
    if row.used {
        scope.revoke_family(&row.device, &row.family)?;
        tracing::warn!(tenant = row.tenant, device = row.device, "refresh token used twice");
        let text = "the refresh token was used before: all its descendants are revoked";
        return Ok(Err(no(problem::INVALID_GRANT, text)));
    }
    if row.expires_at <= world.now() {
        return Ok(Err(no(problem::INVALID_GRANT, "the refresh token has lapsed")));
    }
    store::mark_used(conn, &hash)?;
    issue(&scope, &row.device, &row.family, world).map(Ok)
}

fn by_assertion(
    conn: &Connection,
    token: &str,
    audiences: &[String; 2],
    world: &World,
) -> Result<Answer, Error> {
    let wrong = |text: String| Ok(Err(no(problem::INVALID_GRANT, text)));
    let claimed = match Assertion::claimed_device(token) {
        Ok(claimed) => claimed,
        Err(error) => return wrong(error.to_string()),
    };
    let Some(device) = store::device_key(conn, &claimed)? else {
        let text = "there is no such device (any more): pair anew";
        return Ok(Err(Error::refused(StatusCode::UNAUTHORIZED, problem::UNKNOWN_DEVICE, text)));
    };
    let proofs = audiences.iter().map(|aud| Assertion::verify(token, &device.public_key, aud));
    let Some(claims) = proofs.flatten().next() else {
        return wrong(format!("assertion: want the device's signature and aud {}", audiences[0]));
    };
    let now = world.now();
    if let Err(text) = in_time(&claims, now) {
        return wrong(text);
    }
    let until = now + SignedDuration::from_secs(3 * ASSERTION_LIFE_MAX_S);
    let fits = claims.sub == claims.iss && (1..=JTI_BYTES).contains(&claims.jti.len());
    if !fits {
        return wrong(format!("assertion: want sub like iss and a jti of 1 to {JTI_BYTES} bytes"));
    }
    if !store::remember_assertion(conn, &claims.iss, &claims.jti, until, now)? {
        return wrong("assertion: its jti was used before".into());
    }
    let family = secret::id(world.random());
    issue(&Scope::new(conn, &device.tenant), &claims.iss, &family, world).map(Ok)
}

/// Whether the times of an assertion are believable, with the tolerance for a device's clock.
/// None that passes is still in time after three times the tolerance: see `remember_assertion`.
fn in_time(claims: &Assertion, now: Timestamp) -> Result<(), String> {
    let (now_s, most) = (now.as_second(), ASSERTION_LIFE_MAX_S);
    let wrong = |text: &str| {
        let (iat, exp) = (claims.iat, claims.exp);
        Err(format!("assertion: {text}: iat is {iat}, exp is {exp}, here it is {now_s}"))
    };
    match claims.exp.checked_sub(claims.iat) {
        Some(life) if (1..=most).contains(&life) => {}
        _ => return wrong("lives for longer than 300 s, or not at all"),
    }
    if claims.iat > now_s + most {
        return wrong("from the future");
    }
    if claims.exp <= now_s - most {
        return wrong("lapsed");
    }
    Ok(())
}

fn issue(scope: &Scope, device: &str, family: &str, world: &World) -> Result<TokenAnswer, Error> {
    let access_token = secret::token(world.random());
    let refresh_token = secret::token(world.random());
    let hashes = [&secret::hash(&access_token), &secret::hash(&refresh_token)];
    scope.keep_tokens(device, family, hashes, world.now())?;
    Ok(TokenAnswer {
        access_token,
        token_type: "Bearer".into(),
        expires_in_s: limits::ACCESS_LIFE_S.unsigned_abs(),
        refresh_token,
        tenant: scope.tenant().into(),
        device: device.into(),
        tenant_key: STANDARD.encode(scope.tenant_key()?),
    })
}

fn no(error: &'static str, text: impl Into<String>) -> Error {
    Error::refused(StatusCode::BAD_REQUEST, error, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_an_assertion() {
        let now = Timestamp::from_second(10_000).unwrap();
        for (case, iat, exp, want) in [
            ("now", 10_000, 10_060, true),
            ("device 5 minutes slow", 9_640, 9_701, true),
            ("device 5 minutes fast", 10_300, 10_360, true),
            ("too slow", 9_400, 9_700, false),
            ("too fast", 10_301, 10_361, false),
            ("lives too long", 10_000, 10_301, false),
            ("ends before it starts", 10_000, 9_999, false),
            ("ends as it starts", 10_000, 10_000, false),
            ("overflows", i64::MIN, i64::MAX, false),
        ] {
            let (iss, sub, aud, jti) = Default::default();
            let claims = Assertion { iss, sub, aud, iat, exp, jti };
            assert_eq!(in_time(&claims, now).is_ok(), want, "case {case:?}");
        }
    }
}
