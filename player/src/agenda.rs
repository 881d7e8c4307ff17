//! What is due now and what will be next, on the steady clock.
//!
//! The wall clock is read once into an anchor and followed by the steady clock from there, so that
//! an edge promised to the stage stays where it is. Only when the two drift apart by more than
//! [`DRIFT`], or belief in the clock changes, is the anchor set anew and the schedule asked again.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use vitrine_config::time::{Mono, Now, Trust};

use crate::playlist::{Failures, Stock};
use crate::schedule::{Asked, Due, resolve};
use vitrine_sync::model::Live;

/// How far the wall clock may move against the steady one before it counts: a network clock that
/// is being slewed moves an edge by less than three frames, a step is seen at once.
const DRIFT: Duration = Duration::from_millis(100);

/// What is due, until when, and what then.
#[derive(Debug)]
pub struct Agenda {
    anchor: Now,
    zone: TimeZone,
    displays: u8,
    stale: bool,
    due: Option<Due>,
    then: Option<(Mono, Due)>,
    recheck_at: Option<Mono>,
}

impl Agenda {
    /// Nothing is known yet.
    pub fn new(zone: TimeZone, now: &Now) -> Agenda {
        let (due, then, recheck_at) = (None, None, None);
        Agenda { anchor: *now, zone, displays: 1, stale: true, due, then, recheck_at }
    }

    /// Another zone to read the schedule in.
    pub fn set_zone(&mut self, zone: TimeZone) {
        self.zone = zone;
        self.stale = true;
    }

    /// So many displays have entries of their own.
    pub fn set_displays(&mut self, displays: u8) {
        self.stale |= self.displays != displays;
        self.displays = displays;
    }

    /// What can be shown has changed: ask again.
    pub fn doubt(&mut self) {
        self.stale = true;
    }

    /// Wall time at `mono`, as the anchor has it.
    pub fn wall(&self, mono: Mono) -> Timestamp {
        let ahead_ns = i128::from(mono.0) - i128::from(self.anchor.mono.0);
        let wall_ns = self.anchor.wall.as_nanosecond().saturating_add(ahead_ns);
        Timestamp::from_nanosecond(wall_ns).unwrap_or(self.anchor.wall)
    }

    /// Steady time at `wall`, as the anchor has it; 0 for what was before the start of the boot.
    pub fn mono(&self, wall: Timestamp) -> Mono {
        let ahead_ns = wall.as_nanosecond().saturating_sub(self.anchor.wall.as_nanosecond());
        let mono_ns = i128::from(self.anchor.mono.0).saturating_add(ahead_ns);
        Mono(u64::try_from(mono_ns.max(0)).unwrap_or(u64::MAX))
    }

    /// How far the wall clock deserves belief.
    pub fn trust(&self) -> Trust {
        self.anchor.trust
    }

    /// Looks at the clocks, and asks the schedule again if its answer may have changed. True if it
    /// was asked.
    pub fn follow(&mut self, live: &Live, failures: &Failures, now: &Now) -> bool {
        let drift_ns = now.wall.as_nanosecond().abs_diff(self.wall(now.mono).as_nanosecond());
        if drift_ns > DRIFT.as_nanos() || now.trust != self.anchor.trust {
            self.anchor = *now;
            self.stale = true;
        }
        let edge = self.then.as_ref().map(|(edge, _)| *edge);
        let passed = |at: Option<Mono>| at.is_some_and(|at| at <= now.mono);
        let ask = self.stale || passed(edge) || passed(self.recheck_at);
        if ask {
            self.ask(live, failures, now.mono);
        }
        ask
    }

    fn ask(&mut self, live: &Live, failures: &Failures, mono: Mono) {
        let stock =
            |mono| Stock { live, failures, wall: self.wall(mono), mono, trust: self.anchor.trust };
        let due_at = |mono: Mono| {
            let stock = stock(mono);
            let local = stock.wall.to_zoned(self.zone.clone());
            let has_something = |target: &_| stock.has_something(target);
            let asked = Asked { now: &local, trust: stock.trust, displays: self.displays };
            resolve(&live.manifest.schedule, &asked, &has_something)
        };
        let due = due_at(mono);
        let edge = due.until.map(|until| self.mono(until));
        let then = edge.map(|edge| (edge, due_at(edge)));
        let bound = stock(mono).next_bound().map(|bound| self.mono(bound));
        self.recheck_at = bound.into_iter().chain(failures.next_chance(mono)).min();
        (self.due, self.then, self.stale) = (Some(due), then, false);
    }

    /// What is due; None before the schedule was asked for the first time.
    pub fn due(&self) -> Option<&Due> {
        self.due.as_ref()
    }

    /// The next edge of the schedule and what is due from then on.
    pub fn then(&self) -> Option<&(Mono, Due)> {
        self.then.as_ref()
    }

    /// When the answer may change next.
    pub fn deadline(&self) -> Option<Mono> {
        let edge = self.then.as_ref().map(|(edge, _)| *edge);
        edge.into_iter().chain(self.recheck_at).min()
    }
}
