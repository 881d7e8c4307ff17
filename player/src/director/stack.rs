//! Everything that plays: the programme, and the overlays in front of it.
//!
//! Lanes are counted through all of it, the programme's first. A count holds for as long as no
//! programme comes or goes.

use vitrine_render::scene::Layer;
use vitrine_sync::model::{Entry, Live, Target};

use super::programme::Programme;
use super::showing::{Lane, Showing};

/// Everything that plays.
#[derive(Debug, Default)]
pub struct Stack {
    /// What plays; None: a card must.
    pub main: Option<Programme>,
    /// In front of that, back to front.
    pub overlays: Vec<Programme>,
}

/// The overlays that are to be on, back to front.
#[derive(Debug)]
pub struct Overlays {
    /// Entry and target of each.
    pub order: Vec<(String, Target)>,
    /// Such as are not on yet.
    pub fresh: Vec<Programme>,
}

impl Overlays {
    /// Those of `places` in the schedule; nothing lies over itself.
    pub fn of(places: &[usize], live: &Live) -> Overlays {
        let mut order: Vec<(String, Target)> = Vec::new();
        for entry in places.iter().filter_map(|place| live.manifest.schedule.get(*place)) {
            if order.iter().all(|(_, target)| *target != entry.target) {
                order.push((entry.id.clone(), entry.target.clone()));
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
        let on = self.overlays.iter().map(|programme| (&programme.entry, &programme.target));
        on.eq(overlays.order.iter().map(|(entry, target)| (entry, target)))
    }

    /// Whether an overlay with this entry's target is on.
    pub fn shows(&self, entry: &Entry) -> bool {
        self.overlays.iter().any(|programme| programme.target == entry.target)
    }

    /// Puts these overlays on; such as are on already go on. Gives back those that are off now.
    pub fn take(&mut self, overlays: Overlays) -> Vec<Programme> {
        let mut old = std::mem::take(&mut self.overlays);
        old.extend(overlays.fresh);
        for (entry, target) in overlays.order {
            let found = old.iter().position(|programme| programme.target == target);
            self.overlays.extend(found.map(|place| Programme { entry, ..old.remove(place) }));
        }
        old
    }

    /// The layers of it all with these `instead` of what is current in some lanes.
    pub fn layers(&self, instead: &[(usize, Showing)]) -> Vec<Layer> {
        let layer = |(place, lane): (usize, &Lane)| {
            let other = instead.iter().find(|(lane, _)| *lane == place).map(|(_, showing)| showing);
            other.or(lane.current.as_ref()).map(|showing| showing.layer.clone())
        };
        self.lanes().enumerate().filter_map(layer).collect()
    }

    /// The layers of it all with another programme or other overlays.
    pub fn layers_after(
        &self,
        main: Option<&Programme>,
        overlays: Option<&Overlays>,
    ) -> Vec<Layer> {
        let known = || self.overlays.iter().chain(overlays.iter().flat_map(|o| &o.fresh));
        let ordered = |overlays: &Overlays| -> Vec<&Programme> {
            let find = |(_, target): &(String, Target)| known().find(|p| p.target == *target);
            overlays.order.iter().filter_map(find).collect()
        };
        let over = overlays.map_or_else(|| self.overlays.iter().collect(), ordered);
        let showings = main.or(self.main.as_ref()).into_iter().chain(over);
        showings.flat_map(Programme::showings).map(|showing| showing.layer.clone()).collect()
    }
}
