//! Records: in from devices, once each; out to operators in pages.

use axum::extract::State;
use vitrine_wire::record::{Acknowledged, Body as Said, Record};

use super::extract::{Body, Id, Query};
use crate::auth::{Device, Operator};
use crate::cloud::{App, Cloud};
use crate::error::Error;
use crate::limits;
use crate::publish;
use crate::records::{self, Filter, Page};
use crate::store::{NewRecord, Scope};

/// `POST /api/v3/records`
pub async fn take(
    State(app): State<App>,
    Device { tenant, device, .. }: Device,
    Body(body): Body,
) -> Result<axum::Json<Acknowledged>, Error> {
    keep(&app, &tenant, device, &body).await.map(axum::Json)
}

/// Keeps a batch, however it came.
pub async fn keep(
    app: &App,
    tenant: &str,
    device: String,
    body: &[u8],
) -> Result<Acknowledged, Error> {
    let new = records::read(body)?;
    let ids = new.iter().map(|record| record.id.clone()).collect();
    let (cloud, now) = (app.clone(), app.world.now());
    let work = move |scope: &Scope| {
        for record in &new {
            if scope.put_record(&device, record, now)? {
                heed((&cloud, scope), &device, record, now)?;
            }
        }
        scope.trim_records(&device)
    };
    app.store.scoped(tenant, work).await?;
    Ok(Acknowledged { ids })
}

/// What a new record changes besides being kept. One that this cloud cannot read changes nothing.
fn heed(
    (cloud, scope): (&Cloud, &Scope),
    device: &str,
    record: &NewRecord,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    let Ok(read) = serde_json::from_str::<Record>(record.body.get()) else { return Ok(()) };
    match &read.body {
        Said::Heartbeat(said) => {
            if let Some(pinned) = &said.tenant_key
                && scope.follows(device, pinned)?
            {
                publish::sign_for(scope, device, &cloud.seal(scope)?)?;
            }
            scope.heartbeat(device, read.at, said)
        }
        Said::OrderResult(result) => scope.answer_order(device, &result.order, now),
        Said::ProofOfPlay(_) | Said::Fault(_) | Said::SettingChanged(_) => Ok(()),
    }
}

/// `GET /api/v3/operator/devices/{device}/records`
pub async fn list(
    State(app): State<App>,
    Operator { tenant }: Operator,
    Id(device): Id,
    Query(filter): Query<Filter>,
) -> Result<axum::Json<Page>, Error> {
    let limit = filter.limit.unwrap_or(limits::RECORDS_PAGE).clamp(1, limits::RECORDS_PAGE);
    let filter = Filter { limit: Some(limit), ..filter };
    let work = move |scope: &Scope| {
        let records = scope.records(&device, &filter)?;
        if records.is_empty() && !scope.knew(&device)? {
            return Err(Error::missing(format!("no device {device:?}")));
        }
        Ok(records)
    };
    let records = app.store.scoped(&tenant, work).await?;
    let full = u32::try_from(records.len()).is_ok_and(|found| found == limit);
    let next = records.last().filter(|_| full).map(|last| last.seq);
    Ok(axum::Json(Page { records, next }))
}
