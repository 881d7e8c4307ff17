//! Sounds without pictures: what lies behind their layer is seen through it.
//!
//! Promise: it draws nothing after its first picture, however long it is heard.
//!
//! Not here: decoding (`source::worker`), which knows a sound as a film of empty pictures.

use std::time::Duration;

use vitrine_config::time::Mono;

use super::image::ColourSource;
use super::worker::VideoSource;
use super::{Picture, Source, State};
use crate::worker::Walls;

/// Empty pictures are taken so much before they are due: as soon as they come.
const EARLY: Duration = Duration::from_secs(1);

/// A sound.
pub(super) struct SoundSource {
    sound: VideoSource,
    picture: ColourSource,
}

impl SoundSource {
    pub(super) fn new(sound: VideoSource) -> SoundSource {
        SoundSource { sound, picture: ColourSource::clear() }
    }
}

impl Source for SoundSource {
    fn poll(&mut self, now: Mono) -> State {
        let state = self.sound.poll(now);
        self.sound.take(now.after(EARLY));
        match state {
            State::Ready(_) => self.picture.poll(now),
            other => other,
        }
    }

    fn start(&mut self, at: Mono) {
        self.sound.start(at);
    }

    fn take(&mut self, now: Mono) -> Option<Picture<'_>> {
        self.picture.take(now)
    }

    fn next_at(&self) -> Option<Mono> {
        None
    }

    fn lasts(&self) -> Option<Duration> {
        self.sound.lasts()
    }

    fn ends_at(&self) -> Option<Mono> {
        self.sound.ends_at()
    }

    fn mended(&mut self) -> Option<String> {
        self.sound.mended()
    }

    fn broke_off(&mut self) -> Option<String> {
        self.sound.broke_off()
    }

    fn leaves_at(&mut self, at: Option<Mono>) {
        self.sound.leaves_at(at);
    }

    fn walls(&self) -> Option<Walls> {
        self.sound.walls()
    }

    fn is_starting(&self) -> bool {
        self.sound.is_starting()
    }

    fn leave(&mut self) {
        self.sound.leave();
    }

    fn again(&mut self) {
        self.picture.again();
    }
}
