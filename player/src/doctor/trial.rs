//! Drawing and decoding, tried the way the player does it: by `vitrine play` in a child.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use rustix::fs::{Access, access};
use serde::Deserialize;
use vitrine_render::report::Walls;

use super::finding::{Finding, State};
use super::gpu;

/// The smallest picture there is, at the smallest cost.
const PICTURE: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8" fill="#fff"/></svg>"##;
/// As large as most displays.
const FULL: &str = "1920x1080";
/// How long a clip is played at first, from the start of the program on: two seconds of pictures and
/// a second to begin.
const FIRST_S: u64 = 3;
/// So many pictures in so long say something of a decoder.
const ENOUGH_MS: u64 = 1_500;
const ENOUGH_FRAMES: u64 = 20;
/// For a first picture that did not come in the first try: plug-ins are looked at once, from a cold
/// card, and a slow device takes its time.
const PATIENT_S: u64 = 20;

/// How `vitrine play` begins to say that the time was over before anything was shown.
const NOTHING_SHOWN: &str = "nothing to play: ";
/// What helps against what came too late to be judged.
const LATE: &str = "look again when the device has less to do: it was too slow to begin";

/// What a trial says at its end, as `vitrine play --json` has it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct Outcome {
    gpu: Option<String>,
    first_frame_ms: Option<u64>,
    frames_presented: u64,
    frames_dropped: u64,
    #[serde(default)]
    walls: Option<Walls>,
    #[serde(default)]
    zero_copy: String,
}

/// What clips of codecs are played on: large enough to be drawn, small enough to cost decoding
/// more than drawing.
const CLIP_CANVAS: &str = "640x360";

/// One second of 1080p30 each, as `clips/make` makes them.
const CODECS: [Codec; 5] = [
    Codec {
        name: "H.264",
        file: "h264.mp4",
        bytes: include_bytes!("clips/h264.mp4"),
        from: "gstreamer1.0-libav",
    },
    Codec {
        name: "HEVC",
        file: "hevc.mp4",
        bytes: include_bytes!("clips/hevc.mp4"),
        from: "gstreamer1.0-libav",
    },
    Codec {
        name: "VP8",
        file: "vp8.webm",
        bytes: include_bytes!("clips/vp8.webm"),
        from: "gstreamer1.0-plugins-good",
    },
    Codec {
        name: "VP9",
        file: "vp9.webm",
        bytes: include_bytes!("clips/vp9.webm"),
        from: "gstreamer1.0-plugins-good",
    },
    Codec {
        name: "AV1",
        file: "av1.mp4",
        bytes: include_bytes!("clips/av1.mp4"),
        from: "gstreamer1.0-plugins-bad",
    },
];

struct Codec {
    name: &'static str,
    file: &'static str,
    bytes: &'static [u8],
    /// The package with a decoder.
    from: &'static str,
}

/// How well each codec is decoded, and what the decoding processes are kept from.
pub fn codecs(report: &mut impl Extend<Finding>) {
    let (mut walls, mut zero_copy) = (None, String::new());
    for codec in &CODECS {
        let (finding, outcome) = codec.tried();
        report.extend([finding]);
        walls = outcome.walls.or(walls);
        // What one decoder does says more than what none does.
        if zero_copy.is_empty() || outcome.zero_copy.starts_with("yes") {
            zero_copy = outcome.zero_copy;
        }
    }
    report.extend([sandbox(walls), lending(&zero_copy)]);
}

/// Whether the GPU reads frames where a decoder of hardware has put them. It plays without that, too.
fn lending(told: &str) -> Finding {
    let advice =
        "films are copied instead, which costs some speed; tell us this line and the board";
    match told {
        "" => Finding::good("zero copy", "not known: nothing was played"),
        // It should work here, and does not.
        told if told.starts_with("no more") => Finding::fair("zero copy", told, advice),
        told => Finding::good("zero copy", told),
    }
}

