use reqwest::{Method, StatusCode};
use serde_json::json;
use vitrine_wire::auth::{PairingAnswer, TokenAnswer};
use vitrine_wire::operator::{EnrollmentMade, EnrollmentState};

use crate::rig::{Call, DEVICE_CODE, Rig, key, run};

const PATH: &str = "/api/v3/operator/enrollments";
const DAY_S: i64 = 24 * 3_600;

async fn token(rig: &Rig, operator: &str, uses: u32) -> EnrollmentMade {
    let ask = rig.post(PATH, json!({ "uses": uses, "expires_in_s": DAY_S })).token(operator);
    ask.send().await.read(StatusCode::CREATED)
}

/// A device with the key of `seed` that brings a token.
fn bring(rig: &Rig, seed: u8, token: &str) -> Call {
    let body = json!({
        "public_key": key(seed), "name": "pi", "model": "Raspberry Pi 5", "release": "0.1.0",
        "enrollment": token,
    });
    rig.post("/api/v3/pairing", body)
}

async fn enrolled(rig: &Rig, seed: u8, token: &str) -> Result<TokenAnswer, String> {
    let reply = bring(rig, seed, token).send().await;
    if reply.status != StatusCode::OK {
        return Err(reply.error());
    }
    let pairing: PairingAnswer = reply.read(StatusCode::OK);
    let ask = json!({ "grant_type": DEVICE_CODE, "device_code": pairing.device_code });
    Ok(rig.ask_token(ask).send().await.read(StatusCode::OK))
}

async fn uses_left(rig: &Rig, operator: &str) -> Vec<u32> {
    let all: Vec<EnrollmentState> = rig.get(PATH).token(operator).send().await.read(StatusCode::OK);
    all.iter().map(|one| one.uses_left).collect()
}

#[test]
fn a_token_lets_as_many_devices_in_as_it_was_made_for() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let made = token(rig, &operator, 2).await;
        assert_eq!(made.cloud_url, rig.url);
        let first = enrolled(rig, 1, &made.token).await.unwrap();
        assert_eq!(first.tenant, "acme");
        assert_eq!(rig.get("/api/v3/manifest").token(&first.access_token).status().await, 200);
        // The same machine takes no second use, whether or not its answer was lost.
        let again = enrolled(rig, 1, &made.token).await.unwrap();
        assert_eq!(again.device, first.device);
        assert_eq!(uses_left(rig, &operator).await, [1]);
        let second = enrolled(rig, 2, &made.token).await.unwrap();
        assert_ne!(second.device, first.device);
        assert_eq!(enrolled(rig, 3, &made.token).await.unwrap_err(), "invalid_enrollment");
        assert_eq!(uses_left(rig, &operator).await, [0]);
    });
}

#[test]
fn a_token_that_lapsed_or_was_ended_or_guessed_opens_nothing() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        for guess in ["", "x", "0123456789abcdef0123456789abcdef0123456789a"] {
            assert_eq!(enrolled(rig, 1, guess).await.unwrap_err(), "invalid_enrollment");
        }
        let ended = token(rig, &operator, 5).await;
        let path = format!("{PATH}/{}", ended.enrollment);
        assert_eq!(rig.call(Method::DELETE, &path).token(&operator).status().await, 204);
        assert_eq!(enrolled(rig, 1, &ended.token).await.unwrap_err(), "invalid_enrollment");
        assert_eq!(rig.call(Method::DELETE, &path).token(&operator).status().await, 404);

        let made = token(rig, &operator, 5).await;
        enrolled(rig, 1, &made.token).await.unwrap();
        rig.pass(DAY_S);
        assert_eq!(enrolled(rig, 2, &made.token).await.unwrap_err(), "invalid_enrollment");
        assert_eq!(enrolled(rig, 1, &made.token).await.unwrap_err(), "invalid_enrollment");
        // By code it still goes.
        assert_eq!(rig.pairing(2).await.user_code.len(), 8);
    });
}

#[test]
fn tenants_see_and_end_their_own_tokens_alone() {
    run(async |rig| {
        let (acme, globex) = (rig.tenant("acme").await, rig.tenant("globex").await);
        let made = token(rig, &acme, 3).await;
        assert!(uses_left(rig, &globex).await.is_empty());
        let path = format!("{PATH}/{}", made.enrollment);
        assert_eq!(rig.call(Method::DELETE, &path).token(&globex).status().await, 404);
        assert_eq!(enrolled(rig, 1, &made.token).await.unwrap().tenant, "acme");
        // A device of one tenant that brings another's token becomes that one's, as another device.
        let theirs = token(rig, &globex, 1).await;
        let moved = enrolled(rig, 1, &theirs.token).await.unwrap();
        assert_eq!(moved.tenant, "globex");
        assert_eq!(uses_left(rig, &acme).await, [2]);
        // Neither a device's token nor none at all makes enrollments.
        let ask = || rig.post(PATH, json!({ "uses": 1, "expires_in_s": 60 }));
        assert_eq!(ask().token(&moved.access_token).status().await, 401);
        assert_eq!(ask().status().await, 401);
    });
}

#[test]
fn what_no_token_should_allow_is_refused() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        for (uses, expires_in_s) in [(0, 60), (10_001, 60), (1, 0), (1, 367 * DAY_S)] {
            let ask = rig.post(PATH, json!({ "uses": uses, "expires_in_s": expires_in_s }));
            assert_eq!(ask.token(&operator).status().await, 400, "{uses}, {expires_in_s}");
        }
    });
}
