//! What is played to see how one item follows another: stills and clips, each known by its colour.

use std::path::{Path, PathBuf};
use std::time::Duration;

use image::{Rgb, RgbImage};

use crate::glass::Known;

/// Each still is to be shown for this long.
pub const STILL: Duration = Duration::from_millis(500);
/// The clips of `tests/media/make` last this long.
const CLIP: Duration = Duration::from_millis(400);

/// Files, and how they are known again.
pub struct Reel {
    /// To be played in this order, over and over.
    pub files: Vec<PathBuf>,
    /// The same, on the display.
    pub items: Vec<Known>,
}

impl Reel {
    /// Two stills and four clips of several codecs, sizes and rates, following each other in every
    /// way that there is. `media`: what `tests/media/make` made; stills are put into `dir`.
    pub fn make(media: &Path, dir: &Path) -> Result<Reel, String> {
        let mut reel = Reel { files: Vec::new(), items: Vec::new() };
        for (name, rgb) in [
            ("white.png", [230, 230, 230]),
            ("gap-30.mp4", [0xa0, 0x20, 0x20]),
            ("gap-25.webm", [0xa0, 0xa0, 0x20]),
            ("gap-60.mp4", [0x20, 0x20, 0xa0]),
            ("cyan.png", [20, 220, 220]),
            ("gap-25.mp4", [0x20, 0xa0, 0x20]),
        ] {
            let is_still = name.ends_with(".png");
            let path = if is_still { dir.join(name) } else { media.join(name) };
            if is_still {
                let saved = RgbImage::from_pixel(192, 128, Rgb(rgb)).save(&path);
                saved.map_err(|error| format!("{}: {error}", path.display()))?;
            }
            reel.files.push(path);
            reel.items.push(Known { rgb, lasts: if is_still { STILL } else { CLIP } });
        }
        Ok(reel)
    }
}
