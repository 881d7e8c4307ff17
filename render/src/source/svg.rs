//! Drawings: SVG files and our own cards, rendered at exactly the pixels they cover.
//!
//! Text uses the fonts compiled in (two faces of DejaVu Sans); nothing outside the file is read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{ImageHrefResolver, Options, Tree};
use vitrine_config::limits::{IMAGE_PIXELS, TEXTURE_SIDE_PX};

use super::decode::{Still, header_size};
use crate::place::Fitting;
use crate::scene::Size;

/// Longest SVG: drawings are small; a long one is a picture in disguise, and its tree is far
/// larger than its text.
const SVG_BYTES: usize = 16 << 20;
/// How far into a file its root element is looked for, behind comments and the like.
const HEAD_BYTES: usize = 4_096;

/// DejaVu Sans, as far as cards need it.
pub(super) const REGULAR_FONT: &[u8] = include_bytes!("../../assets/DejaVuSans.subset.ttf");
/// The same in bold.
pub(super) const BOLD_FONT: &[u8] = include_bytes!("../../assets/DejaVuSans-Bold.subset.ttf");

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(REGULAR_FONT.to_vec());
    fonts.load_font_data(BOLD_FONT.to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    fonts.set_serif_family("DejaVu Sans");
    fonts.set_monospace_family("DejaVu Sans");
    Arc::new(fonts)
});

/// Whether these bytes are text with an `<svg` element near the start.
pub(super) fn is_svg(bytes: &[u8]) -> bool {
    let head = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let first = head.iter().find(|byte| !byte.is_ascii_whitespace());
    first == Some(&b'<') && head.windows(4).any(|tag| tag == b"<svg")
}

/// Renders an SVG file to what is shown of it, larger than itself if need be.
///
/// # Errors
/// What is wrong with it.
pub(super) fn render_file(bytes: &[u8], fitting: &Fitting) -> Result<Still, String> {
    if bytes.len() > SVG_BYTES {
        let found = bytes.len();
        return Err(format!("SVG of {found} bytes: at most {SVG_BYTES} are read"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| format!("SVG: not UTF-8: {error}"))?;
    let tree = parse(text)?;
    let size = tree.size();
    let side = |length: f32| length.ceil().clamp(1.0, 1e6) as u32;
    let natural = Size { width_px: side(size.width()), height_px: side(size.height()) };
    let shown = fitting.picture(size.width().into(), size.height().into());
    let longest = f64::from(shown.width_px.max(shown.height_px));
    let scale = (f64::from(TEXTURE_SIDE_PX) / longest).min(1.0);
    let side = |length: u32| ((f64::from(length) * scale) as u32).clamp(1, TEXTURE_SIDE_PX);
    let size = Size { width_px: side(shown.width_px), height_px: side(shown.height_px) };
    Ok(Still { natural, size, rgba: pixels(&tree, size)? })
}

/// Renders one of our own drawings at `size`.
///
/// # Errors
/// Only for a size that no texture has.
pub(crate) fn render(text: &str, size: Size) -> Result<Vec<u8>, String> {
    pixels(&parse(text)?, size)
}

fn parse(text: &str) -> Result<Tree, String> {
    let options = Options {
        image_href_resolver: within_file(),
        font_family: "DejaVu Sans".to_owned(),
        fontdb: FONTS.clone(),
        ..Options::default()
    };
    Tree::from_str(text, &options).map_err(|error| format!("SVG: {error}"))
}

/// Pictures within the file are drawn, as far as they keep to the limits together; names of other
/// files and drawings within drawings are not followed.
fn within_file() -> ImageHrefResolver<'static> {
    let held_pixels = AtomicU64::new(0);
    let draw = ImageHrefResolver::default_data_resolver();
    ImageHrefResolver {
        resolve_data: Box::new(move |kind, data, options| {
            let (width, height) = header_size(&data).ok()?;
            let pixels = u64::from(width) * u64::from(height);
            let before = held_pixels.fetch_add(pixels, Ordering::Relaxed);
            (before + pixels <= IMAGE_PIXELS).then(|| draw(kind, data, options)).flatten()
        }),
        resolve_string: Box::new(|_, _| None),
    }
}

fn pixels(tree: &Tree, size: Size) -> Result<Vec<u8>, String> {
    let Size { width_px, height_px } = size;
    let mut map = Pixmap::new(width_px, height_px)
        .ok_or_else(|| format!("SVG: no room for {width_px}x{height_px} pixels"))?;
    let scale = Transform::from_scale(
        width_px as f32 / tree.size().width(),
        height_px as f32 / tree.size().height(),
    );
    resvg::render(tree, scale, &mut map.as_mut());
    Ok(map.take())
}

/// Width of a line of text in the compiled-in font, in font sizes; `text` is escaped already.
pub(crate) fn text_width_em(text: &str, bold: bool) -> f32 {
    let weight = if bold { "bold" } else { "normal" };
    let line = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"><text font-size="100" font-weight="{weight}" xml:space="preserve">{text}</text></svg>"#
    );
    let tree = parse(&line).ok();
    let node = tree.as_ref().and_then(|tree| tree.root().children().first());
    node.map_or(0.0, |node| node.bounding_box().width() / 100.0)
}
