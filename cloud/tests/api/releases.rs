//! Releases of the player: in from their maker, out to every tenant's devices.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use vitrine_wire::Digest;
use vitrine_wire::operator::ReleaseFile;
use vitrine_wire::release::{self, Index, Release};

use crate::rig::{Rig, run};

const INDEX: &str = "/api/v3/operator/releases";

fn maker() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

fn index(version: u64, sha256: Digest, size_bytes: u64) -> Index {
    let release = Release {
        version: "0.2.0".parse().unwrap(),
        arch: "aarch64".into(),
        sha256,
        size_bytes,
        min_package: None,
        rollout_percent: 100,
    };
    Index { version, issued_at: Timestamp::UNIX_EPOCH, not_after: None, releases: vec![release] }
}

async fn put(rig: &Rig, index: &Index) -> StatusCode {
    let signed = release::seal(index, &[&maker()]).unwrap();
    let signed: Value = serde_json::from_slice(&signed).unwrap();
    rig.put(INDEX, signed).token(&rig.admin).send().await.status
}

async fn upload(rig: &Rig, bytes: &[u8]) -> ReleaseFile {
    let path = format!("{INDEX}/files");
    let call = rig.call(Method::POST, &path).token(&rig.admin).bytes(bytes);
    call.send().await.read(StatusCode::CREATED)
}

#[test]
fn a_release_reaches_the_devices_of_every_tenant() {
    run(async |rig| {
        let bytes = b"\x7fELF".repeat(5_000);
        let file = upload(rig, &bytes).await;
        assert_eq!((file.sha256, file.size_bytes), (Digest::of(&bytes), bytes.len() as u64));
        assert_eq!(put(rig, &index(1, file.sha256, file.size_bytes)).await, StatusCode::NO_CONTENT);
        for (tenant, seed) in [("acme", 1), ("globex", 2)] {
            let operator = rig.tenant(tenant).await;
            let player = rig.device(&operator, "lobby", seed).await;
            let reply = rig.get("/api/v3/releases").token(player.access()).send().await;
            let believed = release::open(&reply.body, &maker().verifying_key()).unwrap();
            assert_eq!(believed, index(1, file.sha256, file.size_bytes), "tenant {tenant}");
            let payload = serde_json::to_value(&believed).unwrap();
            crate::spec::named("ReleaseIndex", &payload);
            let tag = reply.header("etag");
            let again = rig.get("/api/v3/releases").token(player.access());
            let again = again.header("if-none-match", &tag).send().await;
            assert_eq!(again.status, StatusCode::NOT_MODIFIED);
            let path = format!("/api/v3/assets/{}", file.sha256);
            let rest = rig.get(&path).token(player.access()).header("range", "bytes=7-");
            assert_eq!(rest.send().await.body, bytes[7..], "tenant {tenant}");
            // Whose token it is decides who may change anything.
            for token in [player.access(), operator.as_str()] {
                assert_eq!(rig.get(INDEX).token(token).send().await.status, 401);
            }
        }
    });
}

#[test]
fn an_index_that_no_device_could_use_is_refused() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let nothing = rig.get("/api/v3/releases").token(player.access()).send().await;
        assert_eq!(nothing.status, StatusCode::NOT_FOUND);
        let file = upload(rig, b"program").await;
        let good = |version| index(version, file.sha256, file.size_bytes);
        let (lost, short) = (index(8, Digest([1; 32]), 7), index(8, file.sha256, 6));
        for (case, index, want) in [
            ("the first", good(5), StatusCode::NO_CONTENT),
            ("the same version", good(5), StatusCode::CONFLICT),
            ("an older one", good(4), StatusCode::CONFLICT),
            ("a file that is not there", lost, StatusCode::UNPROCESSABLE_ENTITY),
            ("another length", short, StatusCode::UNPROCESSABLE_ENTITY),
            ("the next", good(6), StatusCode::NO_CONTENT),
        ] {
            assert_eq!(put(rig, &index).await, want, "case {case:?}");
        }
        let junk = serde_json::json!({
            "format": "vitrine-envelope-1", "payload": STANDARD.encode("{}"), "signatures": [],
        });
        let refused = rig.put(INDEX, junk).token(&rig.admin).send().await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        rig.restart().await;
        let kept = rig.get(INDEX).token(&rig.admin).send().await;
        assert_eq!(release::open(&kept.body, &maker().verifying_key()).unwrap(), good(6));
    });
}
