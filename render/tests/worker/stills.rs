//! Still pictures that a worker decodes: AVIF, of every kind that encoders make.
//!
//! The files come from libavif and from FFmpeg; `quadrants.png` is what they were made from.

use std::path::Path;

use gstreamer::prelude::*;
use gstreamer::{Caps, ElementFactory, ElementFactoryType, PluginFeature, Rank, Registry};
use image::RgbImage;

use super::rig::{as_worker, command};
use super::support::{Rig, file, near, scene};

const RED: [u8; 3] = [0xd0, 0x20, 0x20];
const GREEN: [u8; 3] = [0x20, 0xc0, 0x30];
const BLUE: [u8; 3] = [0x20, 0x40, 0xd0];
const YELLOW: [u8; 3] = [0xe0, 0xc0, 0x20];
const QUARTERS: [[u8; 3]; 4] = [RED, GREEN, BLUE, YELLOW];

fn media(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media").join(name)
}

/// The middles of the four quarters of `area` (x, y, width, height).
fn quarters(picture: &RgbImage, [x, y, width, height]: [u32; 4]) -> [[u8; 3]; 4] {
    [(1, 1), (3, 1), (1, 3), (3, 3)]
        .map(|(h, v)| picture.get_pixel(x + width * h / 4, y + height * v / 4).0)
}

fn check(case: &str, found: [[u8; 3]; 4], wanted: [[u8; 3]; 4]) {
    let alike = found.iter().zip(wanted).all(|(f, w)| near(image::Rgb(*f), w, 4));
    assert!(alike, "{case}: {found:?}, want {wanted:?}");
}

#[test]
fn avif_is_a_still_like_others() {
    let mut rig = Rig::with_worker(48, 32, command());
    let grey = |rgb: [u8; 3]| {
        let [r, g, b] = rgb.map(f64::from);
        [(0.299 * r + 0.587 * g + 0.114 * b).round() as u8; 3]
    };
    // Nothing, all, a half and a quarter of it.
    let seen =
        [0u16, 255, 128, 64].map(|alpha| move |code: u8| (u16::from(code) * alpha / 255) as u8);
    let seen = std::array::from_fn(|quarter| QUARTERS[quarter].map(&seen[quarter]));
    for (turn, name, wanted) in [
        (1, "quadrants.avif", QUARTERS),
        (2, "see-through.avif", seen),
        (3, "grey-quadrants.avif", QUARTERS.map(grey)),
    ] {
        let picture = rig.show(scene(vec![file(turn, &media(name))]));
        check(name, quarters(&picture, [0, 0, 48, 32]), wanted);
    }
    // Colours that change from pixel to pixel stay what they are where the file has them whole.
    for (turn, name) in [(4, "fine.avif"), (5, "fine-rgb.avif")] {
        let picture = rig.show(scene(vec![file(turn, &media(name))]));
        for (x, y, pixel) in picture.enumerate_pixels() {
            let wanted = if x % 2 == 0 { RED } else { BLUE };
            assert!(near(*pixel, wanted, 6), "{name}, {x},{y}: {pixel:?}, want {wanted:?}");
        }
    }
    rig.end();
}

/// Greys of 100, 203 and 1 000 cd/m², as bright as the same in a video.
#[test]
fn an_avif_of_high_dynamic_range_is_as_bright_as_it_should_be() {
    let mut rig = Rig::with_worker(96, 48, command());
    let picture = rig.show(scene(vec![file(1, &media("hdr-pq.avif"))]));
    for (place, grey) in (0..).zip([186, 229, 255]) {
        let found = *picture.get_pixel(16 + 32 * place, 24);
        assert!(near(found, [grey; 3], 5), "{place}: {found:?}, {grey} wanted");
    }
    rig.end();
}

/// What is in the quarters after a turn anticlockwise and a mirror.
fn turned(angle: u8, axis: Option<u8>) -> [[u8; 3]; 4] {
    let [a, b, c, d] = QUARTERS;
    let [a, b, c, d] = match angle {
        0 => [a, b, c, d],
        1 => [b, d, a, c],
        2 => [d, c, b, a],
        _ => [c, a, d, b],
    };
    match axis {
        None => [a, b, c, d],
        Some(0) => [c, d, a, b],
        Some(_) => [b, a, d, c],
    }
}

