//! Frames that stay in their decoder's memory, for the stage to read them there.
//!
//! In:  buffers of a decoder. Out: where their samples lie, in buffers that the stage knows.
//!
//! Not here: who holds a frame until it comes back (`outlet`).

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;

use gstreamer::prelude::*;
use gstreamer::{BufferRef, Caps, CapsFeatures, MemoryRef, Pad};
use gstreamer_allocators::FdMemory;
use gstreamer_video::{VideoCapsBuilder, VideoFormat, VideoMeta};

use super::described::Described;
use super::frames;
use super::lent::{Lent, Order, Piece};
use super::loan::BUFFERS;
use super::protocol::Event;
use super::socket::Socket;

/// Frames that are lent at a time. A decoder that has fewer than it needs stops, so the rest is
/// copied.
pub const LENT: usize = 3;
/// In one number, GStreamer tells tiles in a row and rows of tiles: those in the upper half.
const TILE_ROWS_SHIFT: u32 = 16;
/// Rows of such a tile, of luma.
const TILE_ROWS: u32 = 8;

/// Memory of a device, in GStreamer's words.
const DMA_BUF: &str = "memory:DMABuf";
/// What can be read there, as GStreamer 1.24 and later describe it. Before that nobody said in which
/// order the samples are. Drivers of a Raspberry Pi leave the rows of a column out of it.
const DRM_FORMATS: [&str; 4] =
    ["NV12", "YU12", "NV12:0x0700000000000004", "P030:0x0700000000000004"];
/// The same in ordinary caps, where Raspberry Pi's GStreamer knows them.
const COLUMN_FORMATS: [&str; 2] = ["NV12_128C8", "NV12_10LE32_128C8"];

/// A file that is open, whatever its descriptor.
type Identity = (u64, u64);

/// Frames that only a lender can take.
pub fn woven_caps() -> Caps {
    let list = |formats: &[&str]| gstreamer::List::new(formats.iter().map(|f| f.to_string()));
    let raw = || gstreamer::Structure::builder("video/x-raw");
    let drm = raw().field("format", "DMA_DRM").field("drm-format", list(&DRM_FORMATS)).build();
    let columns = raw().field("format", list(&COLUMN_FORMATS)).build();
    let builder = Caps::builder_full();
    builder.structure_with_features(drm, CapsFeatures::new([DMA_BUF])).structure(columns).build()
}

/// Whether all that comes out of `pad` is such frames: those of others are better worked on.
pub fn is_woven(pad: &Pad) -> bool {
    let (woven, found) = (woven_caps(), pad.query_caps(None));
    let plain = VideoCapsBuilder::new().format_list([VideoFormat::Nv12, VideoFormat::I420]).build();
    found.can_intersect(&woven) && !found.can_intersect(&plain)
}

/// Remembers what the stage knows.
#[derive(Debug, Default)]
pub struct Lender {
    known: VecDeque<(Identity, u32)>,
    next: u32,
}

impl Lender {
    /// Where `buffer` can be read by the stage, to which the memory is introduced. None: it has to
    /// be copied.
    ///
    /// # Errors
    /// The stage is gone.
    pub fn lend(
        &mut self,
        buffer: &BufferRef,
        described: &Described,
        stage: &Socket,
    ) -> rustix::io::Result<Option<Lent>> {
        let Some(lent) = place(buffer, described) else { return Ok(None) };
        let fd = |memory: u32| descriptor(buffer.peek_memory(memory as usize));
        let bytes = |memory| u32::try_from(frames::fixed_bytes(fd(memory)?).ok()?).ok();
        if let Err(error) = lent.check(described.shape, bytes) {
            tracing::debug!(%error, "not lent");
            return Ok(None);
        }
        let mut pieces = lent.pieces;
        for piece in &mut pieces {
            let Some(fd) = fd(piece.buffer) else { return Ok(None) };
            piece.buffer = self.introduce(fd, stage)?;
        }
        Ok(Some(Lent { pieces, ..lent }))
    }

    /// The stage knows nothing any more: it forgets with each new pool.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    /// The number by which the stage knows this memory.
    fn introduce(&mut self, fd: BorrowedFd<'_>, stage: &Socket) -> rustix::io::Result<u32> {
        let stat = rustix::fs::fstat(fd)?;
        let identity = (stat.st_dev as u64, stat.st_ino as u64);
        if let Some((_, number)) = self.known.iter().find(|(known, _)| *known == identity) {
            return Ok(*number);
        }
        let number = self.next;
        stage.send(Event::Lend { number }.write().bytes(), Some(fd))?;
        self.next = number.wrapping_add(1);
        self.known.push_back((identity, number));
        if self.known.len() > BUFFERS {
            self.known.pop_front();
        }
        Ok(number)
    }
}

/// Copies a frame that GStreamer does not know how to read. None: neither is it known here.
pub fn copy(buffer: &BufferRef, described: &Described, into: &mut [u8]) -> Option<()> {
    let lent = place(buffer, described)?;
    let maps = lent.pieces.map(|piece| {
        let memory = buffer.peek_memory(piece.buffer as usize);
        memory.map_readable().ok().map(|map| (map, memory.offset()))
    });
    let [Some(first), Some(second), Some(third)] = &maps else { return None };
    let mut own = lent;
    for (piece, (_, offset)) in own.pieces.iter_mut().zip([first, second, third]) {
        // Mapped from where the buffer begins in it; pieces count from where the memory does.
        piece.offset_bytes = piece.offset_bytes.checked_sub(u32::try_from(*offset).ok()?)?;
    }
    own.copy(described.shape, [&first.0, &second.0, &third.0], into)
}

fn descriptor(memory: &MemoryRef) -> Option<BorrowedFd<'_>> {
    frames::descriptor(memory.downcast_memory_ref::<FdMemory>()?)
}

/// Where the samples lie: pieces name memories of `buffer` by their place in it, and count from where
/// each of these begins.
fn place(buffer: &BufferRef, described: &Described) -> Option<Lent> {
    let order = described.woven.order?;
    let planes = described.shape.planes();
    let meta = buffer.meta::<VideoMeta>();
    let mut pieces = [Piece::default(); 3];
    for (plane, _) in planes.iter().enumerate().filter(|(_, at)| at.rows > 0) {
        let (offset, stride) = match &meta {
            Some(meta) => (*meta.offset().get(plane)?, *meta.stride().get(plane)?),
            None if described.woven.is_plain => {
                (*described.info.offset().get(plane)?, *described.info.stride().get(plane)?)
            }
            None => return None,
        };
        let (memories, within) = buffer.find_memory(offset..offset + 1)?;
        let memory = buffer.peek_memory(memories.start);
        pieces[plane] = Piece {
            buffer: u32::try_from(memories.start).ok()?,
            offset_bytes: u32::try_from(memory.offset() + within).ok()?,
            pitch: pitch(order, plane, u32::try_from(stride).ok()?, described),
        };
    }
    for (plane, at) in planes.iter().enumerate() {
        if at.rows == 0 {
            pieces[plane] = pieces[0];
        }
    }
    Some(Lent { order, pieces })
}

/// Bytes of a row, or rows of a column, which are told in one of three ways.
fn pitch(order: Order, plane: usize, stride: u32, described: &Described) -> u32 {
    if matches!(order, Order::Pairs | Order::Planes) {
        return stride;
    }
    let tile_rows = if plane == 0 { TILE_ROWS } else { TILE_ROWS / 2 };
    let told = match stride >> TILE_ROWS_SHIFT {
        0 => stride,
        tiles => tiles * tile_rows,
    };
    described.woven.column_rows.unwrap_or(told)
}
