//! The door to sync: what the director wants kept or told goes through here, and nothing is lost
//! because sync is busy for a moment.
//!
//! Promises, each held by a test of the same name:
//! - `requests_arrive_in_order_however_often_sync_is_full`;
//! - `what_cannot_wait_any_more_is_counted`: bounded, the oldest go first.

use std::collections::VecDeque;
use std::time::Duration;

use vitrine_config::time::Mono;
use vitrine_sync::{Full, Request};

/// Requests that wait for sync: minutes of a busy screen, far longer than a card needs to write
/// what came before.
pub const WAITING: usize = 1_024;
/// Pause before sync is asked again whether it has room.
const AGAIN: Duration = Duration::from_millis(250);

/// Takes a request, or gives it back if there is no room: sync, or a test's stand-in.
pub trait Taker {
    /// Does not wait.
    fn offer(&self, request: Request) -> Result<(), Full>;
}

/// The door.
#[derive(Debug)]
pub struct SyncDoor<T> {
    taker: T,
    waiting: VecDeque<Request>,
    again: Option<Mono>,
    lost: u64,
}

impl<T: Taker> SyncDoor<T> {
    /// In front of `taker`.
    pub fn new(taker: T) -> SyncDoor<T> {
        SyncDoor { taker, waiting: VecDeque::new(), again: None, lost: 0 }
    }

    /// Hands a request on, now or as soon as there is room.
    pub fn post(&mut self, request: Request, now: Mono) {
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
            self.lost += 1;
            tracing::warn!(lost = self.lost, "sync takes nothing: a record was lost");
        }
        self.waiting.push_back(request);
        self.flush(now);
    }

    /// Hands on what there is room for.
    pub fn flush(&mut self, now: Mono) {
        self.again = None;
        while let Some(request) = self.waiting.pop_front() {
            if let Err(Full(request)) = self.taker.offer(request) {
                self.waiting.push_front(*request);
                self.again = Some(now.after(AGAIN));
                return;
            }
        }
    }

    /// When to flush again.
    pub fn deadline(&self) -> Option<Mono> {
        self.again
    }

    /// The one behind the door.
    pub fn into_inner(mut self, now: Mono) -> T {
        self.flush(now);
        if !self.waiting.is_empty() {
            tracing::warn!(lost = self.waiting.len(), "sync takes nothing: records were lost");
        }
        self.taker
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use vitrine_sync::Request;

    use super::*;

    /// Takes as many as there is room for.
    #[derive(Default)]
    struct Narrow {
        room: Cell<usize>,
        took: RefCell<Vec<String>>,
    }

    impl Taker for &Narrow {
        fn offer(&self, request: Request) -> Result<(), Full> {
            if self.room.get() == 0 {
                return Err(Full(Box::new(request)));
            }
            self.room.set(self.room.get() - 1);
            if let Request::Screenshot { order, .. } = request {
                self.took.borrow_mut().push(order);
            }
            Ok(())
        }
    }

    fn request(n: usize) -> Request {
        Request::Screenshot { order: n.to_string(), png: Default::default() }
    }

    #[test]
    fn requests_arrive_in_order_however_often_sync_is_full() {
        let narrow = Narrow::default();
        let mut door = SyncDoor::new(&narrow);
        for n in 0..10 {
            door.post(request(n), Mono(0));
        }
        while let Some(again) = door.deadline() {
            narrow.room.set(3);
            door.flush(again);
        }
        let want: Vec<_> = (0..10).map(|n| n.to_string()).collect();
        assert_eq!(*narrow.took.borrow(), want);
    }

    #[test]
    fn what_cannot_wait_any_more_is_counted() {
        let narrow = Narrow::default();
        let mut door = SyncDoor::new(&narrow);
        for n in 0..WAITING + 5 {
            door.post(request(n), Mono(0));
        }
        assert_eq!((door.waiting.len(), door.lost), (WAITING, 5));
        narrow.room.set(1);
        door.flush(Mono(0));
        assert_eq!(*narrow.took.borrow(), ["5"], "the oldest went first");
    }
}
