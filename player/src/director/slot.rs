//! What comes next, and what has the one seat that the stage has for it.
//!
//! A scene of several lanes has several changes ahead, a stage takes one. The one that comes first
//! has the seat, from a lead before its moment on: what is prepared sooner costs memory for longer.
//! When a file does not tell its length, its end has the seat until the lead before the first change
//! whose moment is known: if it ends in between, its last frame stays that much longer, and
//! [`vitrine_render::report::Report::Ended`] puts it first in line.

use std::time::Duration;

use vitrine_config::time::Mono;
use vitrine_render::scene::{Start, Turn};

use super::programme::Programme;
use super::showing::Showing;
use super::stack::Overlays;
use crate::playlist::Step;

/// Changes closer together than this are one: two zones with the same rhythm change together.
pub const TOGETHER: Duration = Duration::from_millis(100);

/// What the stage has been told to prepare.
#[derive(Debug)]
pub struct Slot {
    /// When it takes over.
    pub start: Start,
    /// What it changes.
    pub change: Change,
}

/// The step from the wanted picture to the next one.
#[derive(Debug)]
pub enum Change {
    /// These lanes of the programme go on.
    Lanes(Vec<(usize, Showing)>),
    /// Other entries of the schedule take over.
    TakeOver {
        /// None: the programme stays.
        main: Option<Programme>,
        /// None: the overlays stay.
        overlays: Option<Overlays>,
    },
    /// All was played, as asked: the background under this number.
    Curtain(Turn),
}

impl Slot {
    /// Every showing in it that is not on the screen already.
    pub fn showings(&self) -> impl Iterator<Item = &Showing> {
        let lanes = match &self.change {
            Change::Lanes(lanes) => &lanes[..],
            Change::TakeOver { .. } | Change::Curtain(_) => &[],
        };
        let of_lanes = lanes.iter().map(|(_, showing)| showing);
        of_lanes.chain(self.programmes().flat_map(Programme::showings))
    }

    /// Every showing in it that is not on the screen already.
    pub fn showings_mut(&mut self) -> Box<dyn Iterator<Item = &mut Showing> + '_> {
        match &mut self.change {
            Change::Lanes(lanes) => Box::new(lanes.iter_mut().map(|(_, showing)| showing)),
            Change::TakeOver { main, overlays } => {
                let fresh = overlays.iter_mut().flat_map(|overlays| &mut overlays.fresh);
                Box::new(main.iter_mut().chain(fresh).flat_map(Programme::showings_mut))
            }
            Change::Curtain(_) => Box::new(std::iter::empty()),
        }
    }

    /// The programmes that begin with it.
    pub fn programmes(&self) -> impl Iterator<Item = &Programme> {
        let (main, overlays) = match &self.change {
            Change::TakeOver { main, overlays } => (main.as_ref(), overlays.as_ref()),
            Change::Lanes(_) | Change::Curtain(_) => (None, None),
        };
        main.into_iter().chain(overlays.into_iter().flat_map(|overlays| &overlays.fresh))
    }

    /// The programmes that begin with it.
    pub fn programmes_mut(&mut self) -> impl Iterator<Item = &mut Programme> {
        let (main, overlays) = match &mut self.change {
            Change::TakeOver { main, overlays } => (main.as_mut(), overlays.as_mut()),
            Change::Lanes(_) | Change::Curtain(_) => (None, None),
        };
        main.into_iter().chain(overlays.into_iter().flat_map(|overlays| &mut overlays.fresh))
    }

    /// Whether `turn` first comes on the screen with this change.
    pub fn brings(&self, turn: Turn) -> bool {
        match &self.change {
            Change::Curtain(curtain) => *curtain == turn,
            Change::Lanes(_) | Change::TakeOver { .. } => self.showings().any(|s| s.turn == turn),
        }
    }

    /// Whether it is about `lane` and nothing else.
    pub fn is_only_about(&self, lane: usize) -> bool {
        matches!(&self.change, Change::Lanes(lanes) if lanes.len() == 1 && lanes[0].0 == lane)
    }
}

/// A change that lies ahead.
#[derive(Debug, Clone, PartialEq)]
pub struct Ahead {
    /// When it comes.
    pub start: Start,
    /// The moment, where it is known.
    pub due: Option<Mono>,
    /// What comes.
    pub what: What,
}

/// What lies ahead.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Lanes go on to these items.
    Lanes(Vec<(usize, Step)>),
    /// The entries at these places of the schedule take over.
    TakeOver {
        /// None: the programme stays.
        main: Option<usize>,
        /// Back to front. None: the overlays stay.
        overlays: Option<Vec<usize>>,
    },
    /// The end.
    Curtain,
}

/// Chooses who gets the seat, and when to choose again. `lead`: from how long before its moment on.
pub fn seat(ahead: Vec<Ahead>, lead: Duration, now: Mono) -> (Option<Ahead>, Option<Mono>) {
    let (known, open): (Vec<_>, Vec<_>) = ahead.into_iter().partition(|a| a.due.is_some());
    let first = known.iter().filter_map(|a| a.due).min();
    let wait = first.map(|first| first.before(lead)).filter(|at| now < *at);
    if wait.is_some() || first.is_none() {
        return (open.into_iter().next(), wait);
    }
    (first.and_then(|first| together(known, first)), None)
}

/// The change at `first`, with the lanes that change in the same moment.
fn together(known: Vec<Ahead>, first: Mono) -> Option<Ahead> {
    let (at_first, later): (Vec<_>, Vec<_>) = known.into_iter().partition(|a| a.due == Some(first));
    let mut chosen = None::<Ahead>;
    for ahead in at_first.into_iter().chain(later) {
        let close = ahead.due.is_some_and(|due| due.since(first) <= TOGETHER);
        match (&mut chosen, ahead) {
            (None, ahead) => chosen = Some(ahead),
            (
                Some(Ahead { what: What::Lanes(lanes), .. }),
                Ahead { what: What::Lanes(more), .. },
            ) if close && more.iter().all(|(lane, _)| lanes.iter().all(|(l, _)| l != lane)) => {
                lanes.extend(more);
            }
            _ => {}
        }
    }
    chosen
}
