//! Bodies that are too long, too odd, or not what was asked for.

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vitrine_cloud::api::table;
use vitrine_cloud::auth::Access;
use vitrine_cloud::limits;
use vitrine_wire::release::{INDEX_BYTES, RELEASE_BYTES};

use crate::rig::{Player, Rig, run};

struct Tokens {
    operator: String,
    player: Player,
}

async fn tokens(rig: &Rig) -> Tokens {
    let operator = rig.tenant("acme").await;
    let player = rig.device(&operator, "lobby", 1).await;
    Tokens { operator, player }
}

impl Tokens {
    fn of<'a>(&'a self, rig: &'a Rig, access: Access) -> &'a str {
        match access {
            Access::Open => "",
            Access::Device => self.player.access(),
            Access::Operator => &self.operator,
            Access::Admin => &rig.admin,
        }
    }
}

/// Routes whose body is read whole, with what they take at most.
fn whole_bodies() -> Vec<(Method, String, Access, usize)> {
    let takes = |method: &Method, path: &str| match path {
        "/api/v3/records" => Some(limits::RECORDS_BODY_BYTES),
        "/api/v3/operator/schedule" => Some(limits::CONTENT_BODY_BYTES),
        "/api/v3/operator/playlists/{id}" | "/api/v3/operator/layouts/{id}" => {
            Some(limits::CONTENT_BODY_BYTES)
        }
        "/api/v3/pairing"
        | "/api/v3/token"
        | "/api/v3/operator/tenants"
        | "/api/v3/operator/tenants/{tenant}/quota"
        | "/api/v3/operator/enrollments"
        | "/api/v3/operator/settings" => Some(limits::SMALL_BODY_BYTES),
        "/api/v3/operator/pairings/{user_code}" | "/api/v3/operator/devices/{device}/orders" => {
            Some(limits::SMALL_BODY_BYTES)
        }
        "/api/v3/operator/releases" if *method == Method::PUT => Some(INDEX_BYTES),
        _ if *method == Method::DELETE || *method == Method::GET => None,
        // Streamed, or without a body: see the other tests of this file.
        "/pair" | "/api/v3/operator/assets" | "/api/v3/screenshots/{id}" => None,
        "/api/v3/operator/releases/files" => None,
        "/api/v3/operator/publish"
        | "/api/v3/operator/tenants/{tenant}/token"
        | "/api/v3/operator/tenants/{tenant}/key" => None,
        other => panic!("{method} {other}: say what it takes"),
    };
    let mut all = Vec::new();
    for route in table() {
        let none = route.method == Method::DELETE || route.method == Method::GET;
        if let (false, Some(most)) = (none, takes(&route.method, route.path)) {
            let path = route.path.replace("{user_code}", "BBBBBBBB").replace("{id}", "x");
            let path = path.replace("{tenant}", "x");
            all.push((route.method, path.replace("{device}", "x"), route.access, most));
        }
    }
    all
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    run(async |rig| {
        let tokens = tokens(rig).await;
        for (method, path, access, most) in whole_bodies() {
            for (bytes, want) in [(most, false), (most + 1, true)] {
                let call = rig.call(method.clone(), &path).token(tokens.of(rig, access));
                let status = call.bytes(&vec![b' '; bytes]).status().await;
                let refused = status == StatusCode::PAYLOAD_TOO_LARGE;
                assert_eq!(refused, want, "{method} {path} with {bytes} bytes: {status}");
            }
        }
        let form = rig.call(Method::POST, "/pair").bytes(&vec![b'a'; limits::SMALL_BODY_BYTES + 1]);
        let form = form.header("content-type", "application/x-www-form-urlencoded");
        assert!(form.status().await.is_client_error());
    });
}

#[test]
fn a_stream_that_says_it_is_too_long_is_refused_before_it_is_taken() {
    run(async |rig| {
        let tokens = tokens(rig).await;
        for (line, access, most) in [
            ("POST /api/v3/operator/assets?name=a", Access::Operator, limits::ASSET_BYTES),
            ("PUT /api/v3/screenshots/a", Access::Device, limits::SCREENSHOT_BYTES),
            ("POST /api/v3/operator/releases/files", Access::Admin, RELEASE_BYTES),
        ] {
            let (token, length) = (tokens.of(rig, access), most + 1);
            let head = format!(
                "{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
                 content-length: {length}\r\n\r\n"
            );
            let mut socket = TcpStream::connect(rig.url.replace("http://", "")).await.unwrap();
            socket.write_all(head.as_bytes()).await.unwrap();
            let mut answer = [0; 12];
            socket.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 413", "{line}");
        }
    });
}

