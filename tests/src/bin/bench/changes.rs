//! From item to item, read from the display: ours beside every other player that can be driven.

use std::process::Command;
use std::time::Duration;

use vitrine_tests::display::Display;
use vitrine_tests::glass::{self, Change, Oracle};
use vitrine_tests::player::tell;
use vitrine_tests::reel::Reel;

use crate::peers::{HEIGHT, PEERS, WIDTH, is_there, vitrine};
use crate::readings::{Readings, line};
use crate::rig::{Bench, Outcome, first_light};

/// One refresh of a display at 60 Hz, and what looking at it adds.
const REFRESH: Duration = Duration::from_millis(17);

/// Ours first, for `--changes` of them; the others for as many as show what they do.
pub fn changes(bench: &Bench) -> Outcome<()> {
    tell(&format!("changes: stills and clips in a {WIDTH}x{HEIGHT} window, read from the display"));
    let reel = Reel::make(&bench.media, bench.work.path())?;
    let ours = watch(bench, "vitrine", vitrine(&reel.files), &reel, bench.changes)?;
    tell_changes("vitrine", &ours);
    let bad = ours.changes().iter().filter(|change| {
        !change.foreign.is_zero() || !change.in_order || ours.frozen(change) > 2 * REFRESH
    });
    let (bad, all) = (bad.count(), ours.changes().len());
    let verdict = if bad == 0 { "within" } else { "OVER" };
    tell(&format!("    {bad} of {all} changes with anything wrong: {verdict} the limit of 0"));
    for (name, start) in PEERS {
        let command = start(&reel.files, bench.work.path());
        if !is_there(&command) {
            tell(&format!("    {name}: not installed"));
            continue;
        }
        match watch(bench, "peer", command, &reel, bench.changes.min(30)) {
            Ok(seen) => tell_changes(name, &seen),
            Err(error) => tell(&format!("    {name}: {error}")),
        }
    }
    Ok(())
}

fn tell_changes(name: &str, seen: &Oracle) {
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    let readings = |of: &dyn Fn(&Change) -> Duration| {
        Readings(seen.changes().iter().map(|change| ms(of(change))).collect())
    };
    tell(&format!("    {name}: {} changes", seen.changes().len()));
    line("  black or foreign, ms", &readings(&|change| change.foreign), None);
    line("  longer than it should, ms", &readings(&|change| seen.frozen(change)), None);
    let disorder = seen.changes().iter().filter(|change| !change.in_order).count();
    if disorder > 0 {
        tell(&format!("      {disorder} out of order"));
    }
}

/// Watches the display of a player until it has shown so many changes.
fn watch(
    bench: &Bench,
    name: &str,
    command: Command,
    reel: &Reel,
    changes: usize,
) -> Outcome<Oracle> {
    let display = Display::start(WIDTH, HEIGHT)?;
    let _player = bench.spawn(command, name, &display)?;
    first_light(&display, 0.9)?;
    Ok(glass::watch(&display, &reel.items, changes)?)
}
