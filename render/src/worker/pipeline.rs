//! The parts of the pipeline and how they are put together.
//!
//! In:  a file, which streams are wanted.
//! Out: a pipeline at rest: file → `decodebin3` → outlet and sound.
//!
//! `playbin3` and `uridecodebin3` are not used: they hang in up to a third of all starts.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::{
    ClockTime, Element, ElementFactory, Pad, Pipeline, Stream, StreamCollection, StreamType,
};
use gstreamer_app::{AppSink, AppSinkCallbacks};
use gstreamer_video::{VideoCapsBuilder, VideoFormat};

use super::decoders::{self, Board};
use super::file;
use super::lender;
use super::outlet::Outlet;
use super::player::Wish;
use super::protocol::Medium;
use super::sound::Sound;
use super::tuning;

/// Puts the parts together. `sound`: where decoded sound goes; without it none is decoded.
pub fn build(
    file: OwnedFd,
    outlet: &Arc<Outlet>,
    sound: Option<&Arc<Sound>>,
    wish: &Wish,
) -> Result<Pipeline, glib::BoolError> {
    let looped = wish.looped;
    let pipeline = Pipeline::new();
    let source = file::source(file);
    let decoder = ElementFactory::make("decodebin3").build()?;
    pipeline.add_many([&source, &decoder])?;
    source.link(&decoder)?;
    choose_streams(&decoder, sound.is_some(), wish);
    let pictures = match wish.medium {
        Medium::Sound => None,
        _ => Some(Pictures::add(&pipeline, video_sink(outlet, wish), wish)?),
    };
    let ends = Ends { pictures, sound: sound.cloned() };
    let weak = pipeline.downgrade();
    decoder.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        if looped {
            tuning::line_up_rounds(pad);
        }
        if let Err(error) = ends.connect(&pipeline, pad) {
            tracing::warn!(%error, pad = %pad.name(), "a stream is not connected");
        }
    });
    let (told, lend) = (Arc::clone(outlet), wish.lend);
    pipeline.connect_deep_element_added(move |_, _, element| {
        if let Some(factory) = element.factory().filter(decoders::is_hardware) {
            told.hardware(&factory.name());
            if lend {
                tuning::share_memory(element);
            }
        }
        tuning::limit_threads(element);
        tuning::prefer_own_colours(element);
    });
    Ok(pipeline)
}

fn video_sink(outlet: &Arc<Outlet>, wish: &Wish) -> AppSink {
    let looped = wish.looped;
    let formats: &[VideoFormat] = match wish.medium {
        Medium::Video | Medium::Sound => &[VideoFormat::Nv12, VideoFormat::I420],
        // What is coded without chroma goes as it is: made into YUV it comes in another range.
        Medium::Still => {
            &[VideoFormat::Nv12, VideoFormat::I420, VideoFormat::Y444, VideoFormat::Gray8]
        }
    };
    let caps = VideoCapsBuilder::new().format_list(formats.iter().copied()).build();
    let (first, next, last) = (Arc::clone(outlet), Arc::clone(outlet), Arc::clone(outlet));
    let callbacks = AppSinkCallbacks::builder()
        .new_preroll(move |sink| {
            if let Some(length) = length(sink).filter(|_| !looped && !first.has_shown()) {
                first.length(length);
            }
            first.frame(&sink.pull_preroll().map_err(|_| gstreamer::FlowError::Eos)?)
        })
        .new_sample(move |sink| {
            next.frame(&sink.pull_sample().map_err(|_| gstreamer::FlowError::Eos)?)
        })
        .eos(move |_| match last.has_shown() {
            true if looped => {}
            true => last.end(),
            false => last.fail("the file ends before its first picture".to_owned()),
        });
    let sink = AppSink::builder()
        .caps(&caps)
        .sync(false)
        .max_buffers(2)
        .callbacks(callbacks.build())
        .build();
    sink.set_property("enable-last-sample", false);
    let shared = (wish.medium == Medium::Video).then(|| outlet.shared().clone());
    tuning::take_frames_as_they_are(&sink, shared, if wish.lend { lender::LENT } else { 0 });
    sink
}

/// How long the file says that it lasts: asked for in front of the sink, as the stream is on its
/// way into it.
pub fn length(sink: &AppSink) -> Option<ClockTime> {
    sink.static_pad("sink")?.peer_query_duration()
}

