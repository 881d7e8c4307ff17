//! What is wanted on screen, in this crate's own words.
//!
//! The director says what state it wants, not which steps lead there: a [`Wish`] replaces the one
//! before, whatever became of that.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vitrine_config::time::Mono;

/// Number of one showing of one source. Rises with each showing the director thinks of; every
/// report carries it, so a late report is known to be late.
pub type Turn = u64;

/// What the director wants now, and what it will want next.
///
/// The stage converges: layers whose turn is already on screen go on undisturbed, new turns are
/// prepared in full before the swap. When `next` comes due and is prepared, the stage swaps to it
/// by itself, on the frame boundary, and reports [`crate::report::Report::Shown`].
///
/// A wish whose `wanted` has a turn that the stage has since moved on from by itself was sent before
/// that was known: its `wanted` is passed over, its `next` is taken, unless it has such a turn, too.
/// The director learns from the reports, and asks under a new turn if it still wants that showing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// On screen as soon as it is prepared.
    pub wanted: Scene,
    /// Prepared at once, shown when its start comes.
    pub next: Option<Next>,
}

/// The scene after the wanted one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Next {
    /// The whole picture, with the layers that stay.
    pub scene: Scene,
    /// When it takes over.
    pub start: Start,
}

/// When a next scene takes over. If it is not prepared by then, the old one stays until it is, or
/// until it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// On the first frame at or after this moment.
    At(Mono),
    /// This long after the first frame of `turn` was handed to the display.
    After {
        /// Whose first frame.
        turn: Turn,
        /// How long it lasts.
        lasts: Duration,
    },
    /// When `turn` has shown its last frame for that frame's full time.
    AtEnd {
        /// Whose last frame.
        turn: Turn,
    },
}

/// One whole picture.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// Behind all layers.
    pub background: Rgb,
    /// Around the canvas, where the screen has another shape. None: the background.
    #[serde(default)]
    pub surround: Option<Rgb>,
    /// The page that layers are placed on, scaled uniformly and centred. None: the screen itself,
    /// one canvas pixel per screen pixel.
    pub canvas: Option<Size>,
    /// How the whole picture is turned for a display that hangs on its side or head.
    #[serde(default)]
    pub rotation: Rotation,
    /// Back to front.
    pub layers: Vec<Layer>,
}

/// One rectangle with one source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Which showing this is. The same turn in two scenes is the same showing.
    pub turn: Turn,
    /// Where its pixels come from.
    pub source: Source,
    /// What `place` is a part of.
    #[serde(default)]
    pub base: Base,
    /// Where on the base. None: all of it.
    pub place: Option<Rect>,
    /// How the picture is placed in there.
    pub fit: Fit,
    /// Behind the picture, inside the rectangle. None: see-through.
    pub background: Option<Rgb>,
    /// The point of the picture that is kept nearest to the middle where it is cut off: 0.0, 0.0 is
    /// its top left corner, 1.0, 1.0 its bottom right one.
    #[serde(default = "middle")]
    pub focus: [f32; 2],
    /// Clockwise, about the middle of the rectangle, in degrees.
    #[serde(default)]
    pub turned_deg: f32,
    /// 0.0 to 1.0.
    pub opacity: f32,
    /// How it takes the place of what was there before. None: from one frame to the next.
    #[serde(default)]
    pub entrance: Option<Transition>,
}

fn middle() -> [f32; 2] {
    [0.5; 2]
}

/// What a layer is placed on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// The scene's canvas.
    #[default]
    Canvas,
    /// The screen itself, one pixel for one pixel, whatever the canvas.
    Screen,
    /// A page of its own, scaled uniformly and centred.
    Page(Size),
}

/// How one picture takes the place of another; both keep moving meanwhile.
///
/// The layers that it replaces are those with the same rectangle on the same page. When the page
/// itself is another one, all of it comes in as the hindmost new layer does; layers with the same
/// turn in both stay undisturbed. A showing is [`crate::report::Report::Gone`] when its successor
/// begins to come in: transitions add nothing to anybody's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// What it looks like.
    pub kind: TransitionKind,
    /// From the first frame in which the new picture has a part to the first without the old one.
    pub lasts: Duration,
}

/// What a transition looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    /// One becomes the other.
    Fade,
    /// The new one pushes the old one this way.
    Slide(Way),
    /// An edge moves this way and uncovers the new one.
    Wipe(Way),
    /// The new one grows out of the middle.
    Zoom,
}

/// Where something moves to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Way {
    Left,
    Right,
    Up,
    Down,
}

/// Clockwise quarter turns of the whole picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// The top of the picture is at the top of the display.
    #[default]
    None,
    /// By 90 degrees: the top is at the right.
    Quarter,
    /// By 180 degrees: the top is at the bottom.
    Half,
    /// By 270 degrees: the top is at the left.
    ThreeQuarters,
}

impl Rotation {
    /// The extent that a picture has before it is turned onto a display of `screen`.
    pub fn upright(self, screen: Size) -> Size {
        match self {
            Rotation::None | Rotation::Half => screen,
            Rotation::Quarter | Rotation::ThreeQuarters => {
                Size { width_px: screen.height_px, height_px: screen.width_px }
            }
        }
    }
}

