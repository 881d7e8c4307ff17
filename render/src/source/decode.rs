//! Still pictures: bytes in, pixels of the size that is shown out.
//!
//! In:  a whole file and the room it will fill. Out: premultiplied RGBA, turned as EXIF says, never
//! larger than needed, than the picture itself, or than a texture can be.
//!
//! Promises: limits are checked on the header, before anything of that size is held; a file that
//! ends early is an error; an SVG reads no other file. All decoders here are memory-safe.
//!
//! Not here: threads and panics (`source::image`), colour profiles (values pass as they are).

use std::io::Cursor;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, RgbImage, RgbaImage};
use vitrine_config::limits::{IMAGE_PIXELS, IMAGE_SIDE_PX, TEXTURE_SIDE_PX};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::svg;
use crate::place::Fitting;
use crate::scene::Size;

/// A picture, ready for the GPU.
#[derive(Debug)]
pub(super) struct Still {
    /// Of the picture as it is; `size` is what was made of it.
    pub natural: Size,
    pub size: Size,
    /// Premultiplied, four bytes a pixel.
    pub rgba: Vec<u8>,
}

/// Decodes one file, told apart by its bytes.
///
/// # Errors
/// What is wrong with it, wanted and found.
pub(super) fn decode(bytes: &[u8], fitting: &Fitting) -> Result<Still, String> {
    if svg::is_svg(bytes) {
        return svg::render_file(bytes, fitting);
    }
    let picture = match bytes {
        [0xff, 0xd8, 0xff, ..] => jpeg(bytes)?,
        _ => other(bytes)?,
    };
    fit(picture, orientation(bytes), fitting)
}

/// Width and height as the header has them, within the limits.
///
/// # Errors
/// No picture, or one beyond the limits.
pub(super) fn header_size(bytes: &[u8]) -> Result<(u32, u32), String> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => jpeg_header(bytes).map(|(_, size)| size),
        _ => {
            let (width, height) = reader(bytes)?.0.dimensions();
            check_size(width, height)?;
            Ok((width, height))
        }
    }
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

type Jpeg<'a> = JpegDecoder<ZCursor<&'a [u8]>>;

fn jpeg_header(bytes: &[u8]) -> Result<(Jpeg<'_>, (u32, u32)), String> {
    let options = DecoderOptions::default()
        .set_max_width(IMAGE_SIDE_PX as usize)
        .set_max_height(IMAGE_SIDE_PX as usize)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| format!("JPEG: {error:?}"))?;
    let (width, height) = decoder.dimensions().ok_or("JPEG: no size in the header")?;
    let size = (side(width)?, side(height)?);
    check_size(size.0, size.1)?;
    Ok((decoder, size))
}

fn jpeg(bytes: &[u8]) -> Result<DynamicImage, String> {
    let (mut decoder, (width, height)) = jpeg_header(bytes)?;
    if !jpeg_is_whole(bytes) {
        return Err("JPEG: the file ends before its picture does".to_owned());
    }
    let pixels = decoder.decode().map_err(|error| format!("JPEG: {error:?}"))?;
    let picture = RgbImage::from_raw(width, height, pixels);
    picture.map(DynamicImage::ImageRgb8).ok_or_else(|| "JPEG: too few pixels".to_owned())
}

/// Whether there is an end marker behind the start of the picture. The decoder fills up what is
/// missing with grey; a screen must not show that.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
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

fn other(bytes: &[u8]) -> Result<DynamicImage, String> {
    let (decoder, name) = reader(bytes)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    DynamicImage::from_decoder(decoder).map_err(|error| format!("{name}: {error}"))
}

/// The decoder for these bytes, its header read, and what the format is called.
fn reader(bytes: &[u8]) -> Result<(impl image::ImageDecoder + '_, &'static str), String> {
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| format!("picture: {error}"))?;
    let format = reader
        .format()
        .ok_or_else(|| "not a picture: JPEG, PNG, WebP, GIF, BMP and SVG are shown".to_owned())?;
    let name = name(format);
    let decoder = reader.into_decoder().map_err(|error| format!("{name}: {error}"))?;
    Ok((decoder, name))
}

fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Bmp => "BMP",
        _ => "picture",
    }
}

