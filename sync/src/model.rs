//! The content model: what a manifest means once it has been proved and checked.
//!
//! Feeds (`feed::cloud`, `feed::folder`) map into it; the player reads it and knows no feed. If you
//! have a [`Manifest`] in hand, every reference in it resolves and every number is in range.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use vitrine_config::{Word, limits};
pub use vitrine_wire::Digest;
pub use vitrine_wire::manifest::{
    Align, Asset, Day, EntryKind, Fit, TransitionKind, VerticalPlace, Window,
};
pub use vitrine_wire::order::{Action, Order};

/// Everything the cloud wants this device to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Rises with every change.
    pub version: u64,
    /// Tenant it was made for.
    pub tenant: String,
    /// Device it was made for.
    pub device: String,
    /// Names what it shows and when: two manifests of the same content put the same on the screen,
    /// whatever their versions.
    pub content: Digest,
    /// Report when it is later than this, and play on.
    pub not_after: Option<Timestamp>,
    /// Every file that an item or a layout names.
    pub assets: BTreeMap<Digest, Asset>,
    /// By id.
    pub playlists: BTreeMap<String, Playlist>,
    /// By id.
    pub layouts: BTreeMap<String, Layout>,
    /// In the order of the manifest.
    pub schedule: Vec<Entry>,
    /// The cloud's words on the player's settings, by key; the device's policy has not seen them yet.
    pub settings: BTreeMap<String, Word>,
}

impl Manifest {
    /// The news feeds of its tickers, each with its shortest pause; at most [`limits::FEEDS`].
    pub fn news_feeds(&self) -> BTreeMap<String, Duration> {
        let mut feeds = BTreeMap::new();
        for item in self.playlists.values().flat_map(|playlist| &playlist.items) {
            let Content::Text(text) = &item.content else { continue };
            let Words::Ticker { feed: Some(feed), .. } = &text.words else { continue };
            if feeds.len() < limits::FEEDS || feeds.contains_key(&feed.url) {
                let pause = feeds.entry(feed.url.clone()).or_insert(feed.refresh);
                *pause = feed.refresh.min(*pause);
            }
        }
        feeds
    }
}

/// An ordered list of items; may be empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Playlist {
    /// Its key in [`Manifest::playlists`].
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How items come in that say nothing of it themselves.
    pub transition: Option<Transition>,
    /// Played in this order, for ever.
    pub items: Vec<Item>,
}

/// One entry of a playlist.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Unique in its playlist.
    pub id: String,
    /// What it shows.
    pub content: Content,
    /// None: the own length of a video or a sound, else the configured duration.
    pub duration: Option<Duration>,
    /// How the picture is placed.
    pub fit: Fit,
    /// The point of the picture that is kept in sight, in shares of its width and height.
    pub focus: [f32; 2],
    /// Red, green, blue behind the picture.
    pub background: Option<[u8; 3]>,
    /// How it takes the place of the item before; None: as its playlist or layout says.
    pub transition: Option<Transition>,
    /// 0.0 to 1.0.
    pub volume: f32,
    /// When it may be shown.
    pub valid: Validity,
}

/// How an item takes the place of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// What it looks like.
    pub kind: TransitionKind,
    /// How long it takes.
    pub lasts: Duration,
}

/// What an item shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A still picture.
    Image(Digest),
    /// Moving pictures.
    Video(Digest),
    /// Sound alone.
    Audio(Digest),
    /// Red, green, blue.
    Colour([u8; 3]),
    /// Words.
    Text(Box<Text>),
}

/// Words and how they look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What is written.
    pub words: Words,
    /// How.
    pub style: TextStyle,
}

/// What is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// Paragraphs, one a line.
    Still(String),
    /// One line that runs across.
    Ticker {
        /// Ends of lines are gaps. With a feed: while that has brought nothing.
        text: String,
        /// Where its words come from, if not from `text`.
        feed: Option<NewsFeed>,
        /// Design pixels a second.
        speed_px_s: u32,
    },
    /// The time of day.
    Clock {
        /// A `strftime` format that holds.
        format: String,
        /// IANA name; None: the device's.
        time_zone: Option<String>,
        /// Whose names days and months have; None: English.
        locale: Option<String>,
    },
    /// The time that is left.
    Countdown {
        /// Until then.
        to: Timestamp,
        /// A countdown format that holds.
        format: String,
        /// From that moment on; None: zeros.
        over: Option<String>,
    },
}

/// A feed whose headlines a ticker runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewsFeed {
    /// Its key in [`Live::headlines`].
    pub url: String,
    /// How many of its headlines run.
    pub items: usize,
    /// Between two of them; None: as between lines.
    pub separator: Option<String>,
    /// Between two looks at it.
    pub refresh: Duration,
}

/// The lines of news feeds by address, each feed's newest first; a feed that has brought nothing yet
/// is not in it.
pub type Headlines = BTreeMap<String, Vec<String>>;

/// How words look; lengths in design pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextStyle {
    /// Font file, asked first.
    pub font: Option<Digest>,
    /// Family installed on the device.
    pub family: Option<String>,
    /// Height of the letters' em.
    pub size_px: u32,
    /// 100 to 900.
    pub weight: u16,
    /// Red, green, blue of the letters.
    pub colour: [u8; 3],
    /// Along the line.
    pub align: Align,
    /// Across the lines.
    pub place: VerticalPlace,
    /// Whether lines break.
    pub wrap: bool,
    /// Free on all four sides.
    pub padding_px: u32,
}

