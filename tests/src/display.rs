//! A virtual display, and what is on it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use image::RgbImage;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ConnectionExt, ImageFormat};
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
        picture_of(&self.name).map_err(|error| format!("display {}: {error}", self.name))
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn picture_of(name: &str) -> Result<RgbImage, Box<dyn std::error::Error>> {
    let (connection, screen) = RustConnection::connect(Some(name))?;
    let screen = &connection.setup().roots[screen];
    let (width, height) = (screen.width_in_pixels, screen.height_in_pixels);
    let ask = connection.get_image(ImageFormat::Z_PIXMAP, screen.root, 0, 0, width, height, !0)?;
    // 24 bit deep, 32 bit apart, blue first: what Xvfb serves on a little-endian machine.
    let bgrx = ask.reply()?.data;
    let rgb = bgrx.chunks_exact(4).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
    RgbImage::from_raw(width.into(), height.into(), rgb).ok_or_else(|| "short picture".into())
}
