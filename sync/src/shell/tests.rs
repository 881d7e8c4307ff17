//! The loop against a cloud of our own making, in a time that passes when a test says so.
//!
//! Here [`Bench::pass`] stands in for the waiting in [`Shell::run`]: it jumps from one deadline to
//! the next. What is between two deadlines happens in no time.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use fake::{Fake, Watch, tenant};
use serde_json::{Value, json};
use tokio::task::yield_now;
use vitrine_config::model::Hours;
use vitrine_wire::Digest;

use super::*;
use crate::identity::Account;

mod attacks;
mod channel;
mod fake;
mod fleet;
mod large;
mod life;
mod orders;
mod releases;
mod rollback;
mod settings;
mod tenants;

const HOUR: Duration = Duration::from_secs(3_600);

/// A paired device in a directory of its own.
struct Bench {
    cloud: Fake,
    shell: Shell<Fake>,
    watch: Arc<Watch>,
    events: Arc<Mutex<Vec<(u64, Event)>>>,
    _dir: tempfile::TempDir,
}

async fn bench(first_contact_spread: Duration) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let account = Account {
        cloud_url: "http://127.0.0.1:1".into(),
        tenant: "acme".into(),
        device: "d1".into(),
        tenant_key: tenant().verifying_key(),
        former_key: None,
    };
    crate::identity::device_key(dir.path(), [3; 32]).unwrap();
    account.save(dir.path()).unwrap();
    let options = Options {
        state_dir: dir.path().to_owned(),
        cloud_url: Some(account.cloud_url),
        ca_file: None,
        proxy: None,
        enrollment: None,
        name: "bench".into(),
        model: "bench".into(),
        release: "0".into(),
        first_contact_spread,
    };
    let tuning = Tuning {
        poll: Duration::from_secs(60),
        downloads: 2,
        patience: HOUR,
        cache_bytes: 1 << 30,
        reserve_bytes: 1 << 20,
        horizon: Duration::from_secs(24 * 3_600),
        rate_bytes_s: 0,
        download_hours: None,
        metered: false,
        time_zone: jiff::tz::TimeZone::UTC,
    };
    let watch = Arc::<Watch>::default();
    let cloud = Fake::new(Arc::clone(&watch));
    let opened = open(&options).await.unwrap();
    let events = Arc::<Mutex<Vec<_>>>::default();
    let (said, at) = (Arc::clone(&events), Arc::clone(&watch));
    let sink = Box::new(move |event| said.lock().unwrap().push((at.second(), event)));
    let clock = Arc::clone(&watch);
    let mut shell = Shell::new(opened, (options, tuning), (Some(cloud.clone()), None), clock, sink);
    shell.begin().await;
    Bench { cloud, shell, watch, events, _dir: dir }
}

impl Bench {
    /// The next process in the same directory.
    async fn restart(self) -> Bench {
        self.restart_after(|_| ()).await
    }

    /// The same after something happened to the directory.
    async fn restart_after(self, happens: impl FnOnce(&std::path::Path)) -> Bench {
        let Bench { cloud, mut shell, watch, events, _dir } = self;
        let (options, tuning) = (shell.options.clone(), shell.tuning.clone());
        shell.tasks.shutdown().await;
        drop(shell);
        happens(_dir.path());
        let opened = open(&options).await.unwrap();
        let (said, at) = (Arc::clone(&events), Arc::clone(&watch));
        let sink: Box<dyn Fn(Event) + Send> =
            Box::new(move |event| said.lock().unwrap().push((at.second(), event)));
        sink(opened.started());
        let clock = Arc::clone(&watch);
        let mut shell =
            Shell::new(opened, (options, tuning), (Some(cloud.clone()), None), clock, sink);
        shell.begin().await;
        Bench { cloud, shell, watch, events, _dir }
    }

    /// The version that the player was told last.
    fn plays(&self) -> u64 {
        let events = self.events.lock().unwrap();
        let live = events.iter().rev().find_map(|(_, event)| match event {
            Event::Live(live) => Some(live.manifest.version),
            Event::Started { live, .. } => Some(live.as_ref().map_or(0, |l| l.manifest.version)),
            _ => None,
        });
        live.unwrap_or(0)
    }
}

