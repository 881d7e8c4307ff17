//! The frame that shows where the stage stands: scenes and passages, made into draws.
//!
//! Reads the stage, changes nothing: the same stage gives the same frame.

use super::Stage;
use super::passing::Passage;
use super::showing::Showing;
use crate::place::{Area, Fitting, Laid, Quad, View, within_margin};
use crate::scene::{self, Base, Fit, Layer, Rgb, Rotation, Scene, Size, Turn};
use crate::source::Part;
use crate::transition::{Look, looks};

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    /// How windows turn their parts.
    pub rotation: Rotation,
    /// Of the upright picture.
    pub size: Size,
    /// For each display, in the upright pixels of its window: where which part of the picture lies.
    pub parts: Vec<Quad>,
    pub page: Page,
    /// Another page on its way in; [`Paint::Coming`] is a picture of it.
    pub coming: Option<Page>,
    /// Those of the other displays, where each has its own.
    pub others: Vec<Frame>,
}

impl Frame {
    /// The same upright, in its own extent: as people see it.
    pub(crate) fn upright(self) -> Frame {
        let parts = vec![Quad::of(Area::of(self.size))];
        let others = self.others.into_iter().map(Frame::upright).collect();
        Frame { rotation: Rotation::None, parts, others, ..self }
    }

    /// The pictures of all displays that have their own, or the only one.
    pub(crate) fn pictures(&self) -> impl Iterator<Item = &Frame> {
        std::iter::once(self).chain(&self.others)
    }
}

/// One upright picture, to be drawn back to front.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Page {
    pub background: Rgb,
    pub layers: Vec<Drawn>,
}

/// One layer of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Drawn {
    pub paint: Paint,
    pub quad: Quad,
    pub background: Option<Rgb>,
    pub opacity: f32,
}

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// The picture of this turn.
    Turn(Turn),
    /// The background alone.
    Flat,
    /// The whole page that comes in.
    Coming,
}

/// Picture coordinates that no picture has.
const NOWHERE: [f32; 4] = [2.0, 2.0, 3.0, 3.0];

impl Stage {
    /// What the display should show by now. None: a picture that was lost with its GPU is still on
    /// its way, so the display keeps the frame it has.
    pub(super) fn frame(&self) -> Option<Frame> {
        let complete = super::turns(&self.current).all(|turn| {
            let showing = self.showings.get(&turn);
            showing.is_some_and(|showing| showing.uploaded || showing.failed)
        });
        complete.then(|| {
            let others = (1..self.screen.pictures(&self.current)).map(|on| self.frame_of(on));
            Frame { others: others.collect(), ..self.frame_of(0) }
        })
    }

    /// What display `on` should show, from 0.
    fn frame_of(&self, on: u8) -> Frame {
        let (page, coming) = match self.passing.page() {
            Some(passage) => self.change_of_page(passage, on),
            None => (self.page(&self.current, on, |_| true), None),
        };
        let rotation = self.screen.rotation(&self.current);
        let size = self.upright(&self.current, on);
        let parts = self.screen.parts(&self.current, on);
        Frame { rotation, size, parts, page, coming, others: Vec::new() }
    }

    /// The old page, the new one on its way in, and in front what stays.
    fn change_of_page(&self, passage: &Passage<Scene>, on: u8) -> (Page, Option<Page>) {
        let has = |scene: &Scene, turn| super::turns(scene).any(|other| other == turn);
        let stays = |turn| has(&passage.from, turn) && has(&self.current, turn);
        let screen = self.upright(&self.current, on);
        let (old, new) = looks(passage.transition.kind, passage.share(self.composed_at), true);
        let mut page = self.page(&passage.from, on, |turn| !stays(turn));
        let by = [old.shift[0] * screen.width_px as f32, old.shift[1] * screen.height_px as f32];
        for drawn in &mut page.layers {
            drawn.quad = drawn.quad.moved(by.map(f32::floor));
        }
        let all = Laid::new(screen, Area::of(screen), [0.5; 2], 0.0);
        page.layers.extend(all.quad(&new, false).map(|quad| Drawn {
            paint: Paint::Coming,
            quad,
            background: None,
            opacity: new.opacity,
        }));
        page.layers.extend(self.layers(&self.current, on, stays));
        (page, Some(self.page(&self.current, on, |turn| !stays(turn))))
    }

