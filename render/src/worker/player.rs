//! The pipeline: file → `decodebin3` → frames to the outlet, sound to `sound`.
//!
//! In:  a file, what to do with it, the start.
//! Out: calls to the [`Outlet`].
//!
//! The pictures decide when a file is over. A fault before the first frame is a failure; behind it,
//! what was there has been played and that is the end.
//!
//! `playbin3` and `uridecodebin3` are not used: they hang in up to a third of all starts.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::{
    Bus, ClockTime, Element, ElementFactory, EventView, FormattedSegment, Message, MessageView,
    Pad, PadProbeReturn, PadProbeType, Pipeline, SeekFlags, SeekType, State, Stream,
    StreamCollection, StreamType,
};
use gstreamer_app::{AppSink, AppSinkCallbacks};
use gstreamer_video::{VideoCapsBuilder, VideoFormat};
use vitrine_config::time::Mono;

use super::outlet::Outlet;
use super::socket::Socket;
use super::sound::Sound;
use crate::scene::AudioOut;

/// Threads of a software decoder. Each holds frames of its own and delays the first one by a
/// frame; four keep up with 1080p60 H.264 on a Pi 5.
const DECODER_THREADS: i32 = 4;

/// What to do with a file.
#[derive(Debug)]
pub struct Wish {
    /// 0.0 (silent) to 1.0 (as recorded).
    pub volume: f32,
    /// Starts over at the end.
    pub looped: bool,
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
        let outlet = Arc::new(Outlet::new(Arc::clone(stage)));
        let sound = (wish.audio != AudioOut::None).then(|| Arc::new(Sound::default()));
        let pipeline = build(&file, &outlet, sound.as_ref(), wish.looped)?;
        let clock = gstreamer::SystemClock::obtain();
        pipeline.use_clock(Some(&clock));
        // Zero is where `start` puts it, whatever the pipeline does in between.
        pipeline.set_start_time(ClockTime::NONE);
        let watch = Watch {
            pipeline: pipeline.clone(),
            outlet: Arc::clone(&outlet),
            looped: wish.looped,
            looping: Looping::NotYet,
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
        if let Some(sound) = &self.sound {
            sound.start(&self.wish.audio, self.wish.volume, base);
        }
        if self.pipeline.set_state(State::Playing).is_err() {
            tracing::warn!("the pipeline does not start; its own message says why");
        }
    }

    /// The stage has given back a slot.
    pub fn release(&self, generation: u32, slot: u32) {
        self.outlet.give_back(generation, slot);
    }
}

fn build(
    file: &OwnedFd,
    outlet: &Arc<Outlet>,
    sound: Option<&Arc<Sound>>,
    looped: bool,
) -> Result<Pipeline, PlayerError> {
    let pipeline = Pipeline::new();
    let source = ElementFactory::make("filesrc")
        .property("location", format!("/proc/self/fd/{}", file.as_raw_fd()))
        .build()?;
    let decoder = ElementFactory::make("decodebin3").build()?;
    // Both pass through what needs no change: other formats, turned pictures.
    let convert = ElementFactory::make("videoconvert").build()?;
    let turn = ElementFactory::make("videoflip").build()?;
    turn.set_property_from_str("video-direction", "auto");
    let sink = video_sink(outlet);
    pipeline.add_many([&source, &decoder, &convert, &turn, sink.upcast_ref()])?;
    source.link(&decoder)?;
    Element::link_many([&convert, &turn, sink.upcast_ref()])?;
    choose_streams(&decoder, sound.is_some());
    let (weak, sound) = (pipeline.downgrade(), sound.cloned());
    decoder.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        if looped {
            line_up_rounds(pad);
        }
        if let Err(error) = connect(&pipeline, pad, &convert, sound.as_ref()) {
            tracing::warn!(%error, pad = %pad.name(), "a stream is not connected");
        }
    });
    pipeline.connect_deep_element_added(|_, _, element| {
        limit_threads(element);
        prefer_own_colours(element);
    });
    Ok(pipeline)
}

