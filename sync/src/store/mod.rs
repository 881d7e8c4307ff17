//! What the device remembers: generations, outbox, orders, the latest time.
//!
//! In:  a state directory, requests.
//! Out: answers; an `Ok` means that it is on the medium.
//!
//! Promises, held by tests that kill the process, cut and spoil the files (`tests`):
//! - a generation goes live whole or not at all, and what was live stays until then;
//! - the highest version never goes down, even when the database is lost;
//! - a record leaves the outbox by acknowledgement, or counted for want of room, or set aside because
//!   it cannot be sent;
//! - an order begins once;
//! - whatever is found instead of the database, the store opens.
//!
//! Start at [`Store`]; `thread` gives it a thread of its own, `open` finds a database that can be
//! relied on, `generations` and `outbox` are its rows, `envelopes` the files beside it.
//!
//! Not here: whether a manifest is true (`feed::cloud`), files of assets (`cache`), clocks.

mod envelopes;
mod error;
mod facts;
mod forget;
mod generations;
mod migrate;
mod open;
mod outbox;
mod settings;
mod thread;
mod volatile;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use vitrine_config::limits::OUTBOX_RECORDS;
use vitrine_wire::Digest;
use vitrine_wire::record::Record;

use crate::durable;
use envelopes::Envelopes;
use error::{io_failed, sql_failed};

pub(crate) use error::StoreError;
pub(crate) use outbox::Oldest;
pub(crate) use thread::{Handle, start};

/// What opening the store found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The store was not closed by the last process: power cut, kill, crash.
    pub(crate) unclean: bool,
    /// Why the database was moved aside and a new one filled from the envelope files. Records in it
    /// are lost, and orders that came while it was in use are not begun any more. Worth a fault record.
    pub(crate) rebuilt: Option<String>,
    /// Why nothing is kept durably: the disk does not let us write, or somebody holds the database.
    /// What was live plays on, from the envelope files; orders and the forgetting of a tenant are
    /// refused; records are kept in memory, until [`Store::return_to_disk`] succeeds. Worth telling a
    /// person.
    pub(crate) volatile: Option<String>,
}

/// A manifest as it came, with when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Generation {
    /// Its version.
    pub(crate) version: u64,
    /// The signed bytes. The disk is no witness: prove them again before they are believed.
    pub(crate) envelope: Vec<u8>,
    /// When it was kept, by the device's clock, in whole milliseconds.
    pub(crate) received_at: Timestamp,
}

/// The open store. One process holds it at a time.
#[derive(Debug)]
pub(crate) struct Store {
    dir: PathBuf,
    files: Envelopes,
    /// None after a failure: whatever the connection believes to have written may not be there, so
    /// the next request opens the database anew.
    db: Option<Connection>,
    /// The last connection met damage.
    damaged: bool,
    /// What opening anew found since [`Store::healed`] was asked.
    healed: Option<Opened>,
    /// The connection is to a database in memory.
    volatile: bool,
    outbox_most: usize,
    /// Held until the store is dropped. None: the disk does not even let us take it.
    lock: Option<File>,
}

impl Store {
    /// Opens the store in `state_dir`, making what is not there and replacing what is broken. Blocks
    /// on the disk; after an unclean stop the database is read in full.
    ///
    /// # Errors
    ///
    /// Another process holds it, or SQLite is too old. A disk that cannot be written is none: see
    /// [`Opened::volatile`].
    pub(crate) fn open(state_dir: &Path) -> Result<(Store, Opened), StoreError> {
        open::check_sqlite()?;
        let mut store = Store {
            dir: state_dir.to_owned(),
            files: Envelopes::at(state_dir),
            db: None,
            damaged: false,
            healed: None,
            volatile: false,
            outbox_most: OUTBOX_RECORDS,
            lock: None,
        };
        let opened = store.open_somewhere()?;
        Ok((store, opened))
    }

    fn open_somewhere(&mut self) -> Result<Opened, StoreError> {
        match self.open_on_disk() {
            Err(error @ StoreError::Locked { .. }) => Err(error),
            Err(error) => self.open_in_memory(&error),
            opened => opened,
        }
    }

