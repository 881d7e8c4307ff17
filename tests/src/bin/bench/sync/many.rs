//! Ten thousand items, each with a file of its own.

use std::io::Cursor;
use std::time::Instant;

use jiff::Timestamp;
use vitrine_tests::display::Display;
use vitrine_tests::player::{Player, tell};
use vitrine_tests::process::Process;
use vitrine_tests::usage;

use super::content::live_since;
use super::site::Site;
use crate::readings::{Readings, line};
use crate::rig::{Bench, Outcome, first_light};

/// As many as a manifest may have.
const ITEMS: usize = 10_000;
/// The player's own log says when what began and ended.
const LOG: &str =
    "[cache]\ndownloads = 8\n[log]\nformat = \"json\"\nlevel = \"info,vitrine_sync=trace\"\n";

/// Fetching, judging, planning, asking the store and starting at that size.
pub fn many(bench: &Bench) -> Outcome<()> {
    tell("many: 10 000 items and files");
    let site = Site::start(&bench.work.path().join("many"))?;
    let first = site.offer("first", 1, 10_000)?;
    let all = site.offer_made("still", ITEMS, picture)?;
    site.publish(&first, "5s")?;
    let mut player = live_since(site.player("player", "none", LOG)?, 0)?;
    let version =
        |player: &Player| player.glance().and_then(|s| s["manifest_version"].as_u64()).unwrap_or(0);
    site.prepare(&all, "5s")?;
    let (before, begun) = (version(&player), Instant::now());
    site.tenant.operator(&["publish"])?;
    player = live_since(player, before)?;
    line("files a second", &Readings(vec![ITEMS as f64 / begun.elapsed().as_secs_f64()]), None);
    for n in 0..bench.runs {
        // Nothing to fetch, everything to judge.
        let before = version(&player);
        site.publish(&all, &format!("{}s", 6 + n))?;
        player = live_since(player, before)?;
    }
    let pid = player.process().pid();
    line("peak RSS, MB", &Readings(vec![usage::peak_rss_bytes(pid) as f64 / 1e6]), None);
    let said = Said::of(&player.process().log());
    let dir = player.dir().to_owned();
    drop(player);
    report(&said, bench.runs);
    start(bench, &dir)
}

fn report(said: &Said, runs: usize) {
    let judged = said.between("manifest came", "manifest judged");
    let planned = said.between("planning", "planned");
    let whole = said.between("manifest came", "sync: live");
    // Of each run, the last `runs` are those of ten thousand items with nothing to fetch.
    let last = |all: Vec<f64>| all[all.len().saturating_sub(runs)..].to_vec();
    let (judged, whole) = (last(judged), last(whole));
    let longest = planned.into_iter().fold(0.0, f64::max);
    let sum = judged.iter().map(|ms| ms + longest).collect();
    line("ms to verify and parse", &Readings(judged), None);
    line("ms to plan, the longest of all", &Readings(vec![longest]), None);
    line("ms to verify, parse and plan", &Readings(sum), Some("limit 100"));
    line("ms from the last byte to live", &Readings(whole), None);
    let mut kept = said.asked(|what| what.contains("keep_pending"));
    kept.sort_by(f64::total_cmp);
    line("ms to keep a manifest, flushed", &Readings(last(kept)), None);
    let mut asked = said.asked(|what| !what.contains("keep_pending"));
    asked.sort_by(f64::total_cmp);
    let p99 = asked.get(asked.len() * 99 / 100).copied().unwrap_or(f64::NAN);
    line("ms to ask the store, p99", &Readings(vec![p99]), Some("limit 10"));
    tell(&format!("    {} questions to the store", asked.len()));
}

/// From exec to light with all of it in the store, cloud there or not.
fn start(bench: &Bench, dir: &std::path::Path) -> Outcome<()> {
    let mut readings = Vec::new();
    for _ in 0..bench.runs {
        let display = Display::start(640, 360)?;
        Player::configure(dir, "http://127.0.0.1:9", "fullscreen", "")?;
        let mut command = Player::command(dir);
        command.env("DISPLAY", display.name()).env_remove("WAYLAND_DISPLAY");
        let begun = Instant::now();
        let _player = Process::start(command, "vitrine-many", bench.work.path())?;
        first_light(&display, 1.0)?;
        readings.push(begun.elapsed().as_secs_f64());
    }
    line("s from exec to first frame", &Readings(readings), Some("limit 1.5"));
    Ok(())
}

/// Bright pictures, each another one.
fn picture(n: usize) -> Vec<u8> {
    let colour = [255 - (n % 200) as u8, 255 - (n / 200 % 200) as u8, 255];
    let mut png = Cursor::new(Vec::new());
    let written = image::RgbImage::from_pixel(64, 36, image::Rgb(colour))
        .write_to(&mut png, image::ImageFormat::Png);
    // Into memory: nothing to go wrong.
    written.map(|()| png.into_inner()).unwrap_or_default()
}

/// What a player said, and when.
struct Said(Vec<Line>);

struct Line {
    at: Timestamp,
    text: String,
    /// What was asked.
    what: String,
}

impl Said {
    fn of(log: &str) -> Said {
        let read = |line: &str| {
            let entry: serde_json::Value = serde_json::from_str(line).ok()?;
            let at = entry["timestamp"].as_str()?.parse().ok()?;
            let what = entry["what"].as_str().unwrap_or_default().to_owned();
            Some(Line { at, text: entry["message"].as_str()?.to_owned(), what })
        };
        Said(log.lines().filter_map(read).collect())
    }

    /// Milliseconds from each `begin` to the next `end`.
    fn between(&self, begin: &str, end: &str) -> Vec<f64> {
        self.spans(begin, end).map(|(_, ms)| ms).collect()
    }

    /// Milliseconds that the store took for each of these questions.
    fn asked(&self, these: impl Fn(&str) -> bool) -> Vec<f64> {
        let spans = self.spans("asked", "answered");
        spans.filter(|(line, _)| these(&line.what)).map(|(_, ms)| ms).collect()
    }

    fn spans(&self, begin: &str, end: &str) -> impl Iterator<Item = (&Line, f64)> {
        let begun = self.0.iter().enumerate().filter(move |(_, line)| line.text == begin);
        begun.filter_map(move |(place, line)| {
            let ended = self.0[place..].iter().find(|later| later.text == end)?;
            Some((line, ended.at.duration_since(line.at).as_secs_f64() * 1_000.0))
        })
    }
}
