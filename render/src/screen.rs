//! The displays taken together: how large the picture is that they show, and what of it each.
//!
//! In:  the extents of the displays, what the scene says of them. Out: an upright picture's extent,
//!      and for each display the pixels that it gets: of a window of its own, or of the one that a
//!      compositor such as cage spreads over all of them.
//!
//! Promises, each held by a property test below: the parts of a picture that is spread over all
//! displays join without gap or overlap; a mirrored one is whole, in its shape and in the middle of
//! each; nothing is drawn finer than was asked for.
//!
//! Not here: which displays there are (`window`), drawing (`gpu::painter`).

use crate::place::{Area, Quad, View};
use crate::scene::{Displays, Rotation, Scene, Size};

/// What there is to draw on, from left to right or from top to bottom; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Screen {
    displays: Vec<Size>,
    stacked: bool,
    /// Where each lies in the one window that is spread over all; empty: each has its own.
    spread: Vec<Area>,
}

impl From<Size> for Screen {
    /// One display.
    fn from(display: Size) -> Screen {
        Screen { displays: vec![display], stacked: false, spread: Vec::new() }
    }
}

impl Screen {
    /// Several, each below the one before if `stacked`, else to the right of it. None if empty.
    pub(crate) fn of(displays: Vec<Size>, stacked: bool) -> Option<Screen> {
        (!displays.is_empty()).then_some(Screen { displays, stacked, spread: Vec::new() })
    }

    /// The same where one window is spread over several, each at its area. None if empty.
    pub(crate) fn spread(areas: Vec<Area>, stacked: bool) -> Option<Screen> {
        let screen = Screen::of(areas.iter().map(|area| area.size()).collect(), stacked)?;
        Some(Screen { spread: areas, ..screen })
    }

    /// The extent of the first display.
    pub(crate) fn main(&self) -> Size {
        self.displays.first().copied().unwrap_or(Size { width_px: 0, height_px: 0 })
    }

    /// How many displays there are.
    pub(crate) fn displays(&self) -> u8 {
        u8::try_from(self.displays.len()).unwrap_or(u8::MAX)
    }

    /// How many pictures `scene` makes: one, or one for each display.
    pub(crate) fn pictures(&self, scene: &Scene) -> u8 {
        if scene.displays == Displays::Each { self.displays() } else { 1 }
    }

    /// The extent of `scene`'s upright picture `number`, from 0.
    pub(crate) fn picture(&self, scene: &Scene, number: u8) -> Size {
        let mut drawn = self.drawn(scene);
        match scene.displays {
            Displays::Each => drawn.nth(number.into()).unwrap_or(self.main()),
            Displays::First | Displays::Mirror => drawn.next().unwrap_or(self.main()),
            Displays::Extend => drawn.fold(Size { width_px: 0, height_px: 0 }, |all, one| {
                let along = |all: u32, one: u32| all.saturating_add(one);
                match self.stacked {
                    true => Size {
                        width_px: all.width_px.max(one.width_px),
                        height_px: along(all.height_px, one.height_px),
                    },
                    false => Size {
                        width_px: along(all.width_px, one.width_px),
                        height_px: all.height_px.max(one.height_px),
                    },
                }
            }),
        }
    }

    /// How a window turns what is drawn on it; one that is spread turns each part by itself.
    pub(crate) fn rotation(&self, scene: &Scene) -> Rotation {
        if self.spread.is_empty() { scene.rotation } else { Rotation::None }
    }

    /// For each display that shows something of picture `number`, in the upright pixels of its
    /// window: where which part of that lies.
    pub(crate) fn parts(&self, scene: &Scene, number: u8) -> Vec<Quad> {
        let parts = self.upright_parts(scene);
        let parts: Vec<_> = match self.spread.is_empty() {
            true => parts,
            false => {
                let hung = |(part, at): (&Quad, &Area)| hung(part, *at, scene.rotation);
                parts.iter().zip(&self.spread).map(hung).collect()
            }
        };
        match scene.displays {
            Displays::Each => parts.into_iter().skip(number.into()).take(1).collect(),
            Displays::First | Displays::Mirror | Displays::Extend => parts,
        }
    }

