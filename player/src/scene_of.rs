//! The one seam between what sync knows and what render knows.
//!
//! In:  items and layouts of the content model, where files lie, the settings.
//! Out: layers and pages of a scene.
//!
//! Pure. Not here: which item, when, and under which turn (`director`).

use std::time::Duration;

use vitrine_config::Config;
use vitrine_config::model::{AudioDevice, Rotation as Turned};
use vitrine_render::scene::{
    AudioOut, Card, Fit, Layer, Rect, Rgb, Rotation, Scene, Size, Source, Transition,
    TransitionKind, Turn, Way,
};
use vitrine_sync::model::{self, Content, Files, Item, Layout, Playlist, Zone};

/// Where on a page a playlist plays.
#[derive(Debug, Clone, PartialEq)]
pub struct Spot {
    /// Zone of the layout; None: the whole screen.
    pub zone: Option<String>,
    /// None: the whole canvas.
    pub place: Option<Rect>,
    /// 0.0 to 1.0.
    pub opacity: f32,
    /// Clockwise.
    pub turned_deg: f32,
    /// How items come in where neither they nor their playlists say so.
    pub transition: Option<model::Transition>,
}

impl Spot {
    /// The whole screen.
    pub fn screen() -> Spot {
        Spot { zone: None, place: None, opacity: 1.0, turned_deg: 0.0, transition: None }
    }

    /// A zone of `layout`.
    pub fn zone(zone: &Zone, layout: &Layout) -> Spot {
        let place = Rect {
            x_px: zone.x_px as f32,
            y_px: zone.y_px as f32,
            width_px: zone.width_px as f32,
            height_px: zone.height_px as f32,
        };
        Spot {
            zone: Some(zone.id.clone()),
            place: Some(place),
            opacity: zone.opacity,
            turned_deg: zone.rotation_deg,
            transition: layout.transition,
        }
    }
}

/// An empty page: of `layout`, or the screen itself.
pub fn page(layout: Option<&Layout>, config: &Config) -> Scene {
    let own = layout.and_then(|layout| layout.background);
    Scene {
        background: Rgb(own.unwrap_or(config.screen.background)),
        canvas: layout
            .map(|layout| Size { width_px: layout.width_px, height_px: layout.height_px }),
        rotation: rotation(config.screen.rotation),
        surround: layout.and_then(|layout| layout.letterbox).map(Rgb),
        ..Scene::default()
    }
}

/// The layer that shows `item` at `spot`; None if its file has no place.
pub fn layer(
    turn: Turn,
    item: &Item,
    spot: &Spot,
    files: &Files,
    config: &Config,
) -> Option<Layer> {
    Some(Layer {
        turn,
        source: source(item, files, config)?,
        place: spot.place,
        fit: fit(item.fit),
        background: item.background.map(Rgb),
        focus: item.focus,
        turned_deg: spot.turned_deg,
        opacity: spot.opacity,
        entrance: None,
    })
}

/// How `item` of `playlist` comes in at `spot`: as it says itself, else as its playlist, else as its
/// layout does. `stays`: for how long, where that is known.
pub fn entrance(
    item: &Item,
    playlist: Option<&Playlist>,
    spot: &Spot,
    stays: Option<Duration>,
) -> Option<Transition> {
    let of_list = playlist.and_then(|playlist| playlist.transition);
    let model::Transition { kind, lasts } = item.transition.or(of_list).or(spot.transition)?;
    // What is on its way in for longer than it stays would never be there.
    let lasts = stays.map_or(lasts, |stays| lasts.min(stays));
    Some(Transition { kind: transition(kind)?, lasts }).filter(|_| !lasts.is_zero())
}

