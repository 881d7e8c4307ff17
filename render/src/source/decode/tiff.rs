//! TIFF: the first picture of a file; grey, RGB or CMYK, 8 or 16 bit a sample.

use std::io::Cursor;

use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;

use super::{Raw, Samples, check_size};

/// Width and height by the header.
pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), String> {
    open(bytes)?.dimensions().map_err(fail)
}

/// Decodes the first picture of a file.
///
/// # Errors
/// What is wrong with it, or what kind of samples it has.
pub(super) fn read(bytes: &[u8]) -> Result<Raw, String> {
    let mut decoder = open(bytes)?;
    let size = decoder.dimensions().map_err(fail)?;
    check_size(size.0, size.1)?;
    let samples = match decoder.colortype().map_err(fail)? {
        ColorType::Gray(8 | 16) => Samples::Grey,
        ColorType::GrayA(8 | 16) => Samples::GreyAlpha,
        ColorType::RGB(8 | 16) => Samples::Rgb,
        ColorType::RGBA(8 | 16) => Samples::Rgba,
        ColorType::CMYK(8 | 16) => Samples::Cmyk,
        other => {
            return Err(format!("TIFF: samples are {other:?}, want 8 or 16 bit RGB, grey or CMYK"));
        }
    };
    let icc = decoder.find_tag(Tag::IccProfile).ok().flatten();
    let icc = icc.and_then(|value| value.into_u8_vec().ok());
    let data = match decoder.read_image().map_err(fail)? {
        DecodingResult::U8(data) => data,
        DecodingResult::U16(data) => data.into_iter().map(|sample| (sample >> 8) as u8).collect(),
        _ => return Err("TIFF: samples are no whole numbers, want 8 or 16 bit".to_owned()),
    };
    Raw::new(size, samples, data, icc).map_err(fail)
}

fn open(bytes: &[u8]) -> Result<Decoder<Cursor<&[u8]>>, String> {
    Decoder::new(Cursor::new(bytes)).map_err(fail)
}

fn fail(error: impl std::fmt::Display) -> String {
    format!("TIFF: {error}")
}
