//! Orders in the loop: heard of, fetched, judged, each begun once.
//!
//! They are asked for when there are some: a push hint says so, or the answer to the question for
//! news, which names their `ETag`. Nothing here changes what is pending or live.

use std::sync::Arc;

use bytes::Bytes;
use vitrine_config::time::{Mono, Now};
use vitrine_wire::Digest;

use super::content::{POLL_GAP, complained};
use super::errand::Errand;
use super::{Done, Shell};
use crate::Event;
use crate::accept::{self, AcceptedOrders, Refusal};
use crate::cloud::{Answer, Cloud, News, Told};
use crate::error::{CloudError, chain};
use crate::identity::Account;
use crate::model::Order;
use crate::session::Pass;

/// Status of a cloud that has no orders (any more).
const NONE: u16 = 404;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) errand: Errand,
    /// The lowest version that may be taken.
    least: u64,
    etag: Option<String>,
    asked_at: Mono,
    /// What was refused last: said once, not at every poll.
    refused: Option<Digest>,
}

impl Orders {
    /// Takes orders of version `least` or later.
    pub(super) fn from(least: u64) -> Orders {
        Orders { least, ..Orders::default() }
    }
}

/// What a fetch brought.
#[derive(Debug)]
pub(super) struct Fetched {
    server_time: Option<jiff::Timestamp>,
    judged: Option<Judged>,
}

#[derive(Debug)]
struct Judged {
    bytes: Digest,
    etag: Option<String>,
    verdict: Result<AcceptedOrders, Refusal>,
}

impl<C: Cloud> Shell<C> {
    /// The cloud says that there are orders, by the tag that their envelope has.
    pub(super) fn orders_wait(&mut self, etag: Option<String>, now: Now) {
        if etag.is_some() && etag != self.orders.etag {
            self.orders.errand.want(now.mono);
        }
    }

    /// The cloud says that there are orders, by their version.
    pub(super) fn orders_hinted(&mut self, version: u64, now: Now) {
        // Those of the least version may be known already, as after a start.
        if version > self.orders.least || self.orders.etag.is_none() {
            self.orders.errand.want(now.mono.max(self.orders.asked_at.after(POLL_GAP)));
        }
    }

    pub(super) fn fetch_orders(&mut self, cloud: &Arc<C>, pass: &Pass, now: Now) {
        let Some(account) = self.session.account().cloned() else { return };
        if !self.orders.errand.start(now) {
            return;
        }
        self.orders.asked_at = now.mono;
        let (cloud, pass, etag) = (Arc::clone(cloud), pass.clone(), self.orders.etag.clone());
        let least = self.orders.least;
        self.tasks.spawn(async move {
            let told = cloud.orders(pass, etag).await;
            Done::Orders(judge(told, &account, least))
        });
    }

    pub(super) async fn orders_came(&mut self, came: Result<Fetched, CloudError>, now: Now) {
        match came {
            Ok(Fetched { server_time, judged }) => {
                self.session.heard(server_time, now);
                let taken = match judged {
                    Some(judged) => self.orders_judged(judged, now).await,
                    None => true,
                };
                if taken {
                    self.orders.errand.worked(None);
                } else {
                    self.orders.errand.failed(None, now, rand::random());
                }
            }
            Err(error) if error.status() == Some(NONE) => self.orders.errand.worked(None),
            Err(error) => {
                self.call_failed(&error, now);
                if error.wants_token() {
                    self.orders.errand.put_off(now);
                } else {
                    self.orders.errand.failed(error.retry_after, now, rand::random());
                }
            }
        }
    }

    /// False: believed, but to be had again.
    async fn orders_judged(&mut self, judged: Judged, now: Now) -> bool {
        let Judged { bytes, etag, verdict } = judged;
        match verdict {
            Ok(accepted) => {
                if !self.take(accepted, now).await {
                    return false;
                }
                self.orders.refused = None;
            }
            Err(refusal) => {
                if self.orders.refused.replace(bytes) != Some(bytes) {
                    self.trouble(refusal.code(), refusal.to_string()).await;
                }
            }
        }
        self.orders.etag = etag;
        true
    }

    async fn take(&mut self, accepted: AcceptedOrders, now: Now) -> bool {
        let AcceptedOrders { version, orders, complaints } = accepted;
        if let Err(error) = self.ways.store.note_orders(version).await {
            // Nothing is begun that a restart might begin again.
            if self.orders.errand.failures() == 0 {
                self.trouble("order_not_noted", chain(&error)).await;
            }
            return false;
        }
        self.orders.least = self.orders.least.max(version);
        if !complaints.is_empty() {
            self.trouble("orders_partial", complained(version, &complaints)).await;
        }
        self.begin_orders(orders, now).await
    }

    /// Hands over orders that are new and still to be started; each is noted first, so that it is
    /// done once whatever happens. False: some could not be, and are to be had again.
    async fn begin_orders(&mut self, orders: Vec<Order>, now: Now) -> bool {
        let (wall, mut all) = (self.session.wall(now), true);
        for order in orders.into_iter().filter(|order| wall < order.expires_at) {
            match self.ways.store.begin_order(order.id.clone()).await {
                Ok(true) => self.say(Event::Order(order)),
                Ok(false) => {}
                Err(error) => {
                    if self.orders.errand.failures() == 0 {
                        let why = chain(&error);
                        let detail = format!("order {:?} is not begun yet: {why}", order.id);
                        self.trouble("order_not_noted", detail).await;
                    }
                    all = false;
                }
            }
        }
        all
    }
}

/// Orders are few and short: nothing here needs a thread of its own.
fn judge(told: Told<News>, account: &Account, least: u64) -> Result<Fetched, CloudError> {
    let Answer { value, server_time } = told?;
    let judge = |raw: Bytes, etag| Judged {
        bytes: Digest::of(&raw),
        etag,
        verdict: accept::accept_orders(&raw, account, least),
    };
    let judged = match value {
        News::Unchanged => None,
        News::Envelope { raw, etag } => Some(judge(raw, etag)),
    };
    Ok(Fetched { server_time, judged })
}
