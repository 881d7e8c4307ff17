//! A bad network in user space: a relay on loopback between player and cloud that misbehaves as
//! told.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// How the relay behaves; may be changed while it runs.
#[derive(Default)]
pub struct Weather {
    /// No connection gets through; standing ones are cut.
    pub down: AtomicBool,
    /// Cut the connection after this many bytes of one answer, once: then it is 0 and means never.
    pub cut_after_bytes: AtomicU64,
    /// How often that happened.
    pub cuts: AtomicU64,
    /// Bytes passed towards the player.
    pub passed_bytes: AtomicU64,
}

/// A relay to one server. Ends with the process; refuses everything once dropped.
pub struct Relay {
    /// Its weather.
    pub weather: Arc<Weather>,
    address: String,
    standing: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    /// Relays a free loopback port to `upstream`, `host:port`.
    pub fn start(upstream: &str) -> io::Result<Relay> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let (weather, standing) = (Arc::<Weather>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (seen, kept, upstream) = (weather.clone(), standing.clone(), upstream.to_owned());
        named("relay", move || {
            for client in listener.incoming().flatten() {
                if seen.down.load(Ordering::SeqCst) {
                    continue;
                }
                let _ = relay(client, &upstream, &seen, &kept);
            }
        })?;
        Ok(Relay { weather, address, standing })
    }

    /// `host:port` to connect to.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The cable is pulled, or put back.
    pub fn set_down(&self, down: bool) {
        self.weather.down.store(down, Ordering::SeqCst);
        if down && let Ok(mut standing) = self.standing.lock() {
            standing.drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.set_down(true);
    }
}

fn relay(
    client: TcpStream,
    upstream: &str,
    weather: &Arc<Weather>,
    standing: &Mutex<Vec<TcpStream>>,
) -> io::Result<()> {
    let server = TcpStream::connect(upstream)?;
    if let Ok(mut standing) = standing.lock() {
        standing.extend([client.try_clone()?, server.try_clone()?]);
    }
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    named("relay-up", move || drop(pump(from_client, to_server, None)))?;
    let weather = weather.clone();
    named("relay-down", move || drop(pump(server, client, Some(&weather))))
}

fn pump(mut from: TcpStream, mut to: TcpStream, weather: Option<&Weather>) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    let mut passed = 0u64;
    loop {
        let length = from.read(&mut buffer)?;
        passed += length as u64;
        let cut = weather.is_some_and(|weather| cut_now(weather, passed));
        if length == 0 || cut {
            let _ = to.shutdown(Shutdown::Both);
            return from.shutdown(Shutdown::Both);
        }
        to.write_all(&buffer[..length])?;
        if let Some(weather) = weather {
            weather.passed_bytes.fetch_add(length as u64, Ordering::SeqCst);
        }
    }
}

/// Whether this connection is the one to be cut: takes the cut, so that it happens once.
fn cut_now(weather: &Weather, passed: u64) -> bool {
    let at = weather.cut_after_bytes.load(Ordering::SeqCst);
    let due = at != 0 && passed >= at;
    let mine = due
        && weather
            .cut_after_bytes
            .compare_exchange(at, 0, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok();
    if mine {
        weather.cuts.fetch_add(1, Ordering::SeqCst);
    }
    mine
}

fn named(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(work).map(drop)
}
