//! The link between agent and stage: one Unix socket, wishes one way, reports the other.
//!
//! A message is two little-endian `u32` lengths (JSON, blob), the JSON, the blob. The agent listens
//! on `<runtime_dir>/stage.sock`; a stage connects, says [`crate::report::Report::Hello`], and
//! connects again whenever the agent went away, keeping its picture meanwhile.
//!
//! Promises:
//! - a wish replaces the one that was not yet sent: neither side ever has a queue of them;
//! - nothing stale crosses a new connection: wishes from before the stage's hello are forgotten,
//!   and so are reports made while no agent listened (nobody could say what their turns were);
//! - only processes of the same user, or root, are talked to;
//! - of several stages the one that came last has the link, and the others end (`place`);
//! - a side that does not read loses the connection, never the other side's time.

mod agent;
mod frame;
mod place;
mod stage;

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};

pub use agent::{AgentLink, Heard};
pub(crate) use stage::StageLink;

use crate::scene::Wish;

/// What an agent says to a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Replaces the wish before.
    Wish(Box<Wish>),
    /// Send a picture of what the display was handed, after the next frame if one is due now.
    Snapshot {
        /// Comes back in the report.
        id: u64,
    },
    /// Let go of the display and end. Why, in words, may travel behind it.
    Quit,
}

/// Snapshots asked for and not yet answered; more are refused at once.
pub(crate) const SNAPSHOTS_OPEN: usize = 4;

/// A side that takes no bytes for this long hangs, and loses the connection. Below the 2 s in which
/// a stop must be answered.
const READS_WITHIN: Duration = Duration::from_millis(1_500);

/// How the stage reaches its agent.
#[derive(Debug)]
pub enum Agent {
    /// Connects to the agent's socket, again and again: agents come and go, the picture stays.
    Socket(PathBuf),
    /// The other end of [`pair`]: when it closes, the stage ends.
    Pair(UnixStream),
}

