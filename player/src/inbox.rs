//! The director's inbox: bounded, closable by one hand, with an answer to "full" at each door.
//!
//! | who posts | when it is full |
//! |---|---|
//! | sync, stage host, settings | waits: the director never waits for them |
//! | control | refuses the command: the person tries again |
//! | host facts | drops the reading: the next one is a minute away |
//!
//! Closing is how the director is told to stop; whoever posts afterwards is told that nobody reads.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};

use crate::event::Event;

/// Events that may wait. The director answers in well under a millisecond; a stage reports a few
/// times a second and a burst after a manifest change is a dozen.
pub const INBOX_EVENTS: usize = 256;

/// A door to the director's inbox.
#[derive(Debug, Clone)]
pub struct Poster {
    sender: Arc<Mutex<Option<SyncSender<Event>>>>,
}

/// Why an event was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPosted {
    /// Too much is waiting.
    #[error("the player is busy: {INBOX_EVENTS} events are waiting; try again in a moment")]
    Full,
    /// Nobody reads any more.
    #[error("the player is stopping")]
    Closed,
}

/// A new inbox.
pub fn inbox() -> (Poster, Receiver<Event>) {
    let (sender, receiver) = sync_channel(INBOX_EVENTS);
    (Poster { sender: Arc::new(Mutex::new(Some(sender))) }, receiver)
}

impl Poster {
    /// Waits for room. Only for threads that the director never waits for.
    pub fn wait(&self, event: Event) -> Result<(), NotPosted> {
        self.open()?.send(event).map_err(|_| NotPosted::Closed)
    }

    /// Does not wait.
    pub fn offer(&self, event: Event) -> Result<(), NotPosted> {
        self.open()?.try_send(event).map_err(|error| match error {
            TrySendError::Full(_) => NotPosted::Full,
            TrySendError::Disconnected(_) => NotPosted::Closed,
        })
    }

    /// Closes the inbox for everybody; what is already in it is still read.
    pub fn close(&self) {
        self.lock().take();
    }

    fn open(&self) -> Result<SyncSender<Event>, NotPosted> {
        self.lock().clone().ok_or(NotPosted::Closed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<SyncSender<Event>>> {
        self.sender.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_inbox_is_read_after_closing_and_nothing_else() {
        let (poster, receiver) = inbox();
        let other = poster.clone();
        poster.wait(Event::Tick).expect("room");
        other.close();
        assert_eq!(poster.offer(Event::Tick), Err(NotPosted::Closed));
        assert_eq!(poster.wait(Event::Tick), Err(NotPosted::Closed));
        assert!(receiver.recv().is_ok());
        assert!(receiver.recv().is_err(), "the inbox is closed");
    }

    #[test]
    fn a_full_inbox_refuses_those_who_do_not_wait() {
        let (poster, _receiver) = inbox();
        for _ in 0..INBOX_EVENTS {
            poster.offer(Event::Tick).expect("room");
        }
        assert_eq!(poster.offer(Event::Tick), Err(NotPosted::Full));
    }
}
