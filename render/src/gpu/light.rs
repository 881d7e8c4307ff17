//! From the light that a wide or high dynamic range video means to what an SDR display is handed.
//!
//! In:  R', G', B' as the file has them, 0 to 1. Out: the same in the gamut and curve of stills
//! (sRGB). Stills are made so; `light.wgsl`, which does the same for videos, is held to it, step by
//! step, by the test `shader_matches_the_numbers_in_rust`.
//!
//! Brightness is rolled off above about 95 cd/m² so that 1 000 cd/m², which most material is made
//! for, is the display's white; what is brighter than that is white, too.
//!
//! Sources: ITU-R BT.2100-2, tables 4 (PQ) and 5 (HLG), with the HLG system gamma of 1.2 for a
//! display of 1 000 cd/m²; BT.2408-5, section 2.1 (reference white); BT.2390-11, section 5.4.1
//! (roll-off); BT.2087-0, annex 1, inverted (gamut); BT.1886 (gamma 2.4); IEC 61966-2-1 (sRGB).

use crate::source::Light;

/// Of HDR: what paper in a picture has, and the display's white after the roll-off.
const WHITE_NITS: f32 = 203.0;
/// The brightest that the roll-off keeps apart.
const PEAK_NITS: f32 = 1_000.0;
const PQ_NITS: f32 = 10_000.0;
const HLG_GAMMA: f32 = 1.2;
/// Gamma of an SDR display.
const GAMMA: f32 = 2.4;

const M1: f32 = 0.159_301_76;
const M2: f32 = 78.843_75;
const C1: f32 = 0.835_937_5;
const C2: f32 = 18.851_563;
const C3: f32 = 18.687_5;

const HLG_A: f32 = 0.178_832_77;
const HLG_B: f32 = 0.284_668_92;
const HLG_C: f32 = 0.559_910_7;

/// Weights of red, green and blue in the luminance of BT.2020.
const LUMINANCE: [f32; 3] = [0.2627, 0.6780, 0.0593];
/// Rows that take linear BT.2020 to linear BT.709.
const NARROWER: [[f32; 3]; 3] = [
    [1.660_491, -0.587_641_1, -0.072_849_9],
    [-0.124_550_5, 1.132_9, -0.008_349_4],
    [-0.018_150_8, -0.100_578_9, 1.118_729_7],
];

/// `code` (R', G', B', 0.0..=1.0; what is outside is clamped) as an SDR display is to be handed it,
/// 0.0..=1.0.
///
/// Exact but for the rounding of `f32`: below 1e-4.
pub(crate) fn to_sdr(light: Light, code: [f32; 3]) -> [f32; 3] {
    let code = code.map(|value| value.clamp(0.0, 1.0));
    match light {
        Light::Sdr => code,
        Light::Wide => {
            let linear = narrower(code.map(|value| value.powf(GAMMA)));
            linear.map(|value| value.powf(1.0 / GAMMA))
        }
        Light::Pq => shown(code.map(nits_of_pq)),
        Light::Hlg => shown(nits_of_hlg(code)),
    }
}

/// Light of the scene as a display of 1 000 cd/m² shows it, for any other one.
fn shown(nits: [f32; 3]) -> [f32; 3] {
    let brightest = nits.into_iter().fold(0.0, f32::max);
    let scale = if brightest > 0.0 { rolled_off(brightest) / brightest / WHITE_NITS } else { 0.0 };
    narrower(nits.map(|value| value * scale)).map(srgb)
}

/// Linear BT.2020 in BT.709, 0 to 1.
fn narrower(rgb: [f32; 3]) -> [f32; 3] {
    let by = |row: [f32; 3]| row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2];
    NARROWER.map(|row| by(row).clamp(0.0, 1.0))
}

fn nits_of_pq(code: f32) -> f32 {
    let power = code.powf(1.0 / M2);
    PQ_NITS * ((power - C1).max(0.0) / (C2 - C3 * power)).powf(1.0 / M1)
}

fn pq_of_nits(nits: f32) -> f32 {
    let power = (nits / PQ_NITS).powf(M1);
    ((C1 + C2 * power) / (1.0 + C3 * power)).powf(M2)
}

