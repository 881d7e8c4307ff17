//! `--item SOURCE[,key=value…]`: one item of a playlist as a person types it.
//!
//! Words are `text:…`, `ticker:…`, `ticker:feed=URL`, `clock:FORMAT` and `countdown:TIME`; `\n` in them ends a line.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use vitrine_wire::Digest;
use vitrine_wire::manifest::{
    Asset, Content, Fit, Focus, Item, NewsFeed, TextStyle, Transition, TransitionKind,
};

/// Keys that may follow the source; anything else after a comma is part of the file's name.
const KEYS: [&str; 6] = ["duration", "fit", "focus", "background", "transition", "volume"];
/// How long a transition takes if nothing is said.
const TRANSITION_MS: u64 = 500;
/// More of them, for words.
const WORD_KEYS: [&str; 17] = [
    "align",
    "colour",
    "family",
    "font",
    "format",
    "items",
    "locale",
    "over",
    "padding",
    "place",
    "refresh",
    "separator",
    "size",
    "speed",
    "weight",
    "wrap",
    "zone",
];
/// How a source of words begins.
const WORDS: [&str; 4] = ["text:", "ticker:", "clock:", "countdown:"];
/// How a ticker begins that runs with a feed's headlines.
const FEED: &str = "ticker:feed=";

/// Where an item's picture comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A local file, to be uploaded unless it is there.
    File(String),
    /// An asset that is there.
    Asset(Digest),
    /// One colour.
    Colour(String),
    /// Words; their style is set apart.
    Words(Box<Content>),
}

/// An item, before its file is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Its picture.
    pub source: Source,
    /// The font of its words.
    pub font: Option<Source>,
    duration_ms: Option<u64>,
    fit: Fit,
    focus: Option<Focus>,
    background: Option<String>,
    transition: Option<Transition>,
    volume: f32,
}

/// Reads one `--item`.
pub fn read(text: &str) -> Result<Spec, String> {
    let mut rest = text;
    let mut spec = Spec {
        source: words(text).map_or(Source::File(String::new()), Source::Words),
        font: None,
        duration_ms: None,
        fit: Fit::default(),
        focus: None,
        background: None,
        transition: None,
        volume: 1.0,
    };
    let is_words = matches!(spec.source, Source::Words(_));
    while let Some((before, key, value)) = last_key(rest, is_words) {
        spec.set(key, value)
            .map_err(|wanted| format!("item {text:?}: {key} is {value:?}, want {wanted}"))?;
        rest = before;
    }
    spec.source = match spec.source {
        Source::Words(content) => Source::Words(said(content, rest)?),
        _ if rest.starts_with('#') => Source::Colour(rest.into()),
        _ => file(rest),
    };
    Ok(spec)
}

/// A file or the digest of an asset.
pub fn file(text: &str) -> Source {
    text.parse().map_or_else(|_| Source::File(text.into()), Source::Asset)
}

/// Splits `…,key=value` off the end if the key is one of ours.
fn last_key(text: &str, is_words: bool) -> Option<(&str, &str, &str)> {
    let (before, last) = text.rsplit_once(',')?;
    let (key, value) = last.split_once('=')?;
    let ours = KEYS.contains(&key) || (is_words && WORD_KEYS.contains(&key));
    ours.then_some((before, key, value))
}

/// What kind of words `text` begins, with nothing said yet.
fn words(text: &str) -> Option<Box<Content>> {
    let kind = WORDS.into_iter().find(|kind| text.starts_with(kind))?;
    let style = TextStyle::default();
    Some(Box::new(match kind {
        "text:" => Content::Text { text: String::new(), style },
        "ticker:" => {
            let (text, feed) = (String::new(), text.starts_with(FEED).then(news_feed));
            Content::Ticker { text, feed, speed_px_s: 120, style }
        }
        "clock:" => Content::Clock { format: "%H:%M".into(), time_zone: None, locale: None, style },
        _ => Content::Countdown {
            to: Timestamp::UNIX_EPOCH,
            format: "%D %H:%M:%S".into(),
            over: None,
            style,
        },
    }))
}

