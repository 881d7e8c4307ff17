//! Sounds without pictures, in a stage and by themselves.

use std::time::Duration;

use vitrine_render::report::Report;
use vitrine_render::scene::{AudioOut, Layer, Source};
use vitrine_render::source::Source as _;
use vitrine_render::source::worker::{VideoSource, VideoSpec};

use super::rig::{Rig as Ears, START, command, media, pool, spec};
use super::support::{Rig, colour, layer, scene};

/// Heard by a device that is there on every machine.
fn sound(turn: u64, name: &str, looped: bool) -> Layer {
    let audio = AudioOut::Alsa("null".to_owned());
    layer(turn, Source::Sound { path: media(name), volume: 1.0, looped, audio })
}

/// Every file has a second of sound; codecs that work in blocks have a little more.
#[test]
fn a_sound_lasts_as_long_as_it_is_heard_and_shows_what_lies_behind() {
    let mut rig = Rig::with_worker(32, 16, command());
    for (turn, name) in (2..).step_by(2).zip([
        "sound.mp3",
        "sound.ogg",
        "sound.opus",
        "sound.flac",
        "sound.wav",
        "sound.m4a",
        // Its pictures are not looked at.
        "clap.mp4",
    ]) {
        let behind = colour(turn - 1, [20, 90, 160]);
        rig.wish(scene(vec![behind, sound(turn, name, false)]), None);
        let told = rig.wait(|report| match report {
            Report::Prepared { turn: found, lasts } if *found == turn => Some(*lasts),
            Report::Failed { error, .. } => panic!("{name}: {error}"),
            _ => None,
        });
        let began = rig.wait_shown(turn);
        assert_eq!(rig.picture().get_pixel(16, 8).0, [20, 90, 160], "{name} is seen");
        let ended = rig.wait(|report| match report {
            Report::Ended { turn: found, at } if *found == turn => Some(*at),
            Report::Failed { error, .. } => panic!("{name}: {error}"),
            Report::Beat(beat) if beat.moving => panic!("{name}: it is drawn again and again"),
            _ => None,
        });
        let second = Duration::from_millis(if name == "clap.mp4" { 1_500 } else { 1_000 });
        let lasted = ended.since(began);
        let is_right = |found: Duration| found.abs_diff(second) < Duration::from_millis(80);
        assert!(is_right(lasted), "{name}: {lasted:?}, {second:?} wanted");
        assert!(told.is_none_or(is_right), "{name} tells {told:?}");
    }
    rig.end();
}

#[test]
fn a_sound_that_is_wanted_for_longer_begins_anew() {
    for name in ["sound.mp3", "sound.wav", "sound.m4a"] {
        let pool = pool();
        let spec = VideoSpec { looped: true, ..spec(media(name)) };
        let mut ears = Ears::with(|waker| VideoSource::sound(spec, &pool, waker));
        ears.ready();
        ears.source.start(START);
        // Empty pictures come once a second of sound, whatever the round.
        for second in 0..4u64 {
            let (at_us, ()) = ears.next(|_| ()).expect("it goes on");
            let late_us = at_us.checked_sub(second * 1_000_000);
            assert!(late_us.is_some_and(|late_us| late_us < 250_000), "{name}, {second}: {at_us}");
        }
    }
}

#[test]
fn what_is_no_sound_is_refused_and_says_why() {
    let rig = Rig::with_worker(32, 16, command());
    let text = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(text.path(), b"no music in here\n".repeat(4_096)).expect("written");
    rig.wish(scene(vec![sound(1, "silent.mp4", false)]), None);
    let error = rig.wait_failed(1);
    assert!(error.contains("silent.mp4: no sound in it, only video/"), "{error}");
    let path = text.path().to_owned();
    let audio = AudioOut::None;
    let source = Source::Sound { path, volume: 1.0, looped: false, audio };
    rig.wish(scene(vec![layer(2, source)]), None);
    assert!(rig.wait_failed(2).contains("text file"));
    rig.end();
}

/// Nobody hears it, and it ends all the same.
#[test]
fn a_sound_that_is_muted_lasts_as_long() {
    let rig = Rig::with_worker(32, 16, command());
    let audio = AudioOut::Auto;
    let path = media("sound.mp3");
    let source = Source::Sound { path, volume: 0.0, looped: false, audio };
    rig.wish(scene(vec![layer(1, source)]), None);
    let began = rig.wait_shown(1);
    let ended = rig.wait(|report| match report {
        Report::Ended { turn: 1, at } => Some(*at),
        _ => None,
    });
    assert!(ended.since(began).abs_diff(Duration::from_secs(1)) < Duration::from_millis(80));
    rig.end();
}
