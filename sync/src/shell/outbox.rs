//! Records and pictures in the loop: kept first, sent in batches, forgotten when acknowledged. One
//! that cannot be sent is set aside with a complaint and holds up no other.
//!
//! Signs of life are not kept first while the cloud is there: they come every few minutes for years,
//! and on a card that was most of what an idle player wrote.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use vitrine_config::time::{Mono, Now};
use vitrine_wire::envelope::key_id;
use vitrine_wire::record::{Acknowledged, BATCH_MAX, Batch, Body, Fault, OrderResult, Record};

use super::doubts::{Doubts, REFUSED, Tag};
use super::errand::Errand;
use super::{Done, Shell, record};
use crate::Connection;
use crate::cloud::{Answer, Cloud};
use crate::error::{CloudError, Failure, chain};
use crate::session::Pass;
use crate::store::{self, Oldest, StoreError};

/// Records that come close together go in one batch.
const COALESCE: Duration = Duration::from_secs(2);
/// A batch that went by the channel is answered within this, or goes by request.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Pictures that wait to be sent, a few megabytes each; a person asks for one at a time.
const PICTURES: usize = 4;
/// Signs of life that wait in memory: more means that they do not get through.
const PASSING: usize = 4;
/// HTTP statuses that are about what was sent, not about who sent it, when or how often.
const ABOUT_THE_BATCH: [u16; 3] = [400, 413, 422];
/// Failures after which a picture is given up: with the back-off some ten minutes.
const PICTURE_TRIES: u32 = 10;

/// A batch that reached the cloud.
#[derive(Debug)]
pub(super) struct Sent {
    sent: Vec<Tag>,
    acknowledged: Vec<String>,
    unreadable: Vec<String>,
    server_time: Option<jiff::Timestamp>,
}

/// Why a batch did not.
#[derive(Debug)]
pub(super) enum NotSent {
    Cloud(Vec<Tag>, CloudError),
    Store(StoreError),
}

#[derive(Debug)]
struct Picture {
    order: String,
    png: Arc<Vec<u8>>,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) records: Errand,
    pub(super) pictures: Errand,
    waiting: VecDeque<Picture>,
    /// Signs of life that go to the store only if they do not get through.
    pub(super) passing: Vec<Record>,
    /// Kept since the last batch went.
    fresh: usize,
    /// Records that went for want of room or could not be kept; said with the next batch.
    lost: usize,
    doubts: Doubts,
    /// A batch that went by the push channel and is not answered.
    awaited: Option<Awaited>,
}

/// See [`Outbox::awaited`].
#[derive(Debug)]
struct Awaited {
    sent: Vec<Tag>,
    unreadable: Vec<String>,
    until: Mono,
}

impl Outbox {
    /// When a batch that went by the channel counts as lost.
    pub(super) fn answer_deadline(&self) -> Option<Mono> {
        self.awaited.as_ref().map(|awaited| awaited.until)
    }

    /// So many records are in the store, for which so many older ones had to go.
    pub(super) fn kept(&mut self, count: usize, dropped: usize, now: Now) {
        self.lost += dropped;
        self.fresh += count;
        let full = self.fresh >= BATCH_MAX;
        self.records.want(if full { now.mono } else { now.mono.after(COALESCE) });
    }
}

impl<C: Cloud> Shell<C> {
    /// Puts records into the store, all or none. Results end their orders.
    pub(super) async fn keep(&mut self, records: Vec<Record>, now: Now) {
        if records.is_empty() {
            return;
        }
        let count = records.len();
        let records = self.completed(records).await;
        let records = self.let_pass(records).await;
        let is_result = |record: &Record| matches!(record.body, Body::OrderResult(_));
        let (results, plain): (Vec<_>, Vec<_>) = records.into_iter().partition(is_result);
        if !plain.is_empty() {
            let few = plain.len();
            let kept = self.ways.store.append_records(plain).await;
            self.kept(few, kept);
        }
        for result in results {
            if let Body::OrderResult(OrderResult { order, .. }) = &result.body {
                let kept = self.ways.store.end_order(order.clone(), result.clone()).await;
                self.kept(1, kept);
            }
        }
        self.outbox.kept(count, 0, now);
    }

