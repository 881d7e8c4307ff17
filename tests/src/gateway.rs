//! A gateway between player and cloud that reads the requests and answers some of them as badly as
//! it is told. Everything else goes through unchanged.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Which requests it answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Those for files.
    Files,
    /// That for the manifest.
    Manifest,
    /// All of them.
    All,
}

/// A request that is answered badly.
#[derive(Debug)]
pub struct Ask {
    /// The first byte asked for.
    pub from: usize,
    /// The good answer's body from its first byte on.
    pub body: Vec<u8>,
}

/// Writes an answer; the connection ends when this returns.
pub type Manners = fn(&mut TcpStream, &Ask) -> io::Result<()>;

/// The gateway. Its threads end with the process.
#[derive(Debug)]
pub struct Gateway {
    address: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    manners: Mutex<Option<(To, Manners)>>,
    /// First bytes asked for by those who were answered badly.
    struck: Mutex<Vec<usize>>,
}

impl Gateway {
    /// Stands before `upstream`, `host:port`, on a free port of `host`.
    pub fn start(upstream: &str, host: &str) -> io::Result<Gateway> {
        let listener = TcpListener::bind((host, 0))?;
        let address = listener.local_addr()?.to_string();
        let upstream = upstream.to_owned();
        let shared =
            Arc::new(Shared { upstream, manners: Mutex::default(), struck: Mutex::default() });
        let own = Arc::clone(&shared);
        named("gateway", move || {
            for guest in listener.incoming().flatten() {
                let shared = Arc::clone(&own);
                // A guest that leaves in the midst is no trouble of ours.
                let _ = named("gateway-guest", move || drop(serve(guest, &shared)));
            }
        })?;
        Ok(Gateway { address, shared })
    }

    /// `host:port` to connect to.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// From now on; None: behaves again. Forgets whom it answered badly before.
    pub fn behave(&self, manners: Option<(To, Manners)>) {
        lock(&self.shared.struck).clear();
        *lock(&self.shared.manners) = manners;
    }

    /// The first bytes asked for by those who were answered badly.
    pub fn struck(&self) -> Vec<usize> {
        lock(&self.shared.struck).clone()
    }
}

/// A request as it came.
struct Request {
    head: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    fn read(from: &mut TcpStream) -> io::Result<Request> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            from.read_exact(&mut byte)?;
            head.extend(byte);
        }
        let text = String::from_utf8_lossy(&head);
        let head = text.trim_end().split("\r\n").map(str::to_owned).collect();
        let mut request = Request { head, body: Vec::new() };
        let length = request.header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
        request.body = vec![0; length];
        from.read_exact(&mut request.body)?;
        Ok(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.iter().filter_map(|line| line.split_once(':'));
        headers.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    /// One request a connection, so that each is seen; without `drop`.
    fn write(&self, to: &mut TcpStream, drop: &[&str]) -> io::Result<()> {
        let upgrades = self.header("upgrade").is_some();
        let goes = |line: &&String| {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            (upgrades || name != "connection") && !drop.contains(&name.as_str())
        };
        let mut head: Vec<&str> = self.head.iter().filter(goes).map(String::as_str).collect();
        if !upgrades {
            head.push("connection: close");
        }
        to.write_all(format!("{}\r\n\r\n", head.join("\r\n")).as_bytes())?;
        to.write_all(&self.body)
    }

    fn is_for(&self, to: To) -> bool {
        let path = self.head[0].split(' ').nth(1).unwrap_or_default();
        match to {
            To::Files => path.starts_with("/api/v3/assets/"),
            To::Manifest => path == "/api/v3/manifest",
            To::All => true,
        }
    }

    fn first_byte(&self) -> usize {
        let range = self.header("range").and_then(|range| range.strip_prefix("bytes="));
        range.and_then(|range| range.strip_suffix('-')?.parse().ok()).unwrap_or(0)
    }
}

fn serve(mut guest: TcpStream, shared: &Shared) -> io::Result<()> {
    let request = Request::read(&mut guest)?;
    let manners = *lock(&shared.manners);
    let Some((_, manners)) = manners.filter(|(to, _)| request.is_for(*to)) else {
        return pass(&request, guest, &shared.upstream);
    };
    let ask = Ask { from: request.first_byte(), body: whole(&request, &shared.upstream)? };
    lock(&shared.struck).push(ask.from);
    manners(&mut guest, &ask)
}

/// The body of the good answer.
fn whole(request: &Request, upstream: &str) -> io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(upstream)?;
    request.write(
        &mut server,
        &["range", "if-range", "if-none-match", "accept-encoding", "upgrade"],
    )?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
    Ok(answer.split_off(head))
}

/// Both ways until either end has had enough.
fn pass(request: &Request, guest: TcpStream, upstream: &str) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream)?;
    request.write(&mut server, &[])?;
    let (up, down) = ((guest.try_clone()?, server.try_clone()?), (server, guest));
    named("gateway-up", move || pump(up.0, up.1))?;
    pump(down.0, down.1);
    Ok(())
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn named(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(work).map(drop)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
