//! A picture of what the display was handed: the same frame drawn once more onto a texture that can
//! be read back, and made a PNG on a thread of its own.

use std::thread::Builder;

use wgpu::{
    Buffer, BufferDescriptor, BufferUsages, COPY_BYTES_PER_ROW_ALIGNMENT, Device, MapMode,
    TexelCopyBufferInfo, TexelCopyBufferLayout, Texture, TextureFormat, TextureUsages,
};

use super::painter::GpuPainter;
use super::target::{texture, view};
use crate::scene::Size;
use crate::stage::Frame;

/// Usage of targets that are read back.
pub(super) const CAPTURED: TextureUsages =
    TextureUsages::RENDER_ATTACHMENT.union(TextureUsages::COPY_SRC);

/// Pixels on their way back from the GPU.
struct Shot {
    device: Device,
    buffer: Buffer,
    size: Size,
    row_bytes: u32,
    swapped: bool,
}

/// Draws these pictures again, each in this extent, side by side, and calls `done` with them as PNG,
/// or with why there is none, from a thread named `capture`.
///
/// # Errors
/// No thread can be had; `done` is not called.
pub(crate) fn start(
    painter: &GpuPainter,
    pictures: &[(&Frame, Size)],
    done: impl FnOnce(Result<Vec<u8>, String>) + Send + 'static,
) -> Result<(), String> {
    let draw = |(frame, size): &(&Frame, Size)| {
        let target = texture(&painter.gpu, painter.format, *size, CAPTURED);
        painter.draw_alone(frame, &view(&target), *size);
        target
    };
    read(painter, pictures.iter().map(draw).collect(), done)
}

/// The same of targets, made for [`CAPTURED`], that were drawn on already.
pub(super) fn read(
    painter: &GpuPainter,
    drawn: Vec<Texture>,
    done: impl FnOnce(Result<Vec<u8>, String>) + Send + 'static,
) -> Result<(), String> {
    let shot = copy(painter, drawn);
    let work = move || done(shot.png());
    let spawned = Builder::new().name("capture".into()).spawn(work);
    spawned.map(drop).map_err(|error| format!("snapshot: no thread: {error}"))
}

fn copy(painter: &GpuPainter, drawn: Vec<Texture>) -> Shot {
    let gpu = &painter.gpu;
    let size = Size {
        width_px: drawn.iter().map(Texture::width).sum(),
        height_px: drawn.iter().map(Texture::height).max().unwrap_or(0),
    };
    let row_bytes = (size.width_px * 4).next_multiple_of(COPY_BYTES_PER_ROW_ALIGNMENT);
    let buffer = gpu.device.create_buffer(&BufferDescriptor {
        label: Some("snapshot"),
        size: u64::from(row_bytes) * u64::from(size.height_px),
        usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    let mut offset = 0;
    for target in drawn {
        let bytes_per_row = Some(row_bytes);
        let layout = TexelCopyBufferLayout { offset, bytes_per_row, rows_per_image: None };
        let into = TexelCopyBufferInfo { buffer: &buffer, layout };
        encoder.copy_texture_to_buffer(target.as_image_copy(), into, target.size());
        offset += u64::from(target.width()) * 4;
    }
    gpu.queue.submit([encoder.finish()]);
    let swapped = painter.format == TextureFormat::Bgra8Unorm;
    Shot { device: gpu.device.clone(), buffer, size, row_bytes, swapped }
}

impl Shot {
    fn png(self) -> Result<Vec<u8>, String> {
        // What went wrong shows when the range is asked for.
        self.buffer.slice(..).map_async(MapMode::Read, |_| {});
        self.device
            .poll(wgpu::PollType::wait_indefinitely())
            .map_err(|error| format!("snapshot: the GPU did not finish: {error}"))?;
        let mapped = self
            .buffer
            .slice(..)
            .get_mapped_range()
            .map_err(|error| format!("snapshot: not readable: {error}"))?;
        let row = self.size.width_px as usize * 4;
        let mut rgb = Vec::with_capacity(row / 4 * 3 * self.size.height_px as usize);
        for pixels in mapped.chunks_exact(self.row_bytes as usize) {
            for pixel in pixels[..row].chunks_exact(4) {
                let [a, b, c] = [pixel[0], pixel[1], pixel[2]];
                rgb.extend_from_slice(&if self.swapped { [c, b, a] } else { [a, b, c] });
            }
        }
        drop(mapped);
        encode(&rgb, self.size).map_err(|error| format!("snapshot: no PNG: {error}"))
    }
}

fn encode(rgb: &[u8], size: Size) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.width_px, size.height_px);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    writer.finish()?;
    Ok(bytes)
}
