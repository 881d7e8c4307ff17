//! What a start finds, before any network: who we are, what is in force, what is still to be done.
//!
//! The disk is no witness: every kept envelope is proved again with the pinned key. What cannot be
//! proved is dropped, the generation before it takes its place, and everything that playing can go
//! on without is a trouble and not an error.

use std::collections::BTreeMap;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use tokio::task::JoinSet;
use vitrine_config::time::{Clock, Mono};
use vitrine_config::{Word, limits};
use vitrine_wire::Digest;

use super::content::{Content, Pending, complained};
use super::news::News;
use super::{Shell, Ways, hand_over};
use crate::accept::{self, Accepted, Seen};
use crate::cache::Cache;
use crate::cloud::Cloud;
use crate::error::{StartError, chain};
use crate::headlines::shelf::Shelf;
use crate::http::feeds::Feeds;
use crate::identity::{Account, IdentityError, device_key};
use crate::model::{Live, Manifest};
use crate::session::Session;
use crate::store::{self, Generation};
use crate::{Connection, Event, Options, Paired, Tuning, durable};

/// What a start found.
pub(crate) struct Opened {
    store: store::Handle,
    cache: Cache,
    key: Option<SigningKey>,
    account: Option<Account>,
    live: Option<Arc<Live>>,
    shelf: Shelf,
    previous: Option<Manifest>,
    pending: Option<Manifest>,
    seen: Option<Seen>,
    turned_down: Option<Digest>,
    orders_least: u64,
    latest_time: Option<Timestamp>,
    troubles: Vec<Trouble>,
}

