//! GIF, frame by frame.

use std::num::NonZeroU64;
use std::time::Duration;

use gif::{ColorOutput, DecodeOptions, Decoder, DisposalMethod, MemoryLimit, Repeat};

use super::canvas::{Dispose, Patch, Spot};
use super::{Bytes, Patches};
use crate::scene::Size;

/// Largest single frame; the page itself is checked against the same.
const FRAME_BYTES: NonZeroU64 = match NonZeroU64::new(super::MOVING_PIXELS * 4) {
    Some(bytes) => bytes,
    None => NonZeroU64::MIN,
};

/// A file that is being played.
pub(super) struct Gif {
    bytes: Bytes,
    decoder: Decoder<std::io::Cursor<Bytes>>,
}

impl Gif {
    /// # Errors
    /// A header that cannot be read.
    pub(super) fn open(bytes: &Bytes) -> Result<Gif, String> {
        let decoder = decoder(bytes)?;
        Ok(Gif { bytes: bytes.clone(), decoder })
    }
}

impl Patches for Gif {
    fn size(&self) -> Size {
        let (width, height) = (self.decoder.width(), self.decoder.height());
        Size { width_px: width.into(), height_px: height.into() }
    }

    /// What browsers have settled on: a number says how often it is *repeated*, none says once.
    fn passes(&self) -> Option<u32> {
        match self.decoder.repeat() {
            Repeat::Infinite => None,
            Repeat::Finite(repeats) => Some(u32::from(repeats) + 1),
        }
    }

    fn next(&mut self) -> Result<Option<Patch>, String> {
        let Some(frame) = self.decoder.read_next_frame().map_err(fail)? else { return Ok(None) };
        let size = Size { width_px: frame.width.into(), height_px: frame.height.into() };
        let dispose = match frame.dispose {
            DisposalMethod::Any | DisposalMethod::Keep => Dispose::Keep,
            DisposalMethod::Background => Dispose::Clear,
            DisposalMethod::Previous => Dispose::Restore,
        };
        Ok(Some(Patch {
            spot: Spot { x_px: frame.left.into(), y_px: frame.top.into(), size },
            rgba: frame.buffer.to_vec(),
            over: true,
            dispose,
            lasts: Duration::from_millis(u64::from(frame.delay) * 10),
        }))
    }

    fn rewind(&mut self) -> Result<(), String> {
        self.decoder = decoder(&self.bytes)?;
        Ok(())
    }
}

fn decoder(bytes: &Bytes) -> Result<Decoder<std::io::Cursor<Bytes>>, String> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    options.set_memory_limit(MemoryLimit::Bytes(FRAME_BYTES));
    options.read_info(std::io::Cursor::new(bytes.clone())).map_err(fail)
}

fn fail(error: impl std::fmt::Display) -> String {
    format!("GIF: {error}")
}
