//! AVIF: still pictures coded as a frame of AV1, and their alpha as another one.
//!
//! In:  a file's bytes; then its frames, decoded elsewhere. Out: what a decoder is to be given; then
//! a picture like any other.
//!
//! The decoder is C, so it runs in a media worker (`source::coded`), which knows nothing of the
//! container: each frame is handed to it as a film of one picture (IVF).
//!
//! Promises: what is said of a picture and not known here is refused, not passed over; no bytes do
//! harm (`any_bytes_are_read_without_harm`); an AVIF that moves shows its one still picture.
//!
//! Sources: AVIF 1.1 (AOM), sections 2 and 4; MIAF, ISO/IEC 23000-22, section 7.3.6 (order of turns);
//! ITU-T H.273 (numbers of colours).

use fast_image_resize::pixels::U8;
use image::metadata::Orientation;

use super::fit::{fit_scaled, scale, scaled_size};
use super::heif::{Heif, Name, Property, Reader, has_brand};
use super::icc::Profile;
use super::{Raw, Samples, Still, check_size};
use crate::colour;
use crate::place::Fitting;
use crate::scene::Size;
use crate::source::{Colour, Light};
use crate::worker::layout::{Format, PlaneAt, Shape};

/// The item that is an alpha says so by this.
const ALPHA: &[u8] = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0";

/// A picture that is still to be decoded.
#[derive(Debug)]
pub(crate) struct Avif {
    /// As films of one frame each.
    pub colour: Vec<u8>,
    pub alpha: Option<Vec<u8>>,
    pub about: About,
}

/// What its container says of a picture.
#[derive(Debug)]
pub(crate) struct About {
    pub size: Size,
    orientation: Orientation,
    /// The colours are made for their alpha already.
    premultiplied: bool,
    icc: Option<Vec<u8>>,
    numbers: Option<Numbers>,
}

/// Colours by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbers {
    primaries: u64,
    transfer: u64,
    matrix: u64,
    full_range: bool,
}

/// A frame as it comes from a decoder.
#[derive(Clone, Copy)]
pub(crate) struct Decoded<'a> {
    pub shape: Shape,
    /// Where the planes of `shape` lie.
    pub slot: &'a [u8],
    /// As the frame itself says.
    pub colour: Colour,
}

/// Whether these are the bytes of an AVIF.
pub(crate) fn is_avif(bytes: &[u8]) -> bool {
    has_brand(bytes, &[*b"avif", *b"avis"])
}

/// Whether these are the bytes of its elder sister, whose codecs nobody here may ship.
pub(crate) fn is_heic(bytes: &[u8]) -> bool {
    has_brand(bytes, &[*b"heic", *b"heix", *b"heim", *b"hevc", *b"mif1", *b"msf1"])
}

impl Avif {
    /// Reads the container.
    ///
    /// # Errors
    /// What is wrong with it, or how it is made that is not shown here.
    pub(crate) fn read(bytes: &[u8]) -> Result<Avif, String> {
        read(bytes).map_err(|error| format!("AVIF: {error}"))
    }
}

fn read(bytes: &[u8]) -> Result<Avif, String> {
    let heif = Heif::read(bytes)?;
    let item = heif.primary;
    let about = About::read(&heif, item)?;
    let alpha = alpha(&heif, item)?;
    let film = |item| film(&heif, item, about.size);
    let (colour, alpha) = (film(item)?, alpha.map(film).transpose()?);
    Ok(Avif { colour, alpha, about })
}

/// One frame of AV1 as a film. Source: the format has no standard; FFmpeg's `ivfenc` writes it so.
fn film(heif: &Heif, item: u32, size: Size) -> Result<Vec<u8>, String> {
    match heif.kind(item) {
        Some(b"av01") => {}
        Some(b"grid") => return Err("it is made of tiles; save it in one piece".to_owned()),
        other => {
            let kind = String::from_utf8_lossy(other.unwrap_or(b"none")).into_owned();
            return Err(format!("its picture is of kind {kind:?}, want \"av01\""));
        }
    }
    let data = heif.data(item)?;
    // A frame begins with a mark that items leave out: an open bitstream unit of type 2.
    let has_mark = data.first().is_some_and(|head| head >> 3 & 15 == 2);
    let mark: &[u8] = if has_mark { &[] } else { &[0x12, 0] };
    let length = u32::try_from(mark.len() + data.len()).map_err(|_| "too large")?;
    let side = |px: u32| (px.min(u32::from(u16::MAX)) as u16).to_le_bytes();
    let mut film = b"DKIF\0\0\x20\0AV01".to_vec();
    film.extend([side(size.width_px), side(size.height_px)].concat());
    // One frame at one a second, and what is not used.
    film.extend([1u32, 1, 1, 0, length, 0, 0].map(u32::to_le_bytes).concat());
    film.extend_from_slice(mark);
    film.extend_from_slice(&data);
    Ok(film)
}

