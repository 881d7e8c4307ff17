//! Tenants are strictly apart: every route of the table is tried with the other tenant's tokens
//! and ids. A route that this file does not know fails the test.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use vitrine_cloud::api::{Route, table};
use vitrine_cloud::auth::Access;
use vitrine_wire::manifest::Asset;
use vitrine_wire::operator::EnrollmentMade;
use vitrine_wire::release::{self, Index};

use crate::rig::{Call, Player, Rig, png, run};

/// Stands in everything that only the first tenant may see, and in nothing that is asked for.
const MARK: &str = "for-acme-only";

/// A tenant with something of everything.
struct Estate {
    operator: String,
    player: Player,
    asset: Asset,
    /// Named by nothing.
    spare: Asset,
    used_code: String,
    enrollment: String,
}

async fn estate(rig: &Rig, name: &str, mark: &str, seed: u8) -> Estate {
    let operator = rig.tenant(name).await;
    let pairing = rig.pairing(seed).await;
    rig.approve(&operator, &pairing.user_code, &format!("{mark}-screen")).await;
    let ask = json!({ "grant_type": crate::rig::DEVICE_CODE, "device_code": pairing.device_code });
    let tokens = rig.ask_token(ask).send().await.read(StatusCode::OK);
    let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
    let player = Player { key, tokens };
    let asset = rig.upload(&operator, &format!("{mark}.png"), &png(mark)).await;
    let spare =
        rig.upload(&operator, &format!("{mark}-spare.png"), &png(&format!("{mark} spare"))).await;
    let item = json!({ "id": "i", "kind": "image", "asset": asset.sha256 });
    let playlist = json!({ "name": mark, "items": [item] });
    let layout = json!({ "name": mark, "width_px": 9, "height_px": 9, "zones": [] });
    for (path, body) in [
        ("playlists/shown", playlist.clone()),
        ("playlists/spare", playlist),
        ("layouts/spare", layout),
        ("schedule", json!([{ "id": "e", "target": { "playlist": "shown" } }])),
    ] {
        let call = rig.put(&format!("/api/v3/operator/{path}"), body).token(&operator);
        assert_eq!(call.status().await, 204, "{path}");
    }
    rig.publish(&operator).await;
    let orders = format!("/api/v3/operator/devices/{}/orders", player.id());
    let order = json!({ "action": "identify", "expires_in_s": 600 });
    assert_eq!(rig.post(&orders, order).token(&operator).status().await, 201);
    let fault = json!({ "records": [{ "id": "0".repeat(32), "at": "2026-07-01T12:00:00Z",
        "trust": "synced", "kind": "fault", "code": "x", "detail": mark }]});
    let told = rig.post("/api/v3/records", fault).token(player.access());
    assert_eq!(told.status().await, 200);
    let shot = rig.call(Method::PUT, "/api/v3/screenshots/s").token(player.access());
    assert_eq!(shot.bytes(&png(mark)).status().await, 204);
    let enroll = json!({ "uses": 1, "expires_in_s": 60 });
    let enroll = rig.post("/api/v3/operator/enrollments", enroll).token(&operator);
    let made: EnrollmentMade = enroll.send().await.read(StatusCode::CREATED);
    let enrollment = made.enrollment;
    Estate { operator, player, asset, spare, used_code: pairing.user_code, enrollment }
}

