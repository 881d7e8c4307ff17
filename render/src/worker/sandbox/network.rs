//! A namespace without a network. Nothing in a decoder should ask for one, and the list of system
//! calls has no way to; this holds also where that list does not.

use std::fs::OpenOptions;
use std::io::{self, Write};

use rustix::thread::UnshareFlags;

/// Leaves the machine's network for one of its own with nothing in it, without being root. Before
/// any other thread: the kernel allows it to nobody else. False where it is not allowed, as in the
/// kiosk's service, which lets nobody make namespaces and has no network itself.
pub fn leave_network() -> bool {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    let left = unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET)
        .and_then(|()| keep_name(user.as_raw(), group.as_raw()));
    left.inspect_err(|error| tracing::debug!(%error, "the network stays in reach")).is_ok()
}

/// The crate takes this back because of one flag, which is none of ours: threads would no longer
/// share their descriptors.
#[allow(deprecated)]
fn unshare(flags: UnshareFlags) -> io::Result<()> {
    Ok(rustix::thread::unshare(flags)?)
}

/// Inside, everybody is nobody, unless a number is said to be the same as outside.
fn keep_name(user: u32, group: u32) -> io::Result<()> {
    for (file, text) in [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("{user} {user} 1")),
        ("/proc/self/gid_map", format!("{group} {group} 1")),
    ] {
        OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes())?;
    }
    Ok(())
}
