//! Words on the screen: scripts, places, lines, tickers, clocks.
//!
//! Fonts come with the tests: pictures do not depend on what a machine has installed.

#![allow(missing_docs, clippy::disallowed_methods, clippy::expect_used)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use image::{RgbImage, imageops};
use support::{HandClock, Rig, alike, colour, compare, layer, scene};
use vitrine_config::time::Mono;
use vitrine_render::report::Report;
use vitrine_render::scene::{
    Align, Base, Layer, Rect, Rgb, Scene, Size, Source, Text, TextStyle, Turn, VerticalPlace, Words,
};

const WHITE: [u8; 3] = [255; 3];
const BAND: [u8; 3] = [160, 20, 30];

fn font(name: &str) -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media/fonts");
    Some(home.join(name))
}

fn style(size_px: f32) -> TextStyle {
    TextStyle {
        font: None,
        family: Some("Vitrine Sans".into()),
        size_px,
        weight: 400,
        colour: Rgb(WHITE),
        align: Align::Start,
        place: VerticalPlace::Middle,
        wrap: true,
        padding_px: 0.0,
    }
}

fn words(turn: Turn, words: Words, style: TextStyle) -> Layer {
    layer(turn, Source::Text(Text { words, style }))
}

fn still(turn: Turn, text: &str, style: TextStyle) -> Layer {
    words(turn, Words::Still(text.into()), style)
}

/// Left, top, right and bottom of what is drawn; None: nothing.
fn ink(picture: &RgbImage) -> Option<[u32; 4]> {
    let drawn = picture.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] > 60);
    drawn.fold(None, |bounds, (x, y, _)| {
        let [left, top, right, bottom] = bounds.unwrap_or([x, y, x, y]);
        Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
    })
}

/// Rows of letters: stretches of rows with ink.
fn lines(picture: &RgbImage) -> usize {
    let has_ink = |y| (0..picture.width()).any(|x| picture.get_pixel(x, y).0[0] > 60);
    let rows: Vec<_> = (0..picture.height()).map(has_ink).collect();
    rows.windows(2).filter(|pair| pair == &[false, true]).count() + usize::from(rows[0])
}

fn at(x_px: f32, y_px: f32, width_px: f32, height_px: f32) -> Option<Rect> {
    Some(Rect { x_px, y_px, width_px, height_px })
}

#[test]
fn every_script_is_written_as_it_should_be() {
    let with = |name: &str| TextStyle { font: font(name), align: Align::Centre, ..style(26.0) };
    let layers = [
        ("Grüße, Ελλάδα, Ёлка", style(26.0)),
        ("السلام عليكم", with("arabic.ttf")),
        ("שלום עולם", with("hebrew.ttf")),
        ("नमस्ते दुनिया क्षि", with("devanagari.ttf")),
        ("こんにちは世界 欢迎 광고", with("cjk.otf")),
        ("😀🚀 fly", with("emoji.ttf")),
    ];
    let layers = layers.into_iter().enumerate().map(|(row, (text, style))| Layer {
        place: at(0.0, row as f32 * 40.0, 320.0, 40.0),
        ..still(row as Turn + 1, text, TextStyle { align: Align::Centre, ..style })
    });
    let mut rig = Rig::start(320, 240);
    let picture = rig.show(scene(layers.collect()));
    compare("words-scripts", &picture);
    rig.end();
}

/// Letters that join are joined: kept apart by force, they make another picture.
#[test]
fn letters_that_join_are_joined() {
    let mut rig = Rig::start(200, 50);
    let arabic = TextStyle { font: font("arabic.ttf"), ..style(30.0) };
    let joined = rig.show(scene(vec![still(1, "مرحبا", arabic.clone())]));
    let apart = rig.show(scene(vec![still(2, "م\u{200c}ر\u{200c}ح\u{200c}ب\u{200c}ا", arabic)]));
    let width = |picture: &RgbImage| ink(picture).map(|[left, _, right, _]| right - left);
    assert!(width(&joined) < width(&apart), "{:?}, {:?}", width(&joined), width(&apart));
    rig.end();
}

