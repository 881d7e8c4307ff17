//! Two gigabytes of content.

use std::fs;
use std::time::{Duration, Instant};

use vitrine_tests::patience::wait_for;
use vitrine_tests::player::{Player, tell};
use vitrine_tests::usage;

use super::peers::{self, Took};
use super::site::{Offer, Site};
use crate::readings::{Readings, line, ratio};
use crate::rig::{Bench, Outcome, cpu_of};

/// Twenty films and two hundred pictures.
const LARGE: (usize, usize) = (20, 95_000_000);
const SMALL: (usize, usize) = (200, 500_000);
/// Downloads at a time, for everybody.
const AT_A_TIME: usize = 4;
const SETTINGS: &str = "[cache]\ndownloads = 4\n";
/// Reached when something is wrong.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the player took, besides time and CPU.
struct Ours {
    took: Took,
    peak_mb: f64,
    written: f64,
}

/// Time, CPU, memory and writes of fetching all of it.
pub fn content(bench: &Bench) -> Outcome<()> {
    tell("content: 2 GB in 20 large and 200 small files from nginx, 4 at a time");
    let site = Site::start(&bench.work.path().join("content"))?;
    let first = site.offer("first", 1, 10_000)?;
    let mut offers = site.offer("large", LARGE.0, LARGE.1)?;
    offers.extend(site.offer("small", SMALL.0, SMALL.1)?);
    let gb = (LARGE.0 * LARGE.1 + SMALL.0 * SMALL.1) as f64 / 1e9;
    let (mut ours, mut aria) = (Vec::new(), Vec::new());
    let [mut curl, mut flushed, mut proved] = [const { Vec::new() }; 3];
    for n in 0..bench.runs {
        ours.push(fetched(&site, n, (&first, &offers), gb)?);
        let plain = peers::curl(&site, &offers, AT_A_TIME)?;
        proved.push(plain.wall_s + peers::sha256sum(&site, &offers)?.wall_s);
        fs::remove_dir_all(site.dir.join("curl"))?;
        // Once more for the flush, so that the sum above does not pay for it.
        let again = peers::curl(&site, &offers, AT_A_TIME)?.wall_s;
        flushed.push(again + peers::flush(&site)?.wall_s);
        curl.extend([plain.wall_s, again]);
        aria.push(peers::aria2c(&site, &offers, AT_A_TIME)?);
        ["curl", "aria2c"].iter().try_for_each(|name| fs::remove_dir_all(site.dir.join(name)))?;
    }
    report(&ours, &aria, gb, [curl, flushed, proved]);
    Ok(())
}

fn report(ours: &[Ours], aria: &[Took], gb: f64, peers: [Vec<f64>; 3]) {
    let of = |what: fn(&Ours) -> f64| Readings(ours.iter().map(what).collect());
    let wall = of(|ours| ours.took.wall_s);
    let [curl, flushed, proved] = peers.map(Readings);
    line("s, vitrine (proved and flushed)", &wall, None);
    line("s, curl (neither)", &curl, None);
    line("s, curl, then flush", &flushed, None);
    line("s, curl, then sha256sum", &proved, None);
    line("s, aria2c (proved)", &Readings(aria.iter().map(|took| took.wall_s).collect()), None);
    ratio("time, vitrine / curl", &wall, &curl, 1.1);
    ratio("time, vitrine / curl, flushed", &wall, &flushed, 1.1);
    ratio("time, vitrine / curl + sha256sum", &wall, &proved, 1.0);
    let per_gb = |cpu: Vec<f64>| Readings(cpu.into_iter().map(|cpu_s| cpu_s / gb).collect());
    let our_cpu = per_gb(ours.iter().map(|ours| ours.took.cpu_s).collect());
    let their_cpu = per_gb(aria.iter().map(|took| took.cpu_s).collect());
    line("CPU-s a GB, vitrine", &our_cpu, None);
    line("CPU-s a GB, aria2c", &their_cpu, None);
    ratio("CPU, vitrine / aria2c", &our_cpu, &their_cpu, 1.0);
    line("peak RSS, MB", &of(|ours| ours.peak_mb), Some("limit 60"));
    line("written / content", &of(|ours| ours.written), Some("limit 1.02"));
}

/// A new player, which has one small file already, fetches everything.
fn fetched(site: &Site, n: usize, (first, all): (&[Offer], &[Offer]), gb: f64) -> Outcome<Ours> {
    site.publish(first, "5s")?;
    let player = site.player(&format!("player-{n}"), "none", SETTINGS)?;
    let mut player = live_since(player, 0)?;
    let pid = player.process().pid();
    let before = player.glance().and_then(|s| s["manifest_version"].as_u64()).unwrap_or(0);
    let (cpu_before, written_before) = (cpu_of(player.process()), usage::written_bytes(pid));
    site.prepare(all, "5s")?;
    let begun = Instant::now();
    site.tenant.operator(&["publish"])?;
    player = live_since(player, before)?;
    let wall_s = begun.elapsed().as_secs_f64();
    let cpu_s = cpu_of(player.process()).saturating_sub(cpu_before).as_secs_f64();
    let peak_mb = usage::peak_rss_bytes(pid) as f64 / 1e6;
    let written = (usage::written_bytes(pid) - written_before) as f64 / 1e9 / gb;
    let dir = player.dir().to_owned();
    drop(player);
    fs::remove_dir_all(dir)?;
    Ok(Ours { took: Took { wall_s, cpu_s }, peak_mb, written })
}

/// Waits until something newer than `version` is live.
pub fn live_since(player: Player, version: u64) -> Outcome<Player> {
    let newer = |status: &serde_json::Value| status["manifest_version"].as_u64() > Some(version);
    match wait_for(PATIENCE, || player.glance().filter(newer)) {
        Some(_) => Ok(player),
        None => Err(format!("does not go live: {:?}", player.glance()).into()),
    }
}