    /// Takes out what need not be kept now.
    async fn let_pass(&mut self, records: Vec<Record>) -> Vec<Record> {
        let online = matches!(self.connection, Connection::Online { .. })
            && self.outbox.records.failures() == 0;
        let may_pass = |record: &Record| online && matches!(record.body, Body::Heartbeat(_));
        let (passing, kept): (Vec<_>, Vec<_>) = records.into_iter().partition(may_pass);
        self.outbox.passing.extend(passing);
        if !online || self.outbox.passing.len() > PASSING {
            self.keep_passing().await;
        }
        kept
    }

    /// Puts into the store what has not got through.
    pub(super) async fn keep_passing(&mut self) {
        let records = std::mem::take(&mut self.outbox.passing);
        if !records.is_empty() {
            let count = records.len();
            let kept = self.ways.store.append_records(records).await;
            self.kept(count, kept);
        }
    }

    /// Heartbeats with the length of the outbox and the key that is pinned, which nobody else knows.
    async fn completed(&self, mut records: Vec<Record>) -> Vec<Record> {
        let beats = records.iter_mut().filter_map(|record| match &mut record.body {
            Body::Heartbeat(beat) => Some(beat),
            _ => None,
        });
        for beat in beats {
            let waiting = self.ways.store.outbox_len().await.unwrap_or(0);
            beat.outbox = u64::try_from(waiting).unwrap_or(u64::MAX);
            beat.tenant_key = self.session.account().map(|account| key_id(&account.tenant_key));
        }
        records
    }

    fn kept(&mut self, count: usize, kept: Result<usize, StoreError>) {
        match kept {
            Ok(dropped) => self.outbox.lost += dropped,
            Err(error) => {
                tracing::warn!(count, error = chain(&error), "sync: records are not kept");
                self.outbox.lost += count;
            }
        }
    }

    pub(super) async fn send_records(&mut self, cloud: &Arc<C>, pass: &Pass, now: Now) {
        if self.outbox.answer_deadline().is_some_and(|until| until <= now.mono) {
            // It takes them, but does not say so: by request then.
            self.push.takes_no_records();
            self.channel_lost(now);
        }
        if !self.outbox.records.start(now) {
            return;
        }
        self.outbox.fresh = 0;
        let next = Next {
            most: self.outbox.doubts.most(),
            held_back: self.outbox.doubts.held_back(),
            passing: self.outbox.passing.clone(),
        };
        if let Some(up) = self.push.way_up().cloned() {
            return self.send_up(&up, next, now).await;
        }
        let (cloud, store, pass) = (Arc::clone(cloud), Arc::clone(&self.ways.store), pass.clone());
        self.tasks.spawn(async move { Done::Records(send(&*cloud, &store, pass, next).await) });
    }

    /// Sends the next batch by the push channel; a hint answers.
    async fn send_up(&mut self, up: &Sender<Batch>, next: Next, now: Now) {
        let Oldest { records, unreadable } = match oldest(&self.ways.store, next).await {
            Ok(oldest) => oldest,
            Err(error) => return self.records_sent(Err(error), now).await,
        };
        let sent: Vec<Tag> = records.iter().map(Tag::of).collect();
        if sent.is_empty() {
            return self.records_sent(Ok(nothing(unreadable)), now).await;
        }
        if up.try_send(Batch { records }).is_err() {
            self.push.takes_no_records();
            return self.outbox.records.put_off(now);
        }
        let until = now.mono.after(ANSWER_WITHIN);
        self.outbox.awaited = Some(Awaited { sent, unreadable, until });
    }

    /// What the cloud says to the batch that went by the channel.
    pub(super) async fn answered_by_channel(
        &mut self,
        answer: Result<Acknowledged, CloudError>,
        now: Now,
    ) {
        let Some(Awaited { sent, unreadable, .. }) = self.outbox.awaited.take() else { return };
        let result = match answer {
            Ok(kept) => taken(&self.ways.store, kept, sent, unreadable, None).await,
            Err(error) => Err(NotSent::Cloud(sent, error)),
        };
        self.records_sent(result, now).await;
    }