    fn open_on_disk(&mut self) -> Result<Opened, StoreError> {
        durable::make_dir(&self.dir, 0o755).map_err(io_failed("make the directory", &self.dir))?;
        if self.lock.is_none() {
            self.lock = Some(open::lock(&self.dir)?);
        }
        self.files.make().map_err(self.files.failed("make the directory"))?;
        self.reopen()
    }

    /// Writes what is still in the log to its place and notes that this was a clean stop.
    pub(crate) fn close(mut self) -> Result<(), StoreError> {
        let Some(db) = self.db.take().filter(|_| !self.volatile) else { return Ok(()) };
        db.close().map_err(|(_, error)| sql_failed("close")(error))?;
        open::mark_clean(&self.dir)
    }

    /// Kept, but not in force yet.
    pub(crate) fn pending(&mut self) -> Result<Option<Generation>, StoreError> {
        self.read(generations::pending)
    }

    /// In force.
    pub(crate) fn live(&mut self) -> Result<Option<Generation>, StoreError> {
        self.read(|db| generations::live(db, 0))
    }

    /// In force before the live one, for an instant return.
    pub(crate) fn previous(&mut self) -> Result<Option<Generation>, StoreError> {
        self.read(|db| generations::live(db, 1))
    }

    /// Keeps a manifest that was proved, in place of another that is pending. What is live stays.
    ///
    /// # Errors
    ///
    /// A version below the highest ever kept, or not above the live one.
    pub(crate) fn keep_pending(
        &mut self,
        version: u64,
        envelope: &[u8],
        received_at: Timestamp,
    ) -> Result<(), StoreError> {
        generations::column(version)?;
        let least = self.read(generations::least)?;
        if version < least {
            return Err(StoreError::NotNewer { version, least });
        }
        // The file first: if there is no room for it, nothing has happened yet. After a cut before
        // the commit the next start takes it up, which is as good.
        self.files.write(version, envelope).map_err(self.files.failed("write an envelope"))?;
        let new = Generation { version, envelope: envelope.to_vec(), received_at };
        self.write("keep a generation", |all| generations::keep(all, &new))?;
        self.mirror();
        Ok(())
    }

    /// Puts a kept generation in force, in one step. The one before becomes the previous one; no
    /// more than limits::GENERATIONS_KEPT of these stay.
    pub(crate) fn go_live(&mut self, version: u64) -> Result<(), StoreError> {
        self.replace_live(version, None)
    }

    /// [`Store::go_live`] with a generation that was live before, and notes in the same step what that
    /// turns down.
    pub(crate) fn roll_back(
        &mut self,
        version: u64,
        turned_down: Option<Digest>,
    ) -> Result<(), StoreError> {
        self.replace_live(version, turned_down)
    }

    fn replace_live(&mut self, version: u64, down: Option<Digest>) -> Result<(), StoreError> {
        self.write("go live", |all| {
            generations::go_live(all, version)?;
            facts::turn_down(all, down)
        })?;
        self.mirror();
        Ok(())
    }

    /// What the last rollback turned down, until something else went live.
    pub(crate) fn turned_down(&mut self) -> Result<Option<Digest>, StoreError> {
        self.read(facts::turned_down)
    }

    /// Drops a generation that is not believed (any more). If it was the live one, the previous one
    /// is live. Its version still counts as seen, but may come again.
    pub(crate) fn discard(&mut self, version: u64) -> Result<(), StoreError> {
        self.write("discard a generation", |all| generations::discard(all, version))?;
        self.mirror();
        Ok(())
    }

    /// The highest version ever kept for this tenant, 0 for none. Never goes down.
    pub(crate) fn highest_version(&mut self) -> Result<u64, StoreError> {
        self.read(generations::highest)
    }

    /// Adds records to the outbox, all or none, and returns how many of the oldest went for want of
    /// room: that many are lost, and a fault record should say so. One that is there already (by its
    /// id) is not added twice.
    pub(crate) fn append_records(&mut self, records: &[Record]) -> Result<usize, StoreError> {
        let most = self.outbox_most;
        self.write("append records", |all| outbox::append(all, records, most))
    }

