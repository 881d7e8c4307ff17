//! What the stage sees of the GPU: pictures are put under their turn's number, frames are drawn.

use std::collections::BTreeMap;

use wgpu::{TextureFormat, TextureView};

use super::Gpu;
use super::compositor::{Compositor, Draw};
use super::texture::{Format, Kind, Pool, Slot};
use super::upload::Upload;
use crate::colour;
use crate::scene::{Size, Turn};
use crate::source::Picture;
use crate::stage::{Drawn, Frame, Painter};

/// Draws on a real device.
pub(crate) struct GpuPainter {
    pub gpu: Gpu,
    pub format: TextureFormat,
    compositor: Compositor,
    pool: Pool,
    /// For pictures of the size that came last; None while nothing moves.
    upload: Option<Upload>,
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
        let (pool, pictures) = (Pool::default(), BTreeMap::new());
        GpuPainter { gpu, format, compositor, pool, upload: None, pictures }
    }

    /// Draws `frame` onto `view`, which has `size`, and starts the GPU on it.
    pub(crate) fn draw(&self, frame: &Frame, view: &TextureView, size: Size) {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let draws: Vec<_> = frame.layers.iter().filter_map(|layer| self.ready(layer)).collect();
        let onto = (view, size);
        let frame = (frame.background, draws.as_slice());
        let Gpu { device, queue, .. } = &self.gpu;
        self.compositor.draw((device, queue), &mut encoder, onto, frame);
        self.gpu.queue.submit([encoder.finish()]);
    }

    fn ready(&self, layer: &Drawn) -> Option<Draw<'_>> {
        let Lying { slot, rows, chroma } = self.pictures.get(&layer.turn)?;
        Some(Draw {
            quad: layer.quad,
            alone: slot.kind.format == Format::Yuv && covers(layer),
            background: layer.background,
            opacity: layer.opacity,
            format: slot.kind.format,
            rows: *rows,
            chroma: *chroma,
            bind: &slot.bind,
        })
    }

    fn fill(&mut self, slot: &Slot, picture: &Picture<'_>) -> Result<(), String> {
        match picture {
            Picture::Rgba { size, data } => slot.put_still(&self.gpu.queue, *size, data),
            Picture::Yuv { size, luma, chroma, .. } => {
                let planes = slot.yuv().ok_or("no textures for luma and chroma")?;
                let kept = self.upload.take().filter(|upload| upload.fits(*size));
                let upload = self.upload.insert(match kept {
                    Some(upload) => upload,
                    None => Upload::new(&self.gpu, *size),
                });
                upload.put(&self.gpu, luma, chroma, planes)
            }
        }
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

/// Whether the picture fills its quad and lets nothing through, if it is opaque.
fn covers(layer: &Drawn) -> bool {
    layer.opacity >= 1.0 && layer.quad.uv.iter().all(|uv| (0.0..=1.0).contains(uv))
}

impl Painter for GpuPainter {
    fn put(&mut self, turn: Turn, picture: &Picture<'_>) -> Result<(), String> {
        let kind = Kind::of(picture);
        self.compositor.prepare(&self.gpu.device, kind.format);
        let slot = self.slot(turn, kind)?;
        self.fill(&slot, picture)?;
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
        let moving = |lying: &Lying| lying.slot.kind.format == Format::Yuv;
        if !self.pictures.values().any(moving) {
            self.upload = None;
        }
    }
}
