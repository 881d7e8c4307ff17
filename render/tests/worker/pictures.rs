//! Right pictures, in order, at the right time.

use vitrine_render::scene::Size;
use vitrine_render::source::{Picture, Source, State};

use super::rig::{Rig, START, Seen, media, number, pool, rgb, spec};

/// The ground of numbered clips.
const GROUND: [u8; 3] = [0x33, 0x66, 0x99];

#[track_caller]
fn assert_close(found: [u8; 3], wanted: [u8; 3], within: u8, case: &str) {
    let off = found.iter().zip(wanted).map(|(a, b)| a.abs_diff(b)).max();
    assert!(off.is_some_and(|off| off <= within), "case {case:?}: {found:?}, wanted {wanted:?}");
}

#[test]
fn the_first_picture_is_there_before_the_start_and_has_the_right_colour() {
    for name in [
        "h264.mp4",
        "vp9.webm",
        "odd.webm",
        "hd.mp4",
        "ten_bit.mp4",
        "ten_bit_hevc.mp4",
        "ten_bit.webm",
        "stream.ts",
    ] {
        let pool = pool();
        let mut rig = Rig::open(spec(media(name)), &pool);
        rig.ready();
        let picture = rig.source.take(START).expect(name);
        assert_eq!(number(&picture), 0, "{name}");
        assert_close(rgb(&picture, 0.5, 0.6), GROUND, 4, name);
        assert!(rig.source.take(START).is_none(), "{name}: the same picture twice");
    }
}

#[test]
fn every_frame_comes_once_in_order_and_on_time() {
    for (name, frames, frame_us) in
        [("h264.mp4", 60, 33_333), ("silent.mp4", 60, 33_333), ("vp9.webm", 25, 40_000)]
    {
        let pool = pool();
        let mut rig = Rig::started(spec(media(name)), &pool);
        let seen = rig.numbers(usize::MAX);
        assert_eq!(seen.len(), frames, "{name}");
        for (place, Seen { at_us, number }) in seen.iter().enumerate() {
            assert_eq!(*number as usize, place, "{name}");
            let off_us = at_us.abs_diff(place as u64 * frame_us);
            // WebM counts in milliseconds, and its pictures start 7 ms late for the sound's sake.
            let within_us = if name == "vp9.webm" { 8_000 } else { 50 };
            assert!(off_us <= within_us, "{name}: frame {place} is {off_us} µs off");
        }
        let ends_us = rig.source.ends_at().expect("an end").since(START).as_micros() as u64;
        let off_us = ends_us.abs_diff(frames as u64 * frame_us);
        assert!(off_us <= 8_000, "{name}: the end is {off_us} µs off");
        assert_eq!(rig.source.dropped(), 0, "{name}");
    }
}

#[test]
fn a_variable_rate_is_kept() {
    let pool = pool();
    let mut rig = Rig::started(spec(media("variable.mp4")), &pool);
    let seen = rig.numbers(usize::MAX);
    for pair in seen.windows(2) {
        let n = u64::from(pair[0].number);
        let off_us = (pair[1].at_us - pair[0].at_us).abs_diff((40 + 20 * n) * 1_000);
        assert!(off_us <= 1_000, "{pair:?}");
    }
    assert_eq!(seen.len(), 10);
}

#[test]
fn frames_that_nobody_asked_for_in_time_are_counted_as_dropped() {
    let pool = pool();
    let mut rig = Rig::started(spec(media("silent.mp4")), &pool);
    let late = START.after(std::time::Duration::from_secs(60));
    let mut shown = 0;
    rig.until(|rig| {
        while rig.source.take(late).is_some() {
            shown += 1;
        }
        rig.source.ends_at().filter(|_| rig.source.next_at().is_none())
    });
    assert_eq!(shown + rig.source.dropped(), 60);
}

#[test]
fn a_loop_goes_on_without_a_gap() {
    for (name, frames, frame_us) in [
        ("silent.mp4", 60, 33_333),
        ("h264.mp4", 60, 33_333),
        ("vp9.webm", 25, 40_000),
        ("stream.ts", 30, 33_333),
    ] {
        let pool = pool();
        let mut wish = spec(media(name));
        wish.looped = true;
        let mut rig = Rig::started(wish, &pool);
        let seen = rig.numbers(frames * 3 + 5);
        assert_eq!(seen.len(), frames * 3 + 5, "{name}");
        for (place, pair) in seen.windows(2).enumerate() {
            assert_eq!(pair[1].number as usize, (place + 1) % frames, "{name}: {pair:?}");
            let off_us = (pair[1].at_us - pair[0].at_us).abs_diff(frame_us);
            assert!(off_us <= frame_us / 2, "{name}: step {place} is {off_us} µs off: {pair:?}");
        }
        assert_eq!(rig.source.ends_at(), None, "{name}");
    }
}

#[test]
fn colours_are_right_for_each_matrix_and_range() {
    for name in ["bars-601-limited", "bars-601-full", "bars-709-limited", "bars-709-full"] {
        let pool = pool();
        let mut rig = Rig::started(spec(media(&format!("{name}.mp4"))), &pool);
        let look = |picture: &Picture| [0.17, 0.5, 0.83].map(|y| rgb(picture, 0.8, y));
        let (_, found) = rig.next(look).expect(name);
        let (_, range) = rig
            .next(|picture| match picture {
                Picture::Yuv { colour, .. } => (colour.full_range, colour.kr),
                Picture::Rgba { .. } | Picture::Lent(_) => panic!("not copied YUV"),
            })
            .expect(name);
        assert_eq!(range.0, name.ends_with("full"), "{name}");
        assert_eq!(range.1 < 0.25, name.contains("709"), "{name}");
        for (place, rgb) in found.iter().enumerate() {
            // Red, green, blue from dark at the left to full at the right.
            let mut wanted = [0; 3];
            wanted[place] = 204;
            assert_close(*rgb, wanted, 8, name);
        }
    }
}

#[test]
fn sizes_and_shapes_of_pixels_are_told() {
    for (name, width_px, height_px, aspect) in [
        ("odd.webm", 161, 91, 1.0),
        ("wide_pixels.mp4", 90, 90, 16.0 / 9.0),
        ("turned.mp4", 90, 160, 1.0),
        ("hd.mp4", 1920, 1080, 1.0),
    ] {
        let pool = pool();
        let mut rig = Rig::open(spec(media(name)), &pool);
        rig.ready();
        let size = Size { width_px, height_px };
        assert_eq!(rig.source.poll(START), State::Ready(size), "{name}");
        match rig.source.take(START) {
            Some(Picture::Yuv { size: found, pixel_aspect, .. }) => {
                assert_eq!(found, size, "{name}");
                assert!((pixel_aspect - aspect).abs() < 0.01, "{name}: {pixel_aspect}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}
