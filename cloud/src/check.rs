//! Whether content is right: everything that is wrong is found at once, each with its place.
//!
//! In:  all content of a tenant as it would be, and its assets.
//! Out: complaints; none means that every device can take it.
//!
//! Not here: the shape of the JSON (`api::content`). This module does no I/O and cannot fail.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use vitrine_wire::Digest;
use vitrine_wire::manifest::{
    self, Asset, Content, Entry, Item, Layout, NewsFeed, Playlist, Target, TextStyle, Transition,
    TransitionKind, Zone,
};

use crate::compose::Draft;
use crate::error::Complaint;
use crate::limits;

/// Everything that is wrong with `draft`.
pub fn draft(draft: &Draft, assets: &[Asset]) -> Vec<Complaint> {
    let mut check = Check {
        assets: assets.iter().map(|asset| (asset.sha256, asset)).collect(),
        playlists: draft.playlists.iter().map(|p| p.id.as_str()).collect(),
        layouts: draft.layouts.iter().map(|l| l.id.as_str()).collect(),
        complaints: Vec::new(),
    };
    check.counts(draft);
    draft.playlists.iter().for_each(|playlist| check.playlist(playlist));
    draft.layouts.iter().for_each(|layout| check.layout(layout));
    check.unique("schedule", draft.schedule.iter().map(|e| e.id.as_str()));
    for (n, entry) in draft.schedule.iter().enumerate() {
        check.entry(&format!("schedule[{n}]"), entry);
    }
    check.complaints
}

/// Whether `id` may stand in a path and in a manifest: 1 to 64 of `A-Z a-z 0-9 . _ -`.
pub fn is_id(id: &str) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    (1..=limits::ID_BYTES).contains(&id.len()) && id.bytes().all(fits) && id != "." && id != ".."
}

/// Whether `label` is something that people can read: not empty, not long, no control characters.
pub fn is_label(label: &str) -> bool {
    let fits = (1..=limits::LABEL_BYTES).contains(&label.len());
    fits && !label.trim().is_empty() && !label.contains(char::is_control)
}

struct Check<'a> {
    assets: BTreeMap<Digest, &'a Asset>,
    playlists: BTreeSet<&'a str>,
    layouts: BTreeSet<&'a str>,
    complaints: Vec<Complaint>,
}

impl<'a> Check<'a> {
    fn say(&mut self, place: &str, text: impl Into<String>) {
        self.complaints.push(Complaint { place: place.into(), text: text.into() });
    }

    fn want(&mut self, holds: bool, place: &str, text: impl FnOnce() -> String) {
        if !holds {
            self.say(place, text());
        }
    }

    fn counts(&mut self, draft: &Draft) {
        let items = draft.playlists.iter().map(|p| p.items.len()).sum::<usize>();
        let feeds: BTreeSet<&str> = draft.playlists.iter().flat_map(feed_urls).collect();
        for (place, found, most) in [
            ("playlists", draft.playlists.len(), limits::LIST),
            ("layouts", draft.layouts.len(), limits::LIST),
            ("schedule", draft.schedule.len(), limits::LIST),
            ("items of all playlists", items, limits::ITEMS),
            ("feeds of all tickers", feeds.len(), limits::FEEDS),
        ] {
            self.want(found <= most, place, || format!("{found} of them, at most {most}"));
        }
    }

    fn unique(&mut self, place: &str, ids: impl Iterator<Item = &'a str>) {
        let mut seen = BTreeSet::new();
        for id in ids {
            self.want(is_id(id), place, || {
                format!("id is {id:?}, want 1 to {} of A-Z a-z 0-9 . _ -", limits::ID_BYTES)
            });
            self.want(seen.insert(id), place, || format!("id {id:?} is there twice"));
        }
    }

    fn label(&mut self, place: &str, label: &str) {
        self.want(is_label(label), &format!("{place}.name"), || {
            format!("is {label:?}, want 1 to {} bytes of printable text", limits::LABEL_BYTES)
        });
    }

    fn share(&mut self, place: String, share: f32) {
        self.want((0.0..=1.0).contains(&share), &place, || format!("is {share}, want 0.0 to 1.0"));
    }

    fn colour(&mut self, place: String, colour: &str) {
        let digits = colour.strip_prefix('#').unwrap_or_default();
        let fits = digits.len() == 6 && digits.bytes().all(|c| c.is_ascii_hexdigit());
        self.want(fits, &place, || format!("is {colour:?}, want #rrggbb"));
    }

