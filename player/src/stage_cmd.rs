//! `vitrine stage` and `vitrine media-worker`: the processes that agents and stages start.

use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use vitrine_config::model::{Log, LogFormat, Output as ConfigOutput};
use vitrine_render::link::Agent;
use vitrine_render::scene::Size;
use vitrine_render::worker;
use vitrine_render::{Output, StageError, StageOptions, WorkerCommand};

use crate::clock::SystemClock;
use crate::error::{Error, chain};
use crate::stage_host::process;
use crate::succession::Succession;
use crate::update::launch;
use crate::{cli, log};

/// Runs a stage until its agent ends it.
pub fn stage(args: &cli::Stage) -> Result<(), Error> {
    if let Some(releases) = &args.releases {
        launch::stage(releases);
    }
    let format = if args.log_json { LogFormat::Json } else { LogFormat::Text };
    log::start(&Log { filter: args.log_level.clone(), format });
    let (tell, first_frame) = sync_channel(1);
    let _place = take_place(args, first_frame)?;
    let options = StageOptions {
        output: output(args.target),
        agent: Agent::Socket(args.socket.clone()),
        worker: WorkerCommand::default(),
        first_frame: Some(tell),
    };
    vitrine_render::run(options, Arc::new(SystemClock::new())).map_err(cannot_run)
}

/// Why a stage cannot run; the agent tells these apart by their exit codes.
pub fn cannot_run(error: StageError) -> Error {
    match error {
        StageError::NoDisplay(why) => Error::NoDisplay(without_source(&why)),
        StageError::NoGpu(why) => Error::NoGpu(why),
        error => Error::Stage(chain(&error)),
    }
}

/// The window library begins with the place in its own source, which helps nobody here.
fn without_source(why: &str) -> String {
    let after = why.split_once(".rs:").and_then(|(_, rest)| rest.split_once(": "));
    after.map_or(why, |(_, text)| text).trim_end_matches('.').to_owned()
}

/// By what other processes know that a stage lives on this socket; kept until it ends.
enum Place {
    Own { _lock: File },
    Inherited { _succession: Succession },
    Unmarked,
}

/// A directory that cannot be written to is worth a warning, not a dark screen.
fn take_place(args: &cli::Stage, first_frame: Receiver<()>) -> Result<Place, Error> {
    let path = process::lock_path(&args.socket);
    let kind = process::kind(as_config(args.target));
    match process::hold_lock(&path, kind.clone()) {
        Ok(lock) => Ok(Place::Own { _lock: lock }),
        Err(Error::Busy(_)) if args.take_over => {
            let succession = Succession::begin(path, kind, first_frame)?;
            Ok(Place::Inherited { _succession: succession })
        }
        Err(error @ Error::Busy(_)) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "an agent that starts anew will not find this stage");
            Ok(Place::Unmarked)
        }
    }
}

/// Decodes for the stage that started this process, until the stage lets go.
pub fn media_worker() -> Result<(), Error> {
    log::start(&Log { filter: "info".to_owned(), format: LogFormat::Text });
    worker::inherited_socket().and_then(worker::run).map_err(|error| Error::Worker(chain(&error)))
}

/// What the stage draws on.
pub fn output(target: cli::Target) -> Output {
    match target {
        cli::Target { offscreen: Some(size), .. } => Output::Offscreen(size),
        cli::Target { windowed: Some(size), .. } => Output::Windowed(size),
        cli::Target { .. } => Output::Fullscreen,
    }
}

/// The same as the settings have it.
fn as_config(target: cli::Target) -> ConfigOutput {
    match output(target) {
        Output::Fullscreen => ConfigOutput::Fullscreen,
        Output::Windowed(Size { width_px, height_px }) => {
            ConfigOutput::Windowed { width_px, height_px }
        }
        Output::Offscreen(Size { width_px, height_px }) => {
            ConfigOutput::Offscreen { width_px, height_px }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_display_is_told_without_the_librarys_own_affairs() {
        for (given, want) in [
            (
                "os error at /x/winit-0.30/src/linux/mod.rs:765: DISPLAY is not set.",
                "DISPLAY is not set",
            ),
            ("cannot connect: refused", "cannot connect: refused"),
            ("", ""),
        ] {
            assert_eq!(without_source(given), want);
        }
    }
}