/// None: a cut.
fn transition(kind: model::TransitionKind) -> Option<TransitionKind> {
    use model::TransitionKind as Kind;
    Some(match kind {
        Kind::Cut | Kind::Unknown => return None,
        Kind::Fade => TransitionKind::Fade,
        Kind::SlideLeft => TransitionKind::Slide(Way::Left),
        Kind::SlideRight => TransitionKind::Slide(Way::Right),
        Kind::SlideUp => TransitionKind::Slide(Way::Up),
        Kind::SlideDown => TransitionKind::Slide(Way::Down),
        Kind::WipeLeft => TransitionKind::Wipe(Way::Left),
        Kind::WipeRight => TransitionKind::Wipe(Way::Right),
        Kind::WipeUp => TransitionKind::Wipe(Way::Up),
        Kind::WipeDown => TransitionKind::Wipe(Way::Down),
        Kind::Zoom => TransitionKind::Zoom,
    })
}

/// A built-in picture over the whole canvas.
pub fn card(turn: Turn, card: Card) -> Layer {
    whole(turn, Source::Card(card))
}

/// The background as a layer: what comes after the last item of a play that ends.
pub fn curtain(turn: Turn, config: &Config) -> Layer {
    whole(turn, Source::Colour(Rgb(config.screen.background)))
}

fn whole(turn: Turn, source: Source) -> Layer {
    Layer::new(turn, source)
}

fn source(item: &Item, files: &Files, config: &Config) -> Option<Source> {
    Some(match &item.content {
        Content::Image(asset) => Source::Image { path: files.path(asset)? },
        Content::Video(asset) => Source::Video {
            path: files.path(asset)?,
            volume: item.volume * config.audio.volume,
            // A video with a duration of its own is repeated if it is shorter.
            looped: item.duration.is_some(),
            audio: audio(&config.audio.device),
        },
        Content::Colour(rgb) => Source::Colour(Rgb(*rgb)),
    })
}

fn audio(device: &AudioDevice) -> AudioOut {
    match device {
        AudioDevice::Auto => AudioOut::Auto,
        AudioDevice::None => AudioOut::None,
        AudioDevice::Alsa(name) => AudioOut::Alsa(name.clone()),
    }
}

fn rotation(turned: Turned) -> Rotation {
    match turned {
        Turned::Normal => Rotation::None,
        Turned::Quarter => Rotation::Quarter,
        Turned::Half => Rotation::Half,
        Turned::ThreeQuarters => Rotation::ThreeQuarters,
    }
}

fn fit(fit: model::Fit) -> Fit {
    match fit {
        model::Fit::Contain => Fit::Contain,
        model::Fit::Cover => Fit::Cover,
        model::Fit::Stretch => Fit::Stretch,
        model::Fit::None => Fit::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::director::sim::{colour, playlist};

    #[test]
    fn the_nearest_word_on_a_transition_counts_and_it_is_no_longer_than_its_item() {
        use model::TransitionKind::{Cut, Fade, SlideUp, Unknown, Zoom};
        let of = |kind, ms| Some(model::Transition { kind, lasts: Duration::from_millis(ms) });
        let want = |kind, ms| Some(Transition { kind, lasts: Duration::from_millis(ms) });
        let slide = TransitionKind::Slide(Way::Up);
        for (case, item, list, layout, stays_ms, wanted) in [
            ("nothing said", None, None, None, None, None),
            ("layout", None, None, of(Fade, 9), None, want(TransitionKind::Fade, 9)),
            ("playlist", None, of(SlideUp, 8), of(Fade, 9), None, want(slide, 8)),
            ("item", of(Zoom, 7), of(SlideUp, 8), None, None, want(TransitionKind::Zoom, 7)),
            ("item cuts", of(Cut, 7), of(SlideUp, 8), of(Fade, 9), None, None),
            ("of a newer cloud", of(Unknown, 7), of(Fade, 8), None, None, None),
            ("no time", of(Fade, 0), None, None, None, None),
            ("short item", of(Fade, 900), None, None, Some(500), want(TransitionKind::Fade, 500)),
        ] {
            let item = Item { transition: item, ..colour("a") };
            let list = Playlist { transition: list, ..playlist("p", vec![]) };
            let spot = Spot { transition: layout, ..Spot::screen() };
            let stays = stays_ms.map(Duration::from_millis);
            assert_eq!(entrance(&item, Some(&list), &spot, stays), wanted, "case {case:?}");
        }
    }
}
