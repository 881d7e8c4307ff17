//! A virtual display, and what is on it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use image::RgbImage;
use x11rb::connection::Connection;
use x11rb::protocol::screensaver::{self, ConnectionExt as _};
use x11rb::protocol::xfixes::ConnectionExt as _;
use x11rb::protocol::xproto::{
    AtomEnum, Blanking, ConfigureWindowAux, ConnectionExt as _, Exposures, ImageFormat, ScreenSaver,
};
use x11rb::rust_connection::RustConnection;

/// Sixteen plugs, and modes small enough for a software rasteriser.
const PLUGS: &str = r#"
Section "ServerFlags"
  Option "AutoAddDevices" "false"
  Option "DontVTSwitch" "true"
EndSection
Section "Device"
  Identifier "plugs"
  Driver "dummy"
  VideoRam 64000
EndSection
Section "Monitor"
  Identifier "small"
  HorizSync 5.0-1000.0
  VertRefresh 5.0-200.0
  Modeline "320x180" 12.0 320 328 352 384 180 183 188 200
  Option "PreferredMode" "320x180"
  Modeline "640x360" 17.75 640 656 720 800 360 363 368 374
EndSection
Section "Screen"
  Identifier "all"
  Device "plugs"
  Monitor "small"
  DefaultDepth 24
  SubSection "Display"
    Depth 24
    Modes "320x180" "640x360"
    Virtual 2048 1024
  EndSubSection
EndSection
"#;

/// A display server of its own, ended on drop.
pub struct Display {
    server: Child,
    name: String,
}

impl Display {
    /// Starts a display of `width_px` × `height_px`, 24 bit; the server chooses a free number.
    pub fn start(width_px: u32, height_px: u32) -> Result<Display, String> {
        let screen = format!("{width_px}x{height_px}x24");
        let mut server = Command::new("Xvfb");
        server.args(["-nolisten", "tcp", "-noreset", "-screen", "0", &screen]);
        Display::of(server, "xvfb")
    }

    /// `server` chooses a free number.
    fn of(mut server: Command, package: &str) -> Result<Display, String> {
        let name = server.get_program().to_string_lossy().into_owned();
        let mut server = server
            .args(["-displayfd", "1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{name}: {error}; it is in the package {package}"))?;
        let mut number = String::new();
        let said = server.stdout.take().map(|out| BufReader::new(out).read_line(&mut number));
        if !matches!(said, Some(Ok(1..))) {
            let _ = server.kill();
            let _ = server.wait();
            return Err(format!("{name} ended before it had a display"));
        }
        Ok(Display { server, name: format!(":{}", number.trim()) })
    }

    /// Starts a display server whose displays are plugged in and out, and have modes: an Xorg
    /// without hardware. The first display, `DUMMY0`, is on, at 320x180; 640x360 is there, too.
    pub fn with_plugs(dir: &Path) -> Result<Display, String> {
        let config = dir.join("xorg.conf");
        File::create(&config)
            .and_then(|mut file| file.write_all(PLUGS.as_bytes()))
            .map_err(told)?;
        let mut server = Command::new("Xorg");
        server.args(["-nolisten", "tcp", "-noreset", "-novtswitch", "-sharevts"]);
        server.arg("-config").arg(&config).arg("-logfile").arg(dir.join("xorg.log"));
        Display::of(server, "xserver-xorg-core; its driver in xserver-xorg-video-dummy")
    }

    /// Does something to its plugs and modes.
    pub fn xrandr(&self, args: &[&str]) -> Result<(), String> {
        let mut command = Command::new("xrandr");
        let said = command.args(args).env("DISPLAY", &self.name).output();
        let said = said.map_err(|error| format!("xrandr: {error}; it is in x11-xserver-utils"))?;
        match said.status.success() {
            true => Ok(()),
            false => Err(format!("xrandr {args:?}: {}", String::from_utf8_lossy(&said.stderr))),
        }
    }

    /// For the environment variable `DISPLAY`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a viewer sees right now.
    pub fn picture(&self) -> Result<RgbImage, String> {
        self.eye()?.picture()
    }

    /// The window of this name, if there is one.
    pub fn window(&self, name: &str) -> Result<Option<Window>, String> {
        let root = self.root()?;
        let named = |id: &u32| root.name(*id).is_ok_and(|found| found == name);
        let found = root.children().map_err(told)?.into_iter().find(named);
        Ok(found.map(|id| Window { id, ..root }))
    }

    /// The window behind all others.
    pub fn root(&self) -> Result<Window, String> {
        let (connection, screen) = RustConnection::connect(Some(&self.name)).map_err(told)?;
        let id = connection.setup().roots[screen].root;
        Ok(Window { connection, id })
    }

