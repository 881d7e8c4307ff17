//! From a layer to its source.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::clock::ClockSource;
use super::decoders::{Decoders, Maker, Recipe};
use super::image::{ColourSource, ImageSource};
use super::sound::SoundSource;
use super::ticker::TickerSource;
use super::worker::{VideoSource, VideoSpec, WorkerCommand, WorkerPool};
use super::{Source, Waker, Wall};
use crate::place::Fitting;
use crate::scene::{self, AudioOut, Layer, Words};
use crate::stage::Opener;
use crate::zero_copy::ZeroCopy;

/// Everything that sources share.
pub(crate) struct Sources {
    decoders: Decoders,
    pool: WorkerPool,
    waker: Waker,
    wall: Arc<Wall>,
}

impl Sources {
    /// `waker` is called whenever a source has news; `wall` says the time of day.
    ///
    /// # Errors
    /// No thread can be had.
    pub(crate) fn start(
        worker: WorkerCommand,
        waker: Waker,
        wall: Arc<Wall>,
    ) -> io::Result<Sources> {
        let pool = WorkerPool::new(worker);
        pool.warm();
        Ok(Sources { decoders: Decoders::start()?, pool, waker, wall })
    }

    /// Whether films stay in their decoders' memory.
    pub(crate) fn zero_copy(&self) -> &Arc<ZeroCopy> {
        self.pool.zero_copy()
    }

    fn maker(&self) -> Maker {
        self.decoders.maker(self.pool.supply(), self.waker.clone())
    }

    fn text(&self, text: &scene::Text, fitting: Fitting) -> Box<dyn Source> {
        let maker = self.maker();
        let style = text.style.clone();
        match text.words.clone() {
            Words::Still(text) => {
                Box::new(ImageSource::open(maker, Recipe::Page { text, style }, fitting))
            }
            Words::Ticker { text, speed_px_s, looped } => {
                Box::new(TickerSource::open(maker, (text, style), (speed_px_s, looped), fitting))
            }
            words @ (Words::Clock { .. } | Words::Countdown { .. }) => {
                Box::new(ClockSource::open(maker, self.wall.clone(), (words, style), fitting))
            }
        }
    }
}

impl Opener for Sources {
    fn open(&mut self, layer: &Layer, fitting: Fitting) -> Box<dyn Source> {
        let still = |recipe| Box::new(ImageSource::open(self.maker(), recipe, fitting));
        match &layer.source {
            scene::Source::Image { path } => still(Recipe::File(path.clone())),
            scene::Source::Card(card) => still(Recipe::Card(card.clone())),
            scene::Source::Text(text) => self.text(text, fitting),
            scene::Source::Colour(rgb) => Box::new(ColourSource::new(*rgb)),
            scene::Source::Video { path, volume, looped, audio } => {
                let spec = spec(path, (*volume, *looped), audio);
                Box::new(VideoSource::open(spec, &self.pool, self.waker.clone()))
            }
            scene::Source::Sound { path, volume, looped, audio } => {
                let spec = spec(path, (*volume, *looped), audio);
                let sound = VideoSource::sound(spec, &self.pool, self.waker.clone());
                Box::new(SoundSource::new(sound))
            }
        }
    }
}

fn spec(path: &Path, (volume, looped): (f32, bool), audio: &AudioOut) -> VideoSpec {
    VideoSpec { path: path.to_owned(), volume, looped, audio: audio.clone() }
}
