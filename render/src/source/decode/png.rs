//! PNG: every kind of it as 8 bit grey or colour, with or without alpha.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Limits, Transformations};

use super::{Raw, Samples};

/// What the decoder itself may hold: rows and what they are unpacked from, not the picture.
const DECODER_BYTES: usize = 64 << 20;

/// Width and height by the header.
pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), String> {
    let mut decoder = open(Cursor::new(bytes));
    let info = decoder.read_header_info().map_err(fail)?;
    Ok((info.width, info.height))
}

/// Decodes a file; of a moving one the picture for those who cannot move.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Result<Raw, String> {
    let mut reader = open(Cursor::new(bytes)).read_info().map_err(fail)?;
    let length = reader.output_buffer_size().ok_or("PNG: too large")?;
    let mut data = vec![0; length];
    let found = reader.next_frame(&mut data).map_err(fail)?;
    reader.finish().map_err(fail)?;
    data.truncate(found.buffer_size());
    let info = reader.info();
    // Files that say sRGB and carry a profile all the same mean sRGB.
    let icc = info.icc_profile.as_ref().filter(|_| info.srgb.is_none());
    let icc = icc.map(|profile| profile.to_vec());
    let samples = samples(found.color_type, found.bit_depth)?;
    Raw::new((found.width, found.height), samples, data, icc).map_err(fail)
}

/// A decoder that gives 8 bit samples and no palette.
pub(crate) fn open<R: std::io::BufRead + std::io::Seek>(from: R) -> Decoder<R> {
    let mut decoder = Decoder::new_with_limits(from, Limits { bytes: DECODER_BYTES });
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    decoder
}

/// What one pixel of the decoder's output is.
pub(crate) fn samples(colour: ColorType, depth: BitDepth) -> Result<Samples, String> {
    match (colour, depth) {
        (ColorType::Grayscale, BitDepth::Eight) => Ok(Samples::Grey),
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => Ok(Samples::GreyAlpha),
        (ColorType::Rgb, BitDepth::Eight) => Ok(Samples::Rgb),
        (ColorType::Rgba, BitDepth::Eight) => Ok(Samples::Rgba),
        other => Err(format!("PNG: unpacked to {other:?}, want 8 bit grey or colour")),
    }
}

fn fail(error: impl std::fmt::Display) -> String {
    format!("PNG: {error}")
}
