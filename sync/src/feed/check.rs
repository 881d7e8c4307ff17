//! One element of a manifest at a time: its shape, its ranges, its texts.
//!
//! In:  JSON. Out: the element in the words of [`crate::model`], or what is wrong with it.
//!
//! Not here: whether what it refers to exists (`feed::cloud`).

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use vitrine_config::{Word, limits};
use vitrine_wire::manifest as wire;

use crate::model::{
    Asset, Complaint, Content, Entry, Item, Layout, NewsFeed, Order, Playlist, Target, Text,
    TextStyle, Transition, Validity, Words, Zone,
};

/// Complaints kept of one input: a person reads a screenful, and ten thousand would be a flood in
/// the outbox.
const COMPLAINTS: usize = 50;

/// Complaints as they come up, bounded.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    under: String,
    kept: Vec<Complaint>,
    more: usize,
}

impl Notes {
    /// Notes what was passed over at `place`.
    pub(crate) fn add(&mut self, place: &str, text: String) {
        if self.kept.len() == COMPLAINTS {
            self.more += 1;
            return;
        }
        self.kept.push(Complaint { place: format!("{}{place}", self.under), text: brief(text) });
    }

    /// Runs `work` with its places under `place`.
    pub(crate) fn within<T>(&mut self, place: &str, work: impl FnOnce(&mut Notes) -> T) -> T {
        self.under = format!("{place}.");
        let out = work(self);
        self.under.clear();
        out
    }

    /// Passes on what is good and notes what is not.
    pub(crate) fn taken<T>(&mut self, place: &str, read: Result<T, String>) -> Option<T> {
        read.map_err(|text| self.add(place, text)).ok()
    }

    /// A value that may be absent and is passed over when it is wrong.
    pub(crate) fn optional<T: DeserializeOwned>(
        &mut self,
        at: &str,
        raw: Option<&RawValue>,
    ) -> Option<T> {
        self.taken(at, shape(raw?)).flatten()
    }

    /// Reads a list whose elements have ids; wrong ones and repeated ids are passed over.
    pub(crate) fn distinct<T>(
        &mut self,
        raw: Vec<&RawValue>,
        at: &str,
        read: impl Fn(&RawValue) -> Result<T, String>,
        id: impl Fn(&T) -> String,
    ) -> Vec<T> {
        let mut taken = BTreeSet::new();
        let mut kept = Vec::with_capacity(raw.len());
        for (n, value) in raw.into_iter().enumerate() {
            let place = format!("{at}[{n}]");
            let Some(element) = self.taken(&place, read(value)) else { continue };
            let id = id(&element);
            if taken.contains(&id) {
                self.add(&place, format!("id {id:?} is taken"));
                continue;
            }
            taken.insert(id);
            kept.push(element);
        }
        kept
    }

    /// The first `most` of a list.
    pub(crate) fn cut<T>(&mut self, at: &str, mut list: Vec<T>, most: usize, what: &str) -> Vec<T> {
        if list.len() > most {
            self.add(at, format!("{} too many {what}", list.len() - most));
            list.truncate(most);
        }
        list
    }

    /// All of them; the last one says how many more there were.
    pub(crate) fn done(mut self) -> Vec<Complaint> {
        if self.more > 0 {
            let text = format!("{} more were passed over", self.more);
            self.kept.push(Complaint { place: "…".into(), text });
        }
        self.kept
    }
}

/// A file. Names stay labels: nothing is ever opened by one.
pub(crate) fn asset(raw: &RawValue) -> Result<Asset, String> {
    let asset: Asset = shape(raw)?;
    text("name", &asset.name)?;
    text("media_type", &asset.media_type)?;
    if asset.size_bytes == 0 {
        return Err("size_bytes is 0, want the file's length".into());
    }
    Ok(asset)
}

/// A playlist; its items come separately.
pub(crate) fn playlist(mut value: Value) -> Result<Playlist, String> {
    if let Some(object) = value.as_object_mut() {
        object.insert("items".into(), Value::Array(Vec::new()));
    }
    let raw = wire::Playlist::deserialize(value).map_err(|e| e.to_string())?;
    id(&raw.id)?;
    text("name", &raw.name)?;
    let transition = transition(raw.transition)?;
    Ok(Playlist { id: raw.id, name: raw.name, transition, items: Vec::new() })
}

fn transition(raw: Option<wire::Transition>) -> Result<Option<Transition>, String> {
    let Some(wire::Transition { kind, duration_ms }) = raw else { return Ok(None) };
    within("transition.duration_ms", duration_ms, 0, limits::TRANSITION_MS)?;
    Ok(Some(Transition { kind, lasts: Duration::from_millis(duration_ms) }))
}

fn focus(raw: Option<wire::Focus>) -> Result<[f32; 2], String> {
    let wire::Focus { x, y } = raw.unwrap_or(wire::Focus { x: 0.5, y: 0.5 });
    within("focus.x", x, 0.0, 1.0)?;
    within("focus.y", y, 0.0, 1.0)?;
    Ok([x, y])
}

