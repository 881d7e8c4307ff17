//! The first step of `vitrine run` and `vitrine stage`: become the version that is due.
//!
//! Only the package's program decides. What it starts finds [`PACKAGE`] in its environment and goes
//! on with its work; when another version is due, the package's program takes over again.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal};
use semver::Version;
use vitrine_config::Config;

use super::files::Releases;
use super::guardian::{Ended, Guardian};
use super::lives::{DEATHS_MAX, Life, MARK, Mark};
use super::state::{Release, Start, State};
use super::{is_shortage, own_version};
use crate::clock::read_mono;
use crate::error::Error;
use crate::run::{self, Over};
use crate::signals::Signals;
use crate::{cli, log, settings};

/// Variable with the path of the package's program; set in every version that it starts.
pub const PACKAGE: &str = "VITRINE_PACKAGE";
/// Variable with the package's version.
const PACKAGE_VERSION: &str = "VITRINE_PACKAGE_VERSION";
/// Variable with the guardian's process id, set in a version that one watches.
pub const GUARDED: &str = "VITRINE_ON_TRIAL";

/// `vitrine run`
pub fn run(args: &cli::Settings) -> Result<(), Error> {
    if let Some(package) = package() {
        let guardian = std::env::var(GUARDED).ok();
        if let Some(guardian) = &guardian {
            end_with(guardian);
        }
        return work(args, &package, guardian.is_some());
    }
    let config = settings::load(&settings::sources(args))?;
    let package = std::env::current_exe().map_err(Error::file("/proc/self/exe", "read"))?;
    let releases = Releases::of(&config.paths.state_dir);
    let mark = Mark::of(&config.paths.runtime_dir);
    let launcher = Launcher { config, package, releases, mark };
    while let Some(next) = launcher.next()? {
        if let Next::Over = next {
            return Ok(());
        }
    }
    work(args, &launcher.package, false)
}

/// Is the agent, until it ends or another version is due.
fn work(args: &cli::Settings, package: &Path, guarded: bool) -> Result<(), Error> {
    let life = Life::take_up();
    let over = run::run(args)?;
    if let Some(life) = life {
        life.end();
    }
    match over {
        Over::Stopped => Ok(()),
        // The guardian sees the end and starts what is due.
        Over::Relieved if guarded => Ok(()),
        Over::Relieved => Err(become_program(&mut as_package(package))),
    }
}

/// Without its guardian a version on trial would be in the way of the next one for good. It is killed,
/// not asked to end: that leaves the stage with its picture for whoever comes next.
fn end_with(guardian: &str) {
    // Cannot fail; the thread that it is about is the guardian's first.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let guardian = guardian.parse().ok().and_then(Pid::from_raw);
    if guardian.is_some_and(|pid| rustix::process::test_kill_process(pid).is_err()) {
        // It died before the first line.
        let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
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

/// Another version with our own arguments, as the package's program starts it.
pub fn as_chosen(program: &Path, package: &Path) -> Command {
    let mut command = as_package(program);
    command.env(PACKAGE, package).env(PACKAGE_VERSION, own_version().to_string());
    command
}

/// The package's program with our own arguments: it decides anew.
fn as_package(package: &Path) -> Command {
    let mut command = Command::new(package);
    command.arg0("vitrine").args(std::env::args_os().skip(1));
    for variable in [GUARDED, PACKAGE, PACKAGE_VERSION, MARK] {
        command.env_remove(variable);
    }
    command
}

/// Becomes another program; returns only if that does not work.
fn become_program(command: &mut Command) -> Error {
    let program = PathBuf::from(command.get_program());
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
    mark: Mark,
}

impl Launcher {
    /// Does what is due; None: the package's own program is.
    fn next(&self) -> Result<Option<Next>, Error> {
        match self.due() {
            Start::Package => Ok(None),
            Start::Release(release) => {
                let noted = match self.dies_too_often(&release) {
                    // Something newer than the package runs: there is something to go back to.
                    Some(why) => self.note(|state| drop(state.roll_back(&why))),
                    None => {
                        let program = self.releases.program(&release);
                        let mut command = as_chosen(&program, &self.package);
                        let error = become_program(command.env(MARK, self.mark.path()));
                        // A shortage passes, and is counted: this is a start like those that died.
                        if matches!(&error, Error::File { source, .. } if is_shortage(source)) {
                            return Err(error);
                        }
                        self.note(|state| state.drop_current(error.to_string()))
                    }
                };
                // Else it would be due again at once, and again.
                Ok(noted.is_some().then_some(Next::Again))
            }
            Start::Trial(release) => self.try_out(&release).map(Some),
        }
    }

    /// A version that has proved itself is about to be started: why it should not be.
    fn dies_too_often(&self, release: &Release) -> Option<String> {
        let deaths = self.mark.leave(&release.version, read_mono()).unwrap_or_else(|error| {
            self.listen_to(&error);
            0
        });
        (deaths >= DEATHS_MAX)
            .then(|| format!("it had proved itself, but then died {deaths} times in a short time"))
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
        let Launcher { config, package, releases, .. } = self;
        let ended = Guardian { releases, config, package }.watch(release, &mut signals)?;
        tracing::info!(version = %release.version, ?ended, "the trial's process has ended");
        match ended {
            Ended::Stopped => {
                self.note(State::stopped);
                return Ok(Next::Over);
            }
            Ended::Left => self.note(|state| state.died("it ended by itself".to_owned())),
            Ended::Died { good: true, .. } => {
                // The next start finds the mark and counts this death.
                self.dies_too_often(release);
                return Err(Error::Ended("the player"));
            }
            Ended::Died { how, good: false } => self.note(|state| state.died(how)),
            Ended::Short(why) => self.note(|state| state.drop_trial(why)),
            Ended::Hindered => {
                let why = "its own stage cannot be put on the screen, because nobody here is known to \
                           start one when asked: what has started the stage that is there has to be \
                           started anew (`systemctl restart vitrine-kiosk`)";
                self.note(|state| state.doubt_trial(why.to_owned()))
            }
            Ended::Late => {
                let within_s = config.update.present_within.as_secs();
                let why = format!("it has shown no content within {within_s} s");
                self.note(|state| state.give_up(why))
            }
        };
        Ok(Next::Again)
    }

    /// None: it could not be noted.
    fn note<T>(&self, change: impl FnOnce(&mut State) -> T) -> Option<T> {
        self.releases.change(change).map_err(|error| self.listen_to(&error)).ok()
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
    let error = become_program(&mut as_chosen(&releases.program(release), &package));
    crate::out::complain(&format!("{error}; going on with {}", own_version()));
}
