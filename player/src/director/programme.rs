//! What a schedule entry has on the screen: one lane, or one for each zone of a layout.

use std::collections::BTreeMap;

use vitrine_config::Config;
use vitrine_render::scene::{Base, Layer, Scene};
use vitrine_sync::model::{Entry, EntryKind, Item, Layout, Live, Manifest, Target, Zone};

use super::backdrop::Backdrops;
use super::showing::{Lane, Lasts, Maker, Showing};
use crate::scene_of::{self, Spot};

/// Where each playlist was left, so that an interruption does not send it back to its start. By
/// zone and playlist of the live generation.
#[derive(Debug, Default)]
pub struct Bookmarks {
    left: BTreeMap<(Option<String>, String), usize>,
}

impl Bookmarks {
    /// Remembers where `programme` leaves its playlists.
    pub fn keep(&mut self, programme: &Programme) {
        for lane in &programme.lanes {
            if let Some(cursor) = lane.cursor {
                self.left.insert((lane.spot.zone.clone(), lane.playlist.clone()), cursor);
            }
        }
    }

    /// Drops what another generation does not know.
    pub fn retain(&mut self, manifest: &Manifest) {
        self.left.retain(|(_, playlist), _| manifest.playlists.contains_key(playlist));
    }

    fn find(&self, spot: &Spot, playlist: &str) -> Option<usize> {
        self.left.get(&(spot.zone.clone(), playlist.to_owned())).copied()
    }
}

/// A target on a display: the same one twice is one programme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// What plays.
    pub target: Target,
    /// Where, from 1.
    pub display: u8,
}

impl At {
    /// What `entry` asks for.
    pub fn of(entry: &Entry) -> At {
        At { target: entry.target.clone(), display: entry.display }
    }
}

/// What a programme stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The scene is its page.
    Main,
    /// It is alone on another display than the first.
    Beside,
    /// It lies in front of whatever plays there.
    Overlay,
}

impl Role {
    fn of(entry: &Entry) -> Role {
        match (entry.kind, entry.display) {
            (EntryKind::Overlay, _) => Role::Overlay,
            (_, 1) => Role::Main,
            (..) => Role::Beside,
        }
    }
}

/// A target of the schedule, playing.
#[derive(Debug, Clone)]
pub struct Programme {
    /// Id of the schedule entry that it plays for.
    pub entry: String,
    /// What plays, and on which display.
    pub at: At,
    /// What it stands on.
    pub role: Role,
    /// Behind all of them.
    pub backdrops: Backdrops,
    /// Back to front.
    pub lanes: Vec<Lane>,
}

impl Programme {
    /// `entry`'s target with its first items; None if nothing of it can be shown.
    pub fn begin(entry: &Entry, bookmarks: &Bookmarks, maker: &mut Maker) -> Option<Programme> {
        let (at, role) = (At::of(entry), Role::of(entry));
        let places = places(&at, role, &maker.stock.live.manifest)?;
        let lane = |(spot, playlist): (Spot, String)| {
            let bookmark = bookmarks.find(&spot, &playlist);
            Lane::new(spot, playlist, bookmark)
        };
        let lanes = places.into_iter().map(lane).collect();
        let (entry, backdrops) = (entry.id.clone(), Backdrops::default());
        let mut programme = Programme { entry, at, role, backdrops, lanes };
        programme.fill(maker);
        programme.adopt_backdrops(maker);
        programme.shows_something().then_some(programme)
    }

    /// Whether any lane has an item on.
    pub fn shows_something(&self) -> bool {
        self.lanes.iter().any(|lane| lane.current.is_some())
    }

    /// Puts an item on in every lane that has none and could have one.
    pub fn fill(&mut self, maker: &mut Maker) {
        self.lanes.iter_mut().for_each(|lane| lane.fill(maker));
    }

    /// All current showings.
    pub fn showings(&self) -> impl Iterator<Item = &Showing> {
        self.lanes.iter().filter_map(|lane| lane.current.as_ref())
    }

