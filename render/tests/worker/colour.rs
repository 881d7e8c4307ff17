//! Colours on the glass, measured as people see them: from a file in each matrix and range that video
//! comes in, through decoder, worker and shader, against the colours that it was made of.

use vitrine_render::scene::{AudioOut, Fit, Layer, Source};

use super::rig::{command, media};
use super::support::delta_e::{delta_e, lab};
use super::support::{Rig, layer, scene};

const COLUMNS: u32 = 6;
const ROWS: u32 = 4;
/// Of a patch, in pixels.
const SIDE: u32 = 32;
/// Mean difference over all patches; 1.0 is what a trained eye sees side by side.
const MEAN_AT_MOST: f64 = 1.0;
/// Difference of any single patch: 8 bit chroma is coarse in dark, strong colours.
const ANY_AT_MOST: f64 = 4.0;

/// As `tests/media/make` has it.
fn made_of(column: u32, row: u32) -> [u8; 3] {
    [51 * column, 85 * row, 37 * (3 * column + 5 * row) % 256].map(|code| code as u8)
}

fn chart(turn: u64, name: &str) -> Layer {
    let source =
        Source::Video { path: media(name), volume: 0.0, looped: true, audio: AudioOut::None };
    Layer { fit: Fit::Stretch, ..layer(turn, source) }
}

/// The difference of each patch from what the chart was made of.
fn differences(rig: &mut Rig, turn: u64, name: &str) -> Vec<f64> {
    let picture = rig.show(scene(vec![chart(turn, name)]));
    let patches = (0..ROWS).flat_map(|row| (0..COLUMNS).map(move |column| (column, row)));
    patches
        .map(|(column, row)| {
            let at = |place: u32| place * SIDE + SIDE / 2;
            let seen = picture.get_pixel(at(column), at(row)).0;
            delta_e(lab(seen), lab(made_of(column, row)))
        })
        .collect()
}

fn mean(differences: &[f64]) -> f64 {
    differences.iter().sum::<f64>() / differences.len() as f64
}

#[test]
fn colours_are_those_that_the_file_was_made_of() {
    let mut rig = Rig::with_worker(COLUMNS * SIDE, ROWS * SIDE, command());
    let mut turn = 0;
    for matrix in ["bt601", "bt709", "bt2020"] {
        for levels in ["tv", "pc"] {
            turn += 1;
            let found = differences(&mut rig, turn, &format!("chart-{matrix}-{levels}.mp4"));
            let (mean, most) = (mean(&found), found.iter().copied().fold(0.0, f64::max));
            println!("{matrix} {levels}: mean {mean:.2}, most {most:.2}");
            assert!(mean <= MEAN_AT_MOST, "{matrix} {levels}: mean {mean:.2}: {found:.1?}");
            assert!(most <= ANY_AT_MOST, "{matrix} {levels}: {most:.2}: {found:.1?}");
        }
    }
    rig.end();
}

/// The measure can fail: the same chart read by another matrix is seen to be wrong.
#[test]
fn a_wrong_matrix_is_a_visible_difference() {
    let by = |kr: f64, kb: f64, [red, green, blue]: [u8; 3]| {
        let [red, green, blue] = [red, green, blue].map(f64::from);
        let luma = kr * red + (1.0 - kr - kb) * green + kb * blue;
        (luma, (blue - luma) / (1.0 - kb), (red - luma) / (1.0 - kr))
    };
    let misread = |rgb: [u8; 3]| {
        let (luma, cb, cr) = by(0.299, 0.114, rgb);
        let (kr, kb) = (0.2126, 0.0722);
        let (red, blue) = (luma + (1.0 - kr) * cr, luma + (1.0 - kb) * cb);
        let green = (luma - kr * red - kb * blue) / (1.0 - kr - kb);
        [red, green, blue].map(|code| code.round().clamp(0.0, 255.0) as u8)
    };
    let patches = (0..ROWS).flat_map(|row| (0..COLUMNS).map(move |column| made_of(column, row)));
    let found: Vec<f64> = patches.map(|rgb| delta_e(lab(misread(rgb)), lab(rgb))).collect();
    assert!(mean(&found) > 2.0 * MEAN_AT_MOST, "{:.2}", mean(&found));
}

/// Pairs of the published test data for implementations.
#[test]
fn the_measure_knows_the_published_pairs() {
    for (one, other, wanted) in [
        ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
        ([50.0, 2.49, -0.001], [50.0, -2.49, 0.0009], 7.1792),
        ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
        ([50.0, 2.5, 0.0], [50.0, 3.2592, 0.335], 1.0),
        ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644),
        ([2.0776, 0.0795, -1.135], [0.9033, -0.0636, -0.5514], 0.9082),
    ] {
        let found = delta_e(one, other);
        assert!((found - wanted).abs() < 1e-4, "{one:?} {other:?}: {found}, want {wanted}");
    }
}
