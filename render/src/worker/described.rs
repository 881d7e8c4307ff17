//! What the caps say of frames.
//!
//! In:  caps, of a decoder or of what stands behind it.
//! Out: format, size, colour, and in which order samples lie where a decoder has its own.
//!
//! Sources: GStreamer, `DMA_DRM` (a format of `drm_fourcc.h` and its modifier in one text); the
//! column formats of Raspberry Pi's GStreamer.

use gstreamer::{Caps, CapsRef, ClockTime};
use gstreamer_video::prelude::*;
use gstreamer_video::{
    VideoBufferFlags, VideoFieldOrder, VideoFormat, VideoInfo, VideoInterlaceMode,
};

use super::colour;
use super::fields::Field;
use super::layout::{Format, Shape};
use super::lent::Order;
use super::outlet::OutletError;
use crate::source::Colour;

/// How long a frame lasts if neither it nor its stream says: 25 a second.
const USUAL_FRAME_NS: u64 = 40_000_000;
/// In GStreamer's words: memory of a device, described as the kernel does it.
const DMA_DRM: &str = "DMA_DRM";
/// The maker of the column formats in a modifier's highest byte, and columns of 128 bytes.
const BROADCOM: u64 = 0x07;
const SAND_128: u64 = 4;
/// The modifier of plain rows.
const LINEAR: u64 = 0;

/// Frames with the same caps.
#[derive(Debug, Clone)]
pub struct Described {
    /// As GStreamer has it; of frames in another order: as if they were copied.
    pub info: VideoInfo,
    /// Format and size of a copy.
    pub shape: Shape,
    /// What the numbers mean.
    pub colour: Colour,
    /// Width of one pixel in heights of one pixel.
    pub pixel_aspect: f32,
    /// How samples lie.
    pub woven: Woven,
}

/// How samples of a decoder lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Woven {
    /// None: in no order that can be lent.
    pub order: Option<Order>,
    /// Rows of a column, where caps say it.
    pub column_rows: Option<u32>,
    /// GStreamer itself knows how to read them.
    pub is_plain: bool,
}

impl Described {
    /// # Errors
    /// Caps of no frames, or of frames that a stage does not take.
    pub fn new(caps: &CapsRef) -> Result<Self, OutletError> {
        let (caps, woven) = unweave(caps).ok_or(OutletError::Buffer)?;
        let info = VideoInfo::from_caps(&caps).map_err(|_| OutletError::Buffer)?;
        let format = match info.format() {
            VideoFormat::I420 => Some(Format::I420),
            VideoFormat::Nv12 => Some(Format::Nv12),
            VideoFormat::Y444 => Some(Format::I444),
            VideoFormat::Gray8 => Some(Format::Grey),
            _ => None,
        };
        let (width_px, height_px) = (info.width(), info.height());
        let shape = format.and_then(|format| Shape::new(format, width_px, height_px));
        let shape = shape.ok_or_else(|| OutletError::Shape {
            width_px,
            height_px,
            format: info.format().to_string(),
        })?;
        let tagged = caps.structure(0).is_some_and(|caps| caps.has_field("colorimetry"));
        let colour = colour::of(&info, tagged);
        Ok(Described { pixel_aspect: pixel_aspect(&info), info, shape, colour, woven })
    }

    /// The fields that a frame consists of, as they follow each other, where nothing before here has
    /// made whole pictures of them. None: it is one picture.
    pub fn fields(&self, buffer: &gstreamer::BufferRef) -> Option<[Field; 2]> {
        let flags = buffer.video_flags();
        let parted = match self.info.interlace_mode() {
            VideoInterlaceMode::Interleaved => true,
            VideoInterlaceMode::Mixed => flags.contains(VideoBufferFlags::INTERLACED),
            _ => false,
        };
        let top_first = match self.info.field_order() {
            VideoFieldOrder::TopFieldFirst => true,
            VideoFieldOrder::BottomFieldFirst => false,
            _ => flags.contains(VideoBufferFlags::TFF),
        };
        (parted && !self.woven.is_plain).then(|| Field::both(top_first))
    }

    /// How long a frame lasts, in nanoseconds.
    pub fn lasts_ns(&self, buffer: &gstreamer::BufferRef) -> u64 {
        let told = buffer.duration().map(ClockTime::nseconds).filter(|ns| *ns > 0);
        let rate = self.info.fps();
        let by_rate = || match (u64::try_from(rate.numer()), u64::try_from(rate.denom())) {
            (Ok(frames), Ok(seconds)) if frames > 0 => Some(seconds * 1_000_000_000 / frames),
            _ => None,
        };
        told.or_else(by_rate).unwrap_or(USUAL_FRAME_NS)
    }
}

/// The caps that a copy of such frames has, and how they lie. None: no frames at all, or in an order
/// that nobody here knows.
fn unweave(caps: &CapsRef) -> Option<(Caps, Woven)> {
    let told = caps.structure(0)?;
    let format = told.get::<&str>("format").ok()?;
    let (order, column_rows) = match format {
        DMA_DRM => of_drm(told.get::<&str>("drm-format").ok()?)?,
        "NV12_128C8" => (Order::Columns, None),
        "NV12_10LE32_128C8" => (Order::Columns10, None),
        _ => {
            let order = match format {
                "NV12" => Some(Order::Pairs),
                "I420" => Some(Order::Planes),
                _ => None,
            };
            let woven = Woven { order, column_rows: None, is_plain: true };
            return Some((caps.to_owned(), woven));
        }
    };
    let mut plain = told.to_owned();
    plain.remove_field("drm-format");
    plain.set("format", if order == Order::Planes { "I420" } else { "NV12" });
    let woven = Woven { order: Some(order), column_rows, is_plain: false };
    Some((Caps::builder_full().structure(plain).build(), woven))
}