    /// Everything of it on the screen but what the scene itself has, back to front.
    pub fn layers(&self) -> impl Iterator<Item = Layer> + '_ {
        self.grounds().chain(self.showings().map(|showing| showing.layer.clone()))
    }

    /// All current showings.
    pub fn showings_mut(&mut self) -> impl Iterator<Item = &mut Showing> {
        self.lanes.iter_mut().filter_map(|lane| lane.current.as_mut())
    }

    /// The page that it plays on, empty.
    pub fn page(&self, live: &Live, config: &Config) -> Scene {
        let mut scene = scene_of::page(self.layout(&live.manifest), config);
        self.backdrops.put(&mut scene);
        scene
    }

    /// Goes on under another generation: what is unchanged stays on the screen undisturbed, what
    /// is changed or gone makes room at once. False if there is no such target any more.
    pub fn adopt(&mut self, maker: &mut Maker) -> bool {
        let manifest = &maker.stock.live.manifest;
        let Some(places) = places(&self.at, self.role, manifest) else { return false };
        let mut old = std::mem::take(&mut self.lanes);
        let take_over = |(spot, playlist): (Spot, String)| {
            let same = |lane: &Lane| lane.spot.zone == spot.zone && lane.playlist == playlist;
            match old.iter().position(same) {
                Some(place) => adopt_lane(old.swap_remove(place), spot, maker),
                None => Lane::new(spot, playlist, None),
            }
        };
        self.lanes = places.into_iter().map(take_over).collect();
        self.adopt_backdrops(maker);
        true
    }

    /// What it plays on, without what comes and goes; the scene itself has none of it.
    pub fn grounds(&self) -> impl Iterator<Item = Layer> + '_ {
        let own = (self.role != Role::Main).then(|| self.backdrops.layers());
        own.into_iter().flatten()
    }

    /// Lays what lies behind its items, as layout and settings have it by now.
    pub fn adopt_backdrops(&mut self, maker: &mut Maker) {
        let layout = self.layout(&maker.stock.live.manifest);
        let grounds = match self.role {
            Role::Main => scene_of::pictures(layout),
            Role::Beside => scene_of::grounds(layout, self.at.display, maker.config),
            // It is see-through.
            Role::Overlay => Vec::new(),
        };
        self.backdrops.adopt(grounds, maker);
    }

    fn layout<'a>(&self, manifest: &'a Manifest) -> Option<&'a Layout> {
        match &self.at.target {
            Target::Playlist(_) => None,
            Target::Layout(id) => manifest.layouts.get(id),
        }
    }
}

/// Where a target plays which playlists; None if the manifest has no such target.
fn places(at: &At, role: Role, manifest: &Manifest) -> Option<Vec<(Spot, String)>> {
    let on = |base: Base| if role == Role::Main { Base::Canvas } else { base };
    let display = at.display;
    match &at.target {
        Target::Playlist(id) => {
            let spot = Spot { display, base: on(Base::Screen), ..Spot::screen() };
            manifest.playlists.contains_key(id).then(|| vec![(spot, id.clone())])
        }
        Target::Layout(id) => {
            let layout = manifest.layouts.get(id)?;
            let base = on(scene_of::base(layout));
            let place = |zone: &Zone| {
                (Spot { display, base, ..Spot::zone(zone, layout) }, zone.playlist.clone())
            };
            Some(layout.zones.iter().map(place).collect())
        }
    }
}

fn adopt_lane(mut lane: Lane, spot: Spot, maker: &Maker) -> Lane {
    // How items come in matters to those that come.
    let moved = lane.spot != Spot { transition: lane.spot.transition, ..spot.clone() };
    lane.spot = spot;
    let items = maker.stock.playlist(&lane.playlist).map_or(&[][..], |list| &list.items[..]);
    let Some(mut showing) = lane.current.take() else { return lane };
    let found = items.iter().position(|item| item.id == showing.item.id);
    let index = found.unwrap_or(showing.index);
    match items.get(index) {
        Some(item) if found.is_some() && !moved && looks_alike(item, &showing.item) => {
            if item.duration != showing.item.duration {
                showing.lasts = Lasts::of(item, maker.config);
            }
            (showing.index, showing.item) = (index, item.clone());
            lane.cursor = Some(index);
            lane.current = Some(showing);
        }
        // The item in that place is next: the changed one, or the one that moved up.
        _ => lane.cursor = index.checked_sub(1),
    }
    lane
}

/// Whether two items make the same layer, but for how it came in.
fn looks_alike(one: &Item, other: &Item) -> bool {
    let ends = one.content.has_an_end();
    let repeats_alike = !ends || one.duration.is_some() == other.duration.is_some();
    let with_times_of = |item: &Item| Item {
        duration: item.duration,
        valid: item.valid,
        transition: item.transition,
        ..one.clone()
    };
    repeats_alike && with_times_of(other) == *other
}