#[test]
fn words_stand_where_they_are_placed() {
    let mut rig = Rig::start(120, 80);
    let mut turn = 0;
    for (align, x) in [(Align::Start, 0), (Align::Centre, 1), (Align::End, 2)] {
        for (place, y) in
            [(VerticalPlace::Top, 0), (VerticalPlace::Middle, 1), (VerticalPlace::Bottom, 2)]
        {
            turn += 1;
            let style = TextStyle { align, place, padding_px: 6.0, ..style(16.0) };
            let picture = rig.show(scene(vec![still(turn, "HHH", style)]));
            let [left, top, right, bottom] = ink(&picture).expect("drawn");
            let free = [[left, 119 - right], [top, 79 - bottom]];
            for (axis, (place, [before, after])) in [x, y].into_iter().zip(free).enumerate() {
                let case = format!("{align:?} {place:?}, axis {axis}: {before} and {after} free");
                // A line is higher than its letters.
                let margin = 6..=13;
                match place {
                    0 => assert!(margin.contains(&before) && after > 20, "{case}"),
                    1 => assert!(before.abs_diff(after) <= 3 && before > 20, "{case}"),
                    _ => assert!(margin.contains(&after) && before > 20, "{case}"),
                }
            }
        }
    }
    // A script that begins at the right does so.
    let hebrew = TextStyle { font: font("hebrew.ttf"), ..style(16.0) };
    let picture = rig.show(scene(vec![still(90, "שלום", hebrew)]));
    let [left, _, right, _] = ink(&picture).expect("drawn");
    assert!(left > 60 && right > 110, "{left} to {right}");
    rig.end();
}

/// A band has its own page: it reaches beyond a canvas of another shape.
#[test]
fn a_band_lies_over_a_page_of_another_shape() {
    const RED: [u8; 3] = [200, 30, 30];
    let mut rig = Rig::start(320, 180);
    let page = |width_px, height_px| Size { width_px, height_px };
    let bold = TextStyle { align: Align::Centre, ..style(12.0) };
    let layers = vec![
        colour(1, RED),
        Layer {
            base: Base::Page(page(160, 90)),
            place: at(0.0, 72.0, 160.0, 18.0),
            background: Some(Rgb(BAND)),
            ..still(2, "Please leave the building", bold)
        },
        Layer { base: Base::Screen, place: at(300.0, 0.0, 20.0, 20.0), ..colour(3, WHITE) },
    ];
    let picture = rig.show(Scene { canvas: Some(page(100, 100)), ..scene(layers) });
    for (x, y, want) in [
        (160, 60, RED),
        (10, 60, [0; 3]),
        (10, 170, BAND),
        (310, 170, BAND),
        (310, 10, WHITE),
        (290, 10, [0; 3]),
    ] {
        assert_eq!(picture.get_pixel(x, y).0, want, "{x},{y}");
    }
    let letters = ink(&imageops::crop_imm(&picture, 20, 144, 280, 36).to_image());
    assert!(letters.is_some(), "no words on the band");
    if let Some(keep) = std::env::var_os("VITRINE_KEEP_PICTURES") {
        picture.save(Path::new(&keep).join("words-band.png")).expect("saved");
    }
    rig.end();
}

#[test]
fn lines_break_within_the_rectangle_and_sizes_follow_the_canvas() {
    let text = "These words are too long for one line";
    let mut rig = Rig::start(160, 90);
    let broken = rig.show(scene(vec![still(1, text, style(14.0))]));
    let [left, _, right, _] = ink(&broken).expect("drawn");
    assert!(lines(&broken) == 2 && left <= 3 && right < 160, "{} lines", lines(&broken));
    let one = TextStyle { wrap: false, ..style(14.0) };
    let cut = rig.show(scene(vec![still(2, text, one)]));
    let [_, _, right, _] = ink(&cut).expect("drawn");
    assert!(lines(&cut) == 1 && right > 150, "{} lines, up to {right}", lines(&cut));
    let two = rig.show(scene(vec![still(3, "one\ntwo", style(14.0))]));
    assert_eq!(lines(&two), 2);
    // Ten times the canvas and ten times the letters make the same picture.
    let large = Layer { place: None, ..still(4, text, style(140.0)) };
    let canvas = Some(vitrine_render::scene::Size { width_px: 1_600, height_px: 900 });
    let scaled = rig.show(Scene { canvas, ..scene(vec![large]) });
    alike(&scaled, &broken).expect("another size, another picture");
    rig.end();
}

