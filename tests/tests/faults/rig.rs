//! One act of a player, from the same state again and again, each time with another fault in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use vitrine_tests::oracle::Disk;
use vitrine_tests::patience::wait_for;
use vitrine_tests::player::{Player, tell};
use vitrine_tests::strace::{self, Call, Fault};
use vitrine_wire::Digest;
use vitrine_wire::record::{self as wire, Body, Record, Trust};

/// Runs at a time: they wait for the network more than they work.
const AT_A_TIME: usize = 3;
/// A call that fails may put the goal off by a pause; so many looks it is waited for.
const LOOKS: u32 = 75;
/// A healthy player is there in a fraction of it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Something that a player does.
pub struct Act {
    /// For messages.
    pub name: &'static str,
    /// Where the runs have their folders.
    pub dir: TempDir,
    /// The state that each run starts from; empty: none.
    pub golden: Option<PathBuf>,
    /// Where the cloud is.
    pub cloud_url: String,
    /// More settings.
    pub settings: &'static str,
    /// Done as soon as the player answers.
    pub then: fn(&Player),
    /// When the act is over.
    pub over: fn(&Player, &Value) -> bool,
    /// When a player that was started again is back.
    pub back: fn(&Player, &Value) -> bool,
    /// Which of its calls are meant.
    pub among: fn(&Call) -> bool,
    /// It only looks: killed and failed at every look.
    pub looks: bool,
}

/// One run.
pub struct Run<'a> {
    act: &'a Act,
    dir: PathBuf,
    before: Disk,
}

/// What came of the runs.
#[derive(Default)]
struct Tally {
    struck: BTreeMap<Fault, usize>,
    /// Faults after which the goal was not reached within [`LOOKS`].
    put_off: Vec<String>,
    missed: Vec<String>,
    /// Records that were in an outbox and must be in the cloud.
    owed: BTreeSet<String>,
    broken: Vec<String>,
}

