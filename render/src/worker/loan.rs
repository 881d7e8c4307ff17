//! Frames that a worker lends, on the side of the stage.
//!
//! In:  descriptors from a process that is not to be trusted, frames that name them.
//! Out: loans whose every sample lies inside of its descriptor. One that nobody holds any more
//! goes back by itself.
//!
//! Promises, each held by a test of the same name:
//! - `memory_that_may_change_its_size_is_not_borrowed`;
//! - `frames_outside_of_what_was_lent_are_refused`;
//! - `a_loan_goes_back_when_the_last_one_lets_go`.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use memmap2::Mmap;

use super::frames::{self, MemoryError};
use super::layout::Shape;
use super::lent::{Lent, Misfit};

/// Buffers of one worker that are known at a time: what a decoder has. Older ones are forgotten on
/// both sides, and lent anew if they come again.
pub const BUFFERS: usize = 32;
/// The largest buffer that is lent: a frame of 8K, and what every GPU binds as one.
const BUFFER_BYTES: u32 = 128 << 20;

/// Memory of a decoder: its size does not change, its bytes may at any time.
#[derive(Debug)]
pub struct Borrowed {
    fd: OwnedFd,
    bytes: u32,
    map: OnceLock<Option<Mmap>>,
}

impl Borrowed {
    /// Checks what a worker has sent.
    ///
    /// # Errors
    /// Neither a dma-buf nor a memfd of a sealed size; an extent that no frame has.
    pub fn new(fd: OwnedFd) -> Result<Self, MemoryError> {
        let found_bytes = frames::fixed_bytes(fd.as_fd())?;
        match u32::try_from(found_bytes) {
            Ok(0) => Err(MemoryError::TooSmall { found_bytes, wanted_bytes: 1 }),
            Ok(bytes) if bytes <= BUFFER_BYTES => Ok(Borrowed { fd, bytes, map: OnceLock::new() }),
            _ => Err(MemoryError::TooLarge { found_bytes }),
        }
    }

    /// Its real size.
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// To be imported.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Its bytes, where they are in ordinary memory: no word is needed to look at them.
    pub fn in_memory(&self) -> Option<&[u8]> {
        self.map.get_or_init(|| frames::mapped(&self.fd, self.bytes)).as_deref()
    }

    /// Its bytes, for the processor.
    ///
    /// # Errors
    /// It cannot be mapped.
    pub fn read<T>(&self, look: impl FnOnce(&[u8]) -> T) -> Result<T, MemoryError> {
        frames::look_into(&self.fd, self.bytes, look)
    }
}

/// What a worker has lent, by the numbers that it gives.
#[derive(Debug, Default)]
pub struct Ledger {
    known: VecDeque<Arc<Borrowed>>,
    /// Number of the one that comes next.
    next: u32,
}

/// Why something was not borrowed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Numbers rise by one.
    #[error("buffer {found} came, {wanted} was next")]
    Number {
        /// As announced.
        found: u32,
        /// As it should be.
        wanted: u32,
    },
    /// Nothing came along.
    #[error("buffer {0} came without its memory")]
    Bare(u32),
    /// Not fit for it.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A frame that lies elsewhere.
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

impl Ledger {
    /// A buffer is introduced.
    ///
    /// # Errors
    /// It is not what it should be.
    pub fn add(&mut self, number: u32, fd: Option<OwnedFd>) -> Result<(), LedgerError> {
        if number != self.next {
            return Err(LedgerError::Number { found: number, wanted: self.next });
        }
        let borrowed = Borrowed::new(fd.ok_or(LedgerError::Bare(number))?)?;
        self.known.push_back(Arc::new(borrowed));
        self.next = self.next.wrapping_add(1);
        if self.known.len() > BUFFERS {
            self.known.pop_front();
        }
        Ok(())
    }

    /// What was lent comes anew: frames are of another size from now on.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    fn find(&self, number: u32) -> Option<&Arc<Borrowed>> {
        let back = self.next.wrapping_sub(number) as usize;
        self.known.get(self.known.len().checked_sub(back).filter(|_| back > 0)?)
    }

    /// The buffers of a frame, one for each of its pieces.
    ///
    /// # Errors
    /// It does not lie inside of what was lent.
    pub fn of(&self, lent: &Lent, shape: Shape) -> Result<[Arc<Borrowed>; 3], LedgerError> {
        lent.check(shape, |number| Some(self.find(number)?.bytes()))?;
        let find = |place: usize| {
            let number = lent.pieces[place].buffer;
            self.find(number).cloned().ok_or(Misfit::Unknown(number))
        };
        Ok([find(0)?, find(1)?, find(2)?])
    }
}

