//! A compositor on displays without hardware, and what is on them: a kiosk's (`cage`), or one whose
//! displays change (`sway`).

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use image::RgbImage;
use tempfile::TempDir;

use crate::patience::wait_for;
use crate::process::Process;

/// Whom compositors run as where the test is root, which they refuse.
const NOBODY: u32 = 65_534;
/// Time to open its socket, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A compositor of its own, ended on drop.
pub struct Kiosk {
    // Dropped first: its folder has its socket.
    _compositor: Process,
    dir: TempDir,
    socket: &'static str,
}

impl Kiosk {
    /// Starts cage with so many displays of 1280x720, side by side.
    pub fn start(displays: u32) -> Result<Kiosk, String> {
        let mut cage = Command::new("cage");
        // It ends with the program that it is given; those under test come by the socket.
        cage.args(["--", "sleep", "infinity"]);
        Kiosk::of(cage, displays, (folder()?, "wayland-0"))
    }

    /// Starts sway with displays of these extents, side by side.
    pub fn with_modes(displays: &[(u32, u32)]) -> Result<Kiosk, String> {
        let dir = folder()?;
        let mut config = String::from("xwayland disable\n");
        let mut left = 0;
        for (number, (width, height)) in (1..).zip(displays) {
            let display = format!("output HEADLESS-{number} resolution {width}x{height}");
            config += &format!("{display} position {left} 0\n");
            left += width;
        }
        let path = dir.path().join("config");
        let written = File::create(&path).and_then(|mut file| file.write_all(config.as_bytes()));
        written.map_err(|error| format!("sway's settings: {error}"))?;
        let mut sway = Command::new("sway");
        sway.arg("--config").arg(path).env("SWAYSOCK", dir.path().join("orders"));
        let displays = u32::try_from(displays.len()).map_err(|error| error.to_string())?;
        Kiosk::of(sway, displays, (dir, "wayland-1"))
    }

    fn of(
        mut compositor: Command,
        displays: u32,
        (dir, socket): (TempDir, &'static str),
    ) -> Result<Kiosk, String> {
        let name = compositor.get_program().to_string_lossy().into_owned();
        compositor.env("XDG_RUNTIME_DIR", dir.path()).env("HOME", dir.path());
        compositor.env("WLR_BACKENDS", "headless").env("WLR_RENDERER", "pixman");
        compositor.env("WLR_HEADLESS_OUTPUTS", displays.to_string());
        compositor.env("WLR_LIBINPUT_NO_DEVICES", "1");
        compositor.env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY");
        if rustix::process::getuid().is_root() {
            chown(dir.path(), Some(NOBODY), Some(NOBODY)).map_err(|error| error.to_string())?;
            compositor.uid(NOBODY).gid(NOBODY);
        }
        let started = Process::start(compositor, &name, dir.path());
        let _compositor = started.map_err(|error| format!("{name}: {error}; it is a package"))?;
        let kiosk = Kiosk { _compositor, dir, socket };
        wait_for(PATIENCE, || kiosk.socket().exists().then_some(()))
            .ok_or_else(|| format!("{name} opened no socket"))?;
        Ok(kiosk)
    }

    /// For the environment variable `WAYLAND_DISPLAY`.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join(self.socket)
    }

    /// Gives one of sway's displays, from 1, another extent.
    pub fn change(&self, display: u32, (width, height): (u32, u32)) -> Result<(), String> {
        let order = format!("output HEADLESS-{display} resolution {width}x{height}");
        let mut swaymsg = Command::new("swaymsg");
        swaymsg.arg("--quiet").arg(&order).env("SWAYSOCK", self.dir.path().join("orders"));
        let said = swaymsg.output().map_err(|error| format!("swaymsg: {error}"))?;
        match said.status.success() {
            true => Ok(()),
            false => Err(format!("{order}: {}", String::from_utf8_lossy(&said.stderr))),
        }
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

fn folder() -> Result<TempDir, String> {
    tempfile::tempdir().map_err(|error| format!("a folder for a compositor: {error}"))
}
