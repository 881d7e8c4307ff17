//! Settings of players: for all and for one, at once, signed like everything else.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::rig::{Player, Reply, Rig, run};

const PATH: &str = "/api/v3/operator/settings";

async fn set(rig: &Rig, operator: &str, body: Value) -> Reply {
    rig.post(PATH, body).token(operator).send().await
}

/// Key and value of what a player's manifest says.
async fn said(rig: &Rig, player: &Player) -> Vec<(String, String)> {
    let settings = rig.manifest(player).await.settings;
    settings.into_iter().map(|setting| (setting.key, setting.value)).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_setting_goes_out_at_once_and_a_devices_own_stands_above_that_for_all() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let (one, two) =
            (rig.device(&operator, "one", 1).await, rig.device(&operator, "two", 2).await);
        let before = rig.manifest(&one).await.version;
        let all = json!({ "cloud.poll_s": "30", "audio.volume_percent": "50" });
        let told = set(rig, &operator, json!({ "settings": all, "by": "anna" })).await;
        assert_eq!(told.status, 204, "{}", told.text());
        let both = pairs(&[("audio.volume_percent", "50"), ("cloud.poll_s", "30")]);
        assert_eq!((said(rig, &one).await, said(rig, &two).await), (both.clone(), both));
        let manifest = rig.manifest(&one).await;
        assert!(manifest.version > before);
        let setting = &manifest.settings[0];
        assert_eq!((setting.by.as_str(), setting.updated_at.as_second()), ("anna", rig.now_s()));
        rig.pass(60);
        let own = json!({ "device": one.id(), "settings": { "audio.volume_percent": "0" },
            "by": "ben" });
        assert_eq!(set(rig, &operator, own).await.status, 204);
        assert_eq!(said(rig, &one).await[0].1, "0");
        assert_eq!(said(rig, &two).await[0].1, "50");
        let unset = json!({ "settings": { "audio.volume_percent": null }, "by": "anna" });
        assert_eq!(set(rig, &operator, unset).await.status, 204);
        assert_eq!(said(rig, &two).await, pairs(&[("cloud.poll_s", "30")]));
        assert_eq!(said(rig, &one).await[0].1, "0", "its own word stays");
        let list = rig.get(&format!("{PATH}?device={}", one.id())).token(&operator).send().await;
        let list: Vec<Value> = list.read(StatusCode::OK);
        assert_eq!((list.len(), &list[0]["by"]), (1, &json!("ben")));
        assert_eq!(rig.get(&format!("{PATH}?device=x")).token(&operator).status().await, 404);
    });
}

#[test]
fn what_is_no_setting_is_refused_and_nothing_is_kept() {
    run(async |rig| {
        let operator = rig.tenant("acme").await;
        let player = rig.device(&operator, "one", 1).await;
        for (case, key, value, by) in [
            ("no section", "poll_s", "1", "anna"),
            ("capitals", "cloud.Poll", "1", "anna"),
            ("a path", "cloud/url", "1", "anna"),
            ("long", "cloud.poll_s", &*"x".repeat(201), "anna"),
            ("nobody", "cloud.poll_s", "1", ""),
        ] {
            let body = json!({ "settings": { "audio.volume_percent": "5", key: value }, "by": by });
            let call = rig.post(PATH, body).beyond_the_file().token(&operator);
            assert_eq!(call.status().await, 422, "case {case:?}");
        }
        let many: serde_json::Map<_, _> =
            (0..51).map(|n| (format!("cloud.k{n}"), json!("1"))).collect();
        assert_eq!(set(rig, &operator, json!({ "settings": many, "by": "a" })).await.status, 422);
        let stranger = json!({ "device": "x", "settings": {}, "by": "anna" });
        assert_eq!(set(rig, &operator, stranger).await.status, 404);
        assert_eq!(said(rig, &player).await, []);
    });
}
