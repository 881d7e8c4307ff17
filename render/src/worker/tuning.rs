//! Where decoders and demuxers are held to what this player needs of them.

use std::sync::{Mutex, PoisonError};

use gstreamer::prelude::*;
use gstreamer::{
    AllocationParams, BufferPool, Caps, ClockTime, Element, EventView, FormattedSegment, Pad,
    PadProbeReturn, PadProbeType, Pipeline, QueryViewMut,
};
use gstreamer_app::AppSink;
use gstreamer_video::VideoMeta;

use super::allocator::FrameAllocator;
use super::decoders::{self, Stream};

/// Luma samples a second up to which [`FEW_THREADS`] do: 1080p30 with room to spare.
const EASY_RATE: u64 = 70_000_000;
/// Decoder threads for most files. Measured at 1080p30 on two cores: as fast to the first frame as
/// four and 40 MB smaller, as every thread holds frames of its own; one thread saves no more.
const FEW_THREADS: i32 = 2;
/// Decoder threads for the rest: what a Pi has cores.
const MANY_THREADS: i32 = 4;

/// Frames a second of a stream that does not say.
const USUAL_RATE: u32 = 30;

/// Keeps software decoders to as few threads as the stream needs.
pub fn limit_threads(element: &Element) {
    let libav = element.factory().is_some_and(|factory| factory.name().starts_with("avdec_"));
    let Some(pad) = element.static_pad("sink") else { return };
    if !libav || !element.has_property("max-threads") {
        return;
    }
    let decoder = element.downgrade();
    // The decoder starts its threads when it is told the format, behind this probe.
    pad.add_probe(PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let (Some(decoder), Some(event)) = (decoder.upgrade(), info.event())
            && let EventView::Caps(caps) = event.view()
        {
            let stream = caps.caps().structure(0).map(Stream::of);
            let threads = stream.map_or(FEW_THREADS, |stream| threads_for(&stream));
            decoder.set_property("max-threads", threads);
        }
        PadProbeReturn::Ok
    });
}

fn threads_for(stream: &Stream) -> i32 {
    let frames_per_s = if stream.frames_per_s > 0 { stream.frames_per_s } else { USUAL_RATE };
    let samples_per_s = stream.samples() * u64::from(frames_per_s);
    if samples_per_s > EASY_RATE { MANY_THREADS } else { FEW_THREADS }
}

