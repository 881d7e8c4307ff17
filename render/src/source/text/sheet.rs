//! From words to pixels: shaped, broken into lines, drawn.

use cosmic_text::fontdb::Family;
use cosmic_text::{
    Align as Side, Attrs, Buffer, LayoutGlyph, Metrics, Shaping, SwashContent, SwashImage, Wrap,
};

use super::fonts::Fonts;
use crate::scene::{Align, Rgb, TextStyle};

/// From one baseline to the next, in font sizes.
const LINE: f32 = 1.25;
/// Largest letters, in pixels: a texture has no more.
const LETTER_PX: f32 = 2_048.0;

/// Shaped words.
pub(super) struct Sheet {
    buffer: Buffer,
}

impl Sheet {
    /// Shapes `text`, `scale` screen pixels to a canvas pixel. Lines break at `width` pixels; None:
    /// nowhere but at their own ends.
    ///
    /// # Errors
    /// A font file that cannot be used.
    pub(super) fn new(
        fonts: &mut Fonts,
        text: &str,
        style: &TextStyle,
        scale: f64,
        width: Option<f32>,
    ) -> Result<Sheet, String> {
        let own = style.font.as_ref().map(|path| fonts.family_of(path)).transpose()?;
        let named = own.as_deref().or(style.family.as_deref());
        let family = named.map_or(Family::SansSerif, Family::Name);
        let size = (style.size_px * scale as f32).clamp(1.0, LETTER_PX);
        let mut buffer = Buffer::new_empty(Metrics::new(size, (size * LINE).ceil()));
        buffer.set_wrap(if style.wrap && width.is_some() { Wrap::WordOrGlyph } else { Wrap::None });
        buffer.set_size(width, None);
        let attrs = Attrs::new().family(family).weight(fonts.weight(family, style.weight));
        let side = match (style.align, width) {
            (Align::Start, _) | (_, None) => None,
            (Align::Centre, Some(_)) => Some(Side::Center),
            (Align::End, Some(_)) => Some(Side::End),
        };
        buffer.set_text(text, &attrs, Shaping::Advanced, side);
        buffer.shape_until_scroll(&mut fonts.system, false);
        let sheet = Sheet { buffer };
        let missing = sheet.glyphs().filter(|(_, glyph)| glyph.glyph_id == 0).count();
        if missing > 0 {
            tracing::warn!(missing, "no font has some letters of a text: install one that does");
        }
        Ok(sheet)
    }

    /// Height of all lines.
    pub(super) fn height_px(&self) -> f32 {
        self.buffer.layout_runs().map(|run| run.line_top + run.line_height).fold(0.0, f32::max)
    }

    /// Height of the tallest line, letters that reach beyond it included.
    pub(super) fn line_px(&self) -> f32 {
        let lines = self.buffer.lines.iter().filter_map(|line| line.layout_opt()).flatten();
        let tall = lines.map(|line| line.max_ascent + line.max_descent);
        tall.fold(self.buffer.metrics().line_height, f32::max).ceil()
    }

    /// How far the first line is moved down for its letters to have room.
    pub(super) fn drop_px(&self) -> f32 {
        ((self.line_px() - self.buffer.metrics().line_height) / 2.0).floor()
    }

    /// Width of the longest line.
    pub(super) fn width_px(&self) -> f32 {
        self.buffer.layout_runs().map(|run| run.line_w).fold(0.0, f32::max)
    }

    /// Whether the first line runs from right to left.
    pub(super) fn is_leftward(&self) -> bool {
        self.buffer.layout_runs().next().is_some_and(|run| run.rtl)
    }

    /// Draws all of it, its top left corner at (`x`, `y`).
    pub(super) fn draw(&self, fonts: &mut Fonts, (x, y): (f32, f32), ink: Rgb, onto: &mut Paper) {
        for (line_y, glyph) in self.glyphs() {
            let physical = glyph.physical((x, y + line_y), 1.0);
            // No letter reaches further than this beyond its place.
            let reach = (glyph.w + glyph.font_size * 2.0) as i32;
            let seen = -reach..=onto.width_px as i32 + reach;
            if !seen.contains(&physical.x) {
                continue;
            }
            let image = fonts.cache.get_image_uncached(&mut fonts.system, physical.cache_key);
            if let Some(image) = image {
                let left = physical.x + image.placement.left;
                let top = physical.y - image.placement.top;
                onto.stamp(&image, (left, top), ink);
            }
        }
    }

    /// Every glyph with the baseline that it stands on.
    fn glyphs(&self) -> impl Iterator<Item = (f32, &LayoutGlyph)> {
        let runs = self.buffer.layout_runs();
        runs.flat_map(|run| run.glyphs.iter().map(move |glyph| (run.line_y, glyph)))
    }
}

/// Pixels to be drawn on: premultiplied, four bytes each.
pub(super) struct Paper {
    pub width_px: u32,
    pub height_px: u32,
    pub rgba: Vec<u8>,
}

impl Paper {
    /// See-through.
    pub(super) fn new(width_px: u32, height_px: u32) -> Paper {
        let pixels = width_px as usize * height_px as usize;
        Paper { width_px, height_px, rgba: vec![0; pixels * 4] }
    }

    /// Puts a glyph over what is there.
    fn stamp(&mut self, image: &SwashImage, (left, top): (i32, i32), Rgb(ink): Rgb) {
        let (width, height) = (image.placement.width, image.placement.height);
        let step = match image.content {
            SwashContent::Mask => 1,
            SwashContent::Color | SwashContent::SubpixelMask => 4,
        };
        let rows = image.data.chunks_exact((width as usize * step).max(1));
        for (y, row) in (top..).zip(rows.take(height as usize)) {
            for (x, sample) in (left..).zip(row.chunks_exact(step)) {
                let (colour, alpha) = match *sample {
                    [cover] => (ink, cover),
                    [red, green, blue, alpha] => ([red, green, blue], alpha),
                    _ => continue,
                };
                if let Some(pixel) = self.pixel(x, y).filter(|_| alpha > 0) {
                    over(pixel, colour, alpha);
                }
            }
        }
    }

    fn pixel(&mut self, x: i32, y: i32) -> Option<&mut [u8]> {
        let x = u32::try_from(x).ok().filter(|x| *x < self.width_px)?;
        let y = u32::try_from(y).ok().filter(|y| *y < self.height_px)?;
        let at = (y as usize * self.width_px as usize + x as usize) * 4;
        self.rgba.get_mut(at..at + 4)
    }
}

/// A straight colour over a premultiplied pixel.
fn over(pixel: &mut [u8], colour: [u8; 3], alpha: u8) {
    let (top, below) = (u16::from(alpha), u16::from(255 - alpha));
    let mix =
        |from: u8, to: u8| ((u16::from(from) * top + u16::from(to) * below + 127) / 255) as u8;
    for (to, from) in pixel.iter_mut().zip(colour.into_iter().chain([255])) {
        *to = mix(from, *to);
    }
}
