use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use vitrine_wire::auth::{PairingAnswer, TokenAnswer};
use vitrine_wire::operator::DeviceState;

use crate::rig::{DEVICE_CODE, Rig, run};

async fn ask(rig: &Rig, pairing: &PairingAnswer) -> Result<TokenAnswer, String> {
    let body = json!({ "grant_type": DEVICE_CODE, "device_code": pairing.device_code });
    let reply = rig.ask_token(body).send().await;
    match reply.status {
        StatusCode::OK => Ok(reply.read(StatusCode::OK)),
        _ => Err(reply.error()),
    }
}

#[test]
fn a_person_approves_the_code_on_the_screen() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let pairing = rig.pairing(1).await;
        assert_eq!(pairing.verification_uri, format!("{}/pair", rig.url));
        assert!(pairing.verification_uri_complete.ends_with(&pairing.user_code));
        assert_eq!(ask(rig, &pairing).await.unwrap_err(), "authorization_pending");
        let (first, last) = pairing.user_code.split_at(4);
        let typed = format!("{}-{}", first.to_lowercase(), last);
        let device: DeviceState = rig.approve(&operator, &typed, "lobby").await;
        assert_eq!((device.name.as_str(), device.model.as_str()), ("lobby", "Raspberry Pi 5"));
        rig.pass(5);
        let tokens = ask(rig, &pairing).await.unwrap();
        assert_eq!((tokens.tenant.as_str(), &tokens.device), ("acme", &device.device));
    });
}

#[test]
fn an_answer_that_was_lost_may_be_asked_for_again_until_a_token_was_used() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let pairing = rig.pairing(1).await;
        rig.approve(&operator, &pairing.user_code, "lobby").await;
        let lost = ask(rig, &pairing).await.unwrap();
        let got = ask(rig, &pairing).await.unwrap();
        assert_eq!(lost.device, got.device);
        assert_eq!(rig.get("/api/v3/manifest").token(&got.access_token).status().await, 200);
        assert_eq!(ask(rig, &pairing).await.unwrap_err(), "expired_token");
    });
}

#[test]
fn asking_too_soon_makes_the_interval_longer() {
    run(async |rig| {
        let pairing = rig.pairing(1).await;
        let interval_s = i64::try_from(pairing.interval_s).unwrap();
        assert_eq!(ask(rig, &pairing).await.unwrap_err(), "authorization_pending");
        assert_eq!(ask(rig, &pairing).await.unwrap_err(), "slow_down");
        rig.pass(interval_s);
        assert_eq!(ask(rig, &pairing).await.unwrap_err(), "slow_down", "has grown");
        rig.pass(interval_s + 10);
        assert_eq!(ask(rig, &pairing).await.unwrap_err(), "authorization_pending");
    });
}

#[test]
fn a_code_lapses_and_is_refused_and_used_up() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let approve = |code: &str| {
            let path = format!("/api/v3/operator/pairings/{code}");
            rig.post(&path, json!({ "name": "x" })).token(&operator)
        };
        let lapsed = rig.pairing(1).await;
        rig.pass(15 * 60);
        assert_eq!(approve(&lapsed.user_code).status().await, 404);
        assert_eq!(ask(rig, &lapsed).await.unwrap_err(), "expired_token");

        let denied = rig.pairing(2).await;
        let path = format!("/api/v3/operator/pairings/{}", denied.user_code);
        assert_eq!(rig.call(Method::DELETE, &path).token(&operator).status().await, 204);
        assert_eq!(ask(rig, &denied).await.unwrap_err(), "access_denied");
        assert_eq!(approve(&denied.user_code).status().await, 404, "no is no");

        let used = rig.pairing(3).await;
        assert_eq!(approve(&used.user_code).status().await, 200);
        assert_eq!(approve(&used.user_code).status().await, 404, "used up");
        assert_eq!(approve("no-code").status().await, 404, "never was one");
        let body = json!({ "grant_type": DEVICE_CODE, "device_code": "made up" });
        assert_eq!(rig.ask_token(body).send().await.error(), "expired_token");
    });
}

