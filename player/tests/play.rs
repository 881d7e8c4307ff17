//! `vitrine play`, from outside.
#![allow(clippy::expect_used, reason = "a test that cannot go on says so")]

mod common;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};

use common::{Reads, Rgb, Running, alike, finish, middle, still, vitrine};
use rustix::process::Signal;
use serde_json::Value;

const RED: Rgb = [200, 20, 10];
const GREEN: Rgb = [10, 180, 30];
const BLUE: Rgb = [20, 30, 190];

/// `vitrine play` without a display.
fn play(args: &[&str], paths: &[&Path]) -> Command {
    let mut command = vitrine();
    command.arg("play").args(args).args(paths).args(["--offscreen", "64x36"]);
    command.args(["--audio", "none", "--image-duration", "600ms"]);
    command
}

fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn names(summary: &Value) -> Vec<&str> {
    let items = summary["items"].as_array().expect("items");
    items.iter().filter_map(|item| item["name"].as_str()).collect()
}

#[test]
fn stills_are_shown_in_order_and_look_as_they_should() {
    let dir = tempfile::tempdir().expect("a directory");
    let pictures = dir.path().join("pictures");
    for (name, colour) in [("b.png", GREEN), ("a.png", RED), ("c.png", BLUE)] {
        still(&dir.path().join(name), colour);
    }
    let snapshot = pictures.to_str().expect("a name");
    let output = finish(&mut play(&["--once", "--json", "--snapshot", snapshot], &[dir.path()]));
    assert!(output.status.success(), "{output:?}");
    let summary = summary(&output);
    assert_eq!(names(&summary), ["a.png", "b.png", "c.png"]);
    assert!(summary["first_frame_ms"].as_u64().is_some(), "{summary}");
    assert!(summary["frames_presented"].as_u64() >= Some(3), "{summary}");
    for (name, colour) in [("01-a.png", RED), ("02-b.png", GREEN), ("03-c.png", BLUE)] {
        let found = middle(File::open(pictures.join(name)).expect(name));
        assert!(alike(found, colour), "{name}: {found:?}, want {colour:?}");
    }
}

#[test]
fn what_cannot_be_played_costs_a_complaint_and_the_rest_plays() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name| dir.path().join(name);
    still(&path("good.png"), RED);
    common::write(&path("notes.txt"), "no picture");
    let whole = fs::read(path("good.png")).expect("a file");
    common::write_bytes(&path("torn.png"), &whole[..40]);
    let missing = path("missing.png");
    let output = finish(&mut play(
        &["--once", "--json"],
        &[&missing, &path("notes.txt"), &path("torn.png"), &path("good.png")],
    ));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(names(&summary(&output)), ["good.png"]);
    let complaints = String::from_utf8_lossy(&output.stderr);
    for name in ["missing.png", "notes.txt", "torn.png"] {
        assert!(complaints.contains(name), "{name} in {complaints}");
    }
}

#[test]
fn nothing_to_play_is_said_and_ends_with_1() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = dir.path().join("notes.txt");
    common::write(&text, "no picture");
    for (case, path) in [
        ("an empty folder", dir.path().join("nothing")),
        ("no media", text),
        ("not there", "/no/such/file.png".into()),
    ] {
        if case == "an empty folder" {
            fs::create_dir(&path).expect("a directory");
        }
        let output = finish(&mut play(&[], &[&path]));
        assert_eq!(output.status.code(), Some(1), "{case}: {output:?}");
        assert!(!output.stderr.is_empty(), "{case}: a word about it");
    }
}

#[test]
fn without_a_display_it_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    still(&dir.path().join("a.png"), RED);
    let output = finish(vitrine().arg("play").arg(dir.path()));
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("--offscreen"), "{text}");
}

#[test]
fn an_interrupt_ends_it_cleanly_with_a_summary_and_nothing_left() {
    let dir = tempfile::tempdir().expect("a directory");
    still(&dir.path().join("a.png"), RED);
    let mut player = Running::start(&mut play(&[], &[dir.path()]), Reads::Stdout, "interrupt");
    player.line("a.png");
    player.signal(Signal::INT);
    player.line("1 item, 1 showing: a.png");
    assert!(player.wait().success());
    assert_eq!(player.left(), [0u32; 0], "processes left behind");
}

#[test]
fn a_video_plays_to_its_end_and_its_picture_is_not_black() {
    let dir = tempfile::tempdir().expect("a directory");
    let clip = dir.path().join("clip.mp4");
    let source = "color=c=0x14b41e:size=128x72:rate=25:duration=1";
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p"])
        .arg(&clip)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        // Said, not hidden: the scenarios in `tests/` bring their own media.
        println!("skipped: no ffmpeg that makes H.264");
        return;
    }
    let pictures = dir.path().join("pictures");
    let snapshot = pictures.to_str().expect("a name");
    let output = finish(&mut play(&["--once", "--json", "--snapshot", snapshot], &[&clip]));
    assert!(output.status.success(), "{output:?}");
    let summary = summary(&output);
    assert_eq!(names(&summary), ["clip.mp4"]);
    let frames = summary["frames_presented"].as_u64().zip(summary["frames_dropped"].as_u64());
    let all = frames.map(|(presented, dropped)| presented + dropped);
    // A frame that is drawn again for another reason is presented twice.
    assert!(all >= Some(25), "every frame is accounted for: {summary}");
    let found = middle(File::open(pictures.join("01-clip.png")).expect("a picture"));
    assert!(alike(found, [0x14, 0xb4, 0x1e]), "{found:?}");
}
