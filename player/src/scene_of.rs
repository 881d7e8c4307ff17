//! The one seam between what sync knows and what render knows.
//!
//! In:  items and layouts of the content model, where files lie, the settings.
//! Out: layers and pages of a scene.
//!
//! Pure. Not here: which item, when, and under which turn (`director`).

use vitrine_config::Config;
use vitrine_config::model::AudioDevice;
use vitrine_render::scene::{AudioOut, Card, Fit, Layer, Rect, Rgb, Scene, Size, Source, Turn};
use vitrine_sync::model::{self, Content, Files, Item, Layout, Zone};

/// Where on a page a playlist plays.
#[derive(Debug, Clone, PartialEq)]
pub struct Spot {
    /// Zone of the layout; None: the whole screen.
    pub zone: Option<String>,
    /// None: the whole canvas.
    pub place: Option<Rect>,
    /// 0.0 to 1.0.
    pub opacity: f32,
}

impl Spot {
    /// The whole screen.
    pub fn screen() -> Spot {
        Spot { zone: None, place: None, opacity: 1.0 }
    }

    /// A zone of a layout.
    pub fn zone(zone: &Zone) -> Spot {
        let place = Rect {
            x_px: zone.x_px as f32,
            y_px: zone.y_px as f32,
            width_px: zone.width_px as f32,
            height_px: zone.height_px as f32,
        };
        Spot { zone: Some(zone.id.clone()), place: Some(place), opacity: zone.opacity }
    }
}

/// An empty page: of `layout`, or the screen itself.
pub fn page(layout: Option<&Layout>, config: &Config) -> Scene {
    let own = layout.and_then(|layout| layout.background);
    Scene {
        background: Rgb(own.unwrap_or(config.screen.background)),
        canvas: layout
            .map(|layout| Size { width_px: layout.width_px, height_px: layout.height_px }),
        layers: Vec::new(),
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
        opacity: spot.opacity,
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
    Layer { turn, source, place: None, fit: Fit::Contain, background: None, opacity: 1.0 }
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

fn fit(fit: model::Fit) -> Fit {
    match fit {
        model::Fit::Contain => Fit::Contain,
        model::Fit::Cover => Fit::Cover,
        model::Fit::Stretch => Fit::Stretch,
        model::Fit::None => Fit::None,
    }
}
