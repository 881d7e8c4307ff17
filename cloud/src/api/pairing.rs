//! Pairing and tokens: `/pairing`, `/token`, and the operator's yes or no.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use jiff::Timestamp;
use vitrine_wire::auth::{PairingAnswer, PairingRequest, TokenAnswer, TokenRequest};
use vitrine_wire::operator::{Approval, DeviceState};

use super::extract::{Json, UserCode, base_url};
use crate::auth::Operator;
use crate::check::is_label;
use crate::cloud::App;
use crate::error::Error;
use crate::secret::Hash;
use crate::store::{self, Redeemed, Scope};
use crate::{limits, pairing, secret, token};

/// `POST /api/v3/pairing`
pub async fn begin(
    State(app): State<App>,
    headers: HeaderMap,
    uri: Uri,
    Json(request): Json<PairingRequest>,
) -> Result<axum::Json<PairingAnswer>, Error> {
    let base = base_url(&app, &headers, &uri)?;
    let interval_s = app.pairing_interval_s;
    let world = app.world.clone();
    let interval_ms = i64::from(interval_s) * 1_000;
    let enrollment = request.enrollment.as_deref().map(secret::hash);
    // Whoever brings a token that is none holds no place among those who wait.
    let tenant = match enrollment {
        Some(hash) => Some(enrolling(&app, hash).await?),
        None => None,
    };
    let (asked, chance) = (request.clone(), world.clone());
    let begun = move |conn: &_| pairing::begin(conn, &asked, interval_ms, &chance);
    let codes = app.store.run(begun).await?;
    if let (Some(hash), Some(tenant)) = (enrollment, tenant) {
        enroll(&app, tenant, hash, codes.user_code.clone()).await?;
    }
    let verification_uri = format!("{base}/pair");
    Ok(axum::Json(PairingAnswer {
        device_code: codes.device_code,
        verification_uri_complete: format!("{verification_uri}?code={}", codes.user_code),
        user_code: codes.user_code,
        verification_uri,
        interval_s: interval_s.into(),
        expires_in_s: limits::PAIRING_LIFE_S.unsigned_abs(),
    }))
}

async fn enrolling(app: &App, hash: Hash) -> Result<String, Error> {
    let tenant = app.store.run(move |conn| store::enrolling(conn, &hash)).await?;
    tenant.ok_or_else(|| pairing::not_enrolled(Redeemed::Unknown))
}

/// Says yes in the name of whoever made the token.
async fn enroll(app: &App, tenant: String, hash: Hash, code: String) -> Result<(), Error> {
    let cloud = app.clone();
    let work = move |scope: &Scope| {
        let seal = cloud.seal(scope)?;
        pairing::enroll(scope, (&hash, &code), &cloud.world, &seal)
    };
    let approved = app.store.scoped(&tenant, work).await?;
    app.hub.tell(&tenant, &approved.device, approved.version);
    Ok(())
}

/// `POST /api/v3/token`
pub async fn token(
    State(app): State<App>,
    headers: HeaderMap,
    uri: Uri,
    Json(request): Json<TokenRequest>,
) -> Result<axum::Json<TokenAnswer>, Error> {
    let base = base_url(&app, &headers, &uri)?;
    let audiences = [base.clone(), base + "/"];
    let world = app.world.clone();
    let answer = move |conn: &_| token::grant(conn, &request, &audiences, &world);
    app.store.run(answer).await?.map(axum::Json)
}

/// `POST /api/v3/operator/pairings/{user_code}`
pub async fn approve(
    State(app): State<App>,
    Operator { tenant }: Operator,
    UserCode(code): UserCode,
    Json(Approval { name }): Json<Approval>,
) -> Result<axum::Json<DeviceState>, Error> {
    yes(&app, tenant, code, name).await.map(axum::Json)
}

/// `DELETE /api/v3/operator/pairings/{user_code}`
pub async fn deny(
    State(app): State<App>,
    Operator { tenant }: Operator,
    UserCode(code): UserCode,
) -> Result<StatusCode, Error> {
    may_guess(&app, &tenant)?;
    let world = app.world.clone();
    let code = code.unwrap_or_default();
    app.store.run(move |conn| pairing::deny(conn, &code, &world)).await?;
    app.guesses.right(&tenant);
    Ok(StatusCode::NO_CONTENT)
}

/// Approves the pairing that waits under `code`, for `tenant`.
pub async fn yes(
    app: &App,
    tenant: String,
    code: Option<String>,
    name: String,
) -> Result<DeviceState, Error> {
    if !is_label(&name) {
        let most = limits::LABEL_BYTES;
        return Err(Error::bad(format!("name: want 1 to {most} bytes of printable text")));
    }
    may_guess(app, &tenant)?;
    let (cloud, code) = (app.clone(), code.unwrap_or_default());
    let work = move |scope: &Scope| {
        let seal = cloud.seal(scope)?;
        let approved = pairing::approve(scope, (&code, &name), &cloud.world, &seal)?;
        Ok((scope.device(&approved.device)?, approved))
    };
    let (state, approved) = app.store.scoped(&tenant, work).await?;
    app.guesses.right(&tenant);
    app.hub.tell(&tenant, &approved.device, approved.version);
    state.ok_or_else(|| Error::Broken("the device that was just approved is not there".into()))
}

fn may_guess(app: &App, tenant: &str) -> Result<(), Error> {
    let now: Timestamp = app.world.now();
    app.guesses.attempt(tenant, now).map_err(|wait_s| {
        let text = "too many wrong codes: wait, then type the code that the screen shows";
        Error::later(StatusCode::TOO_MANY_REQUESTS, "too_many_guesses", text, wait_s)
    })
}
