//! Comparing pictures: with tolerance, counting outliers.

use image::{Rgb, RgbImage};

/// The colour of one pixel, given in shares of width and height.
pub fn at(picture: &RgbImage, x: f32, y: f32) -> Rgb<u8> {
    let (width, height) = picture.dimensions();
    let place = |share: f32, length: u32| ((share * length as f32) as u32).min(length - 1);
    *picture.get_pixel(place(x, width), place(y, height))
}

/// Whether two colours differ by at most `tolerance` in each channel.
pub fn near(a: Rgb<u8>, b: [u8; 3], tolerance: u8) -> bool {
    a.0.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= tolerance)
}

/// Share of pixels that differ by more than `tolerance` in any channel; 1.0 if the sizes differ.
pub fn outliers(a: &RgbImage, b: &RgbImage, tolerance: u8) -> f64 {
    if a.dimensions() != b.dimensions() {
        return 1.0;
    }
    let off = a.pixels().zip(b.pixels()).filter(|(a, b)| !near(**a, b.0, tolerance)).count();
    off as f64 / f64::from(a.width() * a.height())
}

/// Share of pixels that are (nearly) black: what no viewer may ever see over a whole screen.
pub fn blackness(picture: &RgbImage) -> f64 {
    let black = picture.pixels().filter(|pixel| near(**pixel, [0, 0, 0], 8)).count();
    black as f64 / f64::from(picture.width() * picture.height())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_different_picture_is_told_apart() {
        let red = RgbImage::from_pixel(8, 4, Rgb([200, 0, 0]));
        let nearly = RgbImage::from_pixel(8, 4, Rgb([203, 2, 0]));
        let mut spoilt = red.clone();
        spoilt.put_pixel(0, 0, Rgb([0, 0, 0]));
        assert_eq!(outliers(&red, &nearly, 3), 0.0);
        assert_eq!(outliers(&red, &spoilt, 3), 1.0 / 32.0);
        assert_eq!(outliers(&red, &RgbImage::new(4, 8), 255), 1.0);
        assert_eq!(blackness(&RgbImage::new(4, 8)), 1.0);
        assert_eq!(blackness(&red), 0.0);
    }
}
