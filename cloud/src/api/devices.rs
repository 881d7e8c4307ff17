//! Devices: their state, their end, orders to them.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::SignedDuration;
use vitrine_wire::operator::{DeviceState, NewOrder, OrderMade};
use vitrine_wire::order::Order;

use super::extract::{Id, Json};
use crate::auth::Operator;
use crate::cloud::App;
use crate::error::Error;
use crate::store::Scope;
use crate::{limits, publish, secret};

/// `GET /api/v3/operator/devices`
pub async fn list(
    State(app): State<App>,
    Operator { tenant }: Operator,
) -> Result<axum::Json<Vec<DeviceState>>, Error> {
    app.store.scoped(&tenant, |scope| scope.devices()).await.map(axum::Json)
}

/// `DELETE /api/v3/operator/devices/{device}`
pub async fn remove(
    State(app): State<App>,
    Operator { tenant }: Operator,
    Id(device): Id,
) -> Result<StatusCode, Error> {
    let gone = device.clone();
    if !app.store.scoped(&tenant, move |scope| scope.remove_device(&gone)).await? {
        return Err(no_device(&device));
    }
    app.hub.hang_up(&tenant, &device);
    let picture = app.files.screenshot(&tenant, &device);
    match tokio::fs::remove_file(&picture).await {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("remove {}", picture.display()))(e))
        }
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

/// `POST /api/v3/operator/devices/{device}/orders`: signed and hinted at at once.
pub async fn order(
    State(app): State<App>,
    Operator { tenant }: Operator,
    Id(device): Id,
    Json(NewOrder { action, expires_in_s }): Json<NewOrder>,
) -> Result<(StatusCode, axum::Json<OrderMade>), Error> {
    let most = limits::ORDER_LIFE_S;
    if !(1..=most).contains(&expires_in_s) {
        return Err(Error::bad(format!("expires_in_s is {expires_in_s}, want 1 to {most}")));
    }
    let life = SignedDuration::from_secs(i64::try_from(expires_in_s).unwrap_or(i64::MAX));
    let (now, id) = (app.world.now(), secret::id(app.world.random()));
    let order = Order { id: id.clone(), action, expires_at: now + life };
    let (cloud, to) = (app.clone(), device.clone());
    let work = move |scope: &Scope| {
        if scope.device(&to)?.is_none() {
            return Err(no_device(&to));
        }
        if scope.orders(&to, now)?.len() >= limits::ORDERS_PER_DEVICE {
            let text = format!("{} orders wait for this device", limits::ORDERS_PER_DEVICE);
            return Err(Error::refused(StatusCode::CONFLICT, "too_many_orders", text));
        }
        scope.put_order(&to, &order)?;
        publish::orders(scope, &to, &cloud.seal(scope)?)
    };
    let version = app.store.scoped(&tenant, work).await?;
    app.hub.tell_orders(&tenant, &device, version);
    Ok((StatusCode::CREATED, axum::Json(OrderMade { order: id })))
}

fn no_device(device: &str) -> Error {
    Error::missing(format!("no device {device:?}"))
}
