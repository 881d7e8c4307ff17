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
    /// One of several displays takes none right now, the others have it.
    Partly,
    /// The display takes none right now (hidden, no extent, busy): worth another try later.
    Later,
    /// The surface is gone: it must be made again with everything behind it.
    Lost,
}

/// Takes frames.
pub(crate) trait Target {
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

    fn configure(&mut self, gpu: &Gpu) {
        let drawn = drawn(self.size, gpu.most_px());
        (self.config.width, self.config.height) = (drawn.width_px, drawn.height_px);
        self.surface.configure(&gpu.device, &self.config);
        self.stale = false;
    }

    /// Whether it is drawn smaller than it is.
    fn is_less(&self) -> bool {
        (self.config.width, self.config.height) != (self.size.width_px, self.size.height_px)
    }

    /// The next texture of the display; a surface that has changed is set up again once.
    fn acquire(&mut self, gpu: &Gpu) -> Result<SurfaceTexture, Handed> {
        for _ in 0..2 {
            if self.stale {
                self.configure(gpu);
            }
            let found = self.surface.get_current_texture();
            let (renew, handed) = what_of(&found);
            // One that is drawn smaller than its window never fits better than this.
            let expected = matches!(&found, CurrentSurfaceTexture::Suboptimal(_)) && self.is_less();
            self.stale |= renew && !expected;
            match found {
                CurrentSurfaceTexture::Success(texture)
                | CurrentSurfaceTexture::Suboptimal(texture) => return Ok(texture),
                _ if renew => {}
                _ => return Err(handed),
            }
        }
        Err(Handed::Later)
    }
}

/// As large as something of `size` is drawn by a GPU that draws so many pixels a side at most: in
/// its shape, because not every display server makes a smaller picture larger.
fn drawn(size: Size, most_px: u32) -> Size {
    let scale = f64::from(most_px) / f64::from(size.width_px.max(size.height_px).max(1));
    let side = |px: u32| match scale < 1.0 {
        true => ((f64::from(px) * scale).round() as u32).clamp(1, most_px),
        false => px.max(1),
    };
    Size { width_px: side(size.width_px), height_px: side(size.height_px) }
}

/// For people, when a display of `size` is larger than what a GPU draws.
pub(crate) fn beyond(size: Size, most_px: u32) -> Option<String> {
    let drawn = drawn(size, most_px);
    let text = |size: Size| format!("{}x{}", size.width_px, size.height_px);
    (size.width_px.max(size.height_px) > most_px).then(|| {
        format!(
            "a display has {}, the GPU draws {most_px} pixels a side at most: it draws {}, which \
             Wayland with wp_viewport and wp_fractional_scale makes larger, and others show with a \
             border; set screen.mode to one that is not larger",
            text(size),
            text(drawn)
        )
    })
}

/// Whether a surface that gives this has to be set up again, and what becomes of the frame.
fn what_of(found: &CurrentSurfaceTexture) -> (bool, Handed) {
    match found {
        CurrentSurfaceTexture::Success(_) => (false, Handed::Over),
        CurrentSurfaceTexture::Suboptimal(_) => (true, Handed::Over),
        CurrentSurfaceTexture::Outdated => (true, Handed::Later),
        CurrentSurfaceTexture::Lost => (false, Handed::Lost),
        CurrentSurfaceTexture::Timeout | CurrentSurfaceTexture::Occluded => (false, Handed::Later),
        // The last set-up has failed, and left none.
        CurrentSurfaceTexture::Validation => (true, Handed::Later),
    }
}

impl WindowTarget {
    /// It has another extent now; zero sides are possible.
    fn resize(&mut self, size: Size) {
        self.stale |= self.size != size;
        self.size = size;
    }

    /// Hands over what `draw` draws.
    fn hand(&mut self, gpu: &Gpu, draw: impl FnOnce(&TextureView, Size)) -> Handed {
        if self.size.width_px == 0 || self.size.height_px == 0 {
            return Handed::Later;
        }
        let texture = match self.acquire(gpu) {
            Ok(texture) => texture,
            Err(handed) => return handed,
        };
        draw(&view(&texture.texture), self.size);
        self.window.pre_present_notify();
        gpu.queue.present(texture);
        Handed::Over
    }
}

/// The windows on the displays, in their order; one mostly.
pub(crate) struct Windows(Vec<WindowTarget>);

impl Windows {
    pub(crate) fn new(windows: Vec<WindowTarget>) -> Windows {
        Windows(windows)
    }

