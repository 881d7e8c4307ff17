//! How different two colours look: CIEDE2000.
//!
//! Source: ISO/CIE 11664-6:2014; sRGB to Lab by IEC 61966-2-1 with its own white point, D65.

use std::f64::consts::TAU;

/// CIE L*a*b*.
pub type Lab = [f64; 3];

/// Of an sRGB colour.
pub fn lab(rgb: [u8; 3]) -> Lab {
    let [red, green, blue] = rgb.map(|code| {
        let value = f64::from(code) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    let xyz = [
        (0.412_456_4 * red + 0.357_576_1 * green + 0.180_437_5 * blue) / 0.950_47,
        0.212_672_9 * red + 0.715_152_2 * green + 0.072_175_0 * blue,
        (0.019_333_9 * red + 0.119_192_0 * green + 0.950_304_1 * blue) / 1.088_83,
    ];
    let [x, y, z] = xyz.map(|share| {
        if share > 216.0 / 24_389.0 {
            share.cbrt()
        } else {
            (24_389.0 / 27.0 * share + 16.0) / 116.0
        }
    });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// The difference of two colours: about 1 can just be seen side by side.
pub fn delta_e([l1, a1, b1]: Lab, [l2, a2, b2]: Lab) -> f64 {
    let seventh = |chroma: f64| (chroma.powi(7) / (chroma.powi(7) + 25f64.powi(7))).sqrt();
    let g = 0.5 * (1.0 - seventh((a1.hypot(b1) + a2.hypot(b2)) / 2.0));
    let (a1, a2) = (a1 * (1.0 + g), a2 * (1.0 + g));
    let (c1, c2) = (a1.hypot(b1), a2.hypot(b2));
    let hue = |a: f64, b: f64| if a == 0.0 && b == 0.0 { 0.0 } else { b.atan2(a).rem_euclid(TAU) };
    let (h1, h2) = (hue(a1, b1), hue(a2, b2));
    let grey = c1 * c2 == 0.0;
    let apart = (h1 - h2).abs() > TAU / 2.0;
    let turn = if !apart {
        0.0
    } else if h2 <= h1 {
        TAU
    } else {
        -TAU
    };
    let dh = if grey { 0.0 } else { h2 - h1 + turn };
    let h = match (grey, apart) {
        (true, _) => h1 + h2,
        (false, false) => (h1 + h2) / 2.0,
        (false, true) if h1 + h2 < TAU => (h1 + h2 + TAU) / 2.0,
        (false, true) => (h1 + h2 - TAU) / 2.0,
    };
    let (l, c) = ((l1 + l2) / 2.0, (c1 + c2) / 2.0);
    let deg = |degrees: f64| degrees.to_radians();
    let t = 1.0 - 0.17 * (h - deg(30.0)).cos()
        + 0.24 * (2.0 * h).cos()
        + 0.32 * (3.0 * h + deg(6.0)).cos()
        - 0.20 * (4.0 * h - deg(63.0)).cos();
    let sl = 1.0 + 0.015 * (l - 50.0).powi(2) / (20.0 + (l - 50.0).powi(2)).sqrt();
    let (sc, sh) = (1.0 + 0.045 * c, 1.0 + 0.015 * c * t);
    let blue = deg(30.0) * (-((h.to_degrees() - 275.0) / 25.0).powi(2)).exp();
    let rt = -2.0 * seventh(c) * (2.0 * blue).sin();
    let (dl, dc) = ((l2 - l1) / sl, (c2 - c1) / sc);
    let dh = 2.0 * (c1 * c2).sqrt() * (dh / 2.0).sin() / sh;
    (dl * dl + dc * dc + dh * dh + rt * dc * dh).sqrt()
}