#[test]
fn a_font_that_is_not_there_is_replaced_and_a_broken_one_is_told() {
    let mut rig = Rig::start(120, 40);
    let unknown = TextStyle { family: Some("No Such Family".into()), ..style(20.0) };
    assert!(ink(&rig.show(scene(vec![still(1, "Words", unknown)]))).is_some(), "nothing is shown");
    let heavy = TextStyle { font: font("hebrew.ttf"), weight: 900, ..style(20.0) };
    assert!(ink(&rig.show(scene(vec![still(2, "שלום", heavy)]))).is_some(), "nothing is shown");
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("broken.ttf");
    std::fs::write(&path, b"\0\x01\0\0 not a font").expect("written");
    for (turn, font, says) in
        [(3, path, "no face in it"), (4, dir.path().join("gone.ttf"), "No such file")]
    {
        let style = TextStyle { font: Some(font), ..style(20.0) };
        rig.wish(scene(vec![still(turn, "Words", style)]), None);
        let error = rig.wait_failed(turn);
        assert!(error.contains(says) && error.contains(".ttf"), "{error}");
    }
    rig.end();
}

/// At `ms` after the clock began.
fn ms(ms: u64) -> Mono {
    Mono(ms * 1_000_000)
}

/// A ticker over a colour, at moments of our own choosing.
struct Ticking {
    rig: Rig,
    clock: HandClock,
}

impl Ticking {
    fn start(text: &str, looped: bool, style: TextStyle) -> Ticking {
        let clock = HandClock::default();
        clock.set(ms(1_000));
        let mut rig = Rig::with_clock(160, 60, Arc::new(clock.clone()));
        let ticker = Words::Ticker { text: text.into(), speed_px_s: 100.0, looped };
        let band = Layer {
            place: at(0.0, 30.0, 160.0, 30.0),
            background: Some(Rgb(BAND)),
            ..words(2, ticker, style)
        };
        rig.show(scene(vec![colour(1, [0, 0, 90]), band]));
        Ticking { rig, clock }
    }

    /// Later than the moment before by a refresh at least.
    fn at(&mut self, after_ms: u64) -> RgbImage {
        self.clock.set(ms(1_000 + after_ms));
        // The stage may have looked at the clock just before: what comes next knows the moment.
        self.rig.picture();
        self.rig.picture()
    }
}

/// Columns of the band with letters in them.
fn columns(picture: &RgbImage) -> Vec<u32> {
    let white = |x| (30..60).any(|y| picture.get_pixel(x, y).0[1] > 120);
    (0..picture.width()).filter(|x| white(*x)).collect()
}

#[test]
fn a_ticker_runs_at_its_speed_on_its_band() {
    let mut ticking = Ticking::start("HHHH", false, style(20.0));
    let empty = ticking.rig.picture();
    assert_eq!((columns(&empty), empty.get_pixel(80, 45).0), (vec![], BAND));
    assert_eq!(empty.get_pixel(80, 10).0, [0, 0, 90], "it left its rectangle");
    let first = |picture: &RgbImage| columns(picture).first().copied();
    let seen = first(&ticking.at(500)).expect("it is there");
    assert!(seen.abs_diff(110) <= 3, "after half a second at {seen}, want 110");
    let whole = ticking.at(1_000);
    assert!(first(&whole).expect("it is there").abs_diff(60) <= 3);
    compare("words-ticker", &whole);
    // Half a pixel is half a pixel.
    let moved = |by: u32| RgbImage::from_fn(160, 60, |x, y| *whole.get_pixel((x + by).min(159), y));
    let half = ticking.at(1_045);
    assert!(half != moved(4) && half != moved(5), "it jumps from pixel to pixel");
    alike(&ticking.at(1_090), &moved(9)).expect("whole pixels further");
    ticking.clock.set(ms(4_000));
    let at = ticking.rig.wait(|report| match report {
        Report::Ended { turn: 2, at } => Some(*at),
        _ => None,
    });
    // 160 pixels in and the line's own length out.
    let lasted = at.since(ms(1_000));
    assert!(lasted > Duration::from_millis(2_100) && lasted < Duration::from_millis(2_500));
    ticking.rig.end();
}

