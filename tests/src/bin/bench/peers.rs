//! How each player is made to play a list of files for ever, in a small window at the display's corner.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use vitrine_tests::process::binary;

/// Small: what is measured are changes, not the software rasteriser.
pub const WIDTH: u32 = 96;
pub const HEIGHT: u32 = 64;
/// One player's way to play a list of files for ever.
pub type Start = fn(&[PathBuf], &Path) -> Command;

/// All but ours.
pub const PEERS: [(&str, Start); 6] = [
    ("mpv --vo=x11", |files, _| mpv(files, "x11")),
    ("mpv --vo=gpu", |files, _| mpv(files, "gpu")),
    ("gst-play", gst_play),
    ("ffplay, one after the other", ffplay),
    ("vlc", vlc),
    ("chromium, a slideshow", chromium),
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

/// It refuses to run as root; whoever is root gets a copy that asks another question.
fn vlc(files: &[PathBuf], work: &Path) -> Command {
    let mut command = Command::new("vlc");
    if is_there(&command) && rustix::process::geteuid().is_root() {
        command = Command::new(vlc_for_root(work).unwrap_or_else(|_| "vlc-for-root".into()));
    }
    command.args(["-I", "dummy", "--no-video-title-show", "--no-osd", "--loop", "--no-audio"]);
    command.args(["--vout=x11", "--fullscreen", "--image-duration=0.5", "--autoscale"]);
    command.args(files);
    command
}

fn vlc_for_root(work: &Path) -> std::io::Result<PathBuf> {
    let mut program = std::fs::read("/usr/bin/vlc")?;
    let (asked, instead) = (b"geteuid", b"getppid");
    while let Some(at) = program.windows(asked.len()).position(|bytes| bytes == asked) {
        program[at..at + asked.len()].copy_from_slice(instead);
    }
    let copy = work.join("vlc");
    let mut file = File::options().write(true).create_new(true).mode(0o755).open(&copy)?;
    file.write_all(&program)?;
    Ok(copy)
}

/// A page as signage in browsers does it: the next item is loaded behind the one that shows.
fn chromium(files: &[PathBuf], work: &Path) -> Command {
    let list: Vec<_> = files.iter().map(|file| format!("file://{}", file.display())).collect();
    let page = include_str!("slideshow.html").replace("LIST", &format!("{list:?}"));
    let at = work.join("slideshow.html");
    // What cannot be written shows when nothing is played.
    File::create(&at).and_then(|mut file| file.write_all(page.as_bytes())).ok();
    let mut command = Command::new("chromium");
    command.args(["--no-sandbox", "--no-first-run", "--disable-background-networking"]);
    command.args(["--disable-component-update", "--disable-sync", "--disable-quic"]);
    command.args(["--autoplay-policy=no-user-gesture-required", "--mute-audio", "--kiosk"]);
    command.args(["--password-store=basic", "--window-position=0,0", "--hide-scrollbars"]);
    command.arg(format!("--window-size={WIDTH},{HEIGHT}"));
    command.arg(format!("--user-data-dir={}", work.join("chromium").display()));
    command.arg(format!("--app=file://{}", at.display()));
    command
}
