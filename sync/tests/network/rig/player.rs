//! Sync as the player holds it, with its events in a queue.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use vitrine_config::time::{Clock, Mono, Now, Trust};
use vitrine_sync::model::Live;
use vitrine_sync::{Event, Options, Pairing, Request, Sync, Tuning};

/// Longest wait for anything; reached by a failing test only.
const DEADLINE: Duration = Duration::from_secs(30);
/// Far more events than any test makes.
const EVENTS: usize = 10_000;

pub struct SystemClock(Instant);

pub fn clock() -> SystemClock {
    SystemClock(Instant::now())
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let wall = Timestamp::try_from(SystemTime::now()).unwrap();
        let mono = Mono(u64::try_from(self.0.elapsed().as_nanos()).unwrap());
        Now { wall, mono, trust: Trust::Synced }
    }
}

pub fn options(state_dir: &Path, cloud_url: Option<&str>) -> Options {
    Options {
        state_dir: state_dir.to_owned(),
        cloud_url: cloud_url.map(str::to_owned),
        ca_file: None,
        proxy: None,
        enrollment: None,
        name: "test".into(),
        model: "bench".into(),
        release: "0.0.0".into(),
        first_contact_spread: Duration::ZERO,
    }
}

/// Polls rarely: what a test waits for must come by itself.
pub fn tuning() -> Tuning {
    Tuning {
        poll: Duration::from_secs(3_600),
        downloads: 2,
        patience: Duration::from_secs(3_600),
        cache_bytes: 1 << 30,
        reserve_bytes: 1 << 20,
        horizon: Duration::from_secs(24 * 3_600),
        rate_bytes_s: 0,
        download_hours: None,
        metered: false,
        time_zone: jiff::tz::TimeZone::UTC,
    }
}

pub struct Player {
    pub sync: Sync,
    events: Receiver<Event>,
}

impl Player {
    pub fn start(options: Options, tuning: Tuning) -> Player {
        let (post, events) = sync_channel(EVENTS);
        let clock = Arc::new(clock());
        let sink = move |event| post.send(event).unwrap_or(());
        let sync = Sync::start(options, tuning, clock, sink).expect("starts");
        Player { sync, events }
    }

    /// Waits for the first event that `pick` takes; others before it are passed over.
    pub fn wait<T>(&self, what: &str, pick: impl Fn(&Event) -> Option<T>) -> T {
        let until = Instant::now() + DEADLINE;
        let mut passed = Vec::new();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) => match pick(&event) {
                    Some(picked) => return picked,
                    None => passed.push(event),
                },
                Err(_) => panic!("{what}: did not come; came: {passed:#?}"),
            }
        }
    }

    pub fn started(&self) -> Option<Arc<Live>> {
        self.wait("started", |event| match event {
            Event::Started { live, .. } => Some(live.clone()),
            _ => None,
        })
    }

    pub fn pairing(&self) -> Pairing {
        self.wait("pairing", |event| match event {
            Event::Pairing(pairing) => Some(pairing.clone()),
            _ => None,
        })
    }

    pub fn live(&self, version: u64) -> Arc<Live> {
        self.wait(&format!("live {version}"), |event| match event {
            Event::Live(live) if live.manifest.version == version => Some(Arc::clone(live)),
            _ => None,
        })
    }

    pub fn trouble(&self, wanted: &str) -> String {
        self.wait(&format!("trouble {wanted}"), |event| match event {
            Event::Trouble { code, detail } if code == wanted => Some(detail.clone()),
            _ => None,
        })
    }

    /// What came since the last wait.
    pub fn rest(&self) -> Vec<Event> {
        self.events.try_iter().collect()
    }

    pub fn sync_now(&self) {
        self.sync.post(Request::SyncNow).expect("room in the inbox");
    }

    pub fn stop(self) {
        assert!(self.sync.stop(), "stops in time");
    }
}
