//! Where pictures lie on the GPU: a bounded, counted pool. A picture of the same kind and size as
//! one before takes its textures over.

use vitrine_config::limits::TEXTURE_SIDE_PX;
use wgpu::{
    BindGroup, Device, Extent3d, Queue, TexelCopyBufferLayout, Texture, TextureFormat,
    TextureUsages, TextureViewDescriptor,
};

use super::compositor::Layout;
use crate::scene::Size;
use crate::source::{Chroma, Picture, Plane};

/// All pictures together: 2 scenes of 4 full HD layers are 66 MB, two 4K stills as much; a board
/// with 1 GB shares its memory with us.
const BUDGET_BYTES: u64 = 256 << 20;
/// Kept for reuse when their picture has gone: the next video has the size of the last one.
const SPARE: usize = 3;
/// The same, together.
const SPARE_BYTES: u64 = 32 << 20;

/// How samples lie, one pipeline each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Rgba,
    I420,
    Nv12,
}

/// Kind and size: what must agree for reuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub format: Format,
    pub size: Size,
}

/// The textures of one picture.
pub(super) struct Slot {
    pub kind: Kind,
    pub bind: BindGroup,
    planes: Vec<Texture>,
}

/// Textures that wait for a picture, and how much is out.
#[derive(Default)]
pub(super) struct Pool {
    spare: Vec<Slot>,
    held_bytes: u64,
}

impl Kind {
    pub(super) fn of(picture: &Picture<'_>) -> Kind {
        match *picture {
            Picture::Rgba { size, .. } => Kind { format: Format::Rgba, size },
            Picture::Yuv { size, chroma: Chroma::Planar { .. }, .. } => {
                Kind { format: Format::I420, size }
            }
            Picture::Yuv { size, chroma: Chroma::Interleaved(_), .. } => {
                Kind { format: Format::Nv12, size }
            }
        }
    }

    /// Format, size and bytes a pixel of each texture.
    fn planes(self) -> Vec<(TextureFormat, Size, u32)> {
        let half = Size {
            width_px: self.size.width_px.div_ceil(2),
            height_px: self.size.height_px.div_ceil(2),
        };
        let luma = (TextureFormat::R8Unorm, self.size, 1);
        match self.format {
            Format::Rgba => vec![(TextureFormat::Rgba8Unorm, self.size, 4)],
            Format::I420 => {
                let chroma = (TextureFormat::R8Unorm, half, 1);
                vec![luma, chroma, chroma]
            }
            Format::Nv12 => vec![luma, (TextureFormat::Rg8Unorm, half, 2)],
        }
    }

    fn bytes(self) -> u64 {
        let area = |size: Size| u64::from(size.width_px) * u64::from(size.height_px);
        self.planes().iter().map(|(_, size, bytes)| area(*size) * u64::from(*bytes)).sum()
    }

    fn check(self) -> Result<(), String> {
        let Size { width_px, height_px } = self.size;
        if (1..=TEXTURE_SIDE_PX).contains(&width_px) && (1..=TEXTURE_SIDE_PX).contains(&height_px) {
            return Ok(());
        }
        Err(format!("picture of {width_px}x{height_px}: sides of 1 to {TEXTURE_SIDE_PX} are drawn"))
    }
}

impl Pool {
    /// Textures for `kind`, used ones where possible.
    ///
    /// # Errors
    /// Too large a picture, or too many.
    pub(super) fn take(
        &mut self,
        device: &Device,
        layout: &Layout,
        kind: Kind,
    ) -> Result<Slot, String> {
        kind.check()?;
        if let Some(index) = self.spare.iter().position(|slot| slot.kind == kind) {
            return Ok(self.spare.swap_remove(index));
        }
        while self.held_bytes + kind.bytes() > BUDGET_BYTES {
            let Some(oldest) = (!self.spare.is_empty()).then(|| self.spare.remove(0)) else {
                let (held, wanted) = (self.held_bytes >> 20, kind.bytes() >> 20);
                let most = BUDGET_BYTES >> 20;
                return Err(format!(
                    "no room on the GPU: {wanted} MiB wanted, {held} of {most} MiB in use"
                ));
            };
            self.held_bytes -= oldest.kind.bytes();
        }
        self.held_bytes += kind.bytes();
        Ok(Slot::make(device, layout, kind))
    }

    /// Takes textures back, for the next picture.
    pub(super) fn give(&mut self, slot: Slot) {
        self.spare.push(slot);
        let spare_bytes = |spare: &[Slot]| spare.iter().map(|slot| slot.kind.bytes()).sum::<u64>();
        while self.spare.len() > SPARE || spare_bytes(&self.spare) > SPARE_BYTES {
            self.held_bytes -= self.spare.remove(0).kind.bytes();
        }
    }
}

impl Slot {
    fn make(device: &Device, layout: &Layout, kind: Kind) -> Slot {
        let planes: Vec<_> = kind
            .planes()
            .into_iter()
            .map(|(format, size, _)| {
                device.create_texture(&wgpu::TextureDescriptor {
                    label: Some("picture"),
                    size: extent(size),
                    mip_level_count: 1,
                    sample_count: 1,
                    dimension: wgpu::TextureDimension::D2,
                    format,
                    usage: TextureUsages::TEXTURE_BINDING | TextureUsages::COPY_DST,
                    view_formats: &[],
                })
            })
            .collect();
        let views: Vec<_> = planes
            .iter()
            .map(|plane| plane.create_view(&TextureViewDescriptor::default()))
            .collect();
        let bind = layout.bind(device, &views);
        Slot { kind, bind, planes }
    }

    /// Copies the picture's rows; they need no gaps taken out first.
    ///
    /// # Errors
    /// Rows that are shorter than promised.
    pub(super) fn upload(&self, queue: &Queue, picture: &Picture<'_>) -> Result<(), String> {
        let planes: Vec<Plane<'_>> = match *picture {
            Picture::Rgba { size, data } => {
                vec![Plane { data, stride_bytes: size.width_px.saturating_mul(4) }]
            }
            Picture::Yuv { luma, chroma: Chroma::Planar { cb, cr }, .. } => vec![luma, cb, cr],
            Picture::Yuv { luma, chroma: Chroma::Interleaved(both), .. } => vec![luma, both],
        };
        for ((texture, plane), (_, size, pixel_bytes)) in
            self.planes.iter().zip(planes).zip(self.kind.planes())
        {
            let row_bytes = size.width_px * pixel_bytes;
            check_plane(&plane, row_bytes, size.height_px)?;
            let layout = TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(plane.stride_bytes),
                rows_per_image: None,
            };
            queue.write_texture(texture.as_image_copy(), plane.data, layout, extent(size));
        }
        Ok(())
    }
}

fn check_plane(plane: &Plane<'_>, row_bytes: u32, rows: u32) -> Result<(), String> {
    let stride = u64::from(plane.stride_bytes);
    let wanted = stride * u64::from(rows.saturating_sub(1)) + u64::from(row_bytes);
    let found = plane.data.len() as u64;
    if plane.stride_bytes < row_bytes || found < wanted {
        return Err(format!(
            "plane of {rows} rows of {row_bytes} bytes, {stride} apart: {found} bytes found, \
             {wanted} wanted"
        ));
    }
    Ok(())
}

fn extent(size: Size) -> Extent3d {
    Extent3d { width: size.width_px, height: size.height_px, depth_or_array_layers: 1 }
}