/// Fills in what stands behind the colon.
fn said(mut content: Box<Content>, source: &str) -> Result<Box<Content>, String> {
    let said = source.split_once(':').map_or("", |(_, said)| said);
    match &mut *content {
        Content::Ticker { feed: Some(feed), .. } => {
            feed.url = said.strip_prefix("feed=").unwrap_or(said).into();
        }
        Content::Text { text, .. } | Content::Ticker { text, .. } => *text = lines(said),
        Content::Clock { format, .. } if !said.is_empty() => *format = said.into(),
        Content::Countdown { to, .. } => {
            let wanted = |_| format!("item {source:?}: want countdown:2030-01-01T00:00:00Z");
            *to = said.parse().map_err(wanted)?;
        }
        _ => {}
    }
    Ok(content)
}

fn news_feed() -> NewsFeed {
    NewsFeed { url: String::new(), items: 10, separator: None, refresh_s: 900 }
}

/// As typed in one line.
fn lines(text: &str) -> String {
    text.replace("\\n", "\n")
}

impl Spec {
    fn set(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        match key {
            "duration" => self.duration_ms = Some(milliseconds(value).ok_or("a time such as 10s")?),
            "volume" => self.volume = value.parse().map_err(|_| "0.0 to 1.0")?,
            "background" => self.background = Some(value.into()),
            "transition" => self.transition = Some(transition(value).ok_or(TRANSITION)?),
            "focus" => self.focus = Some(focus(value).ok_or("X:Y, each 0.0 to 1.0")?),
            "font" => self.font = Some(file(value)),
            key if WORD_KEYS.contains(&key) => self.set_words(key, value)?,
            _ => {
                let fit = serde_json::from_value(value.into());
                self.fit = fit.map_err(|_| "contain, cover, stretch or none")?;
            }
        }
        Ok(())
    }

    fn set_words(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        let Source::Words(content) = &mut self.source else { return Err("words") };
        if let ("items" | "refresh" | "separator", content) = (key, &mut **content) {
            let Content::Ticker { feed: Some(feed), .. } = content else {
                return Err("a ticker:feed=… to go with it");
            };
            return set_feed(feed, key, value);
        }
        match (key, &mut **content) {
            ("speed", Content::Ticker { speed_px_s, .. }) => {
                *speed_px_s = value.parse().map_err(|_| "pixels a second")?;
            }
            ("zone", Content::Clock { time_zone, .. }) => *time_zone = Some(value.into()),
            ("locale", Content::Clock { locale, .. }) => *locale = Some(value.into()),
            ("format", Content::Countdown { format, .. }) => *format = value.into(),
            ("over", Content::Countdown { over, .. }) => *over = Some(lines(value)),
            ("speed", _) => return Err("a ticker to go with it"),
            ("zone" | "locale", _) => return Err("a clock to go with it"),
            ("format" | "over", _) => return Err("a countdown to go with it"),
            (_, content) => match style(content) {
                Some(style) => set_style(style, key, value)?,
                None => return Err("words to go with it"),
            },
        }
        Ok(())
    }

    /// The item, given its files as the cloud knows them. `taken` holds the ids used so far.
    pub fn item(
        self,
        asset: Option<&Asset>,
        font: Option<Digest>,
        taken: &mut BTreeSet<String>,
    ) -> Item {
        let (name, content) = match (self.source, asset) {
            (Source::Colour(colour), _) => ("colour", Content::Colour { colour }),
            (Source::Words(mut content), _) => {
                if let Some(style) = style(&mut content) {
                    style.font = font;
                }
                (kind(&content), *content)
            }
            (_, Some(asset)) if asset.media_type.starts_with("video/") => {
                (asset.name.as_str(), Content::Video { asset: asset.sha256 })
            }
            (_, Some(asset)) if asset.media_type.starts_with("audio/") => {
                (asset.name.as_str(), Content::Audio { asset: asset.sha256 })
            }
            (_, Some(asset)) => (asset.name.as_str(), Content::Image { asset: asset.sha256 }),
            (_, None) => ("missing", Content::Image { asset: Digest([0; 32]) }),
        };
        Item {
            id: fresh_id(name, taken),
            content,
            duration_ms: self.duration_ms,
            fit: self.fit,
            focus: self.focus,
            background: self.background,
            transition: self.transition,
            volume: self.volume,
            valid_from: None,
            valid_until: None,
        }
    }
}

