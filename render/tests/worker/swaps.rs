//! Software takes the place of hardware in the midst of a film, while frames of that are lent.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use gstreamer::prelude::*;
use vitrine_config::time::{Clock, Mono, Now, Trust};
use vitrine_render::report::Report;
use vitrine_render::scene::{AudioOut, Source as Shown};
use vitrine_render::source::Source;
use vitrine_render::source::worker::{VideoSpec, WorkerCommand, WorkerPool};

use super::ear::{self, LISTENS};
use super::hardware::{HD, STREAM, Seen, in_step, prepared, seen};
use super::lending::worker_that;
use super::rig::{Rig, START, media, spec};
use super::support;

/// As many frames as are lent at a time, and how wide they are.
const LENT: usize = 3;
const LENT_WIDTH: u32 = 320;

#[test]
fn what_was_lent_is_shown_to_its_end_and_software_goes_on_from_there() {
    for (order, way, (name, film), looped) in [
        ("rows", "breaks", HD, false),
        ("columns", "breaks", STREAM, false),
        ("device rows", "tires", HD, false),
        ("two buffers", "tires", STREAM, true),
        ("columns", "stalls", HD, true),
    ] {
        let case = format!("{order}, {way}, {name}, looped: {looped}");
        let pool = WorkerPool::new(worker_that(order, way, LENT));
        let mut rig = Rig::open(VideoSpec { looped, ..spec(media(name)) }, &pool);
        prepared(&mut rig);
        rig.source.start(START);
        let all = seen(&mut rig, film as usize * 2 + 10);
        let of_hardware = |(_, width, _): &&Seen| *width == LENT_WIDTH;
        let given = all.iter().take_while(of_hardware).count();
        // A loop begins by a flush, which may cost one of them.
        assert!((LENT - usize::from(looped)..=LENT).contains(&given), "{case}: {all:?}");
        let numbers = all[..given].windows(2).all(|two| two[1].2 == two[0].2 + 1);
        assert!(numbers, "{case}: what was lent is read wrong: {all:?}");
        let soft = &all[given..];
        assert!(!soft.iter().any(|one| of_hardware(&one)), "{case}: {all:?}");
        assert!(in_step(soft, film), "{case}: {all:?}");
        match looped {
            false => assert_eq!(all.len() as u64, film, "{case}: {all:?}"),
            true => assert!(all.len() as u64 > film * 2, "{case}: {all:?}"),
        }
        if way != "stalls" {
            assert_eq!(rig.source.dropped(), 0, "{case}");
        }
        let told = rig.source.mended().unwrap_or_default();
        assert!(told.contains("lendingdec") && told.contains(name), "{case}: {told}");
    }
}

/// The clock that workers play sound by.
struct WorkersClock;

impl Clock for WorkersClock {
    fn now(&self) -> Now {
        let mono = Mono(gstreamer::SystemClock::obtain().time().nseconds());
        Now { wall: jiff::Timestamp::UNIX_EPOCH, mono, trust: Trust::Guess }
    }
}

/// The same worker, which has an ear in the place of a device. What it hears goes into `file`.
fn heard_by(worker: WorkerCommand, file: &Path) -> WorkerCommand {
    let script = "file=$1; shift; exec \"$@\" 2>>\"$file\"";
    let mut args = ["-c", script, "sh"].map(OsString::from).to_vec();
    args.extend([file.into(), worker.program.into_os_string(), format!("{LISTENS}=1").into()]);
    args.extend(worker.args);
    WorkerCommand { program: "/bin/sh".into(), args }
}

/// The largest step from one sample to the next, from and to silence.
fn largest_step(samples: &[i16]) -> i32 {
    let whole = [0].iter().chain(samples).chain(&[0]).map(|sample| i32::from(*sample));
    let whole: Vec<i32> = whole.collect();
    whole.windows(2).map(|two| (two[1] - two[0]).abs()).max().unwrap_or(0)
}

#[test]
fn the_sound_of_who_is_left_ends_without_a_click_and_the_other_one_goes_on() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    // Half of the film.
    let worker = heard_by(worker_that("rows", "breaks", 30), file.path());
    gstreamer::init().expect("gstreamer");
    let rig = support::Rig::with((64, 36), worker, Arc::new(WorkersClock));
    let audio = AudioOut::Alsa("ear".to_owned());
    let video = Shown::Video { path: media("h264.mp4"), volume: 1.0, looped: false, audio };
    rig.wish(support::scene(vec![support::layer(1, video)]), None);
    rig.wait_shown(1);
    rig.wait(|report| matches!(report, Report::Mended { turn: 1, .. }).then_some(()));
    rig.wait(|report| match report {
        Report::Failed { error, .. } => panic!("{error}"),
        Report::Ended { turn: 1, .. } => Some(()),
        _ => None,
    });
    rig.end();
    let heard = ear::told(file.path());
    let [first, second] = &heard[..] else { panic!("{} workers were heard", heard.len()) };
    // A tone of 440 Hz: no two of its samples are further apart than this.
    let peak = first.samples.iter().map(|sample| i32::from(sample.unsigned_abs())).max();
    let peak = peak.expect("a sound");
    assert!(peak > 2_000, "no sound: {peak}");
    let steepest = peak * 6 * 440 / ear::RATE as i32 * 11 / 10 + 16;
    // The film itself ends in the midst of its tone.
    let following = &second.samples[..second.samples.len() / 2];
    let quiet = following.iter().rposition(|sample| sample.unsigned_abs() < 100);
    let following = &following[..quiet.expect("a wave")];
    for (who, samples) in [("left", &first.samples[..]), ("following", following)] {
        let step = largest_step(samples);
        assert!(step <= steepest, "{who}: a step of {step}, of {steepest} at most");
    }
    // The measure can fail: cut off in the midst.
    let loudest = first.samples.iter().position(|sample| i32::from(*sample) == peak);
    let cut = &first.samples[..=loudest.unwrap_or(first.samples.len() / 2)];
    assert!(largest_step(cut) > steepest, "{}", largest_step(cut));
    // The one was silent before the film was over, and the other one played to its end.
    let s = |ns: u64| ns as f64 / 1e9;
    assert!(s(first.end_ns()) < 1.9, "it is not hushed: {}", s(first.end_ns()));
    assert!(
        s(second.at_ns) > 0.1 && s(second.end_ns()) > 1.9,
        "{} to {}",
        s(second.at_ns),
        s(second.end_ns())
    );
}