    /// No answer comes by the channel any more: what it took goes once more.
    pub(super) fn channel_lost(&mut self, now: Now) {
        if self.outbox.awaited.take().is_some() {
            self.outbox.records.put_off(now);
        }
    }

    pub(super) async fn records_sent(&mut self, result: Result<Sent, NotSent>, now: Now) {
        if result.is_err() {
            self.keep_passing().await;
        }
        match result {
            Ok(Sent { sent, acknowledged, unreadable, server_time }) => {
                self.session.heard(server_time, now);
                let whole = sent.len() >= self.outbox.doubts.most();
                let more = acknowledged.len() < sent.len() || whole;
                self.outbox.passing.retain(|record| !acknowledged.contains(&record.id));
                self.outbox.records.worked(more.then_some(now.mono));
                if !sent.is_empty() {
                    self.convict(&sent, now).await;
                }
                self.say_unreadable(unreadable).await;
                self.say_lost(now).await;
            }
            Err(NotSent::Store(error)) => {
                tracing::warn!(error = chain(&error), "sync: records are not sent");
                self.outbox.records.failed(None, now, rand::random());
            }
            Err(NotSent::Cloud(sent, error)) => {
                self.call_failed(&error, now);
                if error.wants_token() {
                    return self.outbox.records.put_off(now);
                }
                let refused = matches!(error.failure, Failure::NotTaken { .. })
                    || error.status().is_some_and(|status| ABOUT_THE_BATCH.contains(&status));
                if refused && self.outbox.doubts.refused(&sent, &error.to_string()) {
                    return self.outbox.records.again(now.mono.after(COALESCE));
                }
                self.outbox.records.failed(error.retry_after, now, rand::random());
            }
        }
    }

    /// The cloud took some: what it did not take before is at fault itself.
    async fn convict(&mut self, taken: &[Tag], now: Now) {
        let guilty = self.outbox.doubts.taken(taken);
        if guilty.is_empty() {
            return;
        }
        self.outbox.records.want(now.mono);
        let ids = guilty.iter().map(|guilty| guilty.id.clone()).collect();
        if let Err(error) = self.ways.store.set_aside(ids).await {
            tracing::warn!(error = chain(&error), "sync: records are not set aside");
            return;
        }
        for (id, why) in guilty.into_iter().filter_map(|g| g.why.map(|why| (g.id, why))) {
            let detail = format!("record {id} is set aside, the others are taken: {why}");
            self.trouble(REFUSED, detail).await;
        }
    }

    async fn say_unreadable(&mut self, ids: Vec<String>) {
        if let Some(first) = ids.first() {
            let detail = format!("{} kept records, the first {first}, cannot be read", ids.len());
            self.trouble("records_unreadable", detail).await;
        }
    }

    async fn say_lost(&mut self, now: Now) {
        let lost = std::mem::take(&mut self.outbox.lost);
        if lost > 0 {
            let detail = format!("{lost} records were lost: the outbox was full or not writable");
            let fault = Fault { code: "records_lost".into(), detail };
            self.keep(vec![record(Body::Fault(fault), now)], now).await;
        }
    }

    /// Takes a picture to send.
    pub(super) async fn picture(&mut self, order: String, png: Arc<Vec<u8>>, now: Now) {
        if self.outbox.waiting.len() >= PICTURES {
            let detail = format!("{PICTURES} other pictures wait to be sent");
            return self.end_order(order, Err(detail), now).await;
        }
        self.outbox.waiting.push_back(Picture { order, png });
        self.outbox.pictures.want(now.mono);
    }

