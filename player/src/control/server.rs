//! The side of the control socket that answers.
//!
//! Promises, each held by a test of the same name:
//! - `one_question_one_answer`;
//! - `garbage_is_refused_with_words`;
//! - `strangers_are_sent_away`: only the player's own user and root are answered;
//! - `no_more_than_a_few_at_a_time`.
//!
//! Threads: one that accepts, one for each connection, at most [`CONNECTIONS`]. All of them end
//! soon after [`Server::stop`]; none holds anything that a stop must wait for.

use std::collections::HashMap;
use std::io::{self, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle, park_timeout};
use std::time::Duration;

use rustix::net::Shutdown;
use vitrine_render::link;

use super::protocol::{self, Reply};
use crate::error::Error;
use crate::event::{Answer, Command, Event};
use crate::inbox::Poster;

/// Connections at a time: a person, a script and a monitor, and some room.
const CONNECTIONS: usize = 8;
/// A question is one line, written at once.
const QUESTION_WITHIN: Duration = Duration::from_secs(2);
/// The director answers at once; a screenshot waits for the stage.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The answer must be taken off our hands: a screenshot is the longest.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);
/// Pause after a connection that could not be taken, most likely for want of descriptors.
const AFTER_LOSS: Duration = Duration::from_millis(200);
/// A player that was killed a moment ago answers until the system has let go of its sockets: it is
/// taken for a living one if it answers so many looks, so far apart.
const LOOKS: u32 = 25;
const LOOK_AGAIN: Duration = Duration::from_millis(40);

/// Open questions: number to the thread that waits. Bounded by [`CONNECTIONS`].
#[derive(Debug, Clone, Default)]
pub struct Questions {
    open: Arc<Mutex<HashMap<u64, SyncSender<Answer>>>>,
    next: Arc<AtomicU64>,
}

impl Questions {
    /// Hands the director's answer to whoever asked. An answer that nobody waits for any more is
    /// dropped.
    pub fn answer(&self, ask: u64, answer: Answer) {
        if let Some(waiting) = self.lock().remove(&ask) {
            // Room for one, used once: never full.
            let _ = waiting.try_send(answer);
        }
    }

    fn open(&self) -> (u64, Receiver<Answer>) {
        let ask = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = sync_channel(1);
        self.lock().insert(ask, sender);
        (ask, receiver)
    }

    fn forget(&self, ask: u64) {
        self.lock().remove(&ask);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, SyncSender<Answer>>> {
        self.open.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

/// The listening socket and its thread.
#[derive(Debug)]
pub struct Server {
    listener: Arc<UnixListener>,
    path: PathBuf,
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What a connection needs.
#[derive(Debug, Clone)]
struct Desk {
    poster: Poster,
    questions: Questions,
    busy: Arc<AtomicUsize>,
}

impl Server {
    /// Listens on `path`; a socket left there by a player that was killed is replaced, that of a
    /// running one is not.
    pub fn start(path: &Path, poster: Poster, questions: Questions) -> Result<Server, Error> {
        let listener = Arc::new(listen(path)?);
        // Nothing is ever sent: dropping the sender is the signal.
        let (stop, stopped) = sync_channel(0);
        let desk = Desk { poster, questions, busy: Arc::default() };
        let thread = {
            let listener = Arc::clone(&listener);
            Builder::new()
                .name("control".into())
                .spawn(move || accept(&listener, &stopped, &desk))
                .map_err(|source| Error::Thread { name: "control", source })?
        };
        Ok(Server { listener, path: path.to_path_buf(), stop: Some(stop), thread: Some(thread) })
    }

    /// Takes no more questions and removes the socket.
    pub fn stop(mut self) {
        self.stop.take();
        // Wakes the accepting thread; on any other system than Linux it would not.
        let _ = rustix::net::shutdown(&*self.listener, Shutdown::Both);
        let _ = std::fs::remove_file(&self.path);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Binds a socket that only the player's own user and group can reach.
pub fn listen(path: &Path) -> Result<UnixListener, Error> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(Error::file(dir, "make the directory"))?;
    }
    if answers(path) {
        let path = path.display();
        return Err(Error::Busy(format!("another player is running: it answers on {path}")));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::file(path, "remove the old socket")(error));
        }
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(Error::file(path, "listen"))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))
        .map_err(Error::file(path, "set its permissions"))?;
    Ok(listener)
}

/// Whether somebody is there, and stays.
fn answers(path: &Path) -> bool {
    (0..LOOKS).all(|look| {
        if look > 0 {
            park_timeout(LOOK_AGAIN);
        }
        match link::connect(path, LOOK_AGAIN) {
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::TimedOut,
        }
    })
}

fn accept(listener: &UnixListener, stopped: &Receiver<()>, desk: &Desk) {
    let mut pause = Duration::ZERO;
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
        pause = Duration::ZERO;
        match listener.accept() {
            Ok((stream, _)) => receive(stream, desk),
            Err(error) => {
                tracing::debug!(%error, "control: a connection was lost");
                pause = AFTER_LOSS;
            }
        }
    }
}

