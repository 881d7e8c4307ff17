//! What lies ahead of the wanted picture, and the slot made from it.

use vitrine_config::time::{Mono, Now, Trust};
use vitrine_render::scene::Start;
use vitrine_sync::model::Live;

use super::Playback;
use crate::director::programme::Programme;
use crate::director::showing::Lane;
use crate::director::slot::{Ahead, Change, Slot, TOGETHER, What, seat};
use crate::playlist::Step;

/// A lane's next step.
struct Onward {
    lane: usize,
    start: Start,
    due: Option<Mono>,
    step: Step,
}

impl Playback {
    /// Fills the slot with what comes first; what is in there already stays if it still is that.
    pub(super) fn look_ahead(&mut self, live: &Live, now: &Now) {
        let (ahead, again_at) = seat(self.ahead(live, now.mono), now.mono);
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
        let Some(programme) = &self.programme else { return Vec::new() };
        // While a screen waits for its first picture, nothing else shall keep the device busy.
        if programme.showings().all(|showing| !showing.prepared && showing.shown_at.is_none()) {
            return Vec::new();
        }
        let onward: Vec<Onward> = programme
            .lanes
            .iter()
            .enumerate()
            .flat_map(|(place, lane)| self.onward(place, lane, live, now))
            .collect();
        let through = |one: &Onward| self.pass_is_over(programme, one, &onward);
        let step = |one: &Onward| {
            let what = match self.after_the_pass(programme, live).filter(|_| through(one)) {
                Some(what) => what,
                None => What::Lanes(vec![(one.lane, one.step)]),
            };
            Ahead { start: one.start, due: one.due, what }
        };
        self.edge(programme, live).into_iter().chain(onward.iter().map(step)).collect()
    }

    /// Another entry at the next edge of the schedule.
    fn edge(&self, programme: &Programme, live: &Live) -> Option<Ahead> {
        let (edge, due) = self.agenda.then()?;
        let target = |place: &usize| live.manifest.schedule.get(*place).map(|e| &e.target);
        let stays = due.entries.iter().any(|place| target(place) == Some(&programme.target));
        let place = *due.entries.first().filter(|_| !stays)?;
        Some(Ahead { start: Start::At(*edge), due: Some(*edge), what: What::TakeOver(place) })
    }

    /// What ends the showing in a lane: its time, or its item's validity.
    fn onward(&self, place: usize, lane: &Lane, live: &Live, now: Mono) -> Vec<Onward> {
        let Some(showing) = &lane.current else { return Vec::new() };
        let (start, due) = showing.end(false, now);
        let step_at =
            |at: Option<Mono>| lane.step(&self.stock(live, at.map_or(now, |at| at.max(now))));
        let alone = |step: &Step| step.index == showing.index && !self.once && !self.takes_turns();
        let mut onward = Vec::new();
        if let Some(step) = step_at(due) {
            let (start, due) = if alone(&step) { showing.end(true, now) } else { (start, due) };
            onward.push(Onward { lane: place, start, due, step });
        }
        let believed = self.agenda.trust() == Trust::Synced;
        if let Some(until) = showing.item.valid.until.filter(|_| believed) {
            let until = self.agenda.mono(until);
            if let Some(step) = step_at(Some(until)) {
                let (start, due) = (Start::At(until), Some(until));
                onward.push(Onward { lane: place, start, due, step });
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
        let differs = |place: &usize| entry(place).is_some_and(|e| e.target != programme.target);
        others.into_iter().find(differs).map(What::TakeOver)
    }

    /// Whether `slot` was made from `ahead`.
    fn is_in(&self, slot: &Slot, ahead: &Ahead, live: &Live) -> bool {
        let same = match (&slot.change, &ahead.what) {
            (Change::Lanes(lanes), What::Lanes(steps)) => {
                lanes.len() == steps.len()
                    && lanes.iter().zip(steps).all(|((lane, showing), (other, step))| {
                        let playlist = live.manifest.playlists.get(&showing.playlist);
                        let item = playlist.and_then(|playlist| playlist.items.get(step.index));
                        let lanes = self.programme.as_ref().map(|programme| &programme.lanes);
                        let spot = lanes.and_then(|lanes| lanes.get(*lane)).map(|lane| &lane.spot);
                        lane == other
                            && showing.index == step.index
                            && item == Some(&showing.item)
                            && spot.is_some_and(|spot| spot.place == showing.layer.place)
                    })
            }
            (Change::TakeOver(programme), What::TakeOver(place)) => {
                live.manifest.schedule.get(*place).is_some_and(|e| e.id == programme.entry)
            }
            (Change::Curtain(_), What::Curtain) => true,
            (Change::Lanes(_) | Change::TakeOver(_) | Change::Curtain(_), _) => false,
        };
        same && slot.start == ahead.start
    }

    fn make(&mut self, ahead: Ahead, live: &Live, now: &Now) -> Option<Slot> {
        let start = ahead.start;
        let change = match ahead.what {
            What::Lanes(steps) => Change::Lanes(self.showings_of(steps, live, now)?),
            What::TakeOver(place) => {
                let due = ahead.due.unwrap_or(now.mono);
                Change::TakeOver(self.take_over(place, due, live)?)
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
        let programme = self.programme.take()?;
        let mut maker = self.maker(live, now.mono);
        let showing = |(place, step): (usize, Step)| {
            Some((place, programme.lanes.get(place)?.showing(step, &mut maker)?))
        };
        let showings = steps.into_iter().map(showing).collect();
        self.programme = Some(programme);
        showings
    }

    fn take_over(&mut self, place: usize, due: Mono, live: &Live) -> Option<Programme> {
        let entry = live.manifest.schedule.get(place)?;
        let bookmarks = std::mem::take(&mut self.bookmarks);
        let programme = Programme::begin(entry, &bookmarks, &mut self.maker(live, due));
        self.bookmarks = bookmarks;
        programme
    }
}