    pub(super) fn send_screenshot(&mut self, cloud: &Arc<C>, pass: &Pass, now: Now) {
        if !self.outbox.pictures.start(now) {
            return;
        }
        let Some(Picture { order, png }) = self.outbox.waiting.front() else {
            return self.outbox.pictures.worked(None);
        };
        let (order, png) = (order.clone(), Arc::clone(png));
        let (cloud, pass) = (Arc::clone(cloud), pass.clone());
        self.tasks.spawn(async move {
            Done::Screenshot(cloud.screenshot(pass, order, png).await.map(|_| ()))
        });
    }

    pub(super) async fn screenshot_sent(&mut self, result: Result<(), CloudError>, now: Now) {
        if let Err(error) = &result {
            self.call_failed(error, now);
            if error.wants_token() {
                return self.outbox.pictures.put_off(now);
            }
            self.outbox.pictures.failed(error.retry_after, now, rand::random());
            if self.outbox.pictures.failures() < PICTURE_TRIES {
                return;
            }
        }
        self.outbox.pictures.worked(None);
        if let Some(picture) = self.outbox.waiting.pop_front() {
            let result = result.map(|()| "sent".into()).map_err(|error| error.to_string());
            self.end_order(picture.order, result, now).await;
        }
        if !self.outbox.waiting.is_empty() {
            self.outbox.pictures.want(now.mono);
        }
    }

    /// Ends an order and tells the cloud.
    pub(super) async fn end_order(&mut self, id: String, how: Result<String, String>, now: Now) {
        let done = how.is_ok();
        let detail = how.unwrap_or_else(|why| why);
        let result = OrderResult { order: id, done, detail };
        self.keep(vec![record(Body::OrderResult(result), now)], now).await;
    }
}

/// What goes next.
pub(super) struct Next {
    most: usize,
    /// Ids of records that wait until there are no others.
    held_back: BTreeSet<String>,
    passing: Vec<Record>,
}

/// There was nothing to send.
fn nothing(unreadable: Vec<String>) -> Sent {
    Sent { sent: Vec::new(), acknowledged: Vec::new(), unreadable, server_time: None }
}

/// Sends the oldest records by request and forgets those that the cloud now keeps.
async fn send<C: Cloud>(
    cloud: &C,
    store: &store::Handle,
    pass: Pass,
    next: Next,
) -> Result<Sent, NotSent> {
    let Oldest { records, unreadable } = oldest(store, next).await?;
    let sent: Vec<Tag> = records.iter().map(Tag::of).collect();
    if sent.is_empty() {
        return Ok(nothing(unreadable));
    }
    match cloud.records(pass, Batch { records }).await {
        Ok(Answer { value, server_time }) => {
            taken(store, value, sent, unreadable, server_time).await
        }
        Err(error) => Err(NotSent::Cloud(sent, error)),
    }
}

/// The oldest records, at most so many and without those held back; these go when there are no others.
async fn oldest(store: &store::Handle, next: Next) -> Result<Oldest, NotSent> {
    let Next { most, held_back, passing } = next;
    let alone = held_back.is_empty();
    let mut oldest = store.next_records(most, held_back).await.map_err(NotSent::Store)?;
    if oldest.records.is_empty() && passing.is_empty() && !alone {
        oldest = store.next_records(most, BTreeSet::new()).await.map_err(NotSent::Store)?;
    }
    let room = most.saturating_sub(oldest.records.len());
    oldest.records.extend(passing.into_iter().take(room));
    Ok(oldest)
}

/// Forgets what the cloud keeps of a batch.
async fn taken(
    store: &store::Handle,
    kept: Acknowledged,
    sent: Vec<Tag>,
    unreadable: Vec<String>,
    server_time: Option<jiff::Timestamp>,
) -> Result<Sent, NotSent> {
    let ours = |id: &String| sent.iter().any(|tag| tag.id == *id);
    let kept: Vec<String> = kept.ids.into_iter().filter(ours).collect();
    if kept.is_empty() {
        let failure = Failure::NotTaken { sent: sent.len() };
        return Err(NotSent::Cloud(sent, CloudError::new("send records", failure)));
    }
    store.acknowledge(kept.clone()).await.map_err(NotSent::Store)?;
    Ok(Sent { sent, acknowledged: kept, unreadable, server_time })
}
