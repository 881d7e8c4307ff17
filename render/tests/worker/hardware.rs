//! A decoder of hardware that is there and does not work.

use std::ffi::OsString;
use std::time::Duration;

use gstreamer::prelude::*;
use gstreamer::{FlowError, FlowSuccess, glib};
use vitrine_render::source::worker::{VideoSpec, WorkerCommand, WorkerPool};
use vitrine_render::source::{Picture, Source, State};

use super::lending::copied;
use super::rig::{Rig, START, command, media, number, spec};

/// Pictures that one gives before it dies.
const GIVEN: u32 = 3;
/// What the decoder does with its first picture.
const WAYS: [&str; 3] = ["fails", "hangs", "dies"];
/// What it does with the one behind those that it gives.
const LATE_WAYS: [&str; 3] = ["breaks", "tires", "stalls"];
/// The first of these, and it is none of hardware.
const SOFTWARE: &str = "breaks in software";
/// Says which of them to a worker.
const WAY: &str = "VITRINE_TEST_DECODER";

mod imp {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use gstreamer::subclass::ElementMetadata;
    use gstreamer::subclass::prelude::*;
    use gstreamer::{Caps, FlowError, FlowSuccess, PadDirection, PadPresence, PadTemplate, glib};
    use gstreamer_video::prelude::*;
    use gstreamer_video::subclass::prelude::*;
    use gstreamer_video::{VideoCapsBuilder, VideoCodecFrame, VideoFormat};

    /// Takes H.264 and gives no picture, or a few.
    #[derive(Default)]
    pub struct Broken {
        given: AtomicU32,
    }

