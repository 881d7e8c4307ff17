use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use vitrine_wire::auth::Problem;
use vitrine_wire::order::Action;

use crate::rig::{Player, Reply, Rig, png, run};

const PLAYLIST: &str = "/api/v3/operator/playlists/menu";
const LAYOUT: &str = "/api/v3/operator/layouts/page";
const SCHEDULE: &str = "/api/v3/operator/schedule";

fn colours(colours: &[&str]) -> Value {
    let item = |(n, colour)| json!({ "id": format!("{n}"), "kind": "colour", "colour": colour });
    json!({ "items": colours.iter().enumerate().map(item).collect::<Vec<_>>() })
}

fn always(id: &str) -> Value {
    json!([{ "id": "e", "target": { "playlist": id } }])
}

async fn put(rig: &Rig, operator: &str, path: &str, body: Value) -> Reply {
    rig.put(path, body).token(operator).send().await
}

async fn version(rig: &Rig, player: &Player) -> u64 {
    rig.manifest(player).await.version
}

#[test]
fn published_content_reaches_the_device_whole() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let empty = rig.manifest(&player).await;
        assert!(empty.schedule.is_empty() && empty.playlists.is_empty(), "nothing published yet");
        let asset = rig.upload(&operator, "a.png", &png("a")).await;
        let item = json!({
            "id": "1", "kind": "image", "asset": asset.sha256, "duration_ms": 2000,
            "fit": "cover", "background": "#102030", "valid_until": "2030-01-01T00:00:00Z",
        });
        let font = rig.upload(&operator, "a.ttf", b"\0\x01\0\0\0\x0e\0\x80").await;
        let style = json!({ "font": font.sha256, "size_px": 90, "colour": "#ffcc00",
            "align": "centre", "place": "top", "wrap": false, "weight": 700, "padding_px": 4 });
        let words = json!({ "id": "2", "kind": "text", "text": "two\nlines", "style": style });
        let ticker = json!({ "id": "3", "kind": "ticker", "text": "news", "speed_px_s": 90 });
        let clock = json!({ "id": "4", "kind": "clock", "time_zone": "Europe/Berlin" });
        let countdown = json!({ "id": "5", "kind": "countdown", "to": "2030-01-01T00:00:00Z",
            "over": "now" });
        let items = [item, words, ticker, clock, countdown];
        let zone = json!({ "id": "z", "x_px": 0, "y_px": -5, "width_px": 9, "height_px": 9,
            "z": 2, "opacity": 0.5, "playlist": "menu" });
        let layout = json!({ "width_px": 1920, "height_px": 1080, "zones": [zone] });
        let window = json!({ "days": ["mon", "sun"], "from": "22:00", "until": "06:00:30" });
        let schedule = json!([
            { "id": "e", "target": { "playlist": "menu" } },
            { "id": "f", "target": { "layout": "page" }, "kind": "interrupt", "priority": -3,
                "windows": [window], "valid_from": "2026-01-01T00:00:00Z" },
        ]);
        for (path, body) in
            [(PLAYLIST, json!({ "items": items })), (LAYOUT, layout), (SCHEDULE, schedule)]
        {
            let reply = put(rig, &operator, path, body).await;
            assert_eq!(reply.status, 204, "{path}: {}", reply.text());
        }
        assert_eq!(version(rig, &player).await, empty.version, "not published yet");
        rig.publish(&operator).await;
        let made = rig.manifest(&player).await;
        assert!(made.version > empty.version);
        assert_eq!((made.tenant.as_str(), made.device.as_str()), ("acme", player.id()));
        assert_eq!(made.issued_at.as_second(), rig.now_s());
        assert_eq!(made.assets.len(), 2);
        assert!(made.assets.contains(&asset) && made.assets.contains(&font), "{:?}", made.assets);
        assert_eq!((made.playlists.len(), made.layouts.len(), made.schedule.len()), (1, 1, 2));
        let late = rig.device(&operator, "late", 2).await;
        assert_eq!(rig.manifest(&late).await.playlists, made.playlists, "paired after publishing");
    });
}

