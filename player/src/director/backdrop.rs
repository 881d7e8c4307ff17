//! The pictures behind a layout's zones and around its page: they stay while items come and go.
//!
//! Promise, held by `a_page_stands_without_a_picture_that_fails`: one that fails or is never ready
//! is left out, with a fault, and holds up nothing.
//!
//! Not here: where they lie (`scene_of`).

use std::time::Duration;

use vitrine_config::time::Mono;
use vitrine_render::scene::{Layer, Scene, Turn};
use vitrine_sync::model::{Digest, Layout};

use super::showing::{Maker, Turns};
use crate::scene_of;

/// One of the two pictures of a page.
#[derive(Debug, Clone)]
pub struct Backdrop {
    /// Its key in the manifest.
    pub key: &'static str,
    asset: Digest,
    layer: Layer,
    /// Since when the stage has been asked for it.
    pub asked_at: Option<Mono>,
    /// The stage has everything it needs.
    pub ready: bool,
    /// When it is given up, having left the screen though it is wanted.
    pub left_at: Option<Mono>,
    failed: bool,
}

/// The pictures of a page; none where the layout has none, or its file is not here.
#[derive(Debug, Clone, Default)]
pub struct Backdrops {
    page: Option<Box<Backdrop>>,
    around: Option<Box<Backdrop>>,
}

impl Backdrop {
    fn make(key: &'static str, asset: Option<Digest>, maker: &mut Maker) -> Option<Box<Backdrop>> {
        let live = maker.stock.live;
        let asset = asset.filter(|asset| !live.missing.contains(asset))?;
        let layer = scene_of::backdrop(maker.turns.next(), &asset, &live.files)?;
        let (asked_at, left_at) = (None, None);
        let (ready, failed) = (false, false);
        Some(Box::new(Backdrop { key, asset, layer, asked_at, ready, left_at, failed }))
    }

    /// Its number.
    pub fn turn(&self) -> Turn {
        self.layer.turn
    }

    /// Whether it is left out.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// It cannot be shown: it is left out.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    /// When the stage has taken too long over it; None if it is not waited for.
    pub fn overdue_at(&self, prepare: Duration) -> Option<Mono> {
        self.asked_at.filter(|_| !self.ready && !self.failed).map(|at| at.after(prepare))
    }

    /// Gives it a number that the stage does not know, and another chance.
    pub fn renumber(&mut self, turns: &mut Turns) {
        self.layer.turn = turns.next();
        (self.asked_at, self.left_at) = (None, None);
        (self.ready, self.failed) = (false, false);
    }
}

impl Backdrops {
    /// Those of `layout`; what is the same as before stays on the screen undisturbed.
    pub fn adopt(&mut self, layout: Option<&Layout>, maker: &mut Maker) {
        let images = layout.map(|layout| (layout.background_image, layout.letterbox_image));
        let (page, around) = images.unwrap_or_default();
        for (place, key, asset) in [
            (&mut self.page, "background_image", page),
            (&mut self.around, "letterbox_image", around),
        ] {
            if place.as_ref().map(|backdrop| backdrop.asset) != asset {
                *place = None;
            }
            if place.is_none() {
                *place = Backdrop::make(key, asset, maker);
            }
        }
    }

    /// Puts those that can be shown into `scene`.
    pub fn put(&self, scene: &mut Scene) {
        let layer = |backdrop: &Option<Box<Backdrop>>| {
            backdrop.as_ref().filter(|backdrop| !backdrop.failed).map(|b| b.layer.clone())
        };
        (scene.backdrop, scene.surround_picture) = (layer(&self.page), layer(&self.around));
    }

    pub fn iter(&self) -> impl Iterator<Item = &Backdrop> {
        self.page.iter().chain(&self.around).map(|backdrop| &**backdrop)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Backdrop> {
        self.page.iter_mut().chain(&mut self.around).map(|backdrop| &mut **backdrop)
    }
}
