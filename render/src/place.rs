//! Where pictures go: canvas to screen, rectangle to pixels, picture into rectangle.
//!
//! In:  sizes, rectangles and fits as the scene has them. Out: pixels of the upright screen, whole
//! ones but for pictures that are growing.
//!
//! Promises, each held by a property test below: a contained picture stays inside its rectangle and
//! touches two opposite edges; a covering one leaves no pixel of it free and keeps its focus as near
//! to the middle as that allows; nothing is drawn outside the rectangle; hostile numbers (infinite,
//! negative, not a number) give an empty area, never a panic.
//!
//! Not here: turning the whole picture for the display (`gpu::compositor`).

use crate::scene::{Fit, Rect, Size};
use crate::source::Part;
use crate::transition::Look;

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
    /// Left, top, right and bottom edge in pixels, before it is turned; may reach beyond the screen.
    pub edges: [f32; 4],
    /// Picture coordinates at the same edges.
    pub uv: [f32; 4],
    /// Clockwise, in degrees …
    pub turned_deg: f32,
    /// … about this point, in pixels.
    pub about: [f32; 2],
}

impl Quad {
    /// All of `area` and all of the picture.
    pub(crate) fn of(area: Area) -> Quad {
        let edges = Edges::of(area);
        Quad { edges: edges.0.map(|px| px as f32), uv: WHOLE, turned_deg: 0.0, about: [0.0; 2] }
    }

    /// Moved to the right and down, with the point that it is turned about.
    pub(crate) fn moved(mut self, [x, y]: [f32; 2]) -> Quad {
        let [left, top, right, bottom] = self.edges;
        self.edges = [left + x, top + y, right + x, bottom + y];
        self.about = [self.about[0] + x, self.about[1] + y];
        self
    }

    /// The same with only `part` of another picture, which lies where the whole one was to be. None:
    /// nothing of it is seen.
    pub(crate) fn part(&self, part: &Part) -> Option<Quad> {
        let across = Cut::of([self.edges[0], self.edges[2]], [self.uv[0], self.uv[2]], part, 0)?;
        let down = Cut::of([self.edges[1], self.edges[3]], [self.uv[1], self.uv[3]], part, 1)?;
        Some(Quad {
            edges: [across.edges[0], down.edges[0], across.edges[1], down.edges[1]],
            uv: [across.uv[0], down.uv[0], across.uv[1], down.uv[1]],
            ..*self
        })
    }

    /// Whether the picture fills it: no background is seen.
    pub(crate) fn is_filled(&self) -> bool {
        self.uv.iter().all(|uv| (0.0..=1.0).contains(uv))
    }
}

/// A part along one axis: where it is seen and what of its picture.
struct Cut {
    edges: [f32; 2],
    uv: [f32; 2],
}

impl Cut {
    /// `seen`: the share of the layer between `edges`. Axis 0 is across, 1 is down.
    fn of(edges: [f32; 2], seen: [f32; 2], part: &Part, axis: usize) -> Option<Cut> {
        let (at, uv) = (both(part.at, axis), both(part.uv, axis));
        let (from, to) = (at[0].max(f64::from(seen[0])), at[1].min(f64::from(seen[1])));
        let (room, length) = (f64::from(seen[1]) - f64::from(seen[0]), at[1] - at[0]);
        if from >= to || room <= 0.0 || length <= 0.0 {
            return None;
        }
        let [begin, end] = edges.map(f64::from);
        let px = |share: f64| (begin + (share - f64::from(seen[0])) / room * (end - begin)) as f32;
        let of = |share: f64| (uv[0] + (share - at[0]) / length * (uv[1] - uv[0])) as f32;
        Some(Cut { edges: [px(from), px(to)], uv: [of(from), of(to)] })
    }
}

/// The two edges of an axis.
fn both(edges: [f32; 4], axis: usize) -> [f64; 2] {
    let [left, top, right, bottom] = edges.map(f64::from);
    if axis == 0 { [left, right] } else { [top, bottom] }
}

/// All of a picture.
const WHOLE: [f32; 4] = [0.0, 0.0, 1.0, 1.0];

/// A picture where it belongs: in its layer's rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Laid {
    room: Area,
    picture: Area,
    turned_deg: f32,
}

