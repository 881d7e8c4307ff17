//! What is wrong between this device and the cloud, in words for whoever stands before the screen.
//!
//! `look` gathers what can be seen from here, [`diagnose`] (pure) says what it means. Thread
//! `network` looks while the cloud is out of reach: nobody has to ask, and nobody is asked when all
//! is well.

mod diagnose;
mod look;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;

pub use diagnose::{Link, Medium, Seen, Trouble, diagnose};
pub use look::{look, ways_out};
use vitrine_config::Config;
use vitrine_config::model::Cloud;
use vitrine_config::time::Clock;
use vitrine_sync::reach::Way;

use crate::clock::SystemClock;
use crate::error::Error;
use crate::event::Event;
use crate::inbox::{NotPosted, Poster};
use crate::settings;

/// Between two looks: whoever has plugged in a cable waits for the card to change.
const EVERY: Duration = Duration::from_secs(10);
/// Words that wait for the thread while it looks: the newest state is what counts.
const WAITING: usize = 8;

/// Which cloud is looked for.
#[derive(Debug, Clone)]
pub struct Goal {
    /// Where it is.
    pub url: String,
    /// Whom to trust and by whom to go.
    pub way: Way,
}

impl Goal {
    /// None where no cloud is set.
    pub fn of(config: &Config) -> Option<Goal> {
        let url = config.cloud.url.clone()?;
        let Cloud { ca_file, proxy, .. } = config.cloud.clone();
        Some(Goal { url, way: Way { ca_file, proxy } })
    }
}

/// The thread. Dropping it ends it, without waiting for a look that is under way.
#[derive(Debug)]
pub struct Watcher {
    words: SyncSender<bool>,
}

impl Watcher {
    /// Waits to be asked.
    pub fn start(goal: Goal, clock: Arc<SystemClock>, poster: Poster) -> Result<Watcher, Error> {
        let (words, asked) = sync_channel(WAITING);
        Builder::new()
            .name("network".into())
            .spawn(move || watch(&goal, &clock, &poster, &asked))
            .map_err(|source| Error::Thread { name: "network", source })?;
        Ok(Watcher { words })
    }

    /// Look again and again from now on, or not any more.
    pub fn wanted(&self, wanted: bool) {
        // Full: it has been told often enough; the next change of the connection tells it again.
        let _ = self.words.try_send(wanted);
    }
}

fn watch(goal: &Goal, clock: &SystemClock, poster: &Poster, asked: &Receiver<bool>) {
    let mut wanted = false;
    loop {
        let word = match wanted {
            true => asked.recv_timeout(EVERY),
            false => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match word {
            Ok(word) => wanted = word,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if let Some(last) = asked.try_iter().last() {
            wanted = last;
        }
        if wanted {
            let seen = look(goal, &settings::release());
            let trouble = diagnose(&seen, &clock.now());
            if let Err(NotPosted::Closed) = poster.offer(Event::Network(trouble)) {
                return;
            }
        }
    }
}
