//! Animated PNG, frame by frame.

use std::io::Cursor;
use std::time::Duration;

use png::{BlendOp, DisposeOp, Reader};

use super::canvas::{Dispose, Patch, Spot};
use super::{Bytes, Patches};
use crate::scene::Size;
use crate::source::decode::png::{open, samples};
use crate::source::decode::{Profile, Samples, straight};

/// A file that is being played.
pub(super) struct Apng {
    bytes: Bytes,
    reader: Reader<Cursor<Bytes>>,
    /// Frames of this pass that are still to come.
    left: u32,
}

impl Apng {
    /// None: it does not move.
    ///
    /// # Errors
    /// A header that cannot be read.
    pub(super) fn open(bytes: &Bytes) -> Result<Option<Apng>, String> {
        let (reader, left) = start(bytes)?;
        Ok((left > 1).then(|| Apng { bytes: bytes.clone(), reader, left }))
    }

    /// What the samples mean.
    pub(super) fn profile(&self) -> Option<Profile> {
        let info = self.reader.info();
        let icc = info.icc_profile.as_ref().filter(|_| info.srgb.is_none());
        icc.and_then(|icc| Profile::read(icc, Samples::Rgba))
    }
}

impl Patches for Apng {
    fn size(&self) -> Size {
        let info = self.reader.info();
        Size { width_px: info.width, height_px: info.height }
    }

    fn passes(&self) -> Option<u32> {
        let plays = self.reader.info().animation_control.map_or(0, |control| control.num_plays);
        (plays > 0).then_some(plays)
    }

    fn next(&mut self) -> Result<Option<Patch>, String> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let mut data = vec![0; self.reader.output_buffer_size().ok_or("PNG: too large")?];
        let found = self.reader.next_frame(&mut data).map_err(fail)?;
        data.truncate(found.buffer_size());
        let size = Size { width_px: found.width, height_px: found.height };
        let rgba = straight(size, samples(found.color_type, found.bit_depth)?, data)?;
        let control = self.reader.info().frame_control.ok_or("PNG: frame without control")?;
        let denominator = u64::from(if control.delay_den == 0 { 100 } else { control.delay_den });
        let dispose = match control.dispose_op {
            DisposeOp::None => Dispose::Keep,
            DisposeOp::Background => Dispose::Clear,
            DisposeOp::Previous => Dispose::Restore,
        };
        Ok(Some(Patch {
            spot: Spot { x_px: control.x_offset, y_px: control.y_offset, size },
            rgba,
            over: control.blend_op == BlendOp::Over,
            dispose,
            lasts: Duration::from_micros(u64::from(control.delay_num) * 1_000_000 / denominator),
        }))
    }

    fn rewind(&mut self) -> Result<(), String> {
        (self.reader, self.left) = start(&self.bytes)?;
        Ok(())
    }
}

/// A reader before the first frame that moves, and how many of these there are.
fn start(bytes: &Bytes) -> Result<(Reader<Cursor<Bytes>>, u32), String> {
    let mut reader = open(Cursor::new(bytes.clone())).read_info().map_err(fail)?;
    let frames = reader.info().animation_control.map_or(0, |control| control.num_frames);
    // A first picture without control is for those who cannot move.
    if frames > 1 && reader.info().frame_control.is_none() {
        let mut passed_over = vec![0; reader.output_buffer_size().ok_or("PNG: too large")?];
        reader.next_frame(&mut passed_over).map_err(fail)?;
    }
    Ok((reader, frames))
}

fn fail(error: impl std::fmt::Display) -> String {
    format!("PNG: {error}")
}
