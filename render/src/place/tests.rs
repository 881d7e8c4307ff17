//! What places promise, whatever comes.

use proptest::prelude::*;

use super::quad::Edges;
use super::*;
use crate::source::Part;
use crate::transition::Look;

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
    Fitting { covers, fit, scale: 1.0 }.picture(natural.width_px.into(), natural.height_px.into())
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
        let room = View::of(Some(canvas), Area::of(screen)).layer(Some(rect));
        let laid = Laid::new(Size { width_px: 5, height_px: 5 }, room, [x, y], width);
        if let Some(quad) = laid.quad(&Look::PLAIN, true) {
            prop_assert!(quad.uv.iter().chain(&quad.about).all(|number| number.is_finite()));
            prop_assert!(quad.turned_deg.is_finite());
        }
    }

    #[test]
    fn a_margin_is_even_and_the_canvas_keeps_out_of_it(
        canvas in prop::option::of(size()), screen in size(), margin: f32,
    ) {
        let room = within_margin(screen, margin);
        prop_assert!(inside(room, Area::of(screen)));
        let free = [room.x_px, room.y_px].map(|px| px as u32);
        prop_assert_eq!(room.width_px + 2 * free[0], screen.width_px);
        prop_assert_eq!(room.height_px + 2 * free[1], screen.height_px);
        prop_assert!(2 * room.width_px + 2 >= screen.width_px, "nothing is left");
        prop_assert!(inside(View::of(canvas, room).layer(None), room));
    }

    #[test]
    fn a_canvas_is_centred_and_keeps_its_shape(canvas in size(), screen in size()) {
        let all = View::of(Some(canvas), Area::of(screen)).layer(None);
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
        let got = View::of(canvas, Area::of(screen)).layer(place);
        let got = [got.x_px, got.y_px, got.width_px as i32, got.height_px as i32];
        assert_eq!(got, want, "{case}");
    }
    let tall = Some(Size { width_px: 1080, height_px: 1920 });
    let tall = View::of(tall, Area::of(screen)).layer(None);
    assert_eq!((tall.x_px, tall.width_px, tall.height_px), (438, 405, 720));
}

#[test]
fn pixel_for_pixel_is_scaled_with_the_canvas() {
    let covers = Size { width_px: 100, height_px: 100 };
    let got = Fitting { covers, fit: Fit::None, scale: 0.5 }.picture(300.0, 40.0);
    assert_eq!(got, Size { width_px: 150, height_px: 20 });
}