#[test]
fn a_ticker_that_follows_itself_goes_on_and_hebrew_runs_to_the_right() {
    let mut ticking = Ticking::start("HH", true, style(20.0));
    for hour in [1, 2] {
        let seen = columns(&ticking.at(hour * 3_600_000));
        assert!(seen.len() > 20, "after {hour} h: {seen:?}");
    }
    ticking.rig.end();
    let hebrew = TextStyle { font: font("hebrew.ttf"), ..style(20.0) };
    let mut ticking = Ticking::start("שלום עולם", false, hebrew);
    let mut last = |after_ms| columns(&ticking.at(after_ms)).last().copied().expect("it is there");
    let (early, later) = (last(400), last(900));
    assert!(early < 50 && later.abs_diff(early + 50) <= 2, "{early}, then {later}");
    ticking.rig.end();
}

/// A line longer than a texture is whole: no row of it is missing, no seam is seen.
#[test]
fn a_long_ticker_has_no_seams() {
    let text = "H".repeat(600);
    let mut ticking = Ticking::start(&text, false, style(20.0));
    let seam_ms = (4_094 + 80) * 10;
    let rest = ticking.at(seam_ms - 20_000);
    let picture = ticking.at(seam_ms);
    // As much ink as anywhere else, but for a letter cut off at an edge.
    let ink = |picture: &RgbImage| -> u32 {
        (0..160).map(|x| u32::from(picture.get_pixel(x, 45).0[1] - BAND[1])).sum()
    };
    let (there, elsewhere) = (ink(&picture), ink(&rest));
    assert!(there.abs_diff(elsewhere) * 8 < elsewhere, "{there} and {elsewhere}");
    compare("words-seam", &picture);
    ticking.rig.end();
}

#[test]
fn clocks_and_countdowns_show_the_moment() {
    let clock = HandClock::default();
    let mut now_ms = 37_230_000;
    let mut rig = Rig::with_clock(160, 40, Arc::new(clock.clone()));
    let mut show = |layer: Layer| {
        // A refresh later.
        now_ms += 20;
        clock.set(ms(now_ms));
        rig.show(scene(vec![layer]))
    };
    let of = |format: &str, zone: &str| Words::Clock {
        format: format.into(),
        zone: Some(zone.into()),
        locale: Some("de_DE".into()),
    };
    let to = jiff::Timestamp::from_second(37_230 + 90).expect("in range");
    let countdown =
        |format: &str| Words::Countdown { to, format: format.into(), over: Some("now".into()) };
    for (turn, said, text) in [
        (1, of("%H:%M:%S", "UTC"), "10:20:30"),
        (4, of("%a %-d. %b", "Asia/Kolkata"), "Do 1. Jan"),
        (7, countdown("%M:%S left"), "01:30 left"),
    ] {
        let found = show(words(turn, said, style(20.0)));
        let want = show(still(turn + 1, text, style(20.0)));
        assert_eq!(alike(&found, &want), Ok(()), "{text}");
        let wrong = show(still(turn + 2, "88:88", style(20.0)));
        assert!(alike(&found, &wrong).is_err(), "{text}: nobody would see another time");
    }
    // It goes on by itself.
    let want = show(still(20, "now", style(20.0)));
    let before = show(words(21, countdown("%S"), style(20.0)));
    assert!(alike(&before, &want).is_err());
    clock.set(ms(37_230_000 + 90_000));
    let ended = (0..5_000).any(|_| alike(&rig.picture(), &want).is_ok());
    assert!(ended, "the countdown never ended");
    rig.end();
}
