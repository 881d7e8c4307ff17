//! `vitrine play`: files and folders on the screen, with no cloud and no settings.
//!
//! The same director and the same stage as in `vitrine run`, in one process: the stage has the
//! main thread, because windows demand it, the director a thread beside it, and they talk over the
//! same link. The director has decided before the display is open.

mod hands;
mod tally;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use jiff::tz::TimeZone;
use vitrine_config::Config;
use vitrine_config::model::{Log, LogFormat};
use vitrine_config::time::{Clock, Mono};
use vitrine_render::link::{self, Agent, AgentLink, Heard};
use vitrine_render::{Output, StageError, StageOptions, WorkerCommand};
use vitrine_sync::feed::folder;
use vitrine_sync::model::Live;

use crate::clock::{SystemClock, read_mono};
use crate::director::{Director, StartFacts};
use crate::error::{Error, chain};
use crate::event::{Event, StageEvent};
use crate::inbox::{Poster, inbox};
use crate::{cli, director_loop, host, log, out, settings, signals, stage_cmd};
use hands::PlayHands;
use tally::Tally;

/// Plays until the end that was asked for, Ctrl-C, or the window is closed.
pub fn play(args: &cli::Play) -> Result<(), Error> {
    let started = read_mono();
    log::start(&Log { filter: args.log_level.clone(), format: LogFormat::Text });
    let output = output(args)?;
    let live = content(&args.paths)?;
    if let Some(dir) = &args.snapshot {
        settings::make_dir(dir)?;
    }
    let (poster, inbox) = inbox();
    let stop = Arc::new(AtomicBool::new(false));
    let _signals = {
        let (stop, poster) = (Arc::clone(&stop), poster.clone());
        signals::Watcher::start(move || {
            stop.store(true, Ordering::Relaxed);
            // Full: the loop is awake anyway.
            let _ = poster.offer(Event::Tick);
        })?
    };
    let (near, far) = link::pair().map_err(|error| Error::Stage(chain(&error)))?;
    let link = {
        let poster = poster.clone();
        AgentLink::join(near, move |heard| hear(&poster, heard))
    };
    let link = link.map_err(|error| Error::Stage(chain(&error)))?;
    let started_with = vitrine_sync::Event::Started {
        live: Some(Arc::new(live)),
        paired: None,
        latest_time: None,
    };
    // The first in the inbox: there is room.
    let _ = poster.offer(Event::Sync(started_with));
    let clock = Arc::new(SystemClock::new());
    let hands = PlayHands::new(args, link, Tally::new(started), stop);
    let director = direct(args, inbox, Arc::clone(&clock), hands)?;
    let options = StageOptions {
        output,
        agent: Agent::Pair(far),
        worker: WorkerCommand::default(),
        first_frame: None,
    };
    let ran = vitrine_render::run(options, clock);
    poster.close();
    // A panic has been reported by the panic hook already.
    let tally = director.join().map_err(|_| Error::Ended("the director"))?;
    ran.map_err(no_screen)?;
    tally.print(args)
}

/// Said before anything is opened, because the way out is on this command line.
fn output(args: &cli::Play) -> Result<Output, Error> {
    let output = stage_cmd::output(args.target);
    let display = ["WAYLAND_DISPLAY", "WAYLAND_SOCKET", "DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    match output {
        Output::Offscreen(_) => Ok(output),
        _ if display => Ok(output),
        _ => Err(Error::NoDisplay(format!(
            "neither WAYLAND_DISPLAY nor DISPLAY is set; {ELSE_OFFSCREEN}"
        ))),
    }
}

const ELSE_OFFSCREEN: &str = "start it inside a graphical session, or without a display with \
                              --offscreen 1280x720 --snapshot DIR";

fn no_screen(error: StageError) -> Error {
    match stage_cmd::cannot_run(error) {
        Error::NoDisplay(why) => Error::NoDisplay(format!("{why}; {ELSE_OFFSCREEN}")),
        error => error,
    }
}

