//! One long line, drawn once and cut into rows that lie below each other in one texture.
//!
//! Each row holds a hair of its neighbours at both ends and nothing above and below, so that it can
//! be shown at any part of a pixel without a seam.

use vitrine_config::limits::TEXTURE_SIDE_PX;

use super::fonts;
use super::sheet::{Paper, Sheet};
use crate::scene::{Size, TextStyle};

/// Free around each row, in pixels: what a linear sampler looks at beyond an edge.
pub(crate) const HAIR_PX: u32 = 1;
/// Pixels of all rows: 32 MiB. A longer line is drawn smaller and shown larger.
const STRIP_PIXELS: u64 = 8 << 20;

/// A line of words, ready to run.
pub(crate) struct Strip {
    /// Of the texture.
    pub size: Size,
    /// Premultiplied, four bytes a pixel.
    pub rgba: Vec<u8>,
    pub shape: Shape,
}

/// How a strip lies in its texture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    /// Of the texture.
    pub size: Size,
    /// From the first letter to the last, in screen pixels.
    pub length_px: f64,
    /// From top to bottom, in screen pixels.
    pub height_px: f64,
    /// Texture pixels to a screen pixel: 1.0, less for a line that is too long.
    pub grain: f64,
    /// Texture pixels of a row without its hairs; the last may hold less.
    pub row_px: u32,
    /// From the top of a row to the top of the next, in texture pixels.
    pub step_px: u32,
    /// The script runs from right to left.
    pub leftward: bool,
}

/// Draws `text` in one line, `scale` screen pixels to a canvas pixel.
///
/// # Errors
/// A font file that cannot be used.
pub(crate) fn strip(text: &str, style: &TextStyle, scale: f64) -> Result<Strip, String> {
    let text = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    let text = text.join(GAP);
    let mut fonts = fonts::lock();
    let mut sheet = Sheet::new(&mut fonts, &text, style, scale, None)?;
    let extent = |sheet: &Sheet| (f64::from(sheet.width_px().max(1.0)), f64::from(sheet.line_px()));
    let (length_px, height_px) = extent(&sheet);
    let too_much = length_px * height_px / STRIP_PIXELS as f64;
    if too_much > 1.0 {
        sheet = Sheet::new(&mut fonts, &text, style, scale / too_much.sqrt(), None)?;
    }
    let (length, height) = extent(&sheet);
    let row_px = TEXTURE_SIDE_PX - 2 * HAIR_PX;
    let step_px = height as u32 + 2 * HAIR_PX;
    let width_px = (length.ceil() as u32).min(row_px) + 2 * HAIR_PX;
    let rows = (length.ceil() as u32).div_ceil(row_px).min(TEXTURE_SIDE_PX / step_px.max(1));
    let mut rgba = Vec::with_capacity(width_px as usize * (rows * step_px) as usize * 4);
    for row in 0..rows {
        let mut paper = Paper::new(width_px, step_px);
        let place = (HAIR_PX as f32 - (row * row_px) as f32, HAIR_PX as f32 + sheet.drop_px());
        sheet.draw(&mut fonts, place, style.colour, &mut paper);
        rgba.extend(paper.rgba);
    }
    let size = Size { width_px, height_px: rows * step_px };
    let (grain, leftward) = (length / length_px, sheet.is_leftward());
    let shape = Shape { size, length_px, height_px, grain, row_px, step_px, leftward };
    Ok(Strip { size, rgba, shape })
}

/// Between what were lines.
const GAP: &str = "   \u{2022}   ";
