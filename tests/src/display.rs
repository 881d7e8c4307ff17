//! A virtual display, and what is on it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use image::RgbImage;
use x11rb::connection::Connection;
use x11rb::protocol::screensaver::{self, ConnectionExt as _};
use x11rb::protocol::xfixes::ConnectionExt as _;
use x11rb::protocol::xproto::{
    AtomEnum, Blanking, ConfigureWindowAux, ConnectionExt as _, Exposures, ImageFormat, ScreenSaver,
};
use x11rb::rust_connection::RustConnection;

/// An Xvfb of its own, ended on drop.
pub struct Display {
    server: Child,
    name: String,
}

impl Display {
    /// Starts a display of `width_px` × `height_px`, 24 bit; the server chooses a free number.
    pub fn start(width_px: u32, height_px: u32) -> Result<Display, String> {
        let screen = format!("{width_px}x{height_px}x24");
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-noreset", "-screen", "0", &screen])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("Xvfb: {error}; it is in the package xvfb"))?;
        let mut number = String::new();
        let said = server.stdout.take().map(|out| BufReader::new(out).read_line(&mut number));
        if !matches!(said, Some(Ok(1..))) {
            let _ = server.kill();
            let _ = server.wait();
            return Err("Xvfb ended before it had a display".into());
        }
        Ok(Display { server, name: format!(":{}", number.trim()) })
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
