//! Still pictures: bytes in, pixels of the size that is shown out.
//!
//! In:  a whole file and the room it will fill. Out: premultiplied sRGB, turned as EXIF says, never
//! larger than needed, than the picture itself, or than a texture can be.
//!
//! Promises: limits are checked on the header, before anything of that size is held; all decoders
//! together hold no more than the largest picture allowed ([`Room`]); a file that ends early is an
//! error; an SVG reads no other file. All decoders here are memory-safe; of AVIF only the container
//! is read here.
//!
//! Not here: threads and panics (`source::decoders`), moving pictures (`source::reel`), frames of
//! AV1 (`source::coded`).

pub(super) mod avif;
mod fit;
mod heif;
mod icc;
mod jpeg;
pub(super) mod png;
mod room;
mod tiff;

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader};
use image_webp::WebPDecoder;
use vitrine_config::limits::{IMAGE_PIXELS, IMAGE_SIDE_PX};

pub(super) use self::fit::fit;
pub(super) use self::icc::Profile;
pub(super) use self::room::Room;
use super::svg;
use crate::place::Fitting;
use crate::scene::Size;

/// What is shown, for those who brought something else.
const SHOWN: &str = "JPEG, PNG, WebP, AVIF, GIF, TIFF, BMP and SVG are shown";

/// A picture, ready for the GPU.
#[derive(Debug)]
pub(super) struct Still {
    /// Of the picture as it is; `size` is what was made of it.
    pub natural: Size,
    pub size: Size,
    /// Premultiplied, four bytes a pixel.
    pub rgba: Vec<u8>,
}

/// How the samples of a pixel are to be read; one byte each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Samples {
    Grey,
    GreyAlpha,
    Rgb,
    Rgba,
    /// 255 is all of an ink.
    Cmyk,
}

impl Samples {
    fn count(self) -> usize {
        match self {
            Samples::Grey => 1,
            Samples::GreyAlpha => 2,
            Samples::Rgb => 3,
            Samples::Rgba | Samples::Cmyk => 4,
        }
    }
}

/// A picture as its file has it. Alpha is straight.
pub(super) struct Raw {
    pub size: Size,
    pub samples: Samples,
    pub data: Vec<u8>,
    /// What the samples mean; None: sRGB.
    pub profile: Option<Profile>,
}

impl Raw {
    /// Checks that there are as many samples as the size promises.
    fn new(
        (width_px, height_px): (u32, u32),
        samples: Samples,
        data: Vec<u8>,
        icc: Option<Vec<u8>>,
    ) -> Result<Raw, String> {
        let wanted = width_px as usize * height_px as usize * samples.count();
        let found = data.len();
        if found != wanted {
            return Err(format!("{found} samples, want {wanted}"));
        }
        let profile = icc.and_then(|icc| Profile::read(&icc, samples));
        Ok(Raw { size: Size { width_px, height_px }, samples, data, profile })
    }
}

/// A picture of any kind but CMYK as straight RGBA.
///
/// # Errors
/// Samples that do not fit the size.
pub(super) fn straight(size: Size, samples: Samples, data: Vec<u8>) -> Result<Vec<u8>, String> {
    let Raw { data, .. } = Raw::new((size.width_px, size.height_px), samples, data, None)?;
    let rgba = |pixel: &[u8]| match *pixel {
        [grey] => [grey, grey, grey, 255],
        [grey, alpha] => [grey, grey, grey, alpha],
        [red, green, blue] => [red, green, blue, 255],
        _ => [0; 4],
    };
    Ok(match samples {
        Samples::Rgba => data,
        _ => data.chunks_exact(samples.count()).flat_map(rgba).collect(),
    })
}

