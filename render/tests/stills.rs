//! Pictures of every kind as the display is handed them: formats, depths, profiles, sizes, and what
//! is wrong with those that are refused.

#![allow(missing_docs, clippy::disallowed_methods, clippy::expect_used)]

mod support;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::RgbImage;
use moxcms::ColorProfile;
use support::{Rig, file, profile, scene};
use tempfile::TempDir;
use tiff::encoder::{Compression, TiffEncoder, colortype};
use vitrine_render::report::Report;

const SIDE: u32 = 16;
/// A colour that Display P3 and sRGB write with clearly different numbers.
const ORANGE: [u8; 3] = [230, 120, 40];

/// What sRGB writes for a colour of Display P3.
///
/// Source: CSS Color 4, section 18 (matrices of both spaces; both have sRGB's curve and D65).
fn from_p3(rgb: [u8; 3]) -> [u8; 3] {
    let linear = rgb.map(|code| {
        let value = f64::from(code) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    let rows = [
        [1.224_940_1, -0.224_940_4, 0.0],
        [-0.042_056_9, 1.042_057_1, 0.0],
        [-0.019_637_6, -0.078_636_1, 1.098_273_5],
    ];
    rows.map(|row: [f64; 3]| {
        let value = row.iter().zip(linear).map(|(a, b)| a * b).sum::<f64>().clamp(0.0, 1.0);
        let coded = if value <= 0.003_130_8 {
            value * 12.92
        } else {
            1.055 * value.powf(1.0 / 2.4) - 0.055
        };
        (coded * 255.0).round() as u8
    })
}

fn p3() -> Vec<u8> {
    ColorProfile::new_display_p3().encode().expect("a profile")
}

/// A PNG of one pixel value throughout.
fn png(
    colour: png::ColorType,
    depth: png::BitDepth,
    pixel: &[u8],
    icc: Option<Vec<u8>>,
) -> Vec<u8> {
    let mut info = png::Info::with_size(SIDE, SIDE);
    (info.color_type, info.bit_depth) = (colour, depth);
    info.icc_profile = icc.map(Into::into);
    let mut file = Vec::new();
    let mut writer = png::Encoder::with_info(&mut file, info)
        .and_then(png::Encoder::write_header)
        .expect("a header");
    writer.write_image_data(&pixel.repeat((SIDE * SIDE) as usize)).expect("written");
    writer.finish().expect("written");
    file
}

/// Two colours, the second half see-through.
fn palette() -> Vec<u8> {
    let mut info = png::Info::with_size(SIDE, SIDE);
    (info.color_type, info.bit_depth) = (png::ColorType::Indexed, png::BitDepth::Four);
    info.palette = Some([9, 9, 9, ORANGE[0], ORANGE[1], ORANGE[2]].as_slice().into());
    info.trns = Some([255, 128].as_slice().into());
    let mut file = Vec::new();
    let mut writer = png::Encoder::with_info(&mut file, info)
        .and_then(png::Encoder::write_header)
        .expect("a header");
    writer.write_image_data(&vec![0x11; (SIDE * SIDE / 2) as usize]).expect("written");
    writer.finish().expect("written");
    file
}

fn tiff<C: colortype::ColorType>(pixel: &[C::Inner], compress: bool) -> Vec<u8>
where
    C::Inner: Clone,
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut file = Cursor::new(Vec::new());
    let how = if compress { Compression::Lzw } else { Compression::Uncompressed };
    let mut encoder = TiffEncoder::new(&mut file).expect("a file").with_compression(how);
    let data = pixel.iter().cloned().cycle().take(pixel.len() * (SIDE * SIDE) as usize);
    encoder.write_image::<C>(SIDE, SIDE, &data.collect::<Vec<_>>()).expect("written");
    file.into_inner()
}

/// Puts an `APP2` segment with a profile behind the first two bytes of a JPEG.
fn with_profile(jpeg: &[u8], icc: &[u8]) -> Vec<u8> {
    let head = [b"ICC_PROFILE\0\x01\x01".as_slice(), icc].concat();
    let length = (head.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe2], &length, &head, &jpeg[2..]].concat()
}

fn media(name: &str) -> Vec<u8> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media");
    fs::read(home.join(name)).expect("readable")
}

struct Shown {
    rig: Rig,
    dir: TempDir,
    turn: u64,
}