    impl Broken {
        fn give(&self, mut frame: VideoCodecFrame) -> Result<FlowSuccess, FlowError> {
            let decoder = self.obj();
            if frame.system_frame_number() == 0 {
                let state = decoder.set_output_state(VideoFormat::I420, 64, 36, None)?;
                decoder.negotiate(state)?;
            }
            decoder.allocate_output_frame(&mut frame, None)?;
            decoder.finish_frame(frame)
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Broken {
        const NAME: &'static str = "VitrineBrokenDecoder";
        type Type = super::Broken;
        type ParentType = gstreamer_video::VideoDecoder;
    }

    impl ObjectImpl for Broken {}
    impl GstObjectImpl for Broken {}

    impl ElementImpl for Broken {
        fn metadata() -> Option<&'static ElementMetadata> {
            static METADATA: LazyLock<ElementMetadata> = LazyLock::new(|| {
                let soft = std::env::var(super::WAY).is_ok_and(|way| way == super::SOFTWARE);
                let class =
                    if soft { "Codec/Decoder/Video" } else { "Codec/Decoder/Video/Hardware" };
                ElementMetadata::new("Broken", class, "Fails", "Tests")
            });
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [PadTemplate] {
            static TEMPLATES: LazyLock<Vec<PadTemplate>> = LazyLock::new(|| {
                let h264 = Caps::builder("video/x-h264").build();
                let raw = VideoCapsBuilder::new().build();
                let pad = |name, way, caps| {
                    PadTemplate::new(name, way, PadPresence::Always, caps).expect("a template")
                };
                vec![pad("sink", PadDirection::Sink, &h264), pad("src", PadDirection::Src, &raw)]
            });
            &TEMPLATES
        }
    }

    impl VideoDecoderImpl for Broken {
        fn handle_frame(&self, frame: VideoCodecFrame) -> Result<FlowSuccess, FlowError> {
            let given = self.given.fetch_add(1, Ordering::Relaxed);
            match std::env::var(super::WAY).as_deref() {
                Ok("breaks" | "tires" | "stalls" | super::SOFTWARE) if given < super::GIVEN => {
                    self.give(frame)
                }
                way => super::end(self.obj().upcast_ref(), way.unwrap_or_default()),
            }
        }
    }
}

glib::wrapper! {
    pub struct Broken(ObjectSubclass<imp::Broken>)
        @extends gstreamer_video::VideoDecoder, gstreamer::Element, gstreamer::Object;
}

/// What a decoder that does not work does instead.
pub fn end(decoder: &gstreamer::Element, way: &str) -> Result<FlowSuccess, FlowError> {
    match way {
        "hangs" | "stalls" => loop {
            std::thread::park();
        },
        "dies" | "tires" => std::process::abort(),
        _ => {
            gstreamer::element_error!(decoder, gstreamer::StreamError::Decode, ["no luck"]);
            Err(FlowError::Error)
        }
    }
}

/// Not a test: a media worker with such a decoder, which GStreamer likes best.
#[test]
#[ignore = "started by the other tests as their media worker"]
fn broken_hardware_entry() {
    let Ok(socket) = vitrine_render::worker::inherited_socket() else { return };
    gstreamer::init().expect("gstreamer");
    let rank = gstreamer::Rank::PRIMARY + 200;
    gstreamer::Element::register(None, "brokendec", rank, Broken::static_type()).expect("element");
    vitrine_render::worker::run(socket).expect("worker");
}

/// A worker whose hardware does not work in this way.
fn worker(way: &str) -> WorkerCommand {
    let args = ["--ignored", "--exact", "hardware::broken_hardware_entry", "--nocapture"];
    let own = command().program.into_os_string();
    let way = OsString::from(format!("{WAY}={way}"));
    let args = [way, own].into_iter().chain(args.map(OsString::from)).collect();
    WorkerCommand { program: "/usr/bin/env".into(), args }
}

/// Until the first frame is there; for what hangs, time passes.
pub fn prepared(rig: &mut Rig) {
    for _ in 0..60 {
        let seen = rig.wakes();
        match rig.source.poll(rig.now) {
            State::Ready(_) => return,
            State::Failed(error) => panic!("{error}"),
            State::Preparing => {}
        }
        if !rig.woken_since(seen, Duration::from_secs(1)) {
            rig.now = rig.now.after(Duration::from_secs(3));
        }
    }
    panic!("no first frame");
}

#[test]
fn software_decodes_what_hardware_does_not_and_is_taken_at_once_the_next_time() {
    for way in WAYS {
        let pool = WorkerPool::new(worker(way));
        let mut rig = Rig::open(spec(media("silent.mp4")), &pool);
        prepared(&mut rig);
        let told = rig.source.mended().unwrap_or_default();
        assert!(told.contains("brokendec") && told.contains("silent.mp4"), "{way}: {told}");
        assert_eq!(rig.source.mended(), None, "{way}: told twice");
        rig.source.start(START);
        assert_eq!(rig.numbers(5).len(), 5, "{way}");

        let mut again = Rig::open(spec(media("silent.mp4")), &pool);
        again.ready();
        assert_eq!(again.source.mended(), None, "{way}: tried once more");
        let picture = again.source.take(START).expect("a picture");
        assert_eq!(number(&picture), 0, "{way}");
        // Another file is another chance.
        let mut other = Rig::open(spec(media("gap-30.mp4")), &pool);
        prepared(&mut other);
        assert!(other.source.mended().is_some(), "{way}: not tried");
    }
}

/// A picture: when, in microseconds after the start; how wide; its number.
pub type Seen = (u64, u32, u32);

/// Up to `at_most` pictures. Time passes where nothing happens.
pub fn seen(rig: &mut Rig, at_most: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    for _ in 0..600 {
        let before = rig.wakes();
        if let State::Failed(error) = rig.source.poll(rig.now) {
            panic!("{error}");
        }
        rig.now = rig.source.next_at().unwrap_or(rig.now).max(rig.now);
        let at_us = rig.now.since(START).as_micros() as u64;
        if let Some(picture) = rig.source.take(rig.now) {
            let look = |picture: &Picture| match picture {
                Picture::Yuv { size, .. } => (size.width_px, number(picture)),
                _ => panic!("not YUV"),
            };
            let (width_px, number) = copied(&picture, look);
            seen.push((at_us, width_px, number));
            if seen.len() == at_most {
                return seen;
            }
            continue;
        }
        if rig.source.next_at().is_none() && rig.source.ends_at().is_some() {
            return seen;
        }
        if rig.source.next_at().is_none() && !rig.woken_since(before, Duration::from_secs(2)) {
            rig.now = rig.now.after(Duration::from_secs(3));
        }
    }
    panic!("it never ends: {seen:?}");
}

/// Whether each picture of 30 a second is the one that is due then, of a film of so many.
pub fn in_step(seen: &[Seen], film: u64) -> bool {
    let due = |at_us: u64| (at_us * 30 + 500_000) / 1_000_000 % film;
    let exact = |at_us: u64| (at_us * 30 + 1_000) % 1_000_000 < 2_000;
    seen.iter().all(|(at_us, _, number)| due(*at_us) == u64::from(*number) && exact(*at_us))
}

/// Each has 30 pictures a second, all of which can be decoded in the order in which they are shown.
pub const HD: (&str, u64) = ("hd.mp4", 30);
pub const STREAM: (&str, u64) = ("stream.ts", 30);

#[test]
fn what_breaks_off_in_hardware_goes_on_in_software_where_it_was() {
    for (way, (name, film), looped) in [
        ("breaks", HD, false),
        ("breaks", HD, true),
        ("breaks", STREAM, false),
        ("breaks", STREAM, true),
        ("tires", HD, false),
        ("tires", HD, true),
        ("stalls", HD, true),
    ] {
        assert!(LATE_WAYS.contains(&way));
        let pool = WorkerPool::new(worker(way));
        let mut rig = Rig::open(VideoSpec { looped, ..spec(media(name)) }, &pool);
        prepared(&mut rig);
        rig.source.start(START);
        let all = seen(&mut rig, film as usize * 2 + 10);
        let case = format!("{way} {name}, looped: {looped}");
        // A loop begins by a flush, which may cost the decoder one of those that it gives.
        let given = all.iter().take_while(|(_, width, _)| *width == 64).count();
        let least = GIVEN - u32::from(looped && name == HD.0);
        assert!((least..=GIVEN).contains(&(given as u32)), "{case}: {all:?}");
        let soft = &all[given..];
        assert!(soft.iter().all(|(_, width, _)| *width > 64), "{case}: {all:?}");
        assert!(in_step(soft, film), "{case}: {all:?}");
        match looped {
            false => assert_eq!(all.len() as u64, film, "{case}: {all:?}"),
            true => assert!(all.len() as u64 > film * 2, "{case}: {all:?}"),
        }
        if way != "stalls" {
            assert_eq!(soft[0].2, given as u32, "{case}: {all:?}");
            assert_eq!(rig.source.dropped(), 0, "{case}");
        }
        let told = rig.source.mended().unwrap_or_default();
        assert!(told.contains("brokendec") && told.contains(name), "{case}: {told}");
        assert_eq!(rig.source.mended(), None, "{case}: told twice");
        // The measure can fail: another picture, and one at another time.
        let other = |n: u32| (n + 1) % film as u32;
        let ahead: Vec<Seen> = soft.iter().map(|(at, w, n)| (*at, *w, other(*n))).collect();
        assert!(!in_step(&ahead, film));
        let late: Vec<Seen> = soft.iter().map(|(at, w, n)| (*at + 33_333, *w, *n)).collect();
        assert!(!in_step(&late, film));

        let mut again = Rig::open(spec(media(name)), &pool);
        again.ready();
        again.source.start(START);
        assert!(in_step(&seen(&mut again, 8), film), "{case}: the next time");
        assert_eq!(again.source.mended(), None, "{case}: tried once more");
    }
}

#[test]
fn what_breaks_off_in_software_too_is_over() {
    let whole = std::fs::read(media(HD.0)).expect("media");
    let half = super::faults::file_with(&whole[..whole.len() * 6 / 10]);
    let pool = WorkerPool::new(worker("breaks"));
    let mut rig = Rig::open(spec(half.path()), &pool);
    prepared(&mut rig);
    rig.source.start(START);
    let all = seen(&mut rig, usize::MAX);
    assert!(all.len() > GIVEN as usize + 3 && (all.len() as u64) < HD.1, "{all:?}");
    assert!(in_step(&all[GIVEN as usize..], HD.1), "{all:?}");
    assert!(rig.source.mended().is_some());
}

#[test]
fn what_breaks_off_in_software_is_over_and_told_once() {
    let pool = WorkerPool::new(worker(SOFTWARE));
    for told in [true, false] {
        let mut rig = Rig::open(spec(media(HD.0)), &pool);
        prepared(&mut rig);
        rig.source.start(START);
        assert_eq!(seen(&mut rig, usize::MAX).len(), GIVEN as usize);
        let end_us = rig.source.ends_at().expect("an end").since(START).as_micros() as u64;
        assert_eq!(end_us * 30 / 1_000, 2_999, "{end_us}");
        assert_eq!(rig.source.mended(), None);
        let text = rig.source.broke_off();
        assert_eq!(text.is_some(), told, "{text:?}");
        assert!(text.is_none_or(|text| text.contains(HD.0) && text.ends_with("it ended there")));
    }
}
