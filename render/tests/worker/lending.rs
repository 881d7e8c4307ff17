//! Frames that stay in their decoder's memory: lent, read there, given back; and copied where that is
//! not possible.
//!
//! The decoder is made up. It puts frames where a dma-buf would be, into memory that is shared by its
//! descriptor; drivers that do not ask whose it is import that like a dma-buf.

use std::ffi::OsString;

use gstreamer::glib;
use gstreamer::prelude::*;
use vitrine_render::report::Report;
use vitrine_render::scene::{AudioOut, Source as Shown};
use vitrine_render::source::worker::{WorkerCommand, WorkerPool};
use vitrine_render::source::{Picture, Source};

use super::rig::{Rig, command, media, number, spec};
use super::{ear, support};

/// Of frames.
const WIDTH: u32 = 320;
const HEIGHT: u32 = 36;
/// How the decoder puts its samples.
const WAYS: [&str; 4] = ["rows", "device rows", "columns", "two buffers"];
/// The same with every second row of another moment.
const IN_FIELDS: [&str; 2] = ["device rows, in fields", "columns, in fields"];
/// Says which of them to a worker.
const WAY: &str = "VITRINE_TEST_ORDER";
/// What becomes of the decoder, and behind how many frames.
const END: &str = "VITRINE_TEST_DECODER_ENDS";
/// In files that this decoder is tried with.
const FRAMES: usize = 60;

mod imp {
    use std::fs::File;
    use std::io::{Seek, SeekFrom, Write};
    use std::os::fd::{AsRawFd, IntoRawFd};
    use std::sync::{LazyLock, Mutex, OnceLock};

    use gstreamer::prelude::*;
    use gstreamer::subclass::ElementMetadata;
    use gstreamer::subclass::prelude::*;
    use gstreamer::{
        Buffer, Caps, ClockTime, EventView, FlowError, FlowSuccess, Memory, Pad, PadDirection,
        PadPresence, PadTemplate, glib,
    };
    use gstreamer_allocators::prelude::*;
    use gstreamer_allocators::{FdAllocator, FdMemoryFlags};
    use gstreamer_video::{VideoFormat, VideoFrameFlags, VideoMeta};
    use rustix::fs::{MemfdFlags, SealFlags};

    use super::super::hardware;
    use super::{END, HEIGHT, IN_FIELDS, WAY, WIDTH};

    /// More than may be on their way at any time, so that none is written while it is read.
    const BUFFERS: usize = 12;
    /// Rows of luma in a column, and of all of it.
    const LUMA_ROWS: usize = 40;
    const COLUMN_ROWS: usize = 60;
    const ROW_BYTES: usize = WIDTH as usize + 24;

    /// Without what is said of fields.
    fn way() -> String {
        let way = std::env::var(WAY).expect("a way");
        way.trim_end_matches(", in fields").to_owned()
    }

    fn in_fields() -> bool {
        std::env::var(WAY).is_ok_and(|way| IN_FIELDS.contains(&&*way))
    }

    /// What becomes of it with this frame.
    fn ends_with(number: u32) -> Option<String> {
        let told = std::env::var(END).ok()?;
        let (way, behind) = told.split_once(" behind ")?;
        (number >= behind.parse::<u32>().expect("a number")).then(|| way.to_owned())
    }

    /// What one plane looks like in memory.
    struct Plane {
        offset: usize,
        stride: i32,
        bytes: Vec<u8>,
    }

    /// Takes H.264 and gives a picture of its own for each of it.
    pub struct Lending {
        source: Pad,
        /// As those of V4L2 have it.
        mode: Mutex<String>,
        given: Mutex<(u32, Vec<File>)>,
        /// When the first picture is shown.
        begins: OnceLock<ClockTime>,
    }

