use reqwest::{Method, StatusCode};
use serde_json::json;
use vitrine_wire::Digest;
use vitrine_wire::manifest::Asset;
use vitrine_wire::operator::Room;

use crate::rig::{png, run};

#[test]
fn ranges_are_answered_exactly() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let bytes = png(&"0123456789".repeat(20_000));
        let asset = rig.upload(&operator, "a.png", &bytes).await;
        let size = bytes.len();
        assert_eq!((asset.sha256, asset.size_bytes), (Digest::of(&bytes), size as u64));
        assert_eq!(asset.media_type, "image/png");
        let tag = format!("\"{}\"", asset.sha256);
        for (case, range, if_range, want) in [
            ("whole", None, None, Some(0..size)),
            ("first", Some("bytes=0-9".to_owned()), None, Some(0..10)),
            ("resume", Some("bytes=150000-".into()), None, Some(150_000..size)),
            ("resume the same file", Some("bytes=7-".into()), Some(&tag), Some(7..size)),
            ("resume another file", Some("bytes=7-".into()), Some(&"\"x\"".into()), Some(0..size)),
            ("last", Some("bytes=-5".into()), None, Some(size - 5..size)),
            ("over the end", Some(format!("bytes=9-{}", 2 * size)), None, Some(9..size)),
            ("several", Some("bytes=0-1,4-5".into()), None, Some(0..size)),
            ("behind the end", Some(format!("bytes={size}-")), None, None),
        ] {
            let path = format!("/api/v3/assets/{}", asset.sha256);
            let mut call = rig.get(&path).token(player.access());
            if let Some(range) = &range {
                call = call.header("range", range);
            }
            if let Some(if_range) = if_range {
                call = call.header("if-range", if_range);
            }
            let reply = call.send().await;
            let Some(want) = want else {
                assert_eq!(reply.status, 416, "case {case:?}");
                assert_eq!(reply.header("content-range"), format!("bytes */{size}"));
                continue;
            };
            assert!(reply.body == bytes[want.clone()], "case {case:?}: other bytes");
            assert_eq!(reply.header("content-length"), want.len().to_string(), "case {case:?}");
            assert_eq!(reply.header("etag"), tag, "case {case:?}");
            let part = want.len() < size;
            assert_eq!(reply.status, if part { 206 } else { 200 }, "case {case:?}");
            let here = format!("bytes {}-{}/{size}", want.start, want.end - 1);
            let here = if part { here } else { String::new() };
            assert_eq!(reply.header("content-range"), here, "case {case:?}");
        }
    });
}

#[test]
fn assets_are_never_compressed_but_json_is() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let asset = rig.upload(&operator, "a.png", &png(&"0".repeat(10_000))).await;
        for n in 0..4 {
            rig.upload(&operator, &format!("{n}.png"), &png(&n.to_string())).await;
        }
        // A client that does not unpack shows what went over the wire.
        let raw = reqwest::Client::builder().no_proxy().no_gzip().no_zstd().build().unwrap();
        for (path, token, want) in [
            (format!("/api/v3/assets/{}", asset.sha256), player.access(), ""),
            ("/api/v3/operator/assets".into(), operator.as_str(), "gzip"),
        ] {
            let request = raw.get(format!("{}{path}", rig.url)).bearer_auth(token);
            let reply = request.header("accept-encoding", "gzip").send().await.unwrap();
            let coding = reply.headers().get("content-encoding");
            assert_eq!(coding.map_or("", |c| c.to_str().unwrap()), want, "{path}");
        }
    });
}

#[test]
fn the_same_bytes_are_one_asset_with_the_newest_name() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let first = rig.upload(&operator, "old.png", &png("a")).await;
        let path = "/api/v3/operator/assets?name=new%20name.png";
        let again = rig.call(Method::POST, path).token(&operator).bytes(&png("a")).send().await;
        let again: Asset = again.read(StatusCode::OK);
        assert_eq!(again, Asset { name: "new name.png".into(), ..first });
        let list = rig.get("/api/v3/operator/assets").token(&operator).send().await;
        assert_eq!(list.read::<Vec<Asset>>(StatusCode::OK), [again]);
    });
}

