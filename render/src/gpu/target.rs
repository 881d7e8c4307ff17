//! Where light comes out: a window's surface, or a texture when there is no display.

use std::sync::Arc;

use wgpu::{
    CompositeAlphaMode, CurrentSurfaceTexture, PresentMode, Surface, SurfaceConfiguration,
    SurfaceTexture, TextureFormat, TextureUsages, TextureView,
};
use winit::window::Window;

use super::Gpu;
use super::painter::GpuPainter;
use crate::scene::Size;
use crate::stage::Frame;

/// Frames that the display may hold besides the one it shows: one waits while one is drawn.
const FRAMES_AHEAD: u32 = 2;
/// Offscreen frames, and pictures read back from windows that do not care.
pub(crate) const OFFSCREEN_FORMAT: TextureFormat = TextureFormat::Rgba8Unorm;

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handed {
    /// The display has it.
    Over,
    /// The display takes none right now (hidden, no extent, busy): worth another try later.
    Later,
    /// The surface is gone: it must be made again with everything behind it.
    Lost,
}

/// Takes frames.
pub(crate) trait Target {
    /// Its extent; zero sides are possible.
    fn size(&self) -> Size;

    /// It has another extent now.
    fn resize(&mut self, gpu: &Gpu, size: Size);

    /// Draws `frame` and hands it to the display.
    fn hand_over(&mut self, painter: &GpuPainter, frame: &Frame) -> Handed;
}

/// A window.
pub(crate) struct WindowTarget {
    window: Arc<Window>,
    surface: Surface<'static>,
    config: SurfaceConfiguration,
    size: Size,
    stale: bool,
}

impl WindowTarget {
    /// # Errors
    /// A surface that offers no format with plain 8 bit values.
    pub(crate) fn new(
        gpu: &Gpu,
        surface: Surface<'static>,
        window: Arc<Window>,
    ) -> Result<WindowTarget, String> {
        let capabilities = surface.get_capabilities(&gpu.adapter);
        let plain = [TextureFormat::Bgra8Unorm, TextureFormat::Rgba8Unorm];
        let format = plain.into_iter().find(|format| capabilities.formats.contains(format));
        let format = format.ok_or_else(|| {
            let found = &capabilities.formats;
            format!("surface formats found: {found:?}; wanted: one of {plain:?}")
        })?;
        let alpha = match capabilities.alpha_modes.contains(&CompositeAlphaMode::Opaque) {
            true => CompositeAlphaMode::Opaque,
            false => CompositeAlphaMode::Auto,
        };
        let extent = window.inner_size();
        let size = Size { width_px: extent.width, height_px: extent.height };
        let config = SurfaceConfiguration {
            usage: TextureUsages::RENDER_ATTACHMENT,
            format,
            color_space: wgpu::SurfaceColorSpace::Auto,
            width: size.width_px.max(1),
            height: size.height_px.max(1),
            present_mode: PresentMode::Fifo,
            desired_maximum_frame_latency: FRAMES_AHEAD,
            alpha_mode: alpha,
            view_formats: vec![],
        };
        Ok(WindowTarget { window, surface, config, size, stale: true })
    }

    /// What frames must be made for.
    pub(crate) fn format(&self) -> TextureFormat {
        self.config.format
    }

    fn configure(&mut self, gpu: &Gpu) {
        let limit = gpu.device.limits().max_texture_dimension_2d;
        self.config.width = self.size.width_px.clamp(1, limit);
        self.config.height = self.size.height_px.clamp(1, limit);
        self.surface.configure(&gpu.device, &self.config);
        self.stale = false;
    }

    /// The next texture of the display; a surface that has changed is set up again once.
    fn acquire(&mut self, gpu: &Gpu) -> Result<SurfaceTexture, Handed> {
        for _ in 0..2 {
            if self.stale {
                self.configure(gpu);
            }
            match self.surface.get_current_texture() {
                CurrentSurfaceTexture::Success(texture) => return Ok(texture),
                CurrentSurfaceTexture::Suboptimal(texture) => {
                    self.stale = true;
                    return Ok(texture);
                }
                CurrentSurfaceTexture::Outdated => self.stale = true,
                CurrentSurfaceTexture::Lost => return Err(Handed::Lost),
                CurrentSurfaceTexture::Timeout
                | CurrentSurfaceTexture::Occluded
                | CurrentSurfaceTexture::Validation => return Err(Handed::Later),
            }
        }
        Err(Handed::Later)
    }
}

impl Target for WindowTarget {
    fn size(&self) -> Size {
        self.size
    }

    fn resize(&mut self, _gpu: &Gpu, size: Size) {
        self.stale |= self.size != size;
        self.size = size;
    }

    fn hand_over(&mut self, painter: &GpuPainter, frame: &Frame) -> Handed {
        if self.size.width_px == 0 || self.size.height_px == 0 {
            return Handed::Later;
        }
        let texture = match self.acquire(&painter.gpu) {
            Ok(texture) => texture,
            Err(handed) => return handed,
        };
        painter.draw(frame, &view(&texture.texture), self.size);
        self.window.pre_present_notify();
        painter.gpu.queue.present(texture);
        Handed::Over
    }
}

/// A texture that nobody looks at, drawn on like a display.
pub(crate) struct Offscreen {
    view: TextureView,
    size: Size,
}

impl Offscreen {
    pub(crate) fn new(gpu: &Gpu, size: Size) -> Offscreen {
        let texture = texture(gpu, OFFSCREEN_FORMAT, size, TextureUsages::RENDER_ATTACHMENT);
        Offscreen { view: view(&texture), size }
    }
}

impl Target for Offscreen {
    fn size(&self) -> Size {
        self.size
    }

    fn resize(&mut self, gpu: &Gpu, size: Size) {
        *self = Offscreen::new(gpu, size);
    }

    fn hand_over(&mut self, painter: &GpuPainter, frame: &Frame) -> Handed {
        painter.draw(frame, &self.view, self.size);
        Handed::Over
    }
}

/// A texture to draw on; sides as large as the device can, at most.
pub(super) fn texture(
    gpu: &Gpu,
    format: TextureFormat,
    size: Size,
    usage: TextureUsages,
) -> wgpu::Texture {
    let limit = gpu.device.limits().max_texture_dimension_2d;
    gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("target"),
        size: wgpu::Extent3d {
            width: size.width_px.clamp(1, limit),
            height: size.height_px.clamp(1, limit),
            depth_or_array_layers: 1,
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage,
        view_formats: &[],
    })
}

pub(super) fn view(texture: &wgpu::Texture) -> TextureView {
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}
