//! Walls around a worker, up before the first byte of a file is parsed.
//!
//! In:  whether sound is wanted.
//! Out: the walls that stand. One that this kernel or this service does not allow is missing and
//! said so; playing goes on.
//!
//! Order: [`leave_network`] while the process has one thread, then GStreamer reads (and writes) its
//! list of plugins, then [`lock_down`], then the file. From there on a decoder that was taken over
//! can compute, read what decoders need, and speak to the stage; it cannot write a file, open a
//! socket, start a program, look into another process or take any of that back.
//!
//! Here: `calls` (seccomp), `files` (Landlock), `network` (namespaces), [`walls`] (what is told).
//! Not here: memory and descriptors (`limits`).

mod calls;
mod files;
mod network;
#[cfg(test)]
mod tests;
pub mod walls;

pub use network::leave_network;
use rustix::thread::{CapabilitySet, CapabilitySets};
use walls::Walls;

use crate::scene::AudioOut;

/// What of the machine a file needs to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Nothing.
    Silent,
    /// Sound devices.
    Devices,
    /// A sound server's socket, or devices.
    Server,
}

impl Reach {
    /// For sound that goes to `audio`.
    pub fn of(audio: &AudioOut, sound_server: bool) -> Reach {
        match audio {
            AudioOut::None => Reach::Silent,
            AudioOut::Auto if sound_server => Reach::Server,
            _ => Reach::Devices,
        }
    }
}

/// Shuts this process in with the descriptors that it has. `network`: whether [`leave_network`] did
/// its part.
pub fn lock_down(reach: Reach, network: bool) -> Walls {
    give_up_capabilities();
    let files = missing_is_told("Landlock", files::shut(reach));
    // Last: from here on, the calls that build walls are behind one.
    let calls = missing_is_told("seccomp", calls::shut(reach));
    Walls { calls, files, network }
}

/// Not as root, not as the master of a namespace of its own.
fn give_up_capabilities() {
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    // Giving up is never refused; without capabilities in the kernel there are none to give up.
    let _ = rustix::thread::set_capabilities(None, none);
    let _ = rustix::thread::set_no_new_privs(true);
}

fn missing_is_told<E: std::fmt::Display>(wall: &str, built: Result<(), E>) -> bool {
    built.inspect_err(|error| tracing::debug!(wall, %error, "not around this worker")).is_ok()
}
