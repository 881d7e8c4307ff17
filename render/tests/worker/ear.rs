//! An ear in the place of a sound device: what a worker would have the device play is told by it.
//!
//! A worker may open no file, so it tells on its standard error.

use std::path::Path;

use gstreamer::glib;
use gstreamer::prelude::*;

/// Where it is wanted.
pub const LISTENS: &str = "VITRINE_TEST_EAR";
/// How a word of it begins.
const WORD: &str = "ear";
pub const RATE: u64 = 48_000;

mod imp {
    use std::fmt::Write as _;
    use std::io::Write as _;
    use std::sync::LazyLock;

    use gstreamer::subclass::ElementMetadata;
    use gstreamer::subclass::prelude::*;
    use gstreamer::{Buffer, FlowError, FlowSuccess, PadDirection, PadPresence, PadTemplate, glib};
    use gstreamer_video::gst_base::BaseSink;
    use gstreamer_video::gst_base::prelude::*;
    use gstreamer_video::gst_base::subclass::prelude::*;

    /// Takes samples as long ahead as a large buffer of a device does.
    const AHEAD_NS: i64 = -300_000_000;

    #[derive(Default)]
    pub struct Ear;

    #[glib::object_subclass]
    impl ObjectSubclass for Ear {
        const NAME: &'static str = "VitrineEar";
        type Type = super::Ear;
        type ParentType = BaseSink;
    }

    impl ObjectImpl for Ear {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
                let number = |name| glib::ParamSpecInt64::builder(name).build();
                let numbers = ["buffer-time", "latency-time", "drift-tolerance"].map(number);
                numbers
                    .into_iter()
                    .chain([glib::ParamSpecString::builder("device").build()])
                    .collect()
            });
            &PROPERTIES
        }

        /// Nothing of it matters here.
        fn set_property(&self, _: usize, _: &glib::Value, _: &glib::ParamSpec) {}

        fn constructed(&self) {
            self.parent_constructed();
            self.obj().set_sync(true);
            self.obj().set_ts_offset(AHEAD_NS);
        }
    }

    impl GstObjectImpl for Ear {}

    impl ElementImpl for Ear {
        fn metadata() -> Option<&'static ElementMetadata> {
            static METADATA: LazyLock<ElementMetadata> =
                LazyLock::new(|| ElementMetadata::new("Ear", "Sink/Audio", "Tells", "Tests"));
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [PadTemplate] {
            static TEMPLATES: LazyLock<Vec<PadTemplate>> = LazyLock::new(|| {
                let rate = super::RATE;
                let caps =
                    format!("audio/x-raw,format=S16LE,layout=interleaved,channels=1,rate={rate}");
                let caps = caps.parse().expect("caps");
                let template =
                    PadTemplate::new("sink", PadDirection::Sink, PadPresence::Always, &caps);
                vec![template.expect("a template")]
            });
            &TEMPLATES
        }
    }

    impl BaseSinkImpl for Ear {
        fn render(&self, buffer: &Buffer) -> Result<FlowSuccess, FlowError> {
            let at_ns = buffer.pts().map_or(0, |at| at.nseconds());
            let map = buffer.map_readable().map_err(|_| FlowError::Error)?;
            let mut samples = String::new();
            for pair in map.chunks_exact(2) {
                let _ = write!(samples, " {}", i16::from_le_bytes([pair[0], pair[1]]));
            }
            let (word, pid) = (super::WORD, std::process::id());
            // In one piece: another worker may have something to say.
            let line = format!("{word} {pid} {at_ns}{samples}\n");
            std::io::stderr().write_all(line.as_bytes()).map_err(|_| FlowError::Error)?;
            Ok(FlowSuccess::Ok)
        }
    }
}

glib::wrapper! {
    pub struct Ear(ObjectSubclass<imp::Ear>)
        @extends gstreamer_video::gst_base::BaseSink, gstreamer::Element, gstreamer::Object;
}

/// In a worker: takes the place of the device, if that is wanted.
pub fn listen() {
    if std::env::var_os(LISTENS).is_some() {
        let (rank, ear) = (gstreamer::Rank::NONE, Ear::static_type());
        gstreamer::Element::register(None, "alsasink", rank, ear).expect("element");
    }
}

/// What one worker had to say.
#[derive(Debug)]
pub struct Heard {
    pub pid: u32,
    /// When the first sample is due, in nanoseconds after the start.
    pub at_ns: u64,
    pub samples: Vec<i16>,
}

impl Heard {
    pub fn end_ns(&self) -> u64 {
        self.at_ns + self.samples.len() as u64 * 1_000_000_000 / RATE
    }
}

/// What was told into a file, by workers in the order of their first word.
pub fn told(file: &Path) -> Vec<Heard> {
    let text = std::fs::read_to_string(file).expect("a file");
    let mut heard: Vec<Heard> = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix(WORD)) {
        let mut numbers =
            line.split_whitespace().map(|word| word.parse::<i64>().expect("a number"));
        let (pid, at_ns) = (numbers.next().expect("who"), numbers.next().expect("when"));
        let (pid, at_ns) = (pid as u32, at_ns as u64);
        let samples = numbers.map(|sample| sample as i16);
        match heard.iter_mut().find(|one| one.pid == pid) {
            Some(one) => one.samples.extend(samples),
            None => heard.push(Heard { pid, at_ns, samples: samples.collect() }),
        }
    }
    heard
}
