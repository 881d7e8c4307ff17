//! A file being played: prepared, started, kept going, and what goes wrong with it.
//!
//! In:  a file, what to do with it, the start.
//! Out: calls to the [`Outlet`].
//!
//! The pictures decide when a file is over, or the sound where it is alone. A fault before the first frame is a failure; behind it,
//! what was there has been played and that is the end.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use gstreamer::glib;
use gstreamer::message::StateChanged;
use gstreamer::prelude::*;
use gstreamer::{Bus, ClockTime, Message, MessageView, Pipeline, SeekFlags, SeekType, State};
use vitrine_config::time::Mono;

use super::outlet::Outlet;
use super::protocol::Medium;
use super::socket::Socket;
use super::sound::Sound;
use super::{complaint, pipeline, tuning};
use crate::scene::AudioOut;

/// What to do with a file.
#[derive(Debug)]
pub struct Wish {
    /// What is wanted of it.
    pub medium: Medium,
    /// 0.0 (silent) to 1.0 (as recorded).
    pub volume: f32,
    /// Starts over at the end.
    pub looped: bool,
    /// Leaves decoders of hardware alone.
    pub software: bool,
    /// Frames may stay in their decoder's memory.
    pub lend: bool,
    /// Where sound goes.
    pub audio: AudioOut,
}

