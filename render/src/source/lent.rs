//! Pictures that stay in their decoder's memory, and who has them.

use std::sync::Arc;

use super::{Chroma, Colour, Plane};
use crate::scene::Size;
use crate::worker::layout::{Format, PlaneAt, Shape};
use crate::worker::lent::{Lent, Order, Piece};
use crate::worker::link::Link;
use crate::worker::loan::{Borrowed, Loan};
use crate::worker::protocol::{Command, Frame};

/// A picture in memory that its decoder lends.
#[derive(Debug, Clone, Copy)]
pub struct LentPicture<'a> {
    /// What the numbers mean.
    pub colour: Colour,
    /// Width of one pixel in heights of one pixel.
    pub pixel_aspect: f32,
    pub(crate) shape: Shape,
    pub(crate) lent: Lent,
    /// Whoever reads the memory later holds this until then.
    pub(crate) loan: &'a Arc<Loan>,
}

impl LentPicture<'_> {
    /// Luma pixels.
    pub fn size(&self) -> Size {
        Size { width_px: self.shape.width_px(), height_px: self.shape.height_px() }
    }

    /// Its samples, copied by the processor, for [`LentPicture::planes`].
    ///
    /// # Errors
    /// The memory cannot be read.
    pub fn read(&self) -> Result<Vec<u8>, String> {
        let [first, second, third] = &self.loan.buffers;
        let mut copy = vec![0; self.shape.bytes()];
        let copied = first.read(|first| {
            second.read(|second| {
                third.read(|third| self.lent.copy(self.shape, [first, second, third], &mut copy))
            })
        });
        match copied.and_then(|copied| copied).and_then(|copied| copied) {
            Ok(Some(())) => Ok(copy),
            Ok(None) => Err("a lent frame outside of its memory".to_owned()),
            Err(error) => Err(format!("a lent frame cannot be read: {error}")),
        }
    }

    /// Luma and chroma of what [`LentPicture::read`] gave.
    pub fn planes<'b>(&self, read: &'b [u8]) -> Option<(Plane<'b>, Chroma<'b>)> {
        planes(self.shape, read)
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        let order = match self.lent.order {
            Order::Pairs => "NV12",
            Order::Planes => "I420",
            Order::Columns => "NC12",
            Order::Columns10 => "NC30",
        };
        let Size { width_px, height_px } = self.size();
        format!("{order} of {width_px}x{height_px}")
    }
}

/// Luma and chroma of a frame that lies in ordinary memory, where they are. None: it does not, or in
/// an order that is no planes.
pub(super) fn planes_in_memory<'a>(lent: &Lent, loan: &'a Loan) -> Option<(Plane<'a>, Chroma<'a>)> {
    let plane = |index: usize| {
        let Piece { offset_bytes, pitch, .. } = lent.pieces[index];
        let data = loan.buffers[index].in_memory()?.get(offset_bytes as usize..)?;
        Some(Plane { data, stride_bytes: pitch })
    };
    let chroma = match lent.order {
        Order::Planes => Chroma::Planar { cb: plane(1)?, cr: plane(2)? },
        Order::Pairs => Chroma::Interleaved(plane(1)?),
        Order::Columns | Order::Columns10 => return None,
    };
    Some((plane(0)?, chroma))
}

/// The planes of a frame as `shape` has them; None if one lies outside, and for a still.
pub(super) fn planes(shape: Shape, data: &[u8]) -> Option<(Plane<'_>, Chroma<'_>)> {
    let plane = |at: PlaneAt| {
        let data = data.get(at.offset_bytes..at.offset_bytes + at.bytes())?;
        Some(Plane { data, stride_bytes: at.stride_bytes })
    };
    let [luma, second, third] = shape.planes();
    let chroma = match shape.format() {
        Format::I420 => Chroma::Planar { cb: plane(second)?, cr: plane(third)? },
        Format::Nv12 => Chroma::Interleaved(plane(second)?),
        Format::I444 | Format::Grey => return None,
    };
    Some((plane(luma)?, chroma))
}

/// Frames that a worker has lent and that have not been shown for their time.
#[derive(Debug, Default)]
pub(super) struct Loans(Vec<(u32, u32, Arc<Loan>)>);

impl Loans {
    /// Goes back over `link`, where the frame's generation is called `own`, when it was let go of,
    /// here and wherever else it is held.
    pub(super) fn add(
        &mut self,
        frame: &Frame,
        own: u32,
        buffers: [Arc<Borrowed>; 3],
        link: &Link,
    ) {
        let (generation, slot, link) = (frame.generation, frame.slot, link.clone());
        let back = move || {
            // A worker that does not listen sends no further frame, which is noticed.
            link.send(&Command::Release { generation: own, slot }).ok();
        };
        self.0.push((generation, slot, Arc::new(Loan::new(buffers, back))));
    }

    /// The frame has had its time. False: it was none of these.
    pub(super) fn let_go(&mut self, frame: &Frame) -> bool {
        let before = self.0.len();
        self.0.retain(|(g, s, _)| (*g, *s) != (frame.generation, frame.slot));
        self.0.len() < before
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As its worker is gone.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn find(&self, frame: &Frame) -> Option<&Arc<Loan>> {
        let same = |(g, s, _): &&(u32, u32, _)| (*g, *s) == (frame.generation, frame.slot);
        self.0.iter().find(same).map(|(.., loan)| loan)
    }
}
