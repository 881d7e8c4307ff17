//! The service manager's side of `sd_notify`: hears when the player has shown its first frame.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// A notification socket in a folder.
pub struct Notify {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Notify {
    /// Listens at `<dir>/notify.sock`.
    pub fn listen(dir: &Path) -> io::Result<Notify> {
        let path = dir.join("notify.sock");
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path)?;
        socket.set_nonblocking(true)?;
        Ok(Notify { socket, path })
    }

    /// For the environment variable `NOTIFY_SOCKET`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was said since the last call, one entry a message.
    pub fn heard(&self) -> Vec<String> {
        let mut buffer = [0; 4_096];
        std::iter::from_fn(|| self.socket.recv(&mut buffer).ok().map(|n| buffer[..n].to_vec()))
            .map(|message| String::from_utf8_lossy(&message).into_owned())
            .collect()
    }
}