    /// At most `most` records, the oldest first, without those in `except`. They stay until they are
    /// acknowledged or set aside; those that cannot be read are set aside at once.
    pub(crate) fn next_records(
        &mut self,
        most: usize,
        except: &BTreeSet<String>,
    ) -> Result<Oldest, StoreError> {
        let oldest = self.read(|db| outbox::oldest(db, most, except))?;
        if !oldest.unreadable.is_empty() {
            self.set_aside(&oldest.unreadable)?;
        }
        Ok(oldest)
    }

    #[cfg(test)]
    pub(crate) fn oldest_records(&mut self, most: usize) -> Result<Vec<Record>, StoreError> {
        Ok(self.next_records(most, &BTreeSet::new())?.records)
    }

    /// Takes records out of the queue that cannot be sent: the others go on.
    pub(crate) fn set_aside(&mut self, ids: &[String]) -> Result<(), StoreError> {
        self.write("set records aside", |all| outbox::set_aside(all, ids))
    }

    /// Deletes records that the cloud keeps from now on.
    pub(crate) fn acknowledge(&mut self, ids: &[String]) -> Result<(), StoreError> {
        self.write("acknowledge records", |all| outbox::acknowledge(all, ids))
    }

    /// Records in the outbox.
    pub(crate) fn outbox_len(&mut self) -> Result<usize, StoreError> {
        self.read(outbox::len)
    }

    /// Notes that an order is about to be done. True only the first time, and then it is on the
    /// medium: whatever happens to us, the order is not done twice.
    pub(crate) fn begin_order(&mut self, id: &str) -> Result<bool, StoreError> {
        self.write_on_disk("begin an order", |all| outbox::begin(all, id))
    }

    /// Notes that an order is over and puts its result in the outbox, in one step. Returns the same
    /// as [`Store::append_records`].
    pub(crate) fn end_order(&mut self, id: &str, result: &Record) -> Result<usize, StoreError> {
        let most = self.outbox_most;
        self.write("end an order", |all| {
            outbox::end(all, id)?;
            outbox::append(all, std::slice::from_ref(result), most)
        })
    }

    /// Orders that were begun and not ended, the oldest first. Asked at start: a stop cut them off,
    /// and they are to be reported as failed, not done again.
    pub(crate) fn begun_but_not_ended(&mut self) -> Result<Vec<String>, StoreError> {
        self.read(outbox::unended)
    }

    /// Notes the time, for the next start; one that is not later than the latest changes nothing.
    /// Each call may wear the flash: at most once a minute.
    pub(crate) fn note_time(&mut self, at: Timestamp) -> Result<(), StoreError> {
        if self.latest_time()?.is_some_and(|latest| at <= latest) {
            return Ok(());
        }
        self.write("note the time", |all| facts::set_latest_time(all, at))
    }

    /// The latest time noted, in whole milliseconds.
    pub(crate) fn latest_time(&mut self) -> Result<Option<Timestamp>, StoreError> {
        self.read(facts::latest_time)
    }

    /// Notes that orders of this version are taken, before any of them is begun.
    pub(crate) fn note_orders(&mut self, version: u64) -> Result<(), StoreError> {
        if self.read(facts::orders_version)? < version {
            self.write("note the orders", |all| facts::set_orders(all, version))?;
            self.mirror();
        }
        Ok(())
    }

    /// The lowest version of orders that may be taken.
    pub(crate) fn orders_least(&mut self) -> Result<u64, StoreError> {
        self.read(facts::orders_least)
    }

    /// What opening the database anew, after a failure in the midst of work, found; told once. A
    /// rebuilt one is worth a fault record, as at start.
    pub(crate) fn healed(&mut self) -> Result<Option<Opened>, StoreError> {
        Ok(self.healed.take())
    }