impl Content {
    /// The file that it needs, if any.
    pub fn asset(&self) -> Option<Digest> {
        match self {
            Content::Image(asset) | Content::Video(asset) | Content::Audio(asset) => Some(*asset),
            Content::Text(text) => text.style.font,
            Content::Colour(_) => None,
        }
    }
}

impl Content {
    /// Whether it comes to an end by itself: a video, a sound, or a ticker that has run across.
    pub fn has_an_end(&self) -> bool {
        match self {
            Content::Video(_) | Content::Audio(_) => true,
            Content::Text(text) => matches!(text.words, Words::Ticker { .. }),
            Content::Image(_) | Content::Colour(_) => false,
        }
    }
}

/// A span of time, half-open, open-ended where there is no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Validity {
    /// Inside.
    pub from: Option<Timestamp>,
    /// Outside.
    pub until: Option<Timestamp>,
}

impl Validity {
    /// Whether `at` lies in it.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// A page of zones.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Its key in [`Manifest::layouts`].
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Design width, 1 to 16 384.
    pub width_px: u32,
    /// Design height, 1 to 16 384.
    pub height_px: u32,
    /// Red, green, blue behind all zones.
    pub background: Option<[u8; 3]>,
    /// A still picture over that, cut to cover the page.
    pub background_image: Option<Digest>,
    /// Red, green, blue around the page; None: the background.
    pub letterbox: Option<[u8; 3]>,
    /// A still picture over that, cut to cover the screen.
    pub letterbox_image: Option<Digest>,
    /// How items come in whose playlists say nothing of it either.
    pub transition: Option<Transition>,
    /// Back to front: sorted by `z`, then by place in the manifest.
    pub zones: Vec<Zone>,
}

impl Layout {
    /// The files of its own; those of its zones are their playlists' affair.
    pub fn assets(&self) -> impl Iterator<Item = Digest> {
        [self.background_image, self.letterbox_image].into_iter().flatten()
    }
}

/// One rectangle of a layout.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// Unique in its layout.
    pub id: String,
    /// Left edge in design pixels; may be outside the page.
    pub x_px: i32,
    /// Top edge in design pixels; may be outside the page.
    pub y_px: i32,
    /// At least 1.
    pub width_px: u32,
    /// At least 1.
    pub height_px: u32,
    /// 0.0 to 1.0.
    pub opacity: f32,
    /// Turned clockwise about its middle.
    pub rotation_deg: f32,
    /// 0.0 to 1.0; multiplies that of its items.
    pub volume: f32,
    /// A key of [`Manifest::playlists`].
    pub playlist: String,
}

/// One line of the schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Unique in the manifest.
    pub id: String,
    /// Which rank it plays in.
    pub kind: EntryKind,
    /// Highest wins within a kind; of overlays it is in front.
    pub priority: i32,
    /// Which display it plays on, from 1.
    pub display: u8,
    /// What plays.
    pub target: Target,
    /// None: always.
    pub windows: Vec<Window>,
    /// Outside of it the entry does not exist.
    pub valid: Validity,
}

/// What a schedule entry plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A key of [`Manifest::playlists`], over the whole screen.
    Playlist(String),
    /// A key of [`Manifest::layouts`].
    Layout(String),
}

/// Part of an input that was passed over, and why. The rest of the input is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Where, such as `playlists[2].items[7].kind`.
    pub place: String,
    /// What, wanted, found.
    pub text: String,
}

/// A generation that is in force, with its files.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// What to play.
    pub manifest: Manifest,
    /// Where the bytes are.
    pub files: Files,
    /// Assets that are not here (yet): their items are passed over.
    pub missing: BTreeSet<Digest>,
    /// What the feeds of its tickers have brought last.
    pub headlines: Headlines,
}

impl Live {
    /// The words of a ticker; None if it has none (yet): its item is passed over.
    pub fn ticker_text(&self, text: &str, feed: Option<&NewsFeed>) -> Option<String> {
        let lines = feed.and_then(|feed| Some((feed, self.headlines.get(&feed.url)?)));
        let text = match lines {
            Some((feed, lines)) => {
                let lines: Vec<&str> = lines.iter().take(feed.items).map(String::as_str).collect();
                lines.join(feed.separator.as_deref().unwrap_or("\n"))
            }
            None => text.to_owned(),
        };
        (feed.is_none() || !text.trim().is_empty()).then_some(text)
    }
}

/// Where assets lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Files {
    /// In a cache: `<root>/<first two hex>/<sha256 hex>`.
    Cache {
        /// Directory.
        root: PathBuf,
    },
    /// Wherever they were found; the digest is that of the path's text.
    Named(BTreeMap<Digest, PathBuf>),
}

impl Files {
    /// Path of an asset; None if there is no such asset.
    pub fn path(&self, asset: &Digest) -> Option<PathBuf> {
        match self {
            Files::Cache { root } => {
                let name = asset.to_string();
                Some(root.join(&name[..2]).join(name))
            }
            Files::Named(paths) => paths.get(asset).cloned(),
        }
    }
}