/// The order that a `drm-format` stands for, and the rows of its columns if it says them.
fn of_drm(text: &str) -> Option<(Order, Option<u32>)> {
    let (fourcc, modifier) = match text.split_once(':') {
        Some((fourcc, modifier)) => {
            let digits = modifier.strip_prefix("0x")?;
            (fourcc, u64::from_str_radix(digits, 16).ok()?)
        }
        None => (text, LINEAR),
    };
    let is_columns = modifier >> 56 == BROADCOM && modifier & 0xff == SAND_128;
    let order = match fourcc {
        "NV12" if modifier == LINEAR => Order::Pairs,
        "YU12" if modifier == LINEAR => Order::Planes,
        "NV12" if is_columns => Order::Columns,
        "P030" if is_columns => Order::Columns10,
        _ => return None,
    };
    let rows = u32::try_from((modifier >> 8) & 0xffff_ffff_ffff).ok()?;
    Some((order, Some(rows).filter(|rows| is_columns && *rows > 0)))
}

fn pixel_aspect(info: &VideoInfo) -> f32 {
    let par = info.par();
    let aspect = par.numer() as f32 / par.denom() as f32;
    if (1.0 / 16.0..=16.0).contains(&aspect) { aspect } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drm_format_is_an_order_or_nothing_that_is_known() {
        for (text, wanted) in [
            ("NV12", Some((Order::Pairs, None))),
            ("NV12:0x0000000000000000", Some((Order::Pairs, None))),
            ("YU12", Some((Order::Planes, None))),
            ("NV12:0x0700000000000004", Some((Order::Columns, None))),
            ("NV12:0x0700000000066004", Some((Order::Columns, Some(0x660)))),
            ("P030:0x0700000000043804", Some((Order::Columns10, Some(0x438)))),
            // Tiles of other makers, columns of another width, bits that nobody reads here.
            ("NV12:0x0100000000000002", None),
            ("NV12:0x0700000000000003", None),
            ("P010", None),
            ("NV12:4", None),
            ("", None),
        ] {
            assert_eq!(of_drm(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn what_is_in_fields_says_so_where_nobody_has_parted_them() {
        gstreamer::init().expect("gstreamer");
        let woven = "video/x-raw(memory:DMABuf),format=DMA_DRM,drm-format=NV12:0x0700000000000004";
        let size = "width=64,height=36,framerate=25/1";
        let mut flagged = gstreamer::Buffer::new();
        let flags = VideoBufferFlags::INTERLACED | VideoBufferFlags::TFF;
        flagged.get_mut().expect("the only one").set_video_flags(flags);
        let plain = gstreamer::Buffer::new();
        for (format, more, buffer, wanted) in [
            (woven, "", &flagged, None),
            (woven, ",interlace-mode=interleaved", &flagged, Some(Field::both(true))),
            (woven, ",interlace-mode=interleaved", &plain, Some(Field::both(false))),
            (
                woven,
                ",interlace-mode=interleaved,field-order=top-field-first",
                &plain,
                Some(Field::both(true)),
            ),
            (woven, ",interlace-mode=mixed", &flagged, Some(Field::both(true))),
            (woven, ",interlace-mode=mixed", &plain, None),
            // What GStreamer can work on has been worked on.
            ("video/x-raw,format=NV12", ",interlace-mode=interleaved", &flagged, None),
        ] {
            let caps: Caps = format!("{format},{size}{more}").parse().expect("caps");
            let described = Described::new(&caps).expect("known");
            assert_eq!(described.fields(buffer), wanted, "{format}{more}");
        }
    }

    #[test]
    fn frames_of_a_device_are_described_like_their_copies() {
        gstreamer::init().expect("gstreamer");
        let told = |text: &str| Described::new(&text.parse::<Caps>().expect("caps"));
        let rest = "width=1920,height=1080,framerate=50/1,pixel-aspect-ratio=4/3,colorimetry=bt601";
        let copy = told(&format!("video/x-raw,format=NV12,{rest}")).expect("known");
        assert!(copy.woven.is_plain);
        for (format, order, rows) in [
            ("video/x-raw(memory:DMABuf),format=DMA_DRM,drm-format=NV12", Order::Pairs, None),
            (
                "video/x-raw(memory:DMABuf),format=DMA_DRM,drm-format=NV12:0x0700000000066004",
                Order::Columns,
                Some(1_632),
            ),
            ("video/x-raw,format=NV12_128C8", Order::Columns, None),
            ("video/x-raw,format=NV12_10LE32_128C8", Order::Columns10, None),
        ] {
            let found = told(&format!("{format},{rest}")).expect(format);
            let woven = Woven { order: Some(order), column_rows: rows, is_plain: false };
            assert_eq!((found.woven, found.shape), (woven, copy.shape), "{format}");
            assert_eq!((found.colour, found.pixel_aspect), (copy.colour, 4.0 / 3.0), "{format}");
            assert_eq!(found.lasts_ns(&gstreamer::Buffer::new()), 20_000_000, "{format}");
        }
        assert!(told(&format!("video/x-raw,format=RGB,{rest}")).is_err());
        let tiled = "video/x-raw(memory:DMABuf),format=DMA_DRM,drm-format=NV12:0x0100000000000002";
        assert!(told(&format!("{tiled},{rest}")).is_err());
    }
}
