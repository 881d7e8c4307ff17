//! Everything that plays: the programme, those on other displays, and the overlays in front.
//!
//! Lanes are counted through all of it, the programme's first. A count holds for as long as no
//! programme comes or goes.

use vitrine_render::scene::Layer;
use vitrine_sync::model::{Entry, Live};

use super::backdrop::Backdrop;
use super::programme::{At, Programme};
use super::showing::{Lane, Showing};

/// Everything that plays.
#[derive(Debug, Default)]
pub struct Stack {
    /// What plays; None: a card must.
    pub main: Option<Programme>,
    /// Beside and in front of that, back to front.
    pub overlays: Vec<Programme>,
}

/// What is to be on besides the programme, back to front.
#[derive(Debug)]
pub struct Overlays {
    /// Entry of each, and what it plays where.
    pub order: Vec<(String, At)>,
    /// Such as are not on yet.
    pub fresh: Vec<Programme>,
}

impl Overlays {
    /// Those of `places` in the schedule; nothing lies over itself.
    pub fn of(places: &[usize], live: &Live) -> Overlays {
        let mut order: Vec<(String, At)> = Vec::new();
        for entry in places.iter().filter_map(|place| live.manifest.schedule.get(*place)) {
            if order.iter().all(|(_, at)| *at != At::of(entry)) {
                order.push((entry.id.clone(), At::of(entry)));
            }
        }
        Overlays { order, fresh: Vec::new() }
    }
}

impl Stack {
    /// All of them, back to front.
    pub fn programmes(&self) -> impl Iterator<Item = &Programme> {
        self.main.iter().chain(&self.overlays)
    }

    /// All of them, back to front.
    pub fn programmes_mut(&mut self) -> impl Iterator<Item = &mut Programme> {
        self.main.iter_mut().chain(&mut self.overlays)
    }

    /// All lanes, in the order in which they are counted.
    pub fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.programmes().flat_map(|programme| &programme.lanes)
    }

    /// All lanes, in the order in which they are counted.
    pub fn lanes_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.programmes_mut().flat_map(|programme| &mut programme.lanes)
    }

    /// Whether the lane at `place` is the programme's.
    pub fn is_main(&self, place: usize) -> bool {
        self.main.as_ref().is_some_and(|main| place < main.lanes.len())
    }

    /// All current showings.
    pub fn showings(&self) -> impl Iterator<Item = &Showing> {
        self.programmes().flat_map(Programme::showings)
    }

    /// All current showings.
    pub fn showings_mut(&mut self) -> impl Iterator<Item = &mut Showing> {
        self.programmes_mut().flat_map(Programme::showings_mut)
    }

    /// Whether exactly these overlays are on, in this order.
    pub fn has(&self, overlays: &Overlays) -> bool {
        let on = self.overlays.iter().map(|programme| (&programme.entry, &programme.at));
        on.eq(overlays.order.iter().map(|(entry, at)| (entry, at)))
    }

    /// Whether an overlay with this entry's target is on.
    pub fn shows(&self, entry: &Entry) -> bool {
        self.overlays.iter().any(|programme| programme.at == At::of(entry))
    }

    /// Puts these overlays on; such as are on already go on. Gives back those that are off now.
    pub fn take(&mut self, overlays: Overlays) -> Vec<Programme> {
        let mut old = std::mem::take(&mut self.overlays);
        old.extend(overlays.fresh);
        for (entry, at) in overlays.order {
            let found = old.iter().position(|programme| programme.at == at);
            self.overlays.extend(found.map(|place| Programme { entry, ..old.remove(place) }));
        }
        old
    }

    /// Everything that lies behind items.
    pub fn backdrops_mut(&mut self) -> impl Iterator<Item = &mut Backdrop> {
        self.programmes_mut().flat_map(|programme| programme.backdrops.iter_mut())
    }

    /// The layers of it all with these `instead` of what is current in some lanes.
    pub fn layers(&self, instead: &[(usize, Showing)]) -> Vec<Layer> {
        let (mut layers, mut first) = (Vec::new(), 0);
        for programme in self.programmes() {
            layers.extend(programme.grounds());
            layers.extend(programme.lanes.iter().zip(first..).filter_map(|(lane, place)| {
                let other = instead.iter().find(|(lane, _)| *lane == place);
                let showing = other.map(|(_, showing)| showing).or(lane.current.as_ref());
                showing.map(|showing| showing.layer.clone())
            }));
            first += programme.lanes.len();
        }
        layers
    }

    /// All of them with another programme or other overlays, back to front.
    pub fn programmes_after<'a>(
        &'a self,
        main: Option<&'a Programme>,
        overlays: Option<&'a Overlays>,
    ) -> Vec<&'a Programme> {
        let mut after: Vec<_> = main.or(self.main.as_ref()).into_iter().collect();
        match overlays {
            None => after.extend(&self.overlays),
            Some(Overlays { order, fresh }) => {
                let find = |at: &At| self.overlays.iter().chain(fresh).find(|p| p.at == *at);
                after.extend(order.iter().filter_map(|(_, at)| find(at)));
            }
        }
        after
    }
}
