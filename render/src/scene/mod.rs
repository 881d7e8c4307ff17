//! What is wanted on screen, in this crate's own words.
//!
//! The director says what state it wants, not which steps lead there: a [`Wish`] replaces the one
//! before, whatever became of that.

mod card;
mod transition;
mod words;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vitrine_config::time::Mono;

pub use self::card::Card;
pub use self::transition::{Transition, TransitionKind, Way};
pub use self::words::{Align, Text, TextStyle, VerticalPlace, Words};

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
        /// So long before that, by what the file tells of its length: what comes in slowly does so
        /// while `turn` still moves. Of no effect where the file does not tell.
        #[serde(default)]
        early: Duration,
    },
}

/// One whole picture.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// Behind all layers.
    pub background: Rgb,
    /// Over that, on all of the canvas. Prepared and reported like any layer.
    #[serde(default)]
    pub backdrop: Option<Layer>,
    /// Around the canvas, where the screen has another shape. None: the background.
    #[serde(default)]
    pub surround: Option<Rgb>,
    /// Over that, on all of the screen and below the canvas. Prepared and reported like any layer.
    #[serde(default)]
    pub surround_picture: Option<Layer>,
    /// Left free at each edge of the screen, in shares of that side, 0.0 to 0.25: the canvas keeps
    /// out of it, what is around the canvas does not.
    #[serde(default)]
    pub margin: f32,
    /// The page that layers are placed on, scaled uniformly and centred. None: the screen itself
    /// within its margin, one canvas pixel per screen pixel.
    pub canvas: Option<Size>,
    /// How the whole picture is turned for a display that hangs on its side or head.
    #[serde(default)]
    pub rotation: Rotation,
    /// Which displays show it.
    #[serde(default)]
    pub displays: Displays,
    /// With [`Displays::Each`]: the displays, from 0, that show nothing of the first one's.
    #[serde(default)]
    pub apart: Vec<u8>,
    /// What each display is asked to run at. None: its own.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// The picture of a display is drawn in no more pixels than these, either way up, and scaled up.
    /// None: in the display's own.
    #[serde(default)]
    pub resolution: Option<Size>,
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
    /// On which display, from 0, with [`Displays::Each`].
    #[serde(default)]
    pub display: u8,
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
    /// The screen itself within its margin, one pixel for one pixel, whatever the canvas.
    Screen,
    /// The screen itself, its margin too.
    Edges,
    /// A page of its own, scaled uniformly and centred.
    Page(Size),
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

/// Which displays show a scene, where there are several; counted from the left, or from the top
/// where they lie one below the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Displays {
    /// One of them.
    #[default]
    First,
    /// Each shows all of it, as the first one has it.
    Mirror,
    /// Side by side they are one screen, each turned by itself.
    Extend,
    /// Each shows the layers that name it, over those of the first one.
    Each,
}

/// Size and rate of what a display shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mode {
    /// Its extent, before anything is turned.
    pub size: Size,
    /// Pictures in a thousand seconds. None: as it likes best.
    pub refresh_millihertz: Option<u32>,
}

/// Where pixels come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A picture file: JPEG, PNG, WebP, AVIF, GIF, TIFF, BMP or SVG, told apart by its bytes. GIF,
    /// WebP and PNG move if they say so, as often as they say; then the last frame stays.
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
    /// A file with sound alone: nothing is seen, and lasts as long as it is heard.
    Sound {
        /// To be opened for reading; pictures in it are passed over.
        path: PathBuf,
        /// 0.0 (silent) to 1.0 (as recorded).
        volume: f32,
        /// Starts over at the end for as long as it is wanted; a gap is heard where the format has one.
        looped: bool,
        /// Where it goes.
        audio: AudioOut,
    },
    /// One colour.
    Colour(Rgb),
    /// Words, over the whole rectangle.
    Text(Text),
    /// A built-in picture.
    Card(Card),
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
    /// The screen's own loudspeakers; silence if there are none.
    Hdmi,
    /// The socket for a plug; silence if there is none.
    Jack,
    /// A device at a USB socket; silence if there is none.
    Usb,
    /// An ALSA device by name; silence if it does not open.
    Alsa(String),
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
            display: 0,
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
    /// Everything in it that has a turn, back to front.
    pub fn pictures(&self) -> impl Iterator<Item = &Layer> {
        self.surround_picture.iter().chain(&self.backdrop).chain(&self.layers)
    }

    /// Whether `layer` is to be seen on display `on`, from 0.
    pub(crate) fn shows(&self, layer: &Layer, on: u8) -> bool {
        layer.display == on || layer.display == 0 && !self.apart.contains(&on)
    }

    /// The highest turn in it; 0 for an empty scene.
    pub fn newest_turn(&self) -> Turn {
        self.pictures().map(|layer| layer.turn).max().unwrap_or(0)
    }
}
