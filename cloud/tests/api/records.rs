use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use vitrine_cloud::records::Page;
use vitrine_wire::operator::DeviceState;
use vitrine_wire::record::Acknowledged;

use crate::rig::{Player, Rig, png, run};

fn id(n: u32) -> String {
    format!("{n:032x}")
}

fn fault(n: u32) -> Value {
    json!({ "id": id(n), "at": "2026-07-01T12:00:00Z", "trust": "synced", "kind": "fault",
        "code": "item_failed", "detail": format!("number {n}") })
}

fn heartbeat(n: u32, at: &str, showing: &str) -> Value {
    json!({ "id": id(n), "at": at, "trust": "guess", "kind": "heartbeat", "release": "9.9",
        "uptime_s": 1, "manifest_version": 1, "showing": showing, "screen_ok": true,
        "disk_free_bytes": 1, "memory_free_bytes": 1, "temperature_c": 41.5, "outbox": 0 })
}

async fn tell(rig: &Rig, player: &Player, records: &[Value]) -> Vec<String> {
    let call = rig.post("/api/v3/records", json!({ "records": records }));
    call.token(player.access()).send().await.read::<Acknowledged>(StatusCode::OK).ids
}

async fn kept(rig: &Rig, operator: &str, player: &Player, query: &str) -> Page {
    let path = format!("/api/v3/operator/devices/{}/records{query}", player.id());
    rig.get(&path).token(operator).send().await.read(StatusCode::OK)
}

#[test]
fn a_record_is_kept_once_however_often_it_comes() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        assert_eq!(tell(rig, &player, &[fault(1), fault(2), fault(1)]).await, {
            [id(1), id(2), id(1)]
        });
        assert_eq!(tell(rig, &player, &[fault(2), fault(3)]).await, [id(2), id(3)]);
        let page = kept(rig, &operator, &player, "").await;
        let bodies: Vec<Value> =
            page.records.iter().map(|r| serde_json::from_str(r.record.get()).unwrap()).collect();
        assert_eq!(bodies, [fault(1), fault(2), fault(3)]);
        assert!(page.next.is_none());
    });
}

#[test]
fn pages_join_without_a_gap_and_kinds_are_told_apart() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let mut all: Vec<_> = (0..5).map(fault).collect();
        all.insert(2, heartbeat(99, "2026-07-01T12:00:00Z", "x"));
        tell(rig, &player, &all).await;
        let (mut seen, mut after) = (0, Some(0));
        while let Some(from) = after {
            let page = kept(rig, &operator, &player, &format!("?limit=2&after={from}")).await;
            assert!(page.records.len() <= 2);
            seen += page.records.len();
            after = page.next;
        }
        assert_eq!(seen, all.len());
        assert_eq!(kept(rig, &operator, &player, "?kind=fault").await.records.len(), 5);
        assert_eq!(kept(rig, &operator, &player, "?kind=none").await.records.len(), 0);
        let path = format!("/api/v3/operator/devices/{}/records", player.id());
        for query in ["?after=x", "?limit=-1", "?since=1"] {
            let call = rig.get(&format!("{path}{query}")).token(&operator);
            assert_eq!(call.status().await, 400, "{query}");
        }
    });
}

#[test]
fn kinds_of_a_newer_device_are_kept_as_they_are() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let new = json!({ "id": id(1), "at": "2026-07-01T12:00:00Z", "kind": "aroma", "x": [1] });
        let bad = json!({ "id": "short", "at": "2026-07-01T12:00:00Z", "kind": "fault" });
        let send = |records: Value| {
            let call = rig.post("/api/v3/records", json!({ "records": records }));
            call.beyond_the_file().token(player.access()).send()
        };
        let reply = send(json!([bad, new])).await;
        assert_eq!(reply.read::<Acknowledged>(StatusCode::OK).ids, [id(1)]);
        assert_eq!(send(json!([bad])).await.status, 422, "nothing to keep");
        let page = vitrine_cloud::client::Client::new(&rig.url, &operator).unwrap();
        let page = page.records(player.id(), None, 0).await.unwrap();
        let body: Value = serde_json::from_str(page.records[0].record.get()).unwrap();
        assert_eq!(body, new);
    });
}

#[test]
fn the_newest_heartbeat_is_the_state_of_the_device() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let state = async || {
            let reply = rig.get("/api/v3/operator/devices").token(&operator).send().await;
            reply.read::<Vec<DeviceState>>(StatusCode::OK).remove(0)
        };
        assert!(state().await.seen_at.is_none(), "approved, not heard of");
        let (noon, later) = ("2026-07-01T12:00:00Z", "2026-07-01T12:05:00Z");
        tell(rig, &player, &[heartbeat(1, later, "new"), heartbeat(2, noon, "old")]).await;
        let heard = state().await;
        assert_eq!(heard.heartbeat.unwrap().showing, "new", "an older one came later");
        assert_eq!(heard.seen_at.unwrap().as_second(), rig.now_s());
    });
}

#[test]
fn records_outlive_their_device() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        tell(rig, &player, &[fault(1)]).await;
        let path = format!("/api/v3/operator/devices/{}", player.id());
        assert_eq!(rig.call(Method::DELETE, &path).token(&operator).status().await, 204);
        assert_eq!(kept(rig, &operator, &player, "").await.records.len(), 1);
        let path = "/api/v3/operator/devices/never-was/records";
        assert_eq!(rig.get(path).token(&operator).status().await, 404);
    });
}

#[test]
fn the_last_screenshot_is_there_for_the_operator() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let send = |id: &str, bytes: &[u8]| {
            let path = format!("/api/v3/screenshots/{id}");
            rig.call(Method::PUT, &path).token(player.access()).bytes(bytes).status()
        };
        let path = format!("/api/v3/operator/devices/{}/screenshot", player.id());
        let last = || rig.get(&path).token(&operator).send();
        assert_eq!(last().await.status, 404);
        assert_eq!(send("one", &png("first")).await, 204);
        assert_eq!(send("two", b"\xff\xd8\xff\xe0 second").await, 204);
        for (case, bytes) in [("gif", &b"GIF89a...."[..]), ("empty", b""), ("text", b"hello")] {
            assert_eq!(send("three", bytes).await, 415, "case {case:?}");
        }
        let shot = last().await;
        assert_eq!((shot.status.as_u16(), shot.body.as_slice()), {
            (200, &b"\xff\xd8\xff\xe0 second"[..])
        });
        assert_eq!(shot.header("content-type"), "image/jpeg");
        assert_eq!(shot.header("x-screenshot-id"), "two");
        let gone = format!("/api/v3/operator/devices/{}", player.id());
        assert_eq!(rig.call(Method::DELETE, &gone).token(&operator).status().await, 204);
        assert_eq!(last().await.status, 404);
        let file = rig.dir.path().join("data/tenants/acme/screenshots").join(player.id());
        assert!(!file.exists());
    });
}