impl Codec {
    fn tried(&self) -> (Finding, Outcome) {
        let name = format!("{} 1080p30", self.name);
        let played = Temporary::holding(self.file, self.bytes)
            .map_err(|error| error.to_string())
            .and_then(|file| played(|for_s| play_clip(file.as_ref(), CLIP_CANVAS, for_s)));
        match played {
            Ok(played) => (judge(&name, &played), played.outcome),
            Err(error) => {
                let advice = self.advice(&error);
                // What most content is made of; the others are a choice.
                let finding = Finding::fair(&name, error, &advice);
                let state = if self.name == "H.264" { State::Bad } else { State::Fair };
                (Finding { state, ..finding }, Outcome::default())
            }
        }
    }

    /// What helps against `error`, which kept the clip from being played.
    fn advice(&self, error: &str) -> String {
        match came_late(error) {
            true => LATE.to_owned(),
            false => format!("apt install {}; until then such files are passed over", self.from),
        }
    }
}

/// What stands around whatever parses foreign files.
fn sandbox(walls: Option<Walls>) -> Finding {
    let Some(walls) = walls else {
        let advice = "see why no clip was played";
        return Finding::fair("sandbox", "nothing was decoded, so nothing was shut in", advice);
    };
    let found = format!("media workers run behind {walls}");
    if walls.calls {
        // One wall fewer is common: Raspberry Pi's kernels have no Landlock, and in its service
        // nobody may make a namespace.
        return Finding::good("sandbox", found);
    }
    let advice =
        "use a kernel with seccomp filters: a broken file could take over the screen's user";
    Finding::bad("sandbox", found, advice)
}

/// Whether a picture comes out, and what draws it.
pub fn drawing(root: &Path) -> Finding {
    let outcome = picture()
        .map_err(|error| error.to_string())
        .and_then(|file| play(file.as_ref(), FULL, &["--once", "--image-duration", "1s"]));
    let may_use = |node: &Path| access(node, Access::READ_OK | Access::WRITE_OK).is_ok();
    drawn(outcome, || gpu::reason(root, may_use))
}

/// Whether what was tried was there, and late.
fn came_late(error: &str) -> bool {
    error.contains("not ready within")
}

/// What is to be said of it, for this reason if no GPU draws.
fn drawn(outcome: Result<Outcome, String>, why: impl FnOnce() -> gpu::Reason) -> Finding {
    let told = |found: String| {
        let gpu::Reason { found: why, advice } = why();
        Finding::bad("GPU", format!("{found}; {why}"), &advice)
    };
    match outcome {
        Ok(Outcome { gpu: Some(gpu), first_frame_ms: Some(ms), .. }) => {
            let found = format!("{gpu}, first frame after {ms} ms");
            match gpu.contains("software") {
                true => Finding { state: State::Fair, ..told(found) },
                false => Finding::good("GPU", found),
            }
        }
        Ok(_) => told("nothing was drawn".to_owned()),
        Err(error) if came_late(&error) => Finding::bad("GPU", error, LATE),
        Err(error) => told(error),
    }
}

/// A picture to draw, gone when it is dropped.
fn picture() -> std::io::Result<Temporary> {
    Temporary::holding("dot.svg", PICTURE.as_bytes())
}

struct Temporary(std::path::PathBuf);

impl Temporary {
    /// A file for the children, with an ending that tells its kind.
    fn holding(name: &str, bytes: &[u8]) -> std::io::Result<Temporary> {
        let name = format!("vitrine-doctor-{}-{name}", std::process::id());
        let file = Temporary(std::env::temp_dir().join(name));
        std::fs::File::create(&file.0)?.write_all(bytes)?;
        Ok(file)
    }
}

