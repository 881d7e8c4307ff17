//! `./dev bench`: speed and memory of the player beside its peers, all in one run.
//!
//! Timings differ from machine to machine and from minute to minute, so everything is a ratio
//! against a peer measured in the same run, or a limit that does not depend on the machine. Printed
//! are medians, with the smallest and largest reading behind them. Peers use the same display and
//! the same software drivers.

// What is measured for people is read from the real clock.
#![allow(clippy::disallowed_methods)]

mod changes;
mod glue;
mod jpeg;
mod peers;
mod readings;
mod rig;
mod start;
mod still;
mod sync;
mod ticker;
mod two;
mod video;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use vitrine_tests::player::tell;

use crate::rig::{Bench, Outcome};

type Measure = fn(&Bench) -> Outcome<()>;

/// Group, name and function of each measure.
const MEASURES: [(&str, &str, Measure); 11] = [
    ("display", "still", still::still),
    ("display", "video", video::video),
    ("display", "two", two::two),
    ("display", "glue", glue::glue),
    ("display", "start", start::start),
    ("display", "changes", changes::changes),
    ("display", "ticker", ticker::ticker),
    ("display", "jpeg", jpeg::jpeg),
    ("sync", "content", sync::content),
    ("sync", "many", sync::many),
    ("sync", "idle", sync::idle),
];

#[derive(Parser)]
#[command(about = "Speed and memory beside other players")]
struct Args {
    /// Folder with the generated media.
    #[arg(long)]
    media: PathBuf,
    /// Readings of each figure.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Changes from item to item that are looked at.
    #[arg(long, default_value_t = 1_000)]
    changes: usize,
    /// Only these measures or groups of measures (display, sync).
    names: Vec<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let bench = match Bench::new(&args.media, args.runs, args.changes) {
        Ok(bench) => bench,
        Err(error) => return failed("set-up", &*error),
    };
    let wanted = |name: &str| args.names.iter().any(|wanted| wanted == name);
    for (group, name, measure) in MEASURES {
        if (args.names.is_empty() || wanted(group) || wanted(name))
            && let Err(error) = measure(&bench)
        {
            return failed(name, &*error);
        }
    }
    ExitCode::SUCCESS
}

fn failed(what: &str, error: &dyn Error) -> ExitCode {
    tell(&format!("bench {what}: {error}"));
    ExitCode::FAILURE
}
