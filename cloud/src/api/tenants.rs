//! Tenants, by whoever runs the cloud; and whether the cloud is well.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use vitrine_wire::envelope::{SIGNATURES_MAX, key_id};
use vitrine_wire::operator::{KeyReplaced, NewTenant, Quota, Room, TenantMade};

use super::extract::{Id, Json};
use crate::auth::Operator;
use crate::cloud::App;
use crate::error::Error;
use crate::store::{self, Scope};
use crate::{publish, secret};

/// Longest name of a tenant: that of a label in a host name.
const TENANT_BYTES: usize = 63;

/// `GET /health`: the database answers.
pub async fn health(State(app): State<App>) -> Result<axum::Json<Value>, Error> {
    app.store.run(|conn| store::tenant_exists(conn, "")).await?;
    Ok(axum::Json(json!({ "status": "ok", "release": env!("CARGO_PKG_VERSION") })))
}

/// `POST /api/v3/operator/tenants`
pub async fn create(
    State(app): State<App>,
    Json(NewTenant { tenant }): Json<NewTenant>,
) -> Result<(StatusCode, axum::Json<TenantMade>), Error> {
    if !is_tenant(&tenant) {
        let text = "want 1 to 63 of a-z 0-9 -, no - at either end";
        return Err(Error::bad(format!("tenant is {tenant:?}, {text}")));
    }
    let operator_token = secret::token(app.world.random());
    let (hash, name, cloud) = (secret::hash(&operator_token), tenant.clone(), app.clone());
    let work = move |conn: &_| {
        let taken = store::tenant_exists(conn, &name)?;
        if taken {
            let text = format!("there is a tenant {name:?} already");
            return Err(Error::refused(StatusCode::CONFLICT, "exists", text));
        }
        let key = cloud.keys.make(&name, 1, &cloud.world)?.verifying_key().to_bytes();
        store::create_tenant(conn, &name, (&hash, &key), cloud.world.now())
    };
    app.store.run(work).await?;
    tracing::info!(tenant, "tenant made");
    Ok((StatusCode::CREATED, axum::Json(TenantMade { tenant, operator_token })))
}

/// `POST /api/v3/operator/tenants/{tenant}/token`: for an operator who lost the old one, which
/// is worthless from now on.
pub async fn renew_token(
    State(app): State<App>,
    Id(tenant): Id,
) -> Result<axum::Json<TenantMade>, Error> {
    let operator_token = secret::token(app.world.random());
    let (hash, name) = (secret::hash(&operator_token), tenant.clone());
    if !app.store.run(move |conn| store::set_operator(conn, &name, &hash)).await? {
        return Err(Error::missing(format!("no tenant {tenant:?}")));
    }
    tracing::info!(tenant, "operator token renewed");
    Ok(axum::Json(TenantMade { tenant, operator_token }))
}

/// `PUT /api/v3/operator/tenants/{tenant}/quota`: what is there already stays, whatever it takes.
pub async fn set_quota(
    State(app): State<App>,
    Id(tenant): Id,
    Json(Quota { quota_bytes }): Json<Quota>,
) -> Result<axum::Json<Room>, Error> {
    if quota_bytes.is_some_and(|bytes| i64::try_from(bytes).is_err()) {
        return Err(Error::bad(format!("quota_bytes: want at most {}", i64::MAX)));
    }
    let work = move |conn: &_| match store::set_quota(conn, &tenant, quota_bytes)? {
        true => Scope::new(conn, &tenant).room(),
        false => Err(Error::missing(format!("no tenant {tenant:?}"))),
    };
    app.store.run(work).await.map(axum::Json)
}

/// `GET /api/v3/operator/quota`
pub async fn room(
    State(app): State<App>,
    Operator { tenant }: Operator,
) -> Result<axum::Json<Room>, Error> {
    app.store.scoped(&tenant, |scope| scope.room()).await.map(axum::Json)
}

/// `POST /api/v3/operator/tenants/{tenant}/key`: signs with another key from now on, and with those
/// before it for as long as a device may have pinned one of them.
pub async fn replace_key(
    State(app): State<App>,
    Id(tenant): Id,
) -> Result<axum::Json<KeyReplaced>, Error> {
    let cloud = app.clone();
    let work = move |scope: &Scope| {
        let number = scope.key_number()? + 1;
        all_can_follow(scope, number)?;
        let key = cloud.keys.make(scope.tenant(), number, &cloud.world)?.verifying_key();
        scope.put_key((number, key.as_bytes()), cloud.world.now())?;
        let news = publish::sign_anew(scope, &cloud.seal(scope)?)?;
        Ok((key_id(&key), scope.behind(number)?, news))
    };
    let known = tenant.clone();
    if !app.store.run(move |conn| store::tenant_exists(conn, &known)).await? {
        return Err(Error::missing(format!("no tenant {tenant:?}")));
    }
    let (key, behind, news) = app.store.scoped(&tenant, work).await?;
    for (device, there) in news {
        app.hub.tell_all(&tenant, &device, there);
    }
    tracing::info!(tenant, key, "signing key replaced");
    Ok(axum::Json(KeyReplaced { tenant, key, behind }))
}

/// An envelope has room for so many signatures: a device that is further behind would be lost.
fn all_can_follow(scope: &Scope, number: u64) -> Result<(), Error> {
    let lost = scope.behind((number + 1).saturating_sub(SIGNATURES_MAX as u64))?;
    let Some(first) = lost.first() else { return Ok(()) };
    let text = format!(
        "{} screens, the first {first:?}, have not followed the last {} keys and would be lost: \
         bring them on line for a moment, or remove them",
        lost.len(),
        SIGNATURES_MAX - 1
    );
    Err(Error::refused(StatusCode::CONFLICT, "screens_behind", text))
}

/// Whether `name` may be a label of a host name.
fn is_tenant(name: &str) -> bool {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (1..=TENANT_BYTES).contains(&name.len())
        && name.bytes().all(fits)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_a_label_of_a_host_name() {
        let long = "a".repeat(TENANT_BYTES);
        for (name, want) in [
            ("acme", true),
            ("a-1", true),
            (long.as_str(), true),
            (&(long.clone() + "a"), false),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("Acme", false),
            ("a.b", false),
            ("../a", false),
        ] {
            assert_eq!(is_tenant(name), want, "case {name:?}");
        }
    }
}