impl Shown {
    fn new() -> Shown {
        let dir = tempfile::tempdir().expect("directory");
        Shown { rig: Rig::start(2 * SIDE, 2 * SIDE), dir, turn: 0 }
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> PathBuf {
        self.turn += 1;
        let path = self.dir.path().join(format!("{}-{name}", self.turn));
        fs::write(&path, bytes).expect("written");
        path
    }

    fn picture(&mut self, name: &str, bytes: &[u8]) -> RgbImage {
        let path = self.put(name, bytes);
        self.rig.show(scene(vec![file(self.turn, &path)]))
    }

    fn middle(&mut self, name: &str, bytes: &[u8]) -> [u8; 3] {
        self.picture(name, bytes).get_pixel(SIDE, SIDE).0
    }
}

fn is_near(found: [u8; 3], wanted: [u8; 3], tolerance: u8) -> bool {
    found.iter().zip(wanted).all(|(f, w)| f.abs_diff(w) <= tolerance)
}

#[test]
fn every_depth_and_kind_of_sample_has_its_colour() {
    use png::BitDepth::{Eight, Sixteen};
    use png::ColorType::{Grayscale, GrayscaleAlpha, Rgba};
    let [red, green, blue] = ORANGE;
    let wide = ORANGE.map(|code| u16::from(code) << 8 | 0x7f);
    let bytes: Vec<_> = wide.iter().flat_map(|code| code.to_be_bytes()).collect();
    let half = ORANGE.map(|code| code.div_ceil(2));
    let mut shown = Shown::new();
    for (name, file, want) in [
        ("palette with alpha.png", palette(), half),
        ("grey.png", png(Grayscale, Eight, &[77], None), [77; 3]),
        ("grey 16.png", png(Grayscale, Sixteen, &[77, 9], None), [77; 3]),
        ("grey alpha.png", png(GrayscaleAlpha, Eight, &[200, 128], None), [100; 3]),
        ("rgba 16.png", png(Rgba, Sixteen, &[bytes.as_slice(), &[0x80, 0]].concat(), None), half),
        ("rgb.tif", tiff::<colortype::RGB8>(&ORANGE, false), ORANGE),
        ("rgb lzw.tif", tiff::<colortype::RGB8>(&ORANGE, true), ORANGE),
        ("rgb 16.tif", tiff::<colortype::RGB16>(&wide, true), ORANGE),
        ("rgba.tif", tiff::<colortype::RGBA8>(&[red, green, blue, 128], true), half),
        ("grey.tif", tiff::<colortype::Gray8>(&[77], true), [77; 3]),
        ("inks.tif", tiff::<colortype::CMYK8>(&[255, 0, 0, 128], true), [0, 127, 127]),
    ] {
        let found = shown.middle(name, &file);
        assert!(is_near(found, want, 2), "{name}: {found:?}, want {want:?}");
    }
    shown.rig.end();
}

/// With the profile the colour is right, and without it it would not be.
#[test]
fn a_profile_says_what_the_numbers_mean() {
    use png::BitDepth::Eight;
    use png::ColorType::{Grayscale, Rgb, Rgba};
    let mut shown = Shown::new();
    let want = from_p3(ORANGE);
    assert!(!is_near(want, ORANGE, 12), "{want:?}: nobody would see the difference");
    let [red, green, blue] = ORANGE;
    let half = want.map(|code| code.div_ceil(2));
    let gamma = ColorProfile::new_gray_with_gamma(1.0).encode().expect("a profile");
    for (name, file, want) in [
        ("p3.png", png(Rgb, Eight, &ORANGE, Some(p3())), want),
        ("p3 alpha.png", png(Rgba, Eight, &[red, green, blue, 128], Some(p3())), half),
        ("srgb.png", png(Rgb, Eight, &ORANGE, ColorProfile::new_srgb().encode().ok()), ORANGE),
        // Half the light is code 188.
        ("linear grey.png", png(Grayscale, Eight, &[128], Some(gamma)), [188; 3]),
        ("none.png", png(Rgb, Eight, &ORANGE, None), ORANGE),
        ("not for it.png", png(Grayscale, Eight, &[77], Some(p3())), [77; 3]),
        ("broken.png", png(Rgb, Eight, &ORANGE, Some(p3()[..200].to_vec())), ORANGE),
    ] {
        let found = shown.middle(name, &file);
        assert!(is_near(found, want, 3), "{name}: {found:?}, want {want:?}");
    }
    shown.rig.end();
}

#[test]
fn a_jpeg_has_the_colours_of_its_profile() {
    let mut shown = Shown::new();
    let at = |picture: &RgbImage, x: u32, y: u32| picture.get_pixel(x, y).0;
    let plain = shown.picture("plain.jpg", &media("quadrants.jpg"));
    let wide = shown.picture("p3.jpg", &with_profile(&media("quadrants.jpg"), &p3()));
    for (x, y) in [(8, 10), (24, 10), (8, 22), (24, 22)] {
        let (found, want) = (at(&wide, x, y), from_p3(at(&plain, x, y)));
        assert!(is_near(found, want, 4), "{x},{y}: {found:?}, want {want:?}");
    }
    assert!(!is_near(at(&wide, 8, 10), at(&plain, 8, 10), 6), "the profile changed nothing");
    // Print: this profile calls everything with magenta in it blue, so that it is seen to be asked.
    let inks = shown.picture("inks.jpg", &media("cmyk.jpg"));
    let print = shown.picture("print.jpg", &with_profile(&media("cmyk.jpg"), &profile::print()));
    let is_red = |[r, g, b]: [u8; 3]| r > 120 && g < 80 && b < 80;
    let is_blue = |[r, g, b]: [u8; 3]| b > 120 && r < 110 && g < 110;
    assert!(is_red(at(&inks, 8, 10)), "without a profile: {:?}", at(&inks, 8, 10));
    assert!(is_blue(at(&print, 8, 10)), "with one: {:?}", at(&print, 8, 10));
    shown.rig.end();
}

/// What EXIF says of a picture that was held so.
fn exif(orientation: u8) -> Vec<u8> {
    [&b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &[orientation, 0, 0, 0, 0, 0, 0, 0]]
        .concat()
}

/// Puts a chunk before the pixels of a PNG.
fn with_chunk(png: &[u8], name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let named = [name.as_slice(), data].concat();
    let step = |sum: u32, _| sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
    let sum = named.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step));
    let length = (data.len() as u32).to_be_bytes();
    let at = png.windows(4).position(|found| found == b"IDAT").expect("pixels") - 4;
    [&png[..at], &length, &named, &(!sum).to_be_bytes(), &png[at..]].concat()
}

