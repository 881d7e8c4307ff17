//! Drawing and decoding, tried the way the player does it: by `vitrine play` in a child.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use vitrine_render::report::Walls;

use super::finding::{Finding, State};

/// The smallest picture there is, at the smallest cost.
const PICTURE: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8" fill="#fff"/></svg>"##;
/// As large as most displays.
const FULL: &str = "1920x1080";
/// How long a clip is played at first, from the start of the program on: two seconds of pictures and
/// a second to begin.
const FIRST_MS: u64 = 3_000;
/// Pictures for so long say something of a decoder.
const ENOUGH_MS: u64 = 1_500;
/// For a first picture that did not come in the first try: plug-ins are looked at once, from a cold
/// card, and a slow device takes its time.
const PATIENT_MS: u64 = 20_000;

/// What a trial says at its end, as `vitrine play --json` has it.
#[derive(Debug, Default, PartialEq, Deserialize)]
struct Outcome {
    gpu: Option<String>,
    first_frame_ms: Option<u64>,
    frames_presented: u64,
    frames_dropped: u64,
    #[serde(default)]
    walls: Option<Walls>,
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
pub fn codecs() -> Vec<Finding> {
    let mut walls = None;
    let mut findings: Vec<_> = CODECS.iter().map(|codec| codec.tried(&mut walls)).collect();
    findings.push(sandbox(walls));
    findings
}

impl Codec {
    fn tried(&self, walls: &mut Option<Walls>) -> Finding {
        let name = format!("{} 1080p30", self.name);
        let played = Temporary::holding(self.file, self.bytes)
            .map_err(|error| error.to_string())
            .and_then(|file| played(|ms| play_clip(file.as_ref(), CLIP_CANVAS, ms)));
        match played {
            Ok(played) => {
                *walls = played.outcome.walls.or(*walls);
                judge(&name, &played)
            }
            Err(error) => {
                let advice =
                    format!("apt install {}; until then such files are passed over", self.from);
                // What most content is made of; the others are a choice.
                let finding = Finding::fair(&name, error, &advice);
                let state = if self.name == "H.264" { State::Bad } else { State::Fair };
                Finding { state, ..finding }
            }
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
pub fn drawing() -> Finding {
    let advice = "install mesa-vulkan-drivers; see that the user may use /dev/dri (group render)";
    let outcome = picture()
        .map_err(|error| error.to_string())
        .and_then(|file| play(file.as_ref(), FULL, &["--once", "--image-duration", "1s"]));
    match outcome {
        Ok(Outcome { gpu: Some(gpu), first_frame_ms: Some(ms), .. }) => {
            let found = format!("{gpu}, first frame after {ms} ms");
            if gpu.contains("software") {
                let advice = "no driver for this GPU: install mesa-vulkan-drivers, libgl1-mesa-dri";
                return Finding::fair("GPU", found, advice);
            }
            Finding::good("GPU", found)
        }
        Ok(_) => Finding::bad("GPU", "nothing was drawn", advice),
        Err(error) => Finding::bad("GPU", error, advice),
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

/// How smoothly a clip plays for two seconds, at full size, without the display.
pub fn decoding(clip: &Path) -> Finding {
    let name = clip.file_name().unwrap_or(clip.as_os_str()).to_string_lossy().into_owned();
    let advice = "see which decoders there are: gst-inspect-1.0, gstreamer1.0-libav";
    match played(|ms| play_clip(clip, FULL, ms)) {
        Ok(played) => judge(&name, &played),
        Err(error) => Finding::bad(&name, error, advice),
    }
}

/// What came of playing a clip for so long.
struct Played {
    outcome: Outcome,
    for_ms: u64,
}

impl Played {
    /// How long there were pictures.
    fn pictures_ms(&self) -> u64 {
        self.outcome.first_frame_ms.map_or(0, |first_ms| self.for_ms.saturating_sub(first_ms))
    }
}

/// Plays a clip, and once more for longer if that was too short to judge.
fn played(play: impl Fn(u64) -> Result<Outcome, String>) -> Result<Played, String> {
    let first = Played { outcome: play(FIRST_MS)?, for_ms: FIRST_MS };
    if first.pictures_ms() >= ENOUGH_MS {
        return Ok(first);
    }
    let for_ms = first.outcome.first_frame_ms.map_or(PATIENT_MS, |first_ms| first_ms + FIRST_MS);
    Ok(Played { outcome: play(for_ms)?, for_ms })
}

fn judge(name: &str, played: &Played) -> Finding {
    let Outcome { first_frame_ms, frames_presented, frames_dropped, .. } = &played.outcome;
    let Some(ms) = first_frame_ms else {
        return Finding::bad(name, "no frame", "convert it to H.264 or HEVC in MP4");
    };
    let counts = format!("{frames_presented} presented, {frames_dropped} dropped");
    let pictures_ms = played.pictures_ms();
    if pictures_ms < ENOUGH_MS {
        let found = format!("{counts}, first after {ms} ms: too late to judge");
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

fn play_clip(clip: &Path, canvas: &str, for_ms: u64) -> Result<Outcome, String> {
    play(clip, canvas, &["--audio", "none", "--for", &format!("{for_ms}ms")])
}

fn play(file: &Path, canvas: &str, args: &[&str]) -> Result<Outcome, String> {
    let said = Command::new("/proc/self/exe")
        .args(["play", "--json", "--offscreen", canvas])
        .args(args)
        .arg(file)
        .output()
        .map_err(|error| format!("vitrine play: {error}"))?;
    match serde_json::from_slice(&said.stdout) {
        Ok(outcome) if said.status.success() => Ok(outcome),
        _ => {
            let text = String::from_utf8_lossy(&said.stderr).into_owned();
            let last = text.lines().rfind(|line| line.starts_with("vitrine: "));
            let why = last.or_else(|| text.lines().next()).unwrap_or("it said nothing");
            Err(why.trim_start_matches("vitrine: ").to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stutter_is_told_from_smooth() {
        let played = |frames_presented, frames_dropped| Outcome {
            first_frame_ms: Some(5),
            frames_presented,
            frames_dropped,
            gpu: None,
            walls: None,
        };
        let late = Outcome { first_frame_ms: Some(2_999), ..played(1, 0) };
        for (case, outcome, state) in [
            ("smooth", played(60, 0), State::Good),
            ("one late", played(60, 1), State::Good),
            ("stutters", played(40, 20), State::Fair),
            ("one frame at the end", late, State::Fair),
            ("nothing", Outcome::default(), State::Bad),
        ] {
            let played = Played { outcome, for_ms: FIRST_MS };
            assert_eq!(judge("clip", &played).state, state, "case {case:?}");
        }
    }

    #[test]
    fn a_try_that_was_too_short_is_made_once_more() {
        for (case, first_ms, tries) in [
            ("quick", Some(300), &[FIRST_MS][..]),
            ("a cold start", Some(2_000), &[FIRST_MS, 5_000]),
            ("no frame yet", None, &[FIRST_MS, PATIENT_MS]),
        ] {
            let made = std::cell::RefCell::new(Vec::new());
            let play = |ms| {
                made.borrow_mut().push(ms);
                Ok(Outcome { first_frame_ms: first_ms, ..Outcome::default() })
            };
            assert!(played(play).is_ok());
            assert_eq!(*made.borrow(), tries, "case {case:?}");
        }
    }
}