    /// Opens the database. Damage that shows only when it is used is looked for in full, once.
    fn reopen(&mut self) -> Result<Opened, StoreError> {
        match self.try_reopen() {
            Err(error) if !self.damaged && open::broken(&error).is_some() => {
                self.damaged = true;
                self.try_reopen()
            }
            other => other,
        }
    }

    /// Opens the database, takes up envelope files that it does not know, and makes the files match.
    fn try_reopen(&mut self) -> Result<Opened, StoreError> {
        self.db = None;
        let (mut db, mut opened) = open::connect(&self.dir, self.damaged)?;
        let noted = self.files.note().map_or(0, |note| note.highest);
        if opened.rebuilt.is_none() && noted > 0 && generations::highest(&db)? == 0 {
            opened.rebuilt = Some("the database is missing".into());
        }
        match transact(&mut db, "adopt", |all| generations::adopt(all, &self.files)) {
            // The files are its copy: it stands without them, unless they are all that there is.
            Err(error @ StoreError::Io { .. }) if generations::highest(&db)? > 0 => {
                tracing::warn!(%error, "store: the envelope files cannot be looked at");
            }
            other => other?,
        }
        if self.volatile {
            (self.volatile, self.outbox_most) = (false, OUTBOX_RECORDS);
        }
        (self.db, self.damaged) = (Some(db), false);
        self.mirror();
        Ok(opened)
    }

    /// Makes the envelope files match the database. They are its copy: if that fails, what was
    /// committed stands all the same, and the next change or start tries again.
    fn mirror(&mut self) {
        let Some(db) = self.db.as_ref().filter(|_| !self.volatile) else { return };
        if let Err(error) = generations::mirror(db, &self.files) {
            tracing::warn!(%error, "store: the envelope files lag behind the database");
        }
    }

    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        if self.db.is_none() {
            let opened = self.open_somewhere()?;
            tracing::warn!(?opened, "store: opened anew after a failure");
            self.healed = Some(opened);
        }
        self.db.as_mut().ok_or(StoreError::Stopped)
    }

    fn read<T>(
        &mut self,
        ask: impl Fn(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.attempt(|db| ask(db))
    }

    fn write<T>(
        &mut self,
        action: &'static str,
        change: impl Fn(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.attempt(|db| transact(db, action, &change))
    }

    /// [`Store::write`] for what must not be in memory only: opening anew may have ended there.
    fn write_on_disk<T>(
        &mut self,
        action: &'static str,
        change: impl Fn(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.be_on_disk()?;
        let done = self.write(action, change)?;
        self.be_on_disk().map(|()| done)
    }

    fn be_on_disk(&mut self) -> Result<(), StoreError> {
        self.connection()?;
        if self.volatile { Err(StoreError::Volatile) } else { Ok(()) }
    }

    /// Does a request. One that meets a damaged database is done once more in the new one that takes
    /// its place; any other failure is the asker's to judge, for nothing of it is in force.
    fn attempt<T>(
        &mut self,
        request: impl Fn(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let answer = request(self.connection()?);
        let answer = self.distrust(answer);
        if !self.damaged {
            return answer;
        }
        let again = request(self.connection()?);
        self.distrust(again)
    }

    /// After a failure of the disk nothing that the connection remembers is believed.
    fn distrust<T>(&mut self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error @ (StoreError::Sqlite { .. } | StoreError::Io { .. })) = &answer {
            self.damaged |= open::broken(error).is_some();
            self.db = None;
        }
        answer
    }
}

/// The envelope that is live by what the files say, for when the database is not ours to ask.
pub(crate) fn live_envelope(state_dir: &Path) -> Option<Vec<u8>> {
    let files = Envelopes::at(state_dir);
    let live = files.note().ok()?.live?;
    files.read(live).map(|(envelope, _)| envelope)
}

/// An error with what caused it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// One change, on the medium when this returns `Ok`, else not at all.
fn transact<T>(
    db: &mut Connection,
    action: &'static str,
    change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let all =
        db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql_failed(action))?;
    let answer = change(&all)?;
    all.commit().map_err(sql_failed(action))?;
    Ok(answer)
}

#[cfg(test)]
pub(crate) mod tests;