#[test]
fn versions_rise_with_every_change_of_own_content_and_only_then() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let (one, two) =
            (rig.device(&operator, "one", 1).await, rig.device(&operator, "two", 2).await);
        put(rig, &operator, PLAYLIST, colours(&["#ff0000"])).await;
        put(rig, &operator, SCHEDULE, always("menu")).await;
        rig.publish(&operator).await;
        let first = version(rig, &one).await;
        assert_eq!(version(rig, &two).await, first, "one publication, one version");
        rig.pass(60);
        rig.publish(&operator).await;
        assert_eq!(version(rig, &one).await, first, "nothing changed");
        put(rig, &operator, "/api/v3/operator/playlists/unused", colours(&["#0000ff"])).await;
        rig.publish(&operator).await;
        assert_eq!(version(rig, &one).await, first, "nothing that it can reach changed");
        put(rig, &operator, PLAYLIST, colours(&["#00ff00"])).await;
        rig.publish(&operator).await;
        let second = version(rig, &one).await;
        assert!(second > first);
        let path = format!("/api/v3/operator/devices/{}/orders", one.id());
        let order = json!({ "action": "identify", "expires_in_s": 60 });
        assert_eq!(rig.post(&path, order).token(&operator).status().await, 201);
        assert_eq!(version(rig, &one).await, second, "an order is no content");
        put(rig, &operator, PLAYLIST, colours(&["#ffffff"])).await;
        rig.publish(&operator).await;
        let (a, b) = (version(rig, &one).await, version(rig, &two).await);
        assert!(a > second && b > second);
        rig.restart().await;
        assert_eq!(version(rig, &one).await, a, "a restart changes nothing");
    });
}

#[test]
fn an_order_waits_until_it_is_answered_or_lapses() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let path = format!("/api/v3/operator/devices/{}/orders", player.id());
        let order = async |action: &str, expires_in_s: u64| {
            let body = json!({ "action": action, "expires_in_s": expires_in_s });
            let reply = rig.post(&path, body).token(&operator).send().await;
            reply.read::<Value>(StatusCode::CREATED)["order"].as_str().unwrap().to_owned()
        };
        let named = async || {
            let reply = rig.get("/api/v3/manifest").token(player.access()).send().await;
            reply.header("vitrine-orders")
        };
        assert_eq!((named().await, rig.orders(&player).await), (String::new(), vec![]));
        let shot = order("screenshot", 600).await;
        let first = named().await;
        let had = rig.get("/api/v3/orders").token(player.access()).header("if-none-match", &first);
        assert_eq!(had.status().await, 304, "the tag is that of the orders");
        let identify = order("identify", 60).await;
        let orders = rig.orders(&player).await;
        assert_eq!(orders.iter().map(|o| &o.id).collect::<Vec<_>>(), [&shot, &identify]);
        assert_ne!(named().await, first);
        assert_eq!(orders[0].action, Action::Screenshot);
        assert_eq!(orders[0].expires_at.as_second(), rig.now_s() + 600);
        let result = json!({ "records": [{
            "id": "0".repeat(32), "at": "2026-07-01T12:00:00Z", "trust": "synced",
            "kind": "order_result", "order": shot, "done": true, "detail": "sent",
        }]});
        let told = rig.post("/api/v3/records", result).token(player.access());
        assert_eq!(told.status().await, 200);
        rig.pass(60);
        let third = order("identify", 60).await;
        let orders = rig.orders(&player).await;
        assert_eq!(orders.iter().map(|o| &o.id).collect::<Vec<_>>(), [&third]);
        rig.pass(60);
        assert_eq!((named().await, rig.orders(&player).await), (String::new(), vec![]));
        for _ in 0..32 {
            order("identify", 60).await;
        }
        let body = json!({ "action": "identify", "expires_in_s": 60 });
        assert_eq!(rig.post(&path, body).token(&operator).status().await, 409, "too many wait");
    });
}

