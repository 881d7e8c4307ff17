//! Frame memory that both processes see.
//!
//! In:  a size (worker), a descriptor from a process that is not to be trusted (stage).
//! Out: slots to write, slots to read.
//!
//! The memory is a memfd whose size is sealed before it is mapped, so reading it cannot fault,
//! whatever the other process does. Decoders lend dma-bufs, whose size is fixed as well.
//!
//! Promises, each held by a test of the same name:
//! - `what_is_written_is_seen`;
//! - `memory_that_can_shrink_is_refused`;
//! - `a_smaller_memory_than_promised_is_refused`.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

use gstreamer::Memory;
use gstreamer_allocators::prelude::*;
use gstreamer_allocators::{FdAllocator, FdMemoryFlags, FdMemoryRef};
use memmap2::{Mmap, MmapMut, MmapOptions};
use rustix::fs::{MemfdFlags, SealFlags, SeekFrom};
use rustix::ioctl::{Setter, opcode};

use super::protocol::SLOTS;

/// Bytes of a slot, at most: an 8K frame with padded rows.
const SLOT_BYTES: u32 = 128 << 20;
/// Slots begin on a multiple of this: whole pages of any kernel.
const SLOT_ALIGN_BYTES: u32 = 64 << 10;

/// How the kernel marks a file system of dma-bufs.
const DMA_BUF_MAGIC: u64 = 0x444d_4142;
/// Announces reads by the processor, whose caches may be behind, and their end.
const READ_BEGINS: u64 = 1;
const READ_ENDS: u64 = 1 | 4;

/// Why frame memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// A slot is too large.
    #[error("frame memory: a slot of {found_bytes} bytes, at most {SLOT_BYTES} are taken")]
    TooLarge {
        /// As asked for.
        found_bytes: u64,
    },
    /// Its size may still change.
    #[error("frame memory: its size is not sealed")]
    Unsealed,
    /// The descriptor has less than the message says.
    #[error("frame memory: {found_bytes} bytes, {wanted_bytes} were promised")]
    TooSmall {
        /// As the descriptor says.
        found_bytes: u64,
        /// As the message says.
        wanted_bytes: u64,
    },
    /// The system says no.
    #[error("frame memory: {0}")]
    System(#[from] std::io::Error),
}

impl From<rustix::io::Errno> for MemoryError {
    fn from(error: rustix::io::Errno) -> Self {
        MemoryError::System(error.into())
    }
}

/// Frame memory, on the side that fills it.
pub struct Written {
    map: MmapMut,
    fd: OwnedFd,
    slot_bytes: u32,
}

impl Written {
    /// Memory for [`SLOTS`] frames of `frame_bytes`.
    pub fn new(frame_bytes: usize) -> Result<Self, MemoryError> {
        let slot_bytes = u32::try_from(frame_bytes)
            .ok()
            .and_then(|bytes| bytes.checked_next_multiple_of(SLOT_ALIGN_BYTES))
            .filter(|bytes| *bytes <= SLOT_BYTES)
            .ok_or(MemoryError::TooLarge { found_bytes: frame_bytes as u64 })?;
        let fd = fixed(whole(slot_bytes))?;
        let map = map_writable(&fd)?;
        Ok(Written { map, fd, slot_bytes })
    }

    /// To be sent along with the pool's message.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Bytes of one slot.
    pub fn slot_bytes(&self) -> u32 {
        self.slot_bytes
    }

    /// One slot; None beyond the last.
    pub fn slot(&mut self, slot: u32) -> Option<&mut [u8]> {
        self.map.get_mut(range(slot, self.slot_bytes))
    }
}

/// Frame memory, on the side that shows it.
#[derive(Debug)]
pub struct Seen {
    map: Mmap,
    slot_bytes: u32,
}

impl Seen {
    /// Checks and maps what a worker has sent.
    pub fn new(fd: &OwnedFd, slot_bytes: u32) -> Result<Self, MemoryError> {
        if slot_bytes > SLOT_BYTES {
            return Err(MemoryError::TooLarge { found_bytes: slot_bytes.into() });
        }
        if !rustix::fs::fcntl_get_seals(fd)?.contains(fixed_size()) {
            return Err(MemoryError::Unsealed);
        }
        let found_bytes = u64::try_from(rustix::fs::fstat(fd)?.st_size).unwrap_or(0);
        let wanted_bytes = whole(slot_bytes);
        if found_bytes < wanted_bytes || wanted_bytes == 0 {
            return Err(MemoryError::TooSmall { found_bytes, wanted_bytes });
        }
        let map = map_readable(fd, wanted_bytes)?;
        Ok(Seen { map, slot_bytes })
    }

    /// One slot; None beyond the last.
    pub fn slot(&self, slot: u32) -> Option<&[u8]> {
        self.map.get(range(slot, self.slot_bytes))
    }
}

