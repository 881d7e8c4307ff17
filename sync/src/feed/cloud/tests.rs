use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::{Content, NewsFeed, Words};

fn digest(n: u8) -> String {
    Digest::of(&[n]).to_string()
}

/// Something of everything, all of it good.
fn sample() -> Value {
    json!({
        "version": 3, "tenant": "acme", "device": "d1", "issued_at": "2026-01-01T00:00:00Z",
        "not_after": "2026-02-01T00:00:00Z",
        "assets": [
            { "sha256": digest(1), "size_bytes": 10, "media_type": "image/png", "name": "one" },
            { "sha256": digest(2), "size_bytes": 20, "media_type": "video/mp4", "name": "two" },
        ],
        "playlists": [
            { "id": "p", "name": "P", "items": [
                { "id": "a", "kind": "image", "asset": digest(1), "duration_ms": 5000,
                  "background": "#102030", "valid_from": "2026-01-01T00:00:00Z" },
                { "id": "b", "kind": "video", "asset": digest(2), "volume": 0.5, "fit": "cover" },
                { "id": "c", "kind": "colour", "colour": "#ff0000" },
                { "id": "d", "kind": "ticker", "text": "news", "speed_px_s": 90,
                  "feed": { "url": "https://news.example/rss", "items": 10, "refresh_s": 900 },
                  "style": { "colour": "#00ff00" } },
                { "id": "e", "kind": "clock", "format": "%H", "time_zone": "Europe/Berlin",
                  "locale": "de_DE" },
                { "id": "f", "kind": "countdown", "to": "2027-01-01T00:00:00Z", "format": "%D",
                  "over": "now" },
                { "id": "g", "kind": "text", "text": "two\nlines" },
            ]},
            { "id": "q", "name": "Q", "items": [] },
        ],
        "layouts": [
            { "id": "l", "name": "L", "width_px": 1920, "height_px": 1080,
              "background_image": digest(1), "letterbox_image": digest(1), "zones": [
                { "id": "front", "x_px": 0, "y_px": 0, "width_px": 10, "height_px": 10, "z": 2,
                  "playlist": "p" },
                { "id": "back", "x_px": -5, "y_px": 0, "width_px": 10, "height_px": 10, "z": 1,
                  "playlist": "q", "opacity": 0.5, "volume": 0.5 },
            ]},
        ],
        "schedule": [
            { "id": "s", "target": { "playlist": "p" }, "priority": 2,
              "windows": [{ "days": ["mon"], "from": "08:00", "until": "18:00" }] },
            { "id": "t", "target": { "layout": "l" }, "kind": "fallback" },
        ],
    })
}

fn read(payload: &[u8]) -> Result<(Manifest, Vec<Complaint>), Unreadable> {
    manifest(fields(payload)?)
}

fn read_value(value: &Value) -> Result<(Manifest, Vec<Complaint>), Unreadable> {
    read(&serde_json::to_vec(value).unwrap())
}

#[test]
fn all_of_a_good_manifest_is_taken() {
    let (manifest, complaints) = read_value(&sample()).unwrap();
    assert_eq!(complaints, []);
    assert_eq!((manifest.assets.len(), manifest.playlists.len()), (2, 2));
    assert_eq!(manifest.playlists["p"].items[2].content, Content::Colour([255, 0, 0]));
    let Content::Text(ticker) = &manifest.playlists["p"].items[3].content else {
        panic!("a ticker is words")
    };
    let feed = NewsFeed {
        url: "https://news.example/rss".into(),
        items: 10,
        separator: None,
        refresh: Duration::from_secs(900),
    };
    let (text, feed) = ("news".into(), Some(feed));
    assert_eq!(ticker.words, Words::Ticker { text, feed, speed_px_s: 90 });
    assert_eq!(
        manifest.news_feeds(),
        [("https://news.example/rss".to_owned(), Duration::from_secs(900))].into()
    );
    assert_eq!((ticker.style.colour, ticker.style.size_px), ([0, 255, 0], 48));
    assert_eq!(manifest.playlists["p"].items[0].background, Some([0x10, 0x20, 0x30]));
    assert_eq!(manifest.layouts["l"].assets().count(), 2);
    let zones: Vec<_> = manifest.layouts["l"].zones.iter().map(|z| z.id.as_str()).collect();
    assert_eq!(zones, ["back", "front"], "back to front");
    assert_eq!(manifest.schedule.len(), 2);
    assert!(manifest.not_after.is_some());
}