/// A plain WebP with room for what else is to be said.
fn extended(webp: &[u8], exif: &[u8]) -> Vec<u8> {
    let about = [0x08, 0, 0, 0, 47, 0, 0, 31, 0, 0];
    let chunk = |name: &[u8; 4], data: &[u8]| {
        let pad = vec![0; data.len() % 2];
        [name.as_slice(), &(data.len() as u32).to_le_bytes(), data, &pad].concat()
    };
    let body = [&b"WEBP"[..], &chunk(b"VP8X", &about), &webp[12..], &chunk(b"EXIF", exif)].concat();
    chunk(b"RIFF", &body)
}

fn turned_tiff(orientation: u8) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).expect("a file");
    let pixels = image::load_from_memory(&media("quadrants.png")).expect("a picture").into_rgb8();
    let mut picture = encoder.new_image::<colortype::RGB8>(48, 32).expect("a picture");
    let turn = u16::from(orientation);
    picture.encoder().write_tag(tiff::tags::Tag::Orientation, turn).expect("written");
    picture.write_data(&pixels).expect("written");
    file.into_inner()
}

/// The eight ways to hold a JPEG are in `pictures`: here, that the others are asked as well.
#[test]
fn every_kind_of_file_is_turned_as_it_was_held() {
    const RED: [u8; 3] = [0xd0, 0x20, 0x20];
    const BLUE: [u8; 3] = [0x20, 0x40, 0xd0];
    let mut shown = Shown::new();
    for (name, file) in [
        ("sixth.png", with_chunk(&media("quadrants.png"), b"eXIf", &exif(6))),
        ("sixth.webp", extended(&media("quadrants.webp"), &exif(6))),
        ("sixth.tif", turned_tiff(6)),
    ] {
        let picture = shown.picture(name, &file);
        let corners = [(7, 3), (24, 3)].map(|(x, y)| picture.get_pixel(x, y).0);
        assert!(is_near(corners[0], BLUE, 8) && is_near(corners[1], RED, 8), "{name}: {corners:?}");
        assert_eq!(picture.get_pixel(2, 16).0, [0; 3], "{name} lies on its side");
    }
    shown.rig.end();
}

