//! Under X11, displays that come, go or change, told to winit.
//!
//! winit asks the X server for word of them, but reads its events by Xlib, which drops those of RandR:
//! nobody has told Xlib what they are. So a connection of our own listens. To have winit look at the
//! displays again, a property of our window is touched that means other fonts to it, at which it does.
//!
//! Not here: windows that go where the displays are (`panes`). Under Wayland winit hears for itself.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;

use winit::raw_window_handle::{HasWindowHandle, RawWindowHandle};
use winit::window::Window;
use x11rb::connection::Connection;
use x11rb::protocol::randr::{ConnectionExt as _, NotifyMask};
use x11rb::protocol::xproto::{AtomEnum, PropMode};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use super::under_wayland;
use crate::source::Waker;

/// Hears of changes.
pub(super) struct Plugs {
    connection: Arc<RustConnection>,
    /// Something is another way than winit knows.
    changed: Arc<AtomicBool>,
}

impl Plugs {
    /// Listens from now on; `waker` is called at each change. None where windows are not an X
    /// server's, or it has no RandR.
    pub(super) fn watch(waker: Waker) -> Option<Plugs> {
        if under_wayland() {
            return None;
        }
        let watched = listen(waker);
        watched.inspect_err(|error| tracing::warn!(error, "displays are not watched")).ok()
    }

    /// Has winit look again, if there is a reason to; word of that comes by way of `window`.
    pub(super) fn tell(&self, window: &Window) {
        let Some(id) = id(window) else { return };
        if self.changed.swap(false, Ordering::Relaxed) {
            let told = touch(&self.connection, id);
            told.inspect_err(|error| tracing::warn!(error, "displays are not looked at")).ok();
        }
    }
}

fn listen(waker: Waker) -> Result<Plugs, Box<dyn Error>> {
    let (connection, number) = x11rb::connect(None)?;
    let root = connection.setup().roots.get(number).ok_or("no screen")?.root;
    connection.randr_query_version(1, 3)?.reply()?;
    let mask = NotifyMask::SCREEN_CHANGE | NotifyMask::CRTC_CHANGE | NotifyMask::OUTPUT_CHANGE;
    connection.randr_select_input(root, mask)?.check()?;
    // From then on: something may have changed since winit looked.
    let (connection, changed) = (Arc::new(connection), Arc::new(AtomicBool::new(true)));
    let (ear, flag) = (Arc::clone(&connection), Arc::clone(&changed));
    // Ends with the process, or when the server is gone.
    Builder::new().name("displays".into()).spawn(move || {
        while ear.wait_for_event().is_ok() {
            flag.store(true, Ordering::Relaxed);
            waker();
        }
    })?;
    Ok(Plugs { connection, changed })
}

fn touch(connection: &RustConnection, window: u32) -> Result<(), Box<dyn Error>> {
    let (property, kind) = (AtomEnum::RESOURCE_MANAGER, AtomEnum::STRING);
    connection.change_property8(PropMode::REPLACE, window, property, kind, &[])?;
    Ok(connection.flush()?)
}

fn id(window: &Window) -> Option<u32> {
    match window.window_handle().ok()?.as_raw() {
        RawWindowHandle::Xlib(handle) => u32::try_from(handle.window).ok(),
        RawWindowHandle::Xcb(handle) => Some(handle.window.get()),
        _ => None,
    }
}
