//! The one seam between what sync knows and what render knows.
//!
//! In:  items and layouts of the content model, where files lie, the settings.
//! Out: layers and pages of a scene.
//!
//! Pure. Not here: which item, when, and under which turn (`director`).

use std::time::Duration;

use vitrine_config::Config;
use vitrine_config::model::{
    AudioDevice, Canvas, Displays as Which, Mode as Asked, Rotation as Turned,
};
use vitrine_render::scene::{
    Align, AudioOut, Base, Card, Displays, Fit, Layer, Mode, Rect, Rgb, Rotation, Scene, Size,
    Source, Text, TextStyle, Transition, TransitionKind, Turn, VerticalPlace, Way, Words,
};
use vitrine_sync::model::{self, Content, Files, Item, Layout, Live, Playlist, Zone};

mod grounds;

pub use grounds::{
    BACKGROUND_IMAGE, Ground, LETTERBOX_IMAGE, Paint, base, ground, grounds, pictures,
};

/// Where on a page a playlist plays.
#[derive(Debug, Clone, PartialEq)]
pub struct Spot {
    /// Zone of the layout; None: the whole screen.
    pub zone: Option<String>,
    /// On which display, from 1.
    pub display: u8,
    /// What `place` is a part of.
    pub base: Base,
    /// None: the whole base.
    pub place: Option<Rect>,
    /// 0.0 to 1.0.
    pub opacity: f32,
    /// Loudness of what plays there, 0.0 to 1.0.
    pub volume: f32,
    /// Clockwise.
    pub turned_deg: f32,
    /// How items come in where neither they nor their playlists say so.
    pub transition: Option<model::Transition>,
}

impl Spot {
    /// The whole screen.
    pub fn screen() -> Spot {
        Spot {
            zone: None,
            display: 1,
            base: Base::Canvas,
            place: None,
            opacity: 1.0,
            volume: 1.0,
            turned_deg: 0.0,
            transition: None,
        }
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
            display: 1,
            base: Base::Canvas,
            place: Some(place),
            opacity: zone.opacity,
            volume: zone.volume,
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
        margin: f32::from(config.screen.overscan_percent) / 100.0,
        displays: displays(config.screen.displays),
        mode: config.screen.mode.map(mode),
        resolution: config
            .screen
            .canvas
            .map(|Canvas { width_px, height_px }| Size { width_px, height_px }),
        surround: layout.and_then(|layout| layout.letterbox).map(Rgb),
        ..Scene::default()
    }
}

/// A display's place, which render counts from 0.
pub fn place_of(display: u8) -> u8 {
    display.saturating_sub(1)
}