/// Gives a connection its thread, or sends it away.
fn receive(stream: UnixStream, desk: &Desk) {
    if desk.busy.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS {
        desk.busy.fetch_sub(1, Ordering::Relaxed);
        refuse(stream, format!("{CONNECTIONS} questions are being answered; try again"));
        return;
    }
    let own = desk.clone();
    let spawned = Builder::new().name("control-peer".into()).spawn(move || {
        if let Err(error) = serve(&stream, &own) {
            tracing::debug!(%error, "control: the peer went away");
        }
        own.busy.fetch_sub(1, Ordering::Relaxed);
    });
    if let Err(error) = spawned {
        tracing::warn!(%error, "control: no thread for a connection");
        desk.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

fn refuse(mut stream: UnixStream, why: String) {
    let _ = stream.set_write_timeout(Some(QUESTION_WITHIN));
    let _ = protocol::write_line(&mut stream, &Reply::Refused { why });
}

fn serve(stream: &UnixStream, desk: &Desk) -> io::Result<()> {
    stream.set_read_timeout(Some(QUESTION_WITHIN))?;
    stream.set_write_timeout(Some(TAKEN_WITHIN))?;
    let peer = rustix::net::sockopt::socket_peercred(stream)?.uid;
    let reply = if may_ask(peer.as_raw(), rustix::process::geteuid().as_raw()) {
        match protocol::question(&mut BufReader::new(stream)) {
            Ok(command) => consult(command, desk),
            Err(why) => Reply::Refused { why: format!("question: {why}") },
        }
    } else {
        Reply::Refused { why: "only the player's own user and root may ask".to_owned() }
    };
    protocol::write_line(&mut &*stream, &reply)
}

/// Root may do everything anyway; other users of the group may see the socket, not more.
fn may_ask(peer_uid: u32, own_uid: u32) -> bool {
    peer_uid == 0 || peer_uid == own_uid
}

fn consult(command: Command, desk: &Desk) -> Reply {
    let (ask, answer) = desk.questions.open();
    if let Err(error) = desk.poster.offer(Event::Command { ask, command }) {
        desk.questions.forget(ask);
        return Reply::Refused { why: error.to_string() };
    }
    let reply = answer.recv_timeout(ANSWER_WITHIN).map(Reply::from);
    desk.questions.forget(ask);
    reply.unwrap_or_else(|_| Reply::Refused {
        why: format!("the player did not answer within {} s", ANSWER_WITHIN.as_secs()),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::control::client;
    use crate::inbox::inbox;

    /// A server with a director that answers every question with `answer`.
    fn rig(answer: Answer) -> (tempfile::TempDir, PathBuf, Server) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("run/control.sock");
        let (poster, receiver) = inbox();
        let questions = Questions::default();
        let server = Server::start(&path, poster, questions.clone()).expect("a server");
        Builder::new()
            .name("director".into())
            .spawn(move || {
                while let Ok(event) = receiver.recv() {
                    if let Event::Command { ask, .. } = event {
                        questions.answer(ask, answer.clone());
                    }
                }
            })
            .expect("a thread");
        (dir, path, server)
    }

    fn raw(path: &Path, question: &[u8]) -> String {
        let mut stream = UnixStream::connect(path).expect("a socket");
        stream.write_all(question).expect("written");
        stream.shutdown(std::net::Shutdown::Write).expect("shut");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a reply");
        reply
    }

    #[test]
    fn one_question_one_answer() {
        let (_dir, path, server) = rig(Answer::Done);
        assert_eq!(client::ask(&path, Command::Next).expect("an answer"), Reply::Done);
        assert_eq!(raw(&path, b"{\"command\":\"status\"}\n"), "{\"reply\":\"done\"}\n");
        server.stop();
        assert!(matches!(client::ask(&path, Command::Next), Err(Error::Unreachable { .. })));
    }

    #[test]
    fn garbage_is_refused_with_words() {
        let (_dir, path, server) = rig(Answer::Done);
        for (case, question) in [
            ("no json", b"hello\n".to_vec()),
            ("nothing", Vec::new()),
            ("binary", vec![0, 159, 146, 150, b'\n']),
            ("endless", vec![b'x'; protocol::QUESTION_BYTES + 1]),
        ] {
            let reply = raw(&path, &question);
            assert!(
                reply.starts_with("{\"reply\":\"refused\",\"why\":\"question: "),
                "{case}: {reply}"
            );
        }
        assert_eq!(client::ask(&path, Command::Next).expect("still answers"), Reply::Done);
        server.stop();
    }

    #[test]
    fn strangers_are_sent_away() {
        for (case, peer, own, want) in [
            ("the same user", 990, 990, true),
            ("root", 0, 990, true),
            ("another user", 1_000, 990, false),
            ("a user when the player is root", 1_000, 0, false),
        ] {
            assert_eq!(may_ask(peer, own), want, "case {case:?}");
        }
    }

    #[test]
    fn no_more_than_a_few_at_a_time() {
        let (poster, _receiver) = inbox();
        let busy = Arc::new(AtomicUsize::new(CONNECTIONS));
        let desk = Desk { poster, questions: Questions::default(), busy: Arc::clone(&busy) };
        let (mut near, far) = UnixStream::pair().expect("a pair");
        receive(far, &desk);
        let mut reply = String::new();
        near.read_to_string(&mut reply).expect("a reply");
        assert!(reply.contains("try again"), "{reply}");
        assert_eq!(busy.load(Ordering::Relaxed), CONNECTIONS);
    }

    #[test]
    fn a_refusal_reaches_the_person_as_an_error() {
        let (_dir, path, server) = rig(Answer::Refused("no stage".into()));
        let error = client::ask(&path, Command::Screenshot).expect_err("refused");
        assert_eq!(error.to_string(), "the player refused: no stage");
        server.stop();
    }

    #[test]
    fn a_second_player_leaves_the_first_ones_socket_alone() {
        let (_dir, path, server) = rig(Answer::Done);
        assert!(matches!(listen(&path), Err(Error::Busy(_))));
        assert_eq!(client::ask(&path, Command::Next).expect("an answer"), Reply::Done);
        server.stop();
    }

    #[test]
    fn a_player_that_is_stopped_keeps_nobody_waiting() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("control.sock");
        let stopped = UnixListener::bind(&path).expect("a socket");
        rustix::net::listen(&stopped, 0).expect("a short queue");
        let _waits = UnixStream::connect(&path).expect("room for one");
        assert!(matches!(listen(&path), Err(Error::Busy(_))));
        let within = Duration::from_millis(1);
        let error = link::connect(&path, within).expect_err("no room");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(stopped);
        assert!(listen(&path).is_ok(), "nobody is there any more");
    }

    #[test]
    fn a_socket_left_by_a_killed_player_is_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("control.sock");
        drop(UnixListener::bind(&path).expect("a socket"));
        assert!(path.exists(), "the file outlives its listener");
        let listener = listen(&path).expect("replaced");
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        drop(listener);
    }
}
