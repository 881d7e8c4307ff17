//! What the display is handed, looked at: formats, fits, orientations, drawings and cards.
//!
//! Where the right picture can be said in a few colours, it is; cards are compared with pictures in
//! `tests/pictures/`, with tolerance and a count of outliers, because drivers round differently.
//! `VITRINE_BLESS=1` writes what is drawn now in their place: look at it before committing it.

#![allow(missing_docs, clippy::disallowed_methods, clippy::expect_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use image::{Rgb as Pixel, RgbImage};
use support::{Rig, alike, colour, compare, file, layer, near, scene};
use vitrine_render::scene::{Card, Fit, Layer, Rect, Rgb, Scene, Size, Source, Turn};

const RED: [u8; 3] = [0xd0, 0x20, 0x20];
const GREEN: [u8; 3] = [0x20, 0xc0, 0x30];
const BLUE: [u8; 3] = [0x20, 0x40, 0xd0];
const YELLOW: [u8; 3] = [0xe0, 0xc0, 0x20];
const BLACK: [u8; 3] = [0, 0, 0];

fn media(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media").join(name)
}

/// Compares the middles of the four quarters of `area` (x, y, width, height).
fn check_quarters(case: &str, picture: &RgbImage, area: [u32; 4], wanted: [[u8; 3]; 4]) {
    let [x, y, width, height] = area;
    for (quarter, wanted) in wanted.into_iter().enumerate() {
        let (right, below) = (quarter as u32 % 2, quarter as u32 / 2);
        let at = (x + width * (1 + 2 * right) / 4, y + height * (1 + 2 * below) / 4);
        let found = *picture.get_pixel(at.0, at.1);
        assert!(near(found, wanted, 20), "{case}, quarter {quarter}: {found:?}, want {wanted:?}");
    }
}

#[test]
fn every_format_is_shown_and_told_apart_by_its_bytes() {
    let mut rig = Rig::start(48, 32);
    let all = [RED, GREEN, BLUE, YELLOW];
    let grey = |rgb: [u8; 3]| {
        let [r, g, b] = rgb.map(f64::from);
        [(0.2126 * r + 0.7152 * g + 0.0722 * b) as u8; 3]
    };
    let half = |rgb: [u8; 3]| rgb.map(|code| code / 2);
    let dir = tempfile::tempdir().expect("directory");
    let disguised = dir.path().join("really-a-webp.jpg");
    fs::copy(media("quadrants.webp"), &disguised).expect("copied");
    for (turn, (path, wanted)) in (1..).zip([
        (media("quadrants.jpg"), all),
        (media("progressive.jpg"), all),
        (media("grey.jpg"), all.map(grey)),
        (media("quadrants.png"), all),
        (media("sixteen.png"), all),
        (media("interlaced.png"), all),
        (media("half.png"), all.map(half)),
        (media("quadrants.webp"), all),
        (media("two-frames.gif"), all),
        (media("quadrants.bmp"), all),
        (disguised, all),
    ]) {
        let picture = rig.show(scene(vec![file(turn, &path)]));
        check_quarters(&path.display().to_string(), &picture, [0, 0, 48, 32], wanted);
    }
    // Inks have no exact colours without a profile; which is which must be plain.
    let cmyk = rig.show(scene(vec![file(99, &media("cmyk.jpg"))]));
    let strongest = |x, y| {
        let [r, g, b] = cmyk.get_pixel(x, y).0;
        (r > 120, g > 100, b > 120)
    };
    assert_eq!(strongest(12, 8), (true, false, false), "red");
    assert_eq!(strongest(36, 8), (false, true, false), "green");
    assert_eq!(strongest(12, 24), (false, false, true), "blue");
    assert_eq!(strongest(36, 24), (true, true, false), "yellow");
    rig.end();
}

/// The JPEG with an EXIF block that says nothing but how it was held.
fn held(orientation: u8) -> Vec<u8> {
    let plain = fs::read(media("quadrants.jpg")).expect("readable");
    let mut exif = b"\xff\xe1\x00\x22Exif\0\0II\x2a\0\x08\0\0\0\x01\0".to_vec();
    exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]);
    [&plain[..2], &exif, &plain[2..]].concat()
}