/// Where pixels come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A picture file: JPEG, PNG, WebP, GIF, TIFF, BMP or SVG, told apart by its bytes. GIF, WebP and
    /// PNG move if they say so, as often as they say; then the last frame stays.
    Image {
        /// To be opened for reading.
        path: PathBuf,
    },
    /// A file with moving pictures.
    Video {
        /// To be opened for reading.
        path: PathBuf,
        /// 0.0 (silent) to 1.0 (as recorded).
        volume: f32,
        /// Starts over at the end, without a gap, for as long as it is wanted.
        looped: bool,
        /// Where sound goes.
        audio: AudioOut,
    },
    /// One colour.
    Colour(Rgb),
    /// Words, over the whole rectangle.
    Text(Text),
    /// A built-in picture.
    Card(Card),
}

/// Words and how they look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Text {
    /// What is written.
    pub words: Words,
    /// How.
    pub style: TextStyle,
}

/// What is written. Every letter that some font has is shown; a font is compiled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Words {
    /// Paragraphs, one a line, that stand still.
    Still(String),
    /// One line that runs across: from right to left, or from left to right where the script does.
    Ticker {
        /// Ends of lines become gaps.
        text: String,
        /// Canvas pixels a second.
        speed_px_s: f32,
        /// Follows itself for as long as it is wanted; else it ends when it has run across once.
        looped: bool,
    },
    /// The time of day.
    Clock {
        /// As `strftime` has it, such as `%H:%M`.
        format: String,
        /// IANA name. None, or one that is not known: the system's.
        zone: Option<String>,
    },
    /// The time that is left.
    Countdown {
        /// The moment it counts down to.
        to: Timestamp,
        /// `%D` days, `%H` hours, `%M` minutes, `%S` seconds, `%%`; the largest unit named takes all
        /// that is above it, the smallest is rounded up.
        format: String,
        /// What is shown from that moment on. None: zeros.
        over: Option<String>,
    },
}

/// How words look. Lengths in canvas pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextStyle {
    /// A font file, asked first for every letter.
    pub font: Option<PathBuf>,
    /// An installed family, such as `DejaVu Sans`; asked after `font`. The compiled-in one is
    /// `Vitrine Sans`.
    pub family: Option<String>,
    /// Height of the letters' em.
    pub size_px: f32,
    /// 100 to 900: 400 is regular, 700 is bold. The nearest that the font has is taken.
    pub weight: u16,
    /// Of the letters.
    pub colour: Rgb,
    /// Along the line.
    pub align: Align,
    /// Across the lines; a text that is too long begins at the top.
    pub place: VerticalPlace,
    /// Lines break where they are too long for the rectangle.
    pub wrap: bool,
    /// Free on all four sides.
    pub padding_px: f32,
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    /// Where its script begins.
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

/// Where sound goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioOut {
    /// The first sink that works, silence if none does.
    #[default]
    Auto,
    /// Silence; the sound track is not decoded.
    None,
    /// An ALSA device by name; silence if it does not open.
    Alsa(String),
}

/// A built-in picture: there when there is nothing better. Needs no font, file or network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Card {
    /// The device waits for an operator.
    Pairing {
        /// As a person types it, `XXXX-XXXX`.
        user_code: String,
        /// Where, in words.
        verification_uri: String,
        /// The same with the code, for the QR code.
        verification_uri_complete: String,
        /// Fingerprint of the device key, in groups.
        fingerprint: String,
    },
    /// Nothing to play, and why.
    NoContent {
        /// One short headline, such as "No content yet".
        headline: String,
        /// One or two sentences: what is missing and what helps.
        detail: String,
    },
    /// Which device this is; drawn as a band over the running picture.
    Identify {
        /// Name of the device.
        name: String,
        /// More lines: address, release.
        detail: String,
    },
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
    /// One picture pixel per canvas pixel, centred.
    None,
}

/// A rectangle on the canvas, in canvas pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x_px: f32,
    /// Top edge.
    pub y_px: f32,
    /// Width.
    pub width_px: f32,
    /// Height.
    pub height_px: f32,
}

/// A size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Size {
    /// Width.
    pub width_px: u32,
    /// Height.
    pub height_px: u32,
}

/// A colour: red, green, blue, sRGB-encoded, 0 to 255.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rgb(pub [u8; 3]);

impl Layer {
    /// `source` over the whole canvas, contained, opaque, at once.
    pub fn new(turn: Turn, source: Source) -> Layer {
        Layer {
            turn,
            source,
            base: Base::Canvas,
            place: None,
            fit: Fit::Contain,
            background: None,
            focus: middle(),
            turned_deg: 0.0,
            opacity: 1.0,
            entrance: None,
        }
    }
}

impl Scene {
    /// The highest turn in it; 0 for an empty scene.
    pub fn newest_turn(&self) -> Turn {
        self.layers.iter().map(|layer| layer.turn).max().unwrap_or(0)
    }
}
