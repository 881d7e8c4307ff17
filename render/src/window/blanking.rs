//! No screen saver and no power saving of the display while something is shown on it.
//!
//! Under X11 the server is asked to suspend both for as long as our connection lasts: whatever becomes
//! of this process, its own settings hold again. Under Wayland nothing blanks but by a program that
//! somebody starts for it (`swayidle`); `cage` and `labwc` have none.

use x11rb::protocol::screensaver::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

/// Holds the display awake until it is dropped.
pub(super) struct Awake {
    _connection: RustConnection,
}

impl Awake {
    /// None where there is no X server, or it has no such thing.
    pub(super) fn keep() -> Option<Awake> {
        if super::under_wayland() {
            return None;
        }
        match suspend() {
            Ok(connection) => Some(Awake { _connection: connection }),
            Err(error) => {
                tracing::warn!(error, "the X server may blank the display");
                None
            }
        }
    }
}

fn suspend() -> Result<RustConnection, Box<dyn std::error::Error>> {
    let (connection, _) = x11rb::connect(None)?;
    connection.screensaver_query_version(1, 1)?.reply()?;
    connection.screensaver_suspend(1)?.check()?;
    Ok(connection)
}