/// An entry of a playlist.
pub(crate) fn item(raw: &RawValue) -> Result<Item, String> {
    let raw: wire::Item = shape(raw)?;
    id(&raw.id)?;
    let content = match raw.content {
        wire::Content::Image { asset } => Content::Image(asset),
        wire::Content::Video { asset } => Content::Video(asset),
        wire::Content::Audio { asset } => Content::Audio(asset),
        wire::Content::Colour { colour } => Content::Colour(rgb("colour", &colour)?),
        words => Content::Text(Box::new(self::words(words)?)),
    };
    let shortest = limits::ITEM_DURATION_MIN_MS;
    if let Some(ms) = raw.duration_ms {
        within("duration_ms", ms, shortest, limits::ITEM_DURATION_MS)?;
    }
    within("volume", raw.volume, 0.0, 1.0)?;
    Ok(Item {
        id: raw.id,
        content,
        duration: raw.duration_ms.map(Duration::from_millis),
        fit: raw.fit,
        focus: focus(raw.focus)?,
        background: raw.background.map(|text| rgb("background", &text)).transpose()?,
        transition: transition(raw.transition)?,
        volume: raw.volume,
        valid: Validity { from: raw.valid_from, until: raw.valid_until },
    })
}

fn words(raw: wire::Content) -> Result<Text, String> {
    let (words, style) = match raw {
        wire::Content::Text { text, style } => (Words::Still(text), style),
        wire::Content::Ticker { text, feed, speed_px_s, style } => {
            let (least, most) = limits::TICKER_SPEED_PX_S;
            within("speed_px_s", speed_px_s, least, most)?;
            let feed = feed.map(news_feed).transpose()?;
            (Words::Ticker { text, feed, speed_px_s }, style)
        }
        wire::Content::Clock { format, time_zone, locale, style } => {
            sound("format", &format, wire::clock_fault(&format))?;
            text("time_zone", time_zone.as_deref().unwrap_or_default())?;
            text("locale", locale.as_deref().unwrap_or_default())?;
            (Words::Clock { format, time_zone, locale }, style)
        }
        wire::Content::Countdown { to, format, over, style } => {
            sound("format", &format, wire::countdown_fault(&format))?;
            text("over", over.as_deref().unwrap_or_default())?;
            (Words::Countdown { to, format, over }, style)
        }
        other => return Err(format!("{other:?} has no words")),
    };
    if let Words::Still(words) | Words::Ticker { text: words, .. } = &words {
        text("text", words)?;
    }
    Ok(Text { words, style: self::style(style)? })
}

fn news_feed(raw: wire::NewsFeed) -> Result<NewsFeed, String> {
    sound("feed.url", &raw.url, wire::feed_url_fault(&raw.url))?;
    within("feed.items", raw.items, 1, limits::FEED_HEADLINES as u32)?;
    text("feed.separator", raw.separator.as_deref().unwrap_or_default())?;
    let (least, most) = limits::FEED_REFRESH_S;
    within("feed.refresh_s", raw.refresh_s, least, most)?;
    Ok(NewsFeed {
        url: raw.url,
        items: raw.items as usize,
        separator: raw.separator,
        refresh: Duration::from_secs(raw.refresh_s.into()),
    })
}

fn style(raw: wire::TextStyle) -> Result<TextStyle, String> {
    let (least, most) = limits::TEXT_SIZE_PX;
    within("style.size_px", raw.size_px, least, most)?;
    within("style.weight", raw.weight, 100, 900)?;
    within("style.padding_px", raw.padding_px, 0, limits::TEXT_PADDING_PX)?;
    text("style.family", raw.family.as_deref().unwrap_or_default())?;
    Ok(TextStyle {
        font: raw.font,
        family: raw.family,
        size_px: raw.size_px,
        weight: raw.weight,
        colour: rgb("style.colour", &raw.colour)?,
        align: raw.align,
        place: raw.place,
        wrap: raw.wrap,
        padding_px: raw.padding_px,
    })
}

/// A format that is short enough and has no fault.
fn sound(key: &str, format: &str, fault: Option<String>) -> Result<(), String> {
    text(key, format)?;
    fault.map_or(Ok(()), |fault| Err(format!("{key} {fault}")))
}

/// A page; its zones come separately.
pub(crate) fn layout(mut value: Value) -> Result<Layout, String> {
    if let Some(object) = value.as_object_mut() {
        object.insert("zones".into(), Value::Array(Vec::new()));
    }
    let raw = wire::Layout::deserialize(value).map_err(|e| e.to_string())?;
    id(&raw.id)?;
    text("name", &raw.name)?;
    within("width_px", raw.width_px, 1, limits::IMAGE_SIDE_PX)?;
    within("height_px", raw.height_px, 1, limits::IMAGE_SIDE_PX)?;
    Ok(Layout {
        id: raw.id,
        name: raw.name,
        width_px: raw.width_px,
        height_px: raw.height_px,
        background: raw.background.map(|text| rgb("background", &text)).transpose()?,
        background_image: raw.background_image,
        letterbox: raw.letterbox.map(|text| rgb("letterbox", &text)).transpose()?,
        letterbox_image: raw.letterbox_image,
        transition: transition(raw.transition)?,
        zones: Vec::new(),
    })
}