#[test]
fn what_no_device_can_show_is_refused_and_leaves_nothing() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let upload = |path: &str, bytes: &[u8]| {
            rig.call(Method::POST, path).token(&operator).bytes(bytes).send()
        };
        let path = "/api/v3/operator/assets?name=a.png";
        for (case, path, bytes, want) in [
            ("program", path, &b"\x7fELF and more"[..], 415),
            ("empty", path, b"", 415),
            ("web page named like a picture", path, b"<!doctype html>", 415),
            ("no name", "/api/v3/operator/assets", b"\xff\xd8\xff", 400),
            ("empty name", "/api/v3/operator/assets?name=", b"\xff\xd8\xff", 400),
            ("line break", "/api/v3/operator/assets?name=a%0Ab", b"\xff\xd8\xff", 400),
            ("other query", "/api/v3/operator/assets?name=a&size=1", b"\xff\xd8\xff", 400),
        ] {
            let reply = upload(path, bytes).await;
            assert_eq!(reply.status.as_u16(), want, "case {case:?}: {}", reply.text());
        }
        let data = rig.dir.path().join("data");
        assert_eq!(std::fs::read_dir(data.join("incoming")).unwrap().count(), 0);
        assert!(!data.join("tenants/acme/assets").exists());
        let list = rig.get("/api/v3/operator/assets").token(&operator).send().await;
        assert_eq!(list.text(), "[]");
    });
}

#[test]
fn what_was_uploaded_survives_a_restart_and_what_was_cut_short_is_cleared() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "lobby", 1).await;
        let asset = rig.upload(&operator, "a.png", &png("a")).await;
        rig.stop().await;
        let part = rig.dir.path().join("data/incoming/half");
        std::fs::File::create(&part).unwrap();
        rig.restart().await;
        assert!(!part.exists());
        let path = format!("/api/v3/assets/{}", asset.sha256);
        assert_eq!(rig.get(&path).token(player.access()).send().await.body, png("a"));
    });
}

#[test]
fn a_tenant_takes_no_more_room_than_it_has_and_gets_it_back() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let rival = rig.tenant("rival").await;
        let quota = async |bytes: Option<u64>| {
            let call =
                rig.put("/api/v3/operator/tenants/acme/quota", json!({ "quota_bytes": bytes }));
            call.token(&rig.admin).send().await.read::<Room>(StatusCode::OK)
        };
        let one = rig.upload(&operator, "one.png", &png("one")).await;
        assert_eq!(quota(None).await.used_bytes, one.size_bytes);
        quota(Some(one.size_bytes + 5)).await;
        let upload = |name: &str, token: &str| {
            let path = format!("/api/v3/operator/assets?name={name}.png");
            rig.call(Method::POST, &path).token(token).bytes(&png(name))
        };
        let refused = upload("two", &operator).send().await;
        assert_eq!((refused.status.as_u16(), refused.error()), (413, "quota".into()));
        assert!(refused.text().contains(&one.size_bytes.to_string()), "{}", refused.text());
        assert_eq!(upload("one", &operator).status().await, 200, "it is there already");
        assert_eq!(upload("two", &rival).status().await, 201, "another tenant's room");
        let room = rig.get("/api/v3/operator/quota").token(&operator).send().await;
        let room: Room = room.read(StatusCode::OK);
        assert_eq!((room.quota_bytes, room.used_bytes), (Some(one.size_bytes + 5), one.size_bytes));
        // What is named stays; what nothing names makes room.
        let item = json!({ "id": "1", "kind": "image", "asset": one.sha256 });
        let path = "/api/v3/operator/playlists/p";
        let named = rig.put(path, json!({ "items": [item] })).token(&operator);
        assert_eq!(named.status().await, 204);
        let remove = || {
            let path = format!("/api/v3/operator/assets/{}", one.sha256);
            rig.call(Method::DELETE, &path).token(&operator)
        };
        assert_eq!(remove().status().await, 409);
        assert_eq!(rig.call(Method::DELETE, path).token(&operator).status().await, 204);
        assert_eq!(remove().status().await, 204);
        assert_eq!(remove().status().await, 404);
        assert_eq!(upload("two", &operator).status().await, 201);
        assert_eq!(upload("six", &operator).status().await, 413, "full again");
        quota(None).await;
        assert_eq!(upload("six", &operator).status().await, 201);
    });
}