    fn upright_parts(&self, scene: &Scene) -> Vec<Quad> {
        let picture = self.picture(scene, 0);
        let upright = self.displays.iter().map(|display| scene.rotation.upright(*display));
        match scene.displays {
            Displays::Each => upright.map(|display| Quad::of(Area::of(display))).collect(),
            Displays::First if self.spread.is_empty() => {
                upright.take(1).map(|display| Quad::of(Area::of(display))).collect()
            }
            // There is no window on one alone, and none is left black.
            Displays::First | Displays::Mirror => upright
                .map(|display| Quad::of(View::of(Some(picture), Area::of(display)).layer(None)))
                .collect(),
            Displays::Extend => self.extended(scene, picture, upright),
        }
    }

    fn extended(
        &self,
        scene: &Scene,
        picture: Size,
        upright: impl Iterator<Item = Size>,
    ) -> Vec<Quad> {
        let share = |px: u32, of: u32| (f64::from(px) / f64::from(of.max(1))) as f32;
        let mut at = 0u32;
        let mut parts = Vec::with_capacity(self.displays.len());
        for (display, drawn) in upright.zip(self.drawn(scene)) {
            let (left, top) = if self.stacked { (0, at) } else { (at, 0) };
            let (right, bottom) = (left + drawn.width_px, top + drawn.height_px);
            at = if self.stacked { bottom } else { right };
            let (width, height) = (picture.width_px, picture.height_px);
            let uv = [
                share(left, width),
                share(top, height),
                share(right, width),
                share(bottom, height),
            ];
            parts.push(Quad { uv, ..Quad::of(Area::of(display)) });
        }
        parts
    }

    /// The upright extent of each display, as fine as it is drawn.
    fn drawn<'a>(&'a self, scene: &'a Scene) -> impl Iterator<Item = Size> + 'a {
        let upright = self.displays.iter().map(|display| scene.rotation.upright(*display));
        upright.map(|display| match scene.resolution {
            Some(most) => at_most(display, most),
            None => display,
        })
    }
}

/// `part` of an upright display, in a window where that display lies at `at`.
fn hung(part: &Quad, at: Area, rotation: Rotation) -> Quad {
    let half = |px: u32| px as f32 / 2.0;
    let upright = rotation.upright(at.size());
    let about = [at.x_px as f32 + half(at.width_px), at.y_px as f32 + half(at.height_px)];
    let by = [about[0] - half(upright.width_px), about[1] - half(upright.height_px)];
    let turned_deg = match rotation {
        Rotation::None => 0.0,
        Rotation::Quarter => 90.0,
        Rotation::Half => 180.0,
        Rotation::ThreeQuarters => 270.0,
    };
    Quad { turned_deg, about, ..part.moved(by) }
}