impl AsRef<Path> for Temporary {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // A temporary directory is emptied anyway.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a clip is called.
pub fn name(clip: &Path) -> String {
    clip.file_name().unwrap_or(clip.as_os_str()).to_string_lossy().into_owned()
}

/// How smoothly a clip plays for two seconds, at full size, without the display.
pub fn decoding(clip: &Path) -> Finding {
    let name = name(clip);
    let advice = "see which decoders there are: gst-inspect-1.0, gstreamer1.0-libav";
    match played(|for_s| play_clip(clip, FULL, for_s)) {
        Ok(played) => judge(&name, &played),
        Err(error) => Finding::bad(&name, error, advice),
    }
}

/// What came of playing a clip for so long.
struct Played {
    outcome: Outcome,
    for_s: u64,
}

impl Played {
    /// How long there were pictures.
    fn pictures_ms(&self) -> u64 {
        let first_ms = self.outcome.first_frame_ms;
        first_ms.map_or(0, |first_ms| (self.for_s * 1_000).saturating_sub(first_ms))
    }

    fn is_enough(&self) -> bool {
        let frames = self.outcome.frames_presented + self.outcome.frames_dropped;
        self.pictures_ms() >= ENOUGH_MS && frames >= ENOUGH_FRAMES
    }
}

/// Plays a clip, and once more for longer if that was too short to judge.
fn played(play: impl Fn(u64) -> Result<Outcome, String>) -> Result<Played, String> {
    let first = Played { outcome: play(FIRST_S)?, for_s: FIRST_S };
    if first.is_enough() {
        return Ok(first);
    }
    Ok(Played { outcome: play(PATIENT_S)?, for_s: PATIENT_S })
}

fn judge(name: &str, played: &Played) -> Finding {
    let Outcome { first_frame_ms, frames_presented, frames_dropped, .. } = &played.outcome;
    let Some(ms) = first_frame_ms else {
        return Finding::bad(name, "no frame", "convert it to H.264 or HEVC in MP4");
    };
    let counts = format!("{frames_presented} presented, {frames_dropped} dropped");
    let pictures_ms = played.pictures_ms();
    if !played.is_enough() {
        let found = format!("{counts}, first after {ms} ms: too few to judge");
        return Finding::fair(name, found, "try again while nothing else is at work");
    }
    let per_second = *frames_presented as f64 * 1_000.0 / pictures_ms as f64;
    let found = format!("{per_second:.0} frames/s, {counts}, first after {ms} ms");
    // One in fifty is seen as a stutter a second.
    if frames_dropped * 50 > *frames_presented {
        let advice = "too much for this device: fewer pixels, fewer frames a second, or HEVC";
        return Finding::fair(name, found, advice);
    }
    Finding::good(name, found)
}

fn play_clip(clip: &Path, canvas: &str, for_s: u64) -> Result<Outcome, String> {
    play(clip, canvas, &["--audio", "none", "--for", &for_s.to_string()])
}

/// That nothing was shown in time is an outcome; a complaint is an error.
fn play(file: &Path, canvas: &str, args: &[&str]) -> Result<Outcome, String> {
    let said = Command::new("/proc/self/exe")
        .args(["play", "--json", "--offscreen", canvas])
        .args(args)
        .arg(file)
        .output()
        .map_err(|error| format!("vitrine play: {error}"))?;
    let text = String::from_utf8_lossy(&said.stderr);
    let mut own = text.lines().filter_map(|line| line.strip_prefix("vitrine: "));
    let complaint = own.find(|line| !line.starts_with(NOTHING_SHOWN));
    match serde_json::from_slice(&said.stdout) {
        Ok(outcome) if said.status.success() || complaint.is_none() => Ok(outcome),
        _ => Err(complaint.or(text.lines().next()).unwrap_or("it said nothing").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_that_came_too_late_lacks_no_decoder() {
        let h264 = &CODECS[0];
        for (error, wanted) in [
            ("item \"h264.mp4\": not ready within 5000 ms; passed over", "has less to do"),
            ("h264.mp4: no decoder for video/x-h264", "apt install gstreamer1.0-libav"),
        ] {
            assert!(h264.advice(error).contains(wanted), "{error}: {}", h264.advice(error));
        }
    }

    #[test]
    fn zero_copy_that_went_wrong_is_told_apart_from_none() {
        for (told, state) in [
            ("yes, NV12 of 1920x1080", State::Good),
            ("no, the GPU's driver has no VK_KHR_external_memory_fd", State::Good),
            ("no more, the GPU reads a frame otherwise than the processor", State::Fair),
            ("", State::Good),
        ] {
            assert_eq!(lending(told).state, state, "{told:?}");
        }
    }

    #[test]
    fn only_enough_pictures_are_judged() {
        let played = |first_frame_ms, frames_presented, frames_dropped, for_s| {
            let rest = Outcome::default();
            let outcome = Outcome { first_frame_ms, frames_presented, frames_dropped, ..rest };
            Played { outcome, for_s }
        };
        for (case, played, enough, state) in [
            ("smooth", played(Some(900), 60, 0, 3), true, State::Good),
            ("one late", played(Some(900), 60, 1, 3), true, State::Good),
            ("stutters", played(Some(900), 40, 20, 3), true, State::Fair),
            ("hardly any in time", played(Some(900), 2, 50, 3), true, State::Fair),
            ("one frame at the end", played(Some(2_999), 1, 0, 3), false, State::Fair),
            ("a late start", played(Some(2_000), 30, 0, 3), false, State::Fair),
            ("a late start, longer", played(Some(2_000), 540, 0, 20), true, State::Good),
            ("few for long", played(Some(500), 15, 0, 20), false, State::Fair),
            ("begun after the end", played(Some(3_100), 40, 0, 3), false, State::Fair),
            ("nothing", played(None, 0, 0, 20), false, State::Bad),
        ] {
            let found = (played.is_enough(), judge("clip", &played).state);
            assert_eq!(found, (enough, state), "case {case:?}");
        }
    }

    #[test]
    fn software_and_nothing_at_all_are_told_with_the_reason() {
        let why = || gpu::Reason { found: "no node".to_owned(), advice: "buy one".to_owned() };
        let shown = |gpu: &str, first_frame_ms| {
            Ok(Outcome { gpu: Some(gpu.to_owned()), first_frame_ms, ..Outcome::default() })
        };
        for (case, outcome, state) in [
            ("a GPU", shown("V3D 7.1 (Vulkan)", Some(100)), State::Good),
            ("software", shown("llvmpipe (Vulkan, software)", Some(100)), State::Fair),
            ("nothing", shown("V3D 7.1 (Vulkan)", None), State::Bad),
            ("a complaint", Err("no driver".to_owned()), State::Bad),
        ] {
            let found = drawn(outcome, why);
            assert_eq!(found.state, state, "case {case:?}");
            let told = found.advice.is_some() && found.found.ends_with("; no node");
            assert_eq!(told, state != State::Good, "case {case:?}: {found:?}");
        }
        let late = drawn(Err("dot.svg: not ready within 5000 ms".to_owned()), why);
        assert_eq!((late.state, late.advice.as_deref()), (State::Bad, Some(LATE)));
    }

    #[test]
    fn a_try_that_was_too_short_is_made_once_more() {
        let shown = |first_frame_ms, frames_presented| {
            Ok(Outcome { first_frame_ms, frames_presented, ..Outcome::default() })
        };
        for (case, outcome, tries) in [
            ("quick", shown(Some(300), 60), &[FIRST_S][..]),
            ("a cold start", shown(Some(2_000), 20), &[FIRST_S, PATIENT_S]),
            ("slow", shown(Some(300), 5), &[FIRST_S, PATIENT_S]),
            ("no frame yet", shown(None, 0), &[FIRST_S, PATIENT_S]),
            ("a complaint", Err("no decoder".to_owned()), &[FIRST_S]),
        ] {
            let made = std::cell::RefCell::new(Vec::new());
            let tried = played(|for_s| {
                made.borrow_mut().push(for_s);
                outcome.clone()
            });
            assert_eq!(tried.is_ok(), outcome.is_ok(), "case {case:?}");
            assert_eq!(*made.borrow(), tries, "case {case:?}");
        }
    }
}