/// A call of `route` about what `of` has. `code` is a user code to be answered.
fn call(rig: &Rig, route: &Route, of: &Estate, code: &str) -> Call {
    let asset = if route.method == Method::DELETE { &of.spare } else { &of.asset };
    let path = route
        .path
        .replace("{sha256}", &asset.sha256.to_string())
        .replace("{device}", of.player.id())
        .replace("{user_code}", code)
        .replace("{enrollment}", &of.enrollment)
        .replace("{tenant}", "acme")
        .replace("{id}", "spare");
    assert!(!path.contains('{'), "{path}: say what stands here");
    let item = json!({ "id": "i", "kind": "image", "asset": of.asset.sha256 });
    let zone = json!({ "id": "z", "x_px": 0, "y_px": 0, "width_px": 9, "height_px": 9,
        "playlist": "shown" });
    let call = rig.call(route.method.clone(), &path);
    match (route.method.as_str(), route.path) {
        ("GET" | "DELETE", _) => call,
        ("POST", "/pair" | "/api/v3/pairing" | "/api/v3/token") => call,
        ("POST", "/api/v3/operator/publish") => call,
        ("POST", "/api/v3/operator/tenants") => call.json(json!({ "tenant": "third" })),
        ("POST", "/api/v3/operator/tenants/{tenant}/token") => call,
        ("PUT", "/api/v3/operator/releases") => call.json(no_releases()),
        ("POST", "/api/v3/operator/releases/files") => call.bytes(b"program"),
        ("POST", "/api/v3/records") => call.json(json!({ "records": [{ "id": "1".repeat(32),
            "at": "2026-07-01T12:00:00Z", "trust": "synced", "kind": "fault", "code": "x",
            "detail": "control" }]})),
        ("PUT", "/api/v3/screenshots/{id}") => call.bytes(&png("control")),
        ("POST", "/api/v3/operator/assets") => {
            rig.call(Method::POST, &format!("{path}?name=c.png")).bytes(&png("control"))
        }
        ("POST", "/api/v3/operator/enrollments") => {
            call.json(json!({ "uses": 1, "expires_in_s": 60 }))
        }
        ("POST", "/api/v3/operator/pairings/{user_code}") => call.json(json!({ "name": "new" })),
        ("PUT", "/api/v3/operator/playlists/{id}") => call.json(json!({ "items": [item] })),
        ("PUT", "/api/v3/operator/layouts/{id}") => {
            call.json(json!({ "width_px": 9, "height_px": 9, "zones": [zone] }))
        }
        ("PUT", "/api/v3/operator/schedule") => {
            call.json(json!([{ "id": "e", "target": { "playlist": "shown" } }]))
        }
        ("POST", "/api/v3/operator/devices/{device}/orders") => {
            call.json(json!({ "action": "identify", "expires_in_s": 60 }))
        }
        ("POST", "/api/v3/operator/tenants/{tenant}/key") => call,
        ("PUT", "/api/v3/operator/tenants/{tenant}/quota") => {
            call.json(json!({ "quota_bytes": null }))
        }
        ("POST", "/api/v3/operator/settings") => {
            call.json(json!({ "settings": { "cloud.poll_s": "30" }, "by": "control" }))
        }
        (method, path) => panic!("{method} {path}: teach this test what to send"),
    }
}

/// A release index without releases.
fn no_releases() -> Value {
    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let issued_at = jiff::Timestamp::UNIX_EPOCH;
    let index = Index { version: 1, issued_at, not_after: None, releases: Vec::new() };
    serde_json::from_slice(&release::seal(&index, &[&key]).unwrap()).unwrap()
}

/// Everything that a tenant can see of itself, but for when its devices were last heard of.
async fn everything(rig: &Rig, of: &Estate) -> Vec<Vec<u8>> {
    let device = of.player.id();
    let mut all = Vec::new();
    for path in [
        "/api/v3/operator/content".to_owned(),
        "/api/v3/operator/assets".into(),
        "/api/v3/operator/enrollments".into(),
        format!("/api/v3/operator/devices/{device}/records"),
        format!("/api/v3/operator/devices/{device}/screenshot"),
    ] {
        let reply = rig.get(&path).token(&of.operator).send().await;
        assert_eq!(reply.status, 200, "{path}");
        all.push(reply.body);
    }
    for path in ["/api/v3/manifest".to_owned(), format!("/api/v3/assets/{}", of.asset.sha256)] {
        let reply = rig.get(&path).token(of.player.access()).send().await;
        assert_eq!(reply.status, 200, "{path}");
        all.push(reply.body);
    }
    let devices = rig.get("/api/v3/operator/devices").token(&of.operator).send().await;
    let mut devices: Vec<Value> = devices.read(StatusCode::OK);
    devices.iter_mut().for_each(|device| device["seen_at"] = Value::Null);
    all.push(serde_json::to_vec(&devices).unwrap());
    all
}

fn token<'a>(rig: &'a Rig, of: &'a Estate, access: Access) -> &'a str {
    match access {
        Access::Open => "",
        Access::Device => of.player.access(),
        Access::Operator => &of.operator,
        Access::Admin => &rig.admin,
    }
}

