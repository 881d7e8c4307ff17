//! What the shader makes of pictures, read back and compared with the numbers in Rust.

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, LazyLock};

use image::RgbImage;

use super::light;
use super::painter::GpuPainter;
use super::target::OFFSCREEN_FORMAT;
use super::*;
use crate::colour;
use crate::place::{Area, Laid, Quad};
use crate::scene::{Displays, Rgb, Rotation, Scene, Size};
use crate::screen::Screen;
use crate::source::{Chroma, Colour, Light, Picture, Plane};
use crate::stage::{Drawn, Frame, Page, Paint, Painter};
use crate::transition::Look;

/// Rounding of two 8 bit conversions.
const TOLERANCE: i16 = 2;

pub(super) static GPU: LazyLock<Gpu> = LazyLock::new(|| {
    let waker: Waker = Arc::new(|| {});
    Gpu::open(Wanted::Any, None, &waker).expect("a GPU, at least a software one").0
});

fn size(width_px: u32, height_px: u32) -> Size {
    Size { width_px, height_px }
}

/// Draws `picture` over all of `screen`.
fn draw(picture: &Picture<'_>, screen: Size, layer: impl Fn(Drawn) -> Drawn) -> RgbImage {
    let mut painter = GpuPainter::new(GPU.clone(), OFFSCREEN_FORMAT);
    painter.put(1, picture).expect("put");
    let quad = Quad::of(Area::of(screen));
    let drawn = layer(Drawn { paint: Paint::Turn(1), quad, background: None, opacity: 1.0 });
    read_back(&painter, &frame(vec![drawn], screen), screen)
}

fn frame(layers: Vec<Drawn>, size: Size) -> Frame {
    let page = Page { background: Rgb([0, 0, 0]), layers };
    let parts = vec![Quad::of(Area::of(size))];
    Frame { rotation: Rotation::None, size, parts, page, coming: None, others: Vec::new() }
}

/// A picture of `picture` in the middle of `screen`, all of which is touched.
fn centred(picture: Size, screen: Size) -> Quad {
    let laid = Laid::new(picture, Area::of(screen), [0.5; 2], 0.0);
    laid.quad(&Look::PLAIN, true).expect("something to draw")
}

fn read_back(painter: &GpuPainter, frame: &Frame, screen: Size) -> RgbImage {
    let (tell, told) = sync_channel(1);
    let target = target::texture(&painter.gpu, painter.format, screen, capture::CAPTURED);
    painter.draw(frame, &target::view(&target), screen);
    capture::read(painter, vec![target], move |png| drop(tell.send(png))).expect("thread");
    let png = told.recv().expect("an answer").expect("a picture");
    image::load_from_memory(&png).expect("PNG").into_rgb8()
}

fn close(found: [u8; 3], wanted: [u8; 3]) -> bool {
    found.iter().zip(wanted).all(|(f, w)| (i16::from(*f) - i16::from(w)).abs() <= TOLERANCE)
}

/// What `colour::rows` and `light::to_sdr` make of one sample triple, as 8 bit codes.
fn expected(colour: Colour, codes: [u8; 3]) -> [u8; 3] {
    let [y, cb, cr] = codes.map(|code| f32::from(code) / 255.0);
    let code = colour::rows(colour).map(|row| row[0] * y + row[1] * cb + row[2] * cr + row[3]);
    light::to_sdr(colour.light, code).map(|value| (value * 255.0).round() as u8)
}

fn colours() -> Vec<Colour> {
    let mut all = Vec::new();
    for (kr, kb) in [(0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)] {
        for full_range in [false, true] {
            all.push(Colour { kr, kb, full_range, chroma_left: true, light: Light::Sdr });
        }
    }
    let wide = all[4];
    all.extend([Light::Wide, Light::Pq, Light::Hlg].map(|light| Colour { light, ..wide }));
    all
}

