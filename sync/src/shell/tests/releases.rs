//! Releases of the player in the loop.

use semver::Version;
use vitrine_wire::release::{self, Index, Release};

use super::*;
use crate::{Asker, Updates};

const PROGRAM: &[u8] = b"a program";

fn maker() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

fn index(version: u64, releases: &[&str]) -> Index {
    let entry = |text: &&str| Release {
        version: text.parse().unwrap(),
        arch: "aarch64".into(),
        sha256: Digest::of(PROGRAM),
        size_bytes: PROGRAM.len() as u64,
        min_package: None,
        rollout_percent: 100,
    };
    let releases = releases.iter().map(entry).collect();
    let not_after = "2026-03-04T12:30:00Z".parse().ok();
    Index { version, issued_at: Timestamp::UNIX_EPOCH, not_after, releases }
}

impl Bench {
    fn offer(&self, index: &Index, by: &SigningKey) {
        let raw = release::seal(index, &[by]).unwrap();
        *self.cloud.0.releases.lock().unwrap() = Some(raw.into());
        let program = bytes::Bytes::from_static(PROGRAM);
        self.cloud.0.assets.lock().unwrap().insert(Digest::of(PROGRAM), program);
    }

    async fn updates(&mut self, hours: Option<Hours>) {
        let updates = Updates {
            key: release::key_text(&maker().verifying_key()),
            running: Version::new(0, 1, 0),
            package: Version::new(0, 1, 0),
            arch: "aarch64".into(),
            refused: vec![],
            keep: vec![],
            hours,
        };
        self.shell.requested(vec![Request::Updates(updates)]).await;
    }

    /// A person asks; what was answered.
    async fn asked(&mut self, take: bool) -> Result<String, String> {
        self.events.lock().unwrap().clear();
        let asker = Asker::Person(7);
        self.shell.requested(vec![Request::Release { asker, take }]).await;
        self.pass(Duration::from_secs(5)).await;
        let events = self.events.lock().unwrap();
        let answer = events.iter().find_map(|(_, event)| match event {
            Event::ReleaseAnswer { ask: 7, answer } => Some(answer.clone()),
            _ => None,
        });
        answer.unwrap_or_else(|| Err("no answer".into()))
    }

    /// When which release was here, in whose hurry.
    fn here(&self) -> Vec<(u64, Version, bool)> {
        let events = self.events.lock().unwrap();
        let here = events.iter().filter_map(|(at, event)| match event {
            Event::ReleaseHere { version, hurry, .. } => Some((*at, version.clone(), *hurry)),
            _ => None,
        });
        here.collect()
    }
}

#[tokio::test]
async fn a_person_is_told_and_the_file_comes_whole() {
    let mut bench = bench(Duration::ZERO).await;
    bench.pass(Duration::from_secs(5)).await;
    let why = bench.asked(true).await.unwrap_err();
    assert!(why.contains("updates are off"), "{why}");
    bench.updates(None).await;
    let why = bench.asked(true).await.unwrap_err();
    assert!(why.contains("no releases"), "{why}");
    bench.offer(&index(1, &["0.1.0"]), &maker());
    let why = bench.asked(true).await.unwrap_err();
    assert!(why.contains("0.1.0 is the newest"), "{why}");
    bench.offer(&index(2, &["0.1.0", "0.2.0"]), &maker());
    assert_eq!(bench.asked(false).await.unwrap(), "0.2.0 is there for this device");
    assert_eq!(bench.here(), [], "only told");
    assert!(bench.asked(true).await.unwrap().contains("is fetched and then tried"));
    let here = bench.here();
    assert!(
        matches!(&here[..], [(_, version, true)] if *version == Version::new(0, 2, 0)),
        "{here:?}"
    );
    let name = Digest::of(PROGRAM).to_string();
    let file = bench.shell.options.state_dir.join("releases").join(&name[..2]).join(&name);
    assert_eq!(std::fs::read(file).unwrap(), PROGRAM);
    // Asked again, it is not fetched again.
    let fetched = bench.cloud.times("asset").len();
    assert!(bench.asked(true).await.is_ok());
    assert_eq!((bench.here().len(), bench.cloud.times("asset").len()), (1, fetched));
}

#[tokio::test]
async fn a_device_looks_by_itself_within_its_hours_alone() {
    let hours = |from, until| {
        let time = |hour| jiff::civil::time(hour, 0, 0, 0);
        Some(Hours { from: time(from), until: time(until) })
    };
    // It is noon.
    for (hours, want) in [(hours(14, 16), true), (hours(2, 5), false), (None, false)] {
        let mut bench = bench(Duration::ZERO).await;
        bench.updates(hours).await;
        bench.offer(&index(1, &["0.2.0"]), &maker());
        bench.pass(8 * HOUR).await;
        let asked = bench.cloud.times("releases");
        assert_eq!(!asked.is_empty(), want, "hours {hours:?}");
        assert!(asked.iter().all(|at| (7_200..14_400).contains(at)), "{asked:?}");
        let here = bench.here();
        assert_eq!(!here.is_empty(), want);
        assert!(here.iter().all(|(_, _, hurry)| !hurry));
    }
}

#[tokio::test]
async fn what_was_believed_last_is_remembered_over_restarts() {
    let mut bench = bench(Duration::ZERO).await;
    bench.updates(None).await;
    bench.pass(Duration::from_secs(5)).await;
    bench.offer(&index(5, &["0.2.0"]), &maker());
    assert!(bench.asked(false).await.is_ok());
    let mut bench = bench.restart().await;
    bench.updates(None).await;
    bench.pass(Duration::from_secs(5)).await;
    for (case, index, by, want) in [
        ("rollback", index(4, &["0.9.0"]), maker(), "versions only rise"),
        ("two of one version", index(5, &["0.9.0"]), maker(), "versions only rise"),
        ("the tenant's key", index(6, &["0.9.0"]), tenant(), "want the pinned key"),
    ] {
        bench.offer(&index, &by);
        let why = bench.asked(true).await.unwrap_err();
        assert!(why.contains(want), "case {case:?}: {why}");
        assert_eq!(bench.here(), [], "case {case:?}");
    }
    bench.offer(&index(6, &["0.3.0"]), &maker());
    assert!(bench.asked(false).await.unwrap().contains("0.3.0"), "control");
}

#[tokio::test]
async fn an_index_that_is_held_back_is_told_once_and_used() {
    let mut bench = bench(Duration::ZERO).await;
    bench.updates(None).await;
    bench.offer(&index(1, &["0.2.0"]), &maker());
    bench.pass(2 * HOUR).await;
    for _ in 0..2 {
        assert!(bench.asked(false).await.is_ok());
    }
    bench.pass(HOUR).await;
    let faults = bench.cloud.0.faults.lock().unwrap().clone();
    assert_eq!(faults.iter().filter(|code| *code == "release_index_lapsed").count(), 1);
}
