//! The words of cloud and device on the player's settings, from manifest to player and record.

use std::collections::BTreeMap;

use vitrine_config::model::Policy;

use super::*;
use crate::LocalSettings;

fn says(version: u64, key: &str, value: &str, at: &str) -> Value {
    let mut manifest = manifest(version, &[]);
    manifest["settings"] = json!([{ "key": key, "value": value, "updated_at": at, "by": "anna" }]);
    manifest
}

fn files(said: &[(&str, &str)]) -> LocalSettings {
    let said = said.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    LocalSettings { said: Arc::new(said.collect()), policy: Policy::default() }
}

impl Bench {
    async fn files_say(&mut self, local: LocalSettings) {
        self.shell.requested(vec![Request::Settings(local)]).await;
        self.pass(Duration::from_secs(90)).await;
    }

    /// What the player was told last that the cloud has the last word on.
    fn cloud_holds(&self) -> Vec<(String, String)> {
        let events = self.events.lock().unwrap();
        let last = events.iter().rev().find_map(|(_, event)| match event {
            Event::Settings(words) => Some(words.clone()),
            _ => None,
        });
        last.unwrap_or_default().into_iter().map(|(key, word)| (key, word.value)).collect()
    }

    /// Changes that the cloud has a record of: by, old, new.
    fn changes(&self) -> Vec<(String, String, String)> {
        let text = |value: &Option<String>| value.clone().unwrap_or("-".into());
        let changes = self.cloud.0.changes.lock().unwrap();
        changes.iter().map(|c| (c.by.clone(), text(&c.old), text(&c.new))).collect()
    }
}

fn pair(key: &str, value: &str) -> Vec<(String, String)> {
    vec![(key.to_owned(), value.to_owned())]
}

fn change(by: &str, old: &str, new: &str) -> (String, String, String) {
    (by.to_owned(), old.to_owned(), new.to_owned())
}

const KEY: &str = "audio.volume_percent";
const FILE: &str = vitrine_config::FILE;

#[tokio::test]
async fn the_later_word_holds_and_each_change_is_recorded_once() {
    let mut bench = bench(Duration::ZERO).await;
    bench.cloud.publish(&says(1, KEY, "30", "2026-03-04T12:00:00Z"));
    bench.pass(Duration::from_secs(90)).await;
    assert_eq!(bench.cloud_holds(), [], "before the files have said anything");
    bench.files_say(files(&[("cloud.poll_s", "60")])).await;
    assert_eq!(bench.cloud_holds(), pair(KEY, "30"));
    assert_eq!(bench.changes(), [change("anna", "-", "30")], "what the device came with is none");
    // A person at the device, an hour later.
    bench.pass(HOUR).await;
    bench.files_say(files(&[("cloud.poll_s", "60"), (KEY, "80")])).await;
    assert_eq!(bench.cloud_holds(), []);
    assert_eq!(bench.changes().last(), Some(&change(FILE, "30", "80")));
    let mut bench = bench.restart().await;
    bench.files_say(files(&[("cloud.poll_s", "60"), (KEY, "80")])).await;
    assert_eq!((bench.cloud_holds(), bench.changes().len()), (vec![], 2), "nothing new");
    // The operator, later still; the content that it comes with need not be live.
    let mut later = says(2, KEY, "0", "2026-03-04T14:00:00Z");
    later["assets"] = manifest(2, &[b"never"])["assets"].clone();
    later["playlists"] = manifest(2, &[b"never"])["playlists"].clone();
    bench.cloud.publish(&later);
    bench.pass(Duration::from_secs(90)).await;
    assert_eq!((bench.plays(), bench.cloud_holds()), (1, pair(KEY, "0")));
    assert_eq!(bench.changes().last(), Some(&change("anna", "80", "0")));
    // The cloud takes its word back.
    bench.cloud.publish(&manifest(3, &[]));
    bench.pass(Duration::from_secs(90)).await;
    assert_eq!((bench.cloud_holds(), bench.changes().len()), (vec![], 4));
}

#[tokio::test]
async fn what_the_policy_forbids_is_told_once_and_not_done() {
    let mut bench = bench(Duration::ZERO).await;
    let mut wanted = says(1, "cloud.url", "https://evil.example", "2026-03-04T12:00:00Z");
    let more = [("cloud.poll_s", "5"), (KEY, "0"), ("screen.mood", "x")];
    for (key, value) in more {
        let word = json!({ "key": key, "value": value, "updated_at": "2026-03-04T12:00:00Z",
            "by": "anna" });
        wanted["settings"].as_array_mut().unwrap().push(word);
    }
    bench.cloud.publish(&wanted);
    let policy = Policy {
        floors: BTreeMap::from([("cloud.poll_s".to_owned(), 60)]),
        locked: [KEY.to_owned()].into(),
    };
    bench.files_say(LocalSettings { policy, ..files(&[]) }).await;
    assert_eq!(bench.cloud_holds(), pair("cloud.poll_s", "60"), "the floor");
    let refused =
        |bench: &Bench| bench.faults().iter().filter(|code| *code == "setting_refused").count();
    assert_eq!(refused(&bench), 3, "{:?}", bench.faults());
    bench.pass(HOUR).await;
    assert_eq!(refused(&bench), 3);
    // The control: without a policy all but the address and the unknown one are taken.
    bench.files_say(files(&[])).await;
    assert_eq!(bench.cloud_holds().len(), 2);
    assert!(bench.changes().contains(&change("anna", "60", "5")), "{:?}", bench.changes());
}

#[tokio::test]
async fn a_rollback_takes_no_setting_back() {
    let mut bench = bench(Duration::ZERO).await;
    bench.files_say(files(&[])).await;
    bench.cloud.publish(&says(1, KEY, "10", "2026-03-04T12:00:00Z"));
    bench.pass(Duration::from_secs(90)).await;
    let mut second = says(2, KEY, "20", "2026-03-04T12:01:00Z");
    second["schedule"] = json!([]);
    bench.cloud.publish(&second);
    bench.pass(Duration::from_secs(90)).await;
    assert_eq!((bench.roll_back().await, bench.cloud_holds()), (Ok(1), pair(KEY, "20")));
    let mut bench = bench.restart().await;
    bench.files_say(files(&[])).await;
    assert_eq!((bench.plays(), bench.cloud_holds()), (1, pair(KEY, "20")));
}