#[test]
fn pictures_are_turned_as_they_were_held() {
    let dir = tempfile::tempdir().expect("directory");
    let mut rig = Rig::start(96, 96);
    for (orientation, wanted) in (1..).zip([
        [RED, GREEN, BLUE, YELLOW],
        [GREEN, RED, YELLOW, BLUE],
        [YELLOW, BLUE, GREEN, RED],
        [BLUE, YELLOW, RED, GREEN],
        [RED, BLUE, GREEN, YELLOW],
        [BLUE, RED, YELLOW, GREEN],
        [YELLOW, GREEN, BLUE, RED],
        [GREEN, YELLOW, RED, BLUE],
    ]) {
        let path = dir.path().join(format!("{orientation}.jpg"));
        fs::write(&path, held(orientation)).expect("written");
        let picture = rig.show(scene(vec![file(orientation.into(), &path)]));
        let sideways = orientation > 4;
        let area = if sideways { [16, 0, 64, 96] } else { [0, 16, 96, 64] };
        check_quarters(&format!("orientation {orientation}"), &picture, area, wanted);
        let bar = if sideways { (8, 48) } else { (48, 8) };
        assert_eq!(picture.get_pixel(bar.0, bar.1).0, BLACK, "orientation {orientation}: no bar");
    }
    rig.end();
}

#[test]
fn fits_place_a_picture_in_its_rectangle() {
    let mut rig = Rig::start(96, 96);
    let all = [RED, GREEN, BLUE, YELLOW];
    let grey = [90, 90, 90];
    for (turn, (fit, area, bar)) in (1..).zip([
        (Fit::Contain, [8, 21, 80, 53], Some((48, 14))),
        (Fit::Cover, [8, 8, 80, 80], None),
        (Fit::Stretch, [8, 8, 80, 80], None),
        (Fit::None, [24, 32, 48, 32], Some((48, 20))),
    ]) {
        let place = Rect { x_px: 8.0, y_px: 8.0, width_px: 80.0, height_px: 80.0 };
        let shown = Layer {
            place: Some(place),
            fit,
            background: Some(Rgb(grey)),
            ..file(turn, &media("quadrants.png"))
        };
        let picture = rig.show(scene(vec![shown]));
        check_quarters(&format!("{fit:?}"), &picture, area, all);
        assert_eq!(picture.get_pixel(4, 4).0, BLACK, "{fit:?}: drew outside its rectangle");
        if let Some((x, y)) = bar {
            assert_eq!(picture.get_pixel(x, y).0, grey, "{fit:?}: no background beside it");
        }
    }
    rig.end();
}

#[test]
fn a_canvas_is_scaled_as_one_and_layers_cover_each_other_in_order() {
    let mut rig = Rig::start(64, 36);
    let place = |x_px, width_px| Some(Rect { x_px, y_px: 0.0, width_px, height_px: 1080.0 });
    let back = Layer { place: place(0.0, 1920.0), ..colour(1, [0, 0, 200]) };
    let front = Layer { place: place(960.0, 960.0), opacity: 0.5, ..colour(2, [200, 0, 0]) };
    let canvas = Some(Size { width_px: 1920, height_px: 1080 });
    let wanted = Scene { background: Rgb([9, 9, 9]), canvas, ..scene(vec![back, front]) };
    let picture = rig.show(wanted);
    assert_eq!(picture.get_pixel(31, 18).0, [0, 0, 200]);
    assert!(near(*picture.get_pixel(32, 18), [100, 0, 100], 2));
    rig.end();
}

#[test]
fn large_pictures_are_scaled_without_moire() {
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("stripes.png");
    let stripes = RgbImage::from_fn(1280, 720, |x, _| Pixel([if x % 2 == 0 { 255 } else { 0 }; 3]));
    stripes.save(&path).expect("saved");
    let mut rig = Rig::start(128, 72);
    let picture = rig.show(scene(vec![file(1, &path)]));
    for (x, y, pixel) in picture.enumerate_pixels() {
        assert!(near(*pixel, [127; 3], 8), "{x},{y}: {pixel:?}");
    }
    rig.end();
}

