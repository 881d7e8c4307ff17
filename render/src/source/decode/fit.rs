//! From a picture as its file has it to the one that is shown: scaled, coloured, turned.
//!
//! Scaling comes first where it can: it leaves less to do for the rest. With alpha it cannot:
//! colours are made on straight alpha, scaling wants it premultiplied.

use fast_image_resize::images::TypedImage;
use fast_image_resize::pixels::{U8, U8x3, U8x4};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, RgbImage, RgbaImage};
use vitrine_config::limits::TEXTURE_SIDE_PX;

use super::{Raw, Samples, Still, straight};
use crate::place::Fitting;
use crate::scene::Size;

/// Makes what is shown of `raw`.
///
/// # Errors
/// Only what no picture within the limits runs into.
pub(crate) fn fit(raw: Raw, orientation: Orientation, fitting: &Fitting) -> Result<Still, String> {
    fit_scaled(raw.size, raw, orientation, fitting)
}

/// The same of a picture of `full` size in its file, which may be scaled to [`scaled_size`] already.
///
/// # Errors
/// As [`fit`].
pub(super) fn fit_scaled(
    full: Size,
    raw: Raw,
    orientation: Orientation,
    fitting: &Fitting,
) -> Result<Still, String> {
    let natural = turned(full, orientation);
    let wanted = scaled_size(full, orientation, fitting);
    let mut picture = match raw.samples {
        Samples::GreyAlpha | Samples::Rgba => blended(raw, wanted)?,
        Samples::Grey | Samples::Rgb | Samples::Cmyk => opaque(raw, wanted)?,
    };
    picture.apply_orientation(orientation);
    let size = Size { width_px: picture.width(), height_px: picture.height() };
    Ok(Still { natural, size, rgba: picture.into_rgba8().into_raw() })
}

/// The size, before it is turned, of what is made of a picture of `full` size.
pub(super) fn scaled_size(full: Size, orientation: Orientation, fitting: &Fitting) -> Size {
    turned(needed(turned(full, orientation), fitting), orientation)
}

fn turned(size: Size, orientation: Orientation) -> Size {
    match is_sideways(orientation) {
        true => Size { width_px: size.height_px, height_px: size.width_px },
        false => size,
    }
}

fn is_sideways(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

fn opaque(raw: Raw, wanted: Size) -> Result<DynamicImage, String> {
    let Raw { size, samples, data, profile } = raw;
    let data = match samples {
        Samples::Grey => resize::<U8>(data, size, wanted),
        Samples::Cmyk => resize::<U8x4>(data, size, wanted),
        _ => resize::<U8x3>(data, size, wanted),
    }?;
    let rgb = match (profile, samples) {
        (Some(profile), _) => profile.to_srgb(&data)?,
        (None, Samples::Grey) => data.iter().flat_map(|grey| [*grey; 3]).collect(),
        (None, Samples::Cmyk) => data.chunks_exact(4).flat_map(of_inks).collect(),
        (None, _) => data,
    };
    image_of(RgbImage::from_raw(wanted.width_px, wanted.height_px, rgb))
}

fn blended(raw: Raw, wanted: Size) -> Result<DynamicImage, String> {
    let Raw { size, samples, data, profile } = raw;
    let mut rgba = match profile {
        Some(profile) => profile.to_srgb(&data)?,
        None => straight(size, samples, data)?,
    };
    premultiply(&mut rgba);
    let mut rgba = resize::<U8x4>(rgba, size, wanted)?;
    clamp_to_alpha(&mut rgba);
    image_of(RgbaImage::from_raw(wanted.width_px, wanted.height_px, rgba))
}

/// Light that is left after four inks, when nobody says how they look.
fn of_inks(pixel: &[u8]) -> [u8; 3] {
    let [cyan, magenta, yellow, black] = *pixel else { return [0; 3] };
    let light = |ink: u8| u16::from(255 - ink);
    [cyan, magenta, yellow].map(|ink| ((light(ink) * light(black) + 127) / 255) as u8)
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

fn resize<P: PixelTrait>(pixels: Vec<u8>, from: Size, to: Size) -> Result<Vec<u8>, String> {
    scale::<P>(pixels, (from, from), to)
}

/// Scales samples to `to`. There are as many as `from` says, for a picture of `of`, of which they may
/// be every second: of odd sizes the last ones reach beyond it.
///
/// The kinds of pixels that are in use are named by type, and all images are one type: chosen when it
/// runs, or with other views, the program has the code of all the others, 3 MB of it.
///
/// # Errors
/// Only what no picture within the limits runs into.
pub(super) fn scale<P: PixelTrait>(
    mut pixels: Vec<u8>,
    (from, of): (Size, Size),
    to: Size,
) -> Result<Vec<u8>, String> {
    if from == to && from == of {
        return Ok(pixels);
    }
    let fail = |error: &dyn std::fmt::Display| format!("scaling {from:?} to {to:?}: {error}");
    let source = TypedImage::<P>::from_buffer(from.width_px, from.height_px, &mut pixels);
    let source = source.map_err(|error| fail(&error))?;
    let mut scaled = vec![0; to.width_px as usize * to.height_px as usize * P::size()];
    let target = TypedImage::<P>::from_buffer(to.width_px, to.height_px, &mut scaled);
    let mut target = target.map_err(|error| fail(&error))?;
    // Alpha is premultiplied already, and the fourth ink is none.
    let share = |samples: u32, pixels: u32| {
        if samples < pixels { f64::from(pixels) / 2.0 } else { f64::from(samples) }
    };
    let (width, height) = (share(from.width_px, of.width_px), share(from.height_px, of.height_px));
    // Between samples that are fewer than pixels nothing is made up.
    let filter =
        if from.width_px < to.width_px { FilterType::Bilinear } else { FilterType::Lanczos3 };
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .crop(0.0, 0.0, width, height)
        .use_alpha(false);
    let done = Resizer::new().resize_typed(&source, &mut target, &options);
    done.map_err(|error| fail(&error))?;
    Ok(scaled)
}

fn premultiply(rgba: &mut [u8]) {
    for pixel in rgba.chunks_exact_mut(4) {
        let [red, green, blue, alpha] = pixel else { continue };
        for colour in [red, green, blue] {
            *colour = ((u16::from(*colour) * u16::from(*alpha) + 127) / 255) as u8;
        }
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
