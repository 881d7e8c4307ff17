//! Where the samples of a frame lie in its slot.
//!
//! In:  pixel format and size.
//! Out: offset, stride and rows of each plane, and the bytes of the whole.
//!
//! Promise, held by the test of the same name: `planes_follow_each_other_inside_the_frame`. Both
//! processes work the layout out by themselves, so a worker cannot point outside of its memory: it
//! never sends an offset.

/// Longest side of a video frame: 8K, what the biggest decoders put out. A frame is 100 MB there.
const SIDE_PX: u32 = 8_192;
/// Rows begin on a multiple of this: whole cache lines, and what upload paths of GPUs like.
const ROW_ALIGN_BYTES: u32 = 64;

/// How chroma lies behind luma; 8 bit a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Cb and Cr in planes of their own, halved in both directions.
    I420,
    /// Cb and Cr taking turns in one plane, halved in both directions.
    Nv12,
    /// Cb and Cr in planes of their own, as large as luma: stills alone.
    I444,
    /// No chroma: stills alone.
    Grey,
}

/// Format and size of a frame, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    format: Format,
    width_px: u32,
    height_px: u32,
}

/// One plane inside a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaneAt {
    /// First byte.
    pub offset_bytes: usize,
    /// From one row to the next.
    pub stride_bytes: u32,
    /// Used bytes of a row.
    pub row_bytes: u32,
    /// Rows.
    pub rows: u32,
}

impl PlaneAt {
    /// Bytes with the padding of every row.
    pub fn bytes(&self) -> usize {
        self.stride_bytes as usize * self.rows as usize
    }
}

impl Shape {
    /// None for a size that no frame has: a side of zero or beyond 8 192 pixels.
    pub fn new(format: Format, width_px: u32, height_px: u32) -> Option<Self> {
        let sane = |side| (1..=SIDE_PX).contains(&side);
        (sane(width_px) && sane(height_px)).then_some(Shape { format, width_px, height_px })
    }

    /// How chroma lies.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Luma samples in a row.
    pub fn width_px(&self) -> u32 {
        self.width_px
    }

    /// Rows of luma.
    pub fn height_px(&self) -> u32 {
        self.height_px
    }

    /// Luma, then chroma: two planes, one (NV12) or none; the rest is empty.
    pub fn planes(&self) -> [PlaneAt; 3] {
        let (half_width, half_height) = (self.width_px.div_ceil(2), self.height_px.div_ceil(2));
        let (second, third) = match self.format {
            Format::I420 => ((half_width, half_height), (half_width, half_height)),
            Format::Nv12 => ((half_width * 2, half_height), (0, 0)),
            Format::Grey => ((0, 0), (0, 0)),
            Format::I444 => ((self.width_px, self.height_px), (self.width_px, self.height_px)),
        };
        let luma = plane(0, self.width_px, self.height_px);
        let second = plane(luma.bytes(), second.0, second.1);
        let third = plane(second.offset_bytes + second.bytes(), third.0, third.1);
        [luma, second, third]
    }

    /// Bytes of the whole frame.
    pub fn bytes(&self) -> usize {
        let [.., last] = self.planes();
        last.offset_bytes + last.bytes()
    }
}

fn plane(offset_bytes: usize, row_bytes: u32, rows: u32) -> PlaneAt {
    let stride_bytes = row_bytes.next_multiple_of(ROW_ALIGN_BYTES);
    PlaneAt { offset_bytes, stride_bytes, row_bytes, rows }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_checked_and_odd_ones_are_rounded_up() {
        for (case, width, height, bytes) in [
            ("1080p", 1920, 1080, Some(1920 * 1080 + 2 * 960 * 540)),
            ("odd", 33, 17, Some(64 * 17 + 2 * 64 * 9)),
            ("one pixel", 1, 1, Some(64 * 3)),
            ("empty", 0, 17, None),
            ("too tall", 64, SIDE_PX + 1, None),
        ] {
            let shape = Shape::new(Format::I420, width, height);
            assert_eq!(shape.map(|shape| shape.bytes()), bytes, "case {case:?}");
        }
    }

    proptest! {
        #[test]
        fn planes_follow_each_other_inside_the_frame(
            width in 1..=SIDE_PX, height in 1..=SIDE_PX, format in 0..4usize
        ) {
            let format = [Format::I420, Format::Nv12, Format::I444, Format::Grey][format];
            let shape = Shape::new(format, width, height).expect("a sane size");
            let mut end = 0;
            for plane in shape.planes() {
                prop_assert_eq!(plane.offset_bytes, end);
                prop_assert!(plane.row_bytes <= plane.stride_bytes);
                end += plane.bytes();
            }
            prop_assert_eq!(shape.bytes(), end);
        }
    }
}
