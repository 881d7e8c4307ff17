//! The manifest: everything the cloud wants one device to know.
//!
//! Unknown fields are passed over, so that an older player takes what a newer cloud sends; unknown
//! *kinds* are the reader's business (`vitrine_sync::feed::cloud` keeps the rest and complains).

mod faults;

use jiff::Timestamp;
use jiff::civil::Time;
use serde::{Deserialize, Serialize};

pub use self::faults::{clock_fault, countdown_fault, feed_url_fault, locale_fault};
use crate::Digest;

/// What an envelope's payload holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Rises with every change; a device never goes back.
    pub version: u64,
    /// Id of the tenant it was made for.
    pub tenant: String,
    /// Id of the device it was made for.
    pub device: String,
    /// When the cloud made it.
    pub issued_at: Timestamp,
    /// Key that the tenant signs with from now on: 32 bytes, standard base64. The envelope is signed
    /// by it as well as by the one that the device has pinned, which it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_key: Option<String>,
    /// When the cloud would like to have replaced it. Later a device reports and plays on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// Every file that an item or a layout names.
    #[serde(default)]
    pub assets: Vec<Asset>,
    /// Ordered lists of items.
    #[serde(default)]
    pub playlists: Vec<Playlist>,
    /// Pages of zones.
    #[serde(default)]
    pub layouts: Vec<Layout>,
    /// When what plays.
    #[serde(default)]
    pub schedule: Vec<Entry>,
    /// How the player is to be set, as far as its own policy lets the cloud say so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<Setting>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Its name and its proof.
    pub sha256: Digest,
    /// Exact length.
    pub size_bytes: u64,
    /// Media type as uploaded, such as `image/jpeg`. A hint: decoders look at the bytes.
    pub media_type: String,
    /// What people call it. A label, never a path.
    pub name: String,
}

/// An ordered list of items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Playlist {
    /// Unique in the manifest.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How items come in that say nothing of it themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
    /// Played in this order, for ever.
    pub items: Vec<Item>,
}

/// One entry of a playlist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Unique in the playlist.
    pub id: String,
    /// What it shows.
    #[serde(flatten)]
    pub content: Content,
    /// How long it is shown. Absent: a video or a sound runs to its end, anything else for the device's
    /// default. One that is shorter than this is repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// How the picture is placed.
    #[serde(default)]
    pub fit: Fit,
    /// The point of the picture that is kept in sight where `fit` cuts something off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focus: Option<Focus>,
    /// Behind the picture, `#rrggbb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<String>,
    /// How it takes the place of the item before. Absent: as its playlist, else its layout says,
    /// else by a cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
    /// Loudness, 0.0 (silent) to 1.0 (as recorded).
    #[serde(default = "full")]
    pub volume: f32,
    /// Not shown before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// Not shown from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
}

fn full() -> f32 {
    1.0
}

fn is_full(share: &f32) -> bool {
    *share == 1.0
}

fn is_upright(deg: &f32) -> bool {
    *deg == 0.0
}

/// What an item shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// A still picture.
    Image {
        /// The file.
        asset: Digest,
    },
    /// Moving pictures with or without sound.
    Video {
        /// The file.
        asset: Digest,
    },
    /// Sound alone. Nothing is seen of it: what lies behind its rectangle is.
    Audio {
        /// The file.
        asset: Digest,
    },
    /// One colour.
    Colour {
        /// `#rrggbb`.
        colour: String,
    },
    /// Words that stand still, over the whole rectangle.
    Text {
        /// Paragraphs, one a line.
        text: String,
        /// How they look.
        #[serde(default)]
        style: TextStyle,
    },
    /// Words that run across in one line. With a duration the line follows itself for as long;
    /// without one the item ends when it has run across.
    Ticker {
        /// Ends of lines become gaps. With a feed: what runs for as long as that has brought nothing.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
        /// Where its words come from, if not from `text`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        feed: Option<NewsFeed>,
        /// Design pixels a second, 10 to 2 000.
        #[serde(default = "running")]
        speed_px_s: u32,
        /// How they look.
        #[serde(default)]
        style: TextStyle,
    },
    /// The time of day.
    Clock {
        /// As `strftime` has it.
        #[serde(default = "hours_and_minutes")]
        format: String,
        /// IANA name, such as `Europe/Berlin`. Absent: the device's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        time_zone: Option<String>,
        /// Whose names days and months have, as the GNU C Library calls it: `de_DE`, `pt_BR`,
        /// `sr_RS@latin`. Absent: English.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        locale: Option<String>,
        /// How it looks.
        #[serde(default)]
        style: TextStyle,
    },
    /// The time that is left.
    Countdown {
        /// Until then.
        to: Timestamp,
        /// `%D` days, `%H` hours, `%M` minutes, `%S` seconds, `%%`; the largest one named takes all
        /// above it, the smallest is rounded up.
        #[serde(default = "days_to_seconds")]
        format: String,
        /// Shown from that moment on. Absent: zeros.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        over: Option<String>,
        /// How it looks.
        #[serde(default)]
        style: TextStyle,
    },
}

