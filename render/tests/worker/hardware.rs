//! A decoder of hardware that is there and does not work.

use std::ffi::OsString;
use std::time::Duration;

use gstreamer::glib;
use gstreamer::prelude::*;
use vitrine_render::source::worker::{WorkerCommand, WorkerPool};
use vitrine_render::source::{Source, State};

use super::rig::{Rig, START, command, media, number, spec};

/// Pictures that one gives before it dies.
const GIVEN: u32 = 3;
/// What the decoder does with its first picture.
const WAYS: [&str; 3] = ["fails", "hangs", "dies"];
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
                ElementMetadata::new("Broken", "Codec/Decoder/Video/Hardware", "Fails", "Tests")
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
                Ok("hangs") => loop {
                    std::thread::park();
                },
                Ok("tires") if given < super::GIVEN => self.give(frame),
                Ok("dies" | "tires") => std::process::abort(),
                _ => {
                    gstreamer::element_imp_error!(
                        self,
                        gstreamer::StreamError::Decode,
                        ["no luck"]
                    );
                    Err(FlowError::Error)
                }
            }
        }
    }
}

glib::wrapper! {
    pub struct Broken(ObjectSubclass<imp::Broken>)
        @extends gstreamer_video::VideoDecoder, gstreamer::Element, gstreamer::Object;
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
fn prepared(rig: &mut Rig) {
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

#[test]
fn hardware_that_dies_in_mid_play_is_left_alone_from_then_on() {
    let pool = WorkerPool::new(worker("tires"));
    let mut rig = Rig::open(spec(media("silent.mp4")), &pool);
    rig.ready();
    rig.source.start(START);
    let error = rig.until(|rig| {
        if let Some(at) = rig.source.next_at() {
            rig.now = at;
        }
        while rig.source.take(rig.now).is_some() {}
        match rig.source.poll(rig.now) {
            State::Failed(error) => Some(error.to_string()),
            State::Ready(_) | State::Preparing => None,
        }
    });
    assert!(error.contains("signal 6"), "{error}");
    assert_eq!(rig.source.mended(), None, "too late for that");

    let mut again = Rig::open(spec(media("silent.mp4")), &pool);
    again.ready();
    again.source.start(START);
    let seen = again.numbers(8);
    assert!(seen.iter().map(|seen| seen.number).eq(0..8), "{seen:?}");
}
