//! Where pictures go: canvas to screen, rectangle to pixels, picture into rectangle.
//!
//! In:  sizes, rectangles and fits as the scene has them. Out: whole screen pixels.
//!
//! Promises, each held by a property test below: a contained picture stays inside its rectangle and
//! touches two opposite edges; a covering one leaves no pixel of it free; nothing is drawn outside
//! the rectangle or the screen; hostile numbers (infinite, negative, not a number) give an empty
//! area, never a panic.

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

/// How a scene's canvas lies on the screen: scaled uniformly and centred.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct View {
    /// Screen pixels per canvas pixel.
    pub scale: f64,
    left: f64,
    top: f64,
    canvas: Size,
}

impl View {
    /// The view of `canvas`, or of the screen itself.
    pub(crate) fn of(canvas: Option<Size>, screen: Size) -> View {
        let canvas = canvas.filter(|size| size.width_px > 0 && size.height_px > 0);
        let canvas = canvas.unwrap_or(screen);
        let (width, height) = (f64::from(canvas.width_px), f64::from(canvas.height_px));
        let (screen_width, screen_height) =
            (f64::from(screen.width_px), f64::from(screen.height_px));
        let scale = match canvas == screen {
            true => 1.0,
            false => (screen_width / width).min(screen_height / height),
        };
        let left = (screen_width - width * scale) / 2.0;
        let top = (screen_height - height * scale) / 2.0;
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

/// One draw: the pixels touched, and which part of the picture (0 to 1; outside: background) lies
/// at their outer edges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quad {
    /// Pixels, all of them on the screen.
    pub area: Area,
    /// Picture coordinates at the left, top, right and bottom edge.
    pub uv: [f32; 4],
}

/// Centres a picture of `size` in `layer` and cuts it to there and to the screen. With `whole`, all
/// of the layer is touched (it has a background). None: nothing to be seen.
pub(crate) fn quad(size: Size, layer: Area, screen: Size, whole: bool) -> Option<Quad> {
    let centred = |from: i32, room: u32, length: u32| {
        let offset = (i64::from(room) - i64::from(length)).div_euclid(2);
        i32::try_from(i64::from(from) + offset).unwrap_or(i32::MIN)
    };
    let picture = Area {
        x_px: centred(layer.x_px, layer.width_px, size.width_px),
        y_px: centred(layer.y_px, layer.height_px, size.height_px),
        width_px: size.width_px,
        height_px: size.height_px,
    };
    let bounds = layer.common(Area::of(screen));
    let area = if whole { bounds } else { bounds.common(picture) };
    if area.is_empty() || picture.is_empty() {
        return None;
    }
    let part = |edge: i64, from: i32, length: u32| {
        ((edge - i64::from(from)) as f64 / f64::from(length)) as f32
    };
    let uv = [
        part(i64::from(area.x_px), picture.x_px, picture.width_px),
        part(i64::from(area.y_px), picture.y_px, picture.height_px),
        part(area.right(), picture.x_px, picture.width_px),
        part(area.bottom(), picture.y_px, picture.height_px),
    ];
    Some(Quad { area, uv })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size() -> impl Strategy<Value = Size> {
        (1..5_000u32, 1..5_000u32).prop_map(|(width_px, height_px)| Size { width_px, height_px })
    }

    fn area() -> impl Strategy<Value = Area> {
        (-3_000..3_000i32, -3_000..3_000i32, size()).prop_map(|(x_px, y_px, size)| Area {
            x_px,
            y_px,
            width_px: size.width_px,
            height_px: size.height_px,
        })
    }

    fn picture(natural: Size, covers: Size, fit: Fit) -> Size {
        Fitting { covers, fit, scale: 1.0 }
            .picture(natural.width_px.into(), natural.height_px.into())
    }

    fn inside(inner: Area, outer: Area) -> bool {
        inner.common(outer) == inner
    }

    proptest! {
        #[test]
        fn contained_is_inside_and_touches_two_edges(natural in size(), covers in size()) {
            let got = picture(natural, covers, Fit::Contain);
            prop_assert!(got.width_px <= covers.width_px && got.height_px <= covers.height_px);
            prop_assert!(got.width_px == covers.width_px || got.height_px == covers.height_px);
        }

        #[test]
        fn covering_leaves_nothing_free(natural in size(), covers in size()) {
            let got = picture(natural, covers, Fit::Cover);
            prop_assert!(got.width_px >= covers.width_px && got.height_px >= covers.height_px);
        }

        #[test]
        fn quads_stay_on_layer_and_screen(
            natural in size(), layer in area(), screen in size(), whole: bool,
        ) {
            for fit in [Fit::Contain, Fit::Cover, Fit::Stretch, Fit::None] {
                let placed = picture(natural, layer.size(), fit);
                let Some(quad) = quad(placed, layer, screen, whole) else { continue };
                prop_assert!(inside(quad.area, layer) && inside(quad.area, Area::of(screen)));
                if !whole {
                    prop_assert!(quad.uv.iter().all(|uv| (0.0..=1.0).contains(uv)));
                }
                let [left, top, right, bottom] = quad.uv;
                prop_assert!(left < right && top < bottom);
            }
        }

        #[test]
        fn hostile_rectangles_do_no_harm(
            x: f32, y: f32, width: f32, height: f32, canvas in size(), screen in size(),
        ) {
            let rect = Rect { x_px: x, y_px: y, width_px: width, height_px: height };
            let layer = View::of(Some(canvas), screen).layer(Some(rect));
            if let Some(quad) = quad(Size { width_px: 5, height_px: 5 }, layer, screen, true) {
                prop_assert!(inside(quad.area, Area::of(screen)));
            }
        }

        #[test]
        fn a_canvas_is_centred_and_keeps_its_shape(canvas in size(), screen in size()) {
            let all = View::of(Some(canvas), screen).layer(None);
            prop_assert!(inside(all, Area::of(screen)));
            let free = (screen.width_px - all.width_px, screen.height_px - all.height_px);
            prop_assert!(free.0 <= 1 || free.1 <= 1, "both sides letterboxed: {:?}", free);
            let left = all.x_px.unsigned_abs();
            prop_assert!(left.abs_diff(free.0 - left) <= 1, "not centred");
        }
    }

    #[test]
    fn places() {
        let screen = Size { width_px: 1280, height_px: 720 };
        let canvas = Some(Size { width_px: 1920, height_px: 1080 });
        let rect = |x_px, y_px, width_px, height_px| Some(Rect { x_px, y_px, width_px, height_px });
        for (case, canvas, place, want) in [
            ("the screen itself", None, None, [0, 0, 1280, 720]),
            ("a whole canvas", canvas, None, [0, 0, 1280, 720]),
            ("a quarter", canvas, rect(960.0, 540.0, 960.0, 540.0), [640, 360, 640, 360]),
            ("a hair", canvas, rect(0.0, 0.0, 0.1, 1080.0), [0, 0, 1, 720]),
            ("nothing", canvas, rect(0.0, 0.0, 0.0, 9.0), [0, 0, 0, 0]),
            ("empty canvas", Some(Size { width_px: 0, height_px: 0 }), None, [0, 0, 1280, 720]),
        ] {
            let got = View::of(canvas, screen).layer(place);
            let got = [got.x_px, got.y_px, got.width_px as i32, got.height_px as i32];
            assert_eq!(got, want, "{case}");
        }
        let tall = View::of(Some(Size { width_px: 1080, height_px: 1920 }), screen).layer(None);
        assert_eq!((tall.x_px, tall.width_px, tall.height_px), (438, 405, 720));
    }

    #[test]
    fn pixel_for_pixel_is_scaled_with_the_canvas() {
        let covers = Size { width_px: 100, height_px: 100 };
        let got = Fitting { covers, fit: Fit::None, scale: 0.5 }.picture(300.0, 40.0);
        assert_eq!(got, Size { width_px: 150, height_px: 20 });
    }
}