/// Memory whose size cannot change any more.
fn fixed(bytes: u64) -> rustix::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = rustix::fs::memfd_create("vitrine-frames", flags)?;
    rustix::fs::ftruncate(&fd, bytes)?;
    rustix::fs::fcntl_add_seals(&fd, fixed_size() | SealFlags::SEAL)?;
    Ok(fd)
}

fn fixed_size() -> SealFlags {
    SealFlags::SHRINK | SealFlags::GROW
}

/// The descriptor of a decoder's memory.
#[allow(unsafe_code)]
pub(super) fn descriptor(memory: &FdMemoryRef) -> Option<BorrowedFd<'_>> {
    let fd = memory.fd();
    // SAFETY: GStreamer closes the descriptor when the memory goes, which is borrowed for as long.
    (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Memory of GStreamer that is a memfd of a fixed size, mapped for as long as it lives.
#[allow(unsafe_code)]
pub(super) fn shared(makers: &FdAllocator, bytes: usize) -> Result<Memory, MemoryError> {
    let fd = fixed(bytes as u64)?;
    // SAFETY: the descriptor is open and has `bytes`. It is the memory's from here on: GStreamer
    // closes it.
    let memory = unsafe { makers.alloc_fd(fd.as_raw_fd(), bytes, FdMemoryFlags::KEEP_MAPPED) };
    let memory = memory.map_err(std::io::Error::other)?;
    let _ = fd.into_raw_fd();
    Ok(memory)
}

/// Bytes of a dma-buf, or of a memfd that cannot change its size any more.
///
/// # Errors
/// It is neither.
pub(super) fn fixed_bytes(fd: BorrowedFd<'_>) -> Result<u64, MemoryError> {
    if !is_dma_buf(fd)? && !rustix::fs::fcntl_get_seals(fd)?.contains(fixed_size()) {
        return Err(MemoryError::Unsealed);
    }
    Ok(rustix::fs::seek(fd, SeekFrom::End(0))?)
}

fn is_dma_buf(fd: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    Ok(rustix::fs::fstatfs(fd)?.f_type as u64 == DMA_BUF_MAGIC)
}

/// What lies in `fd`, of which [`fixed_bytes`] said that it has `bytes`, to be read at any time. None
/// for memory of a device, which wants to be told of each look, and where it cannot be mapped.
pub(super) fn mapped(fd: &OwnedFd, bytes: u32) -> Option<Mmap> {
    if is_dma_buf(fd.as_fd()).ok()? {
        return None;
    }
    map_readable(fd, bytes.into()).ok()
}

/// Shows what lies in `fd`, of which [`fixed_bytes`] said that it has `bytes`.
///
/// # Errors
/// It cannot be mapped.
pub(super) fn look_into<T>(
    fd: &OwnedFd,
    bytes: u32,
    look: impl FnOnce(&[u8]) -> T,
) -> Result<T, MemoryError> {
    let map = map_readable(fd, bytes.into())?;
    // A memfd needs no such word, and refuses it.
    let _ = announce(fd, READ_BEGINS);
    let seen = look(&map);
    let _ = announce(fd, READ_ENDS);
    Ok(seen)
}

/// Says to a dma-buf what the processor is about.
#[allow(unsafe_code)]
fn announce(fd: &OwnedFd, what: u64) -> rustix::io::Result<()> {
    // SAFETY: `DMA_BUF_IOCTL_SYNC` reads one `struct dma_buf_sync`, which is a `u64`, and writes to
    // no memory of this process. Other descriptors refuse it.
    let sync = unsafe { Setter::<{ opcode::write::<u64>(b'b', 0) }, u64>::new(what) };
    // SAFETY: as above.
    unsafe { rustix::ioctl::ioctl(fd, sync) }
}

fn whole(slot_bytes: u32) -> u64 {
    u64::from(slot_bytes) * u64::from(SLOTS)
}

fn range(slot: u32, slot_bytes: u32) -> std::ops::Range<usize> {
    let start = slot as usize * slot_bytes as usize;
    start..start + slot_bytes as usize
}

#[allow(unsafe_code)]
fn map_writable(fd: &OwnedFd) -> std::io::Result<MmapMut> {
    // SAFETY: the size is sealed, so no access faults. The other process reads only slots that it
    // was given and has not released; this one writes only the others.
    unsafe { MmapOptions::new().map_mut(fd) }
}

#[allow(unsafe_code)]
fn map_readable(fd: &OwnedFd, bytes: u64) -> std::io::Result<Mmap> {
    let bytes = usize::try_from(bytes).map_err(std::io::Error::other)?;
    // SAFETY: the descriptor is a memfd with a sealed size of at least `bytes`, or a dma-buf, which
    // keeps its size and its pages (checked by the caller), so no access faults. An honest worker does not write a slot before it is released;
    // a hostile one can only change samples while they are copied to the GPU: every byte is a
    // valid sample, and nothing is decided by their values.
    unsafe { MmapOptions::new().len(bytes).map(fd) }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::fd::{AsRawFd, FromRawFd};

    use super::*;

    /// `struct udmabuf_create` of the kernel.
    #[repr(C)]
    struct Create {
        memfd: u32,
        flags: u32,
        offset: u64,
        size: u64,
    }

    /// A dma-buf with `data` in it; None, which is said, where the kernel makes none of memory.
    pub(crate) fn dma_buf(data: &[u8]) -> Option<OwnedFd> {
        let device = std::fs::File::options().read(true).write(true).open("/dev/udmabuf");
        let wanted = std::env::var_os("VITRINE_TEST_DMABUF").is_some();
        let Ok(device) = device else {
            assert!(!wanted, "this kernel was to have /dev/udmabuf");
            eprintln!("no /dev/udmabuf: not tried with a dma-buf");
            return None;
        };
        let memory = rustix::fs::memfd_create("udmabuf", MemfdFlags::ALLOW_SEALING).expect("memfd");
        let size = data.len().next_multiple_of(SLOT_ALIGN_BYTES as usize) as u64;
        rustix::fs::ftruncate(&memory, size).expect("size");
        rustix::fs::fcntl_add_seals(&memory, SealFlags::SHRINK).expect("seal");
        assert_eq!(rustix::io::pwrite(&memory, data, 0), Ok(data.len()));
        let memfd = memory.as_raw_fd().cast_unsigned();
        let create = Create { memfd, flags: 0, offset: 0, size };
        let opcode = opcode::write::<Create>(b'u', 0x42);
        #[allow(unsafe_code)]
        // SAFETY: the call reads the structure, which lives until it returns, and gives a descriptor
        // that nobody else has.
        let fd = unsafe {
            let fd = libc::ioctl(device.as_raw_fd(), opcode.into(), &raw const create);
            assert!(fd >= 0, "{}", std::io::Error::last_os_error());
            OwnedFd::from_raw_fd(fd)
        };
        Some(fd)
    }

    #[test]
    fn a_dma_buf_keeps_its_size_and_is_read() {
        let Some(fd) = dma_buf(b"a frame") else { return };
        let bytes = fixed_bytes(fd.as_fd()).expect("a dma-buf");
        assert_eq!(bytes, u64::from(SLOT_ALIGN_BYTES));
        // The word to the caches is taken, not refused.
        assert_eq!(announce(&fd, READ_BEGINS).and(announce(&fd, READ_ENDS)), Ok(()));
        let seen = look_into(&fd, SLOT_ALIGN_BYTES, |data| data[..7].to_vec());
        assert_eq!(seen.expect("mapped"), b"a frame");
    }

    #[test]
    fn what_is_written_is_seen() {
        let mut written = Written::new(1_000).expect("memory");
        written.slot(SLOTS - 1).expect("last slot")[..4].copy_from_slice(b"last");
        let fd = written.fd().try_clone_to_owned().expect("descriptor");
        let seen = Seen::new(&fd, written.slot_bytes()).expect("memory");
        assert_eq!(&seen.slot(SLOTS - 1).expect("last slot")[..4], b"last");
        assert_eq!((seen.slot(SLOTS), written.slot(SLOTS)), (None, None));
    }

    #[test]
    fn memory_that_can_shrink_is_refused() {
        let fd = rustix::fs::memfd_create("soft", MemfdFlags::ALLOW_SEALING).expect("memfd");
        rustix::fs::ftruncate(&fd, 1 << 20).expect("size");
        assert!(matches!(Seen::new(&fd, 4096), Err(MemoryError::Unsealed)));
        rustix::fs::fcntl_add_seals(&fd, fixed_size()).expect("seal");
        assert!(Seen::new(&fd, 4096).is_ok());
    }

    #[test]
    fn a_smaller_memory_than_promised_is_refused() {
        let written = Written::new(1_000).expect("memory");
        let fd = written.fd().try_clone_to_owned().expect("descriptor");
        let more = written.slot_bytes() + 1;
        assert!(matches!(Seen::new(&fd, more), Err(MemoryError::TooSmall { .. })));
        assert!(matches!(Seen::new(&fd, 0), Err(MemoryError::TooSmall { .. })));
        assert!(matches!(Seen::new(&fd, u32::MAX), Err(MemoryError::TooLarge { .. })));
    }

    #[test]
    fn an_ordinary_file_is_refused() {
        let fd = OwnedFd::from(tempfile::tempfile().expect("file"));
        assert!(Seen::new(&fd, 4096).is_err());
    }
}
