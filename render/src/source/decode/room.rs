//! What all decoders together may hold: a second large picture waits for the first.

use std::sync::{Condvar, Mutex, PoisonError};

use vitrine_config::limits::IMAGE_PIXELS;

/// Pixels that are free to be decoded into, over all threads: those of the largest picture.
#[derive(Debug)]
pub(crate) struct Room {
    free: Mutex<u64>,
    change: Condvar,
}

/// Pixels in use, until it is dropped.
pub(crate) struct Held<'a> {
    room: &'a Room,
    pixels: u64,
}

impl Default for Room {
    fn default() -> Room {
        Room { free: Mutex::new(IMAGE_PIXELS), change: Condvar::new() }
    }
}

impl Room {
    /// Waits until there is room for `pixels`. One that waits holds nothing, so all get their turn.
    pub(crate) fn take(&self, pixels: u64) -> Held<'_> {
        let pixels = pixels.min(IMAGE_PIXELS);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free < pixels {
            free = self.change.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= pixels;
        Held { room: self, pixels }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.room.free.lock().unwrap_or_else(PoisonError::into_inner) += self.pixels;
        self.room.change.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{TryRecvError, sync_channel};

    use super::*;

    #[test]
    fn a_second_large_picture_waits_for_the_first() {
        let room = &Room::default();
        let first = room.take(IMAGE_PIXELS - 10);
        drop(room.take(10));
        std::thread::scope(|scope| {
            let (tell, heard) = sync_channel(1);
            let second = std::thread::Builder::new().name("second".into());
            let wait = second.spawn_scoped(scope, move || {
                let _held = room.take(u64::MAX);
                tell.send(()).expect("heard");
            });
            assert_eq!(heard.try_recv(), Err(TryRecvError::Empty), "there was no room");
            drop(first);
            heard.recv().expect("its turn came");
            wait.expect("a thread").join().expect("no panic");
        });
        assert_eq!(*room.free.lock().expect("whole"), IMAGE_PIXELS);
    }
}
