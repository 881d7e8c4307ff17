//! The store's thread: requests in, answers out, so that nobody else waits for the disk.
//!
//! In:  one bounded inbox of requests, done one at a time in order of arrival.
//! Out: each answer through its own channel.
//!
//! Promises: an `Ok` means that it is on the medium. Stopping is dropping the [`Handle`]: what was
//! asked before is done, the store is closed cleanly, the thread is joined.
//!
//! Full: the asker waits; the store waits for nobody. An asker that goes away loses the answer, not
//! the deed.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread::{Builder, JoinHandle};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use vitrine_config::Ledger;
use vitrine_wire::Digest;
use vitrine_wire::record::Record;

use super::{Generation, Oldest, Opened, Store, StoreError};

/// Requests that wait. The sync loop has a handful under way at most; at 10 ms a commit this is
/// less than half a second of work.
const INBOX: usize = 32;

/// One request with its answer's address. The methods of [`Handle`] are the closed list of what may
/// be asked; a boxed call spares a second spelling of each as enum, match arm and reply type.
type Job = Box<dyn FnOnce(&mut Store) + Send>;

/// The only way to the store. Share it by reference or `Arc`.
///
/// Dropping it waits until the requests before are done and the store is closed.
#[derive(Debug)]
pub(crate) struct Handle {
    inbox: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// Opens the store in `state_dir` and starts its thread. Blocks while the store is opened, checked
/// and, where needed, rebuilt.
pub(crate) fn start(state_dir: &Path) -> Result<(Handle, Opened), StoreError> {
    let (store, opened) = Store::open(state_dir)?;
    let (inbox, jobs) = mpsc::channel(INBOX);
    let thread = Builder::new()
        .name("store".into())
        .spawn(move || run(store, jobs))
        .map_err(super::error::io_failed("start the store's thread", state_dir))?;
    Ok((Handle { inbox: Some(inbox), thread: Some(thread) }, opened))
}

fn run(mut store: Store, mut jobs: mpsc::Receiver<Job>) {
    while let Some(job) = jobs.blocking_recv() {
        job(&mut store);
    }
    if let Err(error) = store.close() {
        tracing::warn!(%error, "store: not closed cleanly; it is checked at the next start");
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.inbox = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("store: its thread panicked");
        }
    }
}

impl Handle {
    /// See [`Store::pending`].
    pub(crate) async fn pending(&self) -> Result<Option<Generation>, StoreError> {
        self.ask(Store::pending).await
    }

    /// See [`Store::live`].
    pub(crate) async fn live(&self) -> Result<Option<Generation>, StoreError> {
        self.ask(Store::live).await
    }

    /// See [`Store::previous`].
    pub(crate) async fn previous(&self) -> Result<Option<Generation>, StoreError> {
        self.ask(Store::previous).await
    }

    /// See [`Store::keep_pending`].
    pub(crate) async fn keep_pending(
        &self,
        version: u64,
        envelope: Vec<u8>,
        received_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.ask(move |store| store.keep_pending(version, &envelope, received_at)).await
    }

    /// See [`Store::go_live`].
    pub(crate) async fn go_live(&self, version: u64) -> Result<(), StoreError> {
        self.ask(move |store| store.go_live(version)).await
    }

    /// See [`Store::roll_back`].
    pub(crate) async fn roll_back(
        &self,
        version: u64,
        turned_down: Option<Digest>,
    ) -> Result<(), StoreError> {
        self.ask(move |store| store.roll_back(version, turned_down)).await
    }

    /// See [`Store::turned_down`].
    pub(crate) async fn turned_down(&self) -> Result<Option<Digest>, StoreError> {
        self.ask(Store::turned_down).await
    }

    /// See [`Store::settings`].
    pub(crate) async fn settings(&self) -> Result<Option<Ledger>, StoreError> {
        self.ask(Store::settings).await
    }

    /// See [`Store::keep_settings`].
    pub(crate) async fn keep_settings(
        &self,
        ledger: Ledger,
        changes: Vec<Record>,
    ) -> Result<usize, StoreError> {
        self.ask(move |store| store.keep_settings(&ledger, &changes)).await
    }

    /// See [`Store::note_orders`].
    pub(crate) async fn note_orders(&self, version: u64) -> Result<(), StoreError> {
        self.ask(move |store| store.note_orders(version)).await
    }