    fn validity(&mut self, place: &str, from: Option<Timestamp>, until: Option<Timestamp>) {
        if let (Some(from), Some(until)) = (from, until) {
            self.want(from < until, &format!("{place}.valid_until"), || {
                format!("is {until}, want later than valid_from, which is {from}")
            });
        }
    }

    fn playlist(&mut self, playlist: &'a Playlist) {
        let place = format!("playlists.{}", playlist.id);
        self.label(&place, &playlist.name);
        self.transition(&place, playlist.transition);
        self.unique(&format!("{place}.items"), playlist.items.iter().map(|i| i.id.as_str()));
        for (n, item) in playlist.items.iter().enumerate() {
            self.item(&format!("{place}.items[{n}]"), item);
        }
    }

    fn item(&mut self, place: &str, item: &Item) {
        match &item.content {
            Content::Image { asset } => self.asset(place, asset, "image"),
            Content::Video { asset } => self.asset(place, asset, "video"),
            Content::Audio { asset } => self.asset(place, asset, "audio"),
            Content::Colour { colour } => self.colour(format!("{place}.colour"), colour),
            Content::Text { text, .. } => self.text(format!("{place}.text"), text),
            Content::Ticker { text, feed, speed_px_s, .. } => {
                self.text(format!("{place}.text"), text);
                let says = feed.is_some() || !text.trim().is_empty();
                self.want(says, &format!("{place}.text"), || {
                    "is empty, and there is no feed".into()
                });
                if let Some(feed) = feed {
                    self.feed(&format!("{place}.feed"), feed);
                }
                let (least, most) = limits::TICKER_SPEED_PX_S;
                self.number(format!("{place}.speed_px_s"), *speed_px_s, least, most);
            }
            Content::Clock { format, time_zone, locale, .. } => {
                self.format(format!("{place}.format"), format, manifest::clock_fault(format));
                self.zone_name(format!("{place}.time_zone"), time_zone.as_deref());
                let fault = locale.as_deref().and_then(manifest::locale_fault);
                let known = fault.is_none();
                self.want(known, &format!("{place}.locale"), || fault.unwrap_or_default());
            }
            Content::Countdown { format, over, .. } => {
                self.format(format!("{place}.format"), format, manifest::countdown_fault(format));
                self.text(format!("{place}.over"), over.as_deref().unwrap_or_default());
            }
        }
        if let Some(style) = item.content.style() {
            self.style(&format!("{place}.style"), style);
        }
        let (least, most) = (limits::ITEM_DURATION_MIN_MS, limits::ITEM_DURATION_MS);
        if let Some(ms) = item.duration_ms {
            self.want((least..=most).contains(&ms), &format!("{place}.duration_ms"), || {
                format!("is {ms}, want {least} to {most}")
            });
        }
        if let Some(colour) = &item.background {
            self.colour(format!("{place}.background"), colour);
        }
        if let Some(focus) = item.focus {
            self.share(format!("{place}.focus.x"), focus.x);
            self.share(format!("{place}.focus.y"), focus.y);
        }
        self.transition(place, item.transition);
        self.share(format!("{place}.volume"), item.volume);
        self.validity(place, item.valid_from, item.valid_until);
    }

    fn feed(&mut self, place: &str, feed: &NewsFeed) {
        self.format(format!("{place}.url"), &feed.url, manifest::feed_url_fault(&feed.url));
        self.number(format!("{place}.items"), feed.items, 1, limits::FEED_HEADLINES);
        let (least, most) = limits::FEED_REFRESH_S;
        self.number(format!("{place}.refresh_s"), feed.refresh_s, least, most);
        self.text(format!("{place}.separator"), feed.separator.as_deref().unwrap_or_default());
    }

    fn transition(&mut self, place: &str, transition: Option<Transition>) {
        let Some(Transition { kind, duration_ms }) = transition else { return };
        let place = format!("{place}.transition");
        self.want(kind != TransitionKind::Unknown, &format!("{place}.kind"), || {
            "is not known, want cut, fade, zoom, or slide or wipe with _left, _right, _up or _down"
                .into()
        });
        let most = limits::TRANSITION_MS;
        self.want(duration_ms <= most, &format!("{place}.duration_ms"), || {
            format!("is {duration_ms}, want 0 to {most}")
        });
    }

    fn style(&mut self, place: &str, style: &TextStyle) {
        let (least, most) = limits::TEXT_SIZE_PX;
        self.number(format!("{place}.size_px"), style.size_px, least, most);
        self.number(format!("{place}.weight"), style.weight.into(), 100, 900);
        self.number(format!("{place}.padding_px"), style.padding_px, 0, limits::TEXT_PADDING_PX);
        self.colour(format!("{place}.colour"), &style.colour);
        self.text(format!("{place}.family"), style.family.as_deref().unwrap_or_default());
        if let Some(font) = &style.font {
            self.file(format!("{place}.font"), font, "font");
        }
    }

