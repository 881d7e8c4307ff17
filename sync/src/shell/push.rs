//! The push channel in the loop: open it, hear hints, open it again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use vitrine_config::time::{Mono, Now};
use vitrine_wire::event::Hint;

use super::errand::Errand;
use super::{Done, Shell};
use crate::Connection;
use crate::cloud::{Cloud, Hints};
use crate::error::CloudError;
use crate::session::Pass;

/// Hints that wait for the loop; the channel waits meanwhile.
const HINTS: usize = 8;
/// A channel that held this long was a good one; a shorter one counts as a failure.
const GOOD: Duration = Duration::from_secs(60);

/// A channel that held is opened again within this: 10 000 screens then come 83 a second.
const SPREAD: Duration = Duration::from_secs(120);

/// Least pause after one that did not open: polling does its work meanwhile.
const PAUSE: Duration = Duration::from_secs(120);

/// What the channel's task says.
#[derive(Debug)]
pub(super) enum News {
    /// It is open.
    Open,
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
}

impl Push {
    pub(super) fn new() -> Push {
        let (post, inbox) = mpsc::channel(HINTS);
        let mut errand = Errand::default();
        errand.want(Mono::default());
        Push { errand, inbox, post, open_since: None, held_until: Mono::default() }
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

    pub(super) fn hurry(&mut self, now: Now) {
        self.held_until = Mono::default();
        if !self.is_open() {
            self.errand.hurry(now);
        }
    }

    /// The task is gone, by our own hand.
    pub(super) fn dropped(&mut self, now: Now) {
        self.open_since = None;
        self.errand.put_off(now);
        while self.inbox.try_recv().is_ok() {}
    }
}

impl<C: Cloud> Shell<C> {
    pub(super) fn open_push(&mut self, cloud: &Arc<C>, pass: &Pass, now: Now) {
        if self.push.errand.start(now) {
            let (cloud, pass, post) = (Arc::clone(cloud), pass.clone(), self.push.post.clone());
            self.tasks.spawn(async move { Done::Push(listen(&*cloud, pass, post).await) });
        }
    }

    pub(super) fn pushed(&mut self, news: News) {
        let now = self.now();
        match news {
            News::Open => {
                self.push.open_since = Some(now.mono);
                // What was said before it was open was not heard.
                self.content.poll.want(now.mono);
                if matches!(self.connection, Connection::Online { .. }) {
                    self.connected(Connection::Online { push: true });
                }
            }
            News::Hint(Hint::Manifest { version }) => self.hinted(version, now),
            News::Hint(Hint::Order { version }) => self.orders_hinted(version, now),
        }
    }

    pub(super) fn push_ended(&mut self, error: &CloudError, now: Now) {
        // What it said before its end comes first: a channel that is gone must not count as open.
        while let Ok(news) = self.push.inbox.try_recv() {
            self.pushed(news);
        }
        let good = self.push.open_since.take().is_some_and(|since| now.mono.since(since) >= GOOD);
        // Some networks let no channel through and everything else: the line is another matter.
        self.refused(error, now);
        tracing::info!(%error, "sync: push channel ended");
        if let Some(told) = error.retry_after {
            self.push.errand.failed(Some(told), now, rand::random());
        } else {
            reopen(&mut self.push.errand, good, now, rand::random());
        }
        // The slow polls of a good channel will not do now.
        let wait = ask_after(self.poll_pause(now), rand::random());
        self.content.poll.want(now.mono.after(wait));
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
    // The loop holds the other end for as long as this task lives.
    drop(post.send(News::Open).await);
    loop {
        match hints.hint().await {
            Ok(hint) => drop(post.send(News::Hint(hint)).await),
            Err(error) => return error,
        }
    }
}