/// A BMP of one colour, its pixels as given: bits a pixel, how they are packed, palette or masks.
fn bmp(bits: u16, packing: u32, table: &[u8], rows: &[u8], height: i32) -> Vec<u8> {
    let start = 54 + table.len() as u32;
    let words =
        |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let size = start + rows.len() as u32;
    let planes = u32::from(bits) << 16 | 1;
    let colours = if bits <= 8 { table.len() as u32 / 4 } else { 0 };
    let head = [size, 0, start, 40, SIDE, height as u32, planes, packing, rows.len() as u32];
    [b"BM", words(&head).as_slice(), &words(&[2_835, 2_835, colours, 0]), table, rows].concat()
}

#[test]
fn every_kind_of_bmp_has_its_colour() {
    let [red, green, blue] = ORANGE;
    let palette = [9, 9, 9, 0, blue, green, red, 0];
    let pixels = (SIDE * SIDE) as usize;
    let up = SIDE as i32;
    // Red, green and blue in 5, 6 and 5 bits.
    let packed = u16::from(red >> 3) << 11 | u16::from(green >> 2) << 5 | u16::from(blue >> 3);
    let masks = [0xf800u32, 0x07e0, 0x001f].map(u32::to_le_bytes).concat();
    // Sixteen of the second colour, end of row; at the last, end of picture.
    let run = [[SIDE as u8, 1, 0, 0].repeat(SIDE as usize - 1), vec![SIDE as u8, 1, 0, 1]].concat();
    let mut shown = Shown::new();
    for (name, file, tolerance) in [
        ("1 bit.bmp", bmp(1, 0, &palette, &[0xff, 0xff, 0, 0].repeat(SIDE as usize), up), 2),
        ("4 bit.bmp", bmp(4, 0, &palette, &vec![0x11; pixels / 2], up), 2),
        ("8 bit.bmp", bmp(8, 0, &palette, &vec![1; pixels], up), 2),
        ("run length.bmp", bmp(8, 1, &palette, &run, up), 2),
        ("16 bit.bmp", bmp(16, 3, &masks, &packed.to_le_bytes().repeat(pixels), up), 8),
        ("24 bit.bmp", bmp(24, 0, &[], &[blue, green, red].repeat(pixels), up), 2),
        ("downwards.bmp", bmp(24, 0, &[], &[blue, green, red].repeat(pixels), -up), 2),
        ("32 bit.bmp", bmp(32, 0, &[], &[blue, green, red, 0].repeat(pixels), up), 2),
    ] {
        let found = shown.middle(name, &file);
        assert!(is_near(found, ORANGE, tolerance), "{name}: {found:?}, want {ORANGE:?}");
    }
    shown.rig.end();
}

/// Grey, palettes of every width, and a colour that stands for nothing.
#[test]
fn every_way_to_pack_a_png_has_its_colour() {
    use png::BitDepth::{Eight, Four, One, Two};
    use png::ColorType::{Grayscale, Indexed, Rgb};
    let packed = |colour, depth, row: Vec<u8>, palette: bool, clear: Option<&[u8]>| {
        let mut info = png::Info::with_size(SIDE, SIDE);
        (info.color_type, info.bit_depth) = (colour, depth);
        info.palette = palette.then(|| [[9, 9, 9], ORANGE].concat().into());
        info.trns = clear.map(|clear| clear.to_vec().into());
        let mut file = Vec::new();
        let mut writer = png::Encoder::with_info(&mut file, info)
            .and_then(png::Encoder::write_header)
            .expect("a header");
        writer.write_image_data(&row.repeat(SIDE as usize)).expect("written");
        writer.finish().expect("written");
        file
    };
    let [red, green, blue] = ORANGE;
    let key = [0, red, 0, green, 0, blue];
    let mut shown = Shown::new();
    for (name, file, want) in [
        ("palette 1.png", packed(Indexed, One, vec![0xff; 2], true, None), ORANGE),
        ("palette 2.png", packed(Indexed, Two, vec![0x55; 4], true, None), ORANGE),
        ("palette 8.png", packed(Indexed, Eight, vec![1; 16], true, None), ORANGE),
        ("grey 1.png", packed(Grayscale, One, vec![0xff; 2], false, None), [255; 3]),
        ("grey 4.png", packed(Grayscale, Four, vec![0x55; 8], false, None), [85; 3]),
        ("key.png", packed(Rgb, Eight, ORANGE.repeat(16), false, Some(&key)), [0; 3]),
        ("other key.png", packed(Rgb, Eight, [9, 9, 9].repeat(16), false, Some(&key)), [9; 3]),
    ] {
        let found = shown.middle(name, &file);
        assert!(is_near(found, want, 2), "{name}: {found:?}, want {want:?}");
    }
    shown.rig.end();
}