    fn number(&mut self, place: String, found: u32, least: u32, most: u32) {
        self.want((least..=most).contains(&found), &place, || {
            format!("is {found}, want {least} to {most}")
        });
    }

    fn text(&mut self, place: String, text: &str) {
        let (found, most) = (text.len(), limits::TEXT_BYTES);
        self.want(found <= most, &place, || format!("{found} bytes, at most {most}"));
    }

    fn format(&mut self, place: String, format: &str, fault: Option<String>) {
        if let Some(fault) = fault {
            self.say(&place, fault);
        }
        self.text(place, format);
    }

    fn zone_name(&mut self, place: String, name: Option<&str>) {
        let known = name.is_none_or(|name| jiff::tz::TimeZone::get(name).is_ok());
        self.want(known, &place, || format!("is {name:?}, want a name such as Europe/Berlin"));
    }

    fn asset(&mut self, place: &str, digest: &Digest, wanted: &str) {
        self.file(format!("{place}.asset"), digest, wanted);
    }

    fn file(&mut self, place: String, digest: &Digest, wanted: &str) {
        let Some(asset) = self.assets.get(digest) else {
            return self.say(&place, format!("no asset {digest}: upload it first"));
        };
        let (name, found) = (&asset.name, &asset.media_type);
        let fits = found.starts_with(wanted);
        let text = || format!("{name:?} is {found}, want a file of kind {wanted}");
        let text = if fits { String::new() } else { text() };
        self.want(fits, &place, || text);
    }

    fn layout(&mut self, layout: &'a Layout) {
        let place = format!("layouts.{}", layout.id);
        self.label(&place, &layout.name);
        self.side(format!("{place}.width_px"), layout.width_px);
        self.side(format!("{place}.height_px"), layout.height_px);
        if let Some(colour) = &layout.background {
            self.colour(format!("{place}.background"), colour);
        }
        if let Some(colour) = &layout.letterbox {
            self.colour(format!("{place}.letterbox"), colour);
        }
        for (name, image) in [
            ("background_image", &layout.background_image),
            ("letterbox_image", &layout.letterbox_image),
        ] {
            if let Some(image) = image {
                self.file(format!("{place}.{name}"), image, "image");
            }
        }
        self.transition(&place, layout.transition);
        let (zones, most) = (layout.zones.len(), limits::ZONES);
        let list = format!("{place}.zones");
        self.want(zones <= most, &list, || format!("{zones} of them, at most {most}"));
        self.unique(&list, layout.zones.iter().map(|z| z.id.as_str()));
        for (n, zone) in layout.zones.iter().enumerate() {
            self.zone(&format!("{list}[{n}]"), zone);
        }
    }

    fn side(&mut self, place: String, px: u32) {
        let most = limits::SIDE_PX;
        self.want((1..=most).contains(&px), &place, || format!("is {px}, want 1 to {most}"));
    }

    fn offset(&mut self, place: String, px: i32) {
        let most = limits::SIDE_PX;
        self.want(px.unsigned_abs() <= most, &place, || format!("is {px}, want -{most} to {most}"));
    }

    fn zone(&mut self, place: &str, zone: &Zone) {
        self.side(format!("{place}.width_px"), zone.width_px);
        self.side(format!("{place}.height_px"), zone.height_px);
        self.offset(format!("{place}.x_px"), zone.x_px);
        self.offset(format!("{place}.y_px"), zone.y_px);
        self.share(format!("{place}.opacity"), zone.opacity);
        self.share(format!("{place}.volume"), zone.volume);
        let (deg, most) = (zone.rotation_deg, limits::ROTATION_DEG);
        self.want(deg.abs() <= most, &format!("{place}.rotation_deg"), || {
            format!("is {deg}, want -{most} to {most}")
        });
        let known = self.playlists.contains(zone.playlist.as_str());
        self.want(known, &format!("{place}.playlist"), || no_such("playlist", &zone.playlist));
    }

