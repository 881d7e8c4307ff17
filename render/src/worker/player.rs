//! A file being played: prepared, started, kept going, and what goes wrong with it.
//!
//! In:  a file, what to do with it, the start.
//! Out: calls to the [`Outlet`].
//!
//! The pictures decide when a file is over, or the sound where it is alone. A fault before the first frame is a failure; behind it,
//! what was there has been played, and the stage decides how it goes on.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use gstreamer::glib;
use gstreamer::message::StateChanged;
use gstreamer::prelude::*;
use gstreamer::{Bus, ClockTime, Message, MessageView, Pipeline, SeekFlags, SeekType, State};
use vitrine_config::time::Mono;

use super::outlet::Outlet;
use super::protocol::Medium;
use super::resume::{Place, is_seekable};
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
    /// So many nanoseconds after the start it goes on.
    pub from_ns: u64,
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
pub struct Player(Arc<Parts>);

/// What the threads of a player share.
struct Parts {
    pipeline: Pipeline,
    outlet: Arc<Outlet>,
    sound: Option<Arc<Sound>>,
    wish: Wish,
    beginning: Mutex<Beginning>,
}

/// Two things have to come before it plays, in any order.
#[derive(Default)]
struct Beginning {
    /// Where it begins, once it stands there: when that is due.
    due: Option<ClockTime>,
    /// Time zero of the file, once that is known.
    start: Option<Mono>,
}

impl Player {
    /// Builds the pipeline and begins to prepare the first frame.
    pub fn open(file: OwnedFd, wish: Wish, stage: &Arc<Socket>) -> Result<Self, PlayerError> {
        let outlet = Outlet::new(Arc::clone(stage), wish.lend, wish.from_ns);
        let outlet = Arc::new(outlet);
        let heard = wish.audio != AudioOut::None || wish.medium == Medium::Sound;
        let sound = heard.then(|| Arc::new(Sound::new(&wish, &outlet)));
        Player::assemble(file, wish, outlet, sound)
    }

    /// With the ends of its pipeline.
    pub(super) fn assemble(
        file: OwnedFd,
        wish: Wish,
        outlet: Arc<Outlet>,
        sound: Option<Arc<Sound>>,
    ) -> Result<Player, PlayerError> {
        let pipeline = pipeline::build(file, &outlet, sound.as_ref(), &wish)?;
        let clock = gstreamer::SystemClock::obtain();
        pipeline.use_clock(Some(&clock));
        // Zero is where `start` puts it, whatever the pipeline does in between.
        pipeline.set_start_time(ClockTime::NONE);
        let due = (wish.from_ns == 0).then_some(ClockTime::ZERO);
        let beginning = Mutex::new(Beginning { due, start: None });
        let parts = Arc::new(Parts { pipeline, outlet, sound, wish, beginning });
        let watch = Watch {
            parts: Arc::clone(&parts),
            looping: Looping::NotYet,
            standing: if due.is_some() { Standing::There } else { Standing::AtTheBeginning },
            playing: false,
            round_over: false,
        };
        if let Some(bus) = parts.pipeline.bus() {
            thread::Builder::new().name("bus".into()).spawn(move || watch.run(&bus))?;
        }
        parts.pipeline.set_state(State::Paused)?;
        Ok(Player(parts))
    }

    /// Time zero of the file is at `at`.
    pub fn start(&self, at: Mono) {
        let mut beginning = self.0.beginning();
        beginning.start = Some(at);
        self.0.begin(&beginning);
    }

    /// Something else is foreseen to take its place then.
    pub fn leaves_at(&self, at: Option<Mono>) {
        if let Some(sound) = &self.0.sound {
            sound.end_at(at.map(|at| ClockTime::from_nseconds(at.0)));
        }
    }

    /// No more sound; the pictures go on.
    pub fn hush(&self) {
        if let Some(sound) = &self.0.sound {
            sound.hush();
        }
    }

    /// Frames are copied from now on.
    pub fn keep(&self) {
        self.0.outlet.keep();
    }

    /// The stage has given back a slot.
    pub fn release(&self, generation: u32, slot: u32) {
        self.0.outlet.give_back(generation, slot);
    }
}

impl Parts {
    fn beginning(&self) -> MutexGuard<'_, Beginning> {
        self.beginning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn from(&self) -> ClockTime {
        ClockTime::from_nseconds(self.wish.from_ns)
    }

    /// From now on what comes is what is due there.
    fn stand_at(&self, place: Place) {
        self.outlet.go_on(self.wish.from_ns, place.due.nseconds());
        if let Some(sound) = &self.sound {
            sound.go_on(place.due);
        }
    }