    /// See [`Store::orders_least`].
    pub(crate) async fn orders_least(&self) -> Result<u64, StoreError> {
        self.ask(Store::orders_least).await
    }

    /// See [`Store::discard`].
    pub(crate) async fn discard(&self, version: u64) -> Result<(), StoreError> {
        self.ask(move |store| store.discard(version)).await
    }

    /// See [`Store::highest_version`].
    pub(crate) async fn highest_version(&self) -> Result<u64, StoreError> {
        self.ask(Store::highest_version).await
    }

    /// See [`Store::append_records`].
    pub(crate) async fn append_records(&self, records: Vec<Record>) -> Result<usize, StoreError> {
        self.ask(move |store| store.append_records(&records)).await
    }

    /// See [`Store::next_records`].
    pub(crate) async fn next_records(
        &self,
        most: usize,
        except: BTreeSet<String>,
    ) -> Result<Oldest, StoreError> {
        self.ask(move |store| store.next_records(most, &except)).await
    }

    /// See [`Store::set_aside`].
    pub(crate) async fn set_aside(&self, ids: Vec<String>) -> Result<(), StoreError> {
        self.ask(move |store| store.set_aside(&ids)).await
    }

    /// See [`Store::acknowledge`].
    pub(crate) async fn acknowledge(&self, ids: Vec<String>) -> Result<(), StoreError> {
        self.ask(move |store| store.acknowledge(&ids)).await
    }

    /// See [`Store::outbox_len`].
    pub(crate) async fn outbox_len(&self) -> Result<usize, StoreError> {
        self.ask(Store::outbox_len).await
    }

    /// See [`Store::begin_order`].
    pub(crate) async fn begin_order(&self, id: String) -> Result<bool, StoreError> {
        self.ask(move |store| store.begin_order(&id)).await
    }

    /// See [`Store::end_order`].
    pub(crate) async fn end_order(&self, id: String, result: Record) -> Result<usize, StoreError> {
        self.ask(move |store| store.end_order(&id, &result)).await
    }

    /// See [`Store::begun_but_not_ended`].
    pub(crate) async fn begun_but_not_ended(&self) -> Result<Vec<String>, StoreError> {
        self.ask(Store::begun_but_not_ended).await
    }

    /// See [`Store::note_time`].
    pub(crate) async fn note_time(&self, at: Timestamp) -> Result<(), StoreError> {
        self.ask(move |store| store.note_time(at)).await
    }

    /// See [`Store::latest_time`].
    pub(crate) async fn latest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.ask(Store::latest_time).await
    }

    /// Bytes that the store's thread has written since it was started: database, log, envelopes. None:
    /// the kernel does not count.
    pub(crate) async fn written_bytes(&self) -> Result<Option<u64>, StoreError> {
        self.ask(|_| Ok(thread_written_bytes())).await
    }

    /// See [`Store::return_to_disk`].
    pub(crate) async fn return_to_disk(&self) -> Result<Option<Opened>, StoreError> {
        self.ask(Store::return_to_disk).await
    }

    /// See [`Store::forget_tenant`].
    pub(crate) async fn forget_tenant(&self) -> Result<(), StoreError> {
        self.ask(Store::forget_tenant).await
    }

    /// See [`Store::healed`].
    pub(crate) async fn healed(&self) -> Result<Option<Opened>, StoreError> {
        self.ask(Store::healed).await
    }

    /// See [`Store::forget_device`].
    pub(crate) async fn forget_device(&self) -> Result<(), StoreError> {
        self.ask(Store::forget_device).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        request: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inbox = self.inbox.as_ref().ok_or(StoreError::Stopped)?;
        let (answer, answered) = oneshot::channel();
        let what = std::any::type_name_of_val(&request);
        let job: Job = Box::new(move |store| {
            tracing::trace!(what, "asked");
            let done = request(store);
            tracing::trace!("answered");
            // The asker may be gone; the deed is done all the same.
            drop(answer.send(done));
        });
        inbox.send(job).await.map_err(|_| StoreError::Stopped)?;
        answered.await.map_err(|_| StoreError::Stopped)?
    }
}

/// Bytes that this thread has handed to the kernel in writes.
pub(super) fn thread_written_bytes() -> Option<u64> {
    let counts = std::fs::read_to_string("/proc/thread-self/io").ok()?;
    let line = counts.lines().find_map(|line| line.strip_prefix("wchar:"))?;
    line.trim().parse().ok()
}
