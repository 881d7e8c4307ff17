//! A process that keeps manifests, records, orders and files is killed at any moment, again and
//! again in the same directory; what it had acknowledged must be there.
//!
//! The test starts its own executable with the one test [`victim`], which works until it dies and
//! says on its standard output what is done. The judge knows nothing but these lines and the disk.
//! A careless victim proves that the judge finds fault: without that, silence would mean nothing.
//!
//! A kill leaves the page cache alone, so a forgotten flush does not show here; order of steps,
//! whole names and single transactions do.
#![allow(clippy::disallowed_methods)] // The careless victim writes as nobody should.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use tempfile::tempdir;
use vitrine_wire::Digest;
use vitrine_wire::envelope::{EnvelopeSignature, FORMAT};
use vitrine_wire::record::{Body, Fault, Record, Trust};

use crate::cache::{Cache, Download};
use crate::model::Asset;
use crate::store::Store;

/// Deaths per test. Each is one process start and some dozens of commits.
const ROUNDS: u64 = 20;
const DIR: &str = "VITRINE_KILL_DIR";
const CARELESS: &str = "VITRINE_KILL_CARELESS";

fn envelope(version: u64) -> Vec<u8> {
    let filler = "x".repeat(version as usize * 101 % 9_000);
    let signatures: Vec<EnvelopeSignature> = Vec::new();
    let payload = format!("{version} {filler}");
    serde_json::to_vec(&serde_json::json!(
        { "format": FORMAT, "payload": payload, "signatures": signatures }
    ))
    .unwrap()
}

fn bytes(version: u64) -> Vec<u8> {
    (0..150_000 + version % 7).flat_map(|n| (n * version).to_le_bytes()).collect()
}

fn record(id: &str) -> Record {
    let body = Body::Fault(Fault { code: "c".into(), detail: "d".into() });
    Record { id: id.into(), at: Timestamp::UNIX_EPOCH, trust: Trust::Synced, body }
}

fn say(verb: &str, what: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n!{verb} {what}").and_then(|()| out.flush()).unwrap();
}

/// Not a test of its own: does nothing unless a test below starts it.
#[test]
fn victim() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let dir = Path::new(&dir);
    match std::env::var(CARELESS).as_deref() {
        Ok("generation") => careless_generation(dir),
        Ok("record") => careless_record(),
        Ok("file") => careless_file(dir),
        _ => work(dir),
    }
}

fn work(dir: &Path) {
    let (mut store, opened) = Store::open(dir).unwrap();
    say("opened", opened.rebuilt.is_some());
    let (cache, _) = Cache::open(dir.join("assets"), &BTreeMap::new()).unwrap();
    for version in store.highest_version().unwrap() + 1.. {
        store.keep_pending(version, &envelope(version), Timestamp::UNIX_EPOCH).unwrap();
        say("pending", version);
        fetch(&cache, &bytes(version));
        store.go_live(version).unwrap();
        say("live", version);
        let ids: Vec<String> = (0..5).map(|n| format!("{version}-{n}")).collect();
        store.append_records(&ids.iter().map(|id| record(id)).collect::<Vec<_>>()).unwrap();
        ids.iter().for_each(|id| say("record", id));
        say("going", &ids[0]);
        store.acknowledge(&ids[..1]).unwrap();
        say("gone", &ids[0]);
        order(&mut store, version);
    }
}

fn fetch(cache: &Cache, bytes: &[u8]) {
    let asset = asset(bytes);
    let (mut download, offset) = Download::resume(cache, &asset).unwrap();
    for chunk in bytes[offset as usize..].chunks(64 << 10) {
        download.write(chunk).unwrap();
    }
    download.finish().unwrap();
    say("file", asset.sha256);
}

fn asset(bytes: &[u8]) -> Asset {
    Asset {
        sha256: Digest::of(bytes),
        size_bytes: bytes.len() as u64,
        media_type: String::new(),
        name: String::new(),
    }
}

fn order(store: &mut Store, version: u64) {
    let id = format!("order-{version}");
    assert!(store.begin_order(&id).unwrap());
    say("begun", &id);
    if version.is_multiple_of(2) {
        say("ending", &id);
        store.end_order(&id, &record(&format!("result-{id}"))).unwrap();
        say("record", format!("result-{id}"));
    }
}

/// Says that a generation is live before it is written down.
fn careless_generation(dir: &Path) {
    let (mut store, _) = Store::open(dir).unwrap();
    store.keep_pending(1, &envelope(1), Timestamp::UNIX_EPOCH).unwrap();
    say("live", 1);
    wait_for_death();
}

/// Says that a record is kept before it is written down.
fn careless_record() {
    say("record", "1-0");
    wait_for_death();
}

/// Writes a file under its final name.
fn careless_file(dir: &Path) {
    let bytes = bytes(1);
    let (cache, _) = Cache::open(dir.join("assets"), &BTreeMap::new()).unwrap();
    let home = cache.path(&Digest::of(&bytes));
    fs::create_dir_all(home.parent().unwrap()).unwrap();
    fs::write(home, &bytes[..bytes.len() / 2]).unwrap();
    say("half", "written");
    wait_for_death();
}