    /// Looks at it again and again, by one connection.
    pub fn eye(&self) -> Result<Eye, String> {
        let (connection, screen) = RustConnection::connect(Some(&self.name)).map_err(told)?;
        Ok(Eye { connection, screen })
    }
}

fn told(error: impl std::fmt::Display) -> String {
    format!("a display: {error}")
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A window, and what can be done to it from outside; the one behind all others stands for the server.
pub struct Window {
    connection: RustConnection,
    id: u32,
}

impl Window {
    fn children(&self) -> Outcome<Vec<u32>> {
        Ok(self.connection.query_tree(self.id)?.reply()?.children)
    }

    fn name(&self, id: u32) -> Outcome<String> {
        let (kind, any) = (AtomEnum::WM_NAME, AtomEnum::ANY);
        let found = self.connection.get_property(false, id, kind, any, 0, 64)?.reply()?;
        Ok(String::from_utf8_lossy(&found.value).into_owned())
    }

    /// What is in it right now.
    pub fn picture(&self) -> Outcome<RgbImage> {
        let found = self.connection.get_geometry(self.id)?.reply()?;
        picture_of(&self.connection, self.id, (found.width, found.height))
    }

    /// Gives it another extent.
    pub fn resize(&self, (width, height): (u16, u16)) -> Outcome<()> {
        let wanted = ConfigureWindowAux::new().width(u32::from(width)).height(u32::from(height));
        Ok(self.connection.configure_window(self.id, &wanted)?.check()?)
    }

    /// Takes it off the screen.
    pub fn hide(&self) -> Outcome<()> {
        Ok(self.connection.unmap_window(self.id)?.check()?)
    }

    /// Puts it on the screen again.
    pub fn show(&self) -> Outcome<()> {
        Ok(self.connection.map_window(self.id)?.check()?)
    }

    /// Puts the pointer on this place in it.
    pub fn point_at(&self, (x, y): (i16, i16)) -> Outcome<()> {
        Ok(self.connection.warp_pointer(0u32, self.id, 0, 0, 0, 0, x, y)?.check()?)
    }

    /// Whether anything is to be seen of the pointer.
    pub fn has_cursor(&self) -> Outcome<bool> {
        self.connection.xfixes_query_version(5, 0)?.reply()?;
        let cursor = self.connection.xfixes_get_cursor_image()?.reply()?;
        Ok(cursor.cursor_image.iter().any(|argb| argb >> 24 != 0))
    }

    /// Lets the server go blank when nobody touches anything for this long.
    pub fn blank_after_s(&self, seconds: i16) -> Outcome<()> {
        let (blank, expose) = (Blanking::PREFERRED, Exposures::NOT_ALLOWED);
        Ok(self.connection.set_screen_saver(seconds, 0, blank, expose)?.check()?)
    }

    /// Whether the server has gone blank.
    pub fn is_blank(&self) -> Outcome<bool> {
        let found = self.connection.screensaver_query_info(self.id)?.reply()?;
        Ok(found.state == u8::from(screensaver::State::ON))
    }

    /// Since when nobody has touched anything.
    pub fn idle_ms(&self) -> Outcome<u32> {
        let found = self.connection.screensaver_query_info(self.id)?.reply()?;
        Ok(found.ms_since_user_input)
    }

    /// As if somebody had touched something.
    pub fn wake(&self) -> Outcome<()> {
        Ok(self.connection.force_screen_saver(ScreenSaver::RESET)?.check()?)
    }
}

/// Looks at a display.
pub struct Eye {
    connection: RustConnection,
    screen: usize,
}

impl Eye {
    /// What a viewer sees right now.
    pub fn picture(&self) -> Result<RgbImage, String> {
        let screen = &self.connection.setup().roots[self.screen];
        let size = (screen.width_in_pixels, screen.height_in_pixels);
        picture_of(&self.connection, screen.root, size).map_err(told)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn picture_of(
    connection: &RustConnection,
    drawable: u32,
    (width, height): (u16, u16),
) -> Outcome<RgbImage> {
    let ask = connection.get_image(ImageFormat::Z_PIXMAP, drawable, 0, 0, width, height, !0)?;
    // 24 bit deep, 32 bit apart, blue first: what Xvfb serves on a little-endian machine.
    let bgrx = ask.reply()?.data;
    let rgb = bgrx.chunks_exact(4).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
    RgbImage::from_raw(width.into(), height.into(), rgb).ok_or_else(|| "short picture".into())
}