/// Planes of one colour, 6x4 luma, rows 16 bytes apart.
struct Planes {
    luma: Vec<u8>,
    cb: Vec<u8>,
    cr: Vec<u8>,
    both: Vec<u8>,
}

const STRIDE: u32 = 16;

impl Planes {
    fn of([y, cb, cr]: [u8; 3]) -> Planes {
        let rows = |value: [u8; 2], used: usize, rows: usize| {
            // What lies between the rows must never be seen.
            let mut row = vec![77; STRIDE as usize];
            for pair in row[..used].chunks_exact_mut(2) {
                pair.copy_from_slice(&value);
            }
            row.repeat(rows)
        };
        Planes {
            luma: rows([y, y], 6, 4),
            cb: rows([cb, cb], 4, 2),
            cr: rows([cr, cr], 4, 2),
            both: rows([cb, cr], 6, 2),
        }
    }

    fn picture(&self, colour: Colour, nv12: bool) -> Picture<'_> {
        let plane = |data| Plane { data, stride_bytes: STRIDE };
        let chroma = match nv12 {
            true => Chroma::Interleaved(plane(&self.both)),
            false => Chroma::Planar { cb: plane(&self.cb), cr: plane(&self.cr) },
        };
        let luma = plane(&self.luma);
        Picture::Yuv { size: size(6, 4), chroma, luma, colour, pixel_aspect: 1.0 }
    }
}

#[test]
fn shader_matches_the_numbers_in_rust() {
    for codes in [[16, 128, 128], [235, 128, 128], [81, 90, 240], [145, 54, 34], [120, 200, 90]] {
        let planes = Planes::of(codes);
        for colour in colours() {
            for nv12 in [false, true] {
                let got = draw(&planes.picture(colour, nv12), size(12, 8), |drawn| drawn);
                let wanted = expected(colour, codes);
                for (x, y, pixel) in got.enumerate_pixels() {
                    let right = close(pixel.0, wanted);
                    assert!(right, "{codes:?} {colour:?} {nv12} at {x},{y}: {pixel:?} {wanted:?}");
                }
            }
        }
    }
}

/// The comparison above can fail: another matrix is another picture.
#[test]
fn a_wrong_matrix_is_noticed() {
    let codes = [81, 90, 240];
    let all = colours();
    let got = draw(&Planes::of(codes).picture(all[0], true), size(4, 4), |drawn| drawn);
    assert!(!close(got.get_pixel(1, 1).0, expected(all[2], codes)));
}

#[test]
fn left_sited_chroma_is_sampled_where_it_lies() {
    // Luma is flat; chroma rises by 64 from one sample to the next.
    let luma = vec![128; 16];
    let (cb, cr) = (vec![128; 8], vec![32, 96, 160, 224, 32, 96, 160, 224]);
    let plane = |data, stride_bytes| Plane { data, stride_bytes };
    for (chroma_left, at) in
        [(true, [0.0, 0.5, 1.0, 1.5, 2.0]), (false, [0.0, 0.25, 0.75, 1.25, 1.75])]
    {
        let colour =
            Colour { kr: 0.299, kb: 0.114, full_range: true, chroma_left, light: Light::Sdr };
        let chroma = Chroma::Planar { cb: plane(&cb, 4), cr: plane(&cr, 4) };
        let luma = plane(&luma, 8);
        let picture = Picture::Yuv { size: size(8, 2), chroma, luma, colour, pixel_aspect: 1.0 };
        let got = draw(&picture, size(8, 2), |drawn| drawn);
        for (x, at) in at.into_iter().enumerate() {
            let cr = (32.0f32 + 64.0 * at).round() as u8;
            let (found, wanted) = (got.get_pixel(x as u32, 0).0, expected(colour, [128, 128, cr]));
            assert!(close(found, wanted), "left {chroma_left}, x {x}: {found:?}, {wanted:?}");
        }
    }
}