#[test]
fn an_avif_is_turned_as_its_container_says() {
    let dir = tempfile::tempdir().expect("directory");
    let mut rig = Rig::with_worker(96, 96, command());
    // As the encoder understood a picture that was held in the fifth and in the sixth way of EXIF.
    let fifth = [RED, BLUE, GREEN, YELLOW];
    let sixth = [BLUE, RED, YELLOW, GREEN];
    for (turn, name, wanted) in [(1, "turned-5.avif", fifth), (2, "turned-6.avif", sixth)] {
        let picture = rig.show(scene(vec![file(turn, &media(name))]));
        check(name, quarters(&picture, [16, 0, 64, 96]), wanted);
        assert_eq!(picture.get_pixel(8, 48).0, [0; 3], "{name}: no bar");
    }
    let all = (0..4).flat_map(|angle| [None, Some(0), Some(1)].map(|axis| (angle, axis)));
    for (turn, (angle, axis)) in (10..).zip(all) {
        let from = if axis.is_some() { "turned-5.avif" } else { "turned-6.avif" };
        let mut bytes = std::fs::read(media(from)).expect("readable");
        for (name, value) in [(b"irot", Some(angle)), (b"imir", axis)] {
            let at = bytes.windows(4).position(|found| found == name).zip(value);
            if let Some((at, value)) = at {
                bytes[at + 4] = value;
            }
        }
        let path = dir.path().join(format!("{angle}-{axis:?}.avif"));
        std::fs::write(&path, bytes).expect("written");
        let picture = rig.show(scene(vec![file(turn, &path)]));
        let area = if angle % 2 == 1 { [16, 0, 64, 96] } else { [0, 16, 96, 64] };
        check(&format!("{angle}, {axis:?}"), quarters(&picture, area), turned(angle, axis));
    }
    rig.end();
}

/// Not a test: a worker on a machine without a decoder for AV1.
#[test]
#[ignore = "started by a test below as its media worker"]
fn without_av1_entry() {
    let Ok(socket) = vitrine_render::worker::inherited_socket() else { return };
    gstreamer::init().expect("gstreamer");
    let av1 = Caps::new_empty_simple("video/x-av1");
    let kind = ElementFactoryType::DECODER | ElementFactoryType::MEDIA_VIDEO;
    let decoders = ElementFactory::factories_with_type(kind, Rank::NONE);
    for factory in decoders.into_iter().filter(|factory| factory.can_sink_any_caps(&av1)) {
        Registry::get().remove_feature(factory.upcast_ref::<PluginFeature>());
    }
    vitrine_render::worker::run(socket).expect("worker");
}

#[test]
fn what_cannot_be_decoded_is_refused_and_says_why() {
    let dir = tempfile::tempdir().expect("directory");
    let whole = std::fs::read(media("quadrants.avif")).expect("readable");
    let mut torn = whole.clone();
    // The frame itself, behind its sequence header.
    torn[0x11e..].fill(0xff);
    let mut small = whole.clone();
    let at = small.windows(4).position(|name| name == b"ispe").expect("a size");
    small[at + 11] = 40;
    for (name, bytes) in [("torn.avif", &torn), ("small.avif", &small)] {
        std::fs::write(dir.path().join(name), bytes).expect("written");
    }
    let mut rig = Rig::with_worker(48, 32, command());
    for (turn, name, says) in [(1, "torn.avif", ""), (2, "small.avif", "its container says 40x32")]
    {
        rig.wish(scene(vec![file(turn, &dir.path().join(name))]), None);
        let error = rig.wait_failed(turn);
        assert!(error.contains(name) && error.contains(says), "{name}: {error}");
        assert!(!error.contains("/proc/"), "{name}: {error}");
    }
    // The stage goes on.
    rig.show(scene(vec![file(3, &media("quadrants.avif"))]));
    rig.end();
    let rig = Rig::with_worker(48, 32, as_worker("stills::without_av1_entry"));
    rig.wish(scene(vec![file(1, &media("quadrants.avif"))]), None);
    let error = rig.wait_failed(1);
    assert!(error.contains("quadrants.avif: no decoder for video/x-av1"), "{error}");
    rig.end();
}