    fn caps() -> Caps {
        let fields = match in_fields() {
            true => ",interlace-mode=interleaved,field-order=top-field-first",
            false => "",
        };
        let rest = format!("width={WIDTH},height={HEIGHT},framerate=30/1{fields}");
        let format = match way().as_str() {
            "rows" | "rows, if not to be lent" => "video/x-raw,format=NV12",
            "device rows" => "video/x-raw(memory:DMABuf),format=DMA_DRM,drm-format=NV12",
            _ => {
                "video/x-raw(memory:DMABuf),format=DMA_DRM,\
                 drm-format=(string)NV12:0x0700000000000004"
            }
        };
        format!("{format},{rest}").parse().expect("caps")
    }

    /// Twelve blocks: the bits of `number`.
    fn luma(number: u32, x: usize) -> u8 {
        let bit = x * 12 / WIDTH as usize;
        if number >> bit & 1 == 1 { 235 } else { 16 }
    }

    fn planes(number: u32) -> [Plane; 2] {
        let (width, height) = (WIDTH as usize, HEIGHT as usize);
        let rows = |rows: usize, code: &dyn Fn(usize, usize) -> u8| {
            let row = |y| (0..ROW_BYTES).map(move |x| if x < width { code(x, y) } else { 77 });
            (0..rows).flat_map(row).collect::<Vec<u8>>()
        };
        let columns = |rows: usize, code: &dyn Fn(usize, usize) -> u8| {
            let column = |column: usize| {
                let row = move |y| (0..128).map(move |x| code(column * 128 + x, y));
                (0..rows).flat_map(row)
            };
            (0..width.div_ceil(128)).flat_map(column).collect::<Vec<u8>>()
        };
        let luma = |x: usize, y: usize| {
            let number = if in_fields() { number * 2 + (y % 2) as u32 } else { number };
            luma(number, x.min(width - 1))
        };
        let chroma = |x: usize, _| if x.is_multiple_of(2) { 90 } else { 200 };
        let plane = |offset, stride, bytes| Plane { offset, stride, bytes };
        match way().as_str() {
            "rows" | "device rows" | "rows, if not to be lent" => {
                let luma = rows(height, &luma);
                let offset = luma.len();
                let stride = ROW_BYTES as i32;
                [plane(0, stride, luma), plane(offset, stride, rows(height / 2, &chroma))]
            }
            "columns" => {
                // Each column is luma, then chroma.
                let (luma, chroma) =
                    (columns(LUMA_ROWS, &luma), columns(COLUMN_ROWS - LUMA_ROWS, &chroma));
                let parts = luma
                    .chunks(LUMA_ROWS * 128)
                    .zip(chroma.chunks((COLUMN_ROWS - LUMA_ROWS) * 128));
                let both = parts.flat_map(|(luma, chroma)| [luma, chroma].concat()).collect();
                let stride = COLUMN_ROWS as i32;
                [plane(0, stride, both), plane(LUMA_ROWS * 128, stride, Vec::new())]
            }
            _ => {
                let luma = columns(LUMA_ROWS, &luma);
                let offset = luma.len();
                [plane(0, LUMA_ROWS as i32, luma), plane(offset, 18, columns(18, &chroma))]
            }
        }
    }