#[test]
fn alpha_background_and_opacity_mix_as_premultiplied() {
    // Half-transparent red over blue, then half of that over black.
    let data = [128, 0, 0, 128].repeat(4);
    let picture = Picture::Rgba { size: size(2, 2), data: &data };
    for (case, background, opacity, wanted) in [
        ("over nothing", None, 1.0, [128, 0, 0]),
        ("over blue", Some(Rgb([0, 0, 255])), 1.0, [128, 0, 127]),
        ("half of it", Some(Rgb([0, 0, 255])), 0.5, [64, 0, 64]),
        ("none of it", Some(Rgb([0, 0, 255])), 0.0, [0, 0, 0]),
    ] {
        let got = draw(&picture, size(4, 4), |drawn| Drawn { background, opacity, ..drawn });
        assert!(close(got.get_pixel(2, 2).0, wanted), "{case}: {:?}", got.get_pixel(2, 2));
    }
}

#[test]
fn moving_pictures_mix_like_still_ones() {
    let white = Planes::of([235, 128, 128]);
    let picture = white.picture(colours()[0], false);
    let screen = size(16, 4);
    let quad = centred(size(6, 4), screen);
    let background = Some(Rgb([100, 0, 0]));
    let got = draw(&picture, screen, |drawn| Drawn { quad, background, opacity: 0.5, ..drawn });
    assert!(close(got.get_pixel(1, 1).0, [50, 0, 0]), "beside it: {:?}", got.get_pixel(1, 1));
    assert!(close(got.get_pixel(8, 1).0, [128; 3]), "in it: {:?}", got.get_pixel(8, 1));
}

#[test]
fn odd_sizes_and_short_planes_are_taken_for_what_they_are() {
    let mut painter = GpuPainter::new(GPU.clone(), OFFSCREEN_FORMAT);
    let data = [128; 64];
    let plane = |bytes: usize| Plane { data: &data[..bytes], stride_bytes: 8 };
    let colour = colours()[0];
    let picture = |luma, chroma| {
        let luma = plane(luma);
        Picture::Yuv { size: size(5, 3), luma, chroma, colour, pixel_aspect: 1.0 }
    };
    let planar = |bytes| Chroma::Planar { cb: plane(bytes), cr: plane(11) };
    painter.put(1, &picture(21, planar(11))).expect("3 rows of 5, 2 of 3");
    painter.put(1, &picture(21, Chroma::Interleaved(plane(14)))).expect("2 rows of 6");
    for short in [
        picture(20, planar(11)),
        picture(21, planar(10)),
        picture(21, Chroma::Interleaved(plane(13))),
    ] {
        let error = painter.put(1, &short).expect_err("a byte is missing");
        assert!(error.contains("wanted"), "{error}");
    }
}

#[test]
fn a_picture_in_its_own_size_is_not_blurred() {
    let checks: Vec<u8> = (0..64)
        .flat_map(|i| if (i + i / 8) % 2 == 0 { [255; 4] } else { [0, 0, 0, 255] })
        .collect();
    let picture = Picture::Rgba { size: size(8, 8), data: &checks };
    let got = draw(&picture, size(8, 8), |drawn| drawn);
    for (x, y, pixel) in got.enumerate_pixels() {
        let wanted = if (x + y) % 2 == 0 { 255 } else { 0 };
        assert_eq!(pixel.0, [wanted; 3], "at {x},{y}");
    }
}

#[test]
fn bars_have_the_layers_background() {
    let data = [255u8, 255, 255, 255].repeat(4);
    let picture = Picture::Rgba { size: size(2, 2), data: &data };
    let screen = size(16, 4);
    let quad = centred(size(4, 4), screen);
    let got = draw(&picture, screen, |drawn| Drawn {
        quad,
        background: Some(Rgb([10, 20, 30])),
        ..drawn
    });
    let row: Vec<_> = (0..16).map(|x| got.get_pixel(x, 2).0[0]).collect();
    assert_eq!(row, [10, 10, 10, 10, 10, 10, 255, 255, 255, 255, 10, 10, 10, 10, 10, 10]);
}