/// Why the link cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The system refused.
    #[error("stage link {path}: {action}")]
    Io {
        /// Which socket; empty for a pair.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why it did not work.
        #[source]
        source: io::Error,
    },
    /// Another agent answers on the socket.
    #[error("stage link {path}: another agent is already listening here, stop it first")]
    Taken {
        /// Which socket.
        path: PathBuf,
    },
    /// One part of a message is longer than agreed.
    #[error("stage link: message with {part} of {found} bytes, at most {limit} are taken")]
    TooLong {
        /// `JSON` or `blob`.
        part: &'static str,
        /// As announced.
        found: usize,
        /// As agreed.
        limit: usize,
    },
    /// The connection ended or broke inside a message.
    #[error("stage link: connection broken")]
    Broken(#[source] io::Error),
    /// The text of a message is none of ours.
    #[error("stage link: message not understood")]
    Json(#[source] serde_json::Error),
    /// The other side is somebody else.
    #[error("stage link: the other side runs as user {found}, wanted {wanted} or root")]
    Stranger {
        /// Our own user.
        wanted: u32,
        /// The other side's.
        found: u32,
    },
    /// The stage did not introduce itself.
    #[error("stage link: the first message is not a hello")]
    NoHello,
}

/// Connects to a Unix socket. Whoever listens but is stopped lets its queue fill up, and the next one
/// would wait for room in it without end.
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

/// Both ends of a link within one process: the first for [`AgentLink::join`], the second for
/// [`Agent::Pair`].
///
/// # Errors
/// [`LinkError::Io`] when the system has no descriptors left.
pub fn pair() -> Result<(UnixStream, UnixStream), LinkError> {
    UnixStream::pair().map_err(|source| LinkError::Io {
        path: PathBuf::new(),
        action: "make a socket pair",
        source,
    })
}

/// Refuses a peer that runs as another user; root may always talk. Returns its process id.
fn check_peer(stream: &UnixStream) -> Result<u32, LinkError> {
    let peer = rustix::net::sockopt::socket_peercred(stream)
        .map_err(|error| LinkError::Broken(error.into()))?;
    let (wanted, found) = (rustix::process::geteuid().as_raw(), peer.uid.as_raw());
    if found != wanted && found != 0 {
        return Err(LinkError::Stranger { wanted, found });
    }
    Ok(peer.pid.as_raw_pid().unsigned_abs())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use std::sync::mpsc::{Receiver, sync_channel};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use vitrine_config::time::Mono;

    use super::stage::Inbox;
    use super::*;
    use crate::report::{Hello, Report};
    use crate::scene::{Scene, Size};

    /// Long enough for a loaded machine; nothing here waits for it to pass.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn hello(newest_turn: u64) -> Hello {
        let size = Size { width_px: 64, height_px: 36 };
        Hello {
            pid: 1,
            newest_turn,
            showing: vec![],
            size,
            displays: 1,
            gpu: "none".into(),
            zero_copy: String::new(),
        }
    }

    fn wish(blue: u8) -> Wish {
        let background = crate::scene::Rgb([0, 0, blue]);
        Wish { wanted: Scene { background, ..Scene::default() }, next: None }
    }

    fn ears() -> (impl Fn(Heard) + Send + Sync + 'static, Receiver<Heard>) {
        let (tell, heard) = sync_channel(64);
        let tell = Mutex::new(tell);
        let tell = move |word| drop(tell.lock().expect("whole").send(word));
        (tell, heard)
    }

    /// A stage's end that waits for its next inbox.
    struct Stage {
        link: StageLink,
        woken: Receiver<()>,
    }

    impl Stage {
        fn start(agent: Agent) -> Stage {
            let (wake, woken) = sync_channel(64);
            let waker = Arc::new(move || {
                wake.try_send(()).ok();
            });
            Stage { link: StageLink::start(agent, waker).expect("link"), woken }
        }

        fn until(&mut self, right: impl Fn(&Inbox) -> bool) -> Inbox {
            loop {
                let inbox = self.link.drain();
                if right(&inbox) {
                    return inbox;
                }
                self.woken.recv_timeout(PATIENCE).expect("woken");
            }
        }

        fn greet(&mut self, newest_turn: u64) {
            self.until(|inbox| inbox.connected);
            self.link.say(Report::Hello(hello(newest_turn)), vec![]);
        }
    }

    #[test]
    fn a_pair_carries_wishes_reports_and_pictures() {
        let (agent, stage) = pair().expect("pair");
        let mut stage = Stage::start(Agent::Pair(stage));
        let (tell, heard) = ears();
        let agent = AgentLink::join(agent, tell).expect("joined");
        stage.greet(7);
        assert_eq!(heard.recv_timeout(PATIENCE), Ok(Heard::Up(hello(7))));
        agent.wish(wish(3));
        let got = stage.until(|inbox| inbox.wish.is_some()).wish;
        assert_eq!(got.as_deref(), Some(&wish(3)));
        agent.snapshot(9);
        assert_eq!(stage.until(|inbox| !inbox.snapshots.is_empty()).snapshots, [9]);
        stage.link.say(Report::Snapshot { id: 9, error: None }, vec![1, 2, 3]);
        let png = Ok(vec![1, 2, 3]);
        assert_eq!(heard.recv_timeout(PATIENCE), Ok(Heard::Snapshot { id: 9, png }));
        let shown = Report::Shown { turn: 1, at: Mono(5) };
        stage.link.say(shown.clone(), vec![]);
        assert_eq!(heard.recv_timeout(PATIENCE), Ok(Heard::Report(shown)));
        agent.quit();
        assert!(stage.until(|inbox| inbox.quit).quit);
    }

    #[test]
    fn words_left_before_the_end_still_arrive() {
        let (agent, stage) = pair().expect("pair");
        let mut stage = Stage::start(Agent::Pair(stage));
        let (tell, heard) = ears();
        let _agent = AgentLink::join(agent, tell).expect("joined");
        stage.greet(1);
        let gone = Report::Gone { turn: 1, at: Mono(1), frames_presented: 2, frames_dropped: 0 };
        stage.link.say(gone.clone(), vec![]);
        drop(stage);
        assert!(matches!(heard.recv_timeout(PATIENCE), Ok(Heard::Up(_))));
        assert_eq!(heard.recv_timeout(PATIENCE), Ok(Heard::Report(gone)));
        assert!(matches!(heard.recv_timeout(PATIENCE), Ok(Heard::Down { .. })));
    }

    #[test]
    fn a_stage_outlives_its_agents_and_old_wishes_do_not_cross() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("stage.sock");
        let mut stage = Stage::start(Agent::Socket(path.clone()));
        for round in 0..2 {
            let (tell, heard) = ears();
            let agent = AgentLink::listen(&path, tell).expect("listens");
            agent.wish(wish(99));
            stage.greet(round);
            assert_eq!(heard.recv_timeout(PATIENCE), Ok(Heard::Up(hello(round))));
            agent.wish(wish(1));
            let got = stage.until(|inbox| inbox.wish.is_some()).wish;
            assert_eq!(got.as_deref(), Some(&wish(1)), "a wish from before the hello arrived");
            drop(agent);
            assert!(!path.exists(), "the socket stayed behind");
        }
    }

    #[test]
    fn a_second_agent_is_refused_and_a_dead_ones_socket_replaced() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("stage.sock");
        let first = AgentLink::listen(&path, |_| {}).expect("listens");
        assert!(matches!(AgentLink::listen(&path, |_| {}), Err(LinkError::Taken { .. })));
        drop(first);
        drop(std::os::unix::net::UnixListener::bind(&path).expect("left behind"));
        assert!(path.exists());
        AgentLink::listen(&path, |_| {}).expect("replaced");
    }

    #[test]
    fn an_agent_that_is_stopped_keeps_nobody_waiting() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("stage.sock");
        let stopped = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
        rustix::net::listen(&stopped, 0).expect("a short queue");
        let _waits = UnixStream::connect(&path).expect("room for one");
        assert!(matches!(AgentLink::listen(&path, |_| {}), Err(LinkError::Taken { .. })));
        drop(stopped);
        AgentLink::listen(&path, |_| {}).expect("nobody is there any more");
    }

    #[test]
    fn a_newer_stage_takes_the_place_of_the_older() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("stage.sock");
        let (tell, heard) = ears();
        let _agent = AgentLink::listen(&path, tell).expect("listens");
        let mut old = UnixStream::connect(&path).expect("connects");
        let word = serde_json::to_vec(&Report::Hello(hello(1))).expect("json");
        frame::write(&mut old, &word, &[]).expect("written");
        assert_eq!(heard.recv_timeout(PATIENCE), Ok(Heard::Up(hello(1))));
        let mut new = UnixStream::connect(&path).expect("connects");
        let word = serde_json::to_vec(&Report::Hello(hello(2))).expect("json");
        frame::write(&mut new, &word, &[]).expect("written");
        let down = heard.recv_timeout(PATIENCE);
        assert!(matches!(down, Ok(Heard::Down { relieved: true, .. })), "{down:?}");
        assert_eq!(heard.recv_timeout(PATIENCE), Ok(Heard::Up(hello(2))));
        drop(new);
        let down = heard.recv_timeout(PATIENCE);
        assert!(matches!(down, Ok(Heard::Down { relieved: false, .. })), "{down:?}");
    }

    #[test]
    fn a_stage_that_does_not_say_hello_is_turned_away() {
        let (agent, mut stage) = pair().expect("pair");
        let (tell, heard) = ears();
        let _agent = AgentLink::join(agent, tell).expect("joined");
        let word = serde_json::to_vec(&Report::Prepared { turn: 1, lasts: None }).expect("json");
        frame::write(&mut stage, &word, &[]).expect("written");
        assert!(matches!(frame::read(&mut stage), Ok(None)), "still connected");
        assert!(heard.try_recv().is_err());
    }
}
