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
use crate::scene::{Rotation, Size};
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

    /// Lets go of the window; why there was a card on it.
    pub(crate) fn into_why(self) -> String {
        self.why
    }

    /// Draws the card, turned; a window that takes none is left as it is.
    pub(crate) fn draw(&mut self, size: Size, rotation: Rotation) {
        if let Err(error) = self.try_draw(size, rotation) {
            tracing::warn!(error, "the card about the missing GPU cannot be shown");
        }
    }

    fn try_draw(&mut self, size: Size, rotation: Rotation) -> Result<(), String> {
        let sides = (NonZeroU32::new(size.width_px), NonZeroU32::new(size.height_px));
        let (Some(width), Some(height)) = sides else { return Ok(()) };
        let upright = rotation.upright(size);
        let rgba = render_svg(&no_gpu_card(&self.why, upright), upright)?;
        let rgba = turned(&rgba, upright, rotation);
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

/// The pixels of an upright picture of `size`, turned clockwise.
fn turned(rgba: &[u8], size: Size, rotation: Rotation) -> Vec<u8> {
    let (width, height) = (size.width_px as usize, size.height_px as usize);
    let at = |x: usize, y: usize| &rgba[(y * width + x) * 4..][..4];
    let columns = || (0..width).flat_map(|x| (0..height).map(move |y| (x, y)));
    match rotation {
        Rotation::None => rgba.to_vec(),
        Rotation::Quarter => columns().flat_map(|(x, y)| at(x, height - 1 - y)).copied().collect(),
        Rotation::Half => rgba.chunks_exact(4).rev().flatten().copied().collect(),
        Rotation::ThreeQuarters => {
            columns().flat_map(|(x, y)| at(width - 1 - x, y)).copied().collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_is_turned_clockwise() {
        // 1 2 3
        // 4 5 6
        let upright: Vec<u8> = (1..=6).flat_map(|n| [n; 4]).collect();
        let size = Size { width_px: 3, height_px: 2 };
        for (rotation, wanted) in [
            (Rotation::None, [1, 2, 3, 4, 5, 6]),
            (Rotation::Quarter, [4, 1, 5, 2, 6, 3]),
            (Rotation::Half, [6, 5, 4, 3, 2, 1]),
            (Rotation::ThreeQuarters, [3, 6, 2, 5, 1, 4]),
        ] {
            let got: Vec<u8> = turned(&upright, size, rotation).chunks(4).map(|p| p[0]).collect();
            assert_eq!(got, wanted, "{rotation:?}");
        }
    }
}
