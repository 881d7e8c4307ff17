//! `--item SOURCE[,key=value…]`: one item of a playlist as a person types it.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use vitrine_wire::Digest;
use vitrine_wire::manifest::{Asset, Content, Fit, Focus, Item, Transition, TransitionKind};

/// Keys that may follow the source; anything else after a comma is part of the file's name.
const KEYS: [&str; 6] = ["duration", "fit", "focus", "background", "transition", "volume"];
/// How long a transition takes if nothing is said.
const TRANSITION_MS: u64 = 500;

/// Where an item's picture comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A local file, to be uploaded unless it is there.
    File(String),
    /// An asset that is there.
    Asset(Digest),
    /// One colour.
    Colour(String),
}

/// An item, before its file is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Its picture.
    pub source: Source,
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
        source: Source::File(String::new()),
        duration_ms: None,
        fit: Fit::default(),
        focus: None,
        background: None,
        transition: None,
        volume: 1.0,
    };
    while let Some((before, key, value)) = last_key(rest) {
        spec.set(key, value)
            .map_err(|wanted| format!("item {text:?}: {key} is {value:?}, want {wanted}"))?;
        rest = before;
    }
    spec.source = match rest.parse::<Digest>() {
        Ok(digest) => Source::Asset(digest),
        Err(_) if rest.starts_with('#') => Source::Colour(rest.into()),
        Err(_) => Source::File(rest.into()),
    };
    Ok(spec)
}

/// Splits `…,key=value` off the end if the key is one of ours.
fn last_key(text: &str) -> Option<(&str, &str, &str)> {
    let (before, last) = text.rsplit_once(',')?;
    let (key, value) = last.split_once('=')?;
    KEYS.contains(&key).then_some((before, key, value))
}

impl Spec {
    fn set(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        match key {
            "duration" => self.duration_ms = Some(milliseconds(value).ok_or("a time such as 10s")?),
            "volume" => self.volume = value.parse().map_err(|_| "0.0 to 1.0")?,
            "background" => self.background = Some(value.into()),
            "transition" => self.transition = Some(transition(value).ok_or(TRANSITION)?),
            "focus" => self.focus = Some(focus(value).ok_or("X:Y, each 0.0 to 1.0")?),
            _ => {
                let fit = serde_json::from_value(value.into());
                self.fit = fit.map_err(|_| "contain, cover, stretch or none")?;
            }
        }
        Ok(())
    }

    /// The item, given its file as the cloud knows it. `taken` holds the ids used so far.
    pub fn item(self, asset: Option<&Asset>, taken: &mut BTreeSet<String>) -> Item {
        let (name, content) = match (self.source, asset) {
            (Source::Colour(colour), _) => ("colour", Content::Colour { colour }),
            (_, Some(asset)) if asset.media_type.starts_with("video/") => {
                (asset.name.as_str(), Content::Video { asset: asset.sha256 })
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
