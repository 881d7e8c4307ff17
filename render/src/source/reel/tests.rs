use std::borrow::Cow;
use std::io::Cursor;

use image::AnimationDecoder as _;
use proptest::prelude::*;

use super::*;
use crate::scene::Fit;

const RED: [u8; 4] = [255, 0, 0, 255];
const BLUE: [u8; 4] = [0, 0, 255, 255];
const NONE: [u8; 4] = [0; 4];

/// Index 0 is see-through in files that say so.
const PALETTE: [u8; 12] = [0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255];

/// A frame of one colour, as a test writes it down.
#[derive(Debug, Clone)]
struct Block {
    x: u16,
    y: u16,
    width: u16,
    height: u16,
    /// In [`PALETTE`].
    colour: u8,
    dispose: u8,
    /// 10 ms.
    delay: u16,
}

const SIDE: u16 = 6;

fn block() -> impl Strategy<Value = Block> {
    let place = (0..SIDE, 0..SIDE, 1..=SIDE, 1..=SIDE);
    (place, 0..4u8, 1..4u8, 0..30u16).prop_map(|((x, y, width, height), colour, dispose, delay)| {
        let (width, height) = (width.min(SIDE - x), height.min(SIDE - y));
        Block { x, y, width, height, colour, dispose, delay }
    })
}

/// The first frame of a file covers the page.
fn blocks() -> impl Strategy<Value = Vec<Block>> {
    prop::collection::vec(block(), 1..8).prop_map(|mut blocks| {
        blocks[0] = Block { x: 0, y: 0, width: SIDE, height: SIDE, ..blocks[0].clone() };
        blocks
    })
}

fn gif(blocks: &[Block], repeat: ::gif::Repeat) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = ::gif::Encoder::new(&mut file, SIDE, SIDE, &PALETTE).expect("a header");
    encoder.set_repeat(repeat).expect("written");
    for block in blocks {
        let pixels = vec![block.colour; usize::from(block.width) * usize::from(block.height)];
        let frame = ::gif::Frame {
            delay: block.delay,
            dispose: ::gif::DisposalMethod::from_u8(block.dispose).expect("known"),
            transparent: Some(0),
            left: block.x,
            top: block.y,
            width: block.width,
            height: block.height,
            buffer: Cow::Owned(pixels),
            ..::gif::Frame::default()
        };
        encoder.write_frame(&frame).expect("written");
    }
    drop(encoder);
    file
}

fn rgba(colour: u8) -> [u8; 4] {
    let [red, green, blue] = *PALETTE[usize::from(colour) * 3..].first_chunk().expect("a colour");
    // Half see-through, so that blending shows.
    [red, green, blue, if colour == 0 { 0 } else { 128 }]
}

fn apng(blocks: &[Block], plays: u32, over: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut file, SIDE.into(), SIDE.into());
    encoder.set_color(::png::ColorType::Rgba);
    encoder.set_animated(blocks.len() as u32, plays).expect("animated");
    let mut writer = encoder.write_header().expect("a header");
    for (n, block) in blocks.iter().enumerate() {
        let dispose = ::png::DisposeOp::from_u8(block.dispose - 1).expect("known");
        if n > 0 {
            writer.set_frame_position(0, 0).expect("placed");
            writer.set_frame_dimension(block.width.into(), block.height.into()).expect("sized");
            writer.set_frame_position(block.x.into(), block.y.into()).expect("placed");
        }
        writer.set_frame_delay(block.delay, 100).expect("delayed");
        writer.set_dispose_op(dispose).expect("disposed");
        let blend = if over { ::png::BlendOp::Over } else { ::png::BlendOp::Source };
        writer.set_blend_op(blend).expect("blended");
        let pixels = usize::from(block.width) * usize::from(block.height);
        writer.write_image_data(&rgba(block.colour).repeat(pixels)).expect("written");
    }
    writer.finish().expect("written");
    file
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = [name.as_slice(), &(body.len() as u32).to_le_bytes(), body].concat();
    out.resize(out.len().next_multiple_of(2), 0);
    out
}

fn three(number: u16) -> [u8; 3] {
    let [a, b] = number.to_le_bytes();
    [a, b, 0]
}

