//! The part of a picture that is drawn, and where: cut to its rectangle, shifted, growing, turned.

use super::Area;
use crate::scene::Size;
use crate::source::Part;
use crate::transition::Look;

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
    pub(super) picture: Area,
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
pub(super) struct Edges(pub [f64; 4]);

impl Edges {
    pub(super) fn of(area: Area) -> Edges {
        let (left, top) = (f64::from(area.x_px), f64::from(area.y_px));
        Edges([left, top, area.right() as f64, area.bottom() as f64])
    }

    fn extent(self) -> [f64; 2] {
        let Edges([left, top, right, bottom]) = self;
        [right - left, bottom - top]
    }

    pub(super) fn middle(self) -> [f64; 2] {
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