impl Bench {
    /// Lets `time` pass.
    async fn pass(&mut self, time: Duration) {
        let end = self.watch.mono().after(time);
        // Nothing here is due more often than every two seconds for long: more is a loop that spins.
        for _ in 0..2 * time.as_secs() + 1_000 {
            self.settle().await;
            match self.shell.deadline() {
                Some(next) if next < end => self.watch.set(next.max(self.watch.mono())),
                _ => return self.watch.set(end),
            }
        }
        panic!("the loop spins: {:?}", self.shell.deadline());
    }

    /// Does everything that is due and waits for all calls but the open push channel to end.
    async fn settle(&mut self) {
        loop {
            self.shell.advance(self.shell.now()).await;
            // Lets the push channel's task get as far as it can.
            yield_now().await;
            yield_now().await;
            while let Ok(news) = self.shell.push.inbox.try_recv() {
                self.shell.pushed(news).await;
            }
            if let Some(done) = self.shell.tasks.try_join_next() {
                self.shell.joined(done).await;
                continue;
            }
            if self.shell.tasks.len() <= usize::from(self.shell.push.is_open()) {
                return;
            }
            if let Some(done) = self.shell.tasks.join_next().await {
                self.shell.joined(done).await;
            }
        }
    }

    /// Versions that went live, with the seconds since start and the number of missing files.
    fn lives(&self) -> Vec<(u64, u64, usize)> {
        let events = self.events.lock().unwrap();
        let live = events.iter().filter_map(|(at, event)| match event {
            Event::Live(live) => Some((*at, live.manifest.version, live.missing.len())),
            _ => None,
        });
        live.collect()
    }
}

fn lose_database(dir: &std::path::Path) {
    std::fs::remove_file(dir.join("store.db")).unwrap();
}

fn manifest(version: u64, files: &[&[u8]]) -> Value {
    let assets = files.iter().map(|bytes| {
        json!({ "sha256": Digest::of(bytes), "size_bytes": bytes.len(), "media_type": "image/png",
            "name": "a file" })
    });
    let items = files.iter().enumerate().map(
        |(n, bytes)| json!({ "id": n.to_string(), "kind": "image", "asset": Digest::of(bytes) }),
    );
    json!({
        "version": version, "tenant": "acme", "device": "d1", "issued_at": "2026-01-01T00:00:00Z",
        "assets": assets.collect::<Vec<_>>(),
        "playlists": [{ "id": "p", "name": "P", "items": items.collect::<Vec<_>>() }],
        "schedule": [{ "id": "s", "target": { "playlist": "p" } }],
    })
}

#[tokio::test]
async fn a_generation_goes_live_after_patience_without_what_never_comes() {
    let mut bench = bench(Duration::ZERO).await;
    bench.cloud.0.assets.lock().unwrap().insert(Digest::of(b"here"), b"here".as_slice().into());
    bench.cloud.publish(&manifest(1, &[b"here", b"never"]));
    bench.pass(HOUR - Duration::from_secs(60)).await;
    assert_eq!(bench.lives(), [], "half a generation");
    bench.pass(Duration::from_secs(120)).await;
    assert_eq!(bench.lives().iter().map(|(_, v, m)| (*v, *m)).collect::<Vec<_>>(), [(1, 1)]);
    // It comes after all.
    bench.cloud.0.assets.lock().unwrap().insert(Digest::of(b"never"), b"never".as_slice().into());
    bench.pass(crate::backoff::CAP).await;
    assert_eq!(bench.lives().last().map(|(_, v, m)| (*v, *m)), Some((1, 0)));
    let faults = bench.cloud.0.faults.lock().unwrap().clone();
    assert_eq!(faults, ["asset"], "said once");
}

