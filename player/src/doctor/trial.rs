//! Drawing and decoding, tried the way the player does it: by `vitrine play` in a child.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::finding::Finding;

/// The smallest picture there is, at the smallest cost.
const PICTURE: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8" fill="#fff"/></svg>"##;
/// How long a clip is played.
const CLIP_S: &str = "2";

/// What a trial says at its end, as `vitrine play --json` has it.
#[derive(Debug, Default, PartialEq, Deserialize)]
struct Outcome {
    gpu: Option<String>,
    first_frame_ms: Option<u64>,
    frames_presented: u64,
    frames_dropped: u64,
}

/// Whether a picture comes out, and what draws it.
pub fn drawing() -> Finding {
    let advice = "install mesa-vulkan-drivers; see that the user may use /dev/dri (group render)";
    let outcome = picture()
        .map_err(|error| error.to_string())
        .and_then(|file| play(file.as_ref(), &["--once", "--image-duration", "1s"]));
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
    let path = std::env::temp_dir().join(format!("vitrine-doctor-{}.svg", std::process::id()));
    let file = Temporary(path);
    std::fs::File::create(&file.0)?.write_all(PICTURE.as_bytes())?;
    Ok(file)
}

struct Temporary(std::path::PathBuf);

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
    match play(clip, &["--audio", "none", "--for", CLIP_S]) {
        Ok(outcome) => judge(&name, &outcome),
        Err(error) => Finding::bad(&name, error, advice),
    }
}

fn judge(name: &str, outcome: &Outcome) -> Finding {
    let Outcome { first_frame_ms, frames_presented, frames_dropped, .. } = outcome;
    let Some(ms) = first_frame_ms else {
        return Finding::bad(name, "no frame", "convert it to H.264 or HEVC in MP4");
    };
    let found = format!(
        "first frame after {ms} ms, {frames_presented} frames presented, {frames_dropped} dropped"
    );
    // One in fifty is seen as a stutter a second.
    if frames_dropped * 50 > *frames_presented {
        let advice = "too much for this device: fewer pixels, fewer frames a second, or HEVC";
        return Finding::fair(name, found, advice);
    }
    Finding::good(name, found)
}

fn play(file: &Path, args: &[&str]) -> Result<Outcome, String> {
    let said = Command::new("/proc/self/exe")
        .args(["play", "--json", "--offscreen", "1920x1080"])
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
    use super::super::finding::State;
    use super::*;

    #[test]
    fn stutter_is_told_from_smooth() {
        let played = |frames_presented, frames_dropped| Outcome {
            first_frame_ms: Some(5),
            frames_presented,
            frames_dropped,
            gpu: None,
        };
        for (case, outcome, state) in [
            ("smooth", played(60, 0), State::Good),
            ("one late", played(60, 1), State::Good),
            ("stutters", played(40, 20), State::Fair),
            ("nothing", Outcome::default(), State::Bad),
        ] {
            assert_eq!(judge("clip", &outcome).state, state, "case {case:?}");
        }
    }
}