fn video_sink(outlet: &Arc<Outlet>) -> AppSink {
    let formats = [VideoFormat::Nv12, VideoFormat::I420];
    let caps = VideoCapsBuilder::new().format_list(formats).build();
    let (first, next, last) = (Arc::clone(outlet), Arc::clone(outlet), Arc::clone(outlet));
    let callbacks = AppSinkCallbacks::builder()
        .new_preroll(move |sink| {
            first.frame(&sink.pull_preroll().map_err(|_| gstreamer::FlowError::Eos)?)
        })
        .new_sample(move |sink| {
            next.frame(&sink.pull_sample().map_err(|_| gstreamer::FlowError::Eos)?)
        })
        .eos(move |_| {
            if last.has_shown() {
                last.end();
            } else {
                last.fail("the file ends before its first picture".to_owned());
            }
        });
    let sink = AppSink::builder()
        .caps(&caps)
        .sync(false)
        .max_buffers(2)
        .callbacks(callbacks.build())
        .build();
    sink.set_property("enable-last-sample", false);
    sink
}

/// The first video stream and, if wanted, the first audio stream; nothing else is decoded.
fn choose_streams(decoder: &Element, sound: bool) {
    decoder.connect("select-stream", false, move |values| {
        let collection = values.get(1)?.get::<StreamCollection>().ok()?;
        let stream = values.get(2)?.get::<Stream>().ok()?;
        let first =
            |kind| first_of(&collection, kind).is_some_and(|id| Some(id) == stream.stream_id());
        let chosen = first(StreamType::VIDEO) || (sound && first(StreamType::AUDIO));
        Some(i32::from(chosen).to_value())
    });
}

fn first_of(collection: &StreamCollection, kind: StreamType) -> Option<glib::GString> {
    let of_kind = |stream: &Stream| stream.stream_type().contains(kind);
    collection.iter().find(of_kind).and_then(|stream| stream.stream_id())
}

fn connect(
    pipeline: &Pipeline,
    pad: &Pad,
    convert: &Element,
    sound: Option<&Arc<Sound>>,
) -> Result<(), PlayerError> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let kind = caps.structure(0).map(|structure| structure.name().as_str());
    let into = match (kind, sound) {
        (Some(kind), _) if kind.starts_with("video/") => convert.clone(),
        (Some(kind), Some(sound)) if kind.starts_with("audio/") => sound.sink().upcast(),
        // Decoded although it was not chosen; without a place to go it would stop the others.
        _ => ElementFactory::make("fakesink").property("async", false).build()?,
    };
    if into.parent().is_none() {
        pipeline.add(&into)?;
        into.sync_state_with_parent()?;
    }
    if let Some(sink) = into.static_pad("sink").filter(|sink| !sink.is_linked()) {
        pad.link(&sink).map_err(|error| glib::bool_error!("link {}: {error}", pad.name()))?;
    }
    Ok(())
}

fn limit_threads(element: &Element) {
    let name = element.factory().map(|factory| factory.name());
    if name.is_some_and(|name| name.starts_with("avdec_")) && element.has_property("max-threads") {
        element.set_property("max-threads", DECODER_THREADS);
    }
}

/// H.264 and HEVC streams know their colours; what a container says about them is dropped where
/// the parser would believe it: the MP4 demuxer of GStreamer 1.22 forgets the full range.
fn prefer_own_colours(element: &Element) {
    let name = element.factory().map(|factory| factory.name());
    let parser = name.is_some_and(|name| name == "h264parse" || name == "h265parse");
    let Some(pad) = element.static_pad("sink").filter(|_| parser) else { return };
    pad.add_probe(PadProbeType::EVENT_DOWNSTREAM, |_, info| {
        if let Some(event) = info.event_mut()
            && let EventView::Caps(caps) = event.view()
            && let Some(structure) = caps.caps().structure(0)
            && structure.has_field("colorimetry")
        {
            let mut caps = caps.caps_owned();
            caps.make_mut().iter_mut().for_each(|structure| structure.remove_field("colorimetry"));
            *event = gstreamer::event::Caps::new(&caps);
        }
        PadProbeReturn::Ok
    });
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
    looped: bool,
    looping: Looping,
}

