//! Tenants, by whoever runs the cloud; and whether the cloud is well.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use vitrine_wire::operator::{NewTenant, TenantMade};

use super::extract::{Id, Json};
use crate::cloud::App;
use crate::error::Error;
use crate::{secret, store};

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
        let key = cloud.keys.make(&name, &cloud.world)?.verifying_key().to_bytes();
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