/// The layer that shows `item` at `spot`; None if its file has no place or its feed no words.
pub fn layer(turn: Turn, item: &Item, spot: &Spot, live: &Live, config: &Config) -> Option<Layer> {
    Some(Layer {
        turn,
        source: source(item, spot.volume, live, config)?,
        display: place_of(spot.display),
        base: spot.base,
        place: spot.place,
        fit: fit(item),
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

/// Where the pixels of `item` come from by now, and its sound at a spot of this `volume`; None if
/// there are none.
pub fn source(item: &Item, volume: f32, live: &Live, config: &Config) -> Option<Source> {
    let files = &live.files;
    let volume = item.volume * volume * config.audio.volume;
    let audio = || audio(&config.audio.device);
    // What has a duration of its own is repeated if it is shorter.
    let looped = item.duration.is_some();
    Some(match &item.content {
        Content::Image(asset) => Source::Image { path: files.path(asset)? },
        Content::Video(asset) => {
            Source::Video { path: files.path(asset)?, volume, looped, audio: audio() }
        }
        Content::Audio(asset) => {
            Source::Sound { path: files.path(asset)?, volume, looped, audio: audio() }
        }
        Content::Colour(rgb) => Source::Colour(Rgb(*rgb)),
        Content::Text(text) => Source::Text(Text {
            words: words(&text.words, item, (live, config))?,
            style: style(&text.style, files)?,
        }),
    })
}

fn words(words: &model::Words, item: &Item, (live, config): (&Live, &Config)) -> Option<Words> {
    Some(match words {
        model::Words::Still(text) => Words::Still(text.clone()),
        model::Words::Ticker { text, feed, speed_px_s } => Words::Ticker {
            text: live.ticker_text(text, feed.as_ref())?,
            speed_px_s: *speed_px_s as f32,
            // A ticker with a duration of its own follows itself until then.
            looped: item.duration.is_some(),
        },
        model::Words::Clock { format, time_zone, locale } => Words::Clock {
            format: format.clone(),
            zone: time_zone.clone().or_else(|| config.device.time_zone.clone()),
            locale: locale.clone(),
        },
        model::Words::Countdown { to, format, over } => {
            Words::Countdown { to: *to, format: format.clone(), over: over.clone() }
        }
    })
}

/// None if the font has no place.
fn style(style: &model::TextStyle, files: &Files) -> Option<TextStyle> {
    let font = match &style.font {
        Some(asset) => Some(files.path(asset)?),
        None => None,
    };
    Some(TextStyle {
        font,
        family: style.family.clone(),
        size_px: style.size_px as f32,
        weight: style.weight,
        colour: Rgb(style.colour),
        align: match style.align {
            model::Align::Start => Align::Start,
            model::Align::Centre => Align::Centre,
            model::Align::End => Align::End,
        },
        place: match style.place {
            model::VerticalPlace::Top => VerticalPlace::Top,
            model::VerticalPlace::Middle => VerticalPlace::Middle,
            model::VerticalPlace::Bottom => VerticalPlace::Bottom,
        },
        wrap: style.wrap,
        padding_px: style.padding_px as f32,
    })
}

fn audio(device: &AudioDevice) -> AudioOut {
    match device {
        AudioDevice::Auto => AudioOut::Auto,
        AudioDevice::None => AudioOut::None,
        AudioDevice::Hdmi => AudioOut::Hdmi,
        AudioDevice::Jack => AudioOut::Jack,
        AudioDevice::Usb => AudioOut::Usb,
        AudioDevice::Alsa(name) => AudioOut::Alsa(name.clone()),
    }
}

fn displays(which: Which) -> Displays {
    match which {
        Which::First => Displays::First,
        Which::Mirror => Displays::Mirror,
        Which::Extend => Displays::Extend,
        Which::Each => Displays::Each,
    }
}

fn mode(asked: Asked) -> Mode {
    let Asked { width_px, height_px, refresh_millihertz } = asked;
    Mode { size: Size { width_px, height_px }, refresh_millihertz }
}

fn rotation(turned: Turned) -> Rotation {
    match turned {
        Turned::Normal => Rotation::None,
        Turned::Quarter => Rotation::Quarter,
        Turned::Half => Rotation::Half,
        Turned::ThreeQuarters => Rotation::ThreeQuarters,
    }
}

fn fit(item: &Item) -> Fit {
    match item.fit {
        // Words are written for their rectangle.
        _ if matches!(item.content, Content::Text(_)) => Fit::Stretch,
        model::Fit::Contain => Fit::Contain,
        model::Fit::Cover => Fit::Cover,
        model::Fit::Stretch => Fit::Stretch,
        model::Fit::None => Fit::None,
    }
}

#[cfg(test)]
mod tests {
    use vitrine_sync::model::{Digest, NewsFeed, TextStyle as Style, Words as Said};

    use super::*;
    use crate::director::sim::{colour, live, playlist};

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

    fn item(words: Said, font: Option<Digest>) -> Item {
        let style = Style {
            font,
            family: None,
            size_px: 60,
            weight: 700,
            colour: [1, 2, 3],
            align: model::Align::Centre,
            place: model::VerticalPlace::Bottom,
            wrap: false,
            padding_px: 5,
        };
        let content = Content::Text(Box::new(model::Text { words, style }));
        crate::director::sim::item("words", content)
    }

    fn made(item: &Item, config: &Config) -> Option<Layer> {
        let files = Files::Cache { root: "/cache".into() };
        layer(1, item, &Spot::screen(), &Live { files, ..live(1, vec![]) }, config)
    }

    fn words_of(item: &Item, config: &Config) -> Words {
        match made(item, config).map(|layer| layer.source) {
            Some(Source::Text(text)) => text.words,
            other => panic!("{other:?} has no words"),
        }
    }

    #[test]
    fn words_become_a_layer_with_their_looks_and_font() {
        let config = Config::default();
        let font = Digest([7; 32]);
        let layer = made(&item(Said::Still("hi".into()), Some(font)), &config).expect("a layer");
        let Source::Text(text) = layer.source else { panic!("no text") };
        let path = text.style.font.expect("a font");
        assert!(path.starts_with("/cache/07") && path.ends_with(font.to_string()), "{path:?}");
        assert_eq!((text.style.size_px, text.style.weight), (60.0, 700));
        assert_eq!((text.style.align, text.style.place), (Align::Centre, VerticalPlace::Bottom));
        assert_eq!((text.words, layer.fit), (Words::Still("hi".into()), Fit::Stretch));
        let gone = item(Said::Still("hi".into()), Some(font));
        assert_eq!(super::layer(1, &gone, &Spot::screen(), &live(1, vec![]), &config), None);
    }

    #[test]
    fn what_is_heard_is_as_loud_as_item_zone_and_device_say_together() {
        let files = Files::Cache { root: "/cache".into() };
        let live = Live { files, ..live(1, vec![]) };
        let mut config = Config::default();
        for (case, item, zone, device, want) in [
            ("as recorded", 1.0, 1.0, 1.0, 1.0),
            ("all of them", 0.5, 0.5, 0.5, 0.125),
            ("a muted zone", 1.0, 0.0, 1.0, 0.0),
        ] {
            config.audio.volume = device;
            let spot = Spot { volume: zone, ..Spot::screen() };
            for content in [Content::Video(Digest([1; 32])), Content::Audio(Digest([1; 32]))] {
                let item = Item { volume: item, ..crate::director::sim::item("a", content) };
                let layer = super::layer(1, &item, &spot, &live, &config).expect("a layer");
                let (Source::Video { volume, looped, .. } | Source::Sound { volume, looped, .. }) =
                    layer.source
                else {
                    panic!("{case}: {:?}", layer.source)
                };
                assert_eq!((volume, looped), (want, false), "case {case:?}");
            }
        }
    }

    #[test]
    fn a_ticker_runs_with_what_its_feed_has_brought() {
        let feed = |separator: Option<&str>| NewsFeed {
            url: "u".into(),
            items: 2,
            separator: separator.map(str::to_owned),
            refresh: Duration::from_secs(60),
        };
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let mut live = live(1, vec![]);
        for (case, text, separator, brought, want) in [
            ("nothing", "", None, &[][..], None),
            ("nothing yet", "wait", None, &[], Some("wait")),
            ("few", "wait", None, &["a"], Some("a")),
            ("many", "wait", None, &["a", "b", "c"], Some("a\nb")),
            ("parted", "", Some(" | "), &["a", "b"], Some("a | b")),
        ] {
            live.headlines.clear();
            if !brought.is_empty() {
                live.headlines.insert("u".into(), lines(brought));
            }
            let feed = Some(feed(separator));
            let ticker = item(Said::Ticker { text: text.into(), feed, speed_px_s: 90 }, None);
            let source = source(&ticker, 1.0, &live, &Config::default());
            let got = source.map(|source| match source {
                Source::Text(Text { words: Words::Ticker { text, .. }, .. }) => text,
                other => panic!("{other:?} is no ticker"),
            });
            assert_eq!(got.as_deref(), want, "case {case:?}");
        }
    }

    #[test]
    fn a_ticker_follows_itself_for_its_duration_and_clocks_have_the_devices_zone() {
        let mut config = Config::default();
        let ticker = item(Said::Ticker { text: "news".into(), feed: None, speed_px_s: 90 }, None);
        let lasting = Item { duration: Some(Duration::from_secs(9)), ..ticker.clone() };
        for (item, want) in [(&ticker, false), (&lasting, true)] {
            let is_looped =
                matches!(words_of(item, &config), Words::Ticker { looped, .. } if looped);
            assert_eq!((is_looped, item.content.has_an_end()), (want, true));
        }
        config.device.time_zone = Some("Europe/Berlin".into());
        let locale = || Some("de_DE".to_owned());
        let clock = |time_zone| {
            item(Said::Clock { format: "%H".into(), time_zone, locale: locale() }, None)
        };
        for (own, want) in [(None, "Europe/Berlin"), (Some("Asia/Tokyo".to_owned()), "Asia/Tokyo")]
        {
            let said = words_of(&clock(own), &config);
            let (format, zone) = ("%H".into(), Some(want.into()));
            assert_eq!(said, Words::Clock { format, zone, locale: locale() });
        }
    }
}