#[test]
fn a_wrong_part_costs_that_part() {
    let item = "/playlists/0/items/0";
    for (case, at, wrong, places) in [
        ("unknown kind", item, json!({"id": "w", "kind": "web"}), &["playlists[0].items[0]"][..]),
        ("item is no object", item, json!(7), &["playlists[0].items[0]"]),
        ("taken item id", "/playlists/0/items/0/id", json!("b"), &["playlists[0].items[1]"]),
        (
            "asset not there",
            "/playlists/0/items/0/asset",
            json!(digest(9)),
            &["playlists[0].items[0]"],
        ),
        (
            "no such font",
            "/playlists/0/items/3/style",
            json!({ "font": digest(9) }),
            &["playlists[0].items[3]"],
        ),
        ("speed", "/playlists/0/items/3/speed_px_s", json!(9), &["playlists[0].items[3]"]),
        ("feed", "/playlists/0/items/3/feed/url", json!("ftp://a"), &["playlists[0].items[3]"]),
        (
            "feed's name",
            "/playlists/0/items/3/feed/url",
            json!("http://a:b@c"),
            &["playlists[0].items[3]"],
        ),
        (
            "feed too often",
            "/playlists/0/items/3/feed/refresh_s",
            json!(9),
            &["playlists[0].items[3]"],
        ),
        (
            "no item of a feed",
            "/playlists/0/items/3/feed/items",
            json!(0),
            &["playlists[0].items[3]"],
        ),
        ("letters", "/playlists/0/items/3/style/colour", json!("red"), &["playlists[0].items[3]"]),
        ("clock", "/playlists/0/items/4/format", json!("%~"), &["playlists[0].items[4]"]),
        ("countdown", "/playlists/0/items/5/format", json!("%d"), &["playlists[0].items[5]"]),
        (
            "words",
            "/playlists/0/items/6/text",
            json!("x".repeat(5_000)),
            &["playlists[0].items[6]"],
        ),
        ("volume", "/playlists/0/items/1/volume", json!(1.5), &["playlists[0].items[1]"]),
        ("too short", "/playlists/0/items/0/duration_ms", json!(1), &["playlists[0].items[0]"]),
        (
            "too long",
            "/playlists/0/items/0/duration_ms",
            json!(1e12 as u64),
            &["playlists[0].items[0]"],
        ),
        ("colour", "/playlists/0/items/2/colour", json!("#ff00é"), &["playlists[0].items[2]"]),
        (
            "signed colour",
            "/playlists/0/items/2/colour",
            json!("#+12345"),
            &["playlists[0].items[2]"],
        ),
        ("bad time", "/playlists/0/items/0/valid_from", json!("noon"), &["playlists[0].items[0]"]),
        (
            "digest",
            "/assets/0/sha256",
            json!("../../etc"),
            &[
                "assets[0]",
                "playlists[0].items[0]",
                "layouts[0].background_image",
                "layouts[0].letterbox_image",
            ],
        ),
        (
            "page without its picture",
            "/layouts/0/background_image",
            json!(digest(9)),
            &["layouts[0].background_image"],
        ),
        ("empty file", "/assets/1/size_bytes", json!(0), &["assets[1]", "playlists[0].items[1]"]),
        (
            "long name",
            "/assets/0/name",
            json!("x".repeat(5000)),
            &[
                "assets[0]",
                "playlists[0].items[0]",
                "layouts[0].background_image",
                "layouts[0].letterbox_image",
            ],
        ),
        (
            "taken playlist id",
            "/playlists/1/id",
            json!("p"),
            &["playlists[1]", "layouts[0].zones[1]"],
        ),
        ("items no array", "/playlists/0/items", json!({}), &["playlists[0].items"]),
        (
            "assets no array",
            "/assets",
            json!("x"),
            &[
                "assets",
                "playlists[0].items[0]",
                "playlists[0].items[1]",
                "layouts[0].background_image",
                "layouts[0].letterbox_image",
            ],
        ),
        ("empty id", "/playlists/1/id", json!(""), &["playlists[1]", "layouts[0].zones[1]"]),
        ("layout width", "/layouts/0/width_px", json!(0), &["layouts[0]", "schedule[1]"]),
        ("zone playlist", "/layouts/0/zones/0/playlist", json!("x"), &["layouts[0].zones[0]"]),
        ("zone width", "/layouts/0/zones/0/width_px", json!(0), &["layouts[0].zones[0]"]),
        (
            "zone off the world",
            "/layouts/0/zones/0/x_px",
            json!(i32::MIN),
            &["layouts[0].zones[0]"],
        ),
        ("opacity", "/layouts/0/zones/1/opacity", json!(-1), &["layouts[0].zones[1]"]),
        ("zone's volume", "/layouts/0/zones/1/volume", json!(1.1), &["layouts[0].zones[1]"]),
        ("taken zone id", "/layouts/0/zones/1/id", json!("front"), &["layouts[0].zones[1]"]),
        ("target not there", "/schedule/0/target", json!({"playlist": "x"}), &["schedule[0]"]),
        ("target unknown", "/schedule/0/target", json!({"mood": "x"}), &["schedule[0]"]),
        ("a wrong window", "/schedule/0/windows/0/from", json!("25:00"), &["schedule[0]"]),
        ("not_after", "/not_after", json!("soon"), &["not_after"]),
    ] {
        let mut value = sample();
        *value.pointer_mut(at).expect(case) = wrong;
        let (manifest, complaints) = read_value(&value).expect(case);
        let got: Vec<_> = complaints.iter().map(|c| c.place.as_str()).collect();
        assert_eq!(got, places, "case {case:?}: {complaints:?}");
        assert_eq!(manifest.version, 3, "case {case:?}");
        whole(&manifest).unwrap_or_else(|e| panic!("case {case:?}: {e}"));
    }
}

