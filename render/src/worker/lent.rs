//! Where the samples of a frame lie that stays in its decoder's memory.
//!
//! In:  how the decoder orders samples, where each plane begins, the memory's real size.
//! Out: whether all of it lies inside; the samples, copied out row by row.
//!
//! A worker names these numbers and is not to be trusted: the stage [checks](Lent::check) them
//! against the descriptors themselves. `unweave.wgsl` reads the same samples on the GPU.
//!
//! Promises, each held by a test of the same name:
//! - `every_sample_is_read_where_it_was_put`;
//! - `what_is_found_inside_can_be_read_and_the_rest_is_refused`.
//!
//! Source: Linux, `pixfmt-nv12-col128.rst` (columns of NC12 and NC30); `drm_fourcc.h`, the
//! modifier SAND128.

use super::layout::{Format, Shape};

/// Width of a column in bytes, whatever lies in it.
const COLUMN_BYTES: u32 = 128;
/// Samples of 10 bits in a column: three in four bytes.
const COLUMN_SAMPLES_10: u32 = 96;
/// A buffer is read as words of this.
pub const WORD_BYTES: u32 = 4;

/// How samples follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// NV12: rows, Cb and Cr taking turns.
    Pairs,
    /// I420: rows, Cb and Cr in planes of their own.
    Planes,
    /// NC12: columns of 128 bytes, each with its rows one below the other; Cb and Cr taking turns.
    Columns,
    /// NC30: the same with 10 bits a sample.
    Columns10,
}

/// Where one plane lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Piece {
    /// In which of the worker's buffers.
    pub buffer: u32,
    /// First byte.
    pub offset_bytes: u32,
    /// Bytes from row to row; rows in a column where there are columns.
    pub pitch: u32,
}

/// A frame in lent memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lent {
    /// How its samples follow each other.
    pub order: Order,
    /// Luma, then chroma: one piece, or one each for Cb and Cr. What is not used is like luma.
    pub pieces: [Piece; 3],
}

/// Why a frame cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A buffer that is not known.
    #[error("a frame in buffer {0}, which was never lent")]
    Unknown(u32),
    /// Planes of another kind than the frame's format.
    #[error("a frame of {shape:?} ordered as {order:?}")]
    Order {
        /// As announced.
        shape: Format,
        /// As announced.
        order: Order,
    },
    /// Rows that run into each other, or a plane that ends outside.
    #[error("a plane of {row} samples and {rows} rows at {piece:?}: {bytes} bytes are lent")]
    Outside {
        /// Samples of a row.
        row: u32,
        /// Rows.
        rows: u32,
        /// As announced.
        piece: Piece,
        /// What is there.
        bytes: u32,
    },
    /// Chroma where luma lies.
    #[error("planes that lie over each other: {0:?} and {1:?}")]
    Overlap(Piece, Piece),
}

impl Order {
    /// The format that copies of such frames have.
    pub fn format(self) -> Format {
        match self {
            Order::Planes => Format::I420,
            Order::Pairs | Order::Columns | Order::Columns10 => Format::Nv12,
        }
    }

    /// Columns that `row` samples are spread over, and samples in each.
    fn columns(self, row: u32) -> Option<(u32, u32)> {
        let samples = match self {
            Order::Pairs | Order::Planes => return None,
            Order::Columns => COLUMN_BYTES,
            Order::Columns10 => COLUMN_SAMPLES_10,
        };
        Some((row.div_ceil(samples), samples))
    }

    /// Bytes from a plane's first one to behind its last one; None if rows run into each other.
    fn span(self, piece: Piece, row: u32, rows: u32) -> Option<u64> {
        let pitch = u64::from(piece.pitch);
        let before = u64::from(rows.checked_sub(1)?);
        match self.columns(row) {
            None => (piece.pitch >= row).then_some(before * pitch + u64::from(row)),
            Some((columns, _)) => {
                let last = u64::from(columns.checked_sub(1)?) * pitch;
                (piece.pitch >= rows).then_some((last + u64::from(rows)) * u64::from(COLUMN_BYTES))
            }
        }
    }