    fn memory(mut file: &File, bytes: &[u8]) -> Memory {
        file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(bytes)).expect("written");
        let fd = file.try_clone().expect("descriptor").into_raw_fd();
        #[allow(unsafe_code)]
        // SAFETY: the descriptor is open and the memory's own from here on, which closes it.
        let memory = unsafe { FdAllocator::new().alloc_fd(fd, bytes.len(), FdMemoryFlags::NONE) };
        memory.expect("memory")
    }

    fn file(bytes: usize) -> File {
        let fd = rustix::fs::memfd_create("decoder", MemfdFlags::ALLOW_SEALING).expect("memfd");
        rustix::fs::ftruncate(&fd, bytes as u64).expect("size");
        rustix::fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW).expect("sealed");
        assert!(fd.as_raw_fd() >= 0);
        fd.into()
    }

    impl Lending {
        fn picture(&self, number: u32, files: &mut Vec<File>) -> Buffer {
            let planes = planes(number);
            let apart = way() == "two buffers";
            let parts: Vec<Vec<u8>> = match apart {
                true => planes.iter().map(|plane| plane.bytes.clone()).collect(),
                false => vec![planes.iter().flat_map(|plane| plane.bytes.clone()).collect()],
            };
            let mut buffer = Buffer::new();
            let whole = buffer.get_mut().expect("the only one");
            for (part, bytes) in parts.iter().enumerate() {
                let place = number as usize % BUFFERS * parts.len() + part;
                while files.len() <= place {
                    files.push(file(32 << 10));
                }
                whole.append_memory(memory(&files[place], bytes));
            }
            let (offset, stride) =
                (planes.each_ref().map(|p| p.offset), planes.each_ref().map(|p| p.stride));
            let flags = VideoFrameFlags::empty();
            VideoMeta::add_full(whole, flags, VideoFormat::Nv12, WIDTH, HEIGHT, &offset, &stride)
                .expect("a description");
            buffer
        }

        fn take(&self, coded: &Buffer) -> Result<FlowSuccess, FlowError> {
            if way() == "rows, if not to be lent" && *self.mode.lock().expect("whole") == "dmabuf" {
                gstreamer::element_imp_error!(
                    self,
                    gstreamer::StreamError::Decode,
                    ["no such memory"]
                );
                return Err(FlowError::Error);
            }
            let mut given = self.given.lock().expect("whole");
            let number = given.0;
            if let Some(way) = ends_with(number) {
                drop(given);
                return hardware::end(self.obj().upcast_ref(), &way);
            }
            given.0 += 1;
            let mut picture = self.picture(number, &mut given.1);
            drop(given);
            let whole = picture.get_mut().expect("the only one");
            // Pictures come in another order than they are shown; these are shown as they come.
            let lasts = coded.duration().unwrap_or(ClockTime::from_mseconds(33));
            let begins = self.begins.get_or_init(|| coded.pts().unwrap_or_default());
            whole.set_pts(*begins + lasts * u64::from(number));
            whole.set_duration(lasts);
            self.source.push(picture)
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Lending {
        const NAME: &'static str = "VitrineLendingDecoder";
        type Type = super::Lending;
        type ParentType = gstreamer::Element;

        fn with_class(class: &Self::Class) -> Self {
            let template = |name| class.pad_template(name).expect("a template");
            Lending {
                source: Pad::from_template(&template("src")),
                mode: Mutex::default(),
                given: Mutex::default(),
                begins: OnceLock::new(),
            }
        }
    }

    impl ObjectImpl for Lending {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> =
                LazyLock::new(|| vec![glib::ParamSpecString::builder("capture-io-mode").build()]);
            &PROPERTIES
        }

        fn set_property(&self, _: usize, value: &glib::Value, _: &glib::ParamSpec) {
            *self.mode.lock().expect("whole") = value.get().expect("a text");
        }

        fn constructed(&self) {
            self.parent_constructed();
            let decoder = self.obj();
            let template = decoder.pad_template("sink").expect("a template");
            let sink = Pad::builder_from_template(&template)
                .chain_function(|_, parent, coded| {
                    let decoder = parent
                        .and_then(|parent| parent.downcast_ref::<super::Lending>())
                        .expect("this");
                    decoder.imp().take(&coded)
                })
                .event_function(|pad, parent, event| {
                    let decoder = parent
                        .and_then(|parent| parent.downcast_ref::<super::Lending>())
                        .expect("this");
                    match event.view() {
                        EventView::Caps(_) => {
                            decoder.imp().source.push_event(gstreamer::event::Caps::new(&caps()))
                        }
                        _ => Pad::event_default(pad, parent, event),
                    }
                })
                .build();
            decoder.add_pad(&sink).and_then(|()| decoder.add_pad(&self.source)).expect("pads");
        }
    }

    impl GstObjectImpl for Lending {}

    impl ElementImpl for Lending {
        fn metadata() -> Option<&'static ElementMetadata> {
            static METADATA: LazyLock<ElementMetadata> = LazyLock::new(|| {
                ElementMetadata::new("Lending", "Codec/Decoder/Video/Hardware", "Lends", "Tests")
            });
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [PadTemplate] {
            static TEMPLATES: LazyLock<Vec<PadTemplate>> = LazyLock::new(|| {
                let h264 = Caps::builder("video/x-h264").build();
                let pad = |name, way, caps| {
                    PadTemplate::new(name, way, PadPresence::Always, caps).expect("a template")
                };
                vec![pad("sink", PadDirection::Sink, &h264), pad("src", PadDirection::Src, &caps())]
            });
            &TEMPLATES
        }
    }
}

