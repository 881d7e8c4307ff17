//! What lies behind a page's items and around the page: it stays while items come and go.
//!
//! Promise, held by `a_page_stands_without_a_picture_that_fails`: one that fails or is never ready
//! is left out, with a fault, and holds up nothing.
//!
//! Not here: what it is and where it lies (`scene_of`).

use std::time::Duration;

use vitrine_config::time::Mono;
use vitrine_render::scene::{Layer, Scene, Turn};

use super::showing::{Maker, Turns};
use crate::scene_of::{self, Ground, Paint};

/// One thing behind the items of a page.
#[derive(Debug, Clone)]
pub struct Backdrop {
    ground: Ground,
    layer: Layer,
    /// Since when the stage has been asked for it.
    pub asked_at: Option<Mono>,
    /// The stage has everything it needs.
    pub ready: bool,
    /// When it is given up, having left the screen though it is wanted.
    pub left_at: Option<Mono>,
    failed: bool,
}

/// All of it, back to front; what has its file not here is left out.
#[derive(Debug, Clone, Default)]
pub struct Backdrops {
    list: Vec<Backdrop>,
}

impl Backdrop {
    fn make(ground: Ground, maker: &mut Maker) -> Option<Backdrop> {
        let live = maker.stock.live;
        if let Paint::Picture(asset) = &ground.what
            && live.missing.contains(asset)
        {
            return None;
        }
        let layer = scene_of::ground(maker.turns.next(), &ground, &live.files)?;
        let (asked_at, left_at) = (None, None);
        let (ready, failed) = (false, false);
        Some(Backdrop { ground, layer, asked_at, ready, left_at, failed })
    }

    /// Its key in the manifest.
    pub fn key(&self) -> &'static str {
        self.ground.key
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
    /// Has these; what is the same as before stays on the screen undisturbed.
    pub fn adopt(&mut self, grounds: Vec<Ground>, maker: &mut Maker) {
        let mut old = std::mem::take(&mut self.list);
        let take_over = |ground: Ground| match old.iter().position(|old| old.ground == ground) {
            Some(place) => Some(old.remove(place)),
            None => Backdrop::make(ground, maker),
        };
        self.list = grounds.into_iter().filter_map(take_over).collect();
    }

    /// Puts those of a whole scene into it.
    pub fn put(&self, scene: &mut Scene) {
        let layer = |key| {
            let found = self.list.iter().find(|backdrop| backdrop.key() == key && !backdrop.failed);
            found.map(|backdrop| backdrop.layer.clone())
        };
        scene.backdrop = layer(scene_of::BACKGROUND_IMAGE);
        scene.surround_picture = layer(scene_of::LETTERBOX_IMAGE);
    }

    /// Those that can be shown, back to front.
    pub fn layers(&self) -> impl Iterator<Item = Layer> + '_ {
        self.iter().filter(|backdrop| !backdrop.failed).map(|backdrop| backdrop.layer.clone())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Backdrop> {
        self.list.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Backdrop> {
        self.list.iter_mut()
    }
}
