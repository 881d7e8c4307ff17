//! What the service manager is told. Without one (`NOTIFY_SOCKET` unset) nothing happens.
//!
//! READY comes with the first frame on the display. There may be no display, and the agent must
//! sync all the same, so [`READY_AT_LATEST`] after the start READY comes anyway; where no screen of
//! our own is asked for (`screen.output` is `none` or `external`) it comes with the first word of
//! sync: the kiosk unit may wait for us. The director decides on WATCHDOG (`director::health`).

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// READY without a frame: below systemd's `TimeoutStartSec` of 90 s, far above any start to a
/// first frame.
pub const READY_AT_LATEST: Duration = Duration::from_secs(45);

const SOCKET: &str = "NOTIFY_SOCKET";

/// Proof of life.
pub const ALIVE: &str = "WATCHDOG=1";
/// Content is on this version's own screen. Service managers pass over what begins with `X_`; the
/// guardian of a trial waits for it.
pub const CONTENT: &str = "X_VITRINE_CONTENT=1";
/// Content is on a stage of another version, and nobody can be asked to put this one's in its place.
pub const HINDERED: &str = "X_VITRINE_HINDERED=1";

/// The line to the service manager; remembers what has been said.
#[derive(Debug, Default)]
pub struct Notifier {
    ready: bool,
    /// READY has arrived.
    heard: bool,
    content: bool,
    status: String,
}

impl Notifier {
    /// The service is up. Said once.
    pub fn ready(&mut self, why: &str) {
        if !std::mem::replace(&mut self.ready, true) {
            tracing::info!(why, "ready");
            self.heard = tell("READY=1");
        }
    }

    /// Whether READY has been said.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Proof of life.
    pub fn alive(&mut self) {
        if self.ready && !self.heard {
            self.heard = tell("READY=1");
        }
        tell(ALIVE);
    }

    /// Content is on the screen. Said again with the next content if there was no room for it.
    pub fn content(&mut self) {
        if !self.content && tell(CONTENT) {
            tracing::info!("content is on the screen");
            self.content = true;
        }
    }

    /// This version cannot prove itself here.
    pub fn hindered(&self) {
        tell(HINDERED);
    }

    /// One line for `systemctl status`; the same line is not said twice.
    pub fn status(&mut self, line: String) {
        if line != self.status && tell(&format!("STATUS={line}")) {
            self.status = line;
        }
    }

    /// A clean stop has begun.
    pub fn stopping(&self) {
        tell("STOPPING=1");
    }
}

/// False if there was no room for it: it may be said again later.
pub fn tell(text: &str) -> bool {
    match send(text) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
        Err(error) => {
            tracing::warn!(%error, text, "the service manager was not told");
            true
        }
    }
}

/// One datagram as sd_notify(3) has it, never waiting: a service manager that is busy or stuck
/// must not stop the director. (`sd-notify`, the crate, waits for room.)
fn send(text: &str) -> io::Result<()> {
    let Some(name) = std::env::var_os(SOCKET).map(OsStringExt::into_vec) else { return Ok(()) };
    let address = match name.as_slice() {
        [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(text.as_bytes(), &address).map(drop)
}

/// How long the service manager lets a service be silent (`WatchdogSec=`).
pub fn watchdog() -> Option<Duration> {
    let us = std::env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    Some(Duration::from_micros(us)).filter(|limit| !limit.is_zero())
}

/// Whether there is a service manager that listens.
pub fn is_wanted() -> bool {
    std::env::var_os(SOCKET).is_some()
}
