//! The push channel in the loop: open it, hear hints, open it again.
//!
//! A channel that works is all the connection there need be: the cloud says at its opening what there
//! is, so nobody need ask, and records go up by it. When it breaks because the cloud is away, opening it
//! again is the one call that finds out when the cloud is back.

use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::mpsc;
use vitrine_config::time::{Mono, Now};
use vitrine_wire::event::Hint;
use vitrine_wire::record::{Acknowledged, Batch};

use super::errand::Errand;
use super::{Done, Shell};
use crate::Connection;
use crate::cloud::{Cloud, Hints};
use crate::error::{CloudError, Failure};
use crate::session::Pass;

/// Hints that wait for the loop; the channel waits meanwhile.
const HINTS: usize = 8;
/// A channel that held this long was a good one; a shorter one counts as a failure.
const GOOD: Duration = Duration::from_secs(60);

/// A channel that held is opened again within this: 10 000 screens then come 56 a second.
const SPREAD: Duration = Duration::from_secs(180);

/// Least pause after one that did not open: polling does its work meanwhile.
const PAUSE: Duration = Duration::from_secs(120);

/// A cloud that has not said by now what there is, is asked.
const SAYS_WITHIN: Duration = Duration::from_secs(10);

/// What the channel's task says.
#[derive(Debug)]
pub(super) enum News {
    /// It is open; records may go this way once the cloud has said so.
    Open(mpsc::Sender<Batch>),
    /// The cloud says.
    Hint(Hint),
}

/// See the head of this file.
pub(super) struct Push {
    pub(super) errand: Errand,
    pub(super) inbox: mpsc::Receiver<News>,
    pub(super) post: mpsc::Sender<News>,
    open_since: Option<Mono>,
    held_until: Mono,
    /// One has held, and since then nothing but the line was at fault: networks that let none through,
    /// or none for long, are another matter.
    works: bool,
    /// Upwards, while one is open.
    up: Option<mpsc::Sender<Batch>>,
    /// The cloud takes records by it.
    takes_records: bool,
}

impl Push {
    pub(super) fn new() -> Push {
        let (post, inbox) = mpsc::channel(HINTS);
        let mut errand = Errand::default();
        errand.want(Mono::default());
        let (open_since, held_until, up) = (None, Mono::default(), None);
        Push { errand, inbox, post, open_since, held_until, works: false, up, takes_records: false }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open_since.is_some()
    }

    /// Does not open before `at`.
    pub(super) fn hold(&mut self, at: Mono) {
        self.errand.hold(at);
        self.errand.want(at);
        self.held_until = at;
    }

    /// Whether it is to be opened later, by plan: news may wait for that.
    pub(super) fn is_held(&self, now: Now) -> bool {
        now.mono < self.held_until
    }

    /// Whether opening it is the call that finds out when the cloud is back.
    pub(super) fn finds_out(&self) -> bool {
        self.works && !self.is_open()
    }

    /// Where records go up, if they may.
    pub(super) fn way_up(&self) -> Option<&mpsc::Sender<Batch>> {
        self.up.as_ref().filter(|_| self.takes_records)
    }

    /// Records go by request from now on.
    pub(super) fn takes_no_records(&mut self) {
        self.takes_records = false;
    }

    pub(super) fn hurry(&mut self, now: Now) {
        self.held_until = Mono::default();
        if !self.is_open() {
            self.errand.hurry(now);
        }
    }

    /// The task is gone, by our own hand.
    pub(super) fn dropped(&mut self, now: Now) {
        self.closed();
        self.errand.put_off(now);
        while self.inbox.try_recv().is_ok() {}
    }

    /// Since when it was open.
    fn closed(&mut self) -> Option<Mono> {
        (self.up, self.takes_records) = (None, false);
        self.open_since.take()
    }
}

