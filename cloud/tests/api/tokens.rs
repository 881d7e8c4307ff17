use ed25519_dalek::SigningKey;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use vitrine_wire::auth::{Assertion, TokenAnswer};

use crate::rig::{JWT_BEARER, Player, Reply, Rig, run};

fn refresh(token: &str) -> Value {
    json!({ "grant_type": "refresh_token", "refresh_token": token })
}

async fn works(rig: &Rig, token: &str) -> bool {
    match rig.get("/api/v3/manifest").token(token).status().await {
        StatusCode::OK => true,
        StatusCode::UNAUTHORIZED => false,
        other => panic!("{other}"),
    }
}

async fn assert_with(rig: &Rig, claims: &Assertion, key: &SigningKey) -> Reply {
    let assertion = claims.sign(key).unwrap();
    rig.ask_token(json!({ "grant_type": JWT_BEARER, "assertion": assertion })).send().await
}

#[test]
fn a_refresh_token_works_once_and_its_reuse_revokes_the_family() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let other = rig.device(&operator, "hall", 2).await;
        let first = &player.tokens;
        let second: TokenAnswer =
            rig.ask_token(refresh(&first.refresh_token)).send().await.read(StatusCode::OK);
        assert!(works(rig, &first.access_token).await, "old access token lives on");
        assert!(works(rig, &second.access_token).await);
        let reused = rig.ask_token(refresh(&first.refresh_token)).send().await;
        assert_eq!((reused.status.as_u16(), reused.error().as_str()), (400, "invalid_grant"));
        for token in [&first.access_token, &second.access_token] {
            assert!(!works(rig, token).await, "family is revoked");
        }
        let child = rig.ask_token(refresh(&second.refresh_token)).send().await;
        assert_eq!(child.error(), "invalid_grant");
        assert!(works(rig, other.access()).await, "another family is not");
        let claims = player.claims(&rig.url, rig.now_s(), "j");
        assert_eq!(assert_with(rig, &claims, &player.key).await.status, 200, "the key still does");
    });
}

#[test]
fn tokens_lapse() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        rig.pass(3_599);
        assert!(works(rig, player.access()).await);
        rig.pass(1);
        assert!(!works(rig, player.access()).await);
        rig.pass(7 * 24 * 3_600 - 3_600);
        let late = rig.ask_token(refresh(&player.tokens.refresh_token)).send().await;
        assert_eq!(late.error(), "invalid_grant");
    });
}

#[test]
fn an_assertion_is_believed_once_from_the_right_key_for_this_cloud_in_time() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let stranger = SigningKey::from_bytes(&[99; 32]);
        let (url, now) = (rig.url.clone(), rig.now_s());
        let claims = |jti: &str| player.claims(&url, now, jti);
        let own = &player.key;
        for (case, key, claims, want) in [
            ("good", own, claims("1"), 200),
            ("same jti", own, claims("1"), 400),
            ("slash at the end", own, player.claims(&format!("{url}/"), now, "2"), 200),
            ("another key", &stranger, claims("3"), 400),
            ("another cloud", own, player.claims("https://evil.example", now, "4"), 400),
            ("clock 5 minutes fast", own, player.claims(&url, now + 300, "5"), 200),
            ("clock 6 minutes fast", own, player.claims(&url, now + 360, "6"), 400),
            ("clock 6 minutes slow", own, player.claims(&url, now - 360, "7"), 400),
            ("lives too long", own, Assertion { exp: now + 301, ..claims("8") }, 400),
            ("for another", own, Assertion { sub: "other".into(), ..claims("9") }, 400),
            ("empty jti", own, claims(""), 400),
            ("long jti", own, claims(&"j".repeat(129)), 400),
        ] {
            let reply = assert_with(rig, &claims, key).await;
            assert_eq!(reply.status.as_u16(), want, "case {case:?}: {}", reply.text());
        }
        for text in ["", "a.b.c", "…"] {
            let body = json!({ "grant_type": JWT_BEARER, "assertion": text });
            assert_eq!(rig.ask_token(body).send().await.error(), "invalid_grant", "{text:?}");
        }
    });
}

#[test]
fn a_replay_is_remembered_over_a_restart() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let token = |rig: &Rig, jti: &str| player.claims(&rig.url, rig.now_s(), jti);
        assert_eq!(assert_with(rig, &token(rig, "once"), &player.key).await.status, 200);
        rig.restart().await;
        assert_eq!(assert_with(rig, &token(rig, "once"), &player.key).await.status, 400);
        assert_eq!(assert_with(rig, &token(rig, "twice"), &player.key).await.status, 200);
    });
}

#[test]
fn a_removed_device_is_told_to_pair_anew() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let path = format!("/api/v3/operator/devices/{}", player.id());
        assert_eq!(rig.call(Method::DELETE, &path).token(&operator).status().await, 204);
        assert_eq!(rig.call(Method::DELETE, &path).token(&operator).status().await, 404);
        assert!(!works(rig, player.access()).await);
        let old = rig.ask_token(refresh(&player.tokens.refresh_token)).send().await;
        assert_eq!(old.error(), "invalid_grant");
        let claims = player.claims(&rig.url, rig.now_s(), "j");
        let reply = assert_with(rig, &claims, &player.key).await;
        assert_eq!((reply.status.as_u16(), reply.error().as_str()), (401, "unknown_device"));
    });
}

#[test]
fn only_so_many_families_live() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player: Player = rig.device(&operator, "lobby", 1).await;
        for n in 0..8 {
            assert!(works(rig, player.access()).await, "family {n}");
            let claims = player.claims(&rig.url, rig.now_s(), &n.to_string());
            assert_eq!(assert_with(rig, &claims, &player.key).await.status, 200);
        }
        assert!(!works(rig, player.access()).await, "the oldest went");
    });
}

#[test]
fn nothing_secret_lies_in_the_database() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let pairing = rig.pairing(1).await;
        let player = rig.device(&operator, "lobby", 2).await;
        let (admin, tokens) = (rig.admin.clone(), player.tokens);
        rig.stop().await;
        let data = rig.dir.path().join("data");
        let mut kept = Vec::new();
        for name in ["cloud.db", "cloud.db-wal"] {
            kept.extend(std::fs::read(data.join(name)).unwrap_or_default());
        }
        let holds = |text: &str| kept.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(holds("Raspberry Pi 5"), "the test can see what is there");
        for secret in [
            &admin,
            &operator,
            &pairing.device_code,
            &pairing.user_code,
            &tokens.access_token,
            &tokens.refresh_token,
        ] {
            assert!(!holds(secret), "a secret is there in the clear");
        }
    });
}
