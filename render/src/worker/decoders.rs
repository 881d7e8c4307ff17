//! Which decoder a stream gets: hardware where that of this board is up to it, else software.
//!
//! In:  the board, what the parser says of the stream, whether hardware is to be left alone.
//! Out: what GStreamer may choose from in this process, which plays one file.
//!
//! By itself GStreamer takes hardware first, whatever the board: the table says where it must not.
//!
//! Sources: Raspberry Pi documentation, processors BCM2711 (H.264 to 1080p60, HEVC to 4Kp60) and
//! BCM2712 (HEVC to 4Kp60, nothing else).

use gstreamer::prelude::*;
use gstreamer::{
    Caps, CapsRef, Element, ElementFactory, ElementFactoryType, Pipeline, PluginFeature, Rank,
    Registry, StructureRef,
};

/// Boards that differ in what their hardware decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Board {
    /// Raspberry Pi 4, 400, CM4.
    Pi4,
    /// Raspberry Pi 5, 500, CM5.
    Pi5,
    /// Any other: its drivers say themselves what they can do.
    Other,
}

/// Pictures that a decoder keeps up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct UpTo {
    width_px: u32,
    height_px: u32,
    samples_per_s: u64,
    bits: u32,
}

const FULL_HD_60: UpTo =
    UpTo { width_px: 1_920, height_px: 1_088, samples_per_s: 1_920 * 1_088 * 60, bits: 8 };
const UHD_60: UpTo =
    UpTo { width_px: 4_096, height_px: 2_304, samples_per_s: 4_096 * 2_304 * 60, bits: 10 };

/// What the parser says of a stream; zero for what it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stream<'a> {
    /// Such as `video/x-h264`.
    pub codec: &'a str,
    /// Of a picture.
    pub width_px: u32,
    /// Of a picture.
    pub height_px: u32,
    /// Rounded up.
    pub frames_per_s: u32,
    /// Of a sample.
    pub bits: u32,
}

impl Board {
    /// From the kernel's `/proc/device-tree/compatible`: names with zeros between them.
    pub fn of(compatible: &str) -> Board {
        let has = |chip: &str| compatible.split('\0').any(|name| name == chip);
        match () {
            () if has("brcm,bcm2711") => Board::Pi4,
            () if has("brcm,bcm2712") => Board::Pi5,
            () => Board::Other,
        }
    }

    /// The board that this process runs on.
    pub fn here() -> Board {
        Board::of(&std::fs::read_to_string("/proc/device-tree/compatible").unwrap_or_default())
    }

    /// Whether its hardware is the right decoder for `stream`.
    fn decodes(self, stream: &Stream) -> bool {
        let most = match (self, stream.codec) {
            (Board::Pi4, "video/x-h264") => FULL_HD_60,
            (Board::Pi4 | Board::Pi5, "video/x-h265") => UHD_60,
            (Board::Pi4 | Board::Pi5, _) => return false,
            (Board::Other, _) => return true,
        };
        stream.width_px <= most.width_px
            && stream.height_px <= most.height_px
            && stream.samples() * u64::from(stream.frames_per_s) <= most.samples_per_s
            && stream.bits <= most.bits
    }
}