/// Frames: place, colour, `ANMF` flags, milliseconds. Each covers 4 by 2 pixels of 6 by 6.
fn webp(frames: &[(u16, [u8; 4], u8, u16)], plays: u8) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    let side = three(SIDE - 1);
    body.extend(chunk(b"VP8X", &[&[0x12, 0, 0, 0], side.as_slice(), &side].concat()));
    body.extend(chunk(b"ANIM", &[9, 9, 9, 9, plays, 0]));
    for (y, colour, flags, ms) in frames {
        let mut still = Vec::new();
        let encoder = image_webp::WebPEncoder::new(&mut still);
        encoder.encode(&colour.repeat(8), 4, 2, image_webp::ColorType::Rgba8).expect("encoded");
        let head = [three(0), three(y / 2), three(3), three(1), three(*ms)].concat();
        body.extend(chunk(b"ANMF", &[head.as_slice(), &[*flags], &still[12..]].concat()));
    }
    chunk(b"RIFF", &body)
}

const AS_IS: Fitting = Fitting {
    covers: Size { width_px: SIDE as u32, height_px: SIDE as u32 },
    fit: Fit::Contain,
    scale: 1.0,
};

fn open(file: Vec<u8>) -> Result<Option<Reel>, String> {
    Reel::open(&Bytes(Arc::new(file)))
}

/// Whole pictures with straight alpha, and their times in milliseconds, up to `most` of them.
fn all(file: Vec<u8>, most: usize) -> Vec<(Vec<u8>, u64)> {
    let mut reel = open(file).expect("readable").expect("it moves");
    let mut seen = Vec::new();
    while seen.len() < most {
        let Some(frame) = reel.next(&AS_IS).expect("whole") else { break };
        assert_eq!(frame.still.size, AS_IS.covers);
        seen.push((reel.canvas.rgba().to_vec(), frame.lasts.as_millis() as u64));
    }
    seen
}

