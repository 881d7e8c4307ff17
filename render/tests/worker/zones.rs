//! As much as a page may hold: eight zones with two videos among them.

use vitrine_render::scene::{
    Align, AudioOut, Fit, Layer, Rect, Rgb, Scene, Size, Source, Text, TextStyle, VerticalPlace,
    Words,
};

use super::rig::{command, media};
use super::support::{Rig, colour, file, layer, near, quadrants, scene};

/// The ground of numbered clips.
const GROUND: [u8; 3] = [0x33, 0x66, 0x99];

fn video(turn: u64, name: &str) -> Layer {
    let (path, audio) = (media(name), AudioOut::None);
    let source = Source::Video { path, volume: 0.0, looped: true, audio };
    Layer { fit: Fit::Stretch, ..layer(turn, source) }
}

fn words(turn: u64, words: &str) -> Layer {
    let style = TextStyle {
        font: None,
        family: Some("Vitrine Sans".into()),
        size_px: 60.0,
        weight: 700,
        colour: Rgb([255; 3]),
        align: Align::Centre,
        place: VerticalPlace::Middle,
        wrap: true,
        padding_px: 8.0,
    };
    let text = Text { words: Words::Still(words.into()), style };
    layer(turn, Source::Text(text))
}

/// The rectangle in a grid of four columns and three rows.
fn cell(column: u16, row: u16, width: u16, height: u16) -> Option<Rect> {
    let [x_px, width_px] = [column, width].map(|cells| f32::from(cells) * 480.0);
    let [y_px, height_px] = [row, height].map(|cells| f32::from(cells) * 360.0);
    Some(Rect { x_px, y_px, width_px, height_px })
}

fn page() -> Scene {
    let still = quadrants();
    let layers = vec![
        Layer { place: cell(0, 0, 2, 2), ..video(1, "silent.mp4") },
        Layer { place: cell(2, 0, 2, 2), ..video(2, "h264.mp4") },
        Layer { place: cell(0, 2, 1, 1), ..colour(3, [200, 30, 30]) },
        Layer { place: cell(1, 2, 1, 1), fit: Fit::Cover, ..file(4, &still) },
        Layer { place: cell(2, 2, 1, 1), background: Some(Rgb([20; 3])), ..words(5, "Eight") },
        Layer { place: cell(3, 2, 1, 1), turned_deg: 20.0, ..colour(6, [30, 30, 200]) },
        // Over both videos, half of it seen through.
        Layer { place: cell(1, 0, 2, 1), opacity: 0.5, ..colour(7, [255, 255, 255]) },
        Layer { place: cell(3, 1, 1, 1), background: Some(Rgb([0; 3])), ..words(8, "zones") },
    ];
    let canvas = Some(Size { width_px: 1_920, height_px: 1_080 });
    let backdrop = Some(Layer { fit: Fit::Cover, ..file(9, &still) });
    Scene { canvas, backdrop, ..scene(layers) }
}

#[test]
fn eight_zones_with_two_videos_are_one_picture() {
    let mut rig = Rig::with_worker(320, 180, command());
    let picture = rig.show(page());
    if let Some(to) = std::env::var_os("VITRINE_KEEP") {
        picture.save(std::path::Path::new(&to).join("eight-zones.png")).expect("saved");
    }
    let veiled = GROUND.map(|code| ((u16::from(code) + 255) / 2) as u8);
    for (case, x, y, wanted) in [
        ("first video", 40, 90, GROUND),
        ("second video", 200, 90, GROUND),
        ("the first, veiled", 120, 40, veiled),
        ("the second, veiled", 200, 40, veiled),
        ("colour", 40, 150, [200, 30, 30]),
        ("ground of the first words", 165, 125, [20; 3]),
        ("turned", 280, 150, [30, 30, 200]),
        ("ground of the last words", 245, 65, [0; 3]),
        // The corner that the turned zone leaves shows the picture of the page.
        ("beside the turned one", 317, 176, [0xe0, 0xc0, 0x20]),
    ] {
        let found = *picture.get_pixel(x, y);
        assert!(near(found, wanted, 10), "{case}: {found:?}, want {wanted:?}");
    }
    rig.end();
}
