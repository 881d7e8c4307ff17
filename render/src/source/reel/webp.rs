//! Animated WebP, frame by frame. The container is taken apart here; each frame goes to the decoder
//! as a still file of its own, so that blending and disposal are ours.
//!
//! Source: the WebP container specification (RFC 9649, section 2.7).

use std::io::Cursor;
use std::ops::Range;
use std::time::Duration;

use image_webp::WebPDecoder;

use super::canvas::{Dispose, Patch, Spot};
use super::{Bytes, Patches};
use crate::scene::Size;
use crate::source::decode::{Profile, Samples, straight};

/// In the flags of `VP8X`.
const MOVES: u8 = 0x02;
const HAS_ALPHA: u8 = 0x10;
/// In the flags of `ANMF`.
const CLEAR_AFTER: u8 = 0x01;
const REPLACE: u8 = 0x02;
/// Length of `ANMF` before its frame.
const FRAME_HEAD: usize = 16;

/// A file that is being played.
pub(super) struct WebP {
    bytes: Bytes,
    size: Size,
    passes: Option<u32>,
    icc: Option<Range<usize>>,
    /// Where the chunk after the last frame begins.
    at: usize,
    first: usize,
}

impl WebP {
    /// None: it does not move.
    ///
    /// # Errors
    /// A container that cannot be read.
    pub(super) fn open(bytes: &Bytes) -> Result<Option<WebP>, String> {
        let file = bytes.as_ref();
        let Some((b"VP8X", head)) = chunk(file, 12) else { return Ok(None) };
        let Some(&[flags, _, _, _, ref sizes @ ..]) = file.get(head.clone()) else {
            return Ok(None);
        };
        let (Some(width), Some(height)) = (three(sizes, 0), three(sizes, 3)) else {
            return Err("WebP: the header ends early".to_owned());
        };
        if flags & MOVES == 0 {
            return Ok(None);
        }
        let size = Size { width_px: width + 1, height_px: height + 1 };
        let mut made =
            WebP { size, passes: None, icc: None, at: 0, first: 0, bytes: bytes.clone() };
        let mut at = after(&head);
        while let Some((name, body)) = chunk(file, at) {
            match name {
                b"ANIM" => {
                    let count = file.get(body.start + 4..body.start + 6);
                    let plays = count.map_or(0, |le| u32::from(le[0]) | u32::from(le[1]) << 8);
                    made.passes = (plays > 0).then_some(plays);
                }
                b"ICCP" => made.icc = Some(body.clone()),
                b"ANMF" => {
                    (made.first, made.at) = (at, at);
                    return Ok(Some(made));
                }
                _ => {}
            }
            at = after(&body);
        }
        Err("WebP: moves, but has no frame".to_owned())
    }

    /// What the samples mean.
    pub(super) fn profile(&self) -> Option<Profile> {
        let icc = self.icc.clone().and_then(|range| self.bytes.as_ref().get(range));
        icc.and_then(|icc| Profile::read(icc, Samples::Rgba))
    }
}

impl Patches for WebP {
    fn size(&self) -> Size {
        self.size
    }

    fn passes(&self) -> Option<u32> {
        self.passes
    }

    fn next(&mut self) -> Result<Option<Patch>, String> {
        let file = self.bytes.as_ref();
        while let Some((name, body)) = chunk(file, self.at) {
            self.at = after(&body);
            if name == b"ANMF" {
                let frame = file.get(body).ok_or("WebP: the file ends within a frame")?;
                return patch(frame).map(Some);
            }
        }
        Ok(None)
    }

    fn rewind(&mut self) -> Result<(), String> {
        self.at = self.first;
        Ok(())
    }
}

fn patch(frame: &[u8]) -> Result<Patch, String> {
    let field = |at| three(frame, at).ok_or("WebP: a frame ends early");
    let size = Size { width_px: field(6)? + 1, height_px: field(9)? + 1 };
    if !super::may_move(size) {
        return Err(format!("WebP: frame of {size:?}, larger than what moves"));
    }
    let flags = frame.get(15).copied().unwrap_or(0);
    let data = frame.get(FRAME_HEAD..).unwrap_or_default();
    Ok(Patch {
        spot: Spot { x_px: field(0)? * 2, y_px: field(3)? * 2, size },
        rgba: still(data, size)?,
        over: flags & REPLACE == 0,
        dispose: if flags & CLEAR_AFTER == 0 { Dispose::Keep } else { Dispose::Clear },
        lasts: Duration::from_millis(field(12)?.into()),
    })
}

/// Decodes the chunks of one frame as a file of their own.
fn still(data: &[u8], size: Size) -> Result<Vec<u8>, String> {
    let fail = |error: image_webp::DecodingError| format!("WebP: {error}");
    let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
    if data.starts_with(b"ALPH") {
        file.extend(b"VP8X\x0a\0\0\0");
        file.extend([HAS_ALPHA, 0, 0, 0]);
        for side in [size.width_px - 1, size.height_px - 1] {
            file.extend(side.to_le_bytes().iter().take(3));
        }
    }
    file.extend(data);
    let length = u32::try_from(file.len() - 8).map_err(|_| "WebP: frame too long".to_owned())?;
    if let Some(place) = file.get_mut(4..8) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    let mut decoder = WebPDecoder::new(Cursor::new(file.as_slice())).map_err(fail)?;
    let found = decoder.dimensions();
    if found != (size.width_px, size.height_px) {
        return Err(format!("WebP: frame of {found:?}, the container says {size:?}"));
    }
    let samples = if decoder.has_alpha() { Samples::Rgba } else { Samples::Rgb };
    let mut pixels = vec![0; decoder.output_buffer_size().ok_or("WebP: too large")?];
    decoder.read_image(&mut pixels).map_err(fail)?;
    straight(size, samples, pixels)
}

/// Name and body of the chunk that begins at `at`; None where there is none.
fn chunk(file: &[u8], at: usize) -> Option<(&[u8; 4], Range<usize>)> {
    let (name, length) = file.get(at..)?.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length.first_chunk::<4>()?) as usize;
    Some((name, at + 8..at.checked_add(8)?.checked_add(length)?))
}

/// Bodies of odd length are filled up by a byte.
fn after(body: &Range<usize>) -> usize {
    body.end.saturating_add(body.end % 2)
}

/// A number of three bytes.
fn three(bytes: &[u8], at: usize) -> Option<u32> {
    let [a, b, c] = *bytes.get(at..at + 3)?.first_chunk::<3>()?;
    Some(u32::from_le_bytes([a, b, c, 0]))
}