/// RSS, Atom or a JSON Feed: a ticker runs with its headlines, and the device looks for news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsFeed {
    /// `https://…` or `http://…`, asked without any credentials.
    pub url: String,
    /// Headlines that run, the first ones of the feed, 1 to 100.
    #[serde(default = "ten")]
    pub items: u32,
    /// Between two of them. Absent: a dot with room around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// Pause between two looks for news, about, 60 to 86 400.
    #[serde(default = "a_quarter_of_an_hour")]
    pub refresh_s: u32,
}

fn ten() -> u32 {
    10
}

fn a_quarter_of_an_hour() -> u32 {
    900
}

fn running() -> u32 {
    120
}

fn hours_and_minutes() -> String {
    "%H:%M".to_owned()
}

fn days_to_seconds() -> String {
    "%D %H:%M:%S".to_owned()
}

/// How words look. Lengths are design pixels of the layout, screen pixels outside of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TextStyle {
    /// A font file (TrueType or OpenType) that is asked first for every letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub font: Option<Digest>,
    /// A family installed on the device. Letters that neither has come from any font that does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Height of the letters' em, 4 to 2 000.
    pub size_px: u32,
    /// 100 to 900: 400 is regular, 700 is bold.
    pub weight: u16,
    /// Of the letters, `#rrggbb`.
    pub colour: String,
    /// Along the line.
    pub align: Align,
    /// Across the lines.
    pub place: VerticalPlace,
    /// Whether lines break where they are too long.
    pub wrap: bool,
    /// Free on all four sides, up to 2 000.
    pub padding_px: u32,
}

impl Default for TextStyle {
    fn default() -> TextStyle {
        TextStyle {
            font: None,
            family: None,
            size_px: 48,
            weight: 400,
            colour: "#ffffff".to_owned(),
            align: Align::default(),
            place: VerticalPlace::default(),
            wrap: true,
            padding_px: 0,
        }
    }
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    /// Where its script begins: at the left for most.
    #[default]
    Start,
    /// In the middle.
    Centre,
    /// Where its script ends.
    End,
}

/// Where the lines stand together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerticalPlace {
    /// At the top.
    Top,
    /// In the middle.
    #[default]
    Middle,
    /// At the bottom.
    Bottom,
}

impl Content {
    /// The file that is seen or heard, if any.
    pub fn media(&self) -> Option<Digest> {
        match self {
            Content::Image { asset } | Content::Video { asset } | Content::Audio { asset } => {
                Some(*asset)
            }
            _ => None,
        }
    }

    /// How its words look, if it has any.
    pub fn style(&self) -> Option<&TextStyle> {
        match self {
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

    /// The file that it needs, if any: what is seen or heard, or its font.
    pub fn asset(&self) -> Option<Digest> {
        self.media().or_else(|| self.style().and_then(|style| style.font))
    }
}

/// How a picture is placed in its rectangle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Whole picture, bars where it does not fill.
    #[default]
    Contain,
    /// Fills, cut where it does not fit.
    Cover,
    /// Fills, bent.
    Stretch,
    /// One picture pixel per design pixel, centred.
    None,
}

/// A point of a picture, in shares of its width and height: 0.0, 0.0 is the top left corner.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Focus {
    /// 0.0 (left) to 1.0 (right).
    pub x: f32,
    /// 0.0 (top) to 1.0 (bottom).
    pub y: f32,
}

/// How an item takes the place of the one before. It begins with the item's own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// What it looks like.
    pub kind: TransitionKind,
    /// How long it takes; never longer than its item.
    #[serde(default = "half_a_second")]
    pub duration_ms: u64,
}

fn half_a_second() -> u64 {
    500
}

