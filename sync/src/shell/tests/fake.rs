//! A cloud and a clock of our own making.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::SignedDuration;
use serde_json::Value;
use tokio::sync::Notify;
use vitrine_wire::Digest;
use vitrine_wire::auth::{PairingAnswer, PairingRequest, TokenAnswer, TokenRequest};
use vitrine_wire::envelope::{self, Purpose};
use vitrine_wire::event::Hint;
use vitrine_wire::record::{Acknowledged, Batch};

use crate::cloud::{Answer, Body as AssetBody, Hints, News, Part, Polled, Told};
use crate::error::Failure;
use crate::session::Pass;
use crate::shell::*;

pub(super) fn tenant() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

/// Nanoseconds since start, set by the test; the day begins at noon.
#[derive(Default)]
pub(super) struct Watch(AtomicU64);

impl Watch {
    pub(super) fn mono(&self) -> Mono {
        Mono(self.0.load(Ordering::Relaxed))
    }

    pub(super) fn set(&self, to: Mono) {
        self.0.store(to.0, Ordering::Relaxed);
    }

    pub(super) fn second(&self) -> u64 {
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
pub(super) struct World {
    watch: Arc<Watch>,
    pub(super) dead: AtomicBool,
    pub(super) push: AtomicBool,
    talks: AtomicBool,
    pub(super) answers_channel: AtomicBool,
    died: Notify,
    version: Mutex<u64>,
    manifest: Mutex<Option<Bytes>>,
    orders: Mutex<Option<Bytes>>,
    pub(super) releases: Mutex<Option<Bytes>>,
    pub(super) assets: Mutex<BTreeMap<Digest, Bytes>>,
    calls: Mutex<Vec<(u64, &'static str)>>,
    pub(super) faults: Mutex<Vec<String>>,
    pub(super) changes: Mutex<Vec<record::SettingChanged>>,
    /// Ids of signs of life.
    pub(super) beats: Mutex<Vec<String>>,
    /// Files that lie with a host that drips.
    pub(super) slow: Mutex<Vec<Digest>>,
    /// A batch with a fault of one of these codes in it is refused; "" stands for any.
    pub(super) poison: Mutex<Vec<&'static str>>,
}

#[derive(Clone)]
pub(super) struct Fake(pub(super) Arc<World>);

impl Fake {
    pub(super) fn new(watch: Arc<Watch>) -> Fake {
        Fake(Arc::new(World {
            watch,
            dead: AtomicBool::new(false),
            push: AtomicBool::new(false),
            talks: AtomicBool::new(false),
            answers_channel: AtomicBool::new(false),
            died: Notify::new(),
            version: Mutex::default(),
            manifest: Mutex::default(),
            orders: Mutex::default(),
            releases: Mutex::default(),
            assets: Mutex::default(),
            calls: Mutex::default(),
            faults: Mutex::default(),
            changes: Mutex::default(),
            beats: Mutex::default(),
            slow: Mutex::default(),
            poison: Mutex::default(),
        }))
    }

    fn called(&self, call: &'static str) -> Result<(), CloudError> {
        self.0.calls.lock().unwrap().push((self.0.watch.second(), call));
        if self.0.dead.load(Ordering::Relaxed) {
            return Err(CloudError::new(call, Failure::Unreachable("dead".into())));
        }
        Ok(())
    }

    pub(super) fn times(&self, wanted: &str) -> Vec<u64> {
        let calls = self.0.calls.lock().unwrap();
        calls.iter().filter(|(_, call)| *call == wanted).map(|(at, _)| *at).collect()
    }

    pub(super) fn publish(&self, manifest: &Value) {
        self.publish_signed(manifest, &[&tenant()]);
    }

    pub(super) fn publish_signed(&self, manifest: &Value, keys: &[&SigningKey]) {
        let sealed =
            envelope::seal(Purpose::Manifest, &serde_json::to_vec(manifest).unwrap(), keys);
        *self.0.version.lock().unwrap() = manifest["version"].as_u64().unwrap_or(0);
        self.publish_raw(serde_json::to_vec(&sealed).unwrap());
    }

    pub(super) fn publish_raw(&self, raw: Vec<u8>) {
        *self.0.manifest.lock().unwrap() = Some(raw.into());
    }
}

impl Fake {
    pub(super) fn order(&self, orders: &Value) {
        let payload = serde_json::to_vec(orders).unwrap();
        let sealed = envelope::seal(Purpose::Orders, &payload, &[&tenant()]);
        self.order_raw(Some(serde_json::to_vec(&sealed).unwrap()));
    }

    /// None: there are none any more.
    pub(super) fn order_raw(&self, raw: Option<Vec<u8>>) {
        *self.0.orders.lock().unwrap() = raw.map(Bytes::from);
    }
}

/// What a cloud answers that has `raw` to somebody who has `etag`.
fn news(raw: Bytes, etag: Option<String>) -> News {
    let tag = Digest::of(&raw).to_string();
    if raw.is_empty() || etag.as_deref() == Some(tag.as_str()) {
        return News::Unchanged;
    }
    News::Envelope { raw, etag: Some(tag) }
}

fn told<T>(value: T) -> Told<T> {
    Ok(Answer { value, server_time: None })
}

pub(super) struct Whole(Option<Bytes>);

impl AssetBody for Whole {
    fn from(&self) -> u64 {
        0
    }

    fn etag(&self) -> Option<&str> {
        None
    }

    fn host(&self) -> &str {
        ""
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, CloudError> {
        Ok(self.0.take())
    }
}

/// An open push channel. What is said on it at its opening is the world's to say; it ends when the cloud
/// dies.
pub(super) struct Channel {
    cloud: Fake,
    to_say: VecDeque<Hint>,
}

impl Hints for Channel {
    async fn hint(&mut self) -> Result<Hint, CloudError> {
        match self.to_say.pop_front() {
            Some(hint) => Ok(hint),
            None => {
                self.cloud.0.died.notified().await;
                Err(CloudError::new("push", Failure::Unreachable("closed".into())))
            }
        }
    }

    async fn tell(&mut self, batch: &Batch) -> Result<(), CloudError> {
        if !self.cloud.0.answers_channel.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.to_say.push_back(match self.cloud.keep(batch.clone()) {
            Ok(Acknowledged { ids }) => Hint::Acknowledged { ids },
            Err(_) => Hint::Refused { error: "bad_request".into(), description: String::new() },
        });
        Ok(())
    }
}

impl Fake {
    /// Greets whoever opens a channel with the versions that there are, and takes records by it.
    pub(super) fn talks(&self) {
        self.0.push.store(true, Ordering::Relaxed);
        self.0.talks.store(true, Ordering::Relaxed);
        self.0.answers_channel.store(true, Ordering::Relaxed);
    }

    /// Goes away, with every channel.
    pub(super) fn dies(&self) {
        self.0.dead.store(true, Ordering::Relaxed);
        self.0.died.notify_waiters();
    }

    fn keep(&self, batch: Batch) -> Result<Acknowledged, CloudError> {
        let faults = batch.records.iter().filter_map(|record| match &record.body {
            Body::Fault(fault) => Some(fault.code.clone()),
            _ => None,
        });
        let poison = self.0.poison.lock().unwrap().clone();
        if faults.clone().any(|code| poison.iter().any(|bad| bad.is_empty() || *bad == code)) {
            let (error, description) = ("bad_request".into(), String::new());
            let failure = Failure::Refused { status: 400, error, description };
            return Err(CloudError::new("records", failure));
        }
        self.0.faults.lock().unwrap().extend(faults);
        let changes = batch.records.iter().filter_map(|record| match &record.body {
            Body::SettingChanged(change) => Some(change.clone()),
            _ => None,
        });
        self.0.changes.lock().unwrap().extend(changes);
        let beats = batch.records.iter().filter(|r| matches!(r.body, Body::Heartbeat(_)));
        self.0.beats.lock().unwrap().extend(beats.map(|record| record.id.clone()));
        Ok(Acknowledged { ids: batch.records.into_iter().map(|record| record.id).collect() })
    }
}

impl Cloud for Fake {
    type Body = Whole;
    type Hints = Channel;

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

    async fn manifest(&self, _: Pass, etag: Option<String>) -> Told<Polled> {
        self.called("manifest")?;
        let raw = self.0.manifest.lock().unwrap().clone().unwrap_or_default();
        let orders = self.0.orders.lock().unwrap().as_ref().map(|raw| Digest::of(raw).to_string());
        told(Polled { news: news(raw, etag), orders })
    }

    async fn orders(&self, _: Pass, etag: Option<String>) -> Told<News> {
        self.called("orders")?;
        told(news(self.0.orders.lock().unwrap().clone().unwrap_or_default(), etag))
    }

    async fn releases(&self, _: Pass, etag: Option<String>) -> Told<News> {
        self.called("releases")?;
        let raw = self.0.releases.lock().unwrap().clone().unwrap_or_default();
        told(news(raw, etag))
    }

    async fn asset(&self, _: Pass, part: Part) -> Result<Whole, CloudError> {
        self.called("asset")?;
        if self.0.slow.lock().unwrap().contains(&part.digest()) {
            let (host, why) = ("slow:1".into(), "drips".into());
            return Err(CloudError::new("asset", Failure::Stalled { host, why }));
        }
        let bytes = self.0.assets.lock().unwrap().get(&part.digest()).cloned();
        let refusal =
            Failure::Refused { status: 404, error: "not_found".into(), description: String::new() };
        bytes.map(|b| Whole(Some(b))).ok_or_else(|| CloudError::new("asset", refusal))
    }

    async fn records(&self, _: Pass, batch: Batch) -> Told<Acknowledged> {
        self.called("records")?;
        told(self.keep(batch)?)
    }

    async fn screenshot(&self, _: Pass, _: String, _: Arc<Vec<u8>>) -> Told<()> {
        self.called("screenshot")?;
        told(())
    }

    async fn hints(&self, _: Pass) -> Result<Channel, CloudError> {
        self.called("push")?;
        if !self.0.push.load(Ordering::Relaxed) {
            return Err(CloudError::new("push", Failure::Unreachable("no channel".into())));
        }
        let mut to_say = VecDeque::new();
        if self.0.talks.load(Ordering::Relaxed) {
            to_say.push_back(Hint::Records);
            let version = *self.0.version.lock().unwrap();
            to_say.extend((version > 0).then_some(Hint::Manifest { version }));
        }
        Ok(Channel { cloud: self.clone(), to_say })
    }
}