#[test]
fn without_a_head_nothing_is_taken() {
    for (case, at, wrong) in [
        ("no version", "/version", json!(null)),
        ("version 0", "/version", json!(0)),
        ("negative version", "/version", json!(-1)),
        ("tenant", "/tenant", json!(5)),
        ("device", "/device", json!([])),
    ] {
        let mut value = sample();
        *value.pointer_mut(at).expect(case) = wrong;
        assert!(read_value(&value).is_err(), "case {case:?}");
    }
    let deep = format!(r#"{{"version":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for (case, bytes) in [
        ("empty", b"".to_vec()),
        ("an array", b"[]".to_vec()),
        ("html", b"<html>".to_vec()),
        ("too deep", "[".repeat(100_000).into_bytes()),
        ("a deep head", deep.into_bytes()),
        ("too long", vec![b' '; limits::MANIFEST_DECODED_BYTES + 1]),
    ] {
        assert!(read(&bytes).is_err(), "case {case:?}");
    }
}

#[test]
fn the_content_is_what_is_shown_and_nothing_else() {
    let content = |value: &Value| read_value(value).unwrap().0.content;
    let before = content(&sample());
    for (case, at, other, same) in [
        ("version", "/version", json!(4), true),
        ("time", "/issued_at", json!("2026-05-01T00:00:00Z"), true),
        ("end", "/not_after", json!("2029-02-01T00:00:00Z"), true),
        ("words", "/playlists/0/items/3/text", json!("other news"), false),
        ("order", "/schedule/0/priority", json!(3), false),
    ] {
        let mut value = sample();
        *value.pointer_mut(at).expect(case) = other;
        assert_eq!(content(&value) == before, same, "case {case:?}");
    }
    let mut newer = sample();
    newer["weather"] = json!("rain");
    assert_ne!(content(&newer), before, "a part that a later release knows");
}

#[test]
fn the_contents_digest_is_the_same_in_every_release() {
    let payload = br#"{"version":1,"tenant":"t","device":"d","playlists":[ ],"\u0301\n":"x"}"#;
    let manifest = read(payload).unwrap().0;
    let want = "\"playlists\"\n[ ]\n\"\u{301}\\n\"\n\"x\"\n";
    assert_eq!(manifest.content, Digest::of(want.as_bytes()));
}

#[test]
fn an_order_that_is_not_known_costs_itself() {
    let order = |id: &str, action: &str| json!({ "id": id, "action": action, "expires_at": "2026-01-01T01:00:00Z" });
    let all = json!({ "version": 3, "tenant": "acme", "device": "d1", "orders": [
        order("a", "dance"), order("b", "screenshot"), order("b", "identify"), order("", "identify"),
    ]});
    let (head, orders, complaints) = orders(&serde_json::to_vec(&all).unwrap()).unwrap();
    assert_eq!((head.version, head.tenant.as_str(), head.device.as_str()), (3, "acme", "d1"));
    assert_eq!(orders.iter().map(|order| &*order.id).collect::<Vec<_>>(), ["b"]);
    let places: Vec<_> = complaints.iter().map(|c| c.place.as_str()).collect();
    assert_eq!(places, ["orders[0]", "orders[2]", "orders[3]"]);
}

#[test]
fn too_many_are_cut_and_said_once() {
    let mut value = sample();
    let zone = |n| {
        json!({ "id": format!("z{n}"), "x_px": 0, "y_px": 0, "width_px": 1,
        "height_px": 1, "playlist": "p" })
    };
    value["layouts"][0]["zones"] = (0..limits::ZONES + 5).map(zone).collect();
    let colour = |n| json!({ "id": format!("i{n}"), "kind": "colour", "colour": "#000000" });
    value["playlists"][1]["items"] = (0..limits::ITEMS).map(colour).collect();
    let (manifest, complaints) = read_value(&value).unwrap();
    assert_eq!(manifest.layouts["l"].zones.len(), limits::ZONES);
    let items: usize = manifest.playlists.values().map(|p| p.items.len()).sum();
    assert_eq!(items, limits::ITEMS);
    assert_eq!(complaints.len(), 2, "{complaints:?}");
}

