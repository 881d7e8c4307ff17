//! `vitrine sync now`: asks, and at a terminal stays until everything is here.

use std::io::{self, IsTerminal, Write};
use std::thread::park_timeout;
use std::time::Duration;

use crate::cli::SyncNow;
use crate::commands::{consult, unexpected};
use crate::control::protocol::Reply;
use crate::error::Error;
use crate::event::Command;
use crate::status::Status;
use crate::{commands, out, progress};

/// Pause between two looks: a bar that moves five times a second looks alive.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Looks until the cloud must have been asked: a whole call with its time limits.
const ASKED_WITHIN: u32 = 90 * 5;

/// Asks the running player to sync; waits for it where somebody looks on.
pub fn sync_now(args: &SyncNow) -> Result<(), Error> {
    let question = &args.question;
    if !args.wait && (question.format.json || !io::stderr().is_terminal()) {
        return commands::ask(question, Command::SyncNow);
    }
    let before = status(args)?;
    if before.tenant.is_none() {
        let why = "this device is not paired; approve the code on its screen";
        return Err(Error::Refused(why.to_owned()));
    }
    commands::ask(question, Command::SyncNow)?;
    let after = asked(args, before.asked)?;
    let last = fetched(args, after)?;
    out::print(&format!("up to date: manifest {} is live", last.manifest_version))
}

/// Waits until the cloud has answered.
fn asked(args: &SyncNow, before: u64) -> Result<Status, Error> {
    for _ in 0..ASKED_WITHIN {
        let now = status(args)?;
        match &now.ask_failed {
            Some(why) if now.asked > before => return Err(Error::Refused(why.clone())),
            None if now.asked > before => return Ok(now),
            _ => park_timeout(LOOK_EVERY),
        }
    }
    Err(Error::Refused("the cloud was not asked in time; see vitrine status".to_owned()))
}

/// Waits until nothing is being fetched any more, and shows how far it is.
fn fetched(args: &SyncNow, mut now: Status) -> Result<Status, Error> {
    let mut drawn = false;
    while let Some(downloads) = &now.downloads {
        draw(&format!("\r{:<79}", progress::bar(downloads)));
        drawn = true;
        park_timeout(LOOK_EVERY);
        now = status(args)?;
    }
    if drawn {
        draw("\n");
    }
    Ok(now)
}

fn draw(text: &str) {
    let mut err = io::stderr().lock();
    // Nobody is left to be told that the terminal is gone.
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

fn status(args: &SyncNow) -> Result<Status, Error> {
    match consult(&args.question.settings, Command::Status)? {
        Reply::Status { status } => Ok(*status),
        other => Err(unexpected(&other)),
    }
}
