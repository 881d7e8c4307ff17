//! From a layer to its source.

use std::io;

use super::image::{ColourSource, Decoders, Recipe};
use super::worker::{VideoSource, VideoSpec, WorkerCommand, WorkerPool};
use super::{Source, Waker};
use crate::place::Fitting;
use crate::scene::{self, Layer};
use crate::stage::Opener;

/// Everything that sources share.
pub(crate) struct Sources {
    decoders: Decoders,
    pool: WorkerPool,
    waker: Waker,
}

impl Sources {
    /// `waker` is called whenever a source has news.
    ///
    /// # Errors
    /// No thread can be had.
    pub(crate) fn start(worker: WorkerCommand, waker: Waker) -> io::Result<Sources> {
        let pool = WorkerPool::new(worker);
        pool.warm();
        Ok(Sources { decoders: Decoders::start()?, pool, waker })
    }
}

impl Opener for Sources {
    fn open(&mut self, layer: &Layer, fitting: Fitting) -> Box<dyn Source> {
        let still = |recipe| Box::new(self.decoders.open(recipe, fitting, self.waker.clone()));
        match &layer.source {
            scene::Source::Image { path } => still(Recipe::File(path.clone())),
            scene::Source::Card(card) => still(Recipe::Card(card.clone())),
            scene::Source::Colour(rgb) => Box::new(ColourSource::new(*rgb)),
            scene::Source::Video { path, volume, looped, audio } => {
                let spec = VideoSpec {
                    path: path.clone(),
                    volume: *volume,
                    looped: *looped,
                    audio: audio.clone(),
                };
                Box::new(VideoSource::open(spec, &self.pool, self.waker.clone()))
            }
        }
    }
}