#[test]
fn codes_cannot_be_guessed_fast() {
    run(async |rig| {
        let (operator, other) = (rig.tenant("acme").await, rig.tenant("rival").await);
        let pairing = rig.pairing(1).await;
        let guess = |token: &str, code: &str| {
            let path = format!("/api/v3/operator/pairings/{code}");
            rig.post(&path, json!({ "name": "x" })).token(token)
        };
        for n in 0..10 {
            assert_eq!(guess(&operator, "BBBB-BBBB").status().await, 404, "guess {n}");
        }
        let stopped = guess(&operator, &pairing.user_code).send().await;
        assert_eq!((stopped.status, stopped.error().as_str()), {
            (StatusCode::TOO_MANY_REQUESTS, "too_many_guesses")
        });
        assert_eq!(stopped.header("retry-after"), "60");
        let path = format!("/api/v3/operator/pairings/{}", pairing.user_code);
        assert_eq!(rig.call(Method::DELETE, &path).token(&operator).status().await, 429);
        assert_eq!(guess(&other, "BBBB-BBBB").status().await, 404, "another tenant");
        rig.pass(61);
        assert_eq!(guess(&operator, &pairing.user_code).status().await, 200);
    });
}

#[test]
fn the_same_machine_paired_again_is_the_same_device_and_versions_go_on() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let first = rig.device(&operator, "lobby", 1).await;
        let before = rig.manifest(&first).await.version;
        let again = rig.device(&operator, "hall", 1).await;
        assert_eq!(first.id(), again.id());
        assert_eq!(rig.manifest(&again).await.version, before, "same content");
        let path = format!("/api/v3/operator/devices/{}", first.id());
        assert_eq!(rig.call(Method::DELETE, &path).token(&operator).status().await, 204);
        let anew = rig.device(&operator, "lobby", 1).await;
        assert_ne!(first.id(), anew.id());
        assert!(rig.manifest(&anew).await.version > before, "never goes back");
    });
}

#[test]
fn the_page_approves_without_scripts() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let pairing = rig.pairing(1).await;
        let path = format!("/pair?code={}", pairing.user_code);
        let page = rig.get(&path).send().await;
        let shown = format!("{}-{}", &pairing.user_code[..4], &pairing.user_code[4..]);
        assert!(page.text().contains(&shown), "{}", page.text());
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        let fill = |name: &str, token: &str| {
            let form = format!("code={shown}&name={name}&token={token}");
            let call = rig.call(Method::POST, "/pair").bytes(form.as_bytes());
            call.header("content-type", "application/x-www-form-urlencoded")
        };
        assert_eq!(fill("lobby", "wrong").status().await, 401);
        assert_eq!(fill("", &operator).status().await, 400);
        assert_eq!(rig.call(Method::POST, "/pair").bytes(b"{}").status().await, 400);
        let done = fill("%3Cb%3Elobby", &operator).send().await;
        assert_eq!(done.status, 200, "{}", done.text());
        assert!(done.text().contains("&lt;b&gt;lobby") && !done.text().contains("<b>"));
        assert_eq!(ask(rig, &pairing).await.unwrap().tenant, "acme");
    });
}

#[test]
fn what_is_no_pairing_is_refused() {
    run(async |rig| {
        let good = json!({ "public_key": "", "name": "n", "model": "m", "release": "r" });
        for (case, body) in [
            ("empty key", good.clone()),
            ("no key", json!({ "name": "n", "model": "m", "release": "r" })),
            ("list", json!([])),
            ("null", Value::Null),
        ] {
            let reply = rig.post("/api/v3/pairing", body).send().await;
            assert_eq!(reply.status, 400, "case {case:?}: {}", reply.text());
        }
        let host = rig.post("/api/v3/pairing", good).header("host", "a b").status().await;
        assert_eq!(host, 400, "a host that is none");
    });
}
