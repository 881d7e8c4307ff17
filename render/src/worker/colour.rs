//! What luma and chroma numbers mean, from what the file says and, where it is silent, from habit.

use gstreamer_video::{
    VideoChromaSite, VideoColorMatrix, VideoColorPrimaries, VideoColorRange, VideoColorimetry,
    VideoInfo, VideoTransferFunction,
};

use crate::source::{Colour, Light};

/// Rows from which a file that does not say is taken for BT.709: HD and up.
const HD_ROWS: u32 = 720;

/// What the caps say. `tagged`: whether the caps name a colorimetry; if not, what `info` has was
/// guessed from the size.
pub fn of(info: &VideoInfo, tagged: bool) -> Colour {
    let colorimetry = info.colorimetry();
    let matrix = if tagged { colorimetry.matrix() } else { VideoColorMatrix::Unknown };
    let range = if tagged { colorimetry.range() } else { VideoColorRange::Unknown };
    let light = if tagged { light(&colorimetry) } else { Light::Sdr };
    Colour { light, ..meaning(matrix, range, info.chroma_site(), info.height()) }
}

fn light(told: &VideoColorimetry) -> Light {
    match (told.transfer(), told.primaries()) {
        (VideoTransferFunction::Smpte2084, _) => Light::Pq,
        (VideoTransferFunction::AribStdB67, _) => Light::Hlg,
        (_, VideoColorPrimaries::Bt2020) => Light::Wide,
        _ => Light::Sdr,
    }
}

fn meaning(
    matrix: VideoColorMatrix,
    range: VideoColorRange,
    site: VideoChromaSite,
    rows: u32,
) -> Colour {
    let (kr, kb) = match matrix {
        VideoColorMatrix::Bt709 => (0.2126, 0.0722),
        VideoColorMatrix::Bt601 => (0.299, 0.114),
        VideoColorMatrix::Bt2020 => (0.2627, 0.0593),
        VideoColorMatrix::Fcc => (0.30, 0.11),
        VideoColorMatrix::Smpte240m => (0.212, 0.087),
        _ if rows >= HD_ROWS => (0.2126, 0.0722),
        _ => (0.299, 0.114),
    };
    Colour {
        kr,
        kb,
        full_range: range == VideoColorRange::Range0_255,
        // MPEG-2, H.264, HEVC, VP9 and AV1 all put it there unless they say otherwise.
        chroma_left: site.is_empty() || site.contains(VideoChromaSite::H_COSITED),
        light: Light::Sdr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_means_limited_range_and_a_matrix_by_size() {
        let limited = VideoColorRange::Range16_235;
        let full = VideoColorRange::Range0_255;
        let (unknown, none) = (VideoColorMatrix::Unknown, VideoColorRange::Unknown);
        let site = VideoChromaSite::MPEG2;
        for (case, matrix, range, site, rows, kr, full_range, left) in [
            ("silent SD", unknown, none, VideoChromaSite::empty(), 576, 0.299, false, true),
            ("silent HD", unknown, none, VideoChromaSite::empty(), 720, 0.2126, false, true),
            ("601 in HD", VideoColorMatrix::Bt601, limited, site, 1080, 0.299, false, true),
            ("709 in SD", VideoColorMatrix::Bt709, full, site, 90, 0.2126, true, true),
            ("2020", VideoColorMatrix::Bt2020, limited, site, 2160, 0.2627, false, true),
            ("centred", unknown, full, VideoChromaSite::JPEG, 90, 0.299, true, false),
        ] {
            let colour = meaning(matrix, range, site, rows);
            let found = (colour.kr, colour.full_range, colour.chroma_left);
            assert_eq!(found, (kr, full_range, left), "case {case:?}");
        }
    }
}
