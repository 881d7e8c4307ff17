//! The local API: a Unix socket in `runtime_dir` on which the command line (and other programs of
//! the same user) ask the running player.
//!
//! One question and one answer per connection, each one line of JSON: see [`protocol`]. The server
//! asks the director and never reads state itself.

pub mod client;
pub mod protocol;
pub mod server;

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Connects. Whoever listens but is stopped lets its queue fill up, and the next one would wait for
/// room in it without end.
///
/// # Errors
/// `TimedOut`: somebody listens, but takes nobody in `within` this time. Else what the system says.
pub fn connect(path: &Path, within: Duration) -> io::Result<UnixStream> {
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(within))?;
    match rustix::net::connect(&socket, &SocketAddrUnix::new(path)?) {
        Err(rustix::io::Errno::AGAIN) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "it takes nobody in; it hangs or is stopped",
        )),
        connected => Ok(connected.map(|()| UnixStream::from(socket))?),
    }
}

/// The socket's place.
pub fn socket(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("control.sock")
}
