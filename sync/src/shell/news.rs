//! News feeds in the loop: which ones, when, and what became of them.
//!
//! A feed that the live manifest names is asked in its rhythm, whether the cloud is there or not.
//! One that cannot be had, or is none, leaves the last good headlines in place: they outlive
//! restarts, and are forgotten when no ticker names their feed any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::spawn_blocking;
use vitrine_config::limits;
use vitrine_config::time::{Mono, Now};

use super::errand::Errand;
use super::{Done, Shell};
use crate::backoff::around;
use crate::cloud::Cloud;
use crate::error::{CloudError, Failure, chain};
use crate::headlines::{self, shelf};
use crate::http::feeds::Feeds;
use crate::model::{Headlines, Manifest};

/// Feeds asked at a time.
const AT_A_TIME: usize = 2;
/// Failures in a row before it is told: a start without a network is none of the feed's faults.
const TOLD_AFTER: u32 = 3;
/// Failures in a row after which it is asked in its usual rhythm again.
const PATIENT_AFTER: u32 = 5;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct News {
    /// None: nothing can be asked.
    feeds: Option<Feeds>,
    shelf: shelf::Shelf,
    subscriptions: BTreeMap<String, Subscription>,
}

#[derive(Debug)]
struct Subscription {
    refresh: Duration,
    errand: Errand,
    kept: Option<shelf::Kept>,
}

/// What came of asking.
#[derive(Debug)]
pub(super) struct Asked {
    url: String,
    /// None: nothing new.
    result: Result<Option<shelf::Kept>, CloudError>,
}

impl News {
    pub(super) fn new(feeds: Option<Feeds>, shelf: shelf::Shelf) -> News {
        News { feeds, shelf, subscriptions: BTreeMap::new() }
    }

    /// Asks what `manifest` names from now on, and nothing else.
    pub(super) fn subscribe(&mut self, manifest: &Manifest, now: Mono) {
        let wanted = manifest.news_feeds();
        let known: BTreeSet<&String> = self.subscriptions.keys().collect();
        if known.into_iter().eq(wanted.keys()) {
            self.subscriptions.values_mut().zip(wanted.values()).for_each(|(one, refresh)| {
                one.refresh = *refresh;
            });
            return;
        }
        let mut before = std::mem::take(&mut self.subscriptions);
        let mut shelf = self.shelf.load();
        for (url, refresh) in wanted {
            let kept = shelf.remove(&url);
            let fresh = || {
                let mut errand = Errand::default();
                errand.want(now);
                Subscription { refresh, errand, kept }
            };
            let one = before.remove(&url).unwrap_or_else(fresh);
            self.subscriptions.insert(url, Subscription { refresh, ..one });
        }
        for url in shelf.keys() {
            if let Err(error) = self.shelf.forget(url) {
                tracing::warn!(%error, "sync: headlines are not forgotten");
            }
        }
    }

    /// The lines of every feed that has some.
    pub(super) fn headlines(&self) -> Headlines {
        let kept = self.subscriptions.values().filter_map(|one| one.kept.as_ref());
        kept.map(|kept| (kept.url.clone(), kept.lines.clone())).collect()
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        self.feeds.as_ref()?;
        let busy = self.subscriptions.values().filter(|one| one.errand.is_busy()).count();
        let waiting = self.subscriptions.values().filter(|_| busy < AT_A_TIME);
        waiting.filter_map(|one| one.errand.deadline()).min()
    }

    /// A person wants news now.
    pub(super) fn hurry(&mut self, now: Now) {
        self.subscriptions.values_mut().for_each(|one| one.errand.hurry(now));
    }

    /// Calls that were dropped are made anew.
    pub(super) fn put_off(&mut self, now: Now) {
        for one in self.subscriptions.values_mut().filter(|one| one.errand.is_busy()) {
            one.errand.put_off(now);
        }
    }
}

impl<C: Cloud> Shell<C> {
    /// Asks the feeds whose time has come.
    pub(super) fn ask_feeds(&mut self, now: Now) {
        let Some(feeds) = self.news.feeds.clone() else { return };
        let all = self.news.subscriptions.values();
        let mut busy = all.filter(|one| one.errand.is_busy()).count();
        for (url, one) in &mut self.news.subscriptions {
            if busy < AT_A_TIME && one.errand.start(now) {
                busy += 1;
                let (feeds, url, kept) = (feeds.clone(), url.clone(), one.kept.clone());
                self.tasks.spawn(async move { Done::Feed(ask(feeds, url, kept).await) });
            }
        }
    }

    pub(super) async fn feed_asked(&mut self, asked: Asked, now: Now) {
        let Asked { url, result } = asked;
        // No longer wanted.
        let Some(one) = self.news.subscriptions.get_mut(&url) else { return };
        match result {
            Ok(news) => {
                let pause = around(one.refresh, rand::random());
                one.errand.worked(Some(now.mono.after(pause)));
                let Some(news) = news else { return };
                let before = one.kept.replace(news.clone());
                // Flash wears: what says the same is not written.
                if before.is_none_or(|before| before.lines != news.lines) {
                    self.keep_headlines(news).await;
                    self.say_headlines();
                }
            }
            Err(error) => {
                let patient = one.errand.failures() >= PATIENT_AFTER;
                let told = error.retry_after.or(patient.then_some(one.refresh));
                one.errand.failed(told, now, rand::random());
                if one.errand.failures() == TOLD_AFTER {
                    let has = if one.kept.is_some() {
                        "the last headlines stay"
                    } else {
                        "there are no headlines yet"
                    };
                    let why = match &error.failure {
                        Failure::Strange(why) => why.clone(),
                        other => other.to_string(),
                    };
                    let detail = format!("{}: {why}; {has}", shown(&url));
                    self.trouble("feed_failed", detail).await;
                }
            }
        }
    }

    /// In the loop's own turn: what came for a tenant before must not be written after it was wiped.
    async fn keep_headlines(&mut self, news: shelf::Kept) {
        let (shelf, url) = (self.news.shelf.clone(), shown(&news.url));
        let kept = spawn_blocking(move || shelf.keep(&news).map_err(|error| chain(&error))).await;
        if let Err(why) = kept.unwrap_or_else(|error| Err(chain(&error))) {
            self.trouble("feed_not_kept", format!("{url}: {why}")).await;
        }
    }

    /// Tells the player of other headlines under the same generation.
    fn say_headlines(&mut self) {
        let Some(live) = &self.content.live else { return };
        let (manifest, missing) = (live.manifest.clone(), live.missing.clone());
        let now = self.now();
        self.say_live(manifest, missing, now);
    }
}

async fn ask(feeds: Feeds, url: String, kept: Option<shelf::Kept>) -> Asked {
    let fetched = match feeds.fetch(&url, kept.as_ref()).await {
        Ok(Some(fetched)) => fetched,
        Ok(None) => return Asked { url, result: Ok(None) },
        Err(error) => return Asked { url, result: Err(error) },
    };
    let read = move || {
        headlines::read(&fetched.bytes, fetched.media_type.as_deref())
            .map(|lines| (lines, fetched.etag, fetched.last_modified))
    };
    let read = spawn_blocking(read).await.unwrap_or_else(|_| Err("panicked".into()));
    let news = |(lines, etag, last_modified)| {
        Some(shelf::Kept { url: url.clone(), etag, last_modified, lines })
    };
    let result = read.map(news).map_err(|why| CloudError::new("GET feed", Failure::Strange(why)));
    Asked { url, result }
}

/// An address without what may be a secret in it.
fn shown(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    bare.chars().take(limits::URL_SHOWN_CHARS).collect()
}