    /// Copies row `y` of a plane, as 8 bits a sample. None: it is not there.
    fn row(self, piece: Piece, data: &[u8], y: usize, into: &mut [u8]) -> Option<()> {
        let (first, pitch) = (piece.offset_bytes as usize, piece.pitch as usize);
        let Some((_, samples)) = self.columns(0) else {
            let at = first + y * pitch;
            into.copy_from_slice(data.get(at..at + into.len())?);
            return Some(());
        };
        for (column, into) in into.chunks_mut(samples as usize).enumerate() {
            let at = first + (column * pitch + y) * COLUMN_BYTES as usize;
            let from = data.get(at..at + COLUMN_BYTES as usize)?;
            match self {
                Order::Columns10 => unpack_10(from, into),
                _ => into.copy_from_slice(&from[..into.len()]),
            }
        }
        Some(())
    }
}

/// Three samples of 10 bits in each four bytes, the first one lowest, rounded to 8 bits.
fn unpack_10(from: &[u8], into: &mut [u8]) {
    let words =
        from.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    for (word, into) in words.zip(into.chunks_mut(3)) {
        for (place, into) in into.iter_mut().enumerate() {
            let code = (word >> (10 * place)) & 1_023;
            *into = ((code * 255 + 511) / 1_023) as u8;
        }
    }
}

impl Lent {
    /// The pieces that are read, with samples of a row and rows.
    fn planes(&self, shape: Shape) -> impl Iterator<Item = (Piece, u32, u32)> {
        let planes = shape.planes().into_iter().zip(self.pieces);
        planes.filter(|(plane, _)| plane.rows > 0).map(|(at, piece)| (piece, at.row_bytes, at.rows))
    }

