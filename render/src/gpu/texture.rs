//! Where pictures lie on the GPU: a bounded, counted pool. A picture of the same kind and size as
//! one before takes its textures over.
//!
//! Not here: how moving pictures get there (`upload`).

use vitrine_config::limits::TEXTURE_SIDE_PX;
use wgpu::{
    BindGroup, Device, Extent3d, Queue, TexelCopyBufferLayout, Texture, TextureFormat,
    TextureUsages, TextureViewDescriptor,
};

use super::compositor::Layout;
use crate::scene::Size;
use crate::source::{Picture, Plane};

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
    /// One texture.
    Rgba,
    /// Luma, and Cb and Cr side by side at half size.
    Yuv,
}

/// Kind and size: what must agree for reuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub format: Format,
    pub size: Size,
    /// Filled by a pass of the GPU.
    pub drawn: bool,
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
            Picture::Rgba { size, .. } => Kind { format: Format::Rgba, size, drawn: false },
            Picture::Yuv { size, .. } => Kind { format: Format::Yuv, size, drawn: false },
            Picture::Lent(lent) => Kind { format: Format::Yuv, size: lent.size(), drawn: true },
        }
    }

    /// Format, size and bytes a pixel of each texture.
    fn planes(self) -> Vec<(TextureFormat, Size, u32)> {
        let half = Size {
            width_px: self.size.width_px.div_ceil(2),
            height_px: self.size.height_px.div_ceil(2),
        };
        match self.format {
            Format::Rgba => vec![(TextureFormat::Rgba8Unorm, self.size, 4)],
            Format::Yuv => {
                vec![(TextureFormat::R8Unorm, self.size, 1), (TextureFormat::Rg8Unorm, half, 2)]
            }
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
    /// New textures, not counted.
    pub(super) fn make(device: &Device, layout: &Layout, kind: Kind) -> Slot {
        let drawn =
            if kind.drawn { TextureUsages::RENDER_ATTACHMENT } else { TextureUsages::empty() };
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
                    usage: TextureUsages::TEXTURE_BINDING | TextureUsages::COPY_DST | drawn,
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

    /// Copies a still picture.
    ///
    /// # Errors
    /// Rows that are shorter than promised.
    pub(super) fn put_still(&self, queue: &Queue, size: Size, data: &[u8]) -> Result<(), String> {
        let row_bytes = size.width_px.saturating_mul(4);
        let plane = Plane { data, stride_bytes: row_bytes };
        check_plane(&plane, row_bytes, size.height_px)?;
        let layout = TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(row_bytes),
            rows_per_image: None,
        };
        if let Some(texture) = self.planes.first() {
            queue.write_texture(texture.as_image_copy(), data, layout, extent(size));
        }
        Ok(())
    }

    /// The textures of luma and chroma, if it has them.
    pub(super) fn yuv(&self) -> Option<[&Texture; 2]> {
        match self.planes.as_slice() {
            [luma, chroma] => Some([luma, chroma]),
            _ => None,
        }
    }
}

/// Refuses a plane that has not the rows it should have.
pub(super) fn check_plane(plane: &Plane<'_>, row_bytes: u32, rows: u32) -> Result<(), String> {
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
