//! `vitrine doctor`: what this device is, what works on it, and what to do about the rest.
//!
//! In:  `/proc`, `/sys`, the settings, the running player if there is one, clips to try.
//! Out: one [`Finding`] a line, in the order of the way from power to light; an exit code.
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

use vitrine_config::time::Clock as _;

use crate::clock::SystemClock;
use crate::error::Error;
use crate::network::Goal;
use crate::{cli, out, settings};
use finding::{Finding, State};

/// Looks at everything and prints it.
///
/// # Errors
/// [`Error::Unwell`] if anything is bad; wrong settings; no way to print.
pub fn doctor(args: &cli::Doctor) -> Result<(), Error> {
    let findings = examine(args)?;
    if args.format.json {
        let text = serde_json::to_string_pretty(&findings);
        out::print(&text.map_err(|error| Error::Output(error.into()))?)?;
    } else {
        out::print(&finding::text(&findings))?;
    }
    match findings.iter().filter(|finding| finding.state == State::Bad).count() {
        0 => Ok(()),
        bad => Err(Error::Unwell(bad)),
    }
}

fn examine(args: &cli::Doctor) -> Result<Vec<Finding>, Error> {
    let config = settings::load(&settings::sources(&args.settings))?;
    let root = Path::new("/");
    let mut findings = vec![machine::board(root), machine::system(root), machine::memory(root)];
    findings.extend(machine::heat(root));
    findings.extend(machine::power(root));
    findings.push(machine::clock(root));
    findings.extend(disk::space(&config.paths.state_dir, config.cache.reserve_bytes));
    findings.push(disk::speed(&config.paths.state_dir));
    findings.extend(storage::wear(root));
    findings.push(storage::faults(root, storage::kernel_log().as_deref()));
    findings.push(storage::root_mount(root));
    findings.push(screen::connectors(root));
    findings.push(trial::drawing(root));
    findings.extend(trial::codecs());
    findings.extend(clips(&args.clips).iter().map(|clip| trial::decoding(clip)));
    let now = SystemClock::new().now();
    findings.extend(cloud::way(root, Goal::of(&config).as_ref(), &now));
    findings.push(update::update(&config));
    findings.push(cloud::player(&args.settings));
    Ok(findings)
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
