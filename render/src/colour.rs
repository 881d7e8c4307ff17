//! What luma and chroma numbers mean in red, green and blue. The only place with such numbers: the
//! shader is handed the rows made here.
//!
//! Not here: where chroma is sampled (`gpu::compositor`), gamma (values pass through as encoded,
//! but for what `gpu/light.wgsl` does).

use crate::scene::Size;
use crate::source::Colour;

/// Makes the rows that turn `(Y', Cb, Cr, 1)`, each sample divided by 255, into R', G' and B'.
///
/// - `colour.kr`, `colour.kb`: weights of red and blue, each above 0, their sum below 1.
/// - The rows give unitless values, nominal 0.0..=1.0; codes outside the nominal ranges give values
///   outside it, which the shader clamps.
///
/// Error against the exact matrix below 1e-5 per channel.
///
/// Source: ITU-R BT.601-7, section 2.5; BT.709-6, section 3; full range as in JFIF 1.02.
pub(crate) fn rows(colour: Colour) -> [[f32; 4]; 3] {
    let (kr, kb) = (f64::from(colour.kr), f64::from(colour.kb));
    let kg = 1.0 - kr - kb;
    let (luma, chroma, black) = match colour.full_range {
        true => (1.0, 1.0, 0.0),
        false => (255.0 / 219.0, 255.0 / 224.0, 16.0 / 255.0),
    };
    let red_by_cr = 2.0 * (1.0 - kr) * chroma;
    let blue_by_cb = 2.0 * (1.0 - kb) * chroma;
    let green_by_cb = -blue_by_cb * kb / kg;
    let green_by_cr = -red_by_cr * kr / kg;
    let row = |by_cb: f64, by_cr: f64| {
        let offset = -luma * black - (by_cb + by_cr) * 128.0 / 255.0;
        [luma as f32, by_cb as f32, by_cr as f32, offset as f32]
    };
    [row(0.0, red_by_cr), row(green_by_cb, green_by_cr), row(blue_by_cb, 0.0)]
}

/// Where to sample chroma, as `[scale x, scale y, offset x, offset y]` on picture coordinates 0..=1
/// of luma. `left`: chroma sits on the left luma sample (MPEG-2 and later) instead of between two
/// (JPEG, MPEG-1); vertically it always lies between two rows.
pub(crate) fn chroma_at(luma: Size, left: bool) -> [f32; 4] {
    let (width, height) = (f64::from(luma.width_px), f64::from(luma.height_px));
    let (chroma_width, chroma_height) = ((width / 2.0).ceil(), (height / 2.0).ceil());
    let shift = if left { 0.25 / chroma_width } else { 0.0 };
    [(width / 2.0 / chroma_width) as f32, (height / 2.0 / chroma_height) as f32, shift as f32, 0.0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Light;

    fn convert(colour: Colour, codes: [u8; 3]) -> [f32; 3] {
        let [y, cb, cr] = codes.map(|code| f32::from(code) / 255.0);
        rows(colour).map(|row| row[0] * y + row[1] * cb + row[2] * cr + row[3])
    }

    #[test]
    fn primaries() {
        let bt601 = Colour {
            kr: 0.299,
            kb: 0.114,
            full_range: false,
            chroma_left: true,
            light: Light::Sdr,
        };
        let bt709 = Colour { kr: 0.2126, kb: 0.0722, ..bt601 };
        let jpeg = Colour { full_range: true, chroma_left: false, ..bt601 };
        for (name, colour, codes, want) in [
            ("709 black", bt709, [16, 128, 128], [0.0, 0.0, 0.0]),
            ("709 white", bt709, [235, 128, 128], [1.0, 1.0, 1.0]),
            ("709 red", bt709, [63, 102, 240], [1.0, 0.0, 0.0]),
            ("709 green", bt709, [173, 42, 26], [0.0, 1.0, 0.0]),
            ("709 blue", bt709, [32, 240, 118], [0.0, 0.0, 1.0]),
            ("601 red", bt601, [81, 90, 240], [1.0, 0.0, 0.0]),
            ("601 green", bt601, [145, 54, 34], [0.0, 1.0, 0.0]),
            ("601 blue", bt601, [41, 240, 110], [0.0, 0.0, 1.0]),
            ("full white", jpeg, [255, 128, 128], [1.0, 1.0, 1.0]),
            ("full red", jpeg, [76, 85, 255], [1.0, 0.0, 0.0]),
        ] {
            let got = convert(colour, codes);
            // Half a code value of rounding in each of Y', Cb, Cr is worth 0.007.
            assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 0.007), "{name}: {got:?}");
        }
    }

    #[test]
    fn chroma_of_odd_sizes_is_not_stretched() {
        let odd = Size { width_px: 3, height_px: 5 };
        let [x, y, shift, _] = chroma_at(odd, true);
        assert!((x - 0.75).abs() < 1e-6 && (y - 5.0 / 6.0).abs() < 1e-6);
        assert!((shift - 0.125).abs() < 1e-6, "a quarter of one of two chroma samples");
        assert_eq!(chroma_at(odd, false)[2], 0.0);
    }
}