/// The item with the alpha of `item`.
fn alpha(heif: &Heif, item: u32) -> Result<Option<u32>, String> {
    let to_it = heif.references(b"auxl")?.into_iter().filter(|(_, to)| *to == item);
    for (auxiliary, _) in to_it {
        let is_alpha = |own: &Property| own.name == *b"auxC" && own.body.0.get(4..) == Some(ALPHA);
        if heif.properties(auxiliary)?.iter().any(is_alpha) {
            return Ok(Some(auxiliary));
        }
    }
    Ok(None)
}

impl About {
    fn read(heif: &Heif, item: u32) -> Result<About, String> {
        let mut size = None;
        let mut about = About {
            size: Size { width_px: 0, height_px: 0 },
            orientation: Orientation::NoTransforms,
            premultiplied: heif.references(b"prem")?.iter().any(|(from, _)| *from == item),
            icc: None,
            numbers: None,
        };
        for Property { name, mut body, essential } in heif.properties(item)? {
            match &name {
                b"ispe" => {
                    body.uint(4)?;
                    let (width, height) = (body.uint(4)? as u32, body.uint(4)? as u32);
                    check_size(width, height)?;
                    size = Some(Size { width_px: width, height_px: height });
                }
                b"colr" => about.take_colour(body)?,
                b"irot" => about.turn(quarters(body.uint(1)?)),
                b"imir" => about.turn(mirror(body.uint(1)?)),
                b"av1C" | b"pixi" | b"pasp" | b"auxC" => {}
                _ if essential => return Err(unknown(name)),
                _ => {}
            }
        }
        about.size = size.ok_or("it does not say how large it is")?;
        Ok(about)
    }

    fn take_colour(&mut self, mut body: Reader) -> Result<(), String> {
        match body.take(4)? {
            b"nclx" => {
                let [primaries, transfer, matrix] = [body.uint(2)?, body.uint(2)?, body.uint(2)?];
                let full_range = body.uint(1)? & 0x80 != 0;
                self.numbers = Some(Numbers { primaries, transfer, matrix, full_range });
            }
            b"prof" | b"rICC" => self.icc = Some(body.0.to_vec()),
            _ => {}
        }
        Ok(())
    }

    /// A turn after those before.
    fn turn(&mut self, then: Orientation) {
        self.orientation = after(self.orientation, then);
    }

    /// What the frame's numbers mean: the container has the word before the frame.
    fn colour(&self, told: Colour) -> Colour {
        let Some(Numbers { matrix, full_range, primaries, transfer }) = self.numbers else {
            return told;
        };
        let (kr, kb) = match matrix {
            1 => (0.2126, 0.0722),
            5 | 6 => (0.299, 0.114),
            9 => (0.2627, 0.0593),
            _ => (told.kr, told.kb),
        };
        let light = match (transfer, primaries) {
            (16, _) => Light::Pq,
            (18, _) => Light::Hlg,
            (_, 9) => Light::Wide,
            _ => Light::Sdr,
        };
        Colour { kr, kb, full_range, light, ..told }
    }

    fn is_rgb(&self) -> bool {
        self.numbers.is_some_and(|numbers| numbers.matrix == 0)
    }

    fn profile(&self, light: Light, samples: Samples) -> Option<Profile> {
        match (&self.icc, self.numbers) {
            (Some(icc), _) => Profile::read(icc, samples),
            // The numbers of Display P3.
            (None, Some(Numbers { primaries: 12, transfer: 1 | 2 | 6 | 13, .. })) => {
                Profile::display_p3(samples)
            }
            (None, _) => Profile::of_light(light, samples),
        }
    }

    /// Makes what is shown of its frames.
    ///
    /// # Errors
    /// Frames that are not what the container says.
    pub(crate) fn still(
        &self,
        frame: Decoded,
        alpha: Option<Decoded>,
        fitting: &Fitting,
    ) -> Result<Still, String> {
        let Size { width_px, height_px } = self.size;
        for Decoded { shape, .. } in alpha.iter().chain([&frame]) {
            if (shape.width_px(), shape.height_px()) != (width_px, height_px) {
                return Err(format!(
                    "AVIF: a frame of {}x{} pixels, its container says {width_px}x{height_px}",
                    shape.width_px(),
                    shape.height_px()
                ));
            }
        }
        let colour = self.colour(frame.colour);
        // What is see-through is scaled when its alpha is known.
        let size = match alpha {
            Some(_) => self.size,
            None => scaled_size(self.size, self.orientation, fitting),
        };
        let mut data = rgb(&frame, colour, self.is_rgb(), size)?;
        let samples = if alpha.is_some() { Samples::Rgba } else { Samples::Rgb };
        if let Some(alpha) = alpha {
            data = with_alpha(&data, &alpha, self.premultiplied);
        }
        let mut raw = Raw::new((size.width_px, size.height_px), samples, data, None)?;
        raw.profile = self.profile(colour.light, samples);
        fit_scaled(self.size, raw, self.orientation, fitting)
    }
}

fn unknown(name: Name) -> String {
    let name = String::from_utf8_lossy(&name).into_owned();
    format!("it cannot be shown without {name:?}, which is not known here")
}

/// By quarters, anticlockwise.
fn quarters(angle: u64) -> Orientation {
    match angle & 3 {
        0 => Orientation::NoTransforms,
        1 => Orientation::Rotate270,
        2 => Orientation::Rotate180,
        _ => Orientation::Rotate90,
    }
}