impl Laid {
    /// Lays a picture of `size` into `room`: in the middle, and where it is larger than that, with
    /// `focus` (0 to 1) as near to the middle as can be.
    pub(crate) fn new(size: Size, room: Area, [x, y]: [f32; 2], turned_deg: f32) -> Laid {
        let picture = Area {
            x_px: begin(room.x_px, room.width_px, size.width_px, x),
            y_px: begin(room.y_px, room.height_px, size.height_px, y),
            width_px: size.width_px,
            height_px: size.height_px,
        };
        let turned_deg = if turned_deg.is_finite() { turned_deg % 360.0 } else { 0.0 };
        Laid { room, picture, turned_deg }
    }

    /// What is drawn of it with `look`. With `whole`, all of the rectangle is touched (it has a
    /// background). None: nothing to be seen.
    pub(crate) fn quad(&self, look: &Look, whole: bool) -> Option<Quad> {
        if self.room.is_empty() || self.picture.is_empty() || look.opacity <= 0.0 {
            return None;
        }
        let frame = Edges::of(self.room);
        let picture = Edges::of(self.picture).as_in(look, frame);
        let room = frame.as_in(look, frame);
        let seen = if whole { room } else { room.common(picture) };
        let edges = seen.common(frame.clipped(look.clip));
        let uv = edges.within(picture);
        (!edges.is_empty()).then(|| Quad {
            edges: edges.0.map(|px| px as f32),
            uv: uv.map(|part| part as f32),
            turned_deg: self.turned_deg,
            about: frame.middle().map(|px| px as f32),
        })
    }
}

/// Where a side of `length` begins in `room` that begins at `from`.
fn begin(from: i32, room: u32, length: u32, focus: f32) -> i32 {
    let (room, length) = (i64::from(room), i64::from(length));
    let offset = if length <= room {
        (room - length) / 2
    } else {
        let focus = if focus.is_finite() { f64::from(focus.clamp(0.0, 1.0)) } else { 0.5 };
        let wanted = (room as f64 / 2.0 - length as f64 * focus).floor() as i64;
        wanted.clamp(room - length, 0)
    };
    i32::try_from(i64::from(from) + offset).unwrap_or(i32::MIN)
}

/// Left, top, right, bottom, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Edges([f64; 4]);

impl Edges {
    fn of(area: Area) -> Edges {
        let (left, top) = (f64::from(area.x_px), f64::from(area.y_px));
        Edges([left, top, area.right() as f64, area.bottom() as f64])
    }

    fn extent(self) -> [f64; 2] {
        let Edges([left, top, right, bottom]) = self;
        [right - left, bottom - top]
    }

    fn middle(self) -> [f64; 2] {
        let Edges([left, top, right, bottom]) = self;
        [(left + right) / 2.0, (top + bottom) / 2.0]
    }

    fn common(self, other: Edges) -> Edges {
        let (Edges(one), Edges(two)) = (self, other);
        Edges([one[0].max(two[0]), one[1].max(two[1]), one[2].min(two[2]), one[3].min(two[3])])
    }

    fn is_empty(self) -> bool {
        let Edges([left, top, right, bottom]) = self;
        left >= right || top >= bottom
    }

    /// Scaled about the middle of `frame` and shifted, by whole pixels: what meets at an edge
    /// leaves no hair between.
    fn as_in(self, look: &Look, frame: Edges) -> Edges {
        let ([width, height], [x, y]) = (frame.extent(), frame.middle());
        let by = [width * f64::from(look.shift[0]), height * f64::from(look.shift[1])];
        let scale = f64::from(look.scale);
        let to = |px: f64, middle: f64, by: f64| middle + (px - middle) * scale + by.floor();
        let Edges([left, top, right, bottom]) = self;
        Edges([to(left, x, by[0]), to(top, y, by[1]), to(right, x, by[0]), to(bottom, y, by[1])])
    }

    /// The part of it that `clip` leaves, cut between pixels.
    fn clipped(self, clip: [f32; 4]) -> Edges {
        let (Edges([left, top, ..]), [width, height]) = (self, self.extent());
        let x = |part: f32| left + (width * f64::from(part)).round();
        let y = |part: f32| top + (height * f64::from(part)).round();
        Edges([x(clip[0]), y(clip[1]), x(clip[2]), y(clip[3])])
    }

    /// Where it lies in `outer`, 0 to 1.
    fn within(self, outer: Edges) -> [f64; 4] {
        let (Edges([left, top, right, bottom]), [width, height]) = (self, outer.extent());
        let (x, y) = (outer.0[0], outer.0[1]);
        [(left - x) / width, (top - y) / height, (right - x) / width, (bottom - y) / height]
    }
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

