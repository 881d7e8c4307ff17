//! A host of files that misbehaves in every way that hosts and networks do, one at a time. Whatever it
//! does, what plays plays on, nothing untrue gets into the cache, and once it behaves the file is there.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread::Builder;

use super::*;

const FILE_BYTES: usize = 100_000;

/// What the host does with one request; `from` is the first byte asked for.
type Manners = fn(&mut TcpStream, &Ask) -> std::io::Result<()>;

/// One request.
struct Ask {
    from: usize,
    file: Arc<Vec<u8>>,
}

impl Ask {
    fn rest(&self) -> &[u8] {
        &self.file[self.from.min(self.file.len())..]
    }

    /// The head of a good answer, with `more` in it.
    fn head(&self, length: usize, more: &str) -> String {
        let size = self.file.len();
        let (status, range) = match self.from {
            0 => ("200 OK", String::new()),
            from => {
                let range = format!("content-range: bytes {from}-{}/{size}\r\n", size - 1);
                ("206 Partial Content", range)
            }
        };
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{range}{more}\r\n")
    }
}

fn good(to: &mut TcpStream, ask: &Ask) -> std::io::Result<()> {
    to.write_all(ask.head(ask.rest().len(), "etag: \"v1\"\r\n").as_bytes())?;
    to.write_all(ask.rest())
}

/// Every way to be bad. Each is what the host does first; after that it is good.
const MATRIX: &[(&str, Manners)] = &[
    ("cut before the first byte", |to, ask| {
        to.write_all(ask.head(ask.rest().len(), "").as_bytes())
    }),
    ("cut after one byte", |to, ask| {
        to.write_all(ask.head(ask.rest().len(), "etag: \"v1\"\r\n").as_bytes())?;
        to.write_all(&ask.rest()[..1])
    }),
    ("cut in the middle", |to, ask| {
        to.write_all(ask.head(ask.rest().len(), "etag: \"v1\"\r\n").as_bytes())?;
        to.write_all(&ask.rest()[..FILE_BYTES / 2])
    }),
    ("cut before the last byte", |to, ask| {
        to.write_all(ask.head(ask.rest().len(), "etag: \"v1\"\r\n").as_bytes())?;
        to.write_all(&ask.rest()[..FILE_BYTES - 1])
    }),
    ("cut within the head", |to, _| to.write_all(b"HTTP/1.1 200 OK\r\ncontent-le")),
    ("closed at once", |_, _| Ok(())),
    ("reset", |to, ask| {
        to.write_all(ask.head(ask.rest().len(), "").as_bytes())?;
        to.write_all(&ask.rest()[..1_000])?;
        rustix::net::sockopt::set_socket_linger(&*to, Some(std::time::Duration::ZERO))?;
        Ok(())
    }),
    ("shorter than it says", |to, ask| {
        to.write_all(ask.head(FILE_BYTES / 2, "").as_bytes())?;
        to.write_all(&ask.rest()[..FILE_BYTES / 2])
    }),
    ("longer than it should be", |to, ask| {
        to.write_all(ask.head(FILE_BYTES + 1, "").as_bytes())?;
        to.write_all(ask.rest())?;
        to.write_all(b"!")
    }),
    ("extra bytes after an honest length", |to, ask| {
        to.write_all(ask.head(ask.rest().len(), "").as_bytes())?;
        to.write_all(ask.rest())?;
        to.write_all(b"HTTP/1.1 200 OK\r\n\r\nmore")
    }),
    ("no length, too short", |to, ask| {
        to.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
        to.write_all(&ask.rest()[..10])
    }),
    ("no length, too long", |to, ask| {
        to.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
        to.write_all(ask.rest())?;
        to.write_all(&[0; 1_000])
    }),
    ("other bytes of the same length", |to, ask| {
        to.write_all(ask.head(FILE_BYTES, "").as_bytes())?;
        to.write_all(&vec![b'x'; FILE_BYTES])
    }),
    ("a login page", |to, _| {
        to.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>",
        )
    }),
    ("a range that nobody asked for", |to, ask| {
        let head = "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 7-99999/100000\r\n";
        to.write_all(format!("{head}content-length: {}\r\n\r\n", FILE_BYTES - 7).as_bytes())?;
        to.write_all(&ask.file[7..])
    }),
    ("coded", |to, ask| {
        to.write_all(ask.head(FILE_BYTES, "content-encoding: gzip\r\n").as_bytes())?;
        to.write_all(ask.rest())
    }),
    ("a redirect to itself", |to, _| {
        to.write_all(b"HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n")
    }),
    ("a redirect to nowhere", |to, _| {
        to.write_all(b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n")
    }),
    ("a redirect into cleartext", |to, _| {
        to.write_all(b"HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/x\r\n\r\n")
    }),
    ("busy, come back in a hundred years", |to, _| {
        let head = "HTTP/1.1 503 Busy\r\nretry-after: 3155760000\r\ncontent-length: 0\r\n\r\n";
        to.write_all(head.as_bytes())
    }),
    ("too often, come back at once", |to, _| {
        let head = "HTTP/1.1 429 Slow\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
        to.write_all(head.as_bytes())
    }),
    ("come back when hell freezes", |to, _| {
        let head = "HTTP/1.1 503 Busy\r\nretry-after: never\r\ncontent-length: 0\r\n\r\n";
        to.write_all(head.as_bytes())
    }),
    ("gone", |to, _| to.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")),
    ("not HTTP", |to, _| to.write_all(b"220 ftp.example FTP server ready\r\n")),
    ("a head without end", |to, _| {
        to.write_all(b"HTTP/1.1 200 OK\r\n")?;
        (0..100_000).try_for_each(|n| to.write_all(format!("x-{n}: y\r\n").as_bytes()))
    }),
];

/// Ways to answer the second half of a file whose first half came well.
const RESUMED: &[(&str, Manners)] = &[
    ("the whole instead of the rest", |to, ask| {
        to.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\netag: \"v1\"\r\n\r\n")?;
        to.write_all(&ask.file)
    }),
    ("the rest under another validator", |to, ask| {
        to.write_all(ask.head(ask.rest().len(), "etag: \"v2\"\r\n").as_bytes())?;
        to.write_all(ask.rest())
    }),
    ("the rest of another file", |to, ask| {
        to.write_all(ask.head(ask.rest().len(), "etag: \"v2\"\r\n").as_bytes())?;
        to.write_all(&vec![b'x'; ask.rest().len()])
    }),
    ("another part", |to, ask| {
        let head = "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-99999/100000\r\n";
        to.write_all(format!("{head}content-length: {FILE_BYTES}\r\n\r\n").as_bytes())?;
        to.write_all(&ask.file)
    }),
    ("a part of a longer file", |to, ask| {
        let (from, length) = (ask.from, ask.rest().len());
        let head = format!("HTTP/1.1 206 X\r\ncontent-range: bytes {from}-99999/200000\r\n");
        to.write_all(format!("{head}content-length: {length}\r\n\r\n").as_bytes())?;
        to.write_all(ask.rest())
    }),
    ("no such range", |to, _| to.write_all(b"HTTP/1.1 416 No\r\ncontent-length: 0\r\n\r\n")),
];