#[test]
fn drawings_are_sharp_at_any_size_and_read_no_other_file() {
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("drawing.svg");
    let other = media("quadrants.png");
    let drawing = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 9">
        <rect width="8" height="9" fill="#d02020"/><rect x="8" width="8" height="9" fill="#2040d0"/>
        <image href="file://{0}" width="16" height="9"/><image href="{0}" width="16" height="9"/>
        </svg>"##,
        other.display()
    );
    fs::write(&path, drawing).expect("written");
    let mut rig = Rig::start(160, 90);
    let picture = rig.show(scene(vec![file(1, &path)]));
    check_quarters("drawing", &picture, [0, 0, 160, 90], [RED, BLUE, RED, BLUE]);
    for y in 0..90 {
        let (left, right) = (*picture.get_pixel(79, y), *picture.get_pixel(80, y));
        assert!(near(left, RED, 2) && near(right, BLUE, 2), "blurred at row {y}");
    }
    rig.end();
}

#[test]
fn what_is_no_whole_picture_is_refused_and_says_why() {
    let dir = tempfile::tempdir().expect("directory");
    let rig = Rig::start(48, 32);
    let cut = |name: &str| {
        let bytes = fs::read(media(name)).expect("readable");
        bytes[..bytes.len() - 6].to_vec()
    };
    let huge =
        b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x20\x4e\0\0\x20\x4e\0\0\x01\0\x18\0".to_vec();
    let thumbnail = [b"\xff\xd8\xff\xe1\0\x08".as_slice(), b"\xff\xd9ab\xff\xd9"].concat();
    for (turn, (name, bytes, says)) in (1..).zip([
        ("empty", Vec::new(), "not a picture"),
        ("text.jpg", b"hello".to_vec(), "not a picture"),
        ("cut.jpg", cut("quadrants.jpg"), "ends before"),
        ("cut-progressive.jpg", cut("progressive.jpg"), "ends before"),
        ("thumbnail.jpg", thumbnail, "JPEG"),
        ("cut.png", cut("quadrants.png"), "PNG"),
        ("cut.webp", cut("quadrants.webp"), "WebP"),
        ("cut.bmp", cut("quadrants.bmp"), "BMP"),
        ("huge.bmp", [huge, vec![0; 24]].concat(), "at most"),
        ("broken.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><g>".to_vec(), "SVG"),
    ]) {
        let path = dir.path().join(name);
        fs::write(&path, bytes).expect("written");
        rig.wish(scene(vec![file(turn, &path)]), None);
        let error = rig.wait_failed(turn);
        assert!(error.contains(says) && error.contains(name), "{name}: {error}");
    }
    rig.wish(scene(vec![file(50, dir.path())]), None);
    assert!(rig.wait_failed(50).contains("not a plain file"));
    rig.end();
}

fn card(turn: Turn, card: Card) -> Scene {
    scene(vec![layer(turn, Source::Card(card))])
}

fn pairing() -> Card {
    Card::Pairing {
        user_code: "WDJB-MJHT".into(),
        verification_uri: "https://signage.example/pair".into(),
        verification_uri_complete: "https://signage.example/pair?code=WDJB-MJHT".into(),
        fingerprint: "4f2a 91c0 77be 03d8".into(),
    }
}

fn no_content() -> Card {
    Card::NoContent {
        headline: "No content yet".into(),
        detail: "This screen is paired and waits for its first playlist. Publish one in the \
                 operator console, and it starts by itself."
            .into(),
    }
}

fn identify() -> Card {
    Card::Identify { name: "Lobby left".into(), detail: "192.168.1.23\nVitrine 0.1.0".into() }
}

#[test]
fn cards_look_as_they_were_approved() {
    for (name, width, height) in
        [("wide", 320, 180), ("tall", 180, 320), ("square", 200, 200), ("tiny", 64, 36)]
    {
        let mut rig = Rig::start(width, height);
        compare(&format!("pairing-{name}"), &rig.show(card(1, pairing())));
        compare(&format!("no-content-{name}"), &rig.show(card(2, no_content())));
        let under = Layer { fit: Fit::Cover, ..file(3, &media("quadrants.png")) };
        let over = layer(4, Source::Card(identify()));
        compare(&format!("identify-{name}"), &rig.show(scene(vec![under, over])));
        rig.end();
    }
}

/// The comparison can fail: a picture moved by two pixels is another picture.
#[test]
fn a_moved_picture_is_noticed() {
    let mut rig = Rig::start(320, 180);
    let right = rig.show(card(1, pairing()));
    let moved = RgbImage::from_fn(320, 180, |x, y| *right.get_pixel((x + 2) % 320, y));
    assert!(alike(&right, &right).is_ok());
    assert!(alike(&right, &moved).is_err(), "nobody would notice a wrong picture");
    rig.end();
}
