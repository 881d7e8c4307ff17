//! Pictures of which every second row is of another moment, made into one for each of the two: where a
//! decoder puts them into an order of its own, nothing of GStreamer can do it.
//!
//! In:  a copied frame, which of its two fields is wanted. Out: that field, with the rows between its
//! own made of those above and below.

use super::layout::Shape;

/// Every second row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The first row and every second one behind it.
    Top,
    /// The second row and every second one behind it.
    Bottom,
}

impl Field {
    /// Both, as they follow each other.
    pub fn both(top_first: bool) -> [Field; 2] {
        if top_first { [Field::Top, Field::Bottom] } else { [Field::Bottom, Field::Top] }
    }

    /// Leaves nothing of the other field in a frame of `shape`.
    pub fn part(self, shape: Shape, frame: &mut [u8]) -> Option<()> {
        for at in shape.planes().into_iter().filter(|at| at.rows > 1) {
            let plane = frame.get_mut(at.offset_bytes..at.offset_bytes + at.bytes())?;
            let (stride, rows) = (at.stride_bytes as usize, at.rows as usize);
            let others = match self {
                Field::Top => 1,
                Field::Bottom => 0,
            };
            for row in (others..rows).step_by(2) {
                // At the edges there is one neighbour.
                let above = row.checked_sub(1).unwrap_or(row + 1);
                let below = if row + 1 < rows { row + 1 } else { row - 1 };
                for x in 0..at.row_bytes as usize {
                    let both = [above, below].map(|y| u16::from(plane[y * stride + x]));
                    plane[row * stride + x] = (both[0] + both[1]).div_ceil(2) as u8;
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::Format;
    use super::*;

    #[test]
    fn one_field_is_left_and_fills_the_rows_of_the_other() {
        for format in [Format::Nv12, Format::I420] {
            let shape = Shape::new(format, 6, 6).expect("a sane size");
            for (field, wanted) in
                [(Field::Top, [10, 20, 30, 40, 50, 50]), (Field::Bottom, [110; 6])]
            {
                let mut frame = vec![7; shape.bytes()];
                let luma = shape.planes()[0];
                for (row, code) in [10, 110, 30, 110, 50, 110].into_iter().enumerate() {
                    frame[row * luma.stride_bytes as usize..][..6].fill(code);
                }
                for chroma in shape.planes()[1..].iter().filter(|at| at.rows > 0) {
                    for row in 0..chroma.rows as usize {
                        let first = chroma.offset_bytes + row * chroma.stride_bytes as usize;
                        let code = if row % 2 == 0 { 60 } else { 160 };
                        frame[first..][..chroma.row_bytes as usize].fill(code);
                    }
                }
                field.part(shape, &mut frame).expect("inside");
                let rows = wanted.iter().enumerate();
                for (row, code) in rows {
                    let found = &frame[row * luma.stride_bytes as usize..][..7];
                    assert_eq!(found, [*code, *code, *code, *code, *code, *code, 7], "{field:?}");
                }
                let chroma = shape.planes()[1];
                for row in 0..3 {
                    let first = chroma.offset_bytes + row * chroma.stride_bytes as usize;
                    let code = if field == Field::Top { 60 } else { 160 };
                    assert_eq!(frame[first], code, "{format:?} {field:?} {row}");
                }
            }
        }
        let shape = Shape::new(Format::Nv12, 6, 1).expect("a sane size");
        let mut frame = vec![7; shape.bytes()];
        assert_eq!(Field::Bottom.part(shape, &mut frame), Some(()), "a single row");
        let shape = Shape::new(Format::Nv12, 6, 6).expect("a sane size");
        assert_eq!(Field::Top.part(shape, &mut [0; 8]), None, "too small");
    }
}