#[test]
fn a_picture_of_8k_is_scaled_well() {
    let (width, height) = (7_680u32, 4_320u32);
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("8k.png");
    let mut info = png::Info::with_size(width, height);
    (info.color_type, info.bit_depth) = (png::ColorType::Grayscale, png::BitDepth::Eight);
    let writer = fs::File::create(&path).expect("a file");
    let mut encoder =
        png::Encoder::with_info(std::io::BufWriter::new(writer), info).expect("a file");
    encoder.set_compression(png::Compression::Fastest);
    // Left half: stripes of one pixel, which must become grey; right half: a ramp downwards.
    let mut data = vec![0; (width * height) as usize];
    for (y, row) in data.chunks_exact_mut(width as usize).enumerate() {
        for (x, pixel) in row.iter_mut().enumerate() {
            let stripe = if x % 2 == 0 { 255 } else { 0 };
            let ramp = (y * 255 / height as usize) as u8;
            *pixel = if x < width as usize / 2 { stripe } else { ramp };
        }
    }
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&data).expect("written");
    writer.finish().expect("written");
    let mut rig = Rig::start(128, 72);
    let picture = rig.show(scene(vec![file(1, &path)]));
    for y in 2..70 {
        let (stripes, ramp) = (picture.get_pixel(20, y).0, picture.get_pixel(100, y).0);
        let want = (f64::from(y) + 0.5) / 72.0 * 255.0;
        assert!(is_near(stripes, [127; 3], 3), "row {y}: {stripes:?}");
        assert!((f64::from(ramp[0]) - want).abs() < 4.0, "row {y}: {ramp:?}, want {want}");
    }
    rig.end();
}

#[test]
fn broken_files_are_refused_and_say_why() {
    let mut shown = Shown::new();
    let tif = tiff::<colortype::RGB8>(&ORANGE, false);
    let png = png(png::ColorType::Rgb, png::BitDepth::Eight, &ORANGE, None);
    let float = tiff::<colortype::RGB32Float>(&[0.5, 0.5, 0.5], false);
    let gif = media("two-frames.gif");
    for (name, bytes, says) in [
        ("cut.tif", &tif[..tif.len() / 2], "TIFF"),
        ("float.tif", &float, "TIFF: samples are RGB(32), want"),
        ("cut.png", &png[..png.len() - 14], "PNG"),
        ("cut.gif", &gif[..60], "GIF"),
        ("photo.heic", b"\0\0\0\x14ftypheic\0\0\0\0mif1", "HEIC has no decoder here"),
        ("photo.avif", b"\0\0\0\x14ftypavif\0\0\0\0mif1", "AVIF: no \"meta\" box"),
        ("words.txt", b"two words", "JPEG, PNG, WebP, AVIF, GIF, TIFF, BMP and SVG are shown"),
    ] {
        let path = shown.put(name, bytes);
        shown.rig.wish(scene(vec![file(shown.turn, &path)]), None);
        let error = shown.rig.wait_failed(shown.turn);
        assert!(error.contains(says) && error.contains(name), "{name}: {error}");
    }
    shown.rig.end();
}

/// A film of three frames that is played once: all are shown, the last one stays.
#[test]
fn a_moving_picture_moves_and_stays_at_its_end() {
    let mut shown = Shown::new();
    let mut bytes = Vec::new();
    let palette = [255, 0, 0, 0, 255, 0, 0, 0, 255];
    let mut encoder = gif::Encoder::new(&mut bytes, 8, 8, &palette).expect("a header");
    for colour in 0..3 {
        let frame = gif::Frame {
            width: 8,
            height: 8,
            delay: 5,
            buffer: vec![colour; 64].into(),
            ..gif::Frame::default()
        };
        encoder.write_frame(&frame).expect("written");
    }
    drop(encoder);
    let path = shown.put("film.gif", &bytes);
    shown.rig.wish(scene(vec![file(1, &path)]), None);
    shown.rig.wait_shown(1);
    let ends = (0..5_000).any(|_| shown.rig.picture().get_pixel(SIDE, SIDE).0 == [0, 0, 255]);
    assert!(ends, "the last frame never came");
    shown.rig.wish(scene(vec![]), None);
    let (presented, dropped) = shown.rig.wait(|report| match report {
        Report::Gone { turn: 1, frames_presented, frames_dropped, .. } => {
            Some((*frames_presented, *frames_dropped))
        }
        _ => None,
    });
    assert_eq!(presented + dropped, 3, "{presented} presented, {dropped} dropped");
    shown.rig.end();
}
