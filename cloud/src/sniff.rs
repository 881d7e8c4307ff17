//! What a file is, by its first bytes: the name says what people call it, not what it is.

/// What a device can use, for the text of a refusal.
pub const TAKEN: &str = "JPEG, PNG, WebP, AVIF, SVG, GIF, TIFF, BMP; MP4, QuickTime, WebM, Matroska, \
                         MPEG-TS; \
                         MP3, M4A, Ogg, FLAC, WAV; TrueType, OpenType";

/// Bytes of one packet of an MPEG transport stream.
const TS_PACKET: usize = 188;

/// Media type of a file that starts with `head`, or None if no device could show it.
pub fn media_type(head: &[u8]) -> Option<&'static str> {
    let brand = || head.get(8..12);
    match head {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some("image/tiff"),
        [b'B', b'M', ..] if head.len() > 14 && head[6..10] == [0; 4] => Some("image/bmp"),
        [b'R', b'I', b'F', b'F', ..] if brand() == Some(b"WEBP") => Some("image/webp"),
        [b'R', b'I', b'F', b'F', ..] if brand() == Some(b"WAVE") => Some("audio/wav"),
        [b'f', b'L', b'a', b'C', ..] => Some("audio/flac"),
        [b'O', b'g', b'g', b'S', ..] => Some(ogg(head)),
        [b'I', b'D', b'3', ..] => Some("audio/mpeg"),
        [0, 1, 0, 0, 0, 1..=64, ..] => Some("font/ttf"),
        [b'O', b'T', b'T', b'O', ..] => Some("font/otf"),
        [b't', b't', b'c', b'f', ..] => Some("font/collection"),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some(matroska(head)),
        _ if head.get(4..8) == Some(b"ftyp") => iso_media(brand()?),
        [0x47, ..] if head.get(TS_PACKET) == Some(&0x47) => Some("video/mp2t"),
        [0xff, second, third, ..] if is_mpeg_audio(*second, *third) => Some("audio/mpeg"),
        _ if is_svg(head) => Some("image/svg+xml"),
        _ => None,
    }
}

/// The first pages of a file name the codecs that are in it.
fn ogg(head: &[u8]) -> &'static str {
    let moves = head.windows(7).any(|found| found == b"\x80theora" || found == b"\x01video\0");
    if moves { "video/ogg" } else { "audio/ogg" }
}

/// Whether the two bytes behind eight ones begin a frame of MPEG audio: some of their bits have no
/// meaning when they are all alike.
fn is_mpeg_audio(second: u8, third: u8) -> bool {
    let (version, layer, rate, samples) =
        (second >> 3 & 3, second >> 1 & 3, third >> 4, third >> 2 & 3);
    second >= 0xe0 && version != 1 && matches!(layer, 1 | 2) && rate != 15 && samples != 3
}

/// Whether `head` starts a picture that a device may send of its screen.
pub fn screenshot_type(head: &[u8]) -> Option<&'static str> {
    media_type(head).filter(|found| matches!(*found, "image/png" | "image/jpeg"))
}

/// The document type stands within the first few dozen bytes of the header.
fn matroska(head: &[u8]) -> &'static str {
    let header = &head[..head.len().min(64)];
    if header.windows(4).any(|four| four == b"webm") { "video/webm" } else { "video/x-matroska" }
}

/// Of the pictures in the same container, devices decode AVIF and no HEIC.
fn iso_media(brand: &[u8]) -> Option<&'static str> {
    match brand {
        b"qt  " => Some("video/quicktime"),
        b"avif" | b"avis" => Some("image/avif"),
        b"heic" | b"heix" | b"mif1" | b"msf1" => None,
        b"M4A " | b"M4B " => Some("audio/mp4"),
        _ => Some("video/mp4"),
    }
}

fn is_svg(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    text.starts_with('<') && text.contains("<svg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_say_what_it_is() {
        let ts = [&[0x47u8; 1][..], &[0; 187], &[0x47, 0]].concat();
        let bmp = [&b"BM\x9a\0\0\0\0\0\0\0\x36\0\0\0"[..], &[40, 0]].concat();
        for (case, head, want) in [
            ("jpeg", &b"\xff\xd8\xff\xe0\0\x10JFIF"[..], Some("image/jpeg")),
            ("png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Some("image/png")),
            ("gif", b"GIF89a....", Some("image/gif")),
            ("bmp", &bmp, Some("image/bmp")),
            ("tiff", b"II*\0\x08\0\0\0", Some("image/tiff")),
            ("tiff of a Mac", b"MM\0*\0\0\0\x08", Some("image/tiff")),
            ("text that starts with BM", b"BMW is a maker of cars", None),
            ("webp", b"RIFF\x10\0\0\0WEBPVP8 ", Some("image/webp")),
            ("wave", b"RIFF\x10\0\0\0WAVEfmt ", Some("audio/wav")),
            ("flac", b"fLaC\0\0\0\x22", Some("audio/flac")),
            ("mp3 with a label", b"ID3\x04\0\0", Some("audio/mpeg")),
            ("mp3", b"\xff\xfb\x90\x64", Some("audio/mpeg")),
            ("text in UTF-16", b"\xff\xfeh\0i\0", None),
            ("opus", b"OggS\0\x02....OpusHead", Some("audio/ogg")),
            ("theora", b"OggS\0\x02....\x80theora", Some("video/ogg")),
            ("m4a", b"\0\0\0\x1cftypM4A ", Some("audio/mp4")),
            ("webm", b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", Some("video/webm")),
            ("mkv", b"\x1a\x45\xdf\xa3B\x82\x88matroska", Some("video/x-matroska")),
            ("mp4", b"\0\0\0\x20ftypisom", Some("video/mp4")),
            ("mov", b"\0\0\0\x14ftypqt  ", Some("video/quicktime")),
            ("avif", b"\0\0\0\x20ftypavif", Some("image/avif")),
            ("heic", b"\0\0\0\x20ftypheic", None),
            ("ts", &ts, Some("video/mp2t")),
            ("svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", Some("image/svg+xml")),
            (
                "svg with prologue",
                b"\xef\xbb\xbf<?xml version='1.0'?>\n<svg/>",
                Some("image/svg+xml"),
            ),
            ("truetype", b"\0\x01\0\0\0\x0e\0\x80", Some("font/ttf")),
            ("opentype", b"OTTO\0\x0a", Some("font/otf")),
            ("collection", b"ttcf\0\x02", Some("font/collection")),
            ("web page", b"<!doctype html><p>", None),
            ("program", b"\x7fELF", None),
            ("cut short", b"\0\0\0\x20fty", None),
            ("empty", b"", None),
        ] {
            assert_eq!(media_type(head), want, "case {case:?}");
        }
    }

    #[test]
    fn a_screenshot_is_png_or_jpeg() {
        assert_eq!(screenshot_type(b"\x89PNG\r\n\x1a\n"), Some("image/png"));
        assert_eq!(screenshot_type(b"GIF89a"), None);
    }
}