/// Whether a body holds what is the first tenant's alone, in the clear or in a signed payload.
fn holds_mark(body: &[u8]) -> bool {
    use base64::Engine;
    let text = String::from_utf8_lossy(body);
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let payload = value["payload"].as_str().unwrap_or_default();
    let payload = base64::engine::general_purpose::STANDARD.decode(payload).unwrap_or_default();
    text.contains(MARK) || String::from_utf8_lossy(&payload).contains(MARK)
}

#[test]
fn no_route_lets_one_tenant_see_or_touch_the_other() {
    run(async |rig| {
        let acme = estate(rig, "acme", MARK, 1).await;
        let rival = estate(rig, "rival", "rival", 2).await;
        let releases = rig.put("/api/v3/operator/releases", no_releases()).token(&rig.admin);
        assert_eq!(releases.status().await, 204);
        let before = everything(rig, &acme).await;
        let scoped = || {
            let access = |route: &Route| matches!(route.access, Access::Device | Access::Operator);
            table().into_iter().filter(access)
        };
        for route in scoped() {
            let what = format!("{} {}", route.method, route.path);
            let foreign = token(rig, &rival, route.access);
            let attack = || call(rig, &route, &acme, &acme.used_code).token(foreign);
            let reply = attack().send().await;
            assert!(!holds_mark(&reply.body), "{what} shows: {}", reply.text());
            let names_theirs = ["{sha256}", "{device}", "{user_code}", "{enrollment}"];
            if names_theirs.iter().any(|name| route.path.contains(name)) {
                assert_eq!(reply.status, 404, "{what}: {}", reply.text());
            }
            let claimed = attack().header("x-tenant", "acme").send().await;
            assert_eq!(claimed.status, 403, "{what} as acme: {}", claimed.text());
        }
        assert!(everything(rig, &acme).await == before, "something of acme has changed");

        // The same calls with the right token work, and the mark would have been seen.
        let mut seen = Vec::new();
        let (last, first): (Vec<_>, Vec<_>) = scoped().partition(|r| r.method == Method::DELETE);
        for (n, route) in (10..).zip(first.into_iter().chain(last)) {
            let what = format!("{} {}", route.method, route.path);
            let fresh = rig.pairing(n).await.user_code;
            let own = token(rig, &acme, route.access);
            let right = call(rig, &route, &acme, &fresh).token(own).header("x-tenant", "acme");
            if route.path == "/api/v3/events" {
                continue; // A handshake of its own: see `events`.
            }
            let reply = right.send().await;
            assert!(reply.status.is_success(), "{what}: {} {}", reply.status, reply.text());
            if holds_mark(&reply.body) {
                seen.push(what);
            }
        }
        assert_eq!(
            seen,
            [
                "GET /api/v3/manifest",
                "GET /api/v3/assets/{sha256}",
                "GET /api/v3/operator/assets",
                "GET /api/v3/operator/content",
                "GET /api/v3/operator/devices",
                "GET /api/v3/operator/devices/{device}/records",
            ]
        );
    });
}

#[test]
fn every_route_wants_the_token_of_its_kind() {
    run(async |rig| {
        let acme = estate(rig, "acme", MARK, 1).await;
        for route in table().into_iter().filter(|route| route.access != Access::Open) {
            let what = format!("{} {}", route.method, route.path);
            let without = call(rig, &route, &acme, "BBBBBBBB").status().await;
            assert_eq!(without, 401, "{what} without a token");
            for (kind, wrong) in [
                (None, "made-up"),
                (None, acme.player.tokens.refresh_token.as_str()),
                (Some(Access::Device), acme.player.access()),
                (Some(Access::Operator), &acme.operator),
                (Some(Access::Admin), &rig.admin),
            ] {
                if kind != Some(route.access) {
                    let status = call(rig, &route, &acme, "BBBBBBBB").token(wrong).status().await;
                    assert_eq!(status, 401, "{what} with a token of kind {kind:?}");
                }
            }
        }
    });
}

#[test]
fn records_and_screenshots_with_the_same_ids_do_not_meet() {
    run(async |rig| {
        let acme = estate(rig, "acme", MARK, 1).await;
        let rival = estate(rig, "rival", "theirs", 2).await;
        for (of, mark) in [(&acme, MARK), (&rival, "theirs")] {
            for what in ["records", "screenshot"] {
                let path = format!("/api/v3/operator/devices/{}/{what}", of.player.id());
                let text = rig.get(&path).token(&of.operator).send().await.text();
                assert!(text.contains(mark), "{what} of {mark}: {text}");
            }
        }
    });
}
