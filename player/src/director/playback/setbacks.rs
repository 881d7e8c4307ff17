//! What does not go as wished: items that fail, that are never ready, that leave too early.

use std::time::Duration;

use vitrine_config::time::{Mono, Now};
use vitrine_render::scene::Turn;
use vitrine_sync::model::Live;
use vitrine_sync::wire::record::Fault;

use super::Playback;
use crate::director::backdrop::Backdrop;
use crate::director::showing::{Lane, Showing};
use crate::director::slot::Slot;
use crate::telemetry;

/// What was wanted and has left the screen is wanted again after this, unless its successor is
/// there by then: the stage says both within one frame.
const LEFT_GRACE: Duration = Duration::from_millis(200);

impl Playback {
    /// `turn` is off the screen. The word that tells what came instead may be right behind.
    pub fn gone(&mut self, turn: Turn, now: Mono) {
        if let Some(showing) = self.showings_mut().find(|showing| showing.turn == turn) {
            showing.left_at = Some(now.after(LEFT_GRACE));
        } else if let Some(backdrop) = self.backdrops_mut().find(|b| b.turn() == turn) {
            backdrop.left_at = Some(now.after(LEFT_GRACE));
        }
    }

    /// `turn` cannot be shown, or not any more: on with something else.
    pub fn failed(&mut self, turn: Turn, error: &str, now: Mono) {
        let has_it = |lane: &Lane| lane.current.as_ref().is_some_and(|one| one.turn == turn);
        let lane = self.stack.lanes().position(has_it);
        if let Some(lane) = lane {
            self.lane_failed(lane, error, now);
        } else if let Some(slot) = self.slot.take_if(|slot| slot.brings(turn))
            && let Some(showing) = slot.showings().find(|showing| showing.turn == turn)
        {
            self.note_failure(showing, error, now);
        } else {
            self.backdrop_failed(turn, error);
        }
    }

    fn backdrop_failed(&mut self, turn: Turn, error: &str) {
        let found = self.backdrops_mut().find(|backdrop| backdrop.turn() == turn);
        if let Some(backdrop) = found.filter(|backdrop| !backdrop.has_failed()) {
            backdrop.fail();
            let detail = format!("{}: {error}; the page is shown without it", backdrop.key());
            self.faults.push(Fault { code: "backdrop_failed".into(), detail });
        }
    }

    /// Something was wrong with `turn`, which is shown all the same.
    pub fn worth_a_word(&mut self, turn: Turn, code: &str, what: &str) {
        let Some(showing) = self.showings().find(|showing| showing.turn == turn) else { return };
        let (playlist, item) = (&showing.playlist, &showing.item.id);
        let detail = format!("playlist {playlist:?}, item {item:?}: {what}");
        self.faults.push(Fault { code: code.into(), detail });
    }

    fn lane_failed(&mut self, lane: usize, error: &str, now: Mono) {
        let current = self.stack.lanes_mut().nth(lane).and_then(|lane| lane.current.take());
        let Some(showing) = current else { return };
        self.note_failure(&showing, error, now);
        // What is being prepared for this lane anyway comes now, unless it is the same again.
        let other = |slot: &Slot| slot.showings().all(|next| next.item.id != showing.item.id);
        if self.slot.as_ref().is_some_and(|slot| slot.is_only_about(lane) && other(slot)) {
            self.promote();
        } else {
            self.slot = None;
        }
    }

    fn note_failure(&mut self, showing: &Showing, error: &str, now: Mono) {
        self.agenda.doubt();
        let (playlist, item) = (&showing.playlist, &showing.item);
        if self.failures.note(playlist, &item.id, now) {
            let label = self.live.as_ref().map(|live| telemetry::label(item, &live.manifest));
            let (id, label) = (&item.id, label.unwrap_or_default());
            let detail = format!(
                "playlist {playlist:?}, item {id:?} ({label}): {error}; passed over, tried again \
                 later"
            );
            self.faults.push(Fault { code: "item_failed".into(), detail });
        }
    }

    /// Gives up what the stage was to get ready and did not.
    pub(super) fn pass_over_the_overdue(&mut self, now: Mono, blameless: Option<&[Turn]>) {
        let prepare = self.patience.within(self.config.playback.prepare, 0);
        let items = self.showings().map(|s| (s.turn, self.within(s), s.overdue_at(self.within(s))));
        let backdrops = self.backdrops().map(|b| (b.turn(), prepare, b.overdue_at(prepare)));
        let all = items.chain(backdrops);
        let late = all.filter(|(_, _, at)| at.is_some_and(|at| at <= now));
        let late: Vec<(Turn, Duration)> = late.map(|(turn, within, _)| (turn, within)).collect();
        for (turn, within) in late {
            if blameless.is_some_and(|blameless| !blameless.contains(&turn)) {
                self.too_late(turn, within, now);
            } else {
                self.wait_anew(turn, now);
            }
        }
    }

    fn too_late(&mut self, turn: Turn, within: Duration, now: Mono) {
        self.patience.late();
        let showing = self.showings().find(|showing| showing.turn == turn);
        let item = showing.map(|showing| (showing.playlist.clone(), showing.item.id.clone()));
        self.failed(turn, &format!("not ready within {} ms", within.as_millis()), now);
        item.into_iter().for_each(|(playlist, item)| self.failures.note_late(&playlist, &item));
    }

    /// The time of what the stage cannot begin with has not begun.
    /// `starting`: such turns; `idle`: all.
    pub fn hold(&mut self, idle: bool, starting: &[Turn], now: Mono) {
        let asked = self.showings().filter(|showing| showing.asked_at.is_some());
        let pages = self.backdrops().filter(|backdrop| backdrop.asked_at.is_some());
        let turns = asked.map(|showing| showing.turn).chain(pages.map(Backdrop::turn));
        let held = turns.filter(|turn| idle || starting.contains(turn));
        let held: Vec<Turn> = held.collect();
        held.into_iter().for_each(|turn| self.wait_anew(turn, now));
    }

    fn wait_anew(&mut self, turn: Turn, now: Mono) {
        let showings = self.showings_mut().filter(|showing| showing.turn == turn);
        showings.for_each(|showing| showing.asked_at = Some(now));
        let backdrops = self.backdrops_mut().filter(|backdrop| backdrop.turn() == turn);
        backdrops.for_each(|backdrop| backdrop.asked_at = Some(now));
    }

    /// Shows under a new number what the stage has left behind though it is still wanted: its step
    /// to the next picture has crossed a wish that had no such picture any more.
    pub(super) fn take_up_what_was_left(&mut self, live: &Live, now: &Now) {
        let mut stack = std::mem::take(&mut self.stack);
        let mut maker = self.maker(live, now.mono);
        for lane in stack.lanes_mut() {
            let left = |showing: &Showing| showing.left_at.is_some_and(|at| at <= now.mono);
            if lane.current.as_ref().is_some_and(left) {
                lane.renumber(&mut maker, now);
            }
        }
        let left = |backdrop: &&mut Backdrop| backdrop.left_at.is_some_and(|at| at <= now.mono);
        stack.backdrops_mut().filter(left).for_each(|backdrop| backdrop.renumber(maker.turns));
        self.stack = stack;
    }
}
