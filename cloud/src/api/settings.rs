//! Settings of players: said for all devices of a tenant or for one, sent at once.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use vitrine_wire::manifest::Setting;
use vitrine_wire::operator::NewSettings;

use super::extract::{Json, Query};
use crate::auth::Operator;
use crate::check::is_label;
use crate::cloud::App;
use crate::error::{Complaint, Error};
use crate::limits;
use crate::publish;
use crate::store::Scope;

/// The query of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whose {
    device: Option<String>,
}

/// `GET /api/v3/operator/settings`: what is said for all, or for one device alone.
pub async fn list(
    State(app): State<App>,
    Operator { tenant }: Operator,
    Query(Whose { device }): Query<Whose>,
) -> Result<axum::Json<Vec<Setting>>, Error> {
    let work = move |scope: &Scope| {
        known(scope, device.as_deref())?;
        scope.own_settings(device.as_deref())
    };
    app.store.scoped(&tenant, work).await.map(axum::Json)
}

/// `POST /api/v3/operator/settings`: all of them or none.
pub async fn set(
    State(app): State<App>,
    Operator { tenant }: Operator,
    Json(new): Json<NewSettings>,
) -> Result<StatusCode, Error> {
    check(&new)?;
    let cloud = app.clone();
    let work = move |scope: &Scope| {
        let NewSettings { device, settings, by } = &new;
        known(scope, device.as_deref())?;
        let said = (by.as_str(), cloud.world.now());
        for (key, value) in settings {
            scope.put_setting(device.as_deref(), (key, value.as_deref()), said)?;
        }
        if scope.own_settings(device.as_deref())?.len() > limits::SETTINGS {
            let text = format!("more than {} settings: players take no more", limits::SETTINGS);
            return Err(Error::refused(StatusCode::UNPROCESSABLE_ENTITY, "too_many", text));
        }
        publish::refresh_all(scope, device.as_deref(), &cloud.seal(scope)?)
    };
    for (device, version) in app.store.scoped(&tenant, work).await? {
        app.hub.tell(&tenant, &device, version);
    }
    Ok(StatusCode::NO_CONTENT)
}

fn known(scope: &Scope, device: Option<&str>) -> Result<(), Error> {
    match device {
        Some(device) if scope.device(device)?.is_none() => {
            Err(Error::missing(format!("no device {device:?}")))
        }
        _ => Ok(()),
    }
}

/// Shapes only: which keys there are, and what they take, is for each player's release to say.
fn check(new: &NewSettings) -> Result<(), Error> {
    let mut complaints = Vec::new();
    if !is_label(&new.by) {
        let text = format!("want 1 to {} bytes of printable text", limits::LABEL_BYTES);
        complaints.push(Complaint { place: "by".into(), text });
    }
    for (key, value) in &new.settings {
        let place = format!("settings.{key}");
        if !is_key(key) {
            complaints
                .push(Complaint { place, text: "want section.key, such as cloud.poll_s".into() });
        } else if value.as_ref().is_some_and(|value| value.len() > limits::LABEL_BYTES) {
            let text = format!("want at most {} bytes", limits::LABEL_BYTES);
            complaints.push(Complaint { place, text });
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(Error::content(complaints)) }
}

fn is_key(key: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
    };
    let parts = key.split_once('.');
    key.len() <= limits::ID_BYTES
        && parts.is_some_and(|(section, name)| word(section) && word(name))
}