/// Nothing ever comes on this input; the end of it means that the test itself has died.
fn wait_for_death() {
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// What the victims said, over all rounds.
#[derive(Debug, Default)]
struct Said {
    pending: u64,
    live: u64,
    records: BTreeSet<String>,
    going: BTreeSet<String>,
    gone: BTreeSet<String>,
    begun: BTreeSet<String>,
    ending: BTreeSet<String>,
    files: BTreeSet<Digest>,
    rebuilt: bool,
}

impl Said {
    fn hear(&mut self, line: &str) {
        // A line that the kill cut short has not been said; it ends in a line break or not at all.
        let Some((verb, what)) = line.strip_prefix('!').and_then(|l| l.trim_end().split_once(' '))
        else {
            return;
        };
        let id = what.to_owned();
        match verb {
            "pending" => self.pending = what.parse().unwrap(),
            "live" => self.live = what.parse().unwrap(),
            "record" => drop(self.records.insert(id)),
            "going" => drop(self.going.insert(id)),
            "gone" => drop(self.gone.insert(id)),
            "begun" => drop(self.begun.insert(id)),
            "ending" => drop(self.ending.insert(id)),
            "file" => drop(self.files.insert(what.parse().unwrap())),
            "opened" => self.rebuilt |= what == "true",
            _ => {}
        }
    }
}

fn start(dir: &Path, careless: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill_tests::victim", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .env(CARELESS, careless)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills a victim once it has said `lines` things, and hears what it said until then.
fn live_and_die(dir: &Path, careless: &str, lines: usize, said: &mut Said) {
    let mut child = start(dir, careless);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let (mut line, mut heard) = (String::new(), 0);
    while heard < lines && out.read_line(&mut line).unwrap() > 0 {
        heard += usize::from(line.starts_with('!'));
        said.hear(&line);
        line.clear();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(heard, lines, "the victim died by itself");
    while out.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
        said.hear(&line);
        line.clear();
    }
}

/// Compares what was said with what is there.
fn judge(dir: &Path, said: &Said) -> Result<(), String> {
    let (mut store, opened) = Store::open(dir).map_err(|e| e.to_string())?;
    let demand = |holds: bool, what: String| if holds { Ok(()) } else { Err(what) };
    demand(opened.rebuilt.is_none() && !said.rebuilt, format!("damaged: {opened:?}"))?;
    let live = store.live().unwrap();
    let version = live.as_ref().map_or(0, |generation| generation.version);
    demand(version >= said.live, format!("live is {version}, said {}", said.live))?;
    for kept in [live, store.previous().unwrap(), store.pending().unwrap()].into_iter().flatten() {
        let file = dir.join(format!("generations/{}.envelope", kept.version));
        demand(kept.envelope == envelope(kept.version), format!("{}: torn", kept.version))?;
        demand(fs::read(file).ok() == Some(kept.envelope), format!("{}: file", kept.version))?;
    }
    let highest = store.highest_version().unwrap();
    demand(highest >= said.pending.max(version), format!("highest is {highest}: {said:?}"))?;
    judge_records(&mut store, said)?;
    store.close().map_err(|e| e.to_string())?;
    judge_files(dir, said)
}

fn judge_records(store: &mut Store, said: &Said) -> Result<(), String> {
    let here: BTreeSet<String> =
        store.oldest_records(1_000_000).unwrap().into_iter().map(|record| record.id).collect();
    if let Some(lost) =
        said.records.iter().find(|id| !here.contains(*id) && !said.going.contains(*id))
    {
        return Err(format!("record {lost} was kept and is not there"));
    }
    if let Some(back) = said.gone.iter().find(|id| here.contains(*id)) {
        return Err(format!("record {back} was acknowledged and is there"));
    }
    let open: BTreeSet<String> = store.begun_but_not_ended().unwrap().into_iter().collect();
    for id in &said.begun {
        let ended = here.contains(&format!("result-{id}"));
        if open.contains(id) == ended || (ended && !said.ending.contains(id)) {
            return Err(format!("order {id}: open and ended must be one or the other"));
        }
        if store.begin_order(id).unwrap() {
            return Err(format!("order {id} would be done twice"));
        }
    }
    Ok(())
}

fn judge_files(dir: &Path, said: &Said) -> Result<(), String> {
    let (cache, _) =
        Cache::open(dir.join("assets"), &BTreeMap::new()).map_err(|e| e.to_string())?;
    let held = cache.held();
    for asset in held.keys() {
        if Digest::of(&fs::read(cache.path(asset)).unwrap()) != *asset {
            return Err(format!("file {asset} has another digest"));
        }
    }
    match said.files.iter().find(|asset| !held.contains_key(asset)) {
        Some(lost) => Err(format!("file {lost} was admitted and is not there")),
        None => Ok(()),
    }
}

#[test]
fn what_was_acknowledged_survives_every_death() {
    let dir = tempdir().unwrap();
    let mut said = Said::default();
    for round in 0..ROUNDS {
        // Spreads the deaths over the victim's work, 11 or 13 lines a turn.
        let lines = 1 + (round * 17 % 29) as usize;
        live_and_die(dir.path(), "", lines, &mut said);
        judge(dir.path(), &said).unwrap_or_else(|fault| panic!("round {round}: {fault}"));
    }
    assert!(said.live > 0 && !said.gone.is_empty() && !said.files.is_empty(), "{said:?}");
}

#[test]
fn the_judge_finds_each_carelessness() {
    for (careless, want) in
        [("generation", "live is 0"), ("record", "was kept"), ("file", "another digest")]
    {
        let dir = tempdir().unwrap();
        let mut said = Said::default();
        live_and_die(dir.path(), careless, 1, &mut said);
        let found = judge(dir.path(), &said).unwrap_err();
        assert!(found.contains(want), "{careless}: {found}");
    }
}