fn ms(delay: u16) -> u64 {
    if delay <= 1 { 100 } else { u64::from(delay) * 10 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Another implementation lays the patches in the same way.
    #[test]
    fn gif_frames_are_those_of_another_decoder(blocks in blocks()) {
        let file = gif(&blocks, ::gif::Repeat::Finite(0));
        let other = image::codecs::gif::GifDecoder::new(Cursor::new(&file)).expect("a file");
        let other = other.into_frames().collect_frames().expect("frames");
        let ours = all(file, 99);
        prop_assert_eq!(ours.len(), other.len());
        for ((pixels, lasts), (other, block)) in ours.iter().zip(other.iter().zip(&blocks)) {
            prop_assert_eq!(visible(pixels), visible(other.buffer()));
            prop_assert_eq!(*lasts, ms(block.delay));
        }
    }

    #[test]
    fn apng_frames_are_those_of_another_decoder(blocks in blocks(), over: bool) {
        // The other one restores what a frame before had just cleared.
        let restores = blocks.windows(2).any(|pair| pair[0].dispose == 2 && pair[1].dispose == 3);
        prop_assume!(blocks.len() > 1 && !restores);
        let file = apng(&blocks, 1, over);
        let other = image::codecs::png::PngDecoder::new(Cursor::new(&file)).expect("a file");
        let other = other.apng().expect("it moves").into_frames().collect_frames().expect("frames");
        let ours = all(file, 99);
        prop_assert_eq!(ours.len(), other.len());
        for ((pixels, lasts), (other, block)) in ours.iter().zip(other.iter().zip(&blocks)) {
            let pairs = visible(pixels).into_iter().zip(visible(other.buffer()));
            for (ours, other) in pairs {
                prop_assert!(ours.abs_diff(other) <= 2, "{:?}\n{:?}", pixels, other);
            }
            prop_assert_eq!(*lasts, ms(block.delay));
        }
    }
}

/// What lies under nothing is nobody's business.
fn visible(rgba: &[u8]) -> Vec<u8> {
    let seen = |pixel: &[u8]| if pixel[3] == 0 { vec![0; 4] } else { pixel.to_vec() };
    rgba.chunks_exact(4).flat_map(seen).collect()
}

#[test]
fn webp_frames_are_laid_and_disposed_of() {
    let half = [0, 0, 255, 128];
    let file = webp(
        &[(0, RED, 0, 40), (2, BLUE, 1, 0), (4, RED, 0, 70), (0, half, 0, 20), (0, NONE, 2, 20)],
        1,
    );
    let seen = all(file, 99);
    let at = |picture: usize, y: usize| {
        let pixel = &seen[picture].0[(y * usize::from(SIDE)) * 4..][..4];
        [pixel[0], pixel[1], pixel[2], pixel[3]]
    };
    for (case, picture, want) in [
        ("first", 0, [RED, NONE, NONE]),
        ("second", 1, [RED, BLUE, NONE]),
        ("the second is cleared", 2, [RED, NONE, RED]),
        ("over", 3, [[127, 0, 128, 255], NONE, RED]),
        ("see-through replaces", 4, [NONE, NONE, RED]),
    ] {
        assert_eq!([at(picture, 0), at(picture, 2), at(picture, 4)], want, "{case}");
    }
    let times: Vec<_> = seen.iter().map(|(_, ms)| *ms).collect();
    assert_eq!(times, [40, 100, 70, 20, 20]);
}

#[test]
fn a_file_is_played_as_often_as_it_says() {
    let two = [
        Block { x: 0, y: 0, width: SIDE, height: SIDE, colour: 1, dispose: 1, delay: 5 },
        Block { x: 0, y: 0, width: 3, height: 3, colour: 3, dispose: 1, delay: 5 },
    ];
    let webp = |plays| webp(&[(0, RED, 0, 40), (0, BLUE, 0, 40)], plays);
    for (case, file, frames) in [
        ("GIF that does not say", gif(&two, ::gif::Repeat::Finite(0)), 2),
        ("GIF repeated twice", gif(&two, ::gif::Repeat::Finite(2)), 6),
        ("GIF for ever", gif(&two, ::gif::Repeat::Infinite), 20),
        ("GIF of one picture, for ever", gif(&two[..1], ::gif::Repeat::Infinite), 1),
        ("APNG three times", apng(&two, 3, true), 6),
        ("APNG for ever", apng(&two, 0, true), 20),
        ("WebP twice", webp(2), 4),
        ("WebP for ever", webp(0), 20),
    ] {
        let seen = all(file, 20);
        assert_eq!(seen.len(), frames, "{case}");
        // Nothing of the pass before shines through.
        assert!(frames < 3 || seen[0].0 == seen[2].0, "{case}: passes differ");
    }
}

#[test]
fn what_does_not_move_is_no_reel() {
    let one = Block { x: 0, y: 0, width: SIDE, height: SIDE, colour: 1, dispose: 1, delay: 5 };
    let mut still = Vec::new();
    let encoder = image_webp::WebPEncoder::new(&mut still);
    encoder.encode(&RED.repeat(4), 2, 2, image_webp::ColorType::Rgba8).expect("encoded");
    for (case, file) in
        [("PNG", apng(&[one], 0, true)), ("WebP", still), ("text", b"GIF? no".to_vec())]
    {
        assert!(open(file).expect("readable").is_none(), "{case}");
    }
}

/// Wherever a file is cut, it shows its whole frames, then fails or ends, and says what it is.
#[test]
fn a_cut_file_fails_with_its_name_and_never_shows_half_a_frame() {
    let two = [
        Block { x: 0, y: 0, width: SIDE, height: SIDE, colour: 1, dispose: 1, delay: 5 },
        Block { x: 0, y: 0, width: SIDE, height: SIDE, colour: 2, dispose: 1, delay: 5 },
    ];
    let files = [
        ("GIF", gif(&two, ::gif::Repeat::Finite(0))),
        ("PNG", apng(&two, 1, false)),
        ("WebP", webp(&[(0, RED, 0, 40), (2, BLUE, 0, 40)], 1)),
    ];
    for (name, file) in files {
        let whole: Vec<_> = all(file.clone(), 2).into_iter().map(|(pixels, _)| pixels).collect();
        let mut failed = 0;
        for length in 4..file.len() {
            let opened = open(file[..length].to_vec());
            let Ok(Some(mut reel)) = opened else {
                failed += usize::from(opened.is_err_and(|error| error.starts_with(name)));
                continue;
            };
            for pixels in &whole {
                match reel.next(&AS_IS) {
                    Ok(Some(_)) => assert_eq!(reel.canvas.rgba(), pixels, "{name}, {length} bytes"),
                    Ok(None) => break,
                    Err(error) => {
                        assert!(error.starts_with(name), "{error}");
                        failed += 1;
                        break;
                    }
                }
            }
        }
        assert!(failed * 2 > file.len(), "{name}: only {failed} of {} cuts failed", file.len());
    }
}