fn nits_of_hlg(code: [f32; 3]) -> [f32; 3] {
    let scene = code.map(|value| {
        if value <= 0.5 {
            value * value / 3.0
        } else {
            (((value - HLG_C) / HLG_A).exp() + HLG_B) / 12.0
        }
    });
    let luminance: f32 = scene.iter().zip(LUMINANCE).map(|(value, weight)| value * weight).sum();
    let gain = PEAK_NITS * luminance.powf(HLG_GAMMA - 1.0);
    scene.map(|value| value * gain)
}

/// Straight below the knee, then a Hermite spline that ends level: [`PEAK_NITS`] become
/// [`WHITE_NITS`].
fn rolled_off(nits: f32) -> f32 {
    let peak = pq_of_nits(PEAK_NITS);
    let white = pq_of_nits(WHITE_NITS) / peak;
    let knee = 1.5 * white - 0.5;
    let value = (pq_of_nits(nits) / peak).min(1.0);
    if value < knee {
        return nits;
    }
    let t = (value - knee) / (1.0 - knee);
    let (t2, t3) = (t * t, t * t * t);
    let value = (2.0 * t3 - 3.0 * t2 + 1.0) * knee
        + (t3 - 2.0 * t2 + t) * (1.0 - knee)
        + (3.0 * t2 - 2.0 * t3) * white;
    nits_of_pq(value * peak)
}

fn srgb(linear: f32) -> f32 {
    if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grey(light: Light, code: f32) -> f32 {
        let [red, green, blue] = to_sdr(light, [code; 3]);
        assert!((red - green).abs() < 2e-3 && (green - blue).abs() < 2e-3, "{light:?} {code}");
        green * 255.0
    }

    #[test]
    fn greys_have_the_brightness_that_the_standards_say() {
        // PQ codes by the inverse of its curve; wanted values worked out with other tools in f64.
        for (case, light, code, wanted) in [
            ("black", Light::Pq, 0.0, 0.0),
            ("26 cd/m²", Light::Pq, pq_of_nits(26.0), 100.2),
            ("50 cd/m²", Light::Pq, 0.440_28, 136.0),
            ("100 cd/m²", Light::Pq, 0.508_08, 185.7),
            ("reference white", Light::Pq, 0.580_69, 229.0),
            ("1 000 cd/m²", Light::Pq, 0.751_83, 255.0),
            ("10 000 cd/m²", Light::Pq, 1.0, 255.0),
            ("a quarter", Light::Hlg, 0.25, 61.4),
            ("half", Light::Hlg, 0.5, 136.9),
            ("reference white", Light::Hlg, 0.75, 229.0),
            ("peak", Light::Hlg, 1.0, 255.0),
            ("wide", Light::Wide, 0.5, 127.5),
            ("SDR", Light::Sdr, 0.5, 127.5),
        ] {
            let found = grey(light, code);
            assert!((found - wanted).abs() < 0.3, "{light:?} {case}: {found}, {wanted} wanted");
        }
    }

    #[test]
    fn a_red_that_both_gamuts_have_is_the_same_red() {
        // Linear BT.709 red in BT.2020, by BT.2087-0 annex 1.
        let red = [0.6274f32, 0.0691, 0.0164];
        for (light, code) in [
            (Light::Wide, red.map(|value| value.powf(1.0 / GAMMA))),
            (Light::Pq, red.map(|value| pq_of_nits(value * PEAK_NITS))),
        ] {
            let [red, green, blue] = to_sdr(light, code);
            assert!(red > 0.9 && green < 0.05 && blue < 0.05, "{light:?}: {red} {green} {blue}");
        }
    }

    proptest! {
        #[test]
        fn brighter_light_is_never_darker(low in 0.0f32..=1.0, high in 0.0f32..=1.0) {
            let (low, high) = (low.min(high), low.max(high));
            for light in [Light::Sdr, Light::Wide, Light::Pq, Light::Hlg] {
                let [dark, bright] = [low, high].map(|code| to_sdr(light, [code; 3])[1]);
                prop_assert!(dark <= bright + 1e-4, "{:?}: {} {}", light, dark, bright);
            }
        }

        #[test]
        fn nothing_is_out_of_range(code in prop::array::uniform3(-1.0f32..=2.0)) {
            for light in [Light::Sdr, Light::Wide, Light::Pq, Light::Hlg] {
                let shown = to_sdr(light, code);
                prop_assert!(shown.iter().all(|value| (0.0..=1.0001).contains(value)), "{:?}", shown);
            }
        }
    }
}
