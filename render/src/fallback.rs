//! The window without a GPU: one card that says so, copied by the processor. Never black.

mod x11;

use std::error::Error;
use std::num::NonZeroU32;
use std::sync::Arc;

use softbuffer::{Context, Surface};
use winit::event_loop::OwnedDisplayHandle;
use winit::raw_window_handle::{HasWindowHandle, RawWindowHandle};
use winit::window::Window;

use crate::gpu::Pane;
use crate::run::StageError;
use crate::scene::Size;
use crate::source::{no_gpu_card, render_svg};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A window that the processor draws on.
pub(crate) struct Fallback {
    canvas: Canvas,
    why: String,
}

/// How pixels get into the window.
enum Canvas {
    Wayland(Surface<OwnedDisplayHandle, Arc<Window>>),
    X11(Box<x11::Canvas>),
}

impl Fallback {
    /// # Errors
    /// [`StageError::NoGpu`] with `why`, when the window cannot be drawn on this way either.
    pub(crate) fn open(pane: &Pane, why: String) -> Result<Fallback, StageError> {
        match Canvas::open(pane) {
            Ok(canvas) => Ok(Fallback { canvas, why }),
            Err(error) => Err(StageError::NoGpu(format!("{why}; nor by the processor: {error}"))),
        }
    }

    /// Draws the card; a window that takes none is left as it is.
    pub(crate) fn draw(&mut self, size: Size) {
        if let Err(error) = self.try_draw(size) {
            tracing::warn!(error, "the card about the missing GPU cannot be shown");
        }
    }

    fn try_draw(&mut self, size: Size) -> Result<(), String> {
        let sides = (NonZeroU32::new(size.width_px), NonZeroU32::new(size.height_px));
        let (Some(width), Some(height)) = sides else { return Ok(()) };
        let rgba = render_svg(&no_gpu_card(&self.why, size), size)?;
        let put = match &mut self.canvas {
            Canvas::Wayland(surface) => put_on_wayland(surface, (width, height), &rgba),
            Canvas::X11(canvas) => canvas.put(size, &rgba),
        };
        put.map_err(|error| error.to_string())
    }
}

impl Canvas {
    fn open(pane: &Pane) -> Outcome<Canvas> {
        match pane.window.window_handle()?.as_raw() {
            RawWindowHandle::Xlib(handle) => {
                let canvas = x11::Canvas::open(u32::try_from(handle.window)?)?;
                Ok(Canvas::X11(Box::new(canvas)))
            }
            _ => {
                let context = Context::new(pane.display.clone())?;
                Ok(Canvas::Wayland(Surface::new(&context, pane.window.clone())?))
            }
        }
    }
}

fn put_on_wayland(
    surface: &mut Surface<OwnedDisplayHandle, Arc<Window>>,
    (width, height): (NonZeroU32, NonZeroU32),
    rgba: &[u8],
) -> Outcome<()> {
    surface.resize(width, height)?;
    let mut pixels = surface.buffer_mut()?;
    for (to, from) in pixels.iter_mut().zip(rgba.chunks_exact(4)) {
        *to = u32::from_be_bytes([0, from[0], from[1], from[2]]);
    }
    Ok(pixels.present()?)
}