    fn page(&self, scene: &Scene, on: u8, keep: impl Fn(Turn) -> bool) -> Page {
        if scene.apart.contains(&on) {
            let layers = self.layers(scene, on, keep);
            return Page { background: scene.background, layers };
        }
        let surround = scene.surround.filter(|_| scene.canvas.is_some());
        let view = self.view(scene, on);
        let draw = |view: &View, layer: &Layer| self.draw(view, layer, &Look::PLAIN);
        let around =
            scene.surround_picture.as_ref().map(|layer| draw(&self.whole(scene, on), layer));
        let is_apart = surround.is_some() || around.is_some();
        let canvas = is_apart.then(|| Drawn {
            paint: Paint::Flat,
            quad: Quad { uv: NOWHERE, ..Quad::of(view.layer(None)) },
            background: Some(scene.background),
            opacity: 1.0,
        });
        let backdrop = scene.backdrop.as_ref().map(|layer| draw(&view, layer));
        let behind = around.into_iter().flatten().chain(canvas);
        let behind = behind.chain(backdrop.into_iter().flatten());
        let layers = behind.chain(self.layers(scene, on, keep)).collect();
        Page { background: surround.unwrap_or(scene.background), layers }
    }

    fn layers(&self, scene: &Scene, on: u8, keep: impl Fn(Turn) -> bool) -> Vec<Drawn> {
        let mut drawn = Vec::with_capacity(scene.layers.len());
        let is_seen = |layer: &Layer| scene.shows(layer, on) && keep(layer.turn);
        for (place, layer) in scene.layers.iter().enumerate().filter(|(_, l)| is_seen(l)) {
            let view = self.view_of(scene, layer, on);
            match self.passing.below(layer.turn) {
                Some(passage) => {
                    drawn.extend(self.change_of_layer((&view, on), scene, place, passage));
                }
                None => drawn.extend(self.draw(&view, layer, &Look::PLAIN)),
            }
        }
        drawn
    }

    /// The old layer and the new one on its way in. Where nothing but the page lies behind them,
    /// both get its colour: opaque pictures mix without letting through what is behind.
    fn change_of_layer(
        &self,
        (view, on): (&View, u8),
        scene: &Scene,
        place: usize,
        passage: &Passage<Option<Layer>>,
    ) -> Vec<Drawn> {
        let Some(layer) = scene.layers.get(place) else { return Vec::new() };
        let behind = self.colour_behind(scene, place, on);
        let backed =
            |layer: &Layer| Layer { background: layer.background.or(behind), ..layer.clone() };
        let (from, to) = (passage.from.as_ref().map(backed), backed(layer));
        let opaque = |layer: &Layer| layer.background.is_some() && opacity(layer) >= 1.0;
        let covers = from.as_ref().is_none_or(opaque) && opaque(&to);
        let (old, new) = looks(passage.transition.kind, passage.share(self.composed_at), covers);
        let mut drawn = from.map_or_else(Vec::new, |from| self.draw(view, &from, &old));
        drawn.extend(self.draw(view, &to, &new));
        drawn
    }

    /// The colour of everything behind the layer at `place` on display `on`, if it is one.
    fn colour_behind(&self, scene: &Scene, place: usize, on: u8) -> Option<Rgb> {
        let layer = scene.layers.get(place)?;
        let room_of = |layer: &Layer| self.view_of(scene, layer, on).layer(layer.place);
        let room = room_of(layer);
        let turned = |layer: &Layer| layer.turned_deg != 0.0;
        let touches = |other: &Layer| turned(other) || !room.common(room_of(other)).is_empty();
        let mut behind = scene.layers[..place].iter().filter(|other| scene.shows(other, on)).rev();
        if turned(layer) {
            return None;
        }
        if let Some(nearest) = behind.find(|other| touches(other)) {
            let covers = !turned(nearest) && room.common(room_of(nearest)) == room;
            return match nearest.source {
                scene::Source::Colour(rgb) if covers && opacity(nearest) >= 1.0 => Some(rgb),
                _ => None,
            };
        }
        let canvas = self.view(scene, on).layer(None);
        let apart = scene.surround.is_some() || scene.surround_picture.is_some();
        let beyond = apart && room.common(canvas) != room;
        (scene.backdrop.is_none() && !beyond).then_some(scene.background)
    }