/// Code and detail.
type Trouble = (&'static str, String);

/// Opens everything in the state directory.
///
/// # Errors
///
/// The directory, the store or the cache cannot be used at all, or the disk does not say who this
/// device is: what it cannot read now it may read in a moment, and a guess would be for good.
pub(crate) async fn open(options: &Options) -> Result<Opened, StartError> {
    let dir = &options.state_dir;
    durable::make_dir(dir, 0o700)
        .map_err(|error| StartError::new("make the state directory", &error))?;
    let (store, found) = store::start(dir)?;
    if found.unclean {
        tracing::info!("sync: the last process was cut off");
    }
    let mut troubles = Vec::new();
    troubles.extend(found.rebuilt.map(|why| ("store_rebuilt", why)));
    troubles.extend(found.volatile.map(|why| ("store_volatile", why)));
    let seed = rand::random();
    let key = known("device_key", device_key(dir, seed), &mut troubles)?;
    let account = known("account", Account::load(dir), &mut troubles)?.flatten();
    let next = known("tenant_not_forgotten", Account::load_next(dir), &mut troubles)?.flatten();
    let account = hand_over::resume(dir, account, next, &store)
        .await
        .map_err(|why| StartError { action: "forget the tenant before", why })?;
    // An account that cannot be read is not "nobody's device": without it, no pairing either.
    let key = key.filter(|_| !troubles.iter().any(|(code, _)| *code == "account"));
    let mut proving = Proving { store: &store, account: account.as_ref(), troubles };
    let live = proving.live().await;
    let pending = proving.pending().await;
    let previous = proving.previous().await;
    let mut troubles = proving.troubles;
    let highest = noted("store", store.highest_version().await, &mut troubles).unwrap_or(0);
    // After a rollback the newest is the one before.
    let seen = seen(highest, [&pending, &live, &previous]);
    let turned_down = noted("store", store.turned_down().await, &mut troubles).flatten();
    let orders_least = noted("store", store.orders_least().await, &mut troubles).unwrap_or(0);
    let latest_time = noted("store", store.latest_time().await, &mut troubles).flatten();
    let wanted = sizes([&live, &pending, &previous]);
    let (cache, amiss) = Cache::open(dir.join("assets"), &wanted)
        .map_err(|error| StartError::new("open the cache", &error))?;
    troubles.extend(amiss.into_iter().map(|text| ("cache", text)));
    let shelf = Shelf::new(dir);
    let live = live.map(|live| Arc::new(in_force(live.manifest, &cache, &shelf)));
    let [pending, previous] = [pending, previous].map(|kept| kept.map(|kept| kept.manifest));
    Ok(Opened {
        store,
        cache,
        key,
        account,
        live,
        shelf,
        previous,
        pending,
        seen,
        turned_down,
        orders_least,
        latest_time,
        troubles,
    })
}

impl Opened {
    /// The first word to the player.
    pub(crate) fn started(&self) -> Event {
        let paired = self.account.as_ref().map(|account| Paired {
            tenant: account.tenant.clone(),
            device: account.device.clone(),
        });
        Event::Started { live: self.live.clone(), paired, latest_time: self.latest_time }
    }

    /// Notes something else that went wrong at start.
    pub(crate) fn note(&mut self, code: &'static str, detail: String) {
        self.troubles.push((code, detail));
    }
}

impl<C: Cloud> Shell<C> {
    /// The loop, ready to run.
    pub(crate) fn new(
        opened: Opened,
        (options, tuning): (Options, Tuning),
        (cloud, feeds): (Option<C>, Option<Feeds>),
        clock: Arc<dyn Clock>,
        sink: Box<dyn Fn(Event) + Send>,
    ) -> Shell<C> {
        let now = clock.now();
        // Whoever stands before an unpaired screen waits for its code; paired ones come in turn.
        let spread = options.first_contact_spread.mul_f64(rand::random());
        let first = if opened.account.is_some() { now.mono.after(spread) } else { now.mono };
        let url = options.cloud_url.clone().unwrap_or_default();
        let pending = opened.pending.map(|m| Pending { manifest: Arc::new(m), since: now.mono });
        let mut content = Content::default();
        content.forget(Mono::default());
        (content.live, content.previous) = (opened.live, opened.previous);
        (content.pending, content.seen) = (pending, opened.seen);
        content.turned_down = opened.turned_down;
        let orders = super::orders::Orders::from(opened.orders_least);
        let settings = super::settings::Settings::of(newest_settings(&content));
        let cloud = cloud.filter(|_| opened.key.is_some()).map(Arc::new);
        let store = Arc::new(opened.store);
        let mut news = News::new(feeds, opened.shelf);
        if let Some(live) = &content.live {
            news.subscribe(&live.manifest, now.mono);
        }
        Shell {
            ways: Ways { cloud, store, cache: opened.cache, clock, sink },
            options,
            tuning,
            key: opened.key,
            session: Session::new(url, opened.account, first),
            connection: Connection::Off,
            line: Default::default(),
            content,
            orders,
            settings,
            transfers: Default::default(),
            throttle: Default::default(),
            hours: Default::default(),
            opens_at: None,
            progress: Default::default(),
            outbox: Default::default(),
            push: super::push::Push::new(),
            note_time: Default::default(),
            scrub: Default::default(),
            releases: Default::default(),
            news,
            disk: Default::default(),
            tasks: JoinSet::new(),
            troubles: opened.troubles,
        }
    }

    /// What is done once, after the player knows what to show.
    pub(super) async fn begin(&mut self) {
        let now = self.now();
        self.throttle.set(self.tuning.rate_bytes_s);
        self.hours.want(now.mono);
        if self.ways.cloud.is_some() {
            self.connected(Connection::Connecting);
        } else {
            self.say(Event::Connection(Connection::Off));
        }
        for (code, detail) in std::mem::take(&mut self.troubles) {
            self.trouble(code, detail).await;
        }
        let cut = self.ways.store.begun_but_not_ended().await.unwrap_or_default();
        for order in cut {
            self.end_order(order, Err("cut off by a stop or a crash".into()), now).await;
        }
        self.outbox.records.want(now.mono);
        self.note_time.want(now.mono);
        self.scrub.errand.want(now.mono);
    }
}

/// Reads kept generations and believes only what the pinned key proves.
struct Proving<'a> {
    store: &'a store::Handle,
    account: Option<&'a Account>,
    troubles: Vec<Trouble>,
}

