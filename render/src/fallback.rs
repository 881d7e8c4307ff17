//! The window without a GPU: one card that says so, copied by the processor. Never black.

use std::num::NonZeroU32;
use std::sync::Arc;

use softbuffer::{Context, Surface};
use winit::event_loop::OwnedDisplayHandle;
use winit::window::Window;

use crate::gpu::Pane;
use crate::run::StageError;
use crate::scene::Size;
use crate::source::{no_gpu_card, render_svg};

/// A window that the processor draws on.
pub(crate) struct Fallback {
    surface: Surface<OwnedDisplayHandle, Arc<Window>>,
    why: String,
}

impl Fallback {
    /// # Errors
    /// [`StageError::NoGpu`] with `why`, when the window cannot be drawn on this way either.
    pub(crate) fn open(pane: &Pane, why: String) -> Result<Fallback, StageError> {
        let surface = Context::new(pane.display.clone())
            .and_then(|context| Surface::new(&context, pane.window.clone()));
        match surface {
            Ok(surface) => Ok(Fallback { surface, why }),
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
        self.surface.resize(width, height).map_err(|error| error.to_string())?;
        let mut pixels = self.surface.buffer_mut().map_err(|error| error.to_string())?;
        for (to, from) in pixels.iter_mut().zip(rgba.chunks_exact(4)) {
            *to = u32::from_be_bytes([0, from[0], from[1], from[2]]);
        }
        pixels.present().map_err(|error| error.to_string())
    }
}