    /// Plays, if all is known that it takes.
    fn begin(&self, beginning: &Beginning) {
        let (Some(due), Some(start)) = (beginning.due, beginning.start) else { return };
        let start = ClockTime::from_nseconds(start.0);
        self.pipeline.set_base_time(start + due);
        if let Some(sound) = self.sound.as_ref().filter(|_| self.wish.audio != AudioOut::None) {
            sound.start(&self.wish.audio, self.wish.volume, start);
        }
        if self.pipeline.set_state(State::Playing).is_err() {
            tracing::warn!("the pipeline does not start; its own message says why");
        }
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

/// Where a pipeline is that is to begin somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Not known before the first frame is there.
    AtTheBeginning,
    /// It has been asked to go there.
    OnItsWay(Place),
    /// Where it begins.
    There,
}

/// The thread that reads the pipeline's messages.
struct Watch {
    parts: Arc<Parts>,
    looping: Looping,
    standing: Standing,
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
        let medium = self.parts.wish.medium;
        match message.view() {
            MessageView::Error(error) => {
                self.fault(complaint::explain(&error.error(), &self.parts.pipeline, medium));
            }
            MessageView::Element(_) => {
                let structure = message.structure();
                if let Some(text) = structure.and_then(|s| complaint::missing(s, medium)) {
                    self.fault(text);
                }
            }
            MessageView::StreamCollection(found) => {
                if let Some(text) = complaint::without(&found.stream_collection(), medium) {
                    self.fault(text);
                }
            }
            MessageView::AsyncDone(_) => match self.standing {
                Standing::AtTheBeginning => self.go_on(),
                Standing::OnItsWay(place) => self.arrive(place),
                Standing::There if self.parts.wish.looped && self.looping == Looping::NotYet => {
                    self.looping = self.begin_rounds(ClockTime::ZERO);
                }
                Standing::There => {}
            },
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
            && change.src() == Some(self.parts.pipeline.upcast_ref::<gstreamer::Object>())
    }

    /// To where another worker came to.
    fn go_on(&mut self) {
        let (from, looped) = (self.parts.from(), self.parts.wish.looped);
        let round = self.duration().filter(|_| looped);
        let mut place = Place::find(from, round, is_seekable(&self.parts.pipeline));
        self.parts.stand_at(place);
        if looped {
            self.looping = self.begin_rounds(place.to.unwrap_or_default());
        }
        let mut moves = self.looping == Looping::Segments;
        if let Some(to) = place.to.filter(|_| !moves) {
            moves = self.seek(SeekFlags::FLUSH | SeekFlags::ACCURATE, to);
            if !moves {
                place = Place::find(from, round, false);
                self.parts.stand_at(place);
            }
        }
        match moves {
            true => self.standing = Standing::OnItsWay(place),
            false => self.arrive(place),
        }
    }

    fn arrive(&mut self, place: Place) {
        self.standing = Standing::There;
        let mut beginning = self.parts.beginning();
        beginning.due = Some(place.due);
        self.parts.begin(&beginning);
    }

    fn begin_rounds(&self, from: ClockTime) -> Looping {
        // Asked in vain, others stay stuck in the flush that comes with the question.
        let able = tuning::demuxes_in_rounds(&self.parts.pipeline);
        let exact = if from.is_zero() { SeekFlags::empty() } else { SeekFlags::ACCURATE };
        match able && self.seek(SeekFlags::FLUSH | SeekFlags::SEGMENT | exact, from) {
            true => Looping::Segments,
            false => Looping::Flush,
        }
    }

    fn again(&self, flags: SeekFlags) {
        if !self.seek(flags, ClockTime::ZERO) {
            self.parts.outlet.end();
        }
    }

    /// After a flush, running times begin at zero: so zero is moved behind what was played.
    fn move_zero(&self) {
        let round = ClockTime::from_nseconds(self.parts.outlet.begin_again());
        if let Some(sound) = &self.parts.sound {
            sound.begin_again(round);
        }
        let pipeline = &self.parts.pipeline;
        let Some(base) = pipeline.base_time() else { return };
        let elements = pipeline.iterate_recurse().into_iter().flatten();
        for element in elements.chain([pipeline.clone().upcast()]) {
            element.set_base_time(base + round);
        }
    }

    /// The end of a loop is named, so that each round is known to last that long.
    fn seek(&self, flags: SeekFlags, to: ClockTime) -> bool {
        let stop = self.duration().filter(|_| self.parts.wish.looped);
        let stop_type = if stop.is_some() { SeekType::Set } else { SeekType::None };
        self.parts.pipeline.seek(1.0, flags, SeekType::Set, to, stop_type, stop).is_ok()
    }

    fn duration(&self) -> Option<ClockTime> {
        self.parts.pipeline.query_duration::<ClockTime>()
    }

    fn fault(&self, text: String) {
        if self.parts.outlet.has_shown() {
            tracing::warn!(text, "the file breaks off");
            self.parts.outlet.break_off(text);
        } else {
            self.parts.outlet.fail(text);
        }
    }
}
