//! What is on its way out while something else comes in.
//!
//! In:  the scene that was and the one that is. Out: which of the old layers are still to be seen,
//! below which new one, for how long.
//!
//! Promises: layers with the same turn in both scenes are in no passage; a passage whose new layer
//! goes ends at once; nothing passes without an entrance.
//!
//! Not here: what a passage looks like (`transition`).

use std::collections::BTreeSet;

use vitrine_config::time::Mono;

use super::turns;
use crate::scene::{Layer, Scene, Transition, Turn};

/// Something old that something new takes the place of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Passage<T> {
    pub from: T,
    pub transition: Transition,
    began: Mono,
}

impl<T> Passage<T> {
    /// How much of its time is over at `now`, 0 to 1.
    pub(super) fn share(&self, now: Mono) -> f32 {
        let lasts_s = self.transition.lasts.as_secs_f32();
        if lasts_s > 0.0 { (now.since(self.began).as_secs_f32() / lasts_s).min(1.0) } else { 1.0 }
    }
}

/// Everything on its way out.
#[derive(Debug, Default)]
pub(super) struct Passing {
    page: Option<Passage<Scene>>,
    /// By the turn that comes in; the old layer, if there was one.
    layers: Vec<(Turn, Passage<Option<Layer>>)>,
}

impl Passing {
    /// Nothing is.
    pub(super) fn is_empty(&self) -> bool {
        self.page.is_none() && self.layers.is_empty()
    }

    /// The page on its way out.
    pub(super) fn page(&self) -> Option<&Passage<Scene>> {
        self.page.as_ref()
    }

    /// What `turn` takes the place of.
    pub(super) fn below(&self, turn: Turn) -> Option<&Passage<Option<Layer>>> {
        self.layers.iter().find(|(to, _)| *to == turn).map(|(_, passage)| passage)
    }

    /// The layers on their way out; such as stay are among those of a page.
    pub(super) fn layers(&self) -> impl Iterator<Item = &Layer> {
        let pages = self.page.iter().flat_map(|passage| passage.from.pictures());
        pages.chain(self.layers.iter().filter_map(|(_, passage)| passage.from.as_ref()))
    }

    /// `new` takes the place of `old` at `now`.
    pub(super) fn change(&mut self, old: &Scene, new: &Scene, now: Mono) {
        let (was, is): (BTreeSet<_>, BTreeSet<_>) = (turns(old).collect(), turns(new).collect());
        let same_page = is_same_page(old, new);
        if !same_page {
            *self = Passing::default();
        }
        self.layers.retain(|(to, _)| was.contains(to) && is.contains(to));
        let fresh = new.layers.iter().filter(|layer| !was.contains(&layer.turn));
        let entering = fresh.filter_map(|layer| layer.entrance.map(|entrance| (layer, entrance)));
        let mut gone: Vec<_> =
            old.layers.iter().filter(|layer| !is.contains(&layer.turn)).collect();
        let began = now;
        let passages: Vec<_> = entering
            .map(|(layer, transition)| {
                let place = gone.iter().position(|old| is_same_place(old, layer));
                let from = place.map(|place| gone.remove(place).clone());
                (layer.turn, Passage { from, transition, began })
            })
            .collect();
        let rearranged = !gone.is_empty() && passages.iter().any(|(_, p)| p.from.is_none());
        match passages.first() {
            None => {}
            Some((_, first)) if !same_page || rearranged => {
                if is_hung_alike(old, new) && stay_in_front(old, &is) && stay_in_front(new, &was) {
                    let transition = first.transition;
                    self.page = Some(Passage { from: old.clone(), transition, began });
                } else if same_page {
                    self.layers.extend(passages);
                }
            }
            Some(_) => self.layers.extend(passages),
        }
    }

    /// Lets go of what is out by `now`.
    pub(super) fn settle(&mut self, now: Mono) {
        self.page.take_if(|page| page.share(now) >= 1.0);
        self.layers.retain(|(_, passage)| passage.share(now) < 1.0);
    }

    /// Lets go of `turn`, which is wanted for something else.
    pub(super) fn forget(&mut self, turn: Turn) {
        self.page.take_if(|page| turns(&page.from).any(|other| other == turn));
        let is_it = |from: &Layer| from.turn == turn;
        self.layers.retain(|(_, passage)| !passage.from.as_ref().is_some_and(is_it));
    }
}

fn is_same_page(one: &Scene, other: &Scene) -> bool {
    let turn = |picture: &Option<Layer>| picture.as_ref().map(|layer| layer.turn);
    let behind = |scene: &Scene| {
        let colours = (scene.background, scene.surround);
        (colours, turn(&scene.backdrop), turn(&scene.surround_picture))
    };
    let page = |scene: &Scene| (scene.canvas, scene.margin);
    behind(one) == behind(other) && page(one) == page(other) && is_hung_alike(one, other)
}

/// Whether two scenes come onto the displays in the same way.
fn is_hung_alike(one: &Scene, other: &Scene) -> bool {
    let hung = |scene: &Scene| (scene.rotation, scene.displays, scene.resolution);
    hung(one) == hung(other)
}

fn is_same_place(one: &Layer, other: &Layer) -> bool {
    let at = |layer: &Layer| (layer.display, layer.base, layer.place, layer.turned_deg);
    at(one) == at(other)
}

/// Whether the layers of `scene` with these turns lie in front of all others: such as stay while
/// the page changes behind them.
fn stay_in_front(scene: &Scene, these: &BTreeSet<Turn>) -> bool {
    let layers = scene.layers.iter().map(|layer| layer.turn);
    let mut behind = layers.skip_while(|turn| !these.contains(turn));
    behind.all(|turn| these.contains(&turn))
}