/// Decodes one file, told apart by its bytes; of a moving picture the first one.
///
/// # Errors
/// What is wrong with it, wanted and found.
pub(super) fn decode(bytes: &[u8], fitting: &Fitting, room: &Room) -> Result<Still, String> {
    if svg::is_svg(bytes) {
        return svg::render_file(bytes, fitting);
    }
    let (width, height) = header_size(bytes)?;
    let _held = room.take(u64::from(width) * u64::from(height));
    let raw = match bytes {
        [0xff, 0xd8, 0xff, ..] => jpeg::read(bytes)?,
        [0x89, b'P', b'N', b'G', ..] => png::read(bytes)?,
        [b'R', b'I', b'F', b'F', ..] => webp(bytes)?,
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => tiff::read(bytes)?,
        _ => other(bytes)?,
    };
    fit(raw, orientation(bytes), fitting)
}

/// Width and height as the header has them, within the limits.
///
/// # Errors
/// No picture, or one beyond the limits.
pub(super) fn header_size(bytes: &[u8]) -> Result<(u32, u32), String> {
    let (width, height) = match bytes {
        [0xff, 0xd8, 0xff, ..] => jpeg::size(bytes)?,
        [0x89, b'P', b'N', b'G', ..] => png::size(bytes)?,
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => tiff::size(bytes)?,
        _ => reader(bytes)?.0.dimensions(),
    };
    check_size(width, height)?;
    Ok((width, height))
}

/// Refuses what would take too much memory.
fn check_size(width: u32, height: u32) -> Result<(), String> {
    let pixels = u64::from(width) * u64::from(height);
    if width == 0 || height == 0 {
        return Err(format!("picture of {width}x{height} pixels: nothing to show"));
    }
    if width > IMAGE_SIDE_PX || height > IMAGE_SIDE_PX || pixels > IMAGE_PIXELS {
        return Err(format!(
            "picture of {width}x{height} pixels: at most {IMAGE_SIDE_PX} a side and \
             {IMAGE_PIXELS} in all are shown, make it smaller"
        ));
    }
    Ok(())
}

fn webp(bytes: &[u8]) -> Result<Raw, String> {
    let fail = |error: image_webp::DecodingError| format!("WebP: {error}");
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(fail)?;
    let size = decoder.dimensions();
    let samples = if decoder.has_alpha() { Samples::Rgba } else { Samples::Rgb };
    let icc = decoder.icc_profile().map_err(fail)?;
    let length = decoder.output_buffer_size().ok_or("WebP: too large")?;
    let mut data = vec![0; length];
    decoder.read_image(&mut data).map_err(fail)?;
    Raw::new(size, samples, data, icc).map_err(|error| format!("WebP: {error}"))
}

fn other(bytes: &[u8]) -> Result<Raw, String> {
    let (decoder, name) = reader(bytes)?;
    let size = decoder.dimensions();
    let fail = |error: &dyn std::fmt::Display| format!("{name}: {error}");
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| fail(&error))?;
    let (samples, data) = match picture.color().has_alpha() {
        true => (Samples::Rgba, picture.into_rgba8().into_raw()),
        false => (Samples::Rgb, picture.into_rgb8().into_raw()),
    };
    Raw::new(size, samples, data, None).map_err(|error| fail(&error))
}

/// The decoder for these bytes, its header read, and what the format is called.
fn reader(bytes: &[u8]) -> Result<(impl image::ImageDecoder + '_, &'static str), String> {
    if avif::is_heic(bytes) {
        return Err(format!("HEIC has no decoder here: {SHOWN}"));
    }
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| format!("picture: {error}"))?;
    let format = reader.format().ok_or_else(|| format!("not a picture: {SHOWN}"))?;
    let name = match format {
        ImageFormat::WebP => "WebP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Bmp => "BMP",
        _ => "picture",
    };
    let decoder = reader.into_decoder().map_err(|error| format!("{name}: {error}"))?;
    Ok((decoder, name))
}

/// How the picture must be turned; upright when the file does not say, or says nonsense.
pub(super) fn orientation(bytes: &[u8]) -> Orientation {
    let exif = exif::Reader::new().read_from_container(&mut Cursor::new(bytes)).ok();
    let value = exif.and_then(|exif| {
        let field = exif.get_field(exif::Tag::Orientation, exif::In::PRIMARY)?;
        field.value.get_uint(0)
    });
    let value = value.and_then(|value| u8::try_from(value).ok());
    value.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms)
}
