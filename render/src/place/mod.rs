//! Where pictures go: canvas to screen, rectangle to pixels, picture into rectangle.
//!
//! In:  sizes, rectangles and fits as the scene has them. Out: pixels of the upright screen, whole
//! ones but for pictures that are growing.
//!
//! Promises, each held by a property in `place/tests.rs`: a contained picture stays inside its rectangle and
//! touches two opposite edges; a covering one leaves no pixel of it free and keeps its focus as near
//! to the middle as that allows; nothing is drawn outside the rectangle; hostile numbers (infinite,
//! negative, not a number) give an empty area, never a panic.
//!
//! Not here: turning the whole picture for the display (`gpu::compositor`).

mod quad;
#[cfg(test)]
mod tests;

pub(crate) use self::quad::{Laid, Quad};
use crate::scene::{Fit, Rect, Size};

/// Beyond this a coordinate is nonsense; below, all arithmetic here is exact enough in `f64`.
const FAR_PX: f64 = 1e8;

/// Whole pixels of the screen; may reach beyond its edges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Area {
    pub x_px: i32,
    pub y_px: i32,
    pub width_px: u32,
    pub height_px: u32,
}

impl Area {
    /// All of a surface.
    pub(crate) fn of(size: Size) -> Area {
        Area { x_px: 0, y_px: 0, width_px: size.width_px, height_px: size.height_px }
    }

    /// What both have.
    pub(crate) fn common(self, other: Area) -> Area {
        let (x_px, y_px) = (self.x_px.max(other.x_px), self.y_px.max(other.y_px));
        let width = self.right().min(other.right()) - i64::from(x_px);
        let height = self.bottom().min(other.bottom()) - i64::from(y_px);
        let clamp = |side: i64| u32::try_from(side.max(0)).unwrap_or(u32::MAX);
        Area { x_px, y_px, width_px: clamp(width), height_px: clamp(height) }
    }

    /// No pixel in it.
    pub(crate) fn is_empty(self) -> bool {
        self.width_px == 0 || self.height_px == 0
    }

    /// Its extent.
    pub(crate) fn size(self) -> Size {
        Size { width_px: self.width_px, height_px: self.height_px }
    }

    fn right(self) -> i64 {
        i64::from(self.x_px) + i64::from(self.width_px)
    }

    fn bottom(self) -> i64 {
        i64::from(self.y_px) + i64::from(self.height_px)
    }

    /// The pixels whose edges are nearest to these; at least one where there is any extent.
    fn around(x: f64, y: f64, width: f64, height: f64) -> Area {
        let fine = |n: f64| n.abs() < FAR_PX;
        let sound = fine(x) && fine(y) && fine(width) && fine(height);
        if !sound || width <= 0.0 || height <= 0.0 {
            return Area::default();
        }
        let (left, top) = (x.round() as i32, y.round() as i32);
        let side = |from: i32, to: f64| (to.round() as i32).saturating_sub(from).max(1) as u32;
        Area {
            x_px: left,
            y_px: top,
            width_px: side(left, x + width),
            height_px: side(top, y + height),
        }
    }
}

/// What a margin leaves of the screen: whole pixels, at least half of each side.
pub(crate) fn within_margin(screen: Size, margin: f32) -> Area {
    let share = if margin.is_finite() { f64::from(margin).clamp(0.0, 0.25) } else { 0.0 };
    let edge = |side: u32| (f64::from(side) * share).floor() as u32;
    let (x, y) = (edge(screen.width_px), edge(screen.height_px));
    Area {
        x_px: i32::try_from(x).unwrap_or(0),
        y_px: i32::try_from(y).unwrap_or(0),
        width_px: screen.width_px.saturating_sub(2 * x),
        height_px: screen.height_px.saturating_sub(2 * y),
    }
}

/// How a scene's canvas lies on the screen: scaled uniformly and centred in its room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct View {
    /// Screen pixels per canvas pixel.
    pub scale: f64,
    left: f64,
    top: f64,
    canvas: Size,
}

impl View {
    /// The view of `canvas` in `room`, or of the room itself.
    pub(crate) fn of(canvas: Option<Size>, room: Area) -> View {
        let canvas = canvas.filter(|size| size.width_px > 0 && size.height_px > 0);
        let canvas = canvas.unwrap_or(room.size());
        let (width, height) = (f64::from(canvas.width_px), f64::from(canvas.height_px));
        let (room_width, room_height) = (f64::from(room.width_px), f64::from(room.height_px));
        let scale = match canvas == room.size() {
            true => 1.0,
            false => (room_width / width).min(room_height / height),
        };
        let left = f64::from(room.x_px) + (room_width - width * scale) / 2.0;
        let top = f64::from(room.y_px) + (room_height - height * scale) / 2.0;
        View { scale, left, top, canvas }
    }

    /// The pixels of a layer's rectangle; None: of the whole canvas.
    pub(crate) fn layer(&self, place: Option<Rect>) -> Area {
        let (x, y, width, height) = match place {
            Some(rect) => (
                f64::from(rect.x_px),
                f64::from(rect.y_px),
                f64::from(rect.width_px),
                f64::from(rect.height_px),
            ),
            None => (0.0, 0.0, f64::from(self.canvas.width_px), f64::from(self.canvas.height_px)),
        };
        let (x, y) = (self.left + x * self.scale, self.top + y * self.scale);
        Area::around(x, y, width * self.scale, height * self.scale)
    }
}

/// What a layer asks of its picture: filled pixels, how, and screen pixels per canvas pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fitting {
    /// The layer's extent on the screen.
    pub covers: Size,
    /// How the picture is placed in there.
    pub fit: Fit,
    /// Screen pixels per canvas pixel; matters to [`Fit::None`] only.
    pub scale: f64,
}

impl Fitting {
    /// The screen pixels that a picture of `width` by `height` (display pixels) takes, before
    /// anything is cut off; at least one.
    pub(crate) fn picture(&self, width: f64, height: f64) -> Size {
        let (width, height) = (width.max(1.0), height.max(1.0));
        let (to_width, to_height) =
            (f64::from(self.covers.width_px), f64::from(self.covers.height_px));
        let (x, y) = (to_width / width, to_height / height);
        let (scale_x, scale_y) = match self.fit {
            Fit::Contain => (x.min(y), x.min(y)),
            Fit::Cover => (x.max(y), x.max(y)),
            Fit::Stretch => (x, y),
            Fit::None => (self.scale, self.scale),
        };
        let side = |length: f64| length.round().clamp(1.0, FAR_PX) as u32;
        Size { width_px: side(width * scale_x), height_px: side(height * scale_y) }
    }
}
