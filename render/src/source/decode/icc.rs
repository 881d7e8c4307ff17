//! Colour profiles: what a file says its numbers mean, made into sRGB. Light of high dynamic range is
//! rolled off as that of videos is.
//!
//! A profile that cannot be read or does not fit the samples is passed over with a word in the log:
//! a picture in slightly wrong colours is better than none.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, Transform8BitExecutor, TransformOptions};

use super::Samples;
use crate::gpu::to_sdr;
use crate::source::Light;

/// Longest profile that is read: print profiles with fine tables have 2 MiB.
const PROFILE_BYTES: usize = 8 << 20;

/// The way from a file's numbers to sRGB.
#[derive(Clone)]
pub(crate) struct Profile {
    way: Way,
    from: Samples,
}

#[derive(Clone)]
enum Way {
    Icc(Arc<Transform8BitExecutor>),
    Light(Light),
}

impl Profile {
    /// Reads a profile for `samples`; None if it is of no use.
    pub(crate) fn read(icc: &[u8], samples: Samples) -> Option<Profile> {
        useful(parse(icc).and_then(|profile| make(&profile, samples)))
    }

    /// That of Display P3.
    pub(super) fn display_p3(samples: Samples) -> Option<Profile> {
        useful(make(&ColorProfile::new_display_p3(), samples))
    }

    /// For RGB that means such light; None if that is sRGB.
    pub(super) fn of_light(light: Light, from: Samples) -> Option<Profile> {
        (light != Light::Sdr).then_some(Profile { way: Way::Light(light), from })
    }

    /// Makes sRGB of rows of samples: three bytes a pixel, four with alpha.
    ///
    /// # Errors
    /// Samples that are no whole pixels.
    pub(super) fn to_srgb(&self, data: &[u8]) -> Result<Vec<u8>, String> {
        let transform = match &self.way {
            Way::Icc(transform) => transform,
            Way::Light(light) => return Ok(sdr(*light, data, self.from.count())),
        };
        let pixels = data.len() / self.from.count();
        let mut out = vec![0; pixels * target(self.from).channels()];
        let made = transform.transform(data, &mut out);
        made.map_err(|error| format!("colour profile: {error}"))?;
        Ok(out)
    }
}

fn sdr(light: Light, data: &[u8], count: usize) -> Vec<u8> {
    let mut out = data.to_vec();
    for pixel in out.chunks_exact_mut(count) {
        if let [red, green, blue, ..] = pixel {
            let shown = to_sdr(light, [*red, *green, *blue].map(|code| f32::from(code) / 255.0));
            [*red, *green, *blue] = shown.map(|value| (value * 255.0).round() as u8);
        }
    }
    out
}

fn useful(made: Result<Profile, String>) -> Option<Profile> {
    made.inspect_err(|why| {
        tracing::warn!(why, "colour profile passed over: its numbers are taken for sRGB");
    })
    .ok()
}

fn parse(icc: &[u8]) -> Result<ColorProfile, String> {
    if icc.len() > PROFILE_BYTES {
        return Err(format!("{} bytes, at most {PROFILE_BYTES} are read", icc.len()));
    }
    ColorProfile::new_from_slice(icc).map_err(|error| error.to_string())
}

fn make(profile: &ColorProfile, samples: Samples) -> Result<Profile, String> {
    let wanted = match samples {
        Samples::Grey | Samples::GreyAlpha => DataColorSpace::Gray,
        Samples::Rgb | Samples::Rgba => DataColorSpace::Rgb,
        Samples::Cmyk => DataColorSpace::Cmyk,
    };
    if profile.color_space != wanted {
        return Err(format!("it is for {:?}, the picture is {wanted:?}", profile.color_space));
    }
    let layout = match samples {
        Samples::Grey => Layout::Gray,
        Samples::GreyAlpha => Layout::GrayAlpha,
        Samples::Rgb => Layout::Rgb,
        Samples::Rgba | Samples::Cmyk => Layout::Rgba,
    };
    let (srgb, options) = (ColorProfile::new_srgb(), TransformOptions::default());
    let transform = profile.create_transform_8bit(layout, &srgb, target(samples), options);
    let transform = transform.map_err(|error| error.to_string())?;
    Ok(Profile { way: Way::Icc(transform), from: samples })
}

fn target(from: Samples) -> Layout {
    match from {
        Samples::Grey | Samples::Rgb | Samples::Cmyk => Layout::Rgb,
        Samples::GreyAlpha | Samples::Rgba => Layout::Rgba,
    }
}
