//! What is remembered of updates, with every step of it gone wrong.
//!
//! The versions are scripts that write down each of their starts, so that what was noted can be held
//! against what was done.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use vitrine_tests::patience::wait_for;
use vitrine_tests::player::{Player, tell};
use vitrine_tests::release::OWN;
use vitrine_tests::strace::{self, Call, Fault};
use vitrine_wire::Digest;

use crate::rig::{copy, is_long, kill, kind};

const AT_A_TIME: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);
/// Nobody answers there: the package's agent is up all the same.
const NO_CLOUD: &str = "http://127.0.0.1:9";
/// As the player has it: starts of a version on trial.
const STARTS_MAX: usize = 3;

/// What a version does after it has written down that it was started.
const DIES: &str = "exit 1";
const LIVES: &str = "exec sleep 1000";

/// A state to begin with, and what must come of it.
struct Act {
    name: &'static str,
    dir: tempfile::TempDir,
    /// Version that is the wanted end of it; None: the package.
    ends_with: Option<&'static str>,
    /// Judges `state.json` and the starts written down, at rest.
    promise: fn(&Value, &[String]) -> Result<(), String>,
}

/// Puts a version below `dir`; returns how `state.json` names it.
fn version(dir: &Path, version: &str, does: &str) -> Value {
    let text = format!("#!/bin/sh\necho {version} >>\"${{3%/*}}/starts\"\n{does}\n");
    let digest = Digest::of(text.as_bytes()).to_string();
    let home = dir.join("state/releases").join(&digest[..2]);
    fs::create_dir_all(&home).unwrap();
    let program = home.join(&digest);
    File::create(&program).unwrap().write_all(text.as_bytes()).unwrap();
    fs::set_permissions(program, Permissions::from_mode(0o555)).unwrap();
    json!({ "version": version, "sha256": digest })
}

fn put_state(dir: &Path, state: &Value) {
    let path = dir.join("state/releases/state.json");
    File::create(path).unwrap().write_all(state.to_string().as_bytes()).unwrap();
}

