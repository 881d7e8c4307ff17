//! Videos of other kinds than the usual one: high dynamic range, fields instead of frames.

use vitrine_render::scene::{AudioOut, Fit, Layer, Source};
use vitrine_render::source::Picture;

use super::rig::{self, command, media, pool, spec};
use super::support::{Rig, layer, near, scene};

fn video(turn: u64, name: &str) -> Layer {
    let source =
        Source::Video { path: media(name), volume: 0.0, looped: true, audio: AudioOut::None };
    Layer { fit: Fit::Stretch, ..layer(turn, source) }
}

/// What is wanted was worked out from the standards that `light` names, apart from this code.
#[test]
fn high_dynamic_range_is_shown_on_an_sdr_display_as_bright_as_it_should_be() {
    let mut rig = Rig::with_worker(96, 48, command());
    for (turn, name, greys) in
        [(1, "hdr-pq.mp4", [186, 229, 255]), (2, "hdr-hlg.mp4", [61, 229, 255])]
    {
        let picture = rig.show(scene(vec![video(turn, name)]));
        for (place, grey) in (0..).zip(greys) {
            let found = *picture.get_pixel(16 + 32 * place, 24);
            assert!(near(found, [grey; 3], 5), "{name}, {place}: {found:?}, {grey} wanted");
        }
    }
    rig.end();
}

/// Pixels that are as bright as those two rows on and far from those in the next row, in thousandths
/// of all.
fn combing(picture: &Picture) -> usize {
    let Picture::Yuv { size, luma, .. } = picture else { panic!("not YUV") };
    let (width, height) = (size.width_px as usize, size.height_px as usize);
    let at = |x: usize, y: usize| luma.data[y * luma.stride_bytes as usize + x];
    let is_combed = |(x, y): &(usize, usize)| {
        at(*x, *y).abs_diff(at(*x, y + 2)) < 24 && at(*x, *y).abs_diff(at(*x, y + 1)) > 64
    };
    let all = (0..height - 2).flat_map(|y| (0..width).map(move |x| (x, y)));
    all.filter(is_combed).count() * 1_000 / (width * height)
}

#[test]
fn fields_become_frames_without_combs() {
    for (name, frames, frame_us) in [("interlaced.mp4", 40, 20_000), ("combed.mp4", 20, 40_000)] {
        let pool = pool();
        let mut rig = rig::Rig::started(spec(media(name)), &pool);
        let mut seen = Vec::new();
        while let Some(one) = rig.next(combing) {
            seen.push(one);
        }
        let worst = seen.iter().map(|(_, combed)| *combed).max();
        // The bar moves by a twentieth of the width from one field to the next: both of its edges
        // are combs unless the fields are parted.
        let parted = name == "interlaced.mp4";
        assert_eq!(worst.is_some_and(|worst| worst < 10), parted, "{name}: {worst:?}");
        assert!(seen.len().abs_diff(frames) <= 2, "{name}: {} frames", seen.len());
        for pair in seen.windows(2) {
            assert!((pair[1].0 - pair[0].0).abs_diff(frame_us) < 2_000, "{name}: {pair:?}");
        }
    }
}
