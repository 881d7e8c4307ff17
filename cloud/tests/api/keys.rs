//! A tenant's signing key is replaced: whoever pinned an older one can follow.

use ed25519_dalek::VerifyingKey;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use vitrine_wire::envelope::key_id;
use vitrine_wire::operator::KeyReplaced;

use crate::rig::{Player, Rig, run};

fn id_of(player: &Player) -> String {
    use base64::Engine;
    let key = base64::engine::general_purpose::STANDARD.decode(&player.tokens.tenant_key).unwrap();
    key_id(&VerifyingKey::from_bytes(&key.try_into().unwrap()).unwrap())
}

async fn rotate(rig: &Rig) -> crate::rig::Reply {
    rig.call(Method::POST, "/api/v3/operator/tenants/acme/key").token(&rig.admin).send().await
}

/// The ids of the keys that signed what a path gives a player.
async fn signers(rig: &Rig, player: &Player, path: &str) -> Vec<String> {
    let reply = rig.get(path).token(player.access()).send().await;
    let envelope: Value = reply.read(StatusCode::OK);
    let keys = envelope["signatures"].as_array().unwrap().iter();
    keys.map(|signature| signature["key"].as_str().unwrap().to_owned()).collect()
}

async fn beat(rig: &Rig, player: &Player, record: &str, pinned: &str) {
    let beat = json!({ "records": [{
        "id": record.repeat(32), "at": "2026-07-01T12:00:00Z", "trust": "synced",
        "kind": "heartbeat", "release": "1", "uptime_s": 1, "manifest_version": 1, "showing": "x",
        "screen_ok": true, "disk_free_bytes": 1, "memory_free_bytes": 1, "outbox": 0,
        "tenant_key": pinned,
    }]});
    assert_eq!(rig.post("/api/v3/records", beat).token(player.access()).status().await, 200);
}

#[test]
fn a_key_is_replaced_by_one_that_signs_beside_it_until_everybody_has_followed() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let old = rig.device(&operator, "old", 1).await;
        let path = format!("/api/v3/operator/devices/{}/orders", old.id());
        let order = json!({ "action": "identify", "expires_in_s": 600 });
        assert_eq!(rig.post(&path, order).token(&operator).status().await, 201);
        let (first, before) = (id_of(&old), rig.manifest(&old).await);
        assert_eq!(before.tenant_key, None);
        let answer: KeyReplaced = rotate(rig).await.read(StatusCode::OK);
        assert_eq!((answer.behind, answer.key == first), (vec!["old".to_owned()], false));
        let second = answer.key;
        // Believed by the key that it got at pairing, and names the next one.
        let after = rig.manifest(&old).await;
        assert!(after.version > before.version && after.tenant_key.is_some());
        assert_eq!((after.schedule, rig.orders(&old).await.len()), (before.schedule, 1));
        for path in ["/api/v3/manifest", "/api/v3/orders"] {
            assert_eq!(signers(rig, &old, path).await, [first.clone(), second.clone()], "{path}");
        }
        let new = rig.device(&operator, "new", 2).await;
        assert_eq!(id_of(&new), second);
        assert_eq!(signers(rig, &new, "/api/v3/manifest").await, std::slice::from_ref(&second));
        assert_eq!(rig.manifest(&new).await.tenant_key, None);
        // It followed, and says so.
        beat(rig, &old, "1", &second).await;
        let answer: KeyReplaced = rotate(rig).await.read(StatusCode::OK);
        let third = answer.key;
        assert_eq!(signers(rig, &old, "/api/v3/manifest").await, [second, third.clone()]);
        // Its card was put back to what it was at pairing.
        beat(rig, &old, "2", &third).await;
        beat(rig, &old, "3", &first).await;
        let all = signers(rig, &old, "/api/v3/manifest").await;
        assert_eq!((all.len(), &all[0]), (3, &first));
        rig.restart().await;
        assert_eq!(rig.manifest(&old).await.tenant, "acme");
    });
}

#[test]
fn nobody_is_left_behind_by_too_many_keys() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        for _ in 0..3 {
            assert_eq!(rotate(rig).await.status, 200);
        }
        let refused = rotate(rig).await;
        assert_eq!((refused.status.as_u16(), refused.error()), (409, "screens_behind".into()));
        assert!(refused.text().contains("lobby"), "{}", refused.text());
        assert_eq!(rig.manifest(&player).await.tenant, "acme", "it can still follow");
        let path = format!("/api/v3/operator/devices/{}", player.id());
        assert_eq!(rig.call(Method::DELETE, &path).token(&operator).status().await, 204);
        assert_eq!(rotate(rig).await.status, 200);
        let unknown = rig.call(Method::POST, "/api/v3/operator/tenants/none/key").token(&rig.admin);
        assert_eq!(unknown.status().await, 404);
    });
}