glib::wrapper! {
    pub struct Lending(ObjectSubclass<imp::Lending>) @extends gstreamer::Element, gstreamer::Object;
}

/// Not a test: a media worker with such a decoder, which GStreamer likes best.
#[test]
#[ignore = "started by the other tests as their media worker"]
fn lending_entry() {
    let Ok(socket) = vitrine_render::worker::inherited_socket() else { return };
    gstreamer::init().expect("gstreamer");
    let rank = gstreamer::Rank::PRIMARY + 200;
    gstreamer::Element::register(None, "lendingdec", rank, Lending::static_type())
        .expect("element");
    ear::listen();
    vitrine_render::worker::run(socket).expect("worker");
}

/// A worker whose decoder puts its samples in this way.
fn worker(way: &str) -> WorkerCommand {
    worker_with(vec![format!("{WAY}={way}")])
}

/// One whose decoder ends like this behind so many frames.
pub fn worker_that(way: &str, ends: &str, behind: usize) -> WorkerCommand {
    worker_with(vec![format!("{WAY}={way}"), format!("{END}={ends} behind {behind}")])
}

fn worker_with(environment: Vec<String>) -> WorkerCommand {
    let args = ["--ignored", "--exact", "lending::lending_entry", "--nocapture"];
    let own = command().program.into_os_string();
    let environment = environment.into_iter().map(OsString::from);
    let args = environment.chain([own]).chain(args.map(OsString::from)).collect();
    WorkerCommand { program: "/usr/bin/env".into(), args }
}

/// Whether a picture was lent, and the number in it.
fn seen(picture: &Picture) -> (bool, u32) {
    (matches!(picture, Picture::Lent(_)), copied(picture, number))
}

/// What there is to see in a picture wherever it lies.
pub fn copied<T>(picture: &Picture, look: impl FnOnce(&Picture) -> T) -> T {
    let Picture::Lent(lent) = picture else { return look(picture) };
    let read = lent.read().expect("readable");
    let (luma, chroma) = lent.planes(&read).expect("planes");
    let (size, colour, pixel_aspect) = (lent.size(), lent.colour, lent.pixel_aspect);
    look(&Picture::Yuv { size, chroma, luma, colour, pixel_aspect })
}

/// The number in a picture whose rows are all alike; None: they are not.
fn whole_number(picture: &Picture) -> Option<u32> {
    let Picture::Yuv { size, luma, .. } = picture else { panic!("not YUV") };
    let row = |y: usize| &luma.data[y * luma.stride_bytes as usize..][..size.width_px as usize];
    let alike = (1..size.height_px as usize).all(|y| row(y) == row(0));
    alike.then(|| number(picture))
}