impl Watch {
    fn run(mut self, bus: &Bus) {
        for message in bus.iter_timed(ClockTime::NONE) {
            self.handle(&message);
        }
    }

    fn handle(&mut self, message: &Message) {
        match message.view() {
            MessageView::Error(error) => self.fault(explain(&error.error())),
            MessageView::Element(_) => {
                if let Some(text) = message.structure().and_then(missing) {
                    self.fault(text);
                }
            }
            MessageView::StreamCollection(found) => {
                if let Some(text) = without_pictures(&found.stream_collection()) {
                    self.fault(text);
                }
            }
            MessageView::AsyncDone(_) if self.looped && self.looping == Looping::NotYet => {
                let segments = self.seek(SeekFlags::FLUSH | SeekFlags::SEGMENT);
                self.looping = if segments { Looping::Segments } else { Looping::Flush };
            }
            MessageView::SegmentDone(_) => self.again(SeekFlags::SEGMENT),
            MessageView::Eos(_) if self.looping == Looping::Flush => {
                self.outlet.begin_again();
                self.again(SeekFlags::FLUSH);
            }
            _ => {}
        }
    }

    fn again(&self, flags: SeekFlags) {
        if !self.seek(flags) {
            self.outlet.end();
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

fn explain(error: &glib::Error) -> String {
    if error.matches(gstreamer::StreamError::TypeNotFound) {
        return "no media that is known here".to_owned();
    }
    error.message().trim_end_matches('.').to_owned()
}

/// Puts each round of a loop exactly behind the one before, in every stream alike. Demuxers take
/// the beginning of the last frame for the end of a round: the next one would come a frame early.
fn line_up_rounds(pad: &Pad) {
    let before = Mutex::new(None::<FormattedSegment<ClockTime>>);
    let events = PadProbeType::EVENT_DOWNSTREAM | PadProbeType::EVENT_FLUSH;
    pad.add_probe(events, move |_, info| {
        let Some(event) = info.event_mut() else { return PadProbeReturn::Ok };
        let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
        match event.view() {
            EventView::FlushStop(_) => *before = None,
            EventView::Segment(segment) => {
                let Some(mut segment) = segment.segment().downcast_ref::<ClockTime>().cloned()
                else {
                    return PadProbeReturn::Ok;
                };
                if let Some(base) = before.as_ref().and_then(end_of_round) {
                    segment.set_base(base);
                    let seqnum = event.seqnum();
                    *event = gstreamer::event::Segment::builder(&segment).seqnum(seqnum).build();
                }
                *before = Some(segment);
            }
            _ => {}
        }
        PadProbeReturn::Ok
    });
}

/// The running time at which a segment with a known end is over.
fn end_of_round(segment: &FormattedSegment<ClockTime>) -> Option<ClockTime> {
    Some(segment.base()? + segment.stop()?.checked_sub(segment.start()?)?)
}

/// What GStreamer lacks for this file. Sound is not worth a failure.
fn missing(message: &gstreamer::StructureRef) -> Option<String> {
    if message.name() != "missing-plugin" {
        return None;
    }
    let caps = message.get::<gstreamer::Caps>("detail").ok();
    let kind = caps.as_ref().and_then(|caps| caps.structure(0)).map(|caps| caps.name().as_str());
    let kind = kind.unwrap_or("an unknown format");
    if kind.starts_with("audio/") {
        tracing::warn!(kind, "no decoder for the sound: it plays silently");
        return None;
    }
    let name = message.get::<String>("name").unwrap_or_default();
    Some(format!("no decoder for {kind} ({name}): install the GStreamer plugin for it"))
}

fn without_pictures(found: &StreamCollection) -> Option<String> {
    if first_of(found, StreamType::VIDEO).is_some() {
        return None;
    }
    let kinds: Vec<String> = found
        .iter()
        .map(|stream| stream.caps().map_or("unknown".to_owned(), |caps| caps.to_string()))
        .map(|caps| caps.split(',').next().unwrap_or_default().to_owned())
        .collect();
    Some(format!("no moving picture in it, only {}", kinds.join(", ")))
}
