//! What lies ahead of the wanted picture, and the slot made from it.

use std::time::Duration;

use vitrine_config::time::{Mono, Now, Trust};
use vitrine_render::scene::Start;
use vitrine_sync::model::Live;

use super::Playback;
use crate::director::programme::Programme;
use crate::director::showing::Lane;
use crate::director::slot::{Ahead, Change, Slot, TOGETHER, What, seat};
use crate::director::stack::Overlays;
use crate::playlist::Step;
use crate::scene_of;

/// A lane's next step.
struct Onward {
    lane: usize,
    start: Start,
    due: Option<Mono>,
    /// How much before that what comes in slowly may begin to.
    early: Duration,
    step: Step,
}

impl Onward {
    /// The step itself; what comes instead of it waits for the very end.
    fn ahead(&self) -> Ahead {
        let start = match self.start {
            Start::AtEnd { turn, .. } => Start::AtEnd { turn, early: self.early },
            other => other,
        };
        let due = self.due.map(|due| due.before(self.early));
        Ahead { start, due, what: What::Lanes(vec![(self.lane, self.step)]) }
    }
}

impl Playback {
    /// Fills the slot with what comes first; what is in there already stays if it still is that.
    pub(super) fn look_ahead(&mut self, live: &Live, now: &Now) {
        let (ahead, again_at) = seat(self.ahead(live, now.mono), self.patience.lead(), now.mono);
        self.seat_again_at = again_at;
        let Some(ahead) = ahead else {
            self.slot = None;
            return;
        };
        if !self.slot.as_ref().is_some_and(|slot| self.is_in(slot, &ahead, live)) {
            self.slot = self.make(ahead, live, now);
        }
    }

    /// Everything that lies ahead; of equals the first counts.
    fn ahead(&self, live: &Live, now: Mono) -> Vec<Ahead> {
        let waits = |programme: &Programme| {
            programme.showings().all(|showing| !showing.prepared && showing.shown_at.is_none())
        };
        // While a screen waits for its first picture, nothing else shall keep the device busy.
        if self.stack.programmes().next().is_some_and(waits) {
            return Vec::new();
        }
        let lanes = self.stack.lanes().enumerate();
        let onward: Vec<Onward> =
            lanes.flat_map(|(place, lane)| self.onward(place, lane, live, now)).collect();
        let after = |one: &Onward| {
            let main = self.stack.main.as_ref().filter(|_| self.stack.is_main(one.lane))?;
            self.after_the_pass(main, live).filter(|_| self.pass_is_over(main, one, &onward))
        };
        let step = |one: &Onward| match after(one) {
            Some(what) => Ahead { start: one.start, due: one.due, what },
            None => one.ahead(),
        };
        self.edge(live).into_iter().chain(onward.iter().map(step)).collect()
    }

    /// Other entries at the next edge of the schedule.
    fn edge(&self, live: &Live) -> Option<Ahead> {
        let (edge, due) = self.agenda.then()?;
        let target = |place: &usize| live.manifest.schedule.get(*place).map(|e| &e.target);
        let plays = self.stack.main.as_ref().map(|main| &main.at.target);
        let stays = due.entries.iter().any(|place| target(place) == plays);
        let main = due.entries.first().copied().filter(|_| !stays);
        // From a card or to one it goes at the edge itself.
        if plays.is_some() == due.entries.is_empty() {
            return None;
        }
        let overlays = !self.stack.has(&Overlays::of(&due.overlays, live));
        let overlays = overlays.then(|| due.overlays.clone());
        let what = What::TakeOver { main, overlays };
        let changes = what != What::TakeOver { main: None, overlays: None };
        changes.then_some(Ahead { start: Start::At(*edge), due: Some(*edge), what })
    }

    /// What ends the showing in a lane: its time, or its item's validity.
    fn onward(&self, place: usize, lane: &Lane, live: &Live, now: Mono) -> Vec<Onward> {
        let Some(showing) = &lane.current else { return Vec::new() };
        let (start, due) = showing.end(false, now);
        let step_at =
            |at: Option<Mono>| lane.step(&self.stock(live, at.map_or(now, |at| at.max(now))));
        let takes_turns = self.stack.is_main(place) && self.takes_turns();
        // A ticker with other headlines by now makes room for itself.
        let source = scene_of::source(&showing.item, lane.spot.volume, live, &self.config);
        let same = source.as_ref() == Some(&showing.layer.source);
        let alone = |step: &Step| step.index == showing.index && !self.once && !takes_turns && same;
        let mut onward = Vec::new();
        if let Some(step) = step_at(due) {
            let (start, due) = if alone(&step) { showing.end(true, now) } else { (start, due) };
            let entrance = lane.entrance(step, &self.stock(live, now), &self.config);
            let crossing = entrance.map_or(Duration::ZERO, |entrance| entrance.lasts);
            let early = showing.gives_way_early(crossing);
            onward.push(Onward { lane: place, start, due, early, step });
        }
        let believed = self.agenda.trust() == Trust::Synced;
        if let Some(until) = showing.item.valid.until.filter(|_| believed) {
            let until = self.agenda.mono(until);
            if let Some(step) = step_at(Some(until)) {
                let (start, due) = (Start::At(until), Some(until));
                onward.push(Onward { lane: place, start, due, early: Duration::ZERO, step });
            }
        }
        onward
    }