fn starts(dir: &Path) -> Vec<String> {
    let text = fs::read_to_string(dir.join("starts")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn has_refused(state: &Value, version: &str) -> bool {
    state["refused"].as_array().is_some_and(|all| all.iter().any(|one| one["version"] == version))
}

/// A version on trial that dies at once.
fn trial() -> Act {
    let dir = tempfile::tempdir().unwrap();
    let golden = dir.path().join("golden");
    let release = version(&golden, "0.2.0", DIES);
    put_state(&golden, &json!({ "trial": { "release": release, "starts": 0 } }));
    let promise = |state: &Value, starts: &[String]| {
        let noted = match &state["trial"]["starts"] {
            Value::Number(noted) => noted.as_u64().unwrap() as usize,
            _ if has_refused(state, "0.2.0") => STARTS_MAX,
            _ => return Err(format!("the trial is forgotten: {state}")),
        };
        match starts.len() <= noted {
            true => Ok(()),
            false => Err(format!("started {} times, noted {noted}", starts.len())),
        }
    };
    Act { name: "a trial that dies", dir, ends_with: None, promise }
}

/// A version that had proved itself and has died three times.
fn dying() -> Act {
    let dir = tempfile::tempdir().unwrap();
    let golden = dir.path().join("golden");
    let (current, previous) = (version(&golden, "0.3.0", DIES), version(&golden, "0.2.0", LIVES));
    put_state(&golden, &json!({ "current": current, "previous": previous }));
    Player::configure(&golden, NO_CLOUD, "none", "").unwrap();
    for _ in 0..3 {
        let mut player = Player::start(&golden, None).unwrap();
        player.process().ended(PATIENCE).expect("it dies");
    }
    assert_eq!(starts(&golden), ["0.3.0"; 3]);
    let promise = |state: &Value, starts: &[String]| {
        let back = state["current"]["version"] == "0.2.0" && has_refused(state, "0.3.0");
        let not_yet = state["current"]["version"] == "0.3.0" && !has_refused(state, "0.3.0");
        match starts[3..].iter().find(|start| *start != "0.2.0" || !back) {
            Some(start) => Err(format!("{start} was started, noted is {state}")),
            None if back || not_yet => Ok(()),
            None => Err(format!("neither before nor after: {state}")),
        }
    };
    Act { name: "one that falls apart", dir, ends_with: Some("0.2.0"), promise }
}

impl Act {
    fn run(&self, name: &str) -> PathBuf {
        let dir = self.dir.path().join(name);
        copy(&self.dir.path().join("golden"), &dir);
        Player::configure(&dir, NO_CLOUD, "none", "").unwrap();
        dir
    }

    /// Until the package's agent answers, the wanted version runs, the player is gone, or versions
    /// are started without an end.
    fn play(&self, player: &mut Player) {
        let dir = player.dir().to_owned();
        let over = wait_for(PATIENCE, || {
            let gone = player.process().ended(Duration::ZERO).is_some();
            let started = starts(&dir);
            let wanted = started.last().map(String::as_str) == self.ends_with;
            let there = self.ends_with.is_some() && wanted;
            let answers = || player.glance().is_some_and(|status| status["release"] == OWN);
            (gone || there || started.len() > 2 * STARTS_MAX || answers()).then_some(())
        });
        assert!(over.is_some(), "{}: nothing comes of it", self.name);
        kill(player);
    }

    fn judge(&self, dir: &Path) -> Result<(), String> {
        let text = fs::read(dir.join("state/releases/state.json")).map_err(|e| e.to_string())?;
        let state: Value =
            serde_json::from_slice(&text).map_err(|e| format!("half a file: {e}"))?;
        (self.promise)(&state, &starts(dir))
    }

    /// Every call to what is remembered, as a run without a fault makes it.
    fn calls(&self) -> BTreeSet<Call> {
        let dir = self.run("traced");
        let log = dir.with_extension("strace");
        let command = strace::traced(&Player::command(&dir), &log);
        self.play(&mut Player::start_with(command, &dir).unwrap());
        assert_eq!(self.judge(&dir), Ok(()));
        let mut calls = strace::calls(&log, &dir).unwrap();
        calls.retain(|call| {
            let path = call.path.to_string_lossy();
            path.contains("state.json")
                || ["state/releases", "state/releases/lock"].contains(&&*path)
        });
        calls
    }

    fn visit(&self, name: &str, call: &Call, fault: Fault) -> (bool, Result<(), String>) {
        let dir = self.run(name);
        let log = dir.with_extension("strace");
        let command = strace::faulty(&Player::command(&dir), call, fault, &dir, &log);
        let mut player = Player::start_with(command, &dir).unwrap();
        self.play(&mut player);
        drop(player);
        let judged = self.judge(&dir).and_then(|()| {
            let mut player = Player::start(&dir, None).unwrap();
            self.play(&mut player);
            drop(player);
            self.judge(&dir)?;
            let last = starts(&dir).pop();
            match self.ends_with.is_none_or(|wanted| last.as_deref() == Some(wanted)) {
                true => Ok(()),
                false => Err(format!("{last:?} was started last")),
            }
        });
        let struck = match fault {
            Fault::Kill => fs::read_to_string(&log).is_ok_and(|log| log.contains("SIGKILL")),
            _ => strace::struck(&log),
        };
        (struck, judged)
    }

    /// A kill at every call that changes something, errors at the first of each kind, or, in a long
    /// run, at each.
    fn survives_every_fault(&self) {
        let (mut kinds, mut faults) = (BTreeSet::new(), Vec::new());
        for call in self.calls() {
            let errors = kinds.insert(kind(&call)) || is_long();
            let wanted = |fault: &Fault| errors || *fault == Fault::Kill;
            faults.extend(call.faults().into_iter().filter(wanted).map(|f| (call.clone(), f)));
        }
        let (next, struck) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let broken = Mutex::new(Vec::new());
        let work = || {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let Some((call, fault)) = faults.get(n) else { return };
                let (hit, judged) = self.visit(&format!("{n:04}"), call, *fault);
                struck.fetch_add(usize::from(hit), Ordering::Relaxed);
                if let Err(why) = judged {
                    broken.lock().unwrap().push(format!("{fault:?} at {call:?}: {why}"));
                }
            }
        };
        std::thread::scope(|scope| {
            for n in 0..AT_A_TIME {
                let name = format!("run-{n}");
                std::thread::Builder::new().name(name).spawn_scoped(scope, work).unwrap();
            }
        });
        let struck = struck.into_inner();
        tell(&format!("{}: {} faults, {struck} struck", self.name, faults.len()));
        let broken = broken.into_inner().unwrap();
        assert!(broken.is_empty(), "{}: {broken:#?}", self.name);
        assert!(struck * 4 >= faults.len() * 3, "those that miss prove nothing");
    }
}

#[test]
fn a_trial_is_never_started_more_often_than_is_noted() {
    trial().survives_every_fault();
}

#[test]
fn a_version_that_falls_apart_goes_once_and_for_good() {
    dying().survives_every_fault();
}

/// A card that says that it has put what is noted in its place, and has not.
#[test]
fn starts_that_are_not_noted_are_found() {
    let act = trial();
    let calls = act.calls();
    let rename = calls.iter().find(|call| call.name.starts_with("rename")).unwrap();
    let (struck, judged) = act.visit("liar", rename, Fault::Lies);
    assert!(struck);
    let found = judged.expect_err("a lie passes");
    assert!(found.contains("noted 0"), "{found}");
}

/// A version that cannot be started, on a card that takes no note of it: the package runs.
#[test]
fn what_cannot_be_noted_is_not_tried_round_and_round() {
    let dir = tempfile::tempdir().unwrap();
    let release = version(dir.path(), "0.3.0", LIVES);
    put_state(dir.path(), &json!({ "current": release }));
    let releases = dir.path().join("state/releases");
    let digest = release["sha256"].as_str().unwrap();
    let program = releases.join(&digest[..2]).join(digest);
    fs::set_permissions(program, Permissions::from_mode(0o444)).unwrap();
    // Where the lock should be, nothing can be opened for writing.
    fs::create_dir(releases.join("lock")).unwrap();
    Player::configure(dir.path(), NO_CLOUD, "none", "").unwrap();
    let player = Player::start(dir.path(), None).unwrap();
    player.until_status("the package runs", |status| status["release"] == OWN);
    assert_eq!(starts(dir.path()), Vec::<String>::new());
}