/// Why a pipeline was not built: this machine lacks something.
#[derive(Debug, thiserror::Error)]
pub enum PlayerError {
    /// A part of GStreamer is missing or refuses.
    #[error("{0}: is GStreamer whole (plugins base, good, bad, libav)?")]
    Part(#[from] glib::BoolError),
    /// The pipeline refuses.
    #[error("{0}")]
    State(#[from] gstreamer::StateChangeError),
    /// No thread.
    #[error("start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A file being played.
pub struct Player {
    pipeline: Pipeline,
    outlet: Arc<Outlet>,
    sound: Option<Arc<Sound>>,
    wish: Wish,
    /// The pipeline reads it by its number.
    _file: OwnedFd,
}

impl Player {
    /// Builds the pipeline and begins to prepare the first frame.
    pub fn open(file: OwnedFd, wish: Wish, stage: &Arc<Socket>) -> Result<Self, PlayerError> {
        let outlet = Arc::new(Outlet::new(Arc::clone(stage), wish.lend));
        let heard = wish.audio != AudioOut::None || wish.medium == Medium::Sound;
        let sound = heard.then(|| Arc::new(Sound::new(&wish, &outlet)));
        let pipeline = pipeline::build(&file, &outlet, sound.as_ref(), &wish)?;
        let clock = gstreamer::SystemClock::obtain();
        pipeline.use_clock(Some(&clock));
        // Zero is where `start` puts it, whatever the pipeline does in between.
        pipeline.set_start_time(ClockTime::NONE);
        let watch = Watch {
            pipeline: pipeline.clone(),
            outlet: Arc::clone(&outlet),
            sound: sound.clone(),
            medium: wish.medium,
            looped: wish.looped,
            looping: Looping::NotYet,
            playing: false,
            round_over: false,
        };
        if let Some(bus) = pipeline.bus() {
            thread::Builder::new().name("bus".into()).spawn(move || watch.run(&bus))?;
        }
        pipeline.set_state(State::Paused)?;
        Ok(Player { pipeline, outlet, sound, wish, _file: file })
    }

    /// Time zero of the file is at `at`.
    pub fn start(&self, at: Mono) {
        let base = ClockTime::from_nseconds(at.0);
        self.pipeline.set_base_time(base);
        if let Some(sound) = self.sound.as_ref().filter(|_| self.wish.audio != AudioOut::None) {
            sound.start(&self.wish.audio, self.wish.volume, base);
        }
        if self.pipeline.set_state(State::Playing).is_err() {
            tracing::warn!("the pipeline does not start; its own message says why");
        }
    }

    /// Something else is foreseen to take its place then.
    pub fn leaves_at(&self, at: Option<Mono>) {
        if let Some(sound) = &self.sound {
            sound.end_at(at.map(|at| ClockTime::from_nseconds(at.0)));
        }
    }

    /// No more sound; the pictures go on.
    pub fn hush(&self) {
        if let Some(sound) = &self.sound {
            sound.hush();
        }
    }

    /// Frames are copied from now on.
    pub fn keep(&self) {
        self.outlet.keep();
    }

    /// The stage has given back a slot.
    pub fn release(&self, generation: u32, slot: u32) {
        self.outlet.give_back(generation, slot);
    }
}

/// How a loop goes on at the end of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looping {
    /// Not known before the first frame is there.
    NotYet,
    /// The demuxer starts over by itself, ahead of time: no gap.
    Segments,
    /// Everything is flushed and starts over when the last sample has been heard.
    Flush,
}

/// The thread that reads the pipeline's messages.
struct Watch {
    pipeline: Pipeline,
    outlet: Arc<Outlet>,
    sound: Option<Arc<Sound>>,
    medium: Medium,
    looped: bool,
    looping: Looping,
    playing: bool,
    /// The demuxer has come to the end, and waits.
    round_over: bool,
}

impl Watch {
    fn run(mut self, bus: &Bus) {
        for message in bus.iter_timed(ClockTime::NONE) {
            self.handle(&message);
        }
    }

    fn handle(&mut self, message: &Message) {
        match message.view() {
            MessageView::Error(error) => {
                self.fault(complaint::explain(&error.error(), &self.pipeline, self.medium));
            }
            MessageView::Element(_) => {
                let structure = message.structure();
                if let Some(text) = structure.and_then(|s| complaint::missing(s, self.medium)) {
                    self.fault(text);
                }
            }
            MessageView::StreamCollection(found) => {
                if let Some(text) = complaint::without(&found.stream_collection(), self.medium) {
                    self.fault(text);
                }
            }
            MessageView::AsyncDone(_) if self.looped && self.looping == Looping::NotYet => {
                self.looping = self.begin_rounds();
            }
            // A seek waits for the demuxer, this one until its last word has gone down the stream.
            // Nothing goes there before all of the pipeline plays, which would wait for the seek.
            MessageView::SegmentDone(_) if !self.playing => self.round_over = true,
            MessageView::SegmentDone(_) => self.again(SeekFlags::SEGMENT),
            MessageView::StateChanged(change) if self.plays(change) => {
                self.playing = true;
                if std::mem::take(&mut self.round_over) {
                    self.again(SeekFlags::SEGMENT);
                }
            }
            MessageView::Eos(_) if self.looping == Looping::Flush => {
                self.move_zero();
                self.again(SeekFlags::FLUSH);
            }
            _ => {}
        }
    }

    fn plays(&self, change: &StateChanged) -> bool {
        change.current() == State::Playing
            && change.src() == Some(self.pipeline.upcast_ref::<gstreamer::Object>())
    }

    fn begin_rounds(&self) -> Looping {
        // Asked in vain, others stay stuck in the flush that comes with the question.
        let able = tuning::demuxes_in_rounds(&self.pipeline);
        match able && self.seek(SeekFlags::FLUSH | SeekFlags::SEGMENT) {
            true => Looping::Segments,
            false => Looping::Flush,
        }
    }

    fn again(&self, flags: SeekFlags) {
        if !self.seek(flags) {
            self.outlet.end();
        }
    }

    /// After a flush, running times begin at zero: so zero is moved behind what was played.
    fn move_zero(&self) {
        let round = ClockTime::from_nseconds(self.outlet.begin_again());
        if let Some(sound) = &self.sound {
            sound.begin_again(round);
        }
        let Some(base) = self.pipeline.base_time() else { return };
        let elements = self.pipeline.iterate_recurse().into_iter().flatten();
        for element in elements.chain([self.pipeline.clone().upcast()]) {
            element.set_base_time(base + round);
        }
    }

    /// Back to the beginning. The end is named, so that each round is known to last that long.
    fn seek(&self, flags: SeekFlags) -> bool {
        let (start, stop) = (ClockTime::ZERO, self.pipeline.query_duration::<ClockTime>());
        let stop_type = if stop.is_some() { SeekType::Set } else { SeekType::None };
        self.pipeline.seek(1.0, flags, SeekType::Set, start, stop_type, stop).is_ok()
    }

    fn fault(&self, text: String) {
        if self.outlet.has_shown() {
            tracing::warn!(text, "the file breaks off");
            self.outlet.end();
        } else {
            self.outlet.fail(text);
        }
    }
}