/// What a transition looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    /// From one frame to the next.
    Cut,
    /// One becomes the other.
    Fade,
    /// The new one pushes the old one to the left.
    SlideLeft,
    /// The new one pushes the old one to the right.
    SlideRight,
    /// The new one pushes the old one up.
    SlideUp,
    /// The new one pushes the old one down.
    SlideDown,
    /// An edge moves to the left and uncovers the new one.
    WipeLeft,
    /// An edge moves to the right and uncovers the new one.
    WipeRight,
    /// An edge moves up and uncovers the new one.
    WipeUp,
    /// An edge moves down and uncovers the new one.
    WipeDown,
    /// The new one grows out of the middle.
    Zoom,
    /// One that this release does not know: a cut.
    #[serde(other)]
    Unknown,
}

/// A page of zones at a design size, scaled uniformly to the screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Unique in the manifest.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Design width.
    pub width_px: u32,
    /// Design height.
    pub height_px: u32,
    /// Behind all zones, `#rrggbb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<String>,
    /// A still picture over that, cut to cover the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background_image: Option<Digest>,
    /// Around the page on a screen of another shape, `#rrggbb`; absent: the background.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letterbox: Option<String>,
    /// A still picture over that, cut to cover the screen; the page lies on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letterbox_image: Option<Digest>,
    /// How items come in whose playlists say nothing of it either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
    /// In any order; `z` decides.
    pub zones: Vec<Zone>,
}

impl Layout {
    /// The files of its own; those of its zones are their playlists' affair.
    pub fn assets(&self) -> impl Iterator<Item = Digest> {
        [self.background_image, self.letterbox_image].into_iter().flatten()
    }
}

/// One rectangle of a layout with its own playlist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Zone {
    /// Unique in the layout.
    pub id: String,
    /// Left edge in design pixels.
    pub x_px: i32,
    /// Top edge in design pixels.
    pub y_px: i32,
    /// Width in design pixels.
    pub width_px: u32,
    /// Height in design pixels.
    pub height_px: u32,
    /// Higher is in front; equals in order of the list.
    #[serde(default)]
    pub z: i32,
    /// 0.0 (invisible) to 1.0.
    #[serde(default = "full")]
    pub opacity: f32,
    /// Turned clockwise about its middle, -360 to 360 degrees.
    #[serde(default, skip_serializing_if = "is_upright")]
    pub rotation_deg: f32,
    /// Loudness of all that plays in it, 0.0 (muted) to 1.0; multiplies the items' own.
    #[serde(default = "full", skip_serializing_if = "is_full")]
    pub volume: f32,
    /// What plays in it.
    pub playlist: String,
}

/// One line of the schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Unique in the manifest.
    pub id: String,
    /// Which rank it plays in.
    #[serde(default)]
    pub kind: EntryKind,
    /// Highest wins within a kind; equals take turns. Of overlays the highest is in front.
    #[serde(default)]
    pub priority: i32,
    /// Which display it plays on, counted from 1, where the device gives each its own
    /// (`screen.displays = "each"`). On another one than the first the first of equals plays.
    #[serde(default = "first_display", skip_serializing_if = "is_first_display")]
    pub display: u8,
    /// What plays.
    pub target: Target,
    /// When, in the device's local time. None: always.
    #[serde(default)]
    pub windows: Vec<Window>,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// Not from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
}

fn first_display() -> u8 {
    1
}

fn is_first_display(display: &u8) -> bool {
    *display == first_display()
}

/// Rank of a schedule entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Beats every normal entry while its window is open.
    Interrupt,
    /// The usual.
    #[default]
    Normal,
    /// Plays when nothing else is due.
    Fallback,
    /// In front of whatever plays, and of every card, without a word in which that is. Several lie
    /// over one another. It is see-through where its items are: what lies behind the zones and
    /// around the page of a layout is not shown.
    Overlay,
}

/// What a schedule entry plays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A playlist over the whole screen.
    Playlist(String),
    /// A layout.
    Layout(String),
}

/// A weekly window, half-open: `from` is inside, `until` is not. `until` at or before `from` is on
/// the next day; `days` names the day on which the window opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// None: every day.
    #[serde(default)]
    pub days: Vec<Day>,
    /// `HH:MM` or `HH:MM:SS`, local time.
    pub from: Time,
    /// `HH:MM` or `HH:MM:SS`, local time.
    pub until: Time,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// The cloud's word on one setting of the player. The later word of cloud and device holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// `section.key`, as in the player's settings file; once in a manifest.
    pub key: String,
    /// As on the player's command line: a number or a text, without quotes.
    pub value: String,
    /// When it was said, by the cloud's clock.
    pub updated_at: Timestamp,
    /// Who said it.
    pub by: String,
}
