//! Words as pictures: shaped with every font there is, drawn on decode threads.
//!
//! In:  words, how they look, the pixels they cover. Out: pixels ([`page`]), or one long line cut
//! into rows that fit a texture ([`strip`]).
//!
//! Promises: nothing is drawn beyond the rectangle; letters that no font has are drawn as boxes and
//! told in the log; the compiled-in font shows Latin, Greek and Cyrillic where none is installed.
//!
//! Not here: which words at which time (`source::clock`), how a strip moves (`source::ticker`).

mod fonts;
mod sheet;
mod strip;

use vitrine_config::limits::TEXTURE_SIDE_PX;

use self::sheet::{Paper, Sheet};
pub(super) use self::strip::{HAIR_PX, Shape, Strip, strip};
use super::decode::Still;
use crate::place::Fitting;
use crate::scene::{Size, TextStyle, VerticalPlace};

/// Draws paragraphs over all of the rectangle.
///
/// # Errors
/// A font file that cannot be used.
pub(super) fn page(text: &str, style: &TextStyle, fitting: &Fitting) -> Result<Still, String> {
    // A rectangle larger than a texture is drawn smaller and shown larger.
    let Size { width_px, height_px } = fitting.covers;
    let shrunk = (f64::from(TEXTURE_SIDE_PX) / f64::from(width_px.max(height_px).max(1))).min(1.0);
    let side = |length: u32| ((f64::from(length) * shrunk).round() as u32).max(1);
    let size = Size { width_px: side(width_px), height_px: side(height_px) };
    let scale = fitting.scale * shrunk;
    let (width, height) = (size.width_px as f32, size.height_px as f32);
    let padding = (style.padding_px.max(0.0) * scale as f32).min(width.min(height) / 2.0);
    let mut fonts = fonts::lock();
    let room = (width - padding * 2.0).max(1.0);
    let sheet = Sheet::new(&mut fonts, text, style, scale, Some(room))?;
    let free = height - padding * 2.0 - sheet.height_px();
    let down = match style.place {
        _ if free < 0.0 => 0.0,
        VerticalPlace::Top => 0.0,
        VerticalPlace::Middle => (free / 2.0).floor(),
        VerticalPlace::Bottom => free.floor(),
    };
    let mut paper = Paper::new(size.width_px, size.height_px);
    sheet.draw(&mut fonts, (padding, padding + down), style.colour, &mut paper);
    Ok(Still { natural: fitting.covers, size, rgba: paper.rgba })
}