/// What [`transition`] reads.
pub const TRANSITION: &str = "cut, fade, zoom, or slide_ or wipe_ with left, right, up or down, \
                              and a time if wanted: fade:800ms";

/// `fade`, `slide_left:800ms`.
pub fn transition(text: &str) -> Option<Transition> {
    let (kind, lasts) = text.split_once(':').unwrap_or((text, ""));
    let duration_ms = if lasts.is_empty() { Some(TRANSITION_MS) } else { milliseconds(lasts) };
    let kind = serde_json::from_value(kind.into()).ok().filter(|k| *k != TransitionKind::Unknown);
    Some(Transition { kind: kind?, duration_ms: duration_ms? })
}

fn focus(text: &str) -> Option<Focus> {
    let (x, y) = text.split_once(':')?;
    Some(Focus { x: x.parse().ok()?, y: y.parse().ok()? })
}

fn style(content: &mut Content) -> Option<&mut TextStyle> {
    match content {
        Content::Text { style, .. }
        | Content::Ticker { style, .. }
        | Content::Clock { style, .. }
        | Content::Countdown { style, .. } => Some(style),
        Content::Image { .. }
        | Content::Video { .. }
        | Content::Audio { .. }
        | Content::Colour { .. } => None,
    }
}

fn set_feed(feed: &mut NewsFeed, key: &str, value: &str) -> Result<(), &'static str> {
    match key {
        "items" => feed.items = value.parse().map_err(|_| "a number of headlines")?,
        "separator" => feed.separator = Some(value.into()),
        _ => {
            let seconds = milliseconds(value).map(|ms| ms / 1_000);
            let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok());
            feed.refresh_s = seconds.ok_or("a time such as 15m")?;
        }
    }
    Ok(())
}

fn set_style(style: &mut TextStyle, key: &str, value: &str) -> Result<(), &'static str> {
    let named = || value.to_owned().into();
    match key {
        "size" => style.size_px = value.parse().map_err(|_| "pixels")?,
        "weight" => style.weight = value.parse().map_err(|_| "100 to 900")?,
        "padding" => style.padding_px = value.parse().map_err(|_| "pixels")?,
        "wrap" => style.wrap = value.parse().map_err(|_| "true or false")?,
        "colour" => style.colour = value.into(),
        "family" => style.family = Some(value.into()),
        "align" => {
            style.align = serde_json::from_value(named()).map_err(|_| "start, centre or end")?;
        }
        _ => {
            style.place = serde_json::from_value(named()).map_err(|_| "top, middle or bottom")?;
        }
    }
    Ok(())
}

fn kind(content: &Content) -> &'static str {
    match content {
        Content::Ticker { .. } => "ticker",
        Content::Clock { .. } => "clock",
        Content::Countdown { .. } => "countdown",
        _ => "text",
    }
}

/// `10s`, `500ms`, `1m30s` in milliseconds.
fn milliseconds(text: &str) -> Option<u64> {
    text.parse::<SignedDuration>().ok()?.as_millis().try_into().ok()
}

