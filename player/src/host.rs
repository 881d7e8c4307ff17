//! How the machine is, and what it is called.
//!
//! Measured on a thread of its own: reading a worn card's file system may take seconds, and the
//! director must not wait for it.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use crate::error::Error;
use crate::event::{Event, HostFacts};
use crate::inbox::{NotPosted, Poster};

/// Between two readings: a heartbeat comes every five minutes, a full card in hours.
const EVERY: Duration = Duration::from_secs(60);

/// The thread that measures. Dropping it ends the thread, without waiting: a dying card may hold it
/// for long, and it has nothing that anybody needs.
#[derive(Debug)]
pub struct Watcher {
    _stop: SyncSender<()>,
}

impl Watcher {
    /// Measures at once and every minute.
    pub fn start(state_dir: PathBuf, poster: Poster) -> Result<Watcher, Error> {
        // Nothing is ever sent: dropping the sender is the signal.
        let (stop, stopped) = sync_channel(0);
        Builder::new()
            .name("host".into())
            .spawn(move || watch(&state_dir, &poster, &stopped))
            .map_err(|source| Error::Thread { name: "host", source })?;
        Ok(Watcher { _stop: stop })
    }
}

fn watch(state_dir: &Path, poster: &Poster, stopped: &Receiver<()>) {
    loop {
        match poster.offer(Event::Host(measure(state_dir))) {
            Ok(()) | Err(NotPosted::Full) => {}
            Err(NotPosted::Closed) => return,
        }
        match stopped.recv_timeout(EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// One reading. What cannot be read is 0 or absent.
pub fn measure(state_dir: &Path) -> HostFacts {
    HostFacts {
        disk_free_bytes: disk_free_bytes(state_dir),
        memory_free_bytes: memory_free_bytes(),
        temperature_c: temperature_c(),
    }
}

fn disk_free_bytes(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(0, |facts| facts.f_bavail.saturating_mul(facts.f_frsize))
}

fn memory_free_bytes() -> u64 {
    let Ok(mut system) = sysinfo::System::new() else { return 0 };
    system.refresh_memory_specifics(sysinfo::MemoryRefreshKind::nothing().with_ram());
    system.available_memory()
}

fn temperature_c() -> Option<f32> {
    let sensors = sysinfo::Components::new_with_refreshed_list().ok()?;
    sensors.iter().filter_map(|sensor| sensor.temperature()).reduce(f32::max)
}

/// The host name, `unnamed` if there is none.
pub fn name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

/// Board or machine model, such as `Raspberry Pi 5 Model B Rev 1.0`; else the architecture.
pub fn model() -> String {
    let read = |path| std::fs::read_to_string(path).ok().map(|text| tidy(&text));
    let board = read("/proc/device-tree/model");
    let machine = || read("/sys/class/dmi/id/product_name");
    board
        .or_else(machine)
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

/// Device-tree texts end in a NUL, DMI texts in a line feed.
fn tidy(text: &str) -> String {
    text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbox::inbox;

    #[test]
    fn this_machine_has_a_name_a_model_and_free_memory() {
        assert!(!name().is_empty());
        assert!(!model().is_empty());
        let facts = measure(Path::new("/"));
        assert!(facts.memory_free_bytes > 0);
        assert!(facts.disk_free_bytes > 0);
    }

    #[test]
    fn a_missing_directory_is_no_reason_to_fail() {
        assert_eq!(measure(Path::new("/no/such/place")).disk_free_bytes, 0);
    }

    #[test]
    fn model_texts_lose_their_tails() {
        assert_eq!(tidy("Raspberry Pi 5 Model B Rev 1.0\0"), "Raspberry Pi 5 Model B Rev 1.0");
        assert_eq!(tidy("KVM\n"), "KVM");
    }

    #[test]
    fn the_first_reading_comes_at_once_and_dropping_ends_the_thread() {
        let (poster, receiver) = inbox();
        let watcher = Watcher::start(PathBuf::from("/"), poster).expect("a thread");
        assert!(matches!(receiver.recv(), Ok(Event::Host(_))));
        drop(watcher);
        assert!(receiver.recv().is_err(), "the thread and its poster are gone");
    }
}