/// How the picture must be turned; upright when the file does not say, or says nonsense.
fn orientation(bytes: &[u8]) -> Orientation {
    let exif = exif::Reader::new().read_from_container(&mut Cursor::new(bytes)).ok();
    let value = exif.and_then(|exif| {
        let field = exif.get_field(exif::Tag::Orientation, exif::In::PRIMARY)?;
        field.value.get_uint(0)
    });
    let value = value.and_then(|value| u8::try_from(value).ok());
    value.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms)
}

/// Scales and turns. Scaling comes first: it leaves less to turn.
fn fit(
    picture: DynamicImage,
    orientation: Orientation,
    fitting: &Fitting,
) -> Result<Still, String> {
    let sideways = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let turn = |size: Size| match sideways {
        true => Size { width_px: size.height_px, height_px: size.width_px },
        false => size,
    };
    let stored = Size { width_px: picture.width(), height_px: picture.height() };
    let natural = turn(stored);
    let wanted = turn(needed(natural, fitting));
    let mut scaled = if picture.color().has_alpha() {
        let mut rgba = picture.into_rgba8();
        premultiply(&mut rgba);
        let mut pixels = resize(rgba.into_raw(), stored, wanted, PixelType::U8x4)?;
        clamp_to_alpha(&mut pixels);
        image_of(RgbaImage::from_raw(wanted.width_px, wanted.height_px, pixels))?
    } else {
        let pixels = resize(picture.into_rgb8().into_raw(), stored, wanted, PixelType::U8x3)?;
        image_of(RgbImage::from_raw(wanted.width_px, wanted.height_px, pixels))?
    };
    scaled.apply_orientation(orientation);
    let size = Size { width_px: scaled.width(), height_px: scaled.height() };
    Ok(Still { natural, size, rgba: scaled.into_rgba8().into_raw() })
}

/// The pixels that are worth making: as many as are shown, as the picture has, as a texture takes.
fn needed(natural: Size, fitting: &Fitting) -> Size {
    let shown = fitting.picture(natural.width_px.into(), natural.height_px.into());
    let width = f64::from(shown.width_px.min(natural.width_px));
    let height = f64::from(shown.height_px.min(natural.height_px));
    let scale = (f64::from(TEXTURE_SIDE_PX) / width.max(height)).min(1.0);
    let side = |length: f64| ((length * scale).round() as u32).clamp(1, TEXTURE_SIDE_PX);
    Size { width_px: side(width), height_px: side(height) }
}

fn resize(pixels: Vec<u8>, from: Size, to: Size, kind: PixelType) -> Result<Vec<u8>, String> {
    if from == to {
        return Ok(pixels);
    }
    let fail = |error: &dyn std::fmt::Display| format!("scaling {from:?} to {to:?}: {error}");
    let source = ImageRef::new(from.width_px, from.height_px, &pixels, kind);
    let source = source.map_err(|error| fail(&error))?;
    let mut scaled = Image::new(to.width_px, to.height_px, kind);
    // Alpha is premultiplied already.
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .use_alpha(false);
    Resizer::new().resize(&source, &mut scaled, &options).map_err(|error| fail(&error))?;
    Ok(scaled.into_vec())
}

fn premultiply(picture: &mut RgbaImage) {
    for pixel in picture.pixels_mut() {
        let [red, green, blue, alpha] = pixel.0;
        let times = |colour: u8| ((u16::from(colour) * u16::from(alpha) + 127) / 255) as u8;
        pixel.0 = [times(red), times(green), times(blue), alpha];
    }
}

/// Lanczos overshoots: no colour may be brighter than its alpha.
fn clamp_to_alpha(pixels: &mut [u8]) {
    for pixel in pixels.chunks_exact_mut(4) {
        if let [red, green, blue, alpha] = pixel {
            for colour in [red, green, blue] {
                *colour = (*colour).min(*alpha);
            }
        }
    }
}

fn image_of<T: Into<DynamicImage>>(picture: Option<T>) -> Result<DynamicImage, String> {
    picture.map(Into::into).ok_or_else(|| "scaling: pixels are missing".to_owned())
}

fn side(length: usize) -> Result<u32, String> {
    u32::try_from(length).map_err(|_| format!("JPEG: {length} pixels a side"))
}