impl<'a> Stream<'a> {
    /// From the parser's caps.
    pub fn of(told: &'a StructureRef) -> Stream<'a> {
        let positive = |number: i32| u32::try_from(number).unwrap_or(0);
        let side = |name| told.get::<i32>(name).map_or(0, positive);
        let rate = told.get::<gstreamer::Fraction>("framerate").ok();
        let per_s = |rate: gstreamer::Fraction| {
            positive(rate.numer()).div_ceil(positive(rate.denom()).max(1))
        };
        Stream {
            codec: told.name(),
            width_px: side("width"),
            height_px: side("height"),
            frames_per_s: rate.map_or(0, per_s),
            bits: told.get::<u32>("bit-depth-luma").unwrap_or(0),
        }
    }

    /// Luma samples of a picture.
    pub fn samples(&self) -> u64 {
        u64::from(self.width_px) * u64::from(self.height_px)
    }
}

/// Leaves only the right decoders for `stream` to choose from. `software`: hardware is to be left
/// alone, whatever the table says.
pub fn choose(board: Board, stream: &CapsRef, software: bool) {
    let Some(told) = stream.structure(0).map(Stream::of) else { return };
    if !software && board.decodes(&told) {
        return;
    }
    let decoders = ElementFactory::factories_with_type(
        ElementFactoryType::DECODER | ElementFactoryType::MEDIA_VIDEO,
        Rank::NONE,
    );
    let registry = Registry::get();
    for factory in decoders.into_iter().filter(is_hardware) {
        if factory.can_sink_any_caps(stream) {
            registry.remove_feature(factory.upcast_ref::<PluginFeature>());
        }
    }
}

/// What nothing here decodes of what `pipeline` has parsed: GStreamer may only say that its data goes
/// nowhere.
pub fn undecoded(pipeline: &Pipeline) -> Option<Caps> {
    let parses = |element: &Element| {
        element.factory().is_some_and(|one| one.has_type(ElementFactoryType::PARSER))
    };
    let parsers = pipeline.iterate_recurse().into_iter().flatten().filter(parses);
    let mut parsed = parsers.filter_map(|parser| parser.static_pad("src")?.current_caps());
    parsed.find(|caps| !is_decoded(caps))
}

fn is_decoded(stream: &CapsRef) -> bool {
    let is_raw = |told: &StructureRef| told.name().ends_with("/x-raw");
    let any = ElementFactoryType::DECODER | ElementFactoryType::MEDIA_ANY;
    let mut decoders = ElementFactory::factories_with_type(any, Rank::MARGINAL).into_iter();
    stream.structure(0).is_none_or(is_raw) || decoders.any(|one| one.can_sink_any_caps(stream))
}

/// Whether a decoder says that it is one of hardware.
pub fn is_hardware(factory: &ElementFactory) -> bool {
    let class = factory.metadata(gstreamer::ELEMENT_METADATA_KLASS);
    class.is_some_and(|class| class.contains("Decoder") && class.contains("Hardware"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_known_by_their_processor() {
        for (compatible, board) in [
            ("raspberrypi,4-model-b\0brcm,bcm2711\0", Board::Pi4),
            ("raspberrypi,400\0brcm,bcm2711\0", Board::Pi4),
            ("raspberrypi,5-model-b\0brcm,bcm2712\0", Board::Pi5),
            ("raspberrypi,3-model-b\0brcm,bcm2837\0", Board::Other),
            ("", Board::Other),
        ] {
            assert_eq!(Board::of(compatible), board, "{compatible:?}");
        }
    }

    #[test]
    fn each_board_decodes_what_its_hardware_is_good_for() {
        use Board::{Other, Pi4, Pi5};
        let (full_hd, uhd) = ((1_920, 1_080), (3_840, 2_160));
        for (codec, size, rate, bits, in_hardware) in [
            ("video/x-h264", full_hd, 30, 8, &[Pi4, Other][..]),
            ("video/x-h264", full_hd, 60, 0, &[Pi4, Other]),
            ("video/x-h264", (1_280, 720), 120, 8, &[Pi4, Other]),
            ("video/x-h264", full_hd, 120, 8, &[Other]),
            ("video/x-h264", uhd, 30, 8, &[Other]),
            ("video/x-h264", (1_080, 1_920), 30, 8, &[Other]),
            ("video/x-h264", full_hd, 30, 10, &[Other]),
            ("video/x-h265", uhd, 60, 10, &[Pi4, Pi5, Other]),
            ("video/x-h265", full_hd, 50, 8, &[Pi4, Pi5, Other]),
            ("video/x-h265", (7_680, 4_320), 30, 10, &[Other]),
            ("video/x-h265", uhd, 60, 12, &[Other]),
            ("video/x-vp9", full_hd, 30, 8, &[Other]),
            ("video/x-av1", full_hd, 30, 8, &[Other]),
            ("video/mpeg", (720, 576), 25, 8, &[Other]),
        ] {
            let (width_px, height_px) = size;
            let stream = Stream { codec, width_px, height_px, frames_per_s: rate, bits };
            for board in [Pi4, Pi5, Other] {
                let wanted = in_hardware.contains(&board);
                assert_eq!(board.decodes(&stream), wanted, "{board:?} {stream:?}");
            }
        }
    }

    #[test]
    fn a_stream_is_what_its_parser_says() {
        gstreamer::init().expect("gstreamer");
        let told = gstreamer::Structure::builder("video/x-h265")
            .field("width", 3_840)
            .field("height", 2_160)
            .field("framerate", gstreamer::Fraction::new(60_000, 1_001))
            .field("bit-depth-luma", 10u32)
            .build();
        let (width_px, height_px) = (3_840, 2_160);
        let wanted =
            Stream { codec: "video/x-h265", width_px, height_px, frames_per_s: 60, bits: 10 };
        assert_eq!(Stream::of(&told), wanted);
        let silent = gstreamer::Structure::new_empty("video/x-vp9");
        assert_eq!(Stream::of(&silent), Stream { codec: "video/x-vp9", ..Stream::default() });
    }
}
