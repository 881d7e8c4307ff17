//! Pixels into an X11 window by the plain core protocol, over a connection of our own: no library
//! of X is needed for it, so none is loaded into the processes that never open a window.

use x11rb::connection::{Connection, RequestConnection};
use x11rb::protocol::xproto::{ConnectionExt, CreateGCAux, Gcontext, ImageFormat, ImageOrder};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use super::Outcome;
use crate::scene::Size;

/// Bytes of the request around the pixels; the protocol has 24.
const HEADER_BYTES: usize = 64;

/// A window of somebody else's connection.
pub(super) struct Canvas {
    connection: RustConnection,
    window: u32,
    context: Gcontext,
    depth: u8,
    order: ImageOrder,
}

impl Canvas {
    /// `window` lives on the display that `DISPLAY` names.
    pub(super) fn open(window: u32) -> Outcome<Canvas> {
        let (connection, _) = x11rb::connect(None)?;
        let depth = connection.get_geometry(window)?.reply()?.depth;
        let setup = connection.setup();
        let order = setup.image_byte_order;
        let format = setup.pixmap_formats.iter().find(|format| format.depth == depth);
        if format.is_none_or(|format| format.bits_per_pixel != 32) {
            return Err(
                format!("a display of depth {depth}, wanted 24 with 32 bits a pixel").into()
            );
        }
        let context = connection.generate_id()?;
        connection.create_gc(context, window, &CreateGCAux::new())?.check()?;
        Ok(Canvas { connection, window, context, depth, order })
    }

    /// Covers the window with a picture of its size, as many rows at a time as a request takes.
    pub(super) fn put(&self, size: Size, rgba: &[u8]) -> Outcome<()> {
        let width = u16::try_from(size.width_px)?;
        let row_bytes = usize::from(width) * 4;
        let room = self.connection.maximum_request_bytes().saturating_sub(HEADER_BYTES);
        let rows = (room / row_bytes).max(1);
        for (part, pixels) in rgba.chunks(rows * row_bytes).enumerate() {
            let data: Vec<u8> = pixels.chunks_exact(4).flat_map(|rgba| self.pixel(rgba)).collect();
            let (y, height) = (i16::try_from(part * rows)?, u16::try_from(data.len() / row_bytes)?);
            let put = self.connection.put_image(
                ImageFormat::Z_PIXMAP,
                self.window,
                self.context,
                width,
                height,
                0,
                y,
                0,
                self.depth,
                &data,
            );
            put?.check()?;
        }
        Ok(self.connection.sync()?)
    }

    fn pixel(&self, rgba: &[u8]) -> [u8; 4] {
        let bytes = [0, rgba[0], rgba[1], rgba[2]];
        let pixel = u32::from_be_bytes(bytes);
        if self.order == ImageOrder::LSB_FIRST { pixel.to_le_bytes() } else { bytes }
    }
}