/// H.264 and HEVC streams know their colours; what a container says about them is dropped where
/// the parser would believe it: the MP4 demuxer of GStreamer 1.22 forgets the full range.
pub fn prefer_own_colours(element: &Element) {
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

/// What the caps of a transport stream become behind its parser; None: nothing is missing in them.
/// GStreamer 1.26 looks for a decoder by what the stream says of itself, now and then before the
/// parser has said it, and finds none that would take pictures in pieces.
pub fn as_parsed(caps: &Caps) -> Option<Caps> {
    let structure = caps.structure(0)?;
    let coded = ["video/x-h264", "video/x-h265"].contains(&structure.name().as_str());
    if !coded || structure.has_field("alignment") {
        return None;
    }
    let mut parsed = caps.copy();
    parsed.make_mut().set("alignment", "au");
    Some(parsed)
}

/// Has decoders of hardware put frames where others can have them as they are, if they can choose.
pub fn share_memory(decoder: &Element) {
    let property = "capture-io-mode";
    if decoder.has_property(property) {
        decoder.set_property_from_str(property, "dmabuf");
    }
}

/// Tells decoders where frames go, which the sink by itself does not: every frame would be copied
/// once more. Those of software go to `shared`, if there is any. Those of hardware stay where they
/// are, with rows padded as they like it; `held` of them are kept, which they have to spare only if
/// they hear of it.
///
/// Software is not told that rows may be padded: libav would hand out the frames that it still looks
/// at itself, and GStreamer copies those, to memory of its own.
pub fn take_frames_as_they_are(sink: &AppSink, shared: Option<FrameAllocator>, held: usize) {
    let Some(pad) = sink.static_pad("sink") else { return };
    pad.add_probe(PadProbeType::QUERY_DOWNSTREAM, move |pad, info| {
        let Some(QueryViewMut::Allocation(allocation)) = info.query_mut().map(|q| q.view_mut())
        else {
            return PadProbeReturn::Ok;
        };
        match shared.as_ref().filter(|_| !is_fed_by_hardware(pad)) {
            Some(shared) => {
                allocation.add_allocation_param(Some(shared), AllocationParams::default());
            }
            None => {
                allocation.add_allocation_meta::<VideoMeta>(None);
                if held > 0 {
                    // One more is on its way here. Of its size the decoder knows better.
                    allocation.add_allocation_pool(None::<&BufferPool>, 0, held as u32 + 1, 0);
                }
            }
        }
        PadProbeReturn::Handled
    });
}

fn is_fed_by_hardware(sink: &Pad) -> bool {
    let pipeline = sink.parent_element().and_then(|sink| sink.parent());
    let Some(pipeline) = pipeline.and_then(|parent| parent.downcast::<Pipeline>().ok()) else {
        return false;
    };
    let factories = pipeline.iterate_recurse().into_iter().flatten();
    factories.filter_map(|element| element.factory()).any(|factory| decoders::is_hardware(&factory))
}

/// Demuxers that start over by themselves when asked to: MP4 and MOV, Matroska and WebM.
const ROUND_DEMUXERS: [&str; 2] = ["qtdemux", "matroskademux"];

/// Whether a file of this kind can be looped without a gap.
pub fn demuxes_in_rounds(pipeline: &Pipeline) -> bool {
    let known = |element: Element| {
        element.factory().is_some_and(|factory| ROUND_DEMUXERS.contains(&factory.name().as_str()))
    };
    pipeline.iterate_recurse().into_iter().flatten().any(known)
}

/// Puts each round of a loop exactly behind the one before, in every stream alike. Demuxers take
/// the beginning of the last frame for the end of a round: the next one would come a frame early.
pub fn line_up_rounds(pad: &Pad) {
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
                let rounds = before.as_ref().filter(|before| before.base() < segment.base());
                if let Some(base) = rounds.and_then(end_of_round) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn big_or_quick_pictures_get_more_threads() {
        for (case, width_px, height_px, frames_per_s, threads) in [
            ("1080p30", 1920, 1080, 30, FEW_THREADS),
            ("1080p60", 1920, 1080, 60, MANY_THREADS),
            ("4K", 3840, 2160, 25, MANY_THREADS),
            ("rate unknown", 1920, 1080, 0, FEW_THREADS),
        ] {
            let stream = Stream { width_px, height_px, frames_per_s, ..Stream::default() };
            assert_eq!(threads_for(&stream), threads, "case {case:?}");
        }
    }

    #[test]
    fn a_stream_whose_parser_has_said_nothing_yet_has_a_decoder() {
        gstreamer::init().expect("gstreamer");
        let of = |text: &str| as_parsed(&text.parse().expect("caps")).map(|caps| caps.to_string());
        let ts = of("video/x-h264, stream-format=byte-stream").expect("it is missing there");
        assert!(ts.contains("alignment=(string)au"), "{ts}");
        for whole in ["video/x-h264, stream-format=avc, alignment=au", "video/x-vp9"] {
            assert_eq!(of(whole), None, "{whole}");
        }
    }

    #[test]
    fn a_round_without_an_end_is_left_alone() {
        gstreamer::init().expect("gstreamer");
        let mut segment = FormattedSegment::<ClockTime>::new();
        segment.set_base(ClockTime::from_seconds(4));
        assert_eq!(end_of_round(&segment), None);
        segment.set_start(ClockTime::from_seconds(1));
        segment.set_stop(ClockTime::from_seconds(3));
        assert_eq!(end_of_round(&segment), Some(ClockTime::from_seconds(6)));
    }
}
