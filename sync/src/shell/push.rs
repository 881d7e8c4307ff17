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
    post: mpsc::Sender<News>,
    open_since: Option<Mono>,
}

impl Push {
    pub(super) fn new() -> Push {
        let (post, inbox) = mpsc::channel(HINTS);
        let mut errand = Errand::default();
        errand.want(Mono::default());
        Push { errand, inbox, post, open_since: None }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open_since.is_some()
    }

    pub(super) fn hurry(&mut self, now: Now) {
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
        }
    }

    pub(super) fn push_ended(&mut self, error: &CloudError, now: Now) {
        let good = self.push.open_since.take().is_some_and(|since| now.mono.since(since) >= GOOD);
        self.call_failed(error, now);
        if good {
            self.push.errand.worked(None);
        }
        self.push.errand.failed(error.retry_after, now, rand::random());
        // The slow polls of a good channel will not do now.
        self.content.poll.want(now.mono.after(self.poll_pause()));
        if matches!(self.connection, Connection::Online { .. }) {
            self.connected(Connection::Online { push: false });
        }
    }
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
