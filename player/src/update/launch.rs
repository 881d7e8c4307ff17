//! The first step of `vitrine run` and `vitrine stage`: become the version that is due.
//!
//! Only the package's program decides. What it starts finds [`PACKAGE`] in its environment and goes
//! on with its work; when another version is due, the package's program takes over again.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use semver::Version;
use vitrine_config::Config;

use super::files::Releases;
use super::guardian::{Ended, Guardian};
use super::own_version;
use super::state::{Release, Start, State};
use crate::error::Error;
use crate::run::{self, Over};
use crate::signals::Signals;
use crate::{cli, log, settings};

/// Variable with the path of the package's program; set in every version that it starts.
pub const PACKAGE: &str = "VITRINE_PACKAGE";
/// Variable with the package's version.
const PACKAGE_VERSION: &str = "VITRINE_PACKAGE_VERSION";
/// Variable that is set in a version that a guardian watches.
pub const GUARDED: &str = "VITRINE_ON_TRIAL";

/// `vitrine run`
pub fn run(args: &cli::Settings) -> Result<(), Error> {
    if let Some(package) = package() {
        return work(args, &package, std::env::var_os(GUARDED).is_some());
    }
    let config = settings::load(&settings::sources(args))?;
    let package = std::env::current_exe().map_err(Error::file("/proc/self/exe", "read"))?;
    let releases = Releases::of(&config.paths.state_dir);
    let launcher = Launcher { config, package, releases };
    while let Some(next) = launcher.next()? {
        if let Next::Over = next {
            return Ok(());
        }
    }
    work(args, &launcher.package, false)
}

/// Is the agent, until it ends or another version is due.
fn work(args: &cli::Settings, package: &Path, guarded: bool) -> Result<(), Error> {
    match run::run(args)? {
        Over::Stopped => Ok(()),
        // The guardian sees the end and starts what is due.
        Over::Relieved if guarded => Ok(()),
        Over::Relieved => Err(become_program(package, own_arguments(), None)),
    }
}

/// Path of the package's program, if this is not it.
fn package() -> Option<PathBuf> {
    std::env::var_os(PACKAGE).map(PathBuf::from)
}

/// Version that the package has brought.
pub fn package_version() -> Version {
    let told = std::env::var(PACKAGE_VERSION).ok().and_then(|text| text.parse().ok());
    told.unwrap_or_else(own_version)
}

/// The environment of a version that the package's program starts.
pub fn as_chosen(command: &mut Command, package: &Path) {
    command.env(PACKAGE, package).env(PACKAGE_VERSION, own_version().to_string());
}

fn own_arguments() -> impl Iterator<Item = std::ffi::OsString> {
    std::env::args_os().skip(1)
}

/// Becomes another program; returns only if that does not work.
fn become_program(
    program: &Path,
    arguments: impl Iterator<Item = std::ffi::OsString>,
    package: Option<&Path>,
) -> Error {
    let mut command = Command::new(program);
    command.arg0("vitrine").args(arguments);
    command.env_remove(GUARDED).env_remove(PACKAGE).env_remove(PACKAGE_VERSION);
    if let Some(package) = package {
        as_chosen(&mut command, package);
    }
    Error::file(program, "start")(command.exec())
}

/// What follows a step of the launcher.
enum Next {
    /// Decide again.
    Again,
    /// Somebody asked us to stop.
    Over,
}

struct Launcher {
    config: Config,
    package: PathBuf,
    releases: Releases,
}

impl Launcher {
    /// Does what is due; None: the package's own program is.
    fn next(&self) -> Result<Option<Next>, Error> {
        match self.due() {
            Start::Package => Ok(None),
            Start::Release(release) => {
                let program = self.releases.program(&release);
                let error = become_program(&program, own_arguments(), Some(&self.package));
                self.note(|state| state.drop_current(error.to_string()));
                Ok(Some(Next::Again))
            }
            Start::Trial(release) => self.try_out(&release).map(Some),
        }
    }

    /// Where there never was an update nothing is touched.
    fn due(&self) -> Start {
        if !self.releases.is_there() {
            return Start::Package;
        }
        let whole = |release: &Release| self.releases.whole(release);
        let due = self.releases.change(|state| state.next_start(&own_version(), whole));
        due.unwrap_or_else(|error| {
            // Nothing can be noted, so nothing may be tried.
            self.listen_to(&error);
            let state = self.releases.read();
            State { trial: None, ..state }.next_start(&own_version(), whole)
        })
    }

    fn try_out(&self, release: &Release) -> Result<Next, Error> {
        log::start(&self.config.log);
        let mut signals = Signals::listen()?;
        let Launcher { config, package, releases } = self;
        let ended = Guardian { releases, config, package }.watch(release, &mut signals)?;
        tracing::info!(version = %release.version, ?ended, "the trial's process has ended");
        match ended {
            Ended::Stopped => {
                self.note(State::stopped);
                return Ok(Next::Over);
            }
            Ended::Left => self.note(|state| state.died("it ended by itself".to_owned())),
            Ended::Died { good: true, .. } => return Err(Error::Ended("the player")),
            Ended::Died { how, good: false } => self.note(|state| state.died(how)),
            Ended::Late => {
                let within_s = config.update.present_within.as_secs();
                self.note(|state| {
                    state.give_up(format!("it has shown no content within {within_s} s"));
                });
            }
        }
        Ok(Next::Again)
    }

    fn note(&self, change: impl FnOnce(&mut State)) {
        if let Err(error) = self.releases.change(change) {
            self.listen_to(&error);
        }
    }

    fn listen_to(&self, error: &std::io::Error) {
        log::start(&self.config.log);
        tracing::warn!(%error, "what is known of updates cannot be kept");
    }
}

/// `vitrine stage --releases DIR`: the stage of the version whose agent runs. Returns if that is the
/// one that is running already.
pub fn stage(releases: &Path) {
    if package().is_some() {
        return;
    }
    let releases = Releases::at(releases.to_owned());
    let state = releases.read();
    let due = state.due().filter(|release| release.version > own_version());
    let Some(release) = due.filter(|release| releases.whole(release).is_ok()) else { return };
    let Ok(package) = std::env::current_exe() else { return };
    let error = become_program(&releases.program(release), own_arguments(), Some(&package));
    crate::out::complain(&format!("{error}; going on with {}", own_version()));
}
