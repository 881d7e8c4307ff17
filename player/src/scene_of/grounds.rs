//! What lies behind the items of a page, and around it.
//!
//! In:  layouts, the settings. Out: grounds, back to front, and the layers that show them.
//!
//! Pure. Not here: the colours of the page that a whole scene is made on, which are the scene's own.

use vitrine_config::Config;
use vitrine_render::scene::{Base, Fit, Layer, Rgb, Size, Source, Turn};
use vitrine_sync::model::{Digest, Files, Layout};

/// [`Ground::key`] of the picture behind the zones.
pub const BACKGROUND_IMAGE: &str = "background_image";
/// [`Ground::key`] of the picture around the page.
pub const LETTERBOX_IMAGE: &str = "letterbox_image";

/// One thing that lies behind the items of a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ground {
    /// Its key in the manifest.
    pub key: &'static str,
    /// What is seen.
    pub what: Paint,
    /// On which display, from 1.
    pub display: u8,
    /// All of this is covered.
    pub base: Base,
}

/// What a ground is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// An asset.
    Picture(Digest),
    /// Red, green, blue.
    Colour([u8; 3]),
}

/// The pictures of the page that a scene is made on. Its colours are the scene's own
/// ([`super::page`]).
pub fn pictures(layout: Option<&Layout>) -> Vec<Ground> {
    let images = layout.map(|layout| (layout.letterbox_image, layout.background_image));
    let (around, behind) = images.unwrap_or_default();
    let picture = |(key, asset): (_, Option<Digest>)| {
        let what = Paint::Picture(asset?);
        Some(Ground { key, what, display: 1, base: Base::Canvas })
    };
    [(LETTERBOX_IMAGE, around), (BACKGROUND_IMAGE, behind)]
        .into_iter()
        .filter_map(picture)
        .collect()
}

/// What lies behind and around a page that has a display of its own, other than the first, back to
/// front.
pub fn grounds(layout: Option<&Layout>, display: u8, config: &Config) -> Vec<Ground> {
    let own = layout.and_then(|layout| layout.background);
    let behind = layout.and_then(|layout| layout.background_image).map(Paint::Picture);
    let letterbox = layout.and_then(|layout| layout.letterbox).map(Paint::Colour);
    let around = layout.and_then(|layout| layout.letterbox_image).map(Paint::Picture);
    let colour = Paint::Colour(own.unwrap_or(config.screen.background));
    let on_page = own.is_some() || letterbox.is_some() || around.is_some();
    let page = layout.map_or(Base::Edges, base);
    [
        ("letterbox", letterbox.or(Some(colour)), Base::Edges),
        (LETTERBOX_IMAGE, around, Base::Edges),
        ("background", Some(colour).filter(|_| on_page), page),
        (BACKGROUND_IMAGE, behind, page),
    ]
    .into_iter()
    .filter_map(|(key, what, base)| Some(Ground { key, what: what?, display, base }))
    .collect()
}

/// The page of `layout` as what an overlay is placed on.
pub fn base(layout: &Layout) -> Base {
    Base::Page(Size { width_px: layout.width_px, height_px: layout.height_px })
}

/// The layer that shows `ground`: a colour, or a picture cut to cover it; None if its file has no
/// place.
pub fn ground(turn: Turn, ground: &Ground, files: &Files) -> Option<Layer> {
    let source = match ground.what {
        Paint::Picture(asset) => Source::Image { path: files.path(&asset)? },
        Paint::Colour(rgb) => Source::Colour(Rgb(rgb)),
    };
    let (display, base) = (super::place_of(ground.display), ground.base);
    Some(Layer { display, base, fit: Fit::Cover, ..Layer::new(turn, source) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::director::sim::{digest, live_layout};

    #[test]
    fn a_page_with_a_display_of_its_own_leaves_nothing_of_that_free() {
        let mut config = Config::default();
        config.screen.background = [7; 3];
        let plain = live_layout(1, Vec::new()).manifest.layouts["page"].clone();
        let page = base(&plain);
        let (edges, red, blue) = (Base::Edges, [200, 0, 0], [0, 0, 200]);
        let colour = Paint::Colour;
        let wall = Paint::Picture(digest("wall"));
        let with = |background, letterbox, image: bool| Layout {
            background,
            letterbox,
            background_image: image.then(|| digest("wall")),
            ..plain.clone()
        };
        for (case, layout, want) in [
            ("nothing", with(None, None, false), vec![(colour([7; 3]), edges)]),
            (
                "behind",
                with(Some(red), None, false),
                vec![(colour(red), edges), (colour(red), page)],
            ),
            (
                "around, and a picture",
                with(None, Some(blue), true),
                vec![(colour(blue), edges), (colour([7; 3]), page), (wall, page)],
            ),
        ] {
            let found = grounds(Some(&layout), 2, &config);
            assert!(found.iter().all(|ground| ground.display == 2), "case {case:?}");
            let found: Vec<_> = found.iter().map(|ground| (ground.what, ground.base)).collect();
            assert_eq!(found, want, "case {case:?}");
        }
        assert_eq!(grounds(None, 2, &config).len(), 1);
    }
}
