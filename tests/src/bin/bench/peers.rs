//! How each player is made to play a list of files for ever, in a small window at the display's corner.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use vitrine_tests::process::binary;

/// Small: what is measured are changes, not the software rasteriser.
pub const WIDTH: u32 = 96;
pub const HEIGHT: u32 = 64;
/// One player's way to play a list of files for ever.
pub type Start = fn(&[PathBuf], &Path) -> Command;

/// All but ours.
pub const PEERS: [(&str, Start); 5] = [
    ("mpv --vo=x11", |files, _| mpv(files, "x11")),
    ("mpv --vo=gpu", |files, _| mpv(files, "gpu")),
    ("gst-play", gst_play),
    ("ffplay, one after the other", ffplay),
    ("vlc", vlc),
];

/// Whether its program is installed.
pub fn is_there(command: &Command) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let name = command.get_program();
    Path::new(name).is_absolute()
        || std::env::split_paths(&path).any(|dir| dir.join(name).is_file())
}

/// Ours.
pub fn vitrine(files: &[PathBuf]) -> Command {
    let mut command = Command::new(binary("vitrine"));
    command.arg("play").args(files).args(["--windowed", &format!("{WIDTH}x{HEIGHT}")]);
    command.args(["--image-duration", "500ms", "--audio", "none"]);
    command
}

fn mpv(files: &[PathBuf], output: &str) -> Command {
    let mut command = Command::new("mpv");
    command.args(["--no-config", &format!("--vo={output}"), "--gpu-sw", "--ao=null", "--hwdec=no"]);
    command.args(["--no-terminal", "--loop-playlist=inf", "--image-display-duration=0.5"]);
    command.args([&format!("--geometry={WIDTH}x{HEIGHT}+0+0"), "--no-keepaspect"]);
    command.args(["--prefetch-playlist=yes", "--no-keepaspect-window", "--no-osc", "--no-audio"]);
    command.args(files);
    command
}

/// It has no repeat of a list: the list is long enough.
fn gst_play(files: &[PathBuf], _work: &Path) -> Command {
    let mut command = Command::new("gst-play-1.0");
    command.args([
        "--no-interactive",
        "--gapless",
        "--videosink=ximagesink",
        "--audiosink=fakesink",
    ]);
    (0..20).for_each(|_| _ = command.args(files));
    command
}

/// It plays one file; a script starts the next one.
fn ffplay(files: &[PathBuf], work: &Path) -> Command {
    let script = work.join("ffplay-list");
    let one = |path: &PathBuf| {
        let still =
            if path.extension().is_some_and(|e| e == "png") { "-loop 1 -t 0.5" } else { "" };
        format!(
            "ffplay -v quiet -autoexit -an -x {WIDTH} -y {HEIGHT} -left 0 -top 0 -noborder {still} '{}'",
            path.display()
        )
    };
    let text =
        format!("while :; do\n{}\ndone\n", files.iter().map(one).collect::<Vec<_>>().join("\n"));
    // What cannot be written shows when nothing is played.
    File::create(&script).and_then(|mut file| file.write_all(text.as_bytes())).ok();
    let mut command = Command::new("ffplay-list-by-sh");
    if is_there(&Command::new("ffplay")) {
        command = Command::new("sh");
        command.arg(script);
    }
    command
}

fn vlc(files: &[PathBuf], _work: &Path) -> Command {
    // VLC refuses to run as root; this is the program without that check.
    let mut command = Command::new("vlc-wrapper");
    if !is_there(&command) {
        command = Command::new("cvlc");
    }
    command.args(["-I", "dummy", "--no-video-title-show", "--no-osd", "--loop", "--no-audio"]);
    command.args(["--vout=x11", "--fullscreen", "--image-duration=0.5", "--autoscale"]);
    command.args(files);
    command
}
