//! The local API: a Unix socket in `runtime_dir` on which the command line (and other programs of
//! the same user) ask the running player.
//!
//! One question and one answer per connection, each one line of JSON: see [`protocol`]. The server
//! asks the director and never reads state itself.

pub mod client;
pub mod protocol;
pub mod server;

use std::path::{Path, PathBuf};

/// The socket's place.
pub fn socket(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("control.sock")
}