/// A rectangle, and how far in front it is.
pub(crate) fn zone(raw: &RawValue) -> Result<(i32, Zone), String> {
    let raw: wire::Zone = shape(raw)?;
    id(&raw.id)?;
    // A zone may hang over an edge of the page; beyond its own size it is a mistake.
    let side = i64::from(limits::IMAGE_SIDE_PX);
    within("x_px", i64::from(raw.x_px), -side, side)?;
    within("y_px", i64::from(raw.y_px), -side, side)?;
    within("width_px", raw.width_px, 1, limits::IMAGE_SIDE_PX)?;
    within("height_px", raw.height_px, 1, limits::IMAGE_SIDE_PX)?;
    within("opacity", raw.opacity, 0.0, 1.0)?;
    within("rotation_deg", raw.rotation_deg, -360.0, 360.0)?;
    within("volume", raw.volume, 0.0, 1.0)?;
    let zone = Zone {
        id: raw.id,
        x_px: raw.x_px,
        y_px: raw.y_px,
        width_px: raw.width_px,
        height_px: raw.height_px,
        opacity: raw.opacity,
        rotation_deg: raw.rotation_deg,
        volume: raw.volume,
        playlist: raw.playlist,
    };
    Ok((raw.z, zone))
}

/// A line of the schedule. A wrong window costs the whole line: without it the line would be open
/// for longer than anybody meant.
pub(crate) fn entry(raw: &RawValue) -> Result<Entry, String> {
    let raw: wire::Entry = shape(raw)?;
    id(&raw.id)?;
    if raw.windows.len() > limits::WINDOWS {
        return Err(format!("{} windows, at most {}", raw.windows.len(), limits::WINDOWS));
    }
    if !(1..=limits::DISPLAYS).contains(&raw.display) {
        return Err(format!("display {}: 1 to {} are known", raw.display, limits::DISPLAYS));
    }
    let target = match raw.target {
        wire::Target::Playlist(id) => Target::Playlist(id),
        wire::Target::Layout(id) => Target::Layout(id),
    };
    Ok(Entry {
        id: raw.id,
        kind: raw.kind,
        priority: raw.priority,
        display: raw.display,
        target,
        windows: raw.windows,
        valid: Validity { from: raw.valid_from, until: raw.valid_until },
    })
}

/// The cloud's word on a setting. What the key is and takes is not asked here.
pub(crate) fn setting(raw: &RawValue) -> Result<(String, Word), String> {
    let wire::Setting { key, value, updated_at, by } = shape(raw)?;
    for (name, text) in [("key", &key), ("value", &value), ("by", &by)] {
        if text.len() > limits::SETTING_BYTES {
            return Err(format!(
                "{name} has {} bytes, at most {}",
                text.len(),
                limits::SETTING_BYTES
            ));
        }
    }
    Ok((key, Word { value, at: updated_at, by }))
}

/// Something to be done once.
pub(crate) fn order(raw: &RawValue) -> Result<Order, String> {
    let order: Order = shape(raw)?;
    id(&order.id)?;
    Ok(order)
}

/// Reads an element, or says what is wrong with it.
pub(crate) fn shape<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(raw.get()).map_err(|error| {
        let text = error.to_string();
        // Which element it is, its place says; line and column in it are no help.
        text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
    })
}

fn id(text: &str) -> Result<(), String> {
    self::text("id", text)?;
    if text.is_empty() { Err("id is empty".into()) } else { Ok(()) }
}

fn text(key: &str, text: &str) -> Result<(), String> {
    let (found, most) = (text.len(), limits::STRING_BYTES);
    if found > most {
        return Err(format!("{key}: {found} bytes, at most {most}"));
    }
    Ok(())
}

fn within<T: PartialOrd + std::fmt::Display>(
    key: &str,
    found: T,
    least: T,
    most: T,
) -> Result<(), String> {
    if found >= least && found <= most {
        return Ok(());
    }
    Err(format!("{key} is {found}, want {least} to {most}"))
}

fn rgb(key: &str, text: &str) -> Result<[u8; 3], String> {
    let wrong =
        || format!("{key} is {:?}, want #rrggbb", text.chars().take(20).collect::<String>());
    let digits = text.strip_prefix('#').ok_or_else(wrong)?;
    if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let number = u32::from_str_radix(digits, 16).map_err(|_| wrong())?;
    let [_, red, green, blue] = number.to_be_bytes();
    Ok([red, green, blue])
}

/// A complaint quotes foreign text: cut to what a line of a log holds.
fn brief(mut text: String) -> String {
    const MOST: usize = 300;
    if text.len() > MOST {
        let cut = (0..=MOST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
        text.push('…');
    }
    text
}