impl Act {
    /// Visits the calls with each fault; returns the ids of records that the cloud must have now.
    pub fn survives_every_fault(&self) -> BTreeSet<String> {
        let all = self.calls();
        let changes = all.iter().filter(|call| call.changes()).count();
        let faults = self.faults(&all);
        let tally = Mutex::new(Tally::default());
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((call, fault)) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.visit(call, *fault, &tally);
            }
        };
        std::thread::scope(|scope| {
            for n in 0..AT_A_TIME {
                let name = format!("run-{n}");
                std::thread::Builder::new().name(name).spawn_scoped(scope, work).unwrap();
            }
        });
        let tally = tally.into_inner().unwrap();
        tell(&format!(
            "{}: {} calls, {changes} of them change the disk; {} faults, struck {:?}, {} did not \
             come by; {} put off what they hit",
            self.name,
            all.len(),
            faults.len(),
            tally.struck,
            tally.missed.len(),
            tally.put_off.len()
        ));
        tally.missed.iter().for_each(|text| tell(&format!("  did not come by: {text}")));
        tally.put_off.iter().for_each(|text| tell(&format!("  put off: {text}")));
        assert!(tally.broken.is_empty(), "{}: {:#?}", self.name, tally.broken);
        for kind in faults.iter().map(|(_, fault)| *fault).collect::<BTreeSet<_>>() {
            let tried = faults.iter().filter(|(_, fault)| *fault == kind).count();
            let struck = tally.struck.get(&kind).copied().unwrap_or(0);
            assert!(struck * 4 >= tried * 3, "{kind:?}: those that miss prove nothing");
        }
        tally.owed
    }

    /// The calls of two runs without a fault: what one does, the other may not come to do.
    pub fn calls(&self) -> BTreeSet<Call> {
        let mut all = BTreeSet::new();
        for n in 0..2 {
            let run = self.run(&format!("traced-{n}"));
            let log = run.log();
            let command = strace::traced(&Player::command(&run.dir), &log);
            let mut player = Player::start_with(command, &run.dir).unwrap();
            assert!(
                run.play_well(&mut player),
                "{}: does not come to its end without a fault",
                self.name
            );
            kill(&mut player);
            all.extend(strace::calls(&log, &run.dir).unwrap());
        }
        all.retain(|call| (self.among)(call));
        assert!(!all.is_empty(), "{}: no call to the file system?", self.name);
        all
    }

    /// A kill at every call that changes the disk; errors at the first call of each kind, or, in a
    /// long run, at every call.
    fn faults(&self, all: &BTreeSet<Call>) -> Vec<(Call, Fault)> {
        let mut kinds = BTreeSet::new();
        let mut faults = Vec::new();
        if self.looks {
            let both = |call: &Call| [Fault::Kill, Fault::Error("EIO")].map(|f| (call.clone(), f));
            return all.iter().flat_map(both).collect();
        }
        for call in all {
            let errors = kinds.insert(kind(call)) || is_long();
            let wanted = |fault: &Fault| errors || *fault == Fault::Kill;
            faults.extend(call.faults().into_iter().filter(wanted).map(|f| (call.clone(), f)));
        }
        faults
    }

    fn visit(&self, call: &Call, fault: Fault, tally: &Mutex<Tally>) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{:04}", COUNT.fetch_add(1, Ordering::Relaxed));
        let run = self.run(&name);
        let what = format!("{} with {fault:?} at {call:?}", self.name);
        let log = run.log();
        let command = strace::faulty(&Player::command(&run.dir), call, fault, &run.dir, &log);
        let ended = run.struck(command, fault, &log);
        let judged = run.judge(&ended.said);
        let mut tally = tally.lock().unwrap();
        match ended.struck {
            true => *tally.struck.entry(fault).or_default() += 1,
            false => tally.missed.push(what.clone()),
        }
        if fault != Fault::Kill && ended.struck && !ended.over {
            tally.put_off.push(what.clone());
        }
        match judged {
            Ok(owed) => {
                tally.owed.extend(owed);
                fs::remove_dir_all(&run.dir).unwrap();
            }
            Err(fault) => tally.broken.push(format!("{what}: {fault}")),
        }
    }

    /// A folder of its own with the golden state.
    pub fn run(&self, name: &str) -> Run<'_> {
        let dir = self.dir.path().join(name);
        Player::configure(&dir, &self.cloud_url, "none", self.settings).unwrap();
        if let Some(golden) = &self.golden {
            copy(golden, &dir.join("state"));
            let id = Digest::of(format!("{}-{name}", self.name).as_bytes()).to_string();
            put_record(&dir.join("state"), &id[..32]);
        }
        let before = Disk::read(&dir.join("state")).unwrap();
        Run { act: self, dir, before }
    }
}

/// How a run with a fault ended.
struct Ended {
    struck: bool,
    over: bool,
    said: Said,
}

/// What a player called live.
pub struct Said {
    /// The highest version, while it could keep what came.
    highest: u64,
    /// The lowest version, at any time.
    lowest: u64,
}

