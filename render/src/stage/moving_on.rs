//! When the stage moves on, and to which scene: the one that is wanted as soon as it is prepared, the
//! next one at its start.

use std::collections::BTreeSet;
use std::time::Duration;

use vitrine_config::time::Mono;

use super::{Stage, turns};
use crate::scene::{Scene, Start};

/// What comes up to this much after its moment came in time: several refreshes of a busy display.
/// Its own time counts from that moment.
const IN_TIME: Duration = Duration::from_millis(100);
/// Turns remembered as left behind. A wish that is on its way while the stage moves on is a few
/// milliseconds old: a handful would do.
const LEFT_BEHIND: usize = 64;

/// Which scene comes now.
pub(super) enum Upcoming {
    Wanted,
    Next,
}

impl Stage {
    /// Makes `current` what it should be by now. When that was to be, if it is in time.
    pub(super) fn advance(&mut self, now: Mono) -> Option<Mono> {
        let mut due_at = None;
        match self.upcoming(now) {
            Some(Upcoming::Wanted) => {
                if let Some(scene) = self.wanted.take() {
                    self.take_on(scene, now);
                }
            }
            Some(Upcoming::Next) => {
                if let Some(next) = self.next.take() {
                    due_at = self.due_at(next.start).filter(|at| now.since(*at) <= IN_TIME);
                    self.move_on(next.scene, now);
                }
            }
            None => return None,
        }
        self.fit();
        due_at
    }

    /// Takes the next scene and remembers what was left for it.
    fn move_on(&mut self, scene: Scene, now: Mono) {
        let staying: BTreeSet<_> = turns(&scene).collect();
        let passed_over = self.wanted.take();
        let before = turns(&self.current).chain(passed_over.iter().flat_map(turns));
        self.left.extend(before.filter(|turn| !staying.contains(turn)));
        let surplus = self.left.len().saturating_sub(LEFT_BEHIND);
        self.left.drain(..surplus);
        self.take_on(scene, now);
    }

    /// Makes `scene` the current one; what it replaces may pass.
    fn take_on(&mut self, scene: Scene, now: Mono) {
        if self.frames_presented > 0 && !self.current.layers.is_empty() {
            self.passing.change(&self.current, &scene, now);
        }
        self.current = scene;
        let on: BTreeSet<_> = turns(&self.current).collect();
        for turn in self.passing.layers().map(|layer| layer.turn).filter(|turn| !on.contains(turn))
        {
            if let Some(showing) = self.showings.get_mut(&turn) {
                showing.source.leave();
            }
        }
    }

    /// The scene that should replace the current one now. The next one wins: when it is due, the
    /// wanted one is of the past.
    pub(super) fn upcoming(&self, now: Mono) -> Option<Upcoming> {
        let next = self.next.as_ref().filter(|next| self.is_prepared(&next.scene));
        if next.and_then(|next| self.due_at(next.start)).is_some_and(|at| at <= now) {
            return Some(Upcoming::Next);
        }
        self.wanted.as_ref().filter(|scene| self.is_prepared(scene)).map(|_| Upcoming::Wanted)
    }

    /// When this start comes; None while that is not known.
    pub(super) fn due_at(&self, start: Start) -> Option<Mono> {
        let turn = match start {
            Start::At(at) => return Some(at),
            Start::After { turn, .. } | Start::AtEnd { turn, .. } => turn,
        };
        let awaited = turns(&self.current).chain(self.wanted.iter().flat_map(turns));
        let Some(showing) =
            self.showings.get(&turn).filter(|_| awaited.into_iter().any(|other| other == turn))
        else {
            // Neither on the screen nor on its way there: it has had its time.
            return Some(Mono(0));
        };
        match start {
            Start::At(at) => Some(at),
            Start::After { lasts, .. } => showing.since().map(|at| at.after(lasts)),
            Start::AtEnd { early, .. } => showing.over_at(early),
        }
    }

    pub(super) fn is_prepared(&self, scene: &Scene) -> bool {
        turns(scene).all(|turn| {
            let showing = self.showings.get(&turn);
            showing.is_some_and(|showing| showing.is_prepared() || showing.shown_at.is_some())
        })
    }

    pub(super) fn is_left_behind(&self, scene: &Scene) -> bool {
        turns(scene).any(|turn| self.left.contains(&turn))
    }
}