    /// What frames must be made for.
    pub(crate) fn format(&self) -> TextureFormat {
        self.0.first().map_or(OFFSCREEN_FORMAT, |window| window.config.format)
    }

    /// The window in this place has another extent now.
    pub(crate) fn resize(&mut self, place: usize, size: Size) {
        self.0.get_mut(place).into_iter().for_each(|window| window.resize(size));
    }

    /// One picture for all windows, its part to each.
    fn hand_parts(&mut self, painter: &GpuPainter, frame: &Frame) -> Vec<Handed> {
        let picture = painter.picture(frame);
        let hand = |(place, window): (usize, &mut WindowTarget)| {
            let part = (&*picture, place);
            window.hand(&painter.gpu, |view, size| painter.draw_part(frame, part, view, size))
        };
        self.0.iter_mut().enumerate().map(hand).collect()
    }

    /// Its own picture to each window.
    fn hand_each(&mut self, painter: &GpuPainter, frame: &Frame) -> Vec<Handed> {
        let hand = |(window, own): (&mut WindowTarget, &Frame)| {
            window.hand(&painter.gpu, |view, size| painter.draw_alone(own, view, size))
        };
        self.0.iter_mut().zip(frame.pictures()).map(hand).collect()
    }
}

impl Target for Windows {
    fn hand_over(&mut self, painter: &GpuPainter, frame: &Frame) -> Handed {
        if let [only] = &mut self.0[..] {
            return only.hand(&painter.gpu, |view, size| painter.draw(frame, view, size));
        }
        let handed = match frame.others.is_empty() {
            true => self.hand_parts(painter, frame),
            false => self.hand_each(painter, frame),
        };
        together(&handed)
    }
}

/// What became of a frame for several displays. One that is off keeps no other waiting.
fn together(handed: &[Handed]) -> Handed {
    match handed {
        all if all.contains(&Handed::Lost) => Handed::Lost,
        all if !all.contains(&Handed::Over) => Handed::Later,
        all if all.contains(&Handed::Later) => Handed::Partly,
        _ => Handed::Over,
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
    fn hand_over(&mut self, painter: &GpuPainter, frame: &Frame) -> Handed {
        painter.draw(frame, &self.view, self.size);
        Handed::Over
    }
}

/// A texture to draw on; sides as large as the device can, at most. What is drawn on it knows no
/// pixels, so that it fits.
pub(super) fn texture(
    gpu: &Gpu,
    format: TextureFormat,
    size: Size,
    usage: TextureUsages,
) -> wgpu::Texture {
    let limit = gpu.most_px();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_surface_gives_says_what_becomes_of_the_frame() {
        use CurrentSurfaceTexture::{Lost, Occluded, Outdated, Timeout, Validation};
        for (found, renew, handed) in [
            (Outdated, true, Handed::Later),
            (Lost, false, Handed::Lost),
            (Timeout, false, Handed::Later),
            (Occluded, false, Handed::Later),
            (Validation, true, Handed::Later),
        ] {
            assert_eq!(what_of(&found), (renew, handed), "{found:?}");
        }
    }

    #[test]
    fn what_is_larger_than_a_gpu_draws_keeps_its_shape_and_is_told() {
        for (size, wanted) in [
            ((5120, 2160), (4096, 1728)),
            ((2160, 5120), (1728, 4096)),
            ((4096, 4096), (4096, 4096)),
            ((1280, 720), (1280, 720)),
            ((100_000, 1), (4096, 1)),
            ((u32::MAX, u32::MAX), (4096, 4096)),
            ((0, 0), (1, 1)),
        ] {
            let of = |(width_px, height_px)| Size { width_px, height_px };
            assert_eq!(drawn(of(size), 4096), of(wanted), "{size:?}");
            let larger = size.0.max(size.1) > 4096;
            assert_eq!(beyond(of(size), 4096).is_some(), larger, "{size:?}");
        }
        let told = beyond(Size { width_px: 5120, height_px: 2160 }, 4096).expect("told");
        assert!(told.contains("5120x2160") && told.contains("4096x1728"), "{told}");
    }

    #[test]
    fn a_frame_for_several_displays() {
        use Handed::{Later, Lost, Over, Partly};
        for (handed, wanted) in [
            (&[Over, Over][..], Over),
            (&[Over, Later], Partly),
            (&[Later, Over, Over], Partly),
            (&[Later, Later], Later),
            (&[Over, Lost], Lost),
            (&[Later, Lost], Lost),
            (&[], Later),
        ] {
            assert_eq!(together(handed), wanted, "{handed:?}");
        }
    }
}