    fn quad_in(quad: &Quad, room: Area) -> bool {
        let Edges(room) = Edges::of(room);
        let [left, top, right, bottom] = quad.edges.map(f64::from);
        left >= room[0] && top >= room[1] && right <= room[2] && bottom <= room[3]
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
        fn quads_stay_on_their_layer(natural in size(), room in area(), whole: bool) {
            for fit in [Fit::Contain, Fit::Cover, Fit::Stretch, Fit::None] {
                let laid = Laid::new(picture(natural, room.size(), fit), room, [0.5; 2], 0.0);
                let Some(quad) = laid.quad(&Look::PLAIN, whole) else { continue };
                prop_assert!(quad_in(&quad, room), "{:?} outside of {:?}", quad, room);
                prop_assert!(quad.edges.iter().all(|px| px.fract() == 0.0), "half a pixel");
                prop_assert!(whole || quad.is_filled());
                let [left, top, right, bottom] = quad.uv;
                prop_assert!(left < right && top < bottom);
            }
        }

        #[test]
        fn whatever_is_done_to_a_picture_it_stays_in_its_room(
            natural in size(), room in area(), whole: bool, scale in 0.0..1.0f32,
            shift in (-1.5..1.5f32, -1.5..1.5f32), clip in (0.0..1.0f32, 0.0..1.0f32),
        ) {
            let laid = Laid::new(natural, room, [0.5; 2], 0.0);
            let clip = [clip.0.min(clip.1), 0.0, clip.0.max(clip.1), 1.0];
            let look = Look { opacity: 0.5, scale, shift: [shift.0, shift.1], clip };
            if let Some(quad) = laid.quad(&look, whole) {
                prop_assert!(quad_in(&quad, room), "{:?} outside of {:?}", quad, room);
            }
        }

        #[test]
        fn the_focus_is_in_sight_and_as_near_to_the_middle_as_can_be(
            natural in size(), room in area(), x in 0.0..=1.0f32, y in 0.0..=1.0f32,
        ) {
            let size = picture(natural, room.size(), Fit::Cover);
            let at = |focus| Laid::new(size, room, focus, 0.0).picture;
            let got = at([x, y]);
            prop_assert!(got.common(room) == room, "a part of the room is free");
            let far = |area: Area| {
                let (Edges([left, ..]), [middle, _]) = (Edges::of(area), Edges::of(room).middle());
                (left + f64::from(size.width_px) * f64::from(x) - middle).abs()
            };
            for other in [0.0, 0.5, 1.0] {
                prop_assert!(far(got) <= far(at([other, y])) + 1.0, "{} were nearer", other);
            }
        }

        #[test]
        fn hostile_rectangles_do_no_harm(
            x: f32, y: f32, width: f32, height: f32, canvas in size(), screen in size(),
        ) {
            let rect = Rect { x_px: x, y_px: y, width_px: width, height_px: height };
            let room = View::of(Some(canvas), screen).layer(Some(rect));
            let laid = Laid::new(Size { width_px: 5, height_px: 5 }, room, [x, y], width);
            if let Some(quad) = laid.quad(&Look::PLAIN, true) {
                prop_assert!(quad.uv.iter().chain(&quad.about).all(|number| number.is_finite()));
                prop_assert!(quad.turned_deg.is_finite());
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
    fn a_part_is_cut_to_what_is_seen_of_its_layer() {
        // The right half of a layer of 100 by 10 pixels.
        let quad = Quad {
            edges: [50.0, 0.0, 100.0, 10.0],
            uv: [0.5, 0.0, 1.0, 1.0],
            turned_deg: 0.0,
            about: [0.0; 2],
        };
        let part = |left, right| Part { at: [left, 0.25, right, 0.75], uv: [0.0, 0.5, 0.5, 1.0] };
        let whole = quad.part(&part(0.625, 0.75)).expect("seen");
        assert_eq!((whole.edges, whole.uv), ([62.5, 2.5, 75.0, 7.5], [0.0, 0.5, 0.5, 1.0]));
        let half = quad.part(&part(0.25, 0.75)).expect("seen");
        assert_eq!((half.edges, half.uv), ([50.0, 2.5, 75.0, 7.5], [0.25, 0.5, 0.5, 1.0]));
        assert_eq!(quad.part(&part(0.0, 0.5)), None);
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
