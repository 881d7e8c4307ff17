use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use vitrine_wire::event::Hint;

use crate::rig::{Rig, run};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(rig: &Rig, token: &str) -> Result<Socket, tungstenite::Error> {
    let url = format!("{}/api/v3/events", rig.url.replace("http", "ws"));
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    connect_async(request).await.map(|(socket, _)| socket)
}

/// The version in the next hint; None when the channel has ended.
async fn hint(socket: &mut Socket) -> Option<u64> {
    match any_hint(socket).await? {
        Hint::Manifest { version } => Some(version),
        other => panic!("{other:?}"),
    }
}

/// The next hint that is none of the greeting.
async fn any_hint(socket: &mut Socket) -> Option<Hint> {
    loop {
        match said(socket).await? {
            Hint::Records => {}
            hint => return Some(hint),
        }
    }
}

async fn said(socket: &mut Socket) -> Option<Hint> {
    loop {
        match socket.next().await? {
            Ok(Message::Text(text)) => {
                crate::spec::named("Hint", &serde_json::from_str(&text).unwrap());
                return Some(serde_json::from_str(&text).unwrap());
            }
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            _ => return None,
        }
    }
}

async fn publish_colour(rig: &Rig, operator: &str, colour: &str) {
    let item = json!({ "id": "1", "kind": "colour", "colour": colour });
    let playlist = rig.put("/api/v3/operator/playlists/p", json!({ "items": [item] }));
    assert_eq!(playlist.token(operator).status().await, 204);
    let schedule = json!([{ "id": "e", "target": { "playlist": "p" } }]);
    let schedule = rig.put("/api/v3/operator/schedule", schedule);
    assert_eq!(schedule.token(operator).status().await, 204);
    rig.publish(operator).await;
}

#[test]
fn a_device_is_told_what_is_there_and_what_is_new() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let mut socket = connect(rig, player.access()).await.unwrap();
        let first = rig.manifest(&player).await.version;
        assert_eq!(hint(&mut socket).await, Some(first));
        publish_colour(rig, &operator, "#ff0000").await;
        let second = rig.manifest(&player).await.version;
        assert_eq!(hint(&mut socket).await, Some(second));
        let path = format!("/api/v3/operator/devices/{}/orders", player.id());
        let order = json!({ "action": "identify", "expires_in_s": 60 });
        assert_eq!(rig.post(&path, order).token(&operator).status().await, 201);
        let orders = Some(Hint::Order { version: second + 1 });
        assert_eq!(any_hint(&mut socket).await, orders);
        let mut again = connect(rig, player.access()).await.unwrap();
        assert_eq!(hint(&mut again).await, Some(second), "no new manifest");
        assert_eq!(any_hint(&mut again).await, orders, "still waiting");
    });
}

#[test]
fn a_hint_is_for_the_tenant_that_published() {
    run(async |rig| {
        let (acme, rival) = (rig.tenant("acme").await, rig.tenant("rival").await);
        let player = rig.device(&rival, "lobby", 1).await;
        rig.device(&acme, "lobby", 1).await;
        let mut socket = connect(rig, player.access()).await.unwrap();
        assert_eq!(hint(&mut socket).await, Some(1));
        for colour in ["#ff0000", "#00ff00"] {
            publish_colour(rig, &acme, colour).await;
        }
        publish_colour(rig, &rival, "#0000ff").await;
        assert_eq!(hint(&mut socket).await, Some(2), "its own, and no other before");
    });
}

#[test]
fn the_channel_is_for_devices_with_a_handshake() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        assert!(connect(rig, "wrong").await.is_err());
        assert!(connect(rig, &operator).await.is_err());
        let plain = rig.get("/api/v3/events").token(player.access()).send().await;
        assert!(plain.status.is_client_error(), "{}", plain.status);
    });
}

#[test]
fn the_channel_ends_with_the_device_and_with_the_server() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let one = rig.device(&operator, "one", 1).await;
        let two = rig.device(&operator, "two", 2).await;
        let mut first = connect(rig, one.access()).await.unwrap();
        let mut second = connect(rig, two.access()).await.unwrap();
        assert!(hint(&mut first).await.is_some() && hint(&mut second).await.is_some());
        let path = format!("/api/v3/operator/devices/{}", one.id());
        assert_eq!(rig.call(Method::DELETE, &path).token(&operator).status().await, 204);
        assert_eq!(hint(&mut first).await, None);
        rig.stop().await;
        assert_eq!(hint(&mut second).await, None);
    });
}

#[test]
fn a_talkative_device_is_hung_up_on() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let mut socket = connect(rig, player.access()).await.unwrap();
        assert!(hint(&mut socket).await.is_some());
        socket.send(Message::text("small talk")).await.unwrap();
        assert!(matches!(any_hint(&mut socket).await, Some(Hint::Refused { .. })));
        publish_colour(rig, &operator, "#ff0000").await;
        assert!(hint(&mut socket).await.is_some(), "small talk is passed over");
        let long = "x".repeat(vitrine_cloud::limits::RECORDS_BODY_BYTES + 1);
        let _ = socket.send(Message::text(long)).await;
        assert_eq!(hint(&mut socket).await, None);
    });
}

#[test]
fn records_come_by_the_channel_as_they_come_by_request() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let mut socket = connect(rig, player.access()).await.unwrap();
        assert_eq!(said(&mut socket).await, Some(Hint::Records), "said first");
        any_hint(&mut socket).await.unwrap();
        let fault = |id: &str| {
            json!({ "id": id, "at": "2026-07-01T12:00:00Z", "trust": "synced", "kind": "fault",
                "code": "x", "detail": "" })
        };
        let (one, two) = ("1".repeat(32), "2".repeat(32));
        let mut tell = async |batch: serde_json::Value| {
            socket.send(Message::Text(batch.to_string().into())).await.unwrap();
            any_hint(&mut socket).await.unwrap()
        };
        let ids = |ids: &[&String]| Hint::Acknowledged {
            ids: ids.iter().map(|id| (*id).clone()).collect(),
        };
        let batch = json!({ "records": [fault(&one), fault(&two)] });
        assert_eq!(tell(batch.clone()).await, ids(&[&one, &two]));
        assert_eq!(tell(batch).await, ids(&[&one, &two]), "again, as after a lost answer");
        let refused = tell(json!({ "records": [fault("short")] })).await;
        assert!(matches!(refused, Hint::Refused { .. }), "{refused:?}");
        let path = format!("/api/v3/operator/devices/{}/records", player.id());
        let kept: serde_json::Value =
            rig.get(&path).token(&operator).send().await.read(reqwest::StatusCode::OK);
        assert_eq!(kept["records"].as_array().unwrap().len(), 2, "each once");
    });
}