/// What can be played, with a complaint for everything that cannot.
fn content(paths: &[PathBuf]) -> Result<Live, Error> {
    let there = there(paths);
    let paths = if there.is_empty() { paths } else { &there };
    let (live, complaints) =
        folder::load(paths).map_err(|error| Error::NothingToPlay(chain(&error)))?;
    for complaint in &complaints {
        out::complain(&format!("{}: {}", complaint.place, complaint.text));
    }
    Ok(live)
}

/// The paths that can be looked at; each other one gets its complaint, and the rest plays.
fn there(paths: &[PathBuf]) -> Vec<PathBuf> {
    let looked_at = |path: &&PathBuf| match look_at(path) {
        Ok(()) => true,
        Err(error) => {
            out::complain(&format!("{}: {error}", path.display()));
            false
        }
    };
    paths.iter().filter(looked_at).cloned().collect()
}

fn look_at(path: &Path) -> std::io::Result<()> {
    if std::fs::metadata(path)?.is_dir() {
        std::fs::read_dir(path)?;
    }
    Ok(())
}

/// Runs on the link's threads; for a refused picture on the director's own, which must not wait.
fn hear(poster: &Poster, heard: Heard) {
    let event = match heard {
        Heard::Up(hello) => StageEvent::Up(hello),
        Heard::Report(report) => StageEvent::Report(report),
        Heard::Down { why, .. } => StageEvent::Down { why },
        Heard::Snapshot { id, png } => {
            let _ = poster.offer(Event::Stage(StageEvent::Snapshot { id, png: png.map(Arc::new) }));
            return;
        }
    };
    // Closed: the player ends.
    let _ = poster.wait(Event::Stage(event));
}

fn direct(
    args: &cli::Play,
    inbox: Receiver<Event>,
    clock: Arc<SystemClock>,
    mut hands: PlayHands,
) -> Result<JoinHandle<Tally>, Error> {
    let mut config = Config::default();
    config.playback.image_duration = args.image_duration;
    config.audio.device = args.audio.clone();
    config.screen.rotation = args.rotate;
    config.screen.displays = args.displays;
    let facts = StartFacts {
        release: settings::release(),
        host_name: host::name(),
        once: args.once,
        time_zone: TimeZone::system(),
        seed: rand::random(),
    };
    Builder::new()
        .name("director".into())
        .spawn(move || {
            let mut director = Director::new(Arc::new(config), facts, &clock.now());
            director_loop::run(&mut director, &inbox, &*clock, &mut hands);
            hands.into_tally()
        })
        .map_err(|source| Error::Thread { name: "director", source })
}

/// When `--for` ends.
fn end(args: &cli::Play, started: Mono) -> Option<Mono> {
    args.for_s.map(|seconds| started.after(Duration::from_secs(u64::from(seconds.get()))))
}

/// The name of a picture: the place in the order of showing, then the file's name, so far as it
/// can be a file name.
fn picture_name(nth: usize, label: &str) -> String {
    let stem = Path::new(label).file_stem().unwrap_or_default().to_string_lossy();
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let stem: String = stem.chars().map(safe).take(PICTURE_NAME_CHARS).collect();
    format!("{nth:02}-{stem}.png")
}

/// Keeps names below the 255 bytes that a file name may have.
const PICTURE_NAME_CHARS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_named_after_files_and_never_lead_elsewhere() {
        for (nth, label, want) in [
            (1, "cat.jpg", "01-cat.png"),
            (12, "a b&c.webp", "12-a_b_c.png"),
            (3, "../../etc/passwd", "03-passwd.png"),
            (4, "", "04-.png"),
            (5, "ümlaut.png", "05-ümlaut.png"),
        ] {
            assert_eq!(picture_name(nth, label), want);
        }
        assert!(picture_name(1, &"ü".repeat(300)).len() <= 255);
    }
}
