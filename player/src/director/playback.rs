//! What plays: the content half of the director.
//!
//! Holds the stack that is wanted now and the slot that is wanted next, and moves both along
//! with the schedule, the stage's words and new generations. [`Playback::settle`] is the one place
//! where it all comes together; everything else notes what has happened.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use vitrine_config::Config;
use vitrine_config::model::Displays;
use vitrine_config::time::{Mono, Now};
use vitrine_render::scene::{Layer, Next, Scene, Turn};
use vitrine_sync::model::{Entry, Live};
use vitrine_sync::wire::record::Fault;

use super::backdrop::Backdrop;
use super::patience::Patience;
use super::programme::{Bookmarks, Programme, Role};
use super::showing::{Maker, Showing, Turns};
use super::slot::{Change, Slot};
use super::stack::{Overlays, Stack};
use crate::agenda::Agenda;
use crate::playlist::{Failures, Stock};
use crate::scene_of;

mod ahead;
mod hopeless;
mod setbacks;

/// The content half of the director.
#[derive(Debug)]
pub struct Playback {
    pub config: Arc<Config>,
    pub turns: Turns,
    pub agenda: Agenda,
    once: bool,
    live: Option<Arc<Live>>,
    failures: Failures,
    patience: Patience,
    bookmarks: Bookmarks,
    stack: Stack,
    slot: Option<Slot>,
    /// When another change gets the seat.
    seat_again_at: Option<Mono>,
    curtain: Option<Turn>,
    faults: Vec<Fault>,
    /// Version of the generation of which something was shown last.
    shown_of: Option<u64>,
    /// Version that was given up last.
    given_up: Option<u64>,
}

impl Playback {
    pub fn new(config: Arc<Config>, zone: TimeZone, once: bool, now: &Now) -> Playback {
        Playback {
            config,
            turns: Turns::default(),
            agenda: Agenda::new(zone, now),
            once,
            live: None,
            failures: Failures::default(),
            patience: Patience::default(),
            bookmarks: Bookmarks::default(),
            stack: Stack::default(),
            slot: None,
            seat_again_at: None,
            curtain: None,
            faults: Vec::new(),
            shown_of: None,
            given_up: None,
        }
    }

    /// What there is to play.
    pub fn live(&self) -> Option<&Arc<Live>> {
        self.live.as_ref()
    }

    /// What plays; None: a card must.
    pub fn programme(&self) -> Option<&Programme> {
        self.stack.main.as_ref()
    }

    /// What lies in front of that.
    pub fn overlays(&self) -> &[Programme] {
        &self.stack.overlays
    }

    /// Whether there is nothing to see but a card and overlays.
    pub fn needs_card(&self) -> bool {
        self.curtain.is_none() && self.stack.main.is_none()
    }

    /// Whether everything was played as often as asked.
    pub fn is_through(&self) -> bool {
        self.curtain.is_some()
    }

