//! The sync loop: the one place where sockets, timers, disk and decisions meet.
//!
//! In:  requests of the player, answers of the cloud, the time.
//! Out: [`Event`]s.
//!
//! Decisions are made elsewhere and without I/O: `session` (who we are), `accept` (what is
//! believed), `plan` (what to fetch, when to go live), `backoff` and [`errand`] (when again). Calls
//! run as tasks that end in a [`Done`]; the loop itself waits for nothing but the store.
//!
//! Reading order: [`Shell::run`], [`Shell::advance`] (everything that can be started),
//! [`Shell::finished`] (everything that can end), then `content`, `live`, `pairing`,
//! `outbox`.
//!
//! Full: requests are bounded by [`crate::Full`]; hints wait for the loop; tasks are bounded by their
//! kinds, one each, and [`Tuning::downloads`].

mod content;
mod doubts;
mod errand;
mod fetch;
mod hand_over;
mod line;
mod live;
mod news;
mod open;
mod orders;
mod outbox;
mod pairing;
mod progress;
mod push;
mod release;
mod rollback;
mod scrub;
mod settings;
mod supply;
mod throttle;
mod transfer;

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use jiff::{Timestamp, Zoned};
use tokio::select;
use tokio::sync::{RwLock, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;
use vitrine_config::time::{Clock, Mono, Now, Trust};
use vitrine_wire::record::{self, Body, Fault, Record};

use crate::cache::Cache;
use crate::cloud::{Cloud, News, Told};
use crate::error::CloudError;
use crate::hours;
use crate::session::{Reply, Session};
use crate::store;
use crate::{Connection, Event, Options, Request, Tuning, Written};

pub(crate) use open::{Opened, open};

/// Requests taken from the inbox at a time: one commit for all of them.
pub(crate) const INBOX: usize = 1_024;
/// With nothing to wait for, the loop still looks around this often.
const IDLE: Duration = Duration::from_secs(3_600);
/// Longest detail of a fault: enough for a screenful, far below what a cloud keeps.
const DETAIL_CHARS: usize = 2_000;
/// The hours for downloads are looked at this often at least: clocks are set.
const LOOK: Duration = Duration::from_secs(600);
/// Pause between two notes of the time: a restart without a clock guesses at most this far back.
const NOTE_TIME: Duration = Duration::from_secs(300);

/// What a task ends with.
enum Done {
    Reply(Reply, Option<Timestamp>),
    Manifest(Result<content::Fetched, CloudError>),
    Orders(Result<orders::Fetched, CloudError>),
    Asset(fetch::Ended),
    Records(Result<outbox::Sent, outbox::NotSent>),
    Screenshot(Result<(), CloudError>),
    Push(CloudError),
    Feed(news::Asked),
    Scrubbed(scrub::Scrubbed),
    Index(Told<News>),
    Release(fetch::Ended),
}

/// The ways out: what every part of the loop may use.
struct Ways<C> {
    /// None: sync with nobody.
    cloud: Option<Arc<C>>,
    store: Arc<store::Handle>,
    cache: Cache,
    clock: Arc<dyn Clock>,
    sink: Box<dyn Fn(Event) + Send>,
}

/// The loop's state.
pub(crate) struct Shell<C: Cloud> {
    ways: Ways<C>,
    options: Options,
    tuning: Tuning,
    key: Option<SigningKey>,
    session: Session,
    connection: Connection,
    line: line::Line,
    content: content::Content,
    orders: orders::Orders,
    settings: settings::Settings,
    transfers: transfer::Transfers,
    throttle: Arc<throttle::Throttle>,
    /// The next look at the hours for downloads.
    hours: errand::Errand,
    /// When they end or begin, as far as they are closed now.
    opens_at: Option<Timestamp>,
    progress: progress::Reporter,
    outbox: outbox::Outbox,
    push: push::Push,
    note_time: errand::Errand,
    scrub: scrub::Scrub,
    releases: release::Releases,
    news: news::News,
    /// Held by downloads while they write, so that a wipe finds none at work.
    disk: Arc<RwLock<()>>,
    tasks: JoinSet<Done>,
    /// What went wrong at start.
    troubles: Vec<(&'static str, String)>,
}

impl<C: Cloud> Shell<C> {
    /// Runs until the inbox is closed, which is how the player asks it to stop. What is in the inbox
    /// then is still kept; calls that are under way are dropped.
    pub(crate) async fn run(&mut self, mut inbox: mpsc::Receiver<Request>) {
        self.begin().await;
        let mut requests = Vec::new();
        loop {
            self.advance(self.now()).await;
            let wait = self.deadline().map_or(IDLE, |at| at.since(self.now().mono)).min(IDLE);
            // Fair on purpose: a flood of requests holds up neither answers nor the stop.
            select! {
                taken = inbox.recv_many(&mut requests, INBOX) => {
                    if taken == 0 {
                        return self.keep_passing().await;
                    }
                    self.requested(std::mem::take(&mut requests)).await;
                }
                Some(done) = self.tasks.join_next() => self.joined(done).await,
                Some(news) = self.push.inbox.recv() => self.pushed(news).await,
                () = sleep(wait) => {}
            }
        }
    }

    fn now(&self) -> Now {
        self.ways.clock.now()
    }

    fn say(&self, event: Event) {
        (self.ways.sink)(event);
    }

    /// Starts everything that is due. Nothing but the session talks to the cloud without a pass.
    async fn advance(&mut self, now: Now) {
        self.keep_hours(now);
        self.settle(now).await;
        self.report_progress(now);
        if self.note_time.start(now) {
            self.note_time(now).await;
        }
        self.scrub(now);
        self.ask_feeds(now);
        let Some(cloud) = self.ways.cloud.clone() else { return };
        if !self.token_waits(now) {
            self.ask(&cloud, now);
        }
        let Some(pass) = self.session.pass(now).cloned() else { return };
        if self.push_finds_out() {
            return self.open_push(&cloud, &pass, now);
        }
        self.fetch_manifest(&cloud, &pass, now);
        if self.line.is_down() {
            return;
        }
        self.fetch_orders(&cloud, &pass, now);
        self.fetch_assets(&cloud, &pass, now);
        self.send_records(&cloud, &pass, now).await;
        self.send_screenshot(&cloud, &pass, now);
        self.open_push(&cloud, &pass, now);
        self.seek_release(&cloud, &pass, now);
    }

    /// When [`Shell::advance`] will have something to do, if nothing comes in before.
    fn deadline(&self) -> Option<Mono> {
        let now = self.now();
        let always = [
            self.content.settle.deadline(),
            self.progress.deadline(),
            self.note_time.deadline(),
            self.hours.deadline(),
            self.scrub.errand.deadline(),
            self.news.deadline(),
        ];
        let online = self.ways.cloud.as_ref().filter(|_| !self.token_waits(now));
        let online = online.and_then(|_| self.session.deadline());
        let proved = self.session.pass(now).filter(|_| self.ways.cloud.is_some());
        let finds_out = match self.push_finds_out() {
            true => &self.push.errand,
            false => &self.content.poll,
        };
        let poll = proved.and_then(|_| finds_out.deadline());
        let proved = proved.filter(|_| !self.line.is_down()).map(|_| {
            [
                self.orders.errand.deadline(),
                self.transfers.deadline(self.tuning.downloads),
                self.outbox.records.deadline(),
                self.outbox.answer_deadline(),
                self.outbox.pictures.deadline(),
                self.push.errand.deadline(),
                self.releases.deadline(),
            ]
        });
        let proved = proved.into_iter().flatten();
        always.into_iter().chain([online, poll]).chain(proved).flatten().min()
    }

    /// While nobody answers, a token that is good still is not renewed.
    fn token_waits(&self, now: Now) -> bool {
        self.line.is_down() && self.session.pass(now).is_some()
    }

    /// Whether the cloud is away, and opening the channel tells when it is back: then nothing else asks.
    fn push_finds_out(&self) -> bool {
        self.line.is_down() && self.push.finds_out() && !self.content.hurried
    }

    async fn joined(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(done) => self.finished(done).await,
            Err(error) if error.is_cancelled() => {}
            Err(error) => {
                tracing::error!(%error, "sync: a task panicked; all calls are made anew");
                self.drop_calls().await;
            }
        }
    }

    async fn finished(&mut self, done: Done) {
        let now = self.now();
        match done {
            Done::Reply(reply, server_time) => self.replied(reply, server_time, now).await,
            Done::Manifest(result) => self.manifest_came(result, now).await,
            Done::Orders(result) => self.orders_came(result, now).await,
            Done::Asset(ended) => self.asset_ended(ended, now).await,
            Done::Records(result) => self.records_sent(result, now).await,
            Done::Screenshot(result) => self.screenshot_sent(result, now).await,
            Done::Feed(asked) => self.feed_asked(asked, now).await,
            Done::Push(error) => self.push_ended(&error, now).await,
            Done::Scrubbed(scrubbed) => self.scrubbed(scrubbed, now).await,
            Done::Index(came) => self.index_came(came, now).await,
            Done::Release(ended) => self.release_ended(ended, now).await,
        }
    }

    async fn requested(&mut self, requests: Vec<Request>) {
        let now = self.now();
        let mut records = Vec::new();
        for request in requests {
            match request {
                Request::Record(record) => records.push(record),
                Request::SyncNow => self.hurry(now),
                Request::Tune(tuning) => self.tune(tuning, now),
                Request::Settings(local) => self.set_locally(local, now).await,
                Request::Rollback(asker) => self.roll_back(asker, now).await,
                Request::GiveUp(why) => self.give_up(why, now).await,
                Request::Updates(updates) => self.set_updates(updates, now).await,
                Request::Release { asker, take } => self.want_release(asker, take, now).await,
                Request::Screenshot { order, png } => self.picture(order, png, now).await,
            }
        }
        self.keep(records, now).await;
    }

    fn hurry(&mut self, now: Now) {
        self.session.hurry(now);
        self.content.hurry(now);
        self.outbox.records.hurry(now);
        self.news.hurry(now);
        self.push.hurry(now);
        self.transfers.hurry();
    }

    fn tune(&mut self, tuning: Tuning, now: Now) {
        self.tuning = tuning;
        self.throttle.set(self.tuning.rate_bytes_s);
        self.hours.want(now.mono);
        self.content.settle.want(now.mono);
        self.content.poll.want(now.mono.after(self.tuning.poll));
    }

    /// The best knowledge of the local time.
    fn local(&self, now: Now) -> Zoned {
        self.session.wall(now).to_zoned(self.tuning.time_zone.clone())
    }

    /// Opens and closes downloads by the time of the day.
    fn keep_hours(&mut self, now: Now) {
        if !self.hours.start(now) {
            return;
        }
        let local = self.local(now);
        let gate = self.tuning.download_hours.map(|hours| hours::gate(hours, &local));
        let open = gate.is_none_or(|gate| gate.open);
        self.opens_at = gate.filter(|gate| !gate.open).map(|gate| gate.until);
        if self.transfers.set_open(open) {
            tracing::info!(open, "sync: hours for downloads");
            self.content.opened_at = now.mono;
            self.content.settle.want(now.mono);
        }
        let next = gate.map(|gate| {
            let wait = gate.until.duration_since(local.timestamp());
            now.mono.after(Duration::try_from(wait).unwrap_or_default().min(LOOK))
        });
        self.hours.worked(next);
    }

    /// Gives up every call that is under way, so that each is made anew.
    async fn drop_calls(&mut self) {
        self.tasks.shutdown().await;
        let now = self.now();
        self.session.unanswered(now);
        self.content.poll.put_off(now);
        self.orders.errand.put_off(now);
        self.channel_lost(now);
        self.outbox.records.put_off(now);
        self.outbox.pictures.put_off(now);
        self.scrub.errand.put_off(now);
        self.news.put_off(now);
        self.push.dropped(now);
        self.releases.put_off(now);
        self.transfers.plan(Vec::new());
        self.content.settle.want(now.mono);
    }

    /// Says what went wrong, and keeps it for the cloud.
    async fn trouble(&mut self, code: &str, mut detail: String) {
        // Details quote what came from outside.
        if let Some((cut, _)) = detail.char_indices().nth(DETAIL_CHARS) {
            detail.truncate(cut);
            detail.push('…');
        }
        tracing::warn!(code, detail, "sync");
        let fault = Body::Fault(Fault { code: code.to_owned(), detail: detail.clone() });
        let now = self.now();
        self.keep(vec![record(fault, now)], now).await;
        self.say(Event::Trouble { code: code.to_owned(), detail });
    }

    fn connected(&mut self, connection: Connection) {
        if self.connection != connection {
            tracing::info!(?connection, "sync");
            self.connection = connection.clone();
            self.say(Event::Connection(connection));
        }
    }

    /// A call failed: a matter of the token, or of the line.
    fn call_failed(&mut self, error: &CloudError, now: Now) {
        self.refused(error, now);
        if error.is_line() && !self.line.is_down() {
            self.line.failed(now.mono);
            // The one call that finds out when it is back.
            let at = now.mono.after(push::ask_after(self.tuning.poll, rand::random()));
            self.content.poll.want(at);
            self.push.errand.want(at);
        }
        if !error.wants_token() {
            tracing::info!(%error, "sync: call failed");
        }
    }

    /// What a failed call says about the token and the time.
    fn refused(&mut self, error: &CloudError, now: Now) {
        self.session.heard(error.server_time, now);
        if error.wants_token() {
            self.session.refused(now, rand::random());
        }
    }

    /// The cloud has answered. What waited for that comes spread.
    fn line_works(&mut self, now: Now) {
        if let Some(spread) = self.line.works(now.mono) {
            let at = || spread.at(rand::random());
            self.outbox.records.hold(at());
            self.session.spread(at());
            if !self.push.is_open() {
                self.push.hold(at());
            }
        }
    }

    async fn note_time(&mut self, now: Now) {
        if let Ok(Some(_)) = self.ways.store.return_to_disk().await {
            let detail = "the database can be used again; what came meanwhile is in it".to_owned();
            self.trouble("store_returned", detail).await;
        }
        self.tell_healed().await;
        if let Err(error) = self.ways.store.note_time(now.wall).await {
            tracing::warn!(%error, "sync: time not noted");
        }
        self.note_time.worked(Some(now.mono.after(NOTE_TIME)));
        self.tell_healed().await;
        self.tell_written().await;
        self.watch_lapse(now).await;
    }

    /// What was written to the disk until now.
    async fn tell_written(&self) {
        let (content_bytes, content_kept_bytes) = self.ways.cache.written();
        let store_bytes = self.ways.store.written_bytes().await.ok().flatten();
        self.say(Event::Written(Written { content_bytes, content_kept_bytes, store_bytes }));
    }

    /// What the store found when it was opened anew in the midst of work.
    pub(super) async fn tell_healed(&mut self) {
        let healed = self.ways.store.healed().await.ok().flatten();
        let Some(store::Opened { rebuilt, volatile, .. }) = healed else { return };
        for (code, why) in [("store_rebuilt", rebuilt), ("store_volatile", volatile)] {
            if let Some(why) = why {
                self.trouble(code, why).await;
            }
        }
    }
}

/// A record of this moment.
fn record(body: Body, now: Now) -> Record {
    let trust = match now.trust {
        Trust::Synced => record::Trust::Synced,
        Trust::Guess => record::Trust::Guess,
    };
    Record { id: random_id(), at: now.wall, trust, body }
}

/// 32 hexadecimal digits.
fn random_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests;
