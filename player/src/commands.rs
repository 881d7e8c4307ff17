//! The small commands: those that ask the running player, and those that need nobody.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;
use serde_json::json;

use crate::control::client;
use crate::control::protocol::{self, Reply};
use crate::error::Error;
use crate::event::Command;
use crate::status::SettingSaid;
use crate::{cli, control, out, settings, show};

/// Asks the running player and prints its answer.
pub fn ask(question: &cli::Question, command: Command) -> Result<(), Error> {
    let reply = consult(&question.settings, command)?;
    match reply {
        Reply::Done if question.format.json => out::print(&json!({ "done": true }).to_string()),
        Reply::Done => Ok(()),
        Reply::Told { text } if question.format.json => {
            out::print(&json!({ "done": true, "text": text }).to_string())
        }
        Reply::Told { text } => out::print(&text),
        Reply::Status { status } if question.format.json => {
            out::print(&serde_json::to_string_pretty(&status).map_err(unprintable)?)
        }
        Reply::Status { status } => out::print(&show::status(&status)),
        other => Err(unexpected(&other)),
    }
}

/// Asks the running player for its versions.
pub fn update_status(question: &cli::Question) -> Result<(), Error> {
    match consult(&question.settings, Command::Status)? {
        Reply::Status { status } if question.format.json => {
            out::print(&serde_json::to_string_pretty(&status.update).map_err(unprintable)?)
        }
        Reply::Status { status } => out::print(&show::update(&status)),
        other => Err(unexpected(&other)),
    }
}

/// Saves what the display was handed.
pub fn screenshot(args: &cli::Screenshot) -> Result<(), Error> {
    let Reply::Screenshot { png } = consult(&args.settings(), Command::Screenshot)? else {
        return Err(Error::Answer("it is no picture".to_owned()));
    };
    let picture = protocol::picture(&png).map_err(Error::Answer)?;
    if args.output == Path::new("-") {
        return out::print_bytes(&picture);
    }
    save(&args.output, &picture)
}

/// Writes a file whole or not at all.
pub fn save(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let part = path.with_added_extension("part");
    std::fs::File::create(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&part, path))
        .map_err(Error::file(path, "save"))
}

/// Asks the running player.
pub fn consult(args: &cli::Settings, command: Command) -> Result<Reply, Error> {
    // A file that was broken while the player runs must not hide the player.
    let config = settings::load(&settings::sources(args))?;
    client::ask(&control::socket(&config.paths.runtime_dir), command)
}

/// An answer to another question.
pub fn unexpected(reply: &Reply) -> Error {
    let text = serde_json::to_string(reply).unwrap_or_default();
    Error::Answer(format!("it does not fit the question: {text:.80}"))
}

fn unprintable(error: serde_json::Error) -> Error {
    Error::Output(error.into())
}

/// `vitrine config check FILE`
pub fn config_check(file: &Path) -> Result<(), Error> {
    match vitrine_config::check_file(file) {
        Ok(_) => out::print(&format!("{}: good", file.display())),
        Err(problems) => Err(Error::Config(problems.to_string())),
    }
}

/// `vitrine config show`
pub fn config_show(args: &cli::Settings) -> Result<(), Error> {
    let sources = settings::sources(args);
    // What the cloud has the last word on is the running player's to say; without one the files hold.
    if let Ok(Reply::Status { status }) = consult(args, Command::Status) {
        let words = status.settings.into_iter().map(SettingSaid::word);
        sources.afar.set(words.collect());
    }
    let text = vitrine_config::show_origins(&sources);
    out::print(&text.map_err(|problems| Error::Config(problems.to_string()))?)
}

/// `vitrine completions SHELL`
pub fn completions(shell: clap_complete::Shell) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::Cli::command(), "vitrine", &mut script);
    out::print_bytes(&script)
}

/// `vitrine version`
pub fn version(format: cli::Format) -> Result<(), Error> {
    let release = settings::release();
    if format.json {
        return out::print(&json!({ "version": release }).to_string());
    }
    out::print(&format!("vitrine {release}"))
}