impl<C: Cloud> Shell<C> {
    pub(super) fn open_push(&mut self, cloud: &Arc<C>, pass: &Pass, now: Now) {
        if self.push.errand.start(now) {
            let (cloud, pass, post) = (Arc::clone(cloud), pass.clone(), self.push.post.clone());
            self.tasks.spawn(async move { Done::Push(listen(&*cloud, pass, post).await) });
        }
    }

    pub(super) async fn pushed(&mut self, news: News) {
        let now = self.now();
        match news {
            News::Open(up) => {
                (self.push.open_since, self.push.up) = (Some(now.mono), Some(up));
                self.content.poll.want_instead(now.mono.after(SAYS_WITHIN));
                self.line_works(now);
                self.connected(Connection::Online { push: true });
            }
            News::Hint(Hint::Manifest { version }) => self.hinted(version, now),
            News::Hint(Hint::Order { version }) => self.orders_hinted(version, now),
            News::Hint(Hint::Records) => {
                self.push.takes_records = true;
                self.outbox.records.release();
            }
            News::Hint(Hint::Acknowledged { ids }) => {
                self.answered_by_channel(Ok(Acknowledged { ids }), now).await;
            }
            News::Hint(Hint::Refused { error, description }) => {
                let failure = Failure::Refused { status: 400, error, description };
                let error = CloudError::new("send records", failure);
                self.answered_by_channel(Err(error), now).await;
            }
        }
    }

    pub(super) async fn push_ended(&mut self, error: &CloudError, now: Now) {
        // What it said before its end comes first: a channel that is gone must not count as open.
        while let Ok(news) = self.push.inbox.try_recv() {
            self.pushed(news).await;
        }
        let opened = self.push.closed();
        let good = opened.is_some_and(|since| now.mono.since(since) >= GOOD);
        self.channel_lost(now);
        self.refused(error, now);
        tracing::info!(%error, "sync: push channel ended");
        let excused = error.is_line() || error.wants_token();
        self.push.works = good || (self.push.works && opened.is_none() && excused);
        if self.push.works && !good && error.is_line() {
            self.push.errand.failed(error.retry_after, now, rand::random());
            self.line.failed(now.mono);
            self.session.line_failed(self.push.errand.failures());
            return self.connected(Connection::Offline { why: error.to_string() });
        }
        if let Some(told) = error.retry_after {
            self.push.errand.failed(Some(told), now, rand::random());
        } else {
            reopen(&mut self.push.errand, good, now, rand::random());
        }
        if !self.push.works {
            // The slow polls of a good channel will not do now.
            let wait = ask_after(self.poll_pause(now), rand::random());
            self.content.poll.want(now.mono.after(wait));
        }
        if matches!(self.connection, Connection::Online { .. }) {
            self.connected(Connection::Online { push: false });
        }
    }
}

/// Has a channel opened again. One that held breaks for everybody at once when a cloud starts anew:
/// then the fleet comes spread.
pub(super) fn reopen(errand: &mut Errand, good: bool, now: Now, random: f64) {
    if good {
        errand.worked(None);
        let at = now.mono.after(SPREAD.mul_f64(random));
        errand.hold(at);
        errand.want(at);
    } else {
        errand.failed(Some(PAUSE), now, random);
    }
}

/// How long after the end of a channel to ask for news: once a pause on average, at any moment of two.
pub(super) fn ask_after(pause: Duration, random: f64) -> Duration {
    pause.mul_f64(2.0 * random)
}

async fn listen<C: Cloud>(cloud: &C, pass: Pass, post: mpsc::Sender<News>) -> CloudError {
    let mut hints = match cloud.hints(pass).await {
        Ok(hints) => hints,
        Err(error) => return error,
    };
    let (up, mut batches) = mpsc::channel(1);
    // The loop holds the other end for as long as this task lives.
    drop(post.send(News::Open(up)).await);
    loop {
        select! {
            hint = hints.hint() => match hint {
                Ok(hint) => drop(post.send(News::Hint(hint)).await),
                Err(error) => return error,
            },
            Some(batch) = batches.recv() => {
                if let Err(error) = hints.tell(&batch).await {
                    return error;
                }
            }
        }
    }
}