/// `size` in its shape, scaled down to fit in `most`, whichever way up that is.
fn at_most(size: Size, most: Size) -> Size {
    let sides = |size: Size| [size.width_px, size.height_px].map(|px| f64::from(px.max(1)));
    let sorted = |[one, other]: [f64; 2]| [one.max(other), one.min(other)];
    let (own, room) = (sorted(sides(size)), sorted(sides(most)));
    let scale = (room[0] / own[0]).min(room[1] / own[1]).min(1.0);
    let side = |px: u32| (f64::from(px) * scale).round() as u32;
    Size { width_px: side(size.width_px), height_px: side(size.height_px) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size() -> impl Strategy<Value = Size> {
        (1..5_000u32, 1..5_000u32).prop_map(|(width_px, height_px)| Size { width_px, height_px })
    }

    fn rotation() -> impl Strategy<Value = Rotation> {
        use Rotation::{Half, None, Quarter, ThreeQuarters};
        prop::sample::select(vec![None, Quarter, Half, ThreeQuarters])
    }

    fn fhd(width_px: u32, height_px: u32) -> Size {
        Size { width_px, height_px }
    }

    proptest! {
        #[test]
        fn parts_of_an_extended_picture_join(
            displays in prop::collection::vec(size(), 1..4), stacked: bool,
            rotation in rotation(), resolution in prop::option::of(size()),
        ) {
            let screen = Screen::of(displays, stacked).expect("not empty");
            let displays = Displays::Extend;
            let scene = Scene { displays, rotation, resolution, ..Scene::default() };
            let parts = screen.parts(&scene, 0);
            prop_assert_eq!(parts.len(), screen.displays.len());
            let (from, to) = if stacked { (1, 3) } else { (0, 2) };
            prop_assert_eq!(parts[0].uv[from], 0.0);
            prop_assert!((parts[parts.len() - 1].uv[to] - 1.0).abs() < 1e-6);
            prop_assert!(parts.windows(2).all(|two| two[0].uv[to] == two[1].uv[from]));
        }

        #[test]
        fn a_mirrored_picture_is_whole_and_keeps_its_shape(
            displays in prop::collection::vec(size(), 1..4), rotation in rotation(),
        ) {
            let screen = Screen::of(displays, false).expect("not empty");
            let scene = Scene { displays: Displays::Mirror, rotation, ..Scene::default() };
            let picture = screen.picture(&scene, 0);
            for (part, display) in screen.parts(&scene, 0).iter().zip(&screen.displays) {
                let display = rotation.upright(*display);
                prop_assert_eq!(part.uv, [0.0, 0.0, 1.0, 1.0]);
                let [left, top, right, bottom] = part.edges;
                let (width, height) = (right - left, bottom - top);
                prop_assert!(left >= 0.0 && right <= display.width_px as f32);
                prop_assert!(top >= 0.0 && bottom <= display.height_px as f32);
                let wanted = width * picture.height_px as f32 / picture.width_px as f32;
                let off = (wanted - height).abs();
                let finest = picture.height_px.max(picture.width_px) as f32
                    / picture.width_px.min(picture.height_px) as f32;
                prop_assert!(off <= 1.0 + finest, "{:?} of {:?}", part.edges, picture);
            }
        }

        #[test]
        fn nothing_is_drawn_finer_than_asked_for(display in size(), most in size()) {
            let drawn = at_most(display, most);
            let long = |size: Size| size.width_px.max(size.height_px);
            prop_assert!(long(drawn) <= long(most).max(1) && long(drawn) <= long(display));
        }
    }

    #[test]
    fn pictures_of_displays() {
        let two = || Screen::of(vec![fhd(1920, 1080), fhd(1280, 1024)], false).expect("two");
        let uhd = || Screen::from(fhd(3840, 2160));
        let hd = Some(fhd(1920, 1080));
        let none = Rotation::None;
        let quarter = Rotation::Quarter;
        for (case, screen, displays, rotation, resolution, wanted) in [
            ("one", uhd(), Displays::First, none, None, fhd(3840, 2160)),
            ("one, coarser", uhd(), Displays::First, none, hd, fhd(1920, 1080)),
            ("on its side, coarser", uhd(), Displays::First, quarter, hd, fhd(1080, 1920)),
            (
                "already coarse",
                Screen::from(fhd(1280, 720)),
                Displays::First,
                none,
                hd,
                fhd(1280, 720),
            ),
            ("first of two", two(), Displays::First, none, None, fhd(1920, 1080)),
            ("mirrored", two(), Displays::Mirror, none, None, fhd(1920, 1080)),
            ("extended", two(), Displays::Extend, none, None, fhd(3200, 1080)),
            ("extended, on their sides", two(), Displays::Extend, quarter, None, fhd(2104, 1920)),
        ] {
            let scene = Scene { displays, rotation, resolution, ..Scene::default() };
            assert_eq!(screen.picture(&scene, 0), wanted, "{case}");
        }
        let extend = Scene { displays: Displays::Extend, ..Scene::default() };
        let parts = two().parts(&extend, 0);
        assert_eq!(parts[1].edges, [0.0, 0.0, 1280.0, 1024.0]);
        assert_eq!(parts[1].uv, [0.6, 0.0, 1.0, (1024.0f32 / 1080.0)]);
    }
}
