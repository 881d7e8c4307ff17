//! Playlists, layouts, the schedule, and publishing them.
//!
//! What operators leave here is always right as a whole: a change after which something would
//! not resolve is refused with everything that is wrong, and nothing is kept.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use vitrine_wire::Digest;
use vitrine_wire::manifest::{Entry, Layout, Playlist, Transition};
use vitrine_wire::operator::Published;

use super::extract::{Id, Json};
use crate::auth::Operator;
use crate::cloud::App;
use crate::compose::Draft;
use crate::error::{Complaint, Error};
use crate::publish;
use crate::store::Scope;

/// A playlist as an operator sends it; its id is in the path.
#[derive(Deserialize)]
pub struct NewPlaylist {
    id: Option<String>,
    name: Option<String>,
    transition: Option<Transition>,
    items: Vec<Box<RawValue>>,
}

/// A layout as an operator sends it; its id is in the path.
#[derive(Deserialize)]
pub struct NewLayout {
    id: Option<String>,
    name: Option<String>,
    width_px: u32,
    height_px: u32,
    background: Option<String>,
    background_image: Option<Digest>,
    letterbox: Option<String>,
    letterbox_image: Option<Digest>,
    transition: Option<Transition>,
    zones: Vec<Box<RawValue>>,
}

/// `GET /api/v3/operator/content`
pub async fn read(
    State(app): State<App>,
    Operator { tenant }: Operator,
) -> Result<axum::Json<Draft>, Error> {
    app.store.scoped(&tenant, |scope| scope.draft()).await.map(axum::Json)
}

/// `PUT /api/v3/operator/playlists/{id}`
pub async fn put_playlist(
    State(app): State<App>,
    Operator { tenant }: Operator,
    Id(id): Id,
    Json(new): Json<NewPlaylist>,
) -> Result<StatusCode, Error> {
    same_id(&id, new.id)?;
    let items = list(&format!("playlists.{id}.items"), new.items)?;
    let (name, transition) = (new.name.unwrap_or_else(|| id.clone()), new.transition);
    let playlist = Playlist { id, name, transition, items };
    change(&app, &tenant, move |scope| scope.put_playlist(&playlist)).await
}

/// `DELETE /api/v3/operator/playlists/{id}`
pub async fn remove_playlist(
    State(app): State<App>,
    Operator { tenant }: Operator,
    Id(id): Id,
) -> Result<StatusCode, Error> {
    let remove = move |scope: &Scope| match scope.remove_playlist(&id)? {
        true => Ok(()),
        false => Err(Error::missing(format!("no playlist {id:?}"))),
    };
    change(&app, &tenant, remove).await
}

/// `PUT /api/v3/operator/layouts/{id}`
pub async fn put_layout(
    State(app): State<App>,
    Operator { tenant }: Operator,
    Id(id): Id,
    Json(new): Json<NewLayout>,
) -> Result<StatusCode, Error> {
    same_id(&id, new.id)?;
    let zones = list(&format!("layouts.{id}.zones"), new.zones)?;
    let layout = Layout {
        name: new.name.unwrap_or_else(|| id.clone()),
        id,
        width_px: new.width_px,
        height_px: new.height_px,
        background: new.background,
        background_image: new.background_image,
        letterbox: new.letterbox,
        letterbox_image: new.letterbox_image,
        transition: new.transition,
        zones,
    };
    change(&app, &tenant, move |scope| scope.put_layout(&layout)).await
}

/// `DELETE /api/v3/operator/layouts/{id}`
pub async fn remove_layout(
    State(app): State<App>,
    Operator { tenant }: Operator,
    Id(id): Id,
) -> Result<StatusCode, Error> {
    let remove = move |scope: &Scope| match scope.remove_layout(&id)? {
        true => Ok(()),
        false => Err(Error::missing(format!("no layout {id:?}"))),
    };
    change(&app, &tenant, remove).await
}

/// `PUT /api/v3/operator/schedule`
pub async fn put_schedule(
    State(app): State<App>,
    Operator { tenant }: Operator,
    Json(new): Json<Vec<Box<RawValue>>>,
) -> Result<StatusCode, Error> {
    let schedule: Vec<Entry> = list("schedule", new)?;
    change(&app, &tenant, move |scope| scope.put_schedule(&schedule)).await
}

/// `POST /api/v3/operator/publish`
pub async fn publish(
    State(app): State<App>,
    Operator { tenant }: Operator,
) -> Result<axum::Json<Published>, Error> {
    let cloud = app.clone();
    let work = move |scope: &Scope| publish::publish(scope, &cloud.seal(scope)?);
    let versions = app.store.scoped(&tenant, work).await?;
    for (device, version) in &versions {
        app.hub.tell(&tenant, device, *version);
    }
    Ok(axum::Json(Published { versions }))
}

/// Makes a change and keeps it if everything is right afterwards.
async fn change(
    app: &App,
    tenant: &str,
    change: impl FnOnce(&Scope) -> Result<(), Error> + Send + 'static,
) -> Result<StatusCode, Error> {
    let work = move |scope: &Scope| {
        change(scope)?;
        publish::checked(scope)
    };
    app.store.scoped(tenant, work).await.map(|_| StatusCode::NO_CONTENT)
}

/// Reads a list one by one, so that all that is wrong with its shape is told at once.
fn list<T: DeserializeOwned>(place: &str, values: Vec<Box<RawValue>>) -> Result<Vec<T>, Error> {
    let (mut good, mut complaints) = (Vec::new(), Vec::new());
    for (n, value) in values.into_iter().enumerate() {
        match serde_json::from_str(value.get()) {
            Ok(one) => good.push(one),
            Err(e) => {
                complaints.push(Complaint { place: format!("{place}[{n}]"), text: e.to_string() });
            }
        }
    }
    if complaints.is_empty() { Ok(good) } else { Err(Error::content(complaints)) }
}

fn same_id(path: &str, body: Option<String>) -> Result<(), Error> {
    match body {
        Some(body) if body != path => {
            Err(Error::bad(format!("id is {body:?} in the body and {path:?} in the path")))
        }
        _ => Ok(()),
    }
}
