//! Newer versions of the player: tried beside the old one, kept if they show content, gone if not.
//!
//! In:  a release that sync has brought, a word of the cloud or of a person.
//! Out: another version of this program running, or the one before again.
//!
//! The installed package is the floor: it is always there, it starts every other version and judges
//! it. Releases lie in `<state_dir>/releases`, whole by construction; `state.json` beside them says
//! which one runs. What is about to be done is written there before it is done: a plug pulled at any
//! moment leads to the old version or to one more try of three, never to a loop.
//!
//! - [`state`] (pure): what is remembered, and which version is started next;
//! - [`guard`] (pure): whether a version on trial is to be believed, given up or killed;
//! - [`lives`]: how often the version that runs has died of late;
//! - [`launch`]: the first step of `vitrine run` and `vitrine stage`: become the version that is due;
//! - [`guardian`]: the known good program, watching over a trial until it has proved itself;
//! - [`desk`]: the agent's side: has a new file looked at, asks for its trial, tells what came of it;
//! - [`look`]: a program asked who it is;
//! - [`files`]: the directory.
//!
//! Not here: the index and the download (`vitrine_sync`).

pub mod desk;
mod files;
mod guard;
mod guardian;
pub mod launch;
mod lives;
mod look;
pub mod state;

use std::io;
use std::path::Path;

use rustix::io::Errno;
use semver::Version;

/// What is remembered below `state_dir`.
pub fn recall(state_dir: &Path) -> state::State {
    files::Releases::of(state_dir).read()
}

/// This program's own version.
pub fn own_version() -> Version {
    // Cargo takes no other form.
    crate::settings::release().parse().unwrap_or_else(|_| Version::new(0, 0, 0))
}

/// Whether a program could not be started for want of something that the machine lacks at the moment,
/// which says nothing of the program.
///
/// `TXTBSY`: another thread starts a process at the very moment, which holds for as long the
/// descriptor by which the file was written.
fn is_shortage(error: &io::Error) -> bool {
    let shortages =
        [Errno::TXTBSY, Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE, Errno::IO];
    Errno::from_io_error(error).is_some_and(|errno| shortages.contains(&errno))
}
