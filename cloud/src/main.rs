//! `vitrine-cloud`: the server, and the operator's commands for it.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    match cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            cli::complain(&text);
            ExitCode::FAILURE
        }
    }
}