/// A picture of four columns, each of its own shade, as display `number` of `screen` shows it.
fn shown(screen: &Screen, scene: &Scene, (number, display): (usize, Size)) -> RgbImage {
    columns_on(display, vec![screen.parts(scene, 0)[number]], screen, scene)
}

/// The same as a window of `size` shows these parts of it.
fn columns_on(window: Size, parts: Vec<Quad>, screen: &Screen, scene: &Scene) -> RgbImage {
    let mut painter = GpuPainter::new(GPU.clone(), OFFSCREEN_FORMAT);
    let columns =
        [[10, 10, 10, 255], [80, 80, 80, 255], [160, 160, 160, 255], [250, 250, 250, 255]];
    let data = columns.concat();
    painter.put(1, &Picture::Rgba { size: size(4, 1), data: &data }).expect("put");
    let picture = screen.picture(scene, 0);
    let quad = Quad::of(Area::of(picture));
    let drawn = Drawn { paint: Paint::Turn(1), quad, background: None, opacity: 1.0 };
    let frame = Frame { rotation: screen.rotation(scene), parts, ..frame(vec![drawn], picture) };
    read_back(&painter, &frame, window)
}

#[test]
fn displays_show_their_part_of_the_picture() {
    let display = size(40, 20);
    let two = Screen::of(vec![display, display], false).expect("two");
    let extend = Scene { displays: Displays::Extend, ..Scene::default() };
    let shade = |picture: &RgbImage, x, y| picture.get_pixel(x, y).0[0];
    let near = |found: u8, wanted: u8| found.abs_diff(wanted) <= 3;
    let (left, right) = (shown(&two, &extend, (0, display)), shown(&two, &extend, (1, display)));
    assert!(near(shade(&left, 2, 10), 10) && near(shade(&right, 37, 10), 250));
    // They meet in the middle: what is last on the one is half a pixel from what is first there.
    assert!(shade(&left, 39, 10).abs_diff(shade(&right, 0, 10)) <= 6);
    // Hung on their right sides, each is turned by itself.
    let turned = Scene { rotation: Rotation::Quarter, ..extend };
    let left = shown(&two, &turned, (0, display));
    assert!(near(shade(&left, 20, 2), 10) && shade(&left, 20, 17) > 90, "not turned");
    let right = shown(&two, &turned, (1, display));
    assert!(near(shade(&right, 20, 17), 250) && shade(&right, 20, 2) < 160, "not turned");
    // Mirrored on a display of another shape: bars, and in between all of it.
    let other = size(40, 40);
    let both = Screen::of(vec![display, other], false).expect("two");
    let mirror = Scene { displays: Displays::Mirror, ..Scene::default() };
    let mirrored = shown(&both, &mirror, (1, other));
    let seen = [(2, 5, 0), (2, 20, 10), (37, 20, 250), (37, 35, 0)];
    assert!(seen.iter().all(|(x, y, wanted)| near(shade(&mirrored, *x, *y), *wanted)));
}