/// The first video stream and, if wanted, the first audio stream; nothing else is decoded.
fn choose_streams(decoder: &Element, sound: bool, wish: &Wish) {
    let (board, software, medium) = (Board::here(), wish.software, wish.medium);
    decoder.connect("select-stream", false, move |values| {
        let collection = values.get(1)?.get::<StreamCollection>().ok()?;
        let stream = values.get(2)?.get::<Stream>().ok()?;
        let first =
            |kind| first_of(&collection, kind).is_some_and(|id| Some(id) == stream.stream_id());
        let is_video = medium != Medium::Sound && first(StreamType::VIDEO);
        if let Some(caps) = stream.caps().filter(|_| is_video) {
            decoders::choose(board, &caps, software);
            if let Some(caps) = tuning::as_parsed(&caps) {
                stream.set_caps(Some(&caps));
            }
        }
        let chosen = is_video || (sound && first(StreamType::AUDIO));
        Some(i32::from(chosen).to_value())
    });
}

/// The id of the first stream of a kind.
pub fn first_of(collection: &StreamCollection, kind: StreamType) -> Option<glib::GString> {
    let of_kind = |stream: &Stream| stream.stream_type().contains(kind);
    collection.iter().find(of_kind).and_then(|stream| stream.stream_id())
}

/// Where streams end.
struct Ends {
    pictures: Option<Pictures>,
    sound: Option<Arc<Sound>>,
}

/// Where pictures end.
struct Pictures {
    convert: Element,
    sink: AppSink,
    medium: Medium,
    lend: bool,
}

impl Ends {
    fn connect(&self, pipeline: &Pipeline, pad: &Pad) -> Result<(), glib::BoolError> {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let kind = caps.structure(0).map_or("", |structure| structure.name().as_str());
        match (&self.pictures, &self.sound) {
            (Some(pictures), _) if kind.starts_with("video/") => pictures.connect(pipeline, pad),
            (_, Some(sound)) if kind.starts_with("audio/") => {
                connect_sound(pipeline, pad, &sound.sink())
            }
            // Decoded although it was not chosen; without a place to go it would stop the others.
            _ => {
                let nowhere = ElementFactory::make("fakesink").property("async", false).build()?;
                add_end(pipeline, pad, &nowhere)
            }
        }
    }
}

impl Pictures {
    fn add(pipeline: &Pipeline, sink: AppSink, wish: &Wish) -> Result<Pictures, glib::BoolError> {
        // Passes through what is in a wanted format already.
        let convert = ElementFactory::make("videoconvert").build()?;
        pipeline.add_many([&convert, sink.upcast_ref()])?;
        Ok(Pictures { convert, sink, medium: wish.medium, lend: wish.lend })
    }

    fn connect(&self, pipeline: &Pipeline, pad: &Pad) -> Result<(), glib::BoolError> {
        // What lies in an order of its own cannot be worked on, and need not be.
        if self.lend && !turned(pad) && lender::is_woven(pad) {
            self.sink.set_caps(Some(&lender::woven_caps()));
            return link(pad, &self.sink);
        }
        let mut way = vec![self.convert.clone()];
        if self.medium == Medium::Video {
            // Passes whole frames through; only the decoder knows what is in fields.
            let frames = ElementFactory::make("deinterlace").build()?;
            frames.set_property_from_str("method", "greedyl");
            way.push(frames);
        }
        if turned(pad) {
            let turn = ElementFactory::make("videoflip").build()?;
            turn.set_property_from_str("video-direction", "auto");
            way.push(turn);
        }
        pipeline.add_many(&way[1..])?;
        Element::link_many(way.iter().chain([self.sink.upcast_ref()]))?;
        way.iter().try_for_each(Element::sync_state_with_parent)?;
        link(pad, &self.convert)
    }
}

/// Whether the file says that its pictures are to be turned, as phones do. The part that turns
/// copies every frame, needed or not.
fn turned(pad: &Pad) -> bool {
    let tags = pad.stream().and_then(|stream| stream.tags());
    let way = tags.and_then(|tags| {
        tags.get::<gstreamer::tags::ImageOrientation>().map(|tag| tag.get().to_owned())
    });
    way.is_some_and(|way| way != "rotate-0")
}

fn connect_sound(pipeline: &Pipeline, pad: &Pad, sink: &AppSink) -> Result<(), glib::BoolError> {
    let convert = ElementFactory::make("audioconvert").build()?;
    pipeline.add_many([&convert, sink.upcast_ref()])?;
    convert.link(sink)?;
    sink.sync_state_with_parent()?;
    convert.sync_state_with_parent()?;
    link(pad, &convert)
}

fn add_end(pipeline: &Pipeline, pad: &Pad, end: &impl IsA<Element>) -> Result<(), glib::BoolError> {
    pipeline.add(end)?;
    end.sync_state_with_parent()?;
    link(pad, end)
}

fn link(pad: &Pad, into: &impl IsA<Element>) -> Result<(), glib::BoolError> {
    let sink = into.static_pad("sink").ok_or_else(|| glib::bool_error!("no sink pad"))?;
    pad.link(&sink).map_err(|error| glib::bool_error!("link: {error}"))?;
    Ok(())
}