impl Run<'_> {
    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What strace writes; not where the player looks for changes of its settings.
    pub fn log(&self) -> PathBuf {
        self.dir.with_extension("strace")
    }

    /// Plays the act without a fault; whether it came to its end.
    pub fn play_well(&self, player: &mut Player) -> bool {
        self.play(player, || false).0
    }

    /// Plays the act until it is over, the player ends, or it is `enough`: whether it is over, and
    /// what was called live meanwhile.
    fn play(&self, player: &mut Player, mut enough: impl FnMut() -> bool) -> (bool, Said) {
        let (mut begun, mut said) = (false, Said::up_to(0));
        let over = wait_for(PATIENCE, || {
            if player.process().ended(Duration::ZERO).is_some() || enough() {
                return Some(false);
            }
            let status = player.glance().filter(has_looked)?;
            said.hear(&status);
            if is_volatile(&status) {
                return None;
            }
            if !std::mem::replace(&mut begun, true) {
                (self.act.then)(player);
            }
            (self.act.over)(player, &status).then_some(true)
        });
        (over == Some(true), said)
    }

    fn struck(&self, command: Command, fault: Fault, log: &Path) -> Ended {
        let mut player = Player::start_with(command, &self.dir).unwrap();
        let mut looks = 0;
        let enough = || {
            looks += u32::from(strace::struck(log));
            looks > LOOKS
        };
        let (over, said) = self.play(&mut player, enough);
        let ended = player.process().ended(Duration::ZERO).is_some();
        kill(&mut player);
        let struck = if fault == Fault::Kill { ended } else { strace::struck(log) };
        Ended { struck, over, said }
    }

    /// Looks at the disk, starts the player without a fault, lets it come to the end of its act, and
    /// looks again. Returns the records that the cloud must have by now.
    pub fn judge(&self, said: &Said) -> Result<BTreeSet<String>, String> {
        let state = self.dir.join("state");
        let at_rest = Disk::read(&state)?;
        at_rest.keeps_promises(&self.before, said.highest)?;
        said.is_never_below(self.before.live)?;
        let mut player = Player::start(&self.dir, None).map_err(|error| error.to_string())?;
        let mut again = Said::up_to(0);
        let back = wait_for(PATIENCE, || {
            let status = player.glance().filter(has_looked)?;
            again.hear(&status);
            (self.act.back)(&player, &status).then_some(())
        });
        if back.is_none() {
            return Err(format!("does not come back: {:?}", player.glance()));
        }
        let sent = wait_for(PATIENCE, || {
            let now = Disk::read(&state).ok()?;
            // Nobody's device has nobody to send it to.
            let unsent = now.account.is_some() && !now.outbox.is_disjoint(&at_rest.outbox);
            (!unsent).then_some(())
        });
        if sent.is_none() {
            return Err("what is in the outbox is not sent".into());
        }
        kill(&mut player);
        again.is_never_below(at_rest.live)?;
        Disk::read(&state)?.keeps_promises(&at_rest, said.highest)?;
        Ok(&self.before.outbox | &at_rest.outbox)
    }
}

impl Said {
    /// One that called versions live up to this one.
    pub fn up_to(highest: u64) -> Said {
        Said { highest, lowest: u64::MAX }
    }

    fn hear(&mut self, status: &Value) {
        let live = status["manifest_version"].as_u64().unwrap_or(0);
        self.lowest = self.lowest.min(live);
        if !is_volatile(status) {
            self.highest = self.highest.max(live);
        }
    }

    fn is_never_below(&self, live: u64) -> Result<(), String> {
        let lowest = self.lowest;
        if lowest < live { Err(format!("{live} was live, then {lowest}")) } else { Ok(()) }
    }
}

/// Whether the player has looked at its disk.
fn has_looked(status: &Value) -> bool {
    status["tenant"].is_string() || status["user_code"].is_string()
}

/// Whether it cannot keep what comes, and says so.
pub fn is_volatile(status: &Value) -> bool {
    status["troubles"].to_string().contains("store_volatile")
}

/// `./dev test --long`.
pub fn is_long() -> bool {
    std::env::var_os("VITRINE_TEST_LONG").is_some()
}

pub fn kill(player: &mut Player) {
    player.process().signal(Signal::KILL);
    player.process().ended(PATIENCE).expect("nobody survives this");
}

/// What kind of thing a call does to what kind of file: numbers and digests are all alike.
pub fn kind(call: &Call) -> (String, bool, String) {
    let path = call.path.to_string_lossy();
    let plain = path.split('/').map(|part| match part {
        part if part.len() >= 64 => format!("(digest){}", &part[64..]),
        part if part.len() == 2 => "(digits)".into(),
        part => part.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned(),
    });
    (call.name.clone(), call.makes, plain.collect::<Vec<_>>().join("/"))
}

/// Puts a record into the outbox of a player that does not run.
fn put_record(state: &Path, id: &str) {
    let body = Body::Fault(wire::Fault { code: "test".into(), detail: "kept".into() });
    let at = Timestamp::UNIX_EPOCH;
    let record = Record { id: id.into(), at, trust: Trust::Guess, body };
    let text = serde_json::to_string(&record).unwrap();
    let store = Connection::open(state.join("store.db")).unwrap();
    // The log stays as the kill left it.
    store.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    let insert = "INSERT INTO record (id, droppable, body) VALUES (?1, 0, ?2)";
    store.execute(insert, (id, text)).unwrap();
}

/// Copies a folder; holes stay holes.
pub fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").args(["-a", "--sparse=always"]).arg(from).arg(to).status();
    assert!(done.is_ok_and(|status| status.success()), "cannot copy {}", from.display());
}
