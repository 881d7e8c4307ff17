//! JPEG: grey, YCbCr, RGB, and the four inks of print, with and without a profile.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::{Raw, Samples, check_size};

type Jpeg<'a> = JpegDecoder<ZCursor<&'a [u8]>>;

/// Width and height by the header.
pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), String> {
    header(bytes, ColorSpace::RGB).map(|(_, size)| size)
}

/// Decodes a file.
///
/// # Errors
/// What is wrong with it; a file that ends before its picture does.
pub(super) fn read(bytes: &[u8]) -> Result<Raw, String> {
    let (mut decoder, size) = header(bytes, ColorSpace::RGB)?;
    if !is_whole(bytes) {
        return Err("JPEG: the file ends before its picture does".to_owned());
    }
    let icc = decoder.icc_profile();
    let inks = match decoder.input_colorspace() {
        Some(space @ (ColorSpace::CMYK | ColorSpace::YCCK)) if icc.is_some() => Some(space),
        _ => None,
    };
    let (samples, data) = match inks {
        None => (Samples::Rgb, pixels(&mut decoder)?),
        Some(space) => {
            let mut data = pixels(&mut header(bytes, space)?.0)?;
            data.chunks_exact_mut(4).for_each(|pixel| to_inks(pixel, space));
            (Samples::Cmyk, data)
        }
    };
    Raw::new(size, samples, data, icc).map_err(|error| format!("JPEG: {error}"))
}

fn header(bytes: &[u8], out: ColorSpace) -> Result<(Jpeg<'_>, (u32, u32)), String> {
    // The limits are ours to check: theirs would refuse sizes that are allowed.
    let options = DecoderOptions::default()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(out);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| format!("JPEG: {error:?}"))?;
    let (width, height) = decoder.dimensions().ok_or("JPEG: no size in the header")?;
    let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let size = (side(width), side(height));
    check_size(size.0, size.1)?;
    Ok((decoder, size))
}

fn pixels(decoder: &mut Jpeg<'_>) -> Result<Vec<u8>, String> {
    decoder.decode().map_err(|error| format!("JPEG: {error:?}"))
}

/// Files of this kind hold the light that an ink lets through, or luma and chroma of the ink.
fn to_inks(pixel: &mut [u8], space: ColorSpace) {
    let [a, b, c, k] = pixel else { return };
    if space == ColorSpace::YCCK {
        let (luma, cb, cr) = (f32::from(*a), f32::from(*b) - 128.0, f32::from(*c) - 128.0);
        // ITU-T T.871, section 7; the inks stand in for red, green and blue.
        let ink = |value: f32| value.round().clamp(0.0, 255.0) as u8;
        *a = ink(luma + 1.402 * cr);
        *b = ink(luma - 0.344_136 * cb - 0.714_136 * cr);
        *c = ink(luma + 1.772 * cb);
    } else {
        (*a, *b, *c) = (255 - *a, 255 - *b, 255 - *c);
    }
    *k = 255 - *k;
}

/// Whether there is an end marker behind the start of the picture. The decoder fills up what is
/// missing with grey; a screen must not show that.
fn is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        match marker {
            0xff => at += 1,
            0xda => {
                let entropy = bytes.get(at..).unwrap_or_default();
                return entropy.windows(2).any(|pair| pair == [0xff, 0xd9]);
            }
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    // Odd headers: the decoder has the say.
    true
}
