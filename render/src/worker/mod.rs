//! The media worker: a disposable process that turns one file into frames and sound, into one still, or into
//! sound alone.
//!
//! In:  a socket to the stage, and over it one file.
//! Out: frames in shared memory ahead of their time; sound to the device, on time.
//!
//! Whatever a decoder does (crash, hang, leak), it costs its own process. The worker ends at once
//! when the stage lets go of the socket, also when the stage itself has died.
//!
//! In the worker process: [`run`], `sandbox`, `player`, `resume`, `pipeline`, `file`, `decoders` (which one), `tuning`,
//! `complaint`, `outlet` (frames out), `described` (what they are like), `fields` (which become frames), `allocator` (where decoders in software put them), `lender` (frames that stay where they are), `colour`, `sound`, `limits`. In the stage: `pool` (processes), `patience` (how long they are waited for), `link` (thread of a source), `loan` (what is lent), `timeline` (which frame
//! when). On both sides: `protocol`, `socket`, `layout`, `lent`, `frames`.

mod allocator;
mod colour;
mod complaint;
mod decoders;
mod described;
mod fields;
mod file;
pub(crate) mod frames;
pub(crate) mod layout;
mod lender;
pub(crate) mod lent;
mod limits;
pub(crate) mod link;
pub(crate) mod loan;
mod outlet;
mod patience;
mod pipeline;
mod player;
pub(crate) mod pool;
pub(crate) mod protocol;
mod resume;
mod sandbox;
mod socket;
mod sound;
pub(crate) mod timeline;
mod tuning;

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use player::Player;
use protocol::{Command, Event, Garbled};
use sandbox::Reach;
pub use sandbox::walls::Walls;
use socket::{Received, Socket};

/// Why a worker process could not do its work. What is wrong with a file is not among them: that
/// is told to the stage.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Standard input is not what the stage hands to a worker.
    #[error("a media worker is started by the stage: standard input has to be its socket: {0}")]
    NotASocket(#[source] std::io::Error),
    /// No media framework, no work.
    #[error("start GStreamer: {0}")]
    GStreamer(#[from] gstreamer::glib::Error),
    /// A limit could not be set.
    #[error("limit the media worker: {0}")]
    Limits(#[source] std::io::Error),
    /// The socket broke.
    #[error("read from the stage: {0}")]
    Socket(#[from] rustix::io::Errno),
    /// The stage speaks another language.
    #[error("the stage: {0}")]
    Garbled(#[from] Garbled),
}

/// The socket that [`crate::source::worker::WorkerPool`] hands to a worker process as its standard
/// input. For `main`; nothing else may read standard input. Processes that the worker starts do
/// not inherit it: the stage would wait for them.
pub fn inherited_socket() -> Result<OwnedFd, WorkerError> {
    let stdin = std::io::stdin();
    rustix::net::sockopt::socket_type(stdin.as_fd())
        .and_then(|_| rustix::io::fcntl_setfd(stdin.as_fd(), rustix::io::FdFlags::CLOEXEC))
        .map_err(|error| WorkerError::NotASocket(error.into()))?;
    stdin.as_fd().try_clone_to_owned().map_err(WorkerError::NotASocket)
}

/// Works until the stage closes `socket`, then ends the process on the spot: leaving in good order
/// would wait for decoders, which may hang. Returns only if it cannot work.
pub fn run(socket: OwnedFd) -> Result<(), WorkerError> {
    limits::apply().map_err(WorkerError::Limits)?;
    let network = sandbox::leave_network();
    gstreamer::init()?;
    let stage = Arc::new(Socket::from_fd(socket));
    stage.send(Event::Hello.write().bytes(), None)?;
    let mut player = None;
    while let Some(received) = stage.receive()? {
        obey(&stage, received, network, &mut player)?;
    }
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
    Ok(())
}

fn obey(
    stage: &Arc<Socket>,
    received: Received,
    network: bool,
    player: &mut Option<Player>,
) -> Result<(), WorkerError> {
    match (Command::read(received.bytes())?, player.as_mut()) {
        (Command::Open { medium, volume, looped, software, lend, from_ns, audio }, None) => {
            let Some(file) = received.fd else { return Ok(()) };
            let reach = Reach::of(&audio, sound::has_sound_server());
            let walls = sandbox::lock_down(reach, network);
            stage.send(Event::Walls(walls).write().bytes(), None)?;
            let wish = player::Wish { medium, volume, looped, software, lend, from_ns, audio };
            match Player::open(file, wish, stage) {
                Ok(opened) => *player = Some(opened),
                Err(error) => {
                    let text = error.to_string();
                    stage.send(Event::Failed { text }.write().bytes(), None)?;
                }
            }
        }
        (Command::Start { at }, Some(player)) => player.start(at),
        (Command::Release { generation, slot }, Some(player)) => player.release(generation, slot),
        (Command::LeavesAt { at }, Some(player)) => player.leaves_at(at),
        (Command::Hush, Some(player)) => player.hush(),
        (Command::Keep, Some(player)) => player.keep(),
        // A second file, or words to a player that failed to open: nothing to do.
        _ => {}
    }
    Ok(())
}