#[test]
fn fields_in_an_order_of_the_decoders_own_become_frames() {
    for way in IN_FIELDS {
        let pool = WorkerPool::new(worker(way));
        let mut rig = Rig::started(spec(media("silent.mp4")), &pool);
        for wanted in 0..FRAMES as u32 * 2 {
            let look =
                |picture: &Picture| (matches!(picture, Picture::Lent(_)), whole_number(picture));
            let (at_us, found) = rig.next(look).expect(way);
            assert_eq!(found, (false, Some(wanted)), "{way}: lent, and the number in all rows");
            let due_us = u64::from(wanted) * 1_000_000 / 60;
            assert!(at_us.abs_diff(due_us) <= 50, "{way}: {wanted} at {at_us}");
        }
        assert!(rig.next(seen).is_none(), "{way}: more than there are");
    }
}

#[test]
fn frames_are_lent_and_come_in_order_whatever_the_decoders_order() {
    for way in WAYS {
        let pool = WorkerPool::new(worker(way));
        let mut rig = Rig::started(spec(media("silent.mp4")), &pool);
        let mut lent = 0;
        for wanted in 0..FRAMES {
            let (_, (is_lent, number)) = rig.next(seen).expect(way);
            assert_eq!(number as usize, wanted, "{way}");
            lent += usize::from(is_lent);
        }
        assert!(rig.next(seen).is_none(), "{way}: more than there are");
        // Not all: a decoder is not to be left without buffers.
        assert!(lent > FRAMES / 2, "{way}: {lent} of {FRAMES} were lent");
        assert_eq!(rig.source.mended(), None, "{way}");
        assert!(rig.source.walls().is_some_and(|walls| walls.calls), "{way}: not shut in");
    }
}

#[test]
fn hardware_that_fails_only_while_it_lends_is_used_without() {
    let mut rig = support::Rig::with_worker(64, 36, worker("rows, if not to be lent"));
    let path = media("silent.mp4");
    let video = Shown::Video { path, volume: 0.0, looped: false, audio: AudioOut::None };
    rig.wish(support::scene(vec![support::layer(1, video)]), None);
    let told = rig.wait_zero_copy();
    let wanted = std::env::var_os("VITRINE_TEST_IMPORT").is_some();
    assert!(told.starts_with("no more, lendingdec fails") || !wanted, "{told}");
    rig.wait_shown(1);
    rig.wait(|report| matches!(report, Report::Ended { turn: 1, .. }).then_some(()));
    assert_eq!(bright(&mut rig), LAST);
    for report in rig.end() {
        let wrong = matches!(report, Report::Failed { .. } | Report::Mended { .. });
        assert!(!wrong, "{report:?}");
    }
}

/// The bits of the last frame's number.
const LAST: [u32; 5] = [0, 1, 3, 4, 5];

/// Which of the twelve blocks are bright.
fn bright(rig: &mut support::Rig) -> Vec<u32> {
    let picture = rig.picture();
    let is_bright = |bit: &u32| picture.get_pixel(64 * (2 * bit + 1) / 24, 18).0[1] > 100;
    (0..12).filter(is_bright).collect()
}

/// A whole stage: by the GPU where its driver can, by the processor where not, and never otherwise.
#[test]
fn a_stage_shows_what_is_lent() {
    for way in WAYS {
        let mut rig = support::Rig::with_worker(64, 36, worker(way));
        let path = media("silent.mp4");
        let video = Shown::Video { path, volume: 0.0, looped: false, audio: AudioOut::None };
        rig.wish(support::scene(vec![support::layer(1, video)]), None);
        let told = rig.wait_zero_copy();
        eprintln!("zero copy of {way}: {told}");
        let wanted = std::env::var_os("VITRINE_TEST_IMPORT").is_some();
        assert!(
            told.starts_with("yes, N") || !wanted,
            "this driver was to take memory of decoders"
        );
        rig.wait_shown(1);
        rig.wait(|report| matches!(report, Report::Ended { turn: 1, .. }).then_some(()));
        assert_eq!(bright(&mut rig), LAST, "{way}");
        let said = rig.end();
        let failed = said.iter().any(|report| matches!(report, Report::Failed { .. }));
        assert!(!failed, "{way}: {said:?}");
    }
}
