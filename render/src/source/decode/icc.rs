//! Colour profiles: what a file says its numbers mean, made into sRGB.
//!
//! A profile that cannot be read or does not fit the samples is passed over with a word in the log:
//! a picture in slightly wrong colours is better than none.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, Transform8BitExecutor, TransformOptions};

use super::Samples;

/// Longest profile that is read: print profiles with fine tables have 2 MiB.
const PROFILE_BYTES: usize = 8 << 20;

/// The way from a file's numbers to sRGB.
#[derive(Clone)]
pub(crate) struct Profile {
    transform: Arc<Transform8BitExecutor>,
    from: Samples,
}

impl Profile {
    /// Reads a profile for `samples`; None if it is of no use.
    pub(crate) fn read(icc: &[u8], samples: Samples) -> Option<Profile> {
        match make(icc, samples) {
            Ok(profile) => Some(profile),
            Err(why) => {
                tracing::warn!(why, "colour profile passed over: its numbers are taken for sRGB");
                None
            }
        }
    }

    /// Makes sRGB of rows of samples: three bytes a pixel, four with alpha.
    ///
    /// # Errors
    /// Samples that are no whole pixels.
    pub(super) fn to_srgb(&self, data: &[u8]) -> Result<Vec<u8>, String> {
        let pixels = data.len() / self.from.count();
        let mut out = vec![0; pixels * target(self.from).channels()];
        self.transform
            .transform(data, &mut out)
            .map_err(|error| format!("colour profile: {error}"))?;
        Ok(out)
    }
}

fn make(icc: &[u8], samples: Samples) -> Result<Profile, String> {
    if icc.len() > PROFILE_BYTES {
        return Err(format!("{} bytes, at most {PROFILE_BYTES} are read", icc.len()));
    }
    let profile = ColorProfile::new_from_slice(icc).map_err(|error| error.to_string())?;
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
    Ok(Profile { transform, from: samples })
}

fn target(from: Samples) -> Layout {
    match from {
        Samples::Grey | Samples::Rgb | Samples::Cmyk => Layout::Rgb,
        Samples::GreyAlpha | Samples::Rgba => Layout::Rgba,
    }
}
