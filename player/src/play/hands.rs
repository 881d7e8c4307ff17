//! The hands of the director in `vitrine play`: the link to the stage, pictures, the tally.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use vitrine_config::time::{Mono, Now};
use vitrine_render::link::AgentLink;
use vitrine_render::report::{NO_GPU, Report};
use vitrine_render::scene::Turn;

use super::tally::Tally;
use super::{end, picture_name};
use crate::director_loop::Hands;
use crate::event::{Answer, Command, Effect, Event, StageEvent};
use crate::status::Status;
use crate::{cli, out};

/// Number of the question which showings there are; questions for pictures have the place of
/// their item.
const STATUS: u64 = 0;
/// Pictures that are still owed when the end has come are waited for this long.
const LAST_PICTURES_WITHIN: Duration = Duration::from_secs(2);
/// From the request to end to the end of the stage.
const QUIT_WITHIN: Duration = Duration::from_secs(1);

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Playing,
    /// Everything was played, or the time is over: pictures are still owed.
    Ending {
        until: Mono,
    },
    /// The stage has been asked to end.
    Quitting {
        until: Mono,
    },
    /// Nothing is left to be done.
    Over,
}

/// What the hands hold.
pub struct PlayHands {
    link: AgentLink,
    tally: Tally,
    end: Option<Mono>,
    /// Set by a signal.
    stop: Arc<AtomicBool>,
    phase: Phase,
    json: bool,
    snapshot_dir: Option<PathBuf>,
    /// Turns whose first frame was presented and whose item is not known yet.
    fresh: BTreeMap<Turn, Mono>,
    /// Those that the director is being asked about.
    naming: BTreeMap<Turn, Mono>,
    /// Items whose picture is to be asked for.
    wanted_pictures: Vec<usize>,
    /// Items whose picture has been asked for.
    owed_pictures: Vec<usize>,
}

impl PlayHands {
    /// For one run of the program.
    pub fn new(args: &cli::Play, link: AgentLink, tally: Tally, stop: Arc<AtomicBool>) -> Self {
        PlayHands {
            link,
            end: end(args, tally.started()),
            tally,
            stop,
            phase: Phase::Playing,
            json: args.format.json,
            snapshot_dir: args.snapshot.clone(),
            fresh: BTreeMap::new(),
            naming: BTreeMap::new(),
            wanted_pictures: Vec::new(),
            owed_pictures: Vec::new(),
        }
    }

    /// What was counted.
    pub fn into_tally(self) -> Tally {
        self.tally
    }
}

impl Hands for PlayHands {
    fn see(&mut self, event: &Event, _now: &Now) {
        match event {
            Event::Stage(StageEvent::Report(report)) => {
                self.tally.count(report);
                match report {
                    Report::Shown { turn, at } => drop(self.fresh.insert(*turn, *at)),
                    Report::Hello(hello) if hello.gpu.starts_with(NO_GPU) => {
                        self.complain(&format!("no picture: GPU {}", hello.gpu));
                    }
                    _ => {}
                }
            }
            Event::Stage(StageEvent::Down { .. }) => self.phase = Phase::Over,
            _ => {}
        }
    }

    fn carry_out(&mut self, effect: Effect, now: &Now) {
        match effect {
            Effect::Wish(wish) => self.link.wish(*wish),
            Effect::Snapshot { id } => self.link.snapshot(id),
            Effect::Fault(fault) | Effect::FaultOnce { fault, .. } => self.complain(&fault.detail),
            Effect::Answer { ask: STATUS, answer } => self.name_showings(answer),
            Effect::Answer { ask, answer } => self.take_picture(ask, answer),
            Effect::Finished => self.finish(now.mono),
            // There is no cloud, and no service manager.
            Effect::Sync(_) | Effect::Ready | Effect::Alive => {}
            Effect::Content | Effect::Hindered => {}
            Effect::TryRelease(_) | Effect::SendBack(_) | Effect::GiveWay => {}
        }
    }