/// A host that takes one after the other of `manners` to its guests, and is good to the others.
struct Host {
    url: String,
    asked: Arc<Mutex<Vec<usize>>>,
}

impl Host {
    fn start(file: Arc<Vec<u8>>, manners: Vec<Manners>) -> Host {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<usize>>>::default();
        let seen = Arc::clone(&asked);
        let serve = move || {
            let mut manners = manners.into_iter();
            for mut guest in listener.incoming().flatten() {
                let Some(from) = first_byte(&mut guest) else { continue };
                seen.lock().unwrap().push(from);
                let ask = Ask { from, file: Arc::clone(&file) };
                // A guest that leaves in the midst is no trouble of ours.
                let _ = manners.next().unwrap_or(good)(&mut guest, &ask);
            }
        };
        Builder::new().name("chaos".into()).spawn(serve).unwrap();
        Host { url, asked }
    }
}

/// Reads one request; where its range begins.
fn first_byte(guest: &mut TcpStream) -> Option<usize> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        guest.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let range = text.lines().find_map(|line| line.strip_prefix("range: bytes="));
    Some(range.and_then(|range| range.strip_suffix('-')?.parse().ok()).unwrap_or(0))
}

fn file() -> Arc<Vec<u8>> {
    Arc::new((0..FILE_BYTES as u32).map(|n| (n * 7) as u8).collect())
}

/// A player that plays version 1 and whose next file lies with a host of these manners. Returns once
/// the file is here and whole; where the requests began.
fn survives(case: &str, manners: Vec<Manners>) -> Vec<usize> {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    let file = file();
    let host = Host::start(Arc::clone(&file), manners);
    cloud.world().chaos.redirect = Some(host.url.clone());
    cloud.publish(&manifest(2, &[("video/mp4", &file)], vec![item("b", &file)]));
    // Who is told to wait for long is asked again when somebody wants it now.
    let live = loop {
        let event = player.wait(case, |event| match event {
            Event::Live(live) => Some(Some(Arc::clone(live))),
            Event::Asked(_) => Some(None),
            _ => None,
        });
        match event {
            Some(live) => break live,
            None => player.sync_now(),
        }
    };
    assert_eq!((live.manifest.version, live.missing.len()), (2, 0), "{case}");
    assert_eq!(bytes_of(&live, &file), *file, "{case}");
    player.stop();
    host.asked.lock().unwrap().clone()
}

#[test]
fn whatever_a_host_does_the_file_is_whole_in_the_end() {
    for (case, manners) in MATRIX {
        let asked = survives(case, vec![*manners]);
        let spared = *case == "extra bytes after an honest length";
        assert!(asked.len() > 1 || spared, "{case}: did no harm; is it chaos at all?");
    }
}

#[test]
fn whatever_follows_half_a_file_the_file_is_whole_in_the_end() {
    let half: Manners = |to, ask| {
        to.write_all(ask.head(FILE_BYTES, "etag: \"v1\"\r\n").as_bytes())?;
        to.write_all(&ask.file[..FILE_BYTES / 2])
    };
    for (case, manners) in RESUMED {
        let asked = survives(case, vec![half, *manners]);
        assert_eq!(asked[0], 0, "{case}");
        assert!(asked[1] > 0 && asked[1] <= FILE_BYTES / 2, "{case}: did not resume: {asked:?}");
    }
}

/// Somebody who says nothing at all, and somebody who is gone without a word.
#[test]
fn a_silent_host_holds_up_no_other_file() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    cloud.world().chaos.redirect = Some(format!("http://{}", silent.local_addr().unwrap()));
    let (slow, quick) = (b"slow".as_slice(), b"quick".as_slice());
    cloud.publish(&manifest(2, &[("image/png", slow)], vec![item("a", slow)]));
    let (guest, _) = silent.accept().unwrap();
    // The other place is free: what lies with the cloud comes.
    cloud.world().chaos.redirect = None;
    cloud.add_asset(quick);
    cloud.publish(&manifest(3, &[("image/png", quick)], vec![item("b", quick)]));
    assert_eq!(bytes_of(&player.live(3), quick), quick);
    drop(guest);
    player.stop();
}