fn mirror(axis: u64) -> Orientation {
    if axis & 1 == 0 { Orientation::FlipVertical } else { Orientation::FlipHorizontal }
}

/// One turn and then another one.
fn after(first: Orientation, then: Orientation) -> Orientation {
    let ((quarters, flipped), (more, again)) = (parts(first), parts(then));
    // A mirror turns round what comes before it when both change places.
    let quarters = if flipped { quarters + 4 - more } else { quarters + more };
    match (quarters % 4, flipped != again) {
        (0, false) => Orientation::NoTransforms,
        (1, false) => Orientation::Rotate90,
        (2, false) => Orientation::Rotate180,
        (_, false) => Orientation::Rotate270,
        (0, true) => Orientation::FlipHorizontal,
        (1, true) => Orientation::Rotate90FlipH,
        (2, true) => Orientation::FlipVertical,
        (_, true) => Orientation::Rotate270FlipH,
    }
}

/// Clockwise quarters, then left and right exchanged or not.
fn parts(orientation: Orientation) -> (u32, bool) {
    match orientation {
        Orientation::NoTransforms => (0, false),
        Orientation::Rotate90 => (1, false),
        Orientation::Rotate180 => (2, false),
        Orientation::Rotate270 => (3, false),
        Orientation::FlipHorizontal => (0, true),
        Orientation::Rotate90FlipH => (1, true),
        Orientation::FlipVertical => (2, true),
        Orientation::Rotate270FlipH => (3, true),
    }
}

/// Red, green and blue of every pixel, of which there are as many as in `to`.
fn rgb(frame: &Decoded, colour: Colour, is_rgb: bool, to: Size) -> Result<Vec<u8>, String> {
    let rows = colour::rows(colour).map(|row| row.map(|factor| factor * 255.0));
    let [luma, cb, cr] = signals(frame, to)?;
    let pixel = |((luma, cb), cr): ((&u8, &u8), &u8)| {
        if is_rgb {
            // Green, blue and red in the places of luma and chroma.
            return [*cr, *luma, *cb];
        }
        let [y, cb, cr] = [*luma, *cb, *cr].map(|code| f32::from(code) / 255.0);
        rows.map(|row| (row[0] * y + row[1] * cb + row[2] * cr + row[3]).round() as u8)
    };
    Ok(luma.iter().zip(&cb).zip(&cr).flat_map(pixel).collect())
}

/// Luma and both chroma signals, a sample for each pixel of `to`. Scaling comes before colours: it
/// leaves less to do. Chroma lies between the pixels that share it, as encoders of stills have it.
fn signals(frame: &Decoded, to: Size) -> Result<[Vec<u8>; 3], String> {
    let whole = Size { width_px: frame.shape.width_px(), height_px: frame.shape.height_px() };
    let [luma, second, third] = frame.shape.planes().map(|plane| packed(frame.slot, &plane));
    let full = |plane| scale::<U8>(plane, (whole, whole), to);
    let half =
        Size { width_px: whole.width_px.div_ceil(2), height_px: whole.height_px.div_ceil(2) };
    let halved = |plane| scale::<U8>(plane, (half, whole), to);
    Ok(match frame.shape.format() {
        Format::I444 => [full(luma)?, full(second)?, full(third)?],
        Format::Grey => {
            let luma = full(luma)?;
            let none = vec![128; luma.len()];
            [luma, none.clone(), none]
        }
        Format::I420 => [full(luma)?, halved(second)?, halved(third)?],
        Format::Nv12 => {
            let one = |first: usize| second.iter().skip(first).step_by(2).copied().collect();
            [full(luma)?, halved(one(0))?, halved(one(1))?]
        }
    })
}

/// The samples of a plane without what is between its rows; the worker's link has made sure that
/// they are there.
fn packed(slot: &[u8], plane: &PlaneAt) -> Vec<u8> {
    let rows = (0..plane.rows as usize).flat_map(|y| {
        let start = plane.offset_bytes + y * plane.stride_bytes as usize;
        slot.get(start..start + plane.row_bytes as usize)
    });
    rows.collect::<Vec<_>>().concat()
}

/// Adds straight alpha, which is of full range by definition.
fn with_alpha(rgb: &[u8], alpha: &Decoded, premultiplied: bool) -> Vec<u8> {
    let [luma, ..] = alpha.shape.planes();
    let alphas = packed(alpha.slot, &luma);
    let straight = |code: u8, alpha: u8| match (premultiplied, alpha) {
        (true, 1..) => (u32::from(code) * 255 / u32::from(alpha)).min(255) as u8,
        _ => code,
    };
    let pixel = |(colours, alpha): (&[u8], &u8)| match *colours {
        [red, green, blue] => {
            let [red, green, blue] = [red, green, blue].map(|code| straight(code, *alpha));
            [red, green, blue, *alpha]
        }
        _ => [0; 4],
    };
    rgb.chunks_exact(3).zip(&alphas).flat_map(pixel).collect()
}

#[cfg(test)]
mod tests;