    fn own_event(&mut self, now: &Now) -> Option<Event> {
        self.advance(now.mono);
        if let Some(nth) = self.wanted_pictures.pop() {
            self.owed_pictures.push(nth);
            let ask = u64::try_from(nth).unwrap_or(u64::MAX);
            return Some(Event::Command { ask, command: Command::Screenshot });
        }
        if self.fresh.is_empty() {
            return None;
        }
        self.naming.append(&mut self.fresh);
        Some(Event::Command { ask: STATUS, command: Command::Status })
    }

    fn deadline(&self) -> Option<Mono> {
        match self.phase {
            Phase::Playing => self.end,
            Phase::Ending { until } | Phase::Quitting { until } => Some(until),
            Phase::Over => None,
        }
    }

    fn done(&self, _now: &Now) -> bool {
        self.phase == Phase::Over
    }
}

impl PlayHands {
    /// That the stage ends when it is asked to is no trouble.
    fn complain(&self, text: &str) {
        if matches!(self.phase, Phase::Playing | Phase::Ending { .. }) {
            out::complain(text);
        }
    }

    fn finish(&mut self, now: Mono) {
        if self.phase == Phase::Playing {
            self.phase = Phase::Ending { until: now.after(LAST_PICTURES_WITHIN) };
        }
    }

    fn advance(&mut self, now: Mono) {
        if self.stop.load(Ordering::Relaxed) || self.end.is_some_and(|end| end <= now) {
            self.finish(now);
        }
        let owed = !self.owed_pictures.is_empty() || !self.wanted_pictures.is_empty();
        match self.phase {
            Phase::Ending { until } if !owed || until <= now => {
                self.link.quit();
                self.phase = Phase::Quitting { until: now.after(QUIT_WITHIN) };
            }
            Phase::Quitting { until } if until <= now => self.phase = Phase::Over,
            _ => {}
        }
    }

    /// Gives the fresh turns their names. Turns that the director does not name are cards.
    fn name_showings(&mut self, answer: Answer) {
        let turns = std::mem::take(&mut self.naming);
        if let Answer::Status(status) = answer {
            for (turn, at) in turns {
                self.name_showing(&status, turn, at);
            }
        }
    }

    fn name_showing(&mut self, status: &Status, turn: Turn, at: Mono) {
        let Some(showing) = status.showing.iter().find(|showing| showing.turn == turn) else {
            return;
        };
        let Some(nth) = self.tally.shown(showing, at) else { return };
        if self.snapshot_dir.is_some() {
            self.wanted_pictures.push(nth);
        }
        if let Some(item) = self.tally.item(nth).filter(|_| !self.json) {
            let seconds = Duration::from_millis(item.shown_after_ms).as_secs_f64();
            // A lost terminal is told at the end.
            let _ = out::print(&format!("{seconds:8.3} s  {nth:2}  {}", item.name));
        }
    }

    fn take_picture(&mut self, ask: u64, answer: Answer) {
        let Some(place) = self.owed_pictures.iter().position(|nth| *nth as u64 == ask) else {
            return;
        };
        let nth = self.owed_pictures.swap_remove(place);
        let Some((dir, item)) = self.snapshot_dir.as_ref().zip(self.tally.item(nth)) else {
            return;
        };
        match answer {
            Answer::Screenshot(png) => {
                let path = dir.join(picture_name(nth, &item.name));
                match save(&path, &png) {
                    Ok(()) => item.picture = Some(path.display().to_string()),
                    Err(error) => out::complain(&format!("{}: {error}", path.display())),
                }
            }
            Answer::Refused(why) => out::complain(&format!("no picture of {}: {why}", item.name)),
            Answer::Done | Answer::Told(_) | Answer::Status(_) => {}
        }
    }
}

/// A picture for a person who looks on: not worth waiting for the medium.
fn save(path: &std::path::Path, png: &[u8]) -> std::io::Result<()> {
    std::io::Write::write_all(&mut std::fs::File::create(path)?, png)
}