    /// Whether entries of the same rank wait for this one's pass to end.
    fn takes_turns(&self) -> bool {
        self.agenda.due().is_some_and(|due| due.entries.len() > 1)
    }

    /// Whether with this step every lane has come to its playlist's end at least once.
    fn pass_is_over(&self, programme: &Programme, step: &Onward, all: &[Onward]) -> bool {
        let together = |other: &Onward| match (other.due, step.due) {
            (Some(one), Some(two)) => one.max(two).since(one.min(two)) <= TOGETHER,
            _ => false,
        };
        let ends_too = |lane: usize| {
            all.iter().any(|other| other.lane == lane && other.step.wraps && together(other))
        };
        let over = |(place, lane): (usize, &Lane)| {
            place == step.lane || lane.current.is_none() || lane.passes > 0 || ends_too(place)
        };
        step.step.wraps && programme.lanes.iter().enumerate().all(over)
    }

    /// What comes when a pass is over, if not another one.
    fn after_the_pass(&self, programme: &Programme, live: &Live) -> Option<What> {
        if self.once {
            return Some(What::Curtain);
        }
        let entries = &self.agenda.due()?.entries;
        let entry = |place: &usize| live.manifest.schedule.get(*place);
        let own = entries.iter().position(|p| entry(p).is_some_and(|e| e.id == programme.entry))?;
        let others = (1..entries.len()).map(|ahead| entries[(own + ahead) % entries.len()]);
        let differs = |place: &usize| entry(place).is_some_and(|e| e.target != programme.at.target);
        let main = others.into_iter().find(differs)?;
        Some(What::TakeOver { main: Some(main), overlays: None })
    }

    /// Whether `slot` was made from `ahead`.
    fn is_in(&self, slot: &Slot, ahead: &Ahead, live: &Live) -> bool {
        let same = match (&slot.change, &ahead.what) {
            (Change::Lanes(lanes), What::Lanes(steps)) => {
                lanes.len() == steps.len()
                    && lanes.iter().zip(steps).all(|((lane, showing), (other, step))| {
                        let playlist = live.manifest.playlists.get(&showing.playlist);
                        let item = playlist.and_then(|playlist| playlist.items.get(step.index));
                        let fits = |lane: &Lane| {
                            let (spot, layer) = (&lane.spot, &showing.layer);
                            let (item, volume) = (&showing.item, spot.volume);
                            let source = scene_of::source(item, volume, live, &self.config);
                            lane.playlist == showing.playlist
                                && (spot.base, spot.place) == (layer.base, layer.place)
                                && scene_of::place_of(spot.display) == layer.display
                                && source.as_ref() == Some(&layer.source)
                        };
                        lane == other
                            && showing.index == step.index
                            && item == Some(&showing.item)
                            && self.stack.lanes().nth(*lane).is_some_and(fits)
                    })
            }
            (
                Change::TakeOver { main, overlays },
                What::TakeOver { main: place, overlays: over },
            ) => {
                let entry = place.and_then(|place| live.manifest.schedule.get(place));
                let over = over.as_ref().map(|places| Overlays::of(places, live).order);
                main.as_ref().map(|main| &main.entry) == entry.map(|entry| &entry.id)
                    && overlays.as_ref().map(|overlays| &overlays.order) == over.as_ref()
            }
            (Change::Curtain(_), What::Curtain) => true,
            (Change::Lanes(_) | Change::TakeOver { .. } | Change::Curtain(_), _) => false,
        };
        same && slot.start == ahead.start
    }

    fn make(&mut self, ahead: Ahead, live: &Live, now: &Now) -> Option<Slot> {
        let start = ahead.start;
        let change = match ahead.what {
            What::Lanes(steps) => Change::Lanes(self.showings_of(steps, live, now)?),
            What::TakeOver { main, overlays } => {
                let due = ahead.due.unwrap_or(now.mono);
                self.take_over(main, overlays, due, live)?
            }
            What::Curtain => Change::Curtain(self.turns.next()),
        };
        Some(Slot { start, change })
    }

    fn showings_of(
        &mut self,
        steps: Vec<(usize, Step)>,
        live: &Live,
        now: &Now,
    ) -> Option<Vec<(usize, super::Showing)>> {
        let stack = std::mem::take(&mut self.stack);
        let mut maker = self.maker(live, now.mono);
        let showing = |(place, step): (usize, Step)| {
            Some((place, stack.lanes().nth(place)?.showing(step, &mut maker)?))
        };
        let showings = steps.into_iter().map(showing).collect();
        self.stack = stack;
        showings
    }

    fn take_over(
        &mut self,
        main: Option<usize>,
        overlays: Option<Vec<usize>>,
        due: Mono,
        live: &Live,
    ) -> Option<Change> {
        let main = match main {
            Some(place) => {
                let entry = live.manifest.schedule.get(place)?;
                let bookmarks = std::mem::take(&mut self.bookmarks);
                let programme = Programme::begin(entry, &bookmarks, &mut self.maker(live, due));
                self.bookmarks = bookmarks;
                Some(programme?)
            }
            None => None,
        };
        let mut overlays = overlays.map(|places| Overlays::of(&places, live));
        if let Some(overlays) = &mut overlays {
            self.begin(overlays, live, due);
        }
        Some(Change::TakeOver { main, overlays })
    }
}
