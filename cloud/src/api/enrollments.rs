//! Enrollment tokens: an operator's yes, given in advance.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use jiff::SignedDuration;
use vitrine_wire::operator::{EnrollmentMade, EnrollmentState, NewEnrollment};

use super::extract::{Id, Json, base_url};
use crate::auth::Operator;
use crate::cloud::App;
use crate::error::Error;
use crate::{limits, secret};

/// `GET /api/v3/operator/enrollments`
pub async fn list(
    State(app): State<App>,
    Operator { tenant }: Operator,
) -> Result<axum::Json<Vec<EnrollmentState>>, Error> {
    app.store.scoped(&tenant, |scope| scope.enrollments()).await.map(axum::Json)
}

/// `POST /api/v3/operator/enrollments`
pub async fn create(
    State(app): State<App>,
    Operator { tenant }: Operator,
    headers: HeaderMap,
    uri: Uri,
    Json(NewEnrollment { uses, expires_in_s }): Json<NewEnrollment>,
) -> Result<(StatusCode, axum::Json<EnrollmentMade>), Error> {
    let (uses_most, life_most) = (limits::ENROLLMENT_USES, limits::ENROLLMENT_LIFE_S);
    if !(1..=uses_most).contains(&uses) {
        return Err(Error::bad(format!("uses is {uses}, want 1 to {uses_most}")));
    }
    if !(1..=life_most).contains(&expires_in_s) {
        return Err(Error::bad(format!("expires_in_s is {expires_in_s}, want 1 to {life_most}")));
    }
    let cloud_url = base_url(&app, &headers, &uri)?;
    let life = SignedDuration::from_secs(i64::try_from(expires_in_s).unwrap_or(i64::MAX));
    let (now, token) = (app.world.now(), secret::token(app.world.random()));
    let state = EnrollmentState {
        enrollment: secret::id(app.world.random()),
        uses_left: uses,
        expires_at: now + life,
    };
    let made = EnrollmentMade {
        enrollment: state.enrollment.clone(),
        cloud_url,
        expires_at: state.expires_at,
        token,
    };
    let hash = secret::hash(&made.token);
    let kept = app.store.scoped(&tenant, move |scope| scope.put_enrollment(&hash, &state, now));
    if !kept.await? {
        let text = format!("{} enrollments are there already: end some", limits::ENROLLMENTS);
        return Err(Error::refused(StatusCode::CONFLICT, "too_many_enrollments", text));
    }
    Ok((StatusCode::CREATED, axum::Json(made)))
}

/// `DELETE /api/v3/operator/enrollments/{enrollment}`
pub async fn remove(
    State(app): State<App>,
    Operator { tenant }: Operator,
    Id(enrollment): Id,
) -> Result<StatusCode, Error> {
    let gone = enrollment.clone();
    if app.store.scoped(&tenant, move |scope| scope.remove_enrollment(&gone)).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Error::missing(format!("no enrollment {enrollment:?}")))
}