    /// What went wrong since this was last called.
    pub fn take_faults(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.faults)
    }

    /// Other settings hold. What lies behind items follows at once, items with their next showing.
    pub fn configure(&mut self, config: Arc<Config>, mono: Mono) {
        self.config = config;
        if let Some(live) = self.live.clone() {
            let mut stack = std::mem::take(&mut self.stack);
            let mut maker = self.maker(&live, mono);
            stack.programmes_mut().for_each(|programme| programme.adopt_backdrops(&mut maker));
            self.stack = stack;
            self.drop_takeover();
        }
    }

    /// The stage has so many displays.
    pub fn has_displays(&mut self, displays: u8) {
        let each = self.config.screen.displays == Displays::Each;
        self.agenda.set_displays(if each { displays } else { 1 });
    }

    /// Another generation is in force, or the same one with more files.
    pub fn adopt(&mut self, live: Arc<Live>, now: &Now) {
        if self.version() != live.manifest.version {
            self.failures.clear();
        }
        self.bookmarks.retain(&live.manifest);
        self.agenda.doubt();
        self.live = Some(Arc::clone(&live));
        self.drop_takeover();
        let mut stack = std::mem::take(&mut self.stack);
        let mut maker = self.maker(&live, now.mono);
        stack.main.take_if(|programme| !programme.adopt(&mut maker));
        stack.overlays.retain_mut(|programme| programme.adopt(&mut maker));
        self.stack = stack;
    }

    /// Version of what is live; 0 for nothing.
    pub fn version(&self) -> u64 {
        self.live.as_ref().map_or(0, |live| live.manifest.version)
    }

    /// A slot that was made for another state of things is made anew.
    fn drop_takeover(&mut self) {
        self.slot.take_if(|slot| matches!(slot.change, Change::TakeOver { .. }));
    }

    /// A stage has come: everything gets a number that it does not know yet, and what is left of
    /// its time.
    pub fn restart(&mut self, newest_seen: Turn, now: &Now) {
        self.turns.rise_above(newest_seen);
        self.slot = None;
        self.curtain = self.curtain.map(|_| self.turns.next());
        if let Some(live) = self.live.clone() {
            let mut stack = std::mem::take(&mut self.stack);
            let mut maker = self.maker(&live, now.mono);
            stack.lanes_mut().for_each(|lane| lane.renumber(&mut maker, now));
            stack.backdrops_mut().for_each(|backdrop| backdrop.renumber(maker.turns));
            self.stack = stack;
        }
    }

    /// The stage is gone: nothing is being prepared any more.
    pub fn suspend(&mut self) {
        for showing in self.showings_mut() {
            (showing.asked_at, showing.prepared) = (None, false);
        }
        for backdrop in self.backdrops_mut() {
            (backdrop.asked_at, backdrop.ready) = (None, false);
        }
    }

    /// The first frame of `turn` was handed to the display.
    pub fn shown(&mut self, turn: Turn, at: Mono) {
        if self.slot.as_ref().is_some_and(|slot| slot.brings(turn)) {
            self.promote();
        }
        let version = self.version();
        let showing = self.showings_mut().find(|showing| showing.turn == turn);
        if showing.map(|showing| showing.shown_at.get_or_insert(at)).is_some() {
            self.shown_of = Some(version);
        }
        self.backdrop_ready(turn);
    }

    /// The stage has everything that `turn` needs, and knows how long that lasts by itself.
    pub fn prepared(&mut self, turn: Turn, lasts: Option<Duration>, now: Mono) {
        let showing = self.showings_mut().find(|showing| showing.turn == turn);
        let asked_at = showing.and_then(|showing| {
            (showing.prepared, showing.length) = (true, lasts);
            showing.asked_at
        });
        asked_at.into_iter().for_each(|at| self.patience.ready(now.since(at)));
        self.backdrop_ready(turn);
    }

    fn backdrop_ready(&mut self, turn: Turn) {
        let backdrop = self.backdrops_mut().find(|backdrop| backdrop.turn() == turn);
        backdrop.into_iter().for_each(|backdrop| backdrop.ready = true);
    }

    /// `turn` has come to its end and nothing stood ready.
    pub fn ended(&mut self, turn: Turn, at: Mono) {
        if let Some(showing) = self.showings_mut().find(|showing| showing.turn == turn) {
            showing.ended_at.get_or_insert(at);
        }
    }

    /// The wish with these showings has been sent.
    pub fn asked(&mut self, now: Mono) {
        for showing in self.showings_mut() {
            showing.asked_at.get_or_insert(now);
        }
        for backdrop in self.backdrops_mut() {
            backdrop.asked_at.get_or_insert(now);
        }
    }

    /// Skips to the next item in every lane that has another one, or back. Says why not.
    pub fn skip(&mut self, forward: bool, now: &Now) -> Result<(), String> {
        let (Some(live), Some(mut programme)) = (self.live.clone(), self.stack.main.take()) else {
            return Err("nothing is playing".into());
        };
        let once = self.once;
        let mut maker = self.maker(&live, now.mono);
        let mut moved = false;
        for lane in &mut programme.lanes {
            let step = if forward { lane.step(&maker.stock) } else { lane.step_back(&maker.stock) };
            let other =
                step.filter(|step| Some(step.index) != lane.cursor && !(once && step.wraps));
            if let Some(showing) = other.and_then(|step| lane.showing(step, &mut maker)) {
                lane.take(showing);
                moved = true;
            }
        }
        self.stack.main = Some(programme);
        if !moved {
            return Err("there is no other item to show".into());
        }
        self.slot = None;
        Ok(())
    }

    /// Brings everything together at `now`: what is due, what is on, what is next.
    /// `blameless`: turns that the stage could not even begin with; None: it shows no signs of life,
    /// so that nothing is to blame for not being ready.
    pub fn settle(&mut self, now: &Now, blameless: Option<&[Turn]>) {
        let Some(live) = self.live.clone() else { return };
        if self.curtain.is_some() {
            return;
        }
        self.pass_over_the_overdue(now.mono, blameless);
        self.take_up_what_was_left(&live, now);
        self.agenda.follow(&live, &self.failures, now);
        self.keep_to_the_agenda(&live, now);
        self.keep_the_overlays(&live, now);
        self.keep_the_lanes_filled(&live, now);
        self.look_ahead(&live, now);
        if self.once && self.stack.main.is_none() {
            self.curtain.get_or_insert_with(|| self.turns.next());
        }
    }

    /// Puts another programme on if another one is due.
    fn keep_to_the_agenda(&mut self, live: &Live, now: &Now) {
        let due = self.agenda.due().map(|due| due.entries.clone()).unwrap_or_default();
        let entries: Vec<&Entry> =
            due.iter().filter_map(|place| live.manifest.schedule.get(*place)).collect();
        if let Some(programme) = &mut self.stack.main {
            let mut same = entries.iter().filter(|entry| entry.target == programme.at.target);
            if let Some(first) = same.clone().next() {
                let own = same.find(|entry| entry.id == programme.entry);
                programme.entry.clone_from(&own.unwrap_or(first).id);
                return;
            }
        }
        let foreseen = |p: &Programme| entries.iter().any(|entry| entry.id == p.entry);
        if let Some(Slot { change: Change::TakeOver { main: Some(main), .. }, .. }) = &self.slot
            && foreseen(main)
        {
            return self.promote();
        }
        self.leave_programme();
        let bookmarks = std::mem::take(&mut self.bookmarks);
        let mut maker = self.maker(live, now.mono);
        let begin = |entry: &&Entry| Programme::begin(entry, &bookmarks, &mut maker);
        self.stack.main = entries.iter().find_map(begin);
        self.bookmarks = bookmarks;
    }

    fn leave_programme(&mut self) {
        self.slot = None;
        if let Some(programme) = self.stack.main.take() {
            self.bookmarks.keep(&programme);
        }
    }

    /// Puts other overlays on if others are due.
    fn keep_the_overlays(&mut self, live: &Arc<Live>, now: &Now) {
        let places = self.agenda.due().map_or(&[][..], |due| &due.overlays[..]);
        let mut due = Overlays::of(places, live);
        if self.stack.has(&due) {
            return;
        }
        if let Some(Slot { change: Change::TakeOver { main: None, overlays }, .. }) = &self.slot
            && overlays.as_ref().is_some_and(|foreseen| foreseen.order == due.order)
        {
            return self.promote();
        }
        self.begin(&mut due, live, now.mono);
        // One that has nothing to show after all is none.
        if !self.stack.has(&due) {
            self.slot = None;
            self.put_on(due);
        }
    }

    /// Begins those that are not on yet; such as have nothing to show are left out.
    fn begin(&mut self, overlays: &mut Overlays, live: &Live, mono: Mono) {
        let bookmarks = std::mem::take(&mut self.bookmarks);
        let stack = std::mem::take(&mut self.stack);
        let mut maker = self.maker(live, mono);
        overlays.order.retain(|(id, _)| {
            let entry = live.manifest.schedule.iter().find(|entry| entry.id == *id);
            let is_on = entry.is_some_and(|entry| stack.shows(entry));
            let fresh = entry.filter(|_| !is_on);
            let fresh = fresh.and_then(|entry| Programme::begin(entry, &bookmarks, &mut maker));
            let begins = fresh.is_some();
            overlays.fresh.extend(fresh);
            is_on || begins
        });
        (self.bookmarks, self.stack) = (bookmarks, stack);
    }

    fn put_on(&mut self, overlays: Overlays) {
        for gone in self.stack.take(overlays) {
            self.bookmarks.keep(&gone);
        }
    }

    /// Takes off what may not stay, and puts something on wherever there is nothing.
    fn keep_the_lanes_filled(&mut self, live: &Arc<Live>, now: &Now) {
        let mut stack = std::mem::take(&mut self.stack);
        let stock = self.stock(live, now.mono);
        let mut emptied = Vec::new();
        for (place, lane) in stack.lanes_mut().enumerate() {
            if lane.current.take_if(|showing| !stock.stands(&showing.item)).is_some() {
                emptied.push(place);
            }
        }
        self.stack = stack;
        // An item whose validity ends has its successor prepared for this very moment.
        if let [lane] = emptied[..]
            && self.slot.as_ref().is_some_and(|slot| slot.is_only_about(lane))
        {
            self.promote();
        }
        let mut stack = std::mem::take(&mut self.stack);
        let mut maker = self.maker(live, now.mono);
        stack.programmes_mut().for_each(|programme| programme.fill(&mut maker));
        self.stack = stack;
        if self.stack.main.as_ref().is_some_and(|p| !p.shows_something()) {
            self.leave_programme();
        }
        let count = self.stack.overlays.len();
        self.stack.overlays.retain(Programme::shows_something);
        self.slot.take_if(|_| self.stack.overlays.len() < count);
    }

    /// Makes what was next what is wanted.
    fn promote(&mut self) {
        match self.slot.take().map(|slot| slot.change) {
            Some(Change::Lanes(next)) => {
                for (place, showing) in next {
                    let Some(lane) = self.stack.lanes_mut().nth(place) else { continue };
                    if let Some(old) = lane.current.take().filter(|old| old.shown_at.is_some()) {
                        self.failures.forgive(&lane.playlist, &old.item.id);
                    }
                    lane.take(showing);
                }
            }
            Some(Change::TakeOver { main, overlays }) => {
                if let Some(main) = main {
                    self.leave_programme();
                    self.stack.main = Some(main);
                }
                if let Some(overlays) = overlays {
                    self.put_on(overlays);
                }
            }
            Some(Change::Curtain(turn)) => {
                self.leave_programme();
                self.curtain = Some(turn);
            }
            None => {}
        }
    }

    /// The picture that should be on the screen, over `card` where nothing plays.
    pub fn wanted(&self, card: &Scene) -> Scene {
        match self.curtain {
            Some(turn) => self.curtain_scene(turn),
            None => self.scene(&self.programmes(), self.stack.layers(&[]), card),
        }
    }

    /// The picture after that.
    pub fn next(&self, card: &Scene) -> Option<Next> {
        let slot = self.slot.as_ref()?;
        let scene = match &slot.change {
            Change::Lanes(lanes) => self.scene(&self.programmes(), self.stack.layers(lanes), card),
            Change::TakeOver { main, overlays } => {
                let after = self.stack.programmes_after(main.as_ref(), overlays.as_ref());
                let layers = after.iter().flat_map(|programme| programme.layers()).collect();
                self.scene(&after, layers, card)
            }
            Change::Curtain(turn) => self.curtain_scene(*turn),
        };
        Some(Next { scene, start: slot.start })
    }

    fn programmes(&self) -> Vec<&Programme> {
        self.stack.programmes().collect()
    }

    /// `layers` of `programmes` on the page of the one that has the scene's, or on `card`.
    fn scene(&self, programmes: &[&Programme], layers: Vec<Layer>, card: &Scene) -> Scene {
        let with = |role| programmes.iter().filter(move |programme| programme.role == role);
        let main = with(Role::Main).next().zip(self.live.as_ref());
        let page = main.map(|(main, live)| main.page(live, &self.config));
        let mut scene = page.unwrap_or_else(|| card.clone());
        scene.apart = with(Role::Beside).map(|p| scene_of::place_of(p.at.display)).collect();
        scene.layers.extend(layers);
        scene
    }

    fn curtain_scene(&self, turn: Turn) -> Scene {
        let mut scene = scene_of::page(None, &self.config);
        scene.layers.push(scene_of::curtain(turn, &self.config));
        scene
    }

    /// When [`Playback::settle`] has something to do by itself.
    pub fn deadline(&self) -> Option<Mono> {
        if self.live.is_none() || self.curtain.is_some() {
            return None;
        }
        let overdue = self.showings().filter_map(|s| s.overdue_at(self.within(s)));
        let left = self.showings().filter_map(|showing| showing.left_at);
        let prepare = self.patience.within(self.config.playback.prepare, 0);
        let backdrops = self.backdrops().flat_map(|b| [b.overdue_at(prepare), b.left_at]);
        let items = overdue.chain(left).chain(backdrops.flatten());
        items.chain(self.agenda.deadline()).chain(self.seat_again_at).min()
    }

    /// How long the stage gets for `showing`.
    fn within(&self, showing: &Showing) -> Duration {
        let late = self.failures.late(&showing.playlist, &showing.item.id);
        self.patience.within(self.config.playback.prepare, late)
    }

    /// All showings of the wish.
    pub fn showings(&self) -> impl Iterator<Item = &Showing> {
        let current = self.stack.showings();
        current.chain(self.slot.iter().flat_map(Slot::showings))
    }

    fn showings_mut(&mut self) -> impl Iterator<Item = &mut Showing> {
        let current = self.stack.showings_mut();
        current.chain(self.slot.iter_mut().flat_map(Slot::showings_mut))
    }

    fn backdrops(&self) -> impl Iterator<Item = &Backdrop> {
        let next = self.slot.iter().flat_map(Slot::programmes);
        self.stack.programmes().chain(next).flat_map(|programme| programme.backdrops.iter())
    }

    fn backdrops_mut(&mut self) -> impl Iterator<Item = &mut Backdrop> {
        let next = self.slot.iter_mut().flat_map(Slot::programmes_mut);
        let next = next.flat_map(|programme| programme.backdrops.iter_mut());
        self.stack.backdrops_mut().chain(next)
    }

    fn stock<'a>(&'a self, live: &'a Live, mono: Mono) -> Stock<'a> {
        let (wall, trust) = (self.agenda.wall(mono), self.agenda.trust());
        Stock { live, failures: &self.failures, wall, mono, trust }
    }

    fn maker<'a>(&'a mut self, live: &'a Live, mono: Mono) -> Maker<'a> {
        let (wall, trust) = (self.agenda.wall(mono), self.agenda.trust());
        let stock = Stock { live, failures: &self.failures, wall, mono, trust };
        Maker { stock, config: &self.config, turns: &mut self.turns, once: self.once }
    }
}