#[tokio::test]
async fn the_newest_manifest_wins_over_one_that_is_not_ready() {
    let mut bench = bench(Duration::ZERO).await;
    bench.cloud.publish(&manifest(1, &[b"never"]));
    bench.pass(Duration::from_secs(90)).await;
    bench.cloud.publish(&manifest(2, &[]));
    bench.pass(HOUR * 5).await;
    assert_eq!(bench.lives().iter().map(|(_, v, _)| *v).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn the_first_contact_is_spread_unless_somebody_asks() {
    let spread = HOUR;
    let mut firsts = Vec::new();
    for _ in 0..8 {
        let mut bench = bench(spread).await;
        bench.pass(spread + Duration::from_secs(5)).await;
        firsts.extend(bench.cloud.times("token").first().copied());
    }
    assert_eq!(firsts.len(), 8);
    // Eight within one twelfth of the hour: once in 25 million runs.
    let apart = firsts.iter().max().unwrap() - firsts.iter().min().unwrap();
    assert!(apart > 300, "not spread: {firsts:?}");
    let mut bench = bench(spread).await;
    bench.shell.requested(vec![Request::SyncNow]).await;
    bench.pass(Duration::from_secs(1)).await;
    assert_eq!(bench.cloud.times("token"), [0]);
}

#[tokio::test]
async fn a_dead_cloud_is_asked_ever_more_rarely() {
    let mut bench = bench(Duration::ZERO).await;
    bench.cloud.0.dead.store(true, Ordering::Relaxed);
    bench.pass(HOUR * 10).await;
    let asked = bench.cloud.times("token");
    // In the long run every 165 s: 218 times in ten hours.
    assert!((150..350).contains(&asked.len()), "{} times", asked.len());
    let longest = asked.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(longest.is_some_and(|s| s <= 301), "longest pause {longest:?} s");
    let offline = bench.events.lock().unwrap().iter().any(|(_, event)| {
        matches!(event, Event::Connection(Connection::Offline { why }) if why.contains("dead"))
    });
    assert!(offline);
}

#[tokio::test]
async fn polls_are_rare_while_the_push_channel_is_up() {
    for (push, want) in [(false, 54..=68), (true, 5..=9)] {
        let mut bench = bench(Duration::ZERO).await;
        bench.cloud.0.push.store(push, Ordering::Relaxed);
        bench.pass(HOUR).await;
        let asked = bench.cloud.times("manifest").len();
        assert!(want.contains(&asked), "push {push}: {asked} times in an hour");
    }
}

#[tokio::test]
async fn a_generation_that_has_lapsed_is_reported_once_and_plays_on() {
    let mut bench = bench(Duration::ZERO).await;
    let mut lapsing = manifest(1, &[]);
    lapsing["not_after"] = json!("2026-03-04T13:00:00Z");
    bench.cloud.publish(&lapsing);
    bench.pass(HOUR - Duration::from_secs(60)).await;
    assert_eq!(*bench.cloud.0.faults.lock().unwrap(), [""; 0]);
    bench.pass(HOUR * 3).await;
    assert_eq!(*bench.cloud.0.faults.lock().unwrap(), ["manifest_lapsed"]);
    assert_eq!(bench.lives().len(), 1);
}

#[tokio::test]
async fn calls_that_were_given_up_are_made_anew() {
    let mut bench = bench(Duration::ZERO).await;
    bench.cloud.0.push.store(true, Ordering::Relaxed);
    bench.cloud.publish(&manifest(1, &[]));
    bench.shell.advance(bench.shell.now()).await;
    bench.shell.drop_calls().await;
    bench.pass(Duration::from_secs(90)).await;
    assert_eq!(bench.lives().len(), 1);
    bench.shell.drop_calls().await;
    bench.pass(Duration::from_secs(90)).await;
    assert_eq!(bench.cloud.times("push").len(), 2);
}

#[tokio::test]
async fn records_that_come_close_together_go_in_one_batch() {
    let mut bench = bench(Duration::ZERO).await;
    bench.pass(Duration::from_secs(5)).await;
    let before = bench.cloud.times("records").len();
    for n in 0..5 {
        let fault = Body::Fault(Fault { code: format!("f{n}"), detail: String::new() });
        let now = bench.shell.now();
        bench.shell.keep(vec![record(fault, now)], now).await;
    }
    bench.pass(Duration::from_secs(5)).await;
    assert_eq!(bench.cloud.times("records").len() - before, 1);
    assert_eq!(*bench.cloud.0.faults.lock().unwrap(), ["f0", "f1", "f2", "f3", "f4"]);
}

impl Bench {
    async fn keep_fault(&mut self, code: &str) {
        let fault = Body::Fault(Fault { code: code.into(), detail: String::new() });
        let now = self.shell.now();
        self.shell.keep(vec![record(fault, now)], now).await;
    }

    fn faults(&self) -> Vec<String> {
        self.cloud.0.faults.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_record_that_the_cloud_refuses_is_set_aside_and_told_and_the_others_go() {
    let mut bench = bench(Duration::ZERO).await;
    bench.cloud.0.poison.lock().unwrap().push("bad");
    for code in ["a", "b", "bad", "c", "d"] {
        bench.keep_fault(code).await;
    }
    bench.pass(Duration::from_secs(120)).await;
    let faults = bench.faults();
    assert_eq!(faults.iter().filter(|code| code.len() == 1).count(), 4, "{faults:?}");
    assert_eq!(faults.iter().filter(|code| *code == doubts::REFUSED).count(), 1, "{faults:?}");
    assert_eq!(bench.shell.ways.store.outbox_len().await.unwrap(), 0);
    let batches = bench.cloud.times("records").len();
    bench.pass(HOUR).await;
    assert_eq!(bench.cloud.times("records").len(), batches, "it is not sent again");
}

#[tokio::test]
async fn a_cloud_that_refuses_everything_for_a_day_loses_nothing() {
    let mut bench = bench(Duration::ZERO).await;
    bench.cloud.0.poison.lock().unwrap().push("");
    for n in 0..30 {
        bench.keep_fault(&format!("f{n}")).await;
    }
    bench.pass(HOUR * 24).await;
    let asked = bench.cloud.times("records").len();
    assert!(asked < 5_000, "hammered: {asked} times");
    assert_eq!(bench.shell.ways.store.outbox_len().await.unwrap(), 30);
    bench.cloud.0.poison.lock().unwrap().clear();
    bench.pass(HOUR).await;
    assert_eq!(bench.faults().len(), 30);
}

impl Bench {
    fn tune(&mut self, change: impl FnOnce(&mut Tuning)) {
        let mut tuning = self.shell.tuning.clone();
        change(&mut tuning);
        let now = self.shell.now();
        self.shell.tune(tuning, now);
    }

    fn serve(&self, bytes: &'static [u8]) {
        self.cloud.0.assets.lock().unwrap().insert(Digest::of(bytes), bytes.into());
    }
}

#[tokio::test]
async fn outside_of_the_hours_a_generation_waits_and_patience_with_it() {
    let mut bench = bench(Duration::ZERO).await;
    let time = |hour| jiff::civil::time(hour, 0, 0, 0);
    bench.tune(|t| t.download_hours = Some(Hours { from: time(22), until: time(6) }));
    bench.serve(b"picture");
    bench.cloud.publish(&manifest(1, &[b"picture", b"never"]));
    // It is noon. Patience is an hour.
    bench.pass(HOUR * 10 - Duration::from_secs(1)).await;
    assert_eq!((bench.lives(), bench.cloud.times("asset")), (vec![], vec![]));
    let opens = bench.events.lock().unwrap().iter().rev().find_map(|(_, event)| match event {
        Event::Progress(progress) => progress.opens_at,
        _ => None,
    });
    assert_eq!(opens, Some("2026-03-04T22:00:00Z".parse().unwrap()));
    bench.pass(HOUR).await;
    assert!(!bench.cloud.times("asset").is_empty() && bench.lives().is_empty());
    bench.pass(Duration::from_secs(2)).await;
    assert_eq!(bench.lives(), [(11 * 3_600, 1, 1)]);
}

#[tokio::test]
async fn who_asks_for_a_sync_gets_it_at_any_hour() {
    let mut bench = bench(Duration::ZERO).await;
    let time = |hour| jiff::civil::time(hour, 0, 0, 0);
    bench.tune(|t| t.download_hours = Some(Hours { from: time(22), until: time(6) }));
    bench.pass(HOUR).await;
    bench.serve(b"picture");
    bench.serve(b"other");
    bench.cloud.publish(&manifest(1, &[b"picture"]));
    bench.shell.requested(vec![Request::SyncNow]).await;
    bench.pass(Duration::from_secs(2)).await;
    assert_eq!(bench.lives(), [(3_600, 1, 0)]);
    bench.cloud.publish(&manifest(2, &[b"other"]));
    bench.pass(HOUR).await;
    assert_eq!(bench.lives().len(), 1, "the next one waits for the night");
}

#[tokio::test]
async fn where_bytes_cost_money_nothing_is_fetched_before_its_time() {
    let mut bench = bench(Duration::ZERO).await;
    bench.tune(|t| t.metered = true);
    bench.serve(b"now");
    bench.serve(b"new year");
    let mut plan = manifest(1, &[b"now", b"new year"]);
    plan["playlists"][0]["items"][1]["valid_from"] = json!("2026-03-08T12:00:00Z");
    bench.cloud.publish(&plan);
    bench.pass(HOUR * 71).await;
    assert_eq!(bench.cloud.times("asset"), [0]);
    assert_eq!(bench.lives(), [(0, 1, 1)]);
    bench.pass(HOUR * 2).await;
    assert_eq!(bench.cloud.times("asset").len(), 2);
    let polls = bench.cloud.times("manifest").len();
    assert!(polls < 73 * 8, "asked {polls} times");
}

#[tokio::test]
async fn the_word_that_the_cloud_was_asked_comes_after_all_that_came_of_it() {
    let mut bench = bench(Duration::ZERO).await;
    bench.cloud.publish(&manifest(1, &[b"never"]));
    bench.pass(Duration::from_secs(1)).await;
    let events = bench.events.lock().unwrap();
    let place = |wanted: fn(&Event) -> bool| events.iter().position(|(_, event)| wanted(event));
    let progress = place(|e| matches!(e, Event::Progress(p) if p.version == 1));
    let asked = place(|e| matches!(e, Event::Asked(Ok(()))));
    assert!(progress.is_some() && progress < asked, "{events:#?}");
}

#[tokio::test]
async fn what_rots_on_the_card_is_found_by_night_and_fetched_again() {
    for rots in [true, false] {
        let mut bench = bench(Duration::ZERO).await;
        bench.serve(b"picture");
        bench.serve(b"other");
        bench.cloud.publish(&manifest(1, &[b"picture", b"other"]));
        bench.pass(HOUR).await;
        let path = bench.shell.ways.cache.path(&Digest::of(b"picture"));
        if rots {
            std::fs::remove_file(&path).unwrap();
            crate::durable::write(&path, b"pictusk", 0o444).unwrap();
        }
        bench.pass(HOUR * 12).await;
        assert_eq!(bench.faults(), [""; 0], "not by day");
        bench.pass(HOUR * 12).await;
        let (faults, asked) = if rots { (vec!["cache_rotted"], 3) } else { (vec![], 2) };
        assert_eq!((bench.faults(), bench.cloud.times("asset").len()), {
            (faults.into_iter().map(str::to_owned).collect(), asked)
        });
        assert_eq!(std::fs::read(&path).unwrap(), b"picture");
    }
}

#[tokio::test]
async fn a_flaw_is_shown_rather_than_nothing_while_there_is_no_cloud() {
    let mut bench = bench(Duration::ZERO).await;
    bench.serve(b"picture");
    bench.cloud.publish(&manifest(1, &[b"picture"]));
    bench.pass(HOUR).await;
    bench.cloud.0.dead.store(true, Ordering::Relaxed);
    let path = bench.shell.ways.cache.path(&Digest::of(b"picture"));
    std::fs::remove_file(&path).unwrap();
    crate::durable::write(&path, b"pictusk", 0o444).unwrap();
    bench.pass(HOUR * 24).await;
    assert!(path.exists() && bench.lives().last().unwrap().2 == 0);
    bench.cloud.0.dead.store(false, Ordering::Relaxed);
    bench.pass(HOUR * 24).await;
    assert_eq!(std::fs::read(&path).unwrap(), b"picture");
}

#[tokio::test]
async fn of_what_nobody_needs_the_one_needed_longest_ago_goes_first() {
    let mut bench = bench(Duration::ZERO).await;
    for (version, file) in [(1, b"one"), (2, b"two"), (3, b"six"), (4, b"ten")] {
        bench.serve(file);
        bench.cloud.publish(&manifest(version, &[file]));
        bench.pass(HOUR).await;
    }
    // Down to what is live, what was live before, and one more.
    bench.tune(|tuning| tuning.cache_bytes = 9);
    bench.pass(HOUR).await;
    let here = |name: &[u8]| bench.shell.ways.cache.contains(&Digest::of(name));
    assert_eq!([b"one", b"two", b"six", b"ten"].map(|name| here(name)), [false, true, true, true]);
}

/// Which of a task's last word and its end is looked at first is left to chance.
#[tokio::test]
async fn a_channel_that_is_gone_does_not_count_as_open() {
    let mut bench = bench(Duration::ZERO).await;
    let (up, _) = mpsc::channel(1);
    bench.shell.push.post.try_send(push::News::Open(up)).unwrap();
    let error = CloudError::new("push", crate::error::Failure::Unreachable("reset".into()));
    let now = bench.shell.now();
    bench.shell.push_ended(&error, now).await;
    assert!(!bench.shell.push.is_open());
    assert!(bench.shell.push.inbox.try_recv().is_err(), "it has still to be heard that it opened");
}