#[test]
fn displays_under_one_window_show_what_they_would_under_their_own() {
    use Rotation::{Half, None, Quarter, ThreeQuarters};
    // The second is smaller and does not begin at the top.
    let at = |x_px, y_px, width_px, height_px| Area { x_px, y_px, width_px, height_px };
    let areas = [at(0, 0, 40, 21), at(40, 5, 30, 16)];
    let spread = Screen::spread(areas.to_vec(), false).expect("two");
    let apart = Screen::of(areas.map(Area::size).to_vec(), false).expect("two");
    for (displays, alone) in [
        (Displays::Extend, Displays::Extend),
        (Displays::Mirror, Displays::Mirror),
        // None can be left out.
        (Displays::First, Displays::Mirror),
    ] {
        for rotation in [None, Quarter, Half, ThreeQuarters] {
            let scene = Scene { displays, rotation, ..Scene::default() };
            let window = columns_on(size(70, 21), spread.parts(&scene, 0), &spread, &scene);
            for (number, area) in areas.into_iter().enumerate() {
                let scene = Scene { displays: alone, ..scene.clone() };
                let own = shown(&apart, &scene, (number, area.size()));
                for (x, y, wanted) in own.enumerate_pixels() {
                    let found = window.get_pixel(area.x_px as u32 + x, area.y_px as u32 + y);
                    let near = found.0[0].abs_diff(wanted.0[0]) <= 3;
                    assert!(near, "{displays:?} {rotation:?} on {number} at {x}, {y}");
                }
            }
        }
    }
}

#[test]
fn under_one_window_each_display_has_its_own_picture() {
    let at = |x_px, y_px, width_px, height_px| Area { x_px, y_px, width_px, height_px };
    let areas = vec![at(0, 0, 40, 20), at(40, 4, 30, 16)];
    let screen = Screen::spread(areas, false).expect("two");
    for rotation in [Rotation::None, Rotation::Quarter] {
        let scene = Scene { displays: Displays::Each, rotation, ..Scene::default() };
        let painter = GpuPainter::new(GPU.clone(), OFFSCREEN_FORMAT);
        let own = |number: u8, shade: u8| {
            let parts = screen.parts(&scene, number);
            let plain = frame(Vec::new(), screen.picture(&scene, number));
            let page = Page { background: Rgb([shade; 3]), ..plain.page.clone() };
            Frame { rotation: screen.rotation(&scene), parts, page, ..plain }
        };
        let both = Frame { others: vec![own(1, 200)], ..own(0, 100) };
        let seen = read_back(&painter, &both, size(70, 20));
        for ((x, y), shade) in [
            ((0, 0), 100),
            ((39, 19), 100),
            ((40, 4), 200),
            ((69, 19), 200),
            // No display shows this.
            ((50, 3), 0),
        ] {
            assert_eq!(seen.get_pixel(x, y).0, [shade; 3], "{rotation:?} at {x}, {y}");
        }
    }
}

#[test]
fn a_coarser_canvas_is_scaled_up_over_the_whole_display() {
    let display = size(80, 40);
    let scene = Scene { resolution: Some(size(40, 40)), ..Scene::default() };
    let screen = Screen::from(display);
    assert_eq!(screen.picture(&scene, 0), size(40, 20));
    let picture = shown(&screen, &scene, (0, display));
    let ends = [(0, 0), (0, 39), (79, 0), (79, 39)].map(|(x, y)| picture.get_pixel(x, y).0[0]);
    assert!(ends.iter().zip([10, 10, 250, 250]).all(|(f, w)| f.abs_diff(w) <= 3), "{ends:?}");
}

#[test]
fn textures_are_reused_counted_and_bounded() {
    let mut painter = GpuPainter::new(GPU.clone(), OFFSCREEN_FORMAT);
    let large = size(4096, 4096);
    let data = vec![0; 4096 * 4096 * 4];
    let picture = Picture::Rgba { size: large, data: &data };
    for turn in 0..4 {
        painter.put(turn, &picture).expect("64 MiB each");
        painter.put(turn, &picture).expect("in its own place");
    }
    let refused = painter.put(9, &picture).expect_err("256 MiB are in use");
    assert!(refused.contains("no room"), "{refused}");
    painter.remove(0);
    painter.put(9, &picture).expect("room was made");
    let broken = Picture::Rgba { size: size(2, 2), data: &data[..15] };
    assert!(painter.put(10, &broken).expect_err("short").contains("wanted"));
    let long = Picture::Rgba { size: size(5_000, 1), data: &data };
    assert!(painter.put(10, &long).expect_err("long").contains("5000x1"));
}
