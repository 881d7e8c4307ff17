//! `vitrine doctor`: what this device is, what works on it, and what to do about the rest.
//!
//! In:  `/proc`, `/sys`, the settings, the running player if there is one, clips to try.
//! Out: one [`Finding`] a line, as soon as it is made, in the order of the way from power to light; or
//! all of them as one document; an exit code.
//!
//! Drawing and decoding are tried by this very program in a child of its own (`vitrine play`), the
//! way the player does it. Each probe is a function of a root directory or of what a child said, so
//! that tests can hand in a machine of their own.

mod cloud;
mod disk;
mod finding;
mod gpu;
mod machine;
mod screen;
mod storage;
mod trial;
mod update;

use std::path::{Path, PathBuf};

use vitrine_config::Config;
use vitrine_config::time::Clock as _;

use crate::clock::SystemClock;
use crate::error::Error;
use crate::network::Goal;
use crate::{cli, out, settings};
use finding::{Finding, Report, State};

/// Looks at everything and prints it.
///
/// # Errors
/// [`Error::Unwell`] if anything is bad; wrong settings; no way to print.
pub fn doctor(args: &cli::Doctor) -> Result<(), Error> {
    let config = settings::load(&settings::sources(&args.settings))?;
    let clips = clips(&args.clips);
    let names: Vec<_> = clips.iter().map(|clip| trial::name(clip)).collect();
    let mut report = Report::new(args.format.json, names.iter().map(String::as_str), out::print);
    examine(&mut report, args, &config, &clips);
    let findings = report.finish()?;
    match findings.iter().filter(|finding| finding.state == State::Bad).count() {
        0 => Ok(()),
        bad => Err(Error::Unwell(bad)),
    }
}

fn examine(
    report: &mut impl Extend<Finding>,
    args: &cli::Doctor,
    config: &Config,
    clips: &[PathBuf],
) {
    let (root, state_dir) = (Path::new("/"), &config.paths.state_dir);
    report.extend([machine::board(root), machine::system(root), machine::memory(root)]);
    report.extend(machine::heat(root));
    report.extend(machine::power(root));
    report.extend([machine::clock(root)]);
    report.extend(disk::space(state_dir, config.cache.reserve_bytes));
    report.extend([disk::speed(state_dir)]);
    report.extend(storage::wear(root));
    report.extend([storage::faults(root, storage::kernel_log().as_deref())]);
    report.extend([storage::root_mount(root), screen::connectors(root)]);
    report.extend([trial::drawing(root)]);
    trial::codecs(report);
    // Each is played when it is its turn to be told.
    report.extend(clips.iter().map(|clip| trial::decoding(clip)));
    let now = SystemClock::new().now();
    report.extend(cloud::way(root, Goal::of(config).as_ref(), &now));
    report.extend([update::update(config)]);
    report.extend([cloud::player(&args.settings)]);
}

/// Files as they are, folders by what is in them.
fn clips(paths: &[PathBuf]) -> Vec<PathBuf> {
    let listed = |path: &PathBuf| match std::fs::read_dir(path) {
        Ok(entries) => {
            let mut all: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
            all.sort();
            all
        }
        Err(_) => vec![path.clone()],
    };
    paths.iter().flat_map(listed).collect()
}
