//! What the stage sees of the GPU: pictures are put under their turn's number, frames are drawn.

use std::collections::BTreeMap;

use wgpu::{TextureFormat, TextureView};

use super::Gpu;
use super::compositor::{Compositor, Draw};
use super::texture::{Kind, Pool, Slot};
use crate::colour;
use crate::scene::{Size, Turn};
use crate::source::Picture;
use crate::stage::{Frame, Painter};

/// Draws on a real device.
pub(crate) struct GpuPainter {
    pub gpu: Gpu,
    pub format: TextureFormat,
    compositor: Compositor,
    pool: Pool,
    pictures: BTreeMap<Turn, Lying>,
}

/// A picture on the GPU and what its numbers mean.
struct Lying {
    slot: Slot,
    rows: [[f32; 4]; 3],
    chroma: [f32; 4],
}

impl GpuPainter {
    /// For targets of `format`.
    pub(crate) fn new(gpu: Gpu, format: TextureFormat) -> GpuPainter {
        let compositor = Compositor::new(&gpu.device, format);
        GpuPainter { gpu, format, compositor, pool: Pool::default(), pictures: BTreeMap::new() }
    }

    /// Draws `frame` onto `view`, which has `size`, and starts the GPU on it.
    pub(crate) fn draw(&self, frame: &Frame, view: &TextureView, size: Size) {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let draws: Vec<_> = frame.layers.iter().filter_map(|layer| self.ready(layer)).collect();
        let onto = (view, size);
        let frame = (frame.background, draws.as_slice());
        self.compositor.draw(&self.gpu.queue, &mut encoder, onto, frame);
        self.gpu.queue.submit([encoder.finish()]);
    }

    fn ready(&self, layer: &crate::stage::Drawn) -> Option<Draw<'_>> {
        let Lying { slot, rows, chroma } = self.pictures.get(&layer.turn)?;
        Some(Draw {
            quad: layer.quad,
            background: layer.background,
            opacity: layer.opacity,
            format: slot.kind.format,
            rows: *rows,
            chroma: *chroma,
            bind: &slot.bind,
        })
    }

    fn slot(&mut self, turn: Turn, kind: Kind) -> Result<Slot, String> {
        match self.pictures.remove(&turn) {
            Some(lying) if lying.slot.kind == kind => return Ok(lying.slot),
            Some(other) => self.pool.give(other.slot),
            None => {}
        }
        self.pool.take(&self.gpu.device, &self.compositor.layout, kind)
    }
}

impl Painter for GpuPainter {
    fn put(&mut self, turn: Turn, picture: &Picture<'_>) -> Result<(), String> {
        let kind = Kind::of(picture);
        self.compositor.prepare(&self.gpu.device, kind.format);
        let slot = self.slot(turn, kind)?;
        slot.upload(&self.gpu.queue, picture)?;
        let (rows, chroma) = match *picture {
            Picture::Rgba { .. } => ([[0.0; 4]; 3], [0.0; 4]),
            Picture::Yuv { size, colour, .. } => {
                (colour::rows(colour), colour::chroma_at(size, colour.chroma_left))
            }
        };
        self.pictures.insert(turn, Lying { slot, rows, chroma });
        Ok(())
    }

    fn remove(&mut self, turn: Turn) {
        if let Some(lying) = self.pictures.remove(&turn) {
            self.pool.give(lying.slot);
        }
    }
}
