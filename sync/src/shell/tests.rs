//! The loop against a cloud of our own making, in a time that passes when a test says so.
//!
//! Here [`Bench::pass`] stands in for the waiting in [`Shell::run`]: it jumps from one deadline to
//! the next. What is between two deadlines happens in no time.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::task::yield_now;
use vitrine_wire::Digest;
use vitrine_wire::auth::{PairingAnswer, PairingRequest, TokenAnswer, TokenRequest};
use vitrine_wire::envelope;
use vitrine_wire::event::Hint;
use vitrine_wire::record::{Acknowledged, Batch};

use super::*;
use crate::cloud::{Answer, Body as AssetBody, Hints, News, Part, Told};
use crate::error::Failure;
use crate::identity::Account;
use crate::session::Pass;

const HOUR: Duration = Duration::from_secs(3_600);

fn tenant() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

/// Seconds since start are set by the test; the day begins at noon.
#[derive(Default)]
struct Watch(AtomicU64);

impl Watch {
    fn mono(&self) -> Mono {
        Mono(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, to: Mono) {
        self.0.store(to.0, Ordering::Relaxed);
    }

    fn second(&self) -> u64 {
        self.mono().since(Mono::default()).as_secs()
    }
}

impl Clock for Watch {
    fn now(&self) -> Now {
        let passed = SignedDuration::try_from(self.mono().since(Mono::default())).unwrap();
        let noon: Timestamp = "2026-03-04T12:00:00Z".parse().unwrap();
        Now { wall: noon + passed, mono: self.mono(), trust: Trust::Synced }
    }
}

/// What the cloud has and was asked, with the seconds since start.
struct World {
    watch: Arc<Watch>,
    dead: AtomicBool,
    push: AtomicBool,
    manifest: Mutex<Option<Bytes>>,
    assets: Mutex<BTreeMap<Digest, Bytes>>,
    calls: Mutex<Vec<(u64, &'static str)>>,
    faults: Mutex<Vec<String>>,
}

#[derive(Clone)]
struct Fake(Arc<World>);

impl Fake {
    fn called(&self, call: &'static str) -> Result<(), CloudError> {
        self.0.calls.lock().unwrap().push((self.0.watch.second(), call));
        if self.0.dead.load(Ordering::Relaxed) {
            return Err(CloudError::new(call, Failure::Unreachable("dead".into())));
        }
        Ok(())
    }

    fn times(&self, wanted: &str) -> Vec<u64> {
        let calls = self.0.calls.lock().unwrap();
        calls.iter().filter(|(_, call)| *call == wanted).map(|(at, _)| *at).collect()
    }

    fn publish(&self, manifest: &Value) {
        let sealed = envelope::seal(&serde_json::to_vec(manifest).unwrap(), &[&tenant()]);
        *self.0.manifest.lock().unwrap() = Some(serde_json::to_vec(&sealed).unwrap().into());
    }
}

fn told<T>(value: T) -> Told<T> {
    Ok(Answer { value, server_time: None })
}

struct Whole(Option<Bytes>);

impl AssetBody for Whole {
    fn from(&self) -> u64 {
        0
    }

    fn etag(&self) -> Option<&str> {
        None
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, CloudError> {
        Ok(self.0.take())
    }
}

/// An open channel on which nothing is said.
struct Quiet;

impl Hints for Quiet {
    async fn hint(&mut self) -> Result<Hint, CloudError> {
        std::future::pending().await
    }
}

impl Cloud for Fake {
    type Body = Whole;
    type Hints = Quiet;

    async fn pairing(&self, _: PairingRequest) -> Told<PairingAnswer> {
        self.called("pairing")?;
        Err(CloudError::new("pairing", Failure::Unreachable("not here".into())))
    }