#[test]
fn what_is_no_json_is_refused_with_a_reason() {
    run(async |rig| {
        let tokens = tokens(rig).await;
        for (method, path, access, _) in whole_bodies() {
            for body in [&b""[..], b"{", b"\xff\xfe", b"\"text\"", b"7"] {
                let call = rig.call(method.clone(), &path).token(tokens.of(rig, access));
                let reply = call.bytes(body).send().await;
                let known = matches!(reply.status.as_u16(), 400 | 422);
                assert!(known, "{method} {path} with {body:?}: {}", reply.status);
            }
        }
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        let call = rig.call(Method::PUT, "/api/v3/operator/schedule").token(&tokens.operator);
        assert!(call.bytes(&deep).status().await.is_client_error(), "deep");
    });
}

#[test]
fn bad_input_table() {
    run(async |rig| {
        let tokens = tokens(rig).await;
        let (op, dev) = (tokens.operator.as_str(), tokens.player.access());
        let order = |action: &str, s: i64| json!({ "action": action, "expires_in_s": s });
        let orders = format!("/api/v3/operator/devices/{}/orders", tokens.player.id());
        let list = "/api/v3/operator/playlists";
        let none = json!({ "items": [] });
        for (case, call, want) in [
            ("path that is not there", rig.get("/api/v3/nothing"), 404),
            ("root", rig.get("/"), 404),
            ("wrong method", rig.call(Method::DELETE, "/api/v3/pairing"), 405),
            ("asset that is no digest", rig.get("/api/v3/assets/..%2Fx").token(dev), 400),
            (
                "asset in capitals",
                { rig.get(&format!("/api/v3/assets/{}", "AB".repeat(32))).token(dev) },
                400,
            ),
            (
                "asset that is not there",
                { rig.get(&format!("/api/v3/assets/{}", "ab".repeat(32))).token(dev) },
                404,
            ),
            ("path that is not text", rig.get("/api/v3/assets/%ff").token(dev), 400),
            (
                "screenshot id that is a path",
                { rig.call(Method::PUT, "/api/v3/screenshots/..").token(dev).bytes(b"x") },
                404,
            ),
            (
                "screenshot id with a slash",
                { rig.call(Method::PUT, "/api/v3/screenshots/a%2Fb").token(dev).bytes(b"x") },
                400,
            ),
            ("playlist id", rig.put(&format!("{list}/a%20b"), none.clone()).token(op), 400),
            (
                "playlist id in the body",
                { rig.put(&format!("{list}/a"), json!({ "id": "b", "items": [] })).token(op) },
                400,
            ),
            (
                "playlist name",
                { rig.put(&format!("{list}/a"), json!({ "name": " ", "items": [] })).token(op) },
                422,
            ),
            ("unknown action", rig.post(&orders, order("dance", 60)).token(op), 400),
            ("order that lapsed", rig.post(&orders, order("identify", 0)).token(op), 400),
            ("order for ever", rig.post(&orders, order("identify", 1 << 40)).token(op), 400),
            ("negative order", rig.post(&orders, order("identify", -1)).token(op), 400),
            (
                "device that is not there",
                { rig.post("/api/v3/operator/devices/x/orders", order("identify", 60)).token(op) },
                404,
            ),
            (
                "nameless device",
                { rig.post("/api/v3/operator/pairings/BBBBBBBB", json!({ "name": "" })).token(op) },
                400,
            ),
            (
                "tenant name",
                {
                    rig.post("/api/v3/operator/tenants", json!({ "tenant": "A/B" }))
                        .token(&rig.admin)
                },
                400,
            ),
            (
                "tenant that is there",
                {
                    rig.post("/api/v3/operator/tenants", json!({ "tenant": "acme" }))
                        .token(&rig.admin)
                },
                409,
            ),
            (
                "token for a tenant that is not there",
                {
                    let path = "/api/v3/operator/tenants/nobody/token";
                    rig.call(Method::POST, path).token(&rig.admin)
                },
                404,
            ),
            ("unknown grant", rig.ask_token(json!({ "grant_type": "password" })), 400),
            ("other scheme", rig.get("/api/v3/manifest").header("authorization", "Basic eA"), 401),
        ] {
            let reply = call.send().await;
            assert_eq!(reply.status.as_u16(), want, "case {case:?}: {}", reply.text());
            if want == 401 {
                assert_eq!(reply.header("www-authenticate"), "Bearer");
            }
        }
    });
}

#[test]
fn a_lost_operator_token_is_replaced() {
    run(async |rig| {
        let old = rig.tenant("acme").await;
        let path = "/api/v3/operator/tenants/acme/token";
        let made = rig.call(Method::POST, path).token(&rig.admin).send().await;
        let made: serde_json::Value = made.read(StatusCode::OK);
        let new = made["operator_token"].as_str().unwrap();
        let works = |token: &str| rig.get("/api/v3/operator/devices").token(token).status();
        assert_eq!((works(&old).await.as_u16(), works(new).await.as_u16()), (401, 200));
    });
}