impl Proving<'_> {
    /// The live one, or the newest before it that can be proved.
    async fn live(&mut self) -> Option<Accepted> {
        for _ in 0..=limits::GENERATIONS_KEPT {
            let kept = noted("store", self.store.live().await, &mut self.troubles)??;
            let version = kept.version;
            if let Some(live) = self.prove(kept)? {
                return Some(live);
            }
            noted("store", self.store.discard(version).await, &mut self.troubles)?;
        }
        None
    }

    async fn pending(&mut self) -> Option<Accepted> {
        let kept = noted("store", self.store.pending().await, &mut self.troubles)??;
        let version = kept.version;
        let pending = self.prove(kept)?;
        if pending.is_none() {
            noted("store", self.store.discard(version).await, &mut self.troubles)?;
        }
        pending
    }

    async fn previous(&mut self) -> Option<Accepted> {
        let kept = noted("store", self.store.previous().await, &mut self.troubles)??;
        self.account.and_then(|account| accept::prove_kept(&kept.envelope, account).ok())
    }

    /// Outer None: nobody's device, nothing can be proved. Inner None: disproved.
    fn prove(&mut self, kept: Generation) -> Option<Option<Accepted>> {
        let account = self.account?;
        Some(match accept::prove_kept(&kept.envelope, account) {
            Ok(accepted) => {
                if !accepted.complaints.is_empty() {
                    let text = complained(kept.version, &accepted.complaints);
                    tracing::info!(text, "sync: kept manifest");
                }
                Some(accepted)
            }
            Err(refusal) => {
                let detail = format!("kept version {}: {refusal}; dropped", kept.version);
                self.troubles.push((refusal.code(), detail));
                None
            }
        })
    }
}

/// What a file says of who this device is. None, with a note: it is broken, for a person to mend.
fn known<T>(
    code: &'static str,
    result: Result<T, IdentityError>,
    troubles: &mut Vec<Trouble>,
) -> Result<Option<T>, StartError> {
    match result {
        Err(error @ IdentityError::Io { .. }) => Err(error.into()),
        other => Ok(noted(code, other, troubles)),
    }
}

/// A result, or None with a note.
fn noted<T, E: std::error::Error>(
    code: &'static str,
    result: Result<T, E>,
    troubles: &mut Vec<Trouble>,
) -> Option<T> {
    result.map_err(|error| troubles.push((code, chain(&error)))).ok()
}

/// The newest manifest ever believed; its bytes may be lost.
fn seen(highest: u64, kept: [&Option<Accepted>; 3]) -> Option<Seen> {
    let newest = kept.into_iter().flatten().map(|kept| kept.seen).find(|s| s.version >= highest);
    newest.or((highest > 0).then_some(Seen { version: highest, payload: None }))
}

/// The settings of the newest manifest that is kept, whether it is live or not.
fn newest_settings(content: &Content) -> BTreeMap<String, Word> {
    let pending = content.pending.as_ref().map(|pending| &*pending.manifest);
    let live = content.live.as_ref().map(|live| &live.manifest);
    let kept = [pending, live, content.previous.as_ref()].into_iter().flatten();
    let newest = kept.max_by_key(|manifest| manifest.version);
    newest.map(|manifest| manifest.settings.clone()).unwrap_or_default()
}

fn sizes(kept: [&Option<Accepted>; 3]) -> BTreeMap<Digest, u64> {
    let assets = kept.into_iter().flatten().flat_map(|kept| &kept.manifest.assets);
    assets.map(|(digest, asset)| (*digest, asset.size_bytes)).collect()
}

fn in_force(manifest: Manifest, cache: &Cache, shelf: &Shelf) -> Live {
    let absent = manifest.assets.keys().filter(|asset| !cache.contains(asset));
    let missing = absent.copied().collect();
    let headlines = shelf.headlines();
    Live { manifest, files: cache.files(), missing, headlines }
}