    async fn token(&self, _: TokenRequest) -> Told<TokenAnswer> {
        self.called("token")?;
        told(TokenAnswer {
            access_token: "access".into(),
            token_type: "Bearer".into(),
            expires_in_s: 604_800,
            refresh_token: "refresh".into(),
            tenant: "acme".into(),
            device: "d1".into(),
            tenant_key: STANDARD.encode(tenant().verifying_key().as_bytes()),
        })
    }

    async fn manifest(&self, _: Pass, etag: Option<String>) -> Told<News> {
        self.called("manifest")?;
        let raw = self.0.manifest.lock().unwrap().clone().unwrap_or_default();
        let tag = Digest::of(&raw).to_string();
        if raw.is_empty() || etag.as_deref() == Some(tag.as_str()) {
            return told(News::Unchanged);
        }
        told(News::Envelope { raw, etag: Some(tag) })
    }

    async fn asset(&self, _: Pass, part: Part) -> Result<Whole, CloudError> {
        self.called("asset")?;
        let bytes = self.0.assets.lock().unwrap().get(&part.digest()).cloned();
        let refusal =
            Failure::Refused { status: 404, error: "not_found".into(), description: String::new() };
        bytes.map(|b| Whole(Some(b))).ok_or_else(|| CloudError::new("asset", refusal))
    }

    async fn records(&self, _: Pass, batch: Batch) -> Told<Acknowledged> {
        self.called("records")?;
        let faults = batch.records.iter().filter_map(|record| match &record.body {
            Body::Fault(fault) => Some(fault.code.clone()),
            _ => None,
        });
        self.0.faults.lock().unwrap().extend(faults);
        told(Acknowledged { ids: batch.records.into_iter().map(|record| record.id).collect() })
    }

    async fn screenshot(&self, _: Pass, _: String, _: Arc<Vec<u8>>) -> Told<()> {
        self.called("screenshot")?;
        told(())
    }

    async fn hints(&self, _: Pass) -> Result<Quiet, CloudError> {
        self.called("push")?;
        if self.0.push.load(Ordering::Relaxed) {
            return Ok(Quiet);
        }
        Err(CloudError::new("push", Failure::Unreachable("no channel".into())))
    }
}

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
    };
    crate::identity::device_key(dir.path(), [3; 32]).unwrap();
    account.save(dir.path()).unwrap();
    let options = Options {
        state_dir: dir.path().to_owned(),
        cloud_url: Some(account.cloud_url),
        ca_file: None,
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
    };
    let watch = Arc::<Watch>::default();
    let cloud = Fake(Arc::new(World {
        watch: Arc::clone(&watch),
        dead: AtomicBool::new(false),
        push: AtomicBool::new(false),
        manifest: Mutex::default(),
        assets: Mutex::default(),
        calls: Mutex::default(),
        faults: Mutex::default(),
    }));
    let opened = open(&options).await.unwrap();
    let events = Arc::<Mutex<Vec<_>>>::default();
    let (said, at) = (Arc::clone(&events), Arc::clone(&watch));
    let sink = Box::new(move |event| said.lock().unwrap().push((at.second(), event)));
    let clock = Arc::clone(&watch);
    let mut shell = Shell::new(opened, (options, tuning), Some(cloud.clone()), clock, sink);
    shell.begin().await;
    Bench { cloud, shell, watch, events, _dir: dir }
}

impl Bench {
    /// Lets `time` pass.
    async fn pass(&mut self, time: Duration) {
        let end = self.watch.mono().after(time);
        loop {
            self.settle().await;
            match self.shell.deadline() {
                Some(next) if next < end => self.watch.set(next.max(self.watch.mono())),
                _ => break,
            }
        }
        self.watch.set(end);
    }

    /// Does everything that is due and waits for all calls but the open push channel to end.
    async fn settle(&mut self) {
        loop {
            self.shell.advance(self.shell.now()).await;
            // Lets the push channel's task get as far as it can.
            yield_now().await;
            yield_now().await;
            while let Ok(news) = self.shell.push.inbox.try_recv() {
                self.shell.pushed(news);
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