    fn entry(&mut self, place: &str, entry: &Entry) {
        let (known, text) = match &entry.target {
            Target::Playlist(id) => (self.playlists.contains(id.as_str()), no_such("playlist", id)),
            Target::Layout(id) => (self.layouts.contains(id.as_str()), no_such("layout", id)),
        };
        self.want(known, &format!("{place}.target"), || text);
        self.validity(place, entry.valid_from, entry.valid_until);
        let (display, most) = (entry.display, limits::DISPLAYS);
        self.want((1..=most).contains(&display), &format!("{place}.display"), || {
            format!("is {display}, want 1 to {most}")
        });
        let (found, most) = (entry.windows.len(), limits::WINDOWS);
        self.want(found <= most, &format!("{place}.windows"), || {
            format!("{found} of them, at most {most}")
        });
    }
}

fn feed_urls(playlist: &Playlist) -> impl Iterator<Item = &str> {
    playlist.items.iter().filter_map(|item| match &item.content {
        Content::Ticker { feed, .. } => feed.as_ref().map(|feed| feed.url.as_str()),
        _ => None,
    })
}

fn no_such(what: &str, id: &str) -> String {
    format!("no {what} {id:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn assets() -> Vec<Asset> {
        let asset = |byte, media_type: &str| Asset {
            sha256: Digest([byte; 32]),
            size_bytes: 1,
            media_type: media_type.into(),
            name: "file".into(),
        };
        vec![asset(1, "image/png"), asset(2, "video/mp4"), asset(3, "font/ttf")]
    }

    fn good() -> Value {
        json!({
            "playlists": [{"id": "p", "name": "P", "items": [
                {"id": "1", "kind": "image", "asset": Digest([1; 32]), "duration_ms": 500},
                {"id": "2", "kind": "video", "asset": Digest([2; 32]), "volume": 0.5},
                {"id": "3", "kind": "colour", "colour": "#00ff7F"},
                {"id": "4", "kind": "text", "text": "words", "style": {"font": Digest([3; 32])}},
                {"id": "5", "kind": "ticker", "speed_px_s": 60,
                    "feed": {"url": "https://news.example/rss", "items": 5, "refresh_s": 60}},
                {"id": "6", "kind": "clock", "format": "%A %H:%M", "time_zone": "Europe/Berlin",
                    "locale": "de_DE"},
                {"id": "7", "kind": "countdown", "to": "2030-01-01T00:00:00Z", "format": "%D"},
            ]}],
            "layouts": [{"id": "l", "name": "L", "width_px": 1920, "height_px": 1080, "zones": [
                {"id": "z", "x_px": -5, "y_px": 0, "width_px": 9, "height_px": 9, "playlist": "p"},
            ]}],
            "schedule": [
                {"id": "e", "target": {"playlist": "p"},
                    "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2026-01-02T00:00:00Z",
                    "windows": [{"from": "22:00", "until": "06:00"}]},
                {"id": "f", "target": {"layout": "l"}},
            ],
        })
    }

    fn places(value: Value) -> Vec<String> {
        let parsed: Draft = serde_json::from_value(value).unwrap();
        draft(&parsed, &assets()).into_iter().map(|c| c.place).collect()
    }

    /// Sets the value at a JSON pointer.
    fn with(at: &str, value: Value) -> Value {
        let mut all = good();
        match at.rsplit_once('/') {
            Some((parent, key)) if all.pointer(at).is_none() => {
                all.pointer_mut(parent).unwrap()[key] = value;
            }
            _ => *all.pointer_mut(at).unwrap() = value,
        }
        all
    }

    #[test]
    fn good_content_has_no_complaint() {
        assert_eq!(places(good()), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_found_at_its_place() {
        let digest = |byte| json!(Digest([byte; 32]));
        for (at, value, place) in [
            ("/playlists/0/name", json!(""), "playlists.p.name"),
            ("/playlists/0/items/0/asset", digest(9), "playlists.p.items[0].asset"),
            ("/playlists/0/items/0/asset", digest(2), "playlists.p.items[0].asset"),
            ("/playlists/0/items/1/asset", digest(1), "playlists.p.items[1].asset"),
            ("/playlists/0/items/0/duration_ms", json!(499), "playlists.p.items[0].duration_ms"),
            ("/playlists/0/items/0/background", json!("red"), "playlists.p.items[0].background"),
            ("/playlists/0/items/1/volume", json!(1.5), "playlists.p.items[1].volume"),
            ("/playlists/0/items/2/colour", json!("#12345"), "playlists.p.items[2].colour"),
            ("/playlists/0/items/0/focus", json!({"x": 0, "y": 2}), "playlists.p.items[0].focus.y"),
            (
                "/playlists/0/items/0/transition",
                json!({"kind": "melt"}),
                "playlists.p.items[0].transition.kind",
            ),
            (
                "/playlists/0/transition",
                json!({"kind": "fade", "duration_ms": 5_001}),
                "playlists.p.transition.duration_ms",
            ),
            ("/playlists/0/items/3/style/font", digest(9), "playlists.p.items[3].style.font"),
            ("/playlists/0/items/3/style/font", digest(1), "playlists.p.items[3].style.font"),
            ("/playlists/0/items/0/asset", digest(3), "playlists.p.items[0].asset"),
            ("/playlists/0/items/3/style/size_px", json!(3), "playlists.p.items[3].style.size_px"),
            ("/playlists/0/items/3/text", json!("x".repeat(5_000)), "playlists.p.items[3].text"),
            ("/playlists/0/items/4/speed_px_s", json!(0), "playlists.p.items[4].speed_px_s"),
            ("/playlists/0/items/4/feed", json!(null), "playlists.p.items[4].text"),
            ("/playlists/0/items/4/feed/url", json!("//a"), "playlists.p.items[4].feed.url"),
            ("/playlists/0/items/4/feed/items", json!(101), "playlists.p.items[4].feed.items"),
            (
                "/playlists/0/items/4/feed/refresh_s",
                json!(59),
                "playlists.p.items[4].feed.refresh_s",
            ),
            ("/playlists/0/items/5/format", json!("%~"), "playlists.p.items[5].format"),
            ("/playlists/0/items/5/time_zone", json!("Mars"), "playlists.p.items[5].time_zone"),
            ("/playlists/0/items/5/locale", json!("German"), "playlists.p.items[5].locale"),
            ("/playlists/0/items/6/format", json!("%d"), "playlists.p.items[6].format"),
            ("/playlists/0/items/2/id", json!("1"), "playlists.p.items"),
            ("/playlists/0/items/2/id", json!("a/b"), "playlists.p.items"),
            ("/layouts/0/width_px", json!(0), "layouts.l.width_px"),
            ("/layouts/0/height_px", json!(20_000), "layouts.l.height_px"),
            ("/layouts/0/background", json!("#zzzzzz"), "layouts.l.background"),
            ("/layouts/0/letterbox", json!("black"), "layouts.l.letterbox"),
            ("/layouts/0/background_image", digest(9), "layouts.l.background_image"),
            ("/layouts/0/letterbox_image", digest(3), "layouts.l.letterbox_image"),
            ("/layouts/0/transition", json!({"kind": "unknown"}), "layouts.l.transition.kind"),
            ("/layouts/0/zones/0/rotation_deg", json!(361), "layouts.l.zones[0].rotation_deg"),
            ("/layouts/0/zones/0/playlist", json!("q"), "layouts.l.zones[0].playlist"),
            ("/layouts/0/zones/0/width_px", json!(0), "layouts.l.zones[0].width_px"),
            ("/layouts/0/zones/0/x_px", json!(-99_999), "layouts.l.zones[0].x_px"),
            ("/layouts/0/zones/0/opacity", json!(-0.1), "layouts.l.zones[0].opacity"),
            ("/layouts/0/zones/0/volume", json!(2), "layouts.l.zones[0].volume"),
            ("/schedule/0/target", json!({"playlist": "q"}), "schedule[0].target"),
            ("/schedule/1/target", json!({"layout": "p"}), "schedule[1].target"),
            ("/schedule/1/id", json!("e"), "schedule"),
            ("/schedule/0/valid_until", json!("2026-01-01T00:00:00Z"), "schedule[0].valid_until"),
        ] {
            assert_eq!(places(with(at, value.clone())), [place], "{at} = {value}");
        }
    }

    #[test]
    fn all_faults_are_found_at_once() {
        let mut all = with("/playlists/0/items/1/volume", json!(7));
        all["schedule"][0]["target"] = json!({"playlist": "q"});
        assert_eq!(places(all), ["playlists.p.items[1].volume", "schedule[0].target"]);
    }

    #[test]
    fn too_many_are_refused() {
        let zone = good()["layouts"][0]["zones"][0].clone();
        let zones: Vec<_> = (0..=limits::ZONES)
            .map(|n| {
                let mut zone = zone.clone();
                zone["id"] = json!(n.to_string());
                zone
            })
            .collect();
        assert_eq!(places(with("/layouts/0/zones", json!(zones))), ["layouts.l.zones"]);
    }

    #[test]
    fn ids_are_no_paths() {
        for (id, want) in
            [("a.b_c-D9", true), ("", false), ("..", false), ("a/b", false), ("ä", false)]
        {
            assert_eq!(is_id(id), want, "case {id:?}");
        }
    }
}