    /// That a frame of `shape` lies inside of buffers of these sizes, plane beside plane.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, shape: Shape, bytes: impl Fn(u32) -> Option<u32>) -> Result<(), Misfit> {
        let order = self.order;
        if order.format() != shape.format() {
            return Err(Misfit::Order { shape: shape.format(), order });
        }
        for (piece, row, rows) in self.planes(shape) {
            let bytes = bytes(piece.buffer).ok_or(Misfit::Unknown(piece.buffer))?;
            let outside = Misfit::Outside { row, rows, piece, bytes };
            let span = order.span(piece, row, rows).ok_or(outside)?;
            let whole_words = u64::from(bytes / WORD_BYTES * WORD_BYTES);
            let in_words = order != Order::Columns10 || piece.offset_bytes % WORD_BYTES == 0;
            if !in_words || u64::from(piece.offset_bytes) + span > whole_words {
                return Err(outside);
            }
        }
        self.check_apart(shape)
    }

    /// Not for safety: drivers are known that say where columns lie in more than one way.
    fn check_apart(&self, shape: Shape) -> Result<(), Misfit> {
        let planes: Vec<_> = self.planes(shape).collect();
        for (place, &(first, row, rows)) in planes.iter().enumerate() {
            for &(second, _, second_rows) in &planes[place + 1..] {
                let (a, b) = (u64::from(first.offset_bytes), u64::from(second.offset_bytes));
                let behind = |bytes: u64| b >= a + bytes;
                let whole = self.order.span(first, row, rows).is_some_and(behind);
                let below = |rows: u32| u64::from(rows) * u64::from(COLUMN_BYTES);
                // Below luma in each column.
                let shares = self.order.columns(row).is_some()
                    && first.pitch == second.pitch
                    && behind(below(rows))
                    && b + below(second_rows) <= a + below(first.pitch);
                if first.buffer == second.buffer && !whole && !shares {
                    return Err(Misfit::Overlap(first, second));
                }
            }
        }
        Ok(())
    }

    /// Copies the frame's samples to where `shape` has them. `data`: of each piece's buffer. None:
    /// something lies outside.
    pub fn copy(&self, shape: Shape, data: [&[u8]; 3], into: &mut [u8]) -> Option<()> {
        for ((at, piece), data) in shape.planes().into_iter().zip(self.pieces).zip(data) {
            if at.rows == 0 {
                continue;
            }
            let plane = into.get_mut(at.offset_bytes..at.offset_bytes + at.bytes())?;
            for (y, row) in plane.chunks_exact_mut(at.stride_bytes as usize).enumerate() {
                self.order.row(piece, data, y, &mut row[..at.row_bytes as usize])?;
            }
        }
        Some(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORDERS: [Order; 4] = [Order::Pairs, Order::Planes, Order::Columns, Order::Columns10];

    /// Byte and shift of one sample, straight from the descriptions of these formats.
    fn place(order: Order, piece: Piece, x: u32, y: u32) -> (usize, u32) {
        let (first, pitch) = (piece.offset_bytes as usize, piece.pitch as usize);
        let (x, y) = (x as usize, y as usize);
        match order {
            Order::Pairs | Order::Planes => (first + y * pitch + x, 0),
            Order::Columns => (first + (x / 128) * 128 * pitch + y * 128 + x % 128, 0),
            Order::Columns10 => {
                let word = first + (x / 96) * 128 * pitch + y * 128 + (x % 96) / 3 * 4;
                (word, (x % 3 * 10) as u32)
            }
        }
    }

    /// A frame with pitches a little larger than need be, all of it in buffer 7.
    pub(crate) fn frame(
        order: Order,
        (width, height): (u32, u32),
        more: u32,
    ) -> (Shape, Lent, u32) {
        let shape = Shape::new(order.format(), width, height).expect("a sane size");
        let mut end = 4 * more;
        let pieces = shape.planes().map(|plane| {
            let pitch = match order {
                Order::Pairs | Order::Planes => plane.row_bytes + more,
                Order::Columns | Order::Columns10 => plane.rows + more,
            };
            let piece = Piece { buffer: 7, offset_bytes: end, pitch };
            if plane.rows > 0 {
                let span = order.span(piece, plane.row_bytes, plane.rows).expect("rows apart");
                end = (end + span as u32).next_multiple_of(WORD_BYTES);
            }
            piece
        });
        (shape, Lent { order, pieces }, end)
    }

    /// A buffer with `code` of each plane, x and y put where the format has them; and the frame that
    /// a copy of it is.
    pub(crate) fn filled(
        (shape, lent, bytes): (Shape, Lent, u32),
        code: impl Fn(usize, u32, u32) -> u8,
    ) -> (Vec<u8>, Vec<u8>) {
        let (mut data, mut copy) = (vec![0xa5; bytes as usize], vec![0; shape.bytes()]);
        let planes = shape.planes().into_iter().zip(lent.pieces).enumerate();
        for (plane, (at, piece)) in planes {
            for (y, x) in (0..at.rows).flat_map(|y| (0..at.row_bytes).map(move |x| (y, x))) {
                let (byte, shift) = place(lent.order, piece, x, y);
                let code = code(plane, x, y);
                copy[at.offset_bytes + (y * at.stride_bytes + x) as usize] = code;
                if lent.order == Order::Columns10 {
                    let word = &mut data[byte..byte + 4];
                    let ten = u32::from(code) * 1_023 / 255;
                    let old = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
                    let new = old & !(1_023 << shift) | (ten << shift);
                    word.copy_from_slice(&new.to_le_bytes());
                } else {
                    data[byte] = code;
                }
            }
        }
        (data, copy)
    }

    /// Differs from its neighbours in every direction.
    pub(crate) fn code(plane: usize, x: u32, y: u32) -> u8 {
        (x.wrapping_mul(31) ^ y.wrapping_mul(57)).wrapping_add(plane as u32 * 91) as u8
    }

    #[test]
    fn every_sample_is_read_where_it_was_put() {
        for order in ORDERS {
            for size in [(1, 1), (5, 3), (96, 4), (97, 5), (128, 16), (130, 17), (333, 41)] {
                for more in [0, 1, 7] {
                    let (shape, lent, bytes) = frame(order, size, more);
                    let case = format!("{order:?} {size:?} {more}");
                    lent.check(shape, |_| Some(bytes)).expect(&case);
                    let (data, wanted) = filled((shape, lent, bytes), code);
                    let mut copy = vec![0; shape.bytes()];
                    lent.copy(shape, [&data; 3], &mut copy).expect(&case);
                    assert_eq!(copy, wanted, "{case}");
                }
            }
        }
    }

    #[test]
    fn columns_hold_luma_and_chroma_or_one_of_them() {
        let shape = Shape::new(Format::Nv12, 1_920, 1_080).expect("a sane size");
        let piece = |buffer, offset_bytes, pitch| Piece { buffer, offset_bytes, pitch };
        let fits = |luma, chroma, bytes: u32| {
            let lent = Lent { order: Order::Columns, pieces: [luma, chroma, luma] };
            lent.check(shape, |_| Some(bytes)).is_ok()
        };
        // As Raspberry Pi's drivers have it: 15 columns of 1 088 and 544 rows.
        let whole = 15 * 128 * 1_632;
        let (luma, chroma) = (piece(0, 0, 1_632), piece(0, 1_088 * 128, 1_632));
        assert!(fits(luma, chroma, whole));
        // Two buffers, one each.
        assert!(fits(piece(0, 0, 1_080), piece(1, 0, 540), 2_073_600));
        // Seen with one buffer as well, where it cannot be true.
        assert!(!fits(piece(0, 0, 1_080), piece(0, 0, 540), whole));
        assert!(!fits(luma, piece(0, 1_000 * 128, 1_632), whole), "over the last rows of luma");
        assert!(!fits(luma, chroma, whole - 15 * 128 * 16), "ends outside");
    }

    fn lent() -> impl Strategy<Value = Lent> {
        let offset = prop_oneof![0u32..10_000, any::<u32>()];
        let pitch = prop_oneof![0u32..600, any::<u32>()];
        let piece = (0u32..3, offset, pitch).prop_map(|(buffer, offset_bytes, pitch)| Piece {
            buffer,
            offset_bytes,
            pitch,
        });
        (0..4usize, prop::array::uniform3(piece))
            .prop_map(|(order, pieces)| Lent { order: ORDERS[order], pieces })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn what_is_found_inside_can_be_read_and_the_rest_is_refused(
            lent in lent(), width in 1u32..300, height in 1u32..40, bytes in 0u32..60_000
        ) {
            let shape = Shape::new(lent.order.format(), width, height).expect("a sane size");
            let checked = lent.check(shape, |buffer| (buffer < 2).then_some(bytes));
            let data = vec![0; (bytes / WORD_BYTES * WORD_BYTES) as usize];
            let last = |plane: usize| {
                let at = shape.planes()[plane];
                let (x, y) = (at.row_bytes.checked_sub(1)?, at.rows.checked_sub(1)?);
                Some(place(lent.order, lent.pieces[plane], x, y).0 >= data.len())
            };
            let outside = (0..3).filter_map(last).any(|outside| outside);
            let unknown = (0..3).any(|p| shape.planes()[p].rows > 0 && lent.pieces[p].buffer > 1);
            match checked {
                Ok(()) => {
                    prop_assert!(!outside && !unknown);
                    let mut copy = vec![0; shape.bytes()];
                    prop_assert!(lent.copy(shape, [&data; 3], &mut copy).is_some());
                }
                Err(Misfit::Unknown(_)) => prop_assert!(unknown),
                Err(Misfit::Outside { row, piece, .. }) => {
                    let by_rows = matches!(lent.order, Order::Pairs | Order::Planes);
                    // A column is read whole, to its last byte.
                    prop_assert!(!by_rows || outside || piece.pitch < row);
                }
                Err(Misfit::Overlap(first, second)) => {
                    prop_assert_eq!(first.buffer, second.buffer);
                }
                Err(error @ Misfit::Order { .. }) => prop_assert!(false, "{error}"),
            }
        }
    }
}