/// An id that says which file it is: proof of play names it.
fn fresh_id(name: &str, taken: &mut BTreeSet<String>) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let slug: String = stem.chars().map(fits).take(48).collect();
    let slug = if slug.is_empty() { "item".to_owned() } else { slug };
    let numbered = (2..).map(|n| format!("{slug}-{n}"));
    let mut ids = std::iter::once(slug.clone()).chain(numbered);
    let id = ids.find(|id| !taken.contains(id)).unwrap_or(slug);
    taken.insert(id.clone());
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_types() {
        let digest = "ab".repeat(32);
        for (case, text, source, duration_ms) in [
            ("file", "a.png", Source::File("a.png".into()), None),
            ("time", "a.png,duration=10s", Source::File("a.png".into()), Some(10_000)),
            (
                "short",
                "a.png,fit=cover,duration=1m 30s",
                Source::File("a.png".into()),
                Some(90_000),
            ),
            ("comma in the name", "a,b.png", Source::File("a,b.png".into()), None),
            ("equals in the name", "a,x=1.png", Source::File("a,x=1.png".into()), None),
            ("colour", "#ff0000,duration=500ms", Source::Colour("#ff0000".into()), Some(500)),
            ("digest", digest.as_str(), Source::Asset(Digest([0xab; 32])), None),
        ] {
            let spec = read(text).unwrap_or_else(|e| panic!("case {case:?}: {e}"));
            assert_eq!((spec.source, spec.duration_ms), (source, duration_ms), "case {case:?}");
        }
        for text in [
            "a.png,duration=soon",
            "a.png,fit=big",
            "a.png,volume=loud",
            "a.png,focus=left",
            "a.png,transition=melt",
            "a.png,transition=fade:soon",
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains("want"), "{error}");
        }
    }

    fn made(text: &str) -> serde_json::Value {
        let spec = read(text).unwrap_or_else(|e| panic!("case {text:?}: {e}"));
        let font = spec.font.as_ref().map(|_| Digest([7; 32]));
        serde_json::to_value(spec.item(None, font, &mut BTreeSet::new())).unwrap()
    }

    #[test]
    fn words_are_typed_with_their_looks() {
        let text =
            made("text:Open, today\\nfrom 9,size=90,colour=#ff0000,align=centre,duration=5s");
        assert_eq!((&text["kind"], &text["text"]), (&"text".into(), &"Open, today\nfrom 9".into()));
        assert_eq!((&text["style"]["size_px"], &text["duration_ms"]), (&90.into(), &5_000.into()));
        assert_eq!(text["style"]["align"], "centre");
        let ticker = made("ticker:News,speed=200,background=#000000,font=a.ttf,weight=700");
        assert_eq!((&ticker["speed_px_s"], &ticker["id"]), (&200.into(), &"ticker".into()));
        assert_eq!(ticker["style"]["font"], "07".repeat(32));
        let feed = made("ticker:feed=https://a.example/rss?a=1,items=5,refresh=5m,separator= | ");
        let want = serde_json::json!({"url": "https://a.example/rss?a=1", "items": 5,
            "refresh_s": 300, "separator": " | "});
        assert_eq!((&feed["feed"], feed.get("text")), (&want, None));
        assert_eq!(made("clock:")["format"], "%H:%M");
        let clock = made("clock:%A,zone=Asia/Tokyo,locale=ja_JP,place=top");
        assert_eq!(
            (&clock["time_zone"], &clock["locale"]),
            (&"Asia/Tokyo".into(), &"ja_JP".into())
        );
        let countdown = made("countdown:2030-01-01T00:00:00Z,format=%D days,over=Now");
        assert_eq!(
            (&countdown["to"], &countdown["over"]),
            (&"2030-01-01T00:00:00Z".into(), &"Now".into())
        );
        for (text, says) in [
            ("countdown:soon", "want countdown:2030"),
            ("text:a,speed=3", "want a ticker"),
            ("ticker:a,size=big", "want pixels"),
            ("ticker:a,items=5", "want a ticker:feed=…"),
            ("ticker:feed=https://a,refresh=often", "want a time such as 15m"),
            ("clock:,align=left", "want start, centre or end"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn transitions_have_a_time_and_pictures_a_focus() {
        let spec = read("a.png,transition=slide_left:1s,focus=0.2:0.9").expect("right");
        let kind = TransitionKind::SlideLeft;
        assert_eq!(spec.transition, Some(Transition { kind, duration_ms: 1_000 }));
        assert_eq!(spec.focus, Some(Focus { x: 0.2, y: 0.9 }));
        let spec = read("#ff0000,transition=fade").expect("right");
        let kind = TransitionKind::Fade;
        assert_eq!(spec.transition, Some(Transition { kind, duration_ms: TRANSITION_MS }));
    }

    #[test]
    fn ids_are_readable_and_unique() {
        let mut taken = BTreeSet::new();
        let mut id = |name| fresh_id(name, &mut taken);
        assert_eq!(id("summer sale.png"), "summer-sale");
        assert_eq!(id("summer sale.jpg"), "summer-sale-2");
        assert_eq!(id("übung.mp4"), "-bung");
        assert_eq!(id(".png"), "item");
    }
}