#[test]
fn complaints_are_no_flood() {
    let mut value = sample();
    value["schedule"] = (0..limits::ENTRIES).map(|n| json!({ "id": n })).collect();
    let (_, complaints) = read_value(&value).unwrap();
    assert!(complaints.len() <= 51, "{}", complaints.len());
}

#[test]
fn files_that_nothing_names_are_not_fetched() {
    let mut value = sample();
    let items = value["playlists"][0]["items"].as_array_mut().unwrap();
    items.remove(1);
    let (manifest, complaints) = read_value(&value).unwrap();
    assert_eq!((manifest.assets.len(), complaints.len()), (1, 0));
    value["playlists"][0]["items"][2]["style"]["font"] = json!(digest(2));
    let (manifest, _) = read_value(&value).unwrap();
    assert!(manifest.assets.contains_key(&Digest::of(&[2])), "a font is a file, too");
    value["playlists"][0]["items"][2]["style"] = json!({});
    value["layouts"][0]["letterbox_image"] = json!(digest(2));
    let (manifest, _) = read_value(&value).unwrap();
    assert!(manifest.assets.contains_key(&Digest::of(&[2])), "a page has files of its own");
}

/// What everybody who holds a [`Manifest`] relies on.
fn whole(manifest: &Manifest) -> Result<(), String> {
    let ok = |good: bool, text: &str| if good { Ok(()) } else { Err(text.to_owned()) };
    ok(manifest.version > 0, "version")?;
    for (id, playlist) in &manifest.playlists {
        ok(*id == playlist.id && !id.is_empty(), "playlist id")?;
        let ids: BTreeSet<_> = playlist.items.iter().map(|item| &item.id).collect();
        ok(ids.len() == playlist.items.len(), "item ids")?;
        for item in &playlist.items {
            ok((0.0..=1.0).contains(&item.volume), "volume")?;
            let asset = item.content.asset();
            ok(asset.is_none_or(|a| manifest.assets.contains_key(&a)), "dangling asset")?;
            ok(item.duration.is_none_or(|d| d.as_millis() >= 500), "duration")?;
        }
    }
    for (id, layout) in &manifest.layouts {
        ok(*id == layout.id && layout.width_px > 0 && layout.height_px > 0, "layout")?;
        ok(layout.zones.len() <= limits::ZONES, "zones")?;
        let there = |asset| manifest.assets.contains_key(&asset);
        ok(layout.assets().all(there), "dangling picture")?;
        for zone in &layout.zones {
            ok(manifest.playlists.contains_key(&zone.playlist), "dangling zone")?;
            ok(zone.width_px > 0 && zone.height_px > 0, "zone size")?;
        }
    }
    for entry in &manifest.schedule {
        ok(
            match &entry.target {
                Target::Playlist(id) => manifest.playlists.contains_key(id),
                Target::Layout(id) => manifest.layouts.contains_key(id),
            },
            "dangling target",
        )?;
    }
    Ok(())
}

/// Every place in a JSON value, as pointers.
fn places(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, v)| places(v, format!("{at}/{n}"), out));
        }
        Value::Object(map) => map.iter().for_each(|(k, v)| places(v, format!("{at}/{k}"), out)),
        _ => {}
    }
    out.push(at);
}

fn junk() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z#0-9é]{0,8}".prop_map(Value::from),
        prop::sample::select(vec!["p", "q", "l", "a", "b", "front", "image", "video", "08:00"])
            .prop_map(Value::from),
        (0u8..4).prop_map(|n| json!(digest(n))),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[], {}, 1])),
    ]
}

proptest! {
    #[test]
    fn nothing_dangles_whatever_is_sent(
        changes in prop::collection::vec((any::<prop::sample::Index>(), junk(), 0u8..3), 1..8),
    ) {
        let mut value = sample();
        for (index, junk, how) in changes {
            let mut all = Vec::new();
            places(&value, String::new(), &mut all);
            let at = index.get(&all).clone();
            let Some(place) = value.pointer_mut(&at) else { continue };
            match (how, place) {
                (0, Value::Array(list)) if !list.is_empty() => {
                    let again = list[0].clone();
                    list.push(again);
                }
                (1, Value::Object(map)) => map.clear(),
                (_, place) => *place = junk,
            }
        }
        if let Ok((manifest, _)) = read_value(&value) {
            prop_assert_eq!(whole(&manifest), Ok(()));
        }
    }

    #[test]
    fn bytes_of_any_kind_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
    }
}
