//! Moving pictures without sound: GIF, animated WebP, animated PNG. One picture at a time, whole.
//!
//! In:  a file's bytes. Out: its pictures in order, over and over as the file says, each with the
//! time it is shown for.
//!
//! Promises: one page and one frame are held, whatever the length; what is larger than
//! [`MOVING_PIXELS`] does not move; a broken frame is an error. Every call does work: only decode
//! threads call.
//!
//! Not here: when a picture is shown (`source::film`).

mod apng;
mod canvas;
mod gif;
mod webp;

use std::sync::Arc;
use std::time::Duration;

use image::metadata::Orientation;

use self::apng::Apng;
use self::canvas::{Canvas, Patch};
use self::gif::Gif;
use self::webp::WebP;
use super::decode::{self, Profile, Raw, Samples, Still};
use crate::place::Fitting;
use crate::scene::Size;

/// Largest picture that moves: 4K. Larger ones show their first picture: each would hold 100 MB
/// for as long as it plays.
const MOVING_PIXELS: u64 = 4_096 * 2_304;
/// Longest file that moves: it is held while it plays.
const MOVING_BYTES: usize = 64 << 20;
/// Delays up to this one are a mistake of old tools…
const HASTE: Duration = Duration::from_millis(10);
/// …and mean this, as in every browser.
const UNHURRIED: Duration = Duration::from_millis(100);

/// A file that several hands read.
#[derive(Clone)]
pub(super) struct Bytes(pub Arc<Vec<u8>>);

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A file, patch by patch.
trait Patches: Send {
    /// Of the page.
    fn size(&self) -> Size;
    /// How often it is to be played; None: for ever.
    fn passes(&self) -> Option<u32>;
    /// The next patch of this pass; None at its end.
    fn next(&mut self) -> Result<Option<Patch>, String>;
    /// Back to the first patch.
    fn rewind(&mut self) -> Result<(), String>;
}

/// One picture and how long it is shown.
pub(super) struct Frame {
    pub still: Still,
    pub lasts: Duration,
}

/// A file that is being played.
pub(super) struct Reel {
    patches: Box<dyn Patches>,
    canvas: Canvas,
    profile: Option<Profile>,
    orientation: Orientation,
    /// Passes begun after the first.
    repeats: u32,
    frames_of_pass: u32,
}

impl Reel {
    /// None: it does not move, or is too large to.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn open(bytes: &Bytes) -> Result<Option<Reel>, String> {
        if bytes.0.len() > MOVING_BYTES {
            return Ok(None);
        }
        let Some((patches, profile)) = patches(bytes)? else { return Ok(None) };
        if !may_move(patches.size()) {
            return Ok(None);
        }
        let canvas = Canvas::new(patches.size());
        let orientation = decode::orientation(bytes.as_ref());
        Ok(Some(Reel { patches, canvas, profile, orientation, repeats: 0, frames_of_pass: 0 }))
    }

    /// The next picture, fitted; None: the one before was the last for ever.
    ///
    /// # Errors
    /// A frame that is broken, or a file without any.
    pub(super) fn next(&mut self, fitting: &Fitting) -> Result<Option<Frame>, String> {
        let patch = match self.patches.next()? {
            Some(patch) => patch,
            None if self.is_over() => return Ok(None),
            None => {
                self.rewind()?;
                self.patches.next()?.ok_or("there is no picture in it")?
            }
        };
        self.frames_of_pass += 1;
        self.canvas.lay(&patch);
        let lasts = if patch.lasts <= HASTE { UNHURRIED } else { patch.lasts };
        let raw = Raw {
            size: self.canvas.size(),
            samples: Samples::Rgba,
            data: self.canvas.rgba().to_vec(),
            profile: self.profile.clone(),
        };
        Ok(Some(Frame { still: decode::fit(raw, self.orientation, fitting)?, lasts }))
    }

    /// Whether the pass that has just ended is the last; one picture alone does not move.
    fn is_over(&self) -> bool {
        let last = self.patches.passes().is_some_and(|passes| self.repeats + 1 >= passes);
        last || self.frames_of_pass == 1
    }

    fn rewind(&mut self) -> Result<(), String> {
        self.patches.rewind()?;
        self.canvas.clear();
        self.repeats = self.repeats.saturating_add(1);
        self.frames_of_pass = 0;
        Ok(())
    }
}

type Opened = (Box<dyn Patches>, Option<Profile>);

fn patches(bytes: &Bytes) -> Result<Option<Opened>, String> {
    Ok(match bytes.as_ref() {
        [b'G', b'I', b'F', b'8', ..] => Some((Box::new(Gif::open(bytes)?), None)),
        [b'R', b'I', b'F', b'F', ..] => WebP::open(bytes)?.map(|webp| {
            let profile = webp.profile();
            (Box::new(webp) as Box<dyn Patches>, profile)
        }),
        [0x89, b'P', b'N', b'G', ..] => Apng::open(bytes)?.map(|apng| {
            let profile = apng.profile();
            (Box::new(apng) as Box<dyn Patches>, profile)
        }),
        _ => None,
    })
}

fn may_move(size: Size) -> bool {
    u64::from(size.width_px) * u64::from(size.height_px) <= MOVING_PIXELS
}

#[cfg(test)]
mod tests;