#[test]
fn what_would_not_resolve_is_refused_at_once_and_nothing_is_kept() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        put(rig, &operator, PLAYLIST, colours(&["#ff0000"])).await;
        put(rig, &operator, SCHEDULE, always("menu")).await;
        let digest = "ab".repeat(32);
        let faults = json!({ "items": [
            { "id": "1", "kind": "image", "asset": digest },
            { "id": "1", "kind": "colour", "colour": "red", "duration_ms": 1 },
        ]});
        let shape = json!({ "items": [
            { "id": "1", "kind": "hologram" },
            { "id": "2", "kind": "colour" },
        ]});
        let window = json!({ "from": "25:00", "until": "06:00" });
        let zone = json!({ "id": "z", "x_px": 0, "y_px": 0, "width_px": 0, "height_px": 9,
            "playlist": "none" });
        let layout = json!({ "width_px": 0, "height_px": 9, "zones": [zone] });
        for (case, path, body, places) in [
            (
                "values",
                PLAYLIST,
                faults,
                vec![
                    "playlists.menu.items",
                    "playlists.menu.items[0].asset",
                    "playlists.menu.items[1].colour",
                    "playlists.menu.items[1].duration_ms",
                ],
            ),
            ("shape", PLAYLIST, shape, vec!["playlists.menu.items[0]", "playlists.menu.items[1]"]),
            (
                "layout",
                LAYOUT,
                layout,
                vec![
                    "layouts.page.width_px",
                    "layouts.page.zones[0].width_px",
                    "layouts.page.zones[0].playlist",
                ],
            ),
            ("target", SCHEDULE, always("none"), vec!["schedule[0].target"]),
            (
                "window",
                SCHEDULE,
                json!([{ "id": "e", "target": { "playlist": "menu" },
                "windows": [window] }]),
                vec!["schedule[0]"],
            ),
        ] {
            let reply = put(rig, &operator, path, body).await;
            let body: Value = reply.read(StatusCode::UNPROCESSABLE_ENTITY);
            let problems = body["problems"].as_array().unwrap();
            let found: Vec<_> = problems.iter().map(|p| p["place"].as_str().unwrap()).collect();
            assert_eq!(found, places, "case {case:?}");
        }
        let dangling = rig.call(Method::DELETE, PLAYLIST).token(&operator).send().await;
        let problem: Problem = dangling.read(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(problem.error_description.contains("no playlist \"menu\""), "{problem:?}");
        let content = rig.get("/api/v3/operator/content").token(&operator).send().await;
        let content: Value = content.read(StatusCode::OK);
        assert_eq!(content["playlists"][0]["items"][0]["colour"], "#ff0000", "old one stands");
        assert_eq!(content["layouts"], json!([]));
    });
}

#[test]
fn what_nothing_refers_to_can_be_dropped() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let layout = json!({ "width_px": 9, "height_px": 9, "zones": [] });
        put(rig, &operator, PLAYLIST, colours(&[])).await;
        put(rig, &operator, LAYOUT, layout).await;
        for path in [PLAYLIST, LAYOUT] {
            assert_eq!(rig.call(Method::DELETE, path).token(&operator).status().await, 204);
            assert_eq!(rig.call(Method::DELETE, path).token(&operator).status().await, 404);
        }
    });
}

#[test]
fn an_unchanged_manifest_costs_nothing() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let get = || rig.get("/api/v3/manifest").token(player.access());
        let tag = get().send().await.header("etag");
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag} is strong");
        let same = get().header("if-none-match", &tag).send().await;
        assert_eq!((same.status.as_u16(), same.body.len()), (304, 0));
        assert_eq!(same.header("etag"), tag);
        assert_eq!(get().header("if-none-match", "\"other\"").status().await, 200);
        put(rig, &operator, PLAYLIST, colours(&["#ff0000"])).await;
        put(rig, &operator, SCHEDULE, always("menu")).await;
        rig.publish(&operator).await;
        let new = get().header("if-none-match", &tag).send().await;
        assert_eq!(new.status, 200);
        assert_ne!(new.header("etag"), tag);
    });
}
