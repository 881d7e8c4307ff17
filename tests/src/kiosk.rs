//! A kiosk's compositor (`cage`) on displays without hardware, and what is on them.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use image::RgbImage;
use tempfile::TempDir;

use crate::patience::wait_for;
use crate::process::Process;

/// Whom cage runs as where the test is root, which it refuses.
const NOBODY: u32 = 65_534;
/// Time to open its socket, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A cage of its own, ended on drop.
pub struct Kiosk {
    // Dropped first: its folder has its socket.
    _compositor: Process,
    dir: TempDir,
}

impl Kiosk {
    /// Starts one with so many displays of 1280x720, side by side.
    pub fn start(displays: u32) -> Result<Kiosk, String> {
        let dir = tempfile::tempdir().map_err(|error| format!("a folder for cage: {error}"))?;
        let mut cage = Command::new("cage");
        // It ends with the program that it is given; those under test come by the socket.
        cage.args(["--", "sleep", "infinity"]).env("XDG_RUNTIME_DIR", dir.path());
        cage.env("WLR_BACKENDS", "headless").env("WLR_RENDERER", "pixman");
        cage.env("WLR_HEADLESS_OUTPUTS", displays.to_string()).env("WLR_LIBINPUT_NO_DEVICES", "1");
        cage.env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY");
        if rustix::process::getuid().is_root() {
            chown(dir.path(), Some(NOBODY), Some(NOBODY)).map_err(|error| error.to_string())?;
            cage.uid(NOBODY).gid(NOBODY);
        }
        let compositor = Process::start(cage, "cage", dir.path());
        let compositor = compositor.map_err(|error| format!("cage: {error}; it is a package"))?;
        let kiosk = Kiosk { _compositor: compositor, dir };
        wait_for(PATIENCE, || kiosk.socket().exists().then_some(()))
            .ok_or("cage opened no socket")?;
        Ok(kiosk)
    }

    /// For the environment variable `WAYLAND_DISPLAY`.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("wayland-0")
    }

    /// What viewers see right now, on all displays together.
    pub fn picture(&self) -> Result<RgbImage, String> {
        let file = self.dir.path().join("seen.png");
        let mut grim = Command::new("grim");
        grim.env("XDG_RUNTIME_DIR", self.dir.path()).env("WAYLAND_DISPLAY", self.socket());
        let said = grim.args(["-l", "0"]).arg(&file).output();
        let said = said.map_err(|error| format!("grim: {error}; it is a package"))?;
        if !said.status.success() {
            return Err(format!("grim: {}", String::from_utf8_lossy(&said.stderr)));
        }
        Ok(image::open(&file).map_err(|error| format!("grim's picture: {error}"))?.into_rgb8())
    }
}
