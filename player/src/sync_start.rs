//! Sync, started beside everything else and again until it succeeds.
//!
//! A state directory that cannot be used (a worn card, wrong permissions) must not leave the
//! screen dark: the player runs, a card says that there is nothing to show and why, and what is to
//! be kept waits at the door.
//!
//! Thread `sync-start` ends when sync runs.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use vitrine_config::Config;
use vitrine_config::time::Clock;
use vitrine_sync::wire::record::Fault;
use vitrine_sync::{Event as Said, Full, Request, Sync};

use crate::clock::SystemClock;
use crate::error::{Error, chain};
use crate::event::Event;
use crate::inbox::Poster;
use crate::settings;
use crate::sync_door::Taker;

/// Pause before the next try: whoever mends the directory looks at the screen meanwhile.
const AGAIN: Duration = Duration::from_secs(15);
/// A start that is under way when the player stops is left behind after this.
const START_WITHIN: Duration = Duration::from_millis(500);

/// Sync, as soon as there is one.
#[derive(Debug)]
pub struct LateSync {
    slot: Slot,
    stop: Option<SyncSender<()>>,
    ended: Receiver<()>,
}

type Slot = Arc<Mutex<Option<Sync>>>;

impl LateSync {
    /// Begins to start it; what sync says goes to `poster`.
    pub fn start(
        config: Arc<Config>,
        clock: Arc<SystemClock>,
        poster: Poster,
    ) -> Result<LateSync, Error> {
        let slot = Slot::default();
        // Nothing is ever sent on either: dropping the sender is the signal.
        let (stop, stopped) = sync_channel(0);
        let (end, ended) = sync_channel(0);
        let starter = Starter { config, clock, poster, slot: Arc::clone(&slot), stopped };
        Builder::new()
            .name("sync-start".into())
            .spawn(move || {
                starter.run();
                drop::<SyncSender<()>>(end);
            })
            .map_err(|source| Error::Thread { name: "sync-start", source })?;
        Ok(LateSync { slot, stop: Some(stop), ended })
    }

    /// Stops it, within the limit that sync sets itself.
    pub fn stop(mut self) {
        self.stop.take();
        let _ = self.ended.recv_timeout(START_WITHIN);
        let sync = lock(&self.slot).take();
        if let Some(sync) = sync {
            sync.stop();
        }
    }
}

impl Taker for LateSync {
    fn offer(&self, request: Request) -> Result<(), Full> {
        match &*lock(&self.slot) {
            Some(sync) => sync.post(request),
            None => Err(Full(Box::new(request))),
        }
    }
}

struct Starter {
    config: Arc<Config>,
    clock: Arc<SystemClock>,
    poster: Poster,
    slot: Slot,
    stopped: Receiver<()>,
}

impl Starter {
    fn run(self) {
        let mut told = false;
        loop {
            match self.try_once() {
                Ok(sync) => {
                    *lock(&self.slot) = Some(sync);
                    return;
                }
                Err(why) if !told => {
                    told = true;
                    self.tell(why);
                }
                Err(why) => tracing::debug!(why, "sync does not start"),
            }
            match self.stopped.recv_timeout(AGAIN) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn try_once(&self) -> Result<Sync, String> {
        settings::make_dir(&self.config.paths.state_dir).map_err(|error| chain(&error))?;
        let (own, poster) = (Arc::clone(&self.clock), self.poster.clone());
        let sink = move |said| {
            if let Said::Started { latest_time: Some(latest), .. } = &said {
                own.not_before(*latest);
            }
            // Closed: the player stops.
            let _ = poster.wait(Event::Sync(said));
        };
        let clock: Arc<dyn Clock> = Arc::<SystemClock>::clone(&self.clock);
        let config = &self.config;
        Sync::start(settings::sync_options(config), settings::tuning(config), clock, sink)
            .map_err(|error| chain(&error))
    }

    /// Says what sync would have said first, so that the director does not wait for it: what was live
    /// plays on, if it can be read.
    fn tell(&self, why: String) {
        let detail = format!("{why}; tried again every {} s", AGAIN.as_secs());
        let (live, paired) = vitrine_sync::kept(&self.config.paths.state_dir).unzip();
        let started = Said::Started { live, paired, latest_time: None };
        let fault = Fault { code: "sync_not_started".to_owned(), detail };
        for event in [Event::Sync(started), Event::Trouble(fault)] {
            // Closed: the player stops.
            let _ = self.poster.wait(event);
        }
    }
}

fn lock(slot: &Slot) -> MutexGuard<'_, Option<Sync>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbox::inbox;

    #[test]
    fn a_directory_that_cannot_be_used_is_told_and_stops_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        std::fs::File::create(&file).expect("a file");
        let mut config = Config::default();
        config.paths.state_dir = file.join("state");
        let (poster, receiver) = inbox();
        let clock = Arc::new(SystemClock::new());
        let sync = LateSync::start(Arc::new(config), clock, poster).expect("a thread");
        assert!(matches!(receiver.recv(), Ok(Event::Sync(Said::Started { live: None, .. }))));
        let trouble = receiver.recv();
        assert!(
            matches!(&trouble, Ok(Event::Trouble(fault))
                if fault.code == "sync_not_started" && fault.detail.contains("state")),
            "{trouble:?}"
        );
        assert!(sync.offer(Request::SyncNow).is_err(), "the request waits at the door");
        sync.stop();
    }

    #[test]
    fn a_good_directory_is_used() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = Config::default();
        config.paths.state_dir = dir.path().join("state");
        let (poster, receiver) = inbox();
        let clock = Arc::new(SystemClock::new());
        let sync = LateSync::start(Arc::new(config), clock, poster).expect("a thread");
        assert!(matches!(receiver.recv(), Ok(Event::Sync(Said::Started { .. }))));
        sync.stop();
    }
}
