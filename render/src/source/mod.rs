//! Where a layer's pixels come from. One trait, so that the stage does not care.
//!
//! Every source lives on the stage's thread but works elsewhere: pictures and words on a decode
//! thread, video in a worker process. It calls the [`Waker`] when there is something new to ask for.

mod card;
mod clock;
mod coded;
mod decode;
mod decoders;
mod film;
mod image;
mod lent;
mod open;
mod reel;
mod sound;
mod svg;
mod text;
mod ticker;
mod time_names;
mod time_text;
mod wall;
pub mod worker;

use std::sync::Arc;
use std::time::Duration;

use vitrine_config::time::Mono;

use crate::scene::Size;
use crate::worker::Walls;

pub(crate) use card::no_gpu as no_gpu_card;
pub use lent::LentPicture;
pub(crate) use open::Sources;
pub(crate) use svg::render as render_svg;
pub(crate) use wall::Wall;

/// Wakes the stage's loop, from any thread. Cheap, never blocks; many calls may be one wake-up.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// One layer's pixels.
pub trait Source {
    /// Takes in what has happened elsewhere and says where the source stands. Never blocks.
    fn poll(&mut self, now: Mono) -> State;

    /// The layer is on screen from `at` on: moving pictures begin there.
    fn start(&mut self, at: Mono);

    /// The newest picture due at `now`, if it is another one than at the call before. Older ones
    /// that were never returned count as dropped. Before [`Source::start`]: the first picture.
    fn take(&mut self, now: Mono) -> Option<Picture<'_>>;

    /// When [`Source::take`] will have another picture; None if that is not known or never.
    fn next_at(&self) -> Option<Mono>;

    /// How long it lasts from its start, as far as that can be told beforehand; None also for what
    /// has no end.
    fn lasts(&self) -> Option<Duration> {
        None
    }

    /// When the last picture has been shown for its full time; None while that is not known.
    fn ends_at(&self) -> Option<Mono> {
        None
    }

    /// Pictures taken, each counted once however often it was given; None: every one that is taken
    /// is another one, but for the first after [`Source::again`].
    fn taken(&self) -> Option<u64> {
        None
    }

    /// Pictures that came too late to be returned, since the start.
    fn dropped(&self) -> u64 {
        0
    }

    /// What went wrong and was mended since this was last called, for people; the pictures go on.
    fn mended(&mut self) -> Option<String> {
        None
    }

    /// Why it ended sooner than it should have, for people; once for a file, as long as it is remembered.
    fn broke_off(&mut self) -> Option<String> {
        None
    }

    /// Another layer is foreseen to take its place then; None: not any more.
    fn leaves_at(&mut self, _at: Option<Mono>) {}

    /// What the process behind it is kept from; None: there is no process, or not a word of it.
    fn walls(&self) -> Option<Walls> {
        None
    }

    /// Another layer has taken its place: it is still seen on its way out, but not heard.
    fn leave(&mut self) {}

    /// The last picture was lost on its way to the screen: [`Source::take`] gives it, or a newer
    /// one, once more.
    fn again(&mut self) {}

    /// Whether what shall prepare it still starts: its own time does not count yet.
    fn is_starting(&self) -> bool {
        false
    }

    /// Which parts of the picture are seen where, since [`Source::take`] was last called. None: all
    /// of it, as its layer places it.
    fn parts(&self) -> Option<&[Part]> {
        None
    }

    /// The layer now covers this many screen pixels: a still is made again at that size.
    fn resize(&mut self, _covers: Size) {}
}

/// A part of a picture and where it is seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Left, top, right and bottom edge in the layer's rectangle, 0 to 1.
    pub at: [f32; 4],
    /// The same edges in the picture, 0 to 1.
    pub uv: [f32; 4],
}

/// Where a source stands.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Not yet ready for its first picture.
    Preparing,
    /// The first picture can be taken; its size.
    Ready(Size),
    /// Broken for good.
    Failed(SourceError),
}

/// Why a source has no (more) pixels. The text names the file, wanted and found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// Pixels, to be put on the GPU before the next call to the source.
#[derive(Debug, Clone, Copy)]
pub enum Picture<'a> {
    /// 8 bit sRGB-encoded, premultiplied alpha, four bytes a pixel, rows without gaps.
    Rgba {
        /// Pixels.
        size: Size,
        /// `height * width * 4` bytes.
        data: &'a [u8],
    },
    /// 8 bit luma and two chroma signals at half size in both directions.
    Yuv {
        /// Luma pixels; chroma planes are half of it, rounded up.
        size: Size,
        /// How chroma lies in memory.
        chroma: Chroma<'a>,
        /// Luma rows.
        luma: Plane<'a>,
        /// What the numbers mean.
        colour: Colour,
        /// Width of one pixel in heights of one pixel (anamorphic video); 1.0 mostly.
        pixel_aspect: f32,
    },
    /// The same in memory of its decoder, for the GPU to read it there.
    Lent(LentPicture<'a>),
}

impl Picture<'_> {
    /// What its numbers mean; None: red, green and blue.
    pub fn colour(&self) -> Option<Colour> {
        match self {
            Picture::Rgba { .. } => None,
            Picture::Yuv { colour, .. } => Some(*colour),
            Picture::Lent(lent) => Some(lent.colour),
        }
    }

    /// Width of one pixel in heights of one pixel, of what moves.
    pub(crate) fn pixel_aspect(&self) -> Option<f32> {
        match self {
            Picture::Rgba { .. } => None,
            Picture::Yuv { pixel_aspect, .. } => Some(*pixel_aspect),
            Picture::Lent(lent) => Some(lent.pixel_aspect),
        }
    }
}

/// How chroma lies in memory.
#[derive(Debug, Clone, Copy)]
pub enum Chroma<'a> {
    /// I420: Cb and Cr in planes of their own.
    Planar {
        /// Blue difference.
        cb: Plane<'a>,
        /// Red difference.
        cr: Plane<'a>,
    },
    /// NV12: Cb and Cr taking turns in one plane.
    Interleaved(Plane<'a>),
}

/// Rows of samples.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// At least `stride_bytes * (rows - 1)` and the last row's bytes.
    pub data: &'a [u8],
    /// From one row to the next.
    pub stride_bytes: u32,
}

/// What luma and chroma numbers mean.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Colour {
    /// Weight of red in luma: 0.299 (BT.601), 0.2126 (BT.709), 0.2627 (BT.2020).
    pub kr: f32,
    /// Weight of blue in luma: 0.114 (BT.601), 0.0722 (BT.709), 0.0593 (BT.2020).
    pub kb: f32,
    /// Luma 0..=255 instead of 16..=235.
    pub full_range: bool,
    /// Chroma sits on the left luma sample instead of between two.
    pub chroma_left: bool,
    /// Which light red, green and blue stand for.
    pub light: Light,
}

impl Colour {
    /// Of frames that nobody looks at.
    pub(crate) const UNSEEN: Colour =
        Colour { kr: 0.299, kb: 0.114, full_range: false, chroma_left: true, light: Light::Sdr };
}

/// Which light the numbers of red, green and blue stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Light {
    /// That of an SDR display.
    #[default]
    Sdr,
    /// The same in the wide gamut of BT.2020.
    Wide,
    /// High dynamic range, BT.2100 PQ.
    Pq,
    /// High dynamic range, BT.2100 HLG.
    Hlg,
}
