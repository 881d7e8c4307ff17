use proptest::prelude::*;

use super::*;

fn media(name: &str) -> Vec<u8> {
    let home = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media");
    std::fs::read(home.join(name)).expect("readable")
}

/// The bytes of a file with one name in it replaced, the last of that name.
fn renamed(file: &str, from: &[u8; 4], to: &[u8; 4]) -> Vec<u8> {
    let mut bytes = media(file);
    let at = bytes.windows(4).rposition(|found| found == from).expect("it is in there");
    bytes[at..at + 4].copy_from_slice(to);
    bytes
}

#[test]
fn a_picture_is_handed_on_with_its_alpha_as_films_of_one_frame() {
    let avif = Avif::read(&media("see-through.avif")).expect("whole");
    assert_eq!(avif.about.size, Size { width_px: 48, height_px: 32 });
    let alpha = avif.alpha.expect("it has one");
    for film in [&avif.colour, &alpha] {
        assert_eq!((&film[..4], &film[8..16]), (&b"DKIF"[..], &b"AV01\x30\0\x20\0"[..]));
        let length = u32::from_le_bytes([film[32], film[33], film[34], film[35]]);
        assert_eq!(length as usize, film.len() - 44);
        // The mark of a new frame, once, and then a sequence header.
        assert_eq!((&film[44..46], film[46] >> 3), (&[0x12, 0][..], 1));
    }
    assert!(alpha.len() < avif.colour.len(), "they have changed places");
}

#[test]
fn what_is_not_shown_is_refused_and_says_why() {
    let whole = media("quadrants.avif");
    for (case, bytes, says) in [
        ("tiles", renamed("quadrants.avif", b"av01", b"grid"), "made of tiles"),
        ("another codec", renamed("quadrants.avif", b"av01", b"hvc1"), "kind \"hvc1\", want"),
        ("essential", renamed("quadrants.avif", b"av1C", b"clap"), "without \"clap\""),
        ("no size", renamed("quadrants.avif", b"ispe", b"free"), "how large"),
        ("no item", renamed("quadrants.avif", b"pitm", b"free"), "no \"pitm\" box"),
        ("no bytes", renamed("quadrants.avif", b"iloc", b"free"), "no \"iloc\" box"),
        ("cut off", whole[..200].to_vec(), "cut off"),
        ("half its data", whole[..300].to_vec(), "ends behind the file"),
    ] {
        let error = Avif::read(&bytes).expect_err(case);
        assert!(error.starts_with("AVIF: ") && error.contains(says), "case {case:?}: {error}");
    }
    assert!(is_avif(&whole), "not taken for one");
    assert!(is_heic(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic") && !is_avif(b"\0\0\0\x18ftypheic"));
}

#[test]
fn two_turns_are_one() {
    let all = [
        Orientation::NoTransforms,
        Orientation::Rotate90,
        Orientation::Rotate180,
        Orientation::Rotate270,
        Orientation::FlipHorizontal,
        Orientation::FlipVertical,
        Orientation::Rotate90FlipH,
        Orientation::Rotate270FlipH,
    ];
    let picture = image::GrayImage::from_raw(3, 2, (0..6).collect()).expect("six pixels");
    let turned = |turns: &[Orientation]| {
        let mut picture = image::DynamicImage::from(picture.clone());
        turns.iter().for_each(|turn| picture.apply_orientation(*turn));
        picture.into_luma8()
    };
    for (first, then) in all.into_iter().flat_map(|first| all.map(|then| (first, then))) {
        let at_once = turned(&[after(first, then)]);
        assert_eq!(at_once, turned(&[first, then]), "{first:?}, then {then:?}");
    }
}

/// Of three pixels in a row, the last one has a chroma sample that reaches beyond it.
#[test]
fn chroma_of_halves_lies_where_its_pixels_are() {
    let shape = Shape::new(Format::I420, 3, 2).expect("a size");
    let [_, cb, cr] = shape.planes();
    let mut slot = vec![100; shape.bytes()];
    slot[cb.offset_bytes..cb.offset_bytes + 2].copy_from_slice(&[40, 200]);
    slot[cr.offset_bytes..cr.offset_bytes + 2].copy_from_slice(&[77, 77]);
    let frame = Decoded { shape, slot: &slot, colour: Colour::UNSEEN };
    let [luma, cb, cr] = signals(&frame, Size { width_px: 3, height_px: 2 }).expect("whole");
    assert_eq!((luma, cr), (vec![100; 6], vec![77; 6]));
    let alike = |found: &[u8], wanted: &[u8]| {
        found.iter().zip(wanted).all(|(found, wanted)| found.abs_diff(*wanted) <= 2)
    };
    assert!(alike(&cb[..3], &[40, 80, 160]), "{cb:?}");
    // Twice as many samples between two are a quarter and three quarters on the way.
    let shape = Shape::new(Format::Nv12, 4, 2).expect("a size");
    let [_, both, _] = shape.planes();
    let mut slot = vec![100; shape.bytes()];
    slot[both.offset_bytes..both.offset_bytes + 4].copy_from_slice(&[40, 9, 200, 9]);
    let frame = Decoded { shape, slot: &slot, colour: Colour::UNSEEN };
    let [_, cb, cr] = signals(&frame, Size { width_px: 4, height_px: 2 }).expect("whole");
    assert_eq!(cr, vec![9; 8]);
    assert!(alike(&cb[..4], &[40, 80, 160, 200]), "{cb:?}");
}

/// Words that a container is made of, to be found by the bytes below.
const WORDS: [&[u8]; 12] = [
    b"ftypavif",
    b"meta",
    b"iloc",
    b"iinf",
    b"infe",
    b"iref",
    b"iprp",
    b"ipco",
    b"ipma",
    b"auxl",
    b"ispe",
    b"\0\0\0\0",
];

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(
        file in 0..4usize,
        changes in prop::collection::vec((0..700usize, any::<u8>()), 0..24),
        words in prop::collection::vec((0..700usize, 0..WORDS.len()), 0..4),
        cut in 0..700usize,
    ) {
        let mut bytes = media(["see-through.avif", "turned-5.avif", "hdr-pq.avif", "fine-rgb.avif"][file]);
        for (at, word) in words {
            let word = WORDS[word];
            if let Some(place) = bytes.get_mut(at..at + word.len()) {
                place.copy_from_slice(word);
            }
        }
        for (at, byte) in changes {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        bytes.truncate(cut.max(8));
        let _ = is_avif(&bytes) | is_heic(&bytes);
        if let Ok(avif) = Avif::read(&bytes) {
            let held = avif.colour.len() + avif.alpha.map_or(0, |alpha| alpha.len());
            prop_assert!(held <= 2 * (bytes.len() + 46), "{} of {}", held, bytes.len());
        }
    }
}
