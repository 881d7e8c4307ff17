//! Decides and connects.
//!
//! Start at `director` (every cause of every change), then `schedule` (what is due) and `run` (who
//! is started and stopped in which order). [`event`] lists all causes and effects.
//!
//! Does no pixel, socket or SQL work in its core; the shell around it is thin.

mod agenda;
pub mod director;
pub mod event;
mod playlist;
mod scene_of;
mod schedule;
pub mod status;
pub mod telemetry;

mod agent_hands;
mod cli;
mod clock;
mod commands;
mod control;
mod director_loop;
mod doctor;
mod error;
mod host;
mod inbox;
mod log;
pub mod network;
mod notify;
mod out;
mod play;
mod progress;
mod provision;
mod run;
mod settings;
mod show;
mod signals;
mod stage_cmd;
mod stage_host;
mod succession;
mod sync_door;
mod sync_now;
mod sync_start;
#[cfg(test)]
mod test_machine;
mod update;

use std::process::ExitCode;

use clap::Parser;

use cli::{Action, Cli};
use error::{Code, Error};
use event::Command;

/// The `vitrine` binary: reads the command line, does it, and says how it went.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => return usage(&answer),
    };
    match act(cli.action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            out::complain(&error.to_string());
            error.code().into()
        }
    }
}

/// Help and version are asked for; anything else is a wrong command line.
fn usage(answer: &clap::Error) -> ExitCode {
    // Nobody is left to be told that the terminal is gone.
    let _ = answer.print();
    if answer.use_stderr() { Code::Usage.into() } else { ExitCode::SUCCESS }
}

fn act(action: Action) -> Result<(), Error> {
    match action {
        Action::Run(settings) => update::launch::run(&settings),
        Action::Play(args) => play::play(&args),
        Action::Stage(args) => stage_cmd::stage(&args),
        Action::MediaWorker => stage_cmd::media_worker(),
        Action::Status(question) => commands::ask(&question, Command::Status),
        Action::Next(question) => commands::ask(&question, Command::Next),
        Action::Previous(question) => commands::ask(&question, Command::Previous),
        Action::Identify(question) => commands::ask(&question, Command::Identify),
        Action::Sync(cli::Sync::Now(args)) => sync_now::sync_now(&args),
        Action::Rollback(question) => commands::ask(&question, Command::Rollback),
        Action::Update(cli::Update::Check(question)) => {
            commands::ask(&question, Command::UpdateCheck)
        }
        Action::Update(cli::Update::Now(question)) => commands::ask(&question, Command::UpdateNow),
        Action::Update(cli::Update::Status(question)) => commands::update_status(&question),
        Action::Update(cli::Update::Rollback(question)) => {
            commands::ask(&question, Command::UpdateRollback)
        }
        Action::Screenshot(args) => commands::screenshot(&args),
        Action::Doctor(args) => doctor::doctor(&args),
        Action::Config(cli::Config::Check { file }) => commands::config_check(&file),
        Action::Config(cli::Config::Show(settings)) => commands::config_show(&settings),
        Action::Completions { shell } => commands::completions(shell),
        Action::Version(format) => commands::version(format),
    }
}