/// One lent frame; the worker gets it back when this is dropped.
pub struct Loan {
    /// One for each piece.
    pub buffers: [Arc<Borrowed>; 3],
    back: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Loan {
    /// `back` is called once, without waiting for anything.
    pub fn new(buffers: [Arc<Borrowed>; 3], back: impl FnOnce() + Send + Sync + 'static) -> Self {
        Loan { buffers, back: Some(Box::new(back)) }
    }
}

impl std::fmt::Debug for Loan {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Loan").field("buffers", &self.buffers).finish_non_exhaustive()
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(back) = self.back.take() {
            back();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::fs::{MemfdFlags, SealFlags};

    use super::super::layout::Format;
    use super::super::lent::{Order, Piece};
    use super::*;

    fn memory(bytes: u64, seals: SealFlags) -> OwnedFd {
        let fd = rustix::fs::memfd_create("lent", MemfdFlags::ALLOW_SEALING).expect("memfd");
        rustix::fs::ftruncate(&fd, bytes).expect("size");
        rustix::fs::fcntl_add_seals(&fd, seals).expect("seals");
        fd
    }

    fn fixed(bytes: u64) -> OwnedFd {
        memory(bytes, SealFlags::SHRINK | SealFlags::GROW)
    }

    #[test]
    fn memory_that_may_change_its_size_is_not_borrowed() {
        let refused = |fd: OwnedFd| Borrowed::new(fd).map(|lent| lent.bytes()).ok();
        assert_eq!(refused(fixed(4_096)), Some(4_096));
        assert_eq!(refused(memory(4_096, SealFlags::GROW)), None, "may shrink");
        assert_eq!(refused(fixed(0)), None);
        assert_eq!(refused(fixed(u64::from(BUFFER_BYTES) + 1)), None);
        assert_eq!(refused(tempfile::tempfile().expect("file").into()), None);
        let pipe = rustix::pipe::pipe().expect("pipe");
        assert_eq!(refused(pipe.0), None);
    }

    #[test]
    fn frames_outside_of_what_was_lent_are_refused() {
        let mut ledger = Ledger::default();
        assert!(ledger.add(1, Some(fixed(4_096))).is_err(), "not the next number");
        assert!(ledger.add(0, None).is_err(), "no memory");
        ledger.add(0, Some(fixed(4_096))).expect("lent");
        let shape = Shape::new(Format::Nv12, 64, 32).expect("a sane size");
        let frame = |buffer, pitch| {
            let luma = Piece { buffer, offset_bytes: 0, pitch };
            let chroma = Piece { offset_bytes: pitch * 32, ..luma };
            Lent { order: Order::Pairs, pieces: [luma, chroma, luma] }
        };
        assert!(ledger.of(&frame(0, 64), shape).is_ok());
        assert!(ledger.of(&frame(0, 86), shape).is_err(), "ends outside");
        assert!(ledger.of(&frame(1, 64), shape).is_err(), "never lent");
        for number in 1..=BUFFERS as u32 {
            ledger.add(number, Some(fixed(4_096))).expect("lent");
        }
        assert!(ledger.of(&frame(0, 64), shape).is_err(), "forgotten");
        let newest = ledger.of(&frame(BUFFERS as u32, 64), shape).expect("lent");
        let oldest = ledger.of(&frame(1, 64), shape).expect("lent");
        assert!(!Arc::ptr_eq(&newest[0], &oldest[0]));
    }

    #[test]
    fn a_loan_goes_back_when_the_last_one_lets_go() {
        let buffer = Arc::new(Borrowed::new(fixed(4_096)).expect("lent"));
        let back = Arc::new(AtomicU32::new(0));
        let tell = Arc::clone(&back);
        let buffers = [(); 3].map(|()| Arc::clone(&buffer));
        let loan = Arc::new(Loan::new(buffers, move || {
            tell.fetch_add(1, Ordering::Relaxed);
        }));
        let gpu = Arc::clone(&loan);
        drop(loan);
        assert_eq!(back.load(Ordering::Relaxed), 0, "the GPU still reads it");
        drop(gpu);
        assert_eq!(back.load(Ordering::Relaxed), 1);
    }
}