    fn draw(&self, view: &View, layer: &Layer, look: &Look) -> Vec<Drawn> {
        let showing = self.showings.get(&layer.turn).filter(|showing| showing.uploaded);
        let size = showing.and_then(Showing::picture);
        let quad = size.and_then(|size| {
            let laid = Laid::new(size, view.layer(layer.place), layer.focus, layer.turned_deg);
            laid.quad(look, layer.background.is_some())
        });
        let (Some(showing), Some(quad)) = (showing, quad) else { return Vec::new() };
        let (paint, background) = (Paint::Turn(layer.turn), layer.background);
        let whole = Drawn { paint, quad, background, opacity: opacity(layer) * look.opacity };
        match showing.source.parts() {
            None => vec![whole],
            Some(parts) => in_parts(whole, parts),
        }
    }

    /// Each picture of `scene` with the pixels that it covers.
    pub(super) fn fittings<'a>(&self, scene: &'a Scene) -> Vec<(&'a Layer, Fitting)> {
        let around = scene.surround_picture.iter().map(|layer| (layer, self.whole(scene, 0)));
        let on_page = scene.backdrop.iter().chain(&scene.layers);
        let on_page = on_page.map(|layer| (layer, self.view_of(scene, layer, layer.display)));
        around.chain(on_page).map(|(layer, view)| (layer, fitting(&view, layer))).collect()
    }

    /// How the base of `layer` lies on the upright screen of display `on`.
    fn view_of(&self, scene: &Scene, layer: &Layer, on: u8) -> View {
        match layer.base {
            Base::Canvas => self.view(scene, on),
            Base::Screen => View::of(None, self.room(scene, on)),
            Base::Edges => self.whole(scene, on),
            Base::Page(size) => View::of(Some(size), self.room(scene, on)),
        }
    }

    /// How the canvas of `scene` lies on the upright screen.
    fn view(&self, scene: &Scene, on: u8) -> View {
        View::of(scene.canvas, self.room(scene, on))
    }

    fn room(&self, scene: &Scene, on: u8) -> Area {
        within_margin(self.upright(scene, on), scene.margin)
    }

    /// All of the upright screen, for what lies around a page.
    fn whole(&self, scene: &Scene, on: u8) -> View {
        View::of(None, Area::of(self.upright(scene, on)))
    }

    fn upright(&self, scene: &Scene, on: u8) -> Size {
        self.screen.picture(scene, on)
    }
}

fn fitting(view: &View, layer: &Layer) -> Fitting {
    // A colour has no shape of its own, nor has a sound.
    let is_plain = matches!(layer.source, scene::Source::Colour(_) | scene::Source::Sound { .. });
    let fit = if is_plain { Fit::Stretch } else { layer.fit };
    Fitting { covers: view.layer(layer.place).size(), fit, scale: view.scale }
}

/// A layer whose picture is seen in parts, over a ground of its own.
fn in_parts(whole: Drawn, parts: &[Part]) -> Vec<Drawn> {
    let quad = Quad { uv: NOWHERE, ..whole.quad };
    let ground = whole.background.map(|_| Drawn { paint: Paint::Flat, quad, ..whole });
    let seen = parts.iter().filter_map(|part| whole.quad.part(part));
    let drawn = seen.map(|quad| Drawn { quad, background: None, ..whole });
    ground.into_iter().chain(drawn).collect()
}

fn opacity(layer: &Layer) -> f32 {
    if layer.opacity.is_nan() { 1.0 } else { layer.opacity.clamp(0.0, 1.0) }
}
