//! Words above a playing video: the emergency band.

use vitrine_render::scene::{
    Align, AudioOut, Fit, Layer, Rect, Rgb, Scene, Size, Source, Text, TextStyle, VerticalPlace,
    Words,
};

use super::rig::{command, media};
use super::support::{Rig, compare, layer, near, scene};

/// The ground of numbered clips.
const GROUND: [u8; 3] = [0x33, 0x66, 0x99];
const BAND: [u8; 3] = [190, 20, 30];

fn video(turn: u64) -> Layer {
    let source = Source::Video {
        path: media("silent.mp4"),
        volume: 0.0,
        looped: true,
        audio: AudioOut::None,
    };
    Layer { fit: Fit::Stretch, ..layer(turn, source) }
}

fn band(turn: u64) -> Layer {
    let style = TextStyle {
        font: None,
        family: Some("Vitrine Sans".into()),
        size_px: 110.0,
        weight: 700,
        colour: Rgb([255; 3]),
        align: Align::Centre,
        place: VerticalPlace::Middle,
        wrap: true,
        padding_px: 20.0,
    };
    let words = Words::Still("Leave the building".into());
    Layer {
        place: Some(Rect { x_px: 0.0, y_px: 780.0, width_px: 1_920.0, height_px: 300.0 }),
        background: Some(Rgb(BAND)),
        ..layer(turn, Source::Text(Text { words, style }))
    }
}

fn page(layers: Vec<Layer>) -> Scene {
    Scene { canvas: Some(Size { width_px: 1_920, height_px: 1_080 }), ..scene(layers) }
}

/// The band stands over the video and leaves it playing; without it there is none.
#[test]
fn an_emergency_band_stands_above_a_playing_video() {
    let mut rig = Rig::with_worker(320, 180, command());
    let plain = rig.show(page(vec![video(1)]));
    assert!(near(*plain.get_pixel(160, 60), GROUND, 6), "{:?}", plain.get_pixel(160, 60));
    assert!(near(*plain.get_pixel(4, 175), GROUND, 6), "a band without words");
    let picture = rig.show(page(vec![video(1), band(2)]));
    assert!(near(*picture.get_pixel(160, 60), GROUND, 6), "the video is gone");
    assert!(near(*picture.get_pixel(4, 175), BAND, 2), "{:?}", picture.get_pixel(4, 175));
    let white =
        |(_, y, pixel): &(u32, u32, &image::Rgb<u8>)| *y >= 130 && near(**pixel, [255; 3], 8);
    assert!(picture.enumerate_pixels().filter(white).count() > 300, "no words");
    let words = image::imageops::crop_imm(&picture, 0, 130, 320, 50).to_image();
    compare("words-band", &words);
    // The video goes on below: its number changes, the band does not.
    let number = |picture: &image::RgbImage| {
        (0..12)
            .filter(|bit| picture.get_pixel((bit * 2 + 1) * 320 / 24, 10).0[0] > 127)
            .fold(0u32, |all, bit| all | 1 << bit)
    };
    let seen = number(&picture);
    let later = (0..5_000).map(|_| rig.picture()).find(|later| number(later) != seen);
    let later = later.expect("the video stands still");
    let below = image::imageops::crop_imm(&later, 0, 130, 320, 50).to_image();
    assert_eq!(below, words, "the band moved");
    rig.end();
}
