//! The way of moving pictures to the GPU: rows are copied once, into staging memory that is used
//! again and again, with Cb and Cr side by side, so that the shader samples them in one go.

use wgpu::util::StagingBelt;
use wgpu::{BufferSize, BufferViewMut, COPY_BYTES_PER_ROW_ALIGNMENT, TexelCopyBufferInfo, Texture};

use super::Gpu;
use crate::scene::Size;
use crate::source::{Chroma, Plane};

/// Staging memory for pictures of one size.
pub(super) struct Upload {
    belt: StagingBelt,
    size: Size,
}

/// Where the rows of one plane lie in staging memory.
#[derive(Clone, Copy)]
struct Rows {
    offset: usize,
    bytes: usize,
    stride: usize,
    count: usize,
}

impl Rows {
    fn new(offset: usize, bytes: u32, count: u32) -> Rows {
        let stride = bytes.next_multiple_of(COPY_BYTES_PER_ROW_ALIGNMENT) as usize;
        Rows { offset, bytes: bytes as usize, stride, count: count as usize }
    }

    fn end(&self) -> usize {
        self.offset + self.stride * self.count
    }

    /// Checks that `plane` has these rows.
    fn check(&self, plane: &Plane<'_>) -> Result<(), String> {
        super::texture::check_plane(plane, self.bytes as u32, self.count as u32)
    }

    fn copy(&self, plane: &Plane<'_>, into: &mut BufferViewMut) {
        for (row, from) in rows(plane, self.bytes).take(self.count).enumerate() {
            let at = self.offset + row * self.stride;
            into.slice(at..at + self.bytes).copy_from_slice(from);
        }
    }

    /// Two planes into one, sample by sample.
    fn interleave(&self, cb: &Plane<'_>, cr: &Plane<'_>, into: &mut BufferViewMut) {
        let half = self.bytes / 2;
        let mut both = vec![0; half];
        let pairs = rows(cb, half).zip(rows(cr, half)).take(self.count);
        for (row, (cb, cr)) in pairs.enumerate() {
            // In pairs, so that the compiler makes it a few wide instructions.
            for (pair, (cb, cr)) in both.iter_mut().zip(cb.iter().zip(cr)) {
                *pair = u16::from_ne_bytes([*cb, *cr]);
            }
            let at = self.offset + row * self.stride;
            into.slice(at..at + self.bytes).copy_from_slice(bytemuck::cast_slice(&both));
        }
    }
}

fn rows<'a>(plane: &Plane<'a>, bytes: usize) -> impl Iterator<Item = &'a [u8]> {
    plane.data.chunks(plane.stride_bytes as usize).filter_map(move |row| row.get(..bytes))
}

impl Upload {
    /// Staging memory for luma of `size`.
    pub(super) fn new(gpu: &Gpu, size: Size) -> Upload {
        let [_, chroma] = Upload::rows(size);
        Upload { belt: StagingBelt::new(gpu.device.clone(), chroma.end() as u64), size }
    }

    /// Whether it was made for pictures like this.
    pub(super) fn fits(&self, size: Size) -> bool {
        self.size == size
    }

    fn rows(size: Size) -> [Rows; 2] {
        let (half_width, half_height) = (size.width_px.div_ceil(2), size.height_px.div_ceil(2));
        let luma = Rows::new(0, size.width_px, size.height_px);
        [luma, Rows::new(luma.end(), half_width * 2, half_height)]
    }

    /// Copies a picture into the two textures.
    ///
    /// # Errors
    /// Rows that are shorter than promised; no memory to stage them in.
    pub(super) fn put(
        &mut self,
        gpu: &Gpu,
        luma: &Plane<'_>,
        chroma: &Chroma<'_>,
        onto: [&Texture; 2],
    ) -> Result<(), String> {
        let [luma_rows, chroma_rows] = Upload::rows(self.size);
        luma_rows.check(luma)?;
        check_chroma(&chroma_rows, chroma)?;
        // Memory that the GPU is done with comes back now.
        gpu.device.poll(wgpu::PollType::Poll).map_err(|error| format!("GPU: {error}"))?;
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let bytes = BufferSize::new(chroma_rows.end() as u64).ok_or("picture without pixels")?;
        let alignment = BufferSize::MIN.saturating_add(u64::from(COPY_BYTES_PER_ROW_ALIGNMENT) - 1);
        let staged = self.belt.allocate(bytes, alignment);
        let mut view =
            staged.get_mapped_range_mut().map_err(|error| format!("no staging memory: {error}"))?;
        luma_rows.copy(luma, &mut view);
        match chroma {
            Chroma::Planar { cb, cr } => chroma_rows.interleave(cb, cr, &mut view),
            Chroma::Interleaved(both) => chroma_rows.copy(both, &mut view),
        }
        drop(view);
        for (rows, texture) in [luma_rows, chroma_rows].into_iter().zip(onto) {
            let layout = wgpu::TexelCopyBufferLayout {
                offset: staged.offset() + rows.offset as u64,
                bytes_per_row: Some(rows.stride as u32),
                rows_per_image: None,
            };
            let from = TexelCopyBufferInfo { buffer: staged.buffer(), layout };
            encoder.copy_buffer_to_texture(from, texture.as_image_copy(), texture.size());
        }
        self.belt.finish();
        gpu.queue.submit([encoder.finish()]);
        self.belt.recall();
        Ok(())
    }
}

fn check_chroma(rows: &Rows, chroma: &Chroma<'_>) -> Result<(), String> {
    let half = Rows { bytes: rows.bytes / 2, ..*rows };
    match chroma {
        Chroma::Planar { cb, cr } => half.check(cb).and_then(|()| half.check(cr)),
        Chroma::Interleaved(both) => rows.check(both),
    }
}
