//! Whether the GPU reads a lent frame as it is: drawn once more, read back, compared.
//!
//! Waits for the GPU, a few milliseconds, once for each order of samples in a process.

use wgpu::{
    Buffer, BufferDescriptor, BufferUsages, COPY_BYTES_PER_ROW_ALIGNMENT, Extent3d, MapMode,
    TexelCopyBufferInfo, TexelCopyBufferLayout, Texture, TextureFormat, TextureUsages,
};

use super::Gpu;
use super::unweave::Unweave;
use crate::worker::layout::{Format, Shape};
use crate::worker::lent::Lent;

/// Draws the frame and compares it with `wanted`, where its samples lie as `shape` has them.
///
/// # Errors
/// How many samples differ; no way to read them back.
pub(super) fn compare(
    gpu: &Gpu,
    unweave: &Unweave,
    (shape, lent): (Shape, &Lent),
    buffers: [&Buffer; 3],
    wanted: &[u8],
) -> Result<(), String> {
    let [luma, chroma] = read(gpu, unweave, (shape, lent), buffers)?;
    let [luma_at, second, third] = shape.planes();
    let rows = |at: crate::worker::layout::PlaneAt| {
        let plane = wanted.get(at.offset_bytes..).unwrap_or_default();
        plane
            .chunks(at.stride_bytes.max(1) as usize)
            .take(at.rows as usize)
            .filter_map(move |row| row.get(..at.row_bytes as usize))
    };
    let wanted_chroma: Vec<u8> = match shape.format() {
        Format::Nv12 => rows(second).flatten().copied().collect(),
        _ => {
            let pairs = rows(second).flatten().zip(rows(third).flatten());
            pairs.flat_map(|(cb, cr)| [*cb, *cr]).collect()
        }
    };
    let wanted_luma: Vec<u8> = rows(luma_at).flatten().copied().collect();
    let wrong = |found: &[u8], wanted: &[u8]| {
        found.iter().zip(wanted).filter(|(f, w)| f != w).count()
            + found.len().abs_diff(wanted.len())
    };
    match (wrong(&luma, &wanted_luma), wrong(&chroma, &wanted_chroma)) {
        (0, 0) => Ok(()),
        (y, c) => Err(format!(
            "the GPU reads a frame otherwise than the processor: {y} of {} samples of luma, {c} of {} \
             of chroma differ",
            wanted_luma.len(),
            wanted_chroma.len()
        )),
    }
}

/// Luma, then Cb and Cr by turns, without gaps.
fn read(
    gpu: &Gpu,
    unweave: &Unweave,
    (shape, lent): (Shape, &Lent),
    buffers: [&Buffer; 3],
) -> Result<[Vec<u8>; 2], String> {
    let (width, height) = (shape.width_px(), shape.height_px());
    let luma = texture(gpu, TextureFormat::R8Unorm, (width, height));
    let half = (width.div_ceil(2), height.div_ceil(2));
    let chroma = texture(gpu, TextureFormat::Rg8Unorm, half);
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    unweave.draw((&gpu.device, &gpu.queue), &mut encoder, lent, (buffers, [&luma, &chroma]));
    let back = [(&luma, 1), (&chroma, 2)].map(|(from, bytes)| {
        let row = (from.width() * bytes).next_multiple_of(COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = gpu.device.create_buffer(&BufferDescriptor {
            label: Some("proof"),
            size: u64::from(row) * u64::from(from.height()),
            usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let layout =
            TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
        let into = TexelCopyBufferInfo { buffer: &buffer, layout };
        encoder.copy_texture_to_buffer(from.as_image_copy(), into, from.size());
        (buffer, row, from.width() * bytes)
    });
    gpu.queue.submit([encoder.finish()]);
    // What went wrong shows when the range is asked for.
    back.iter().for_each(|(buffer, ..)| buffer.slice(..).map_async(MapMode::Read, |_| {}));
    let waited = gpu.device.poll(wgpu::PollType::wait_indefinitely());
    waited.map_err(|error| format!("the GPU did not finish: {error}"))?;
    let rows = |(buffer, row, used): &(Buffer, u32, u32)| {
        let mapped = buffer.slice(..).get_mapped_range();
        let mapped = mapped.map_err(|error| format!("not readable: {error}"))?;
        let rows = mapped.chunks_exact(*row as usize).map(|row| &row[..*used as usize]);
        Ok::<_, String>(rows.flatten().copied().collect())
    };
    Ok([rows(&back[0])?, rows(&back[1])?])
}

fn texture(gpu: &Gpu, format: TextureFormat, (width, height): (u32, u32)) -> Texture {
    gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("proof"),
        size: Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: TextureUsages::RENDER_ATTACHMENT | TextureUsages::COPY_SRC,
        view_formats: &[],
    })
}

#[cfg(test)]
mod tests {
    use wgpu::util::DeviceExt;

    use super::super::tests::GPU;
    use super::*;
    use crate::worker::lent::Order;
    use crate::worker::lent::tests::{code, filled, frame};

    /// Frames in ordinary buffers: what a driver makes of a decoder's memory is `lending`'s to test.
    #[test]
    fn the_shader_reads_every_order_as_the_processor_does() {
        let unweave = Unweave::new(&GPU.device);
        for order in [Order::Pairs, Order::Planes, Order::Columns, Order::Columns10] {
            for (size, more) in [((2, 2), 0), ((5, 3), 1), ((131, 33), 7), ((640, 363), 5)] {
                let (shape, lent, bytes) = frame(order, size, more);
                let (data, copy) = filled((shape, lent, bytes), code);
                let buffer = GPU.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                    label: None,
                    contents: &data,
                    usage: BufferUsages::STORAGE,
                });
                let compare =
                    |wanted: &[u8]| compare(&GPU, &unweave, (shape, &lent), [&buffer; 3], wanted);
                let case = format!("{order:?} {size:?} {more}");
                assert_eq!(compare(&copy), Ok(()), "{case}");
                // The comparison can fail: the last sample of luma, and of chroma.
                for plane in [0, 1] {
                    let at = shape.planes()[plane];
                    let last =
                        at.offset_bytes + at.bytes() - (at.stride_bytes - at.row_bytes) as usize;
                    let mut other = copy.clone();
                    other[last - 1] ^= 1;
                    let error = compare(&other).expect_err(&case);
                    assert!(
                        error.contains(": 1 of") || error.contains(", 1 of"),
                        "{case}: {error}"
                    );
                }
            }
        }
    }
}
