//! Pictures whose codec is C: frames of AV1, decoded by media workers.
//!
//! In:  a picture as its container has it, the present. Out: the picture as it is shown.
//!
//! A worker takes a frame for a film of one picture; its alpha is another film. What a worker may do
//! wrong is seen to by its handle (`source::worker`).

use std::path::PathBuf;

use vitrine_config::time::Mono;

use super::decode::avif::{About, Avif};
use super::decode::{Room, Still};
use super::worker::VideoSource;
use super::{Source, SourceError, State, Waker};
use crate::place::Fitting;
use crate::worker::pool::Supply;

/// A picture with workers at it.
pub(super) struct Coded {
    about: About,
    colour: VideoSource,
    alpha: Option<VideoSource>,
}

impl Coded {
    /// Begins to have it decoded.
    ///
    /// # Errors
    /// No memory to hand it over.
    pub(super) fn open(
        picture: Avif,
        name: &str,
        supply: &Supply,
        waker: &Waker,
    ) -> Result<Coded, String> {
        let Avif { colour, alpha, about } = picture;
        let open = |film: &Vec<u8>| {
            VideoSource::still(PathBuf::from(name), film, supply.clone(), waker.clone())
                .map_err(|error| format!("memory for it: {error}"))
        };
        let alpha = alpha.as_ref().map(open).transpose()?;
        Ok(Coded { about, colour: open(&colour)?, alpha })
    }

    /// Whether all of it is decoded.
    ///
    /// # Errors
    /// Why that will not happen.
    pub(super) fn poll(&mut self, now: Mono) -> Result<bool, SourceError> {
        let mut is_ready = true;
        for source in self.alpha.iter_mut().chain([&mut self.colour]) {
            match source.poll(now) {
                State::Ready(_) => {}
                State::Preparing => is_ready = false,
                State::Failed(error) => return Err(error),
            }
        }
        Ok(is_ready)
    }

    /// Whether one of its workers still starts.
    pub(super) fn is_starting(&self) -> bool {
        self.alpha.iter().chain([&self.colour]).any(Source::is_starting)
    }

    /// Makes what is shown; on a decode thread.
    ///
    /// # Errors
    /// Frames that are not what the container says.
    pub(super) fn develop(self, fitting: &Fitting, room: &Room) -> Result<Still, String> {
        let size = self.about.size;
        let _held = room.take(u64::from(size.width_px) * u64::from(size.height_px));
        let frame = self.colour.decoded().ok_or("AVIF: the decoded frame is gone")?;
        let alpha = self.alpha.as_ref().and_then(VideoSource::decoded);
        self.about.still(frame, alpha, fitting)
    }
}
