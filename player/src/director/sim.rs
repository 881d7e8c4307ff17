//! A world for tests: content, moments, and a stage that keeps `vitrine_render::scene`'s promises.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use vitrine_config::Config;
use vitrine_config::time::{Mono, Now, Trust};
use vitrine_sync::model::{
    Asset, Content, Digest, Entry, EntryKind, Files, Fit, Item, Layout, Live, Manifest, Playlist,
    Target, Validity, Zone,
};

use super::StartFacts;

mod stage;
mod world;

pub use stage::{Stage, name};
pub use world::World;

/// Monday, 2 March 2026, 09:00 in Berlin, at steady time 0.
const START: &str = "2026-03-02T09:00+01:00";

/// The moment `ms` after [`START`].
pub fn now(ms: u64) -> Now {
    let wall: Timestamp = START.parse().expect("a timestamp");
    let wall = wall + SignedDuration::from_millis(ms as i64);
    Now { wall, mono: mono(ms), trust: Trust::Synced }
}

pub fn mono(ms: u64) -> Mono {
    Mono(ms * 1_000_000)
}

pub fn config() -> Config {
    let mut config = Config::default();
    // What the tests count on, whatever the defaults become.
    config.cloud.heartbeat = Duration::from_secs(300);
    config.playback.image_duration = Duration::from_secs(10);
    config.playback.prepare = Duration::from_secs(5);
    config.audio.volume = 0.5;
    config
}

/// The asset called `name`.
pub fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

pub fn item(id: &str, content: Content) -> Item {
    Item {
        id: id.into(),
        content,
        duration: None,
        fit: Fit::Contain,
        focus: [0.5; 2],
        background: None,
        transition: None,
        volume: 1.0,
        valid: Validity::default(),
    }
}

pub fn colour(id: &str) -> Item {
    item(id, Content::Colour([1, 2, 3]))
}

pub fn image(id: &str) -> Item {
    item(id, Content::Image(digest(id)))
}

/// The simulated stage gives a video the length that its id begins with, in seconds.
pub fn video(id: &str) -> Item {
    item(id, Content::Video(digest(id)))
}

pub fn lasting(ms: u64, item: Item) -> Item {
    Item { duration: Some(Duration::from_millis(ms)), ..item }
}

pub fn playlist(id: &str, items: Vec<Item>) -> Playlist {
    Playlist { id: id.into(), name: id.into(), transition: None, items }
}

pub fn entry(id: &str, target: Target) -> Entry {
    Entry {
        id: id.into(),
        kind: EntryKind::Normal,
        priority: 0,
        display: 1,
        target,
        windows: vec![],
        valid: Validity::default(),
    }
}

/// A generation in which each playlist is scheduled always, the first one before all others.
pub fn live(version: u64, playlists: Vec<Playlist>) -> Live {
    let mut paths = BTreeMap::new();
    let mut assets = BTreeMap::new();
    for item in playlists.iter().flat_map(|playlist| &playlist.items) {
        if let Some(sha256) = item.content.asset() {
            paths.insert(sha256, PathBuf::from(&item.id));
            let (media_type, name) = ("image/png".into(), format!("{}.png", item.id));
            assets.insert(sha256, Asset { sha256, size_bytes: 1, media_type, name });
        }
    }
    let schedule = playlists.iter().enumerate().map(|(place, playlist)| {
        let target = Target::Playlist(playlist.id.clone());
        Entry { priority: -(place as i32), ..entry(&playlist.id, target) }
    });
    let manifest = Manifest {
        version,
        tenant: "acme".into(),
        device: "lobby".into(),
        content: Digest([0; 32]),
        not_after: None,
        assets,
        schedule: schedule.collect(),
        settings: BTreeMap::new(),
        playlists: playlists.into_iter().map(|list| (list.id.clone(), list)).collect(),
        layouts: BTreeMap::new(),
    };
    Live {
        manifest,
        files: Files::Named(paths),
        missing: BTreeSet::new(),
        headlines: BTreeMap::new(),
    }
}

/// A generation with one layout in which each playlist has a zone of its id.
pub fn live_layout(version: u64, playlists: Vec<Playlist>) -> Live {
    let zone = |place: usize, playlist: &Playlist| Zone {
        id: playlist.id.clone(),
        x_px: 100 * place as i32,
        y_px: 0,
        width_px: 100,
        height_px: 100,
        opacity: 1.0,
        volume: 1.0,
        rotation_deg: 0.0,
        playlist: playlist.id.clone(),
    };
    let zones = playlists.iter().enumerate().map(|(place, list)| zone(place, list)).collect();
    let layout = Layout {
        id: "page".into(),
        name: "page".into(),
        width_px: 1_000,
        height_px: 100,
        background: None,
        background_image: None,
        letterbox: None,
        letterbox_image: None,
        transition: None,
        zones,
    };
    let mut live = live(version, playlists);
    live.manifest.schedule = vec![entry("page", Target::Layout("page".into()))];
    live.manifest.layouts.insert("page".into(), layout);
    live
}

/// The same with pictures behind the zones and around the page.
pub fn live_on_pictures(version: u64, playlists: Vec<Playlist>) -> Live {
    let mut live = live_layout(version, playlists);
    let layout = live.manifest.layouts.get_mut("page").expect("a page");
    layout.background_image = Some(digest("backdrop:page"));
    layout.letterbox_image = Some(digest("backdrop:around"));
    let Files::Named(paths) = &mut live.files else { panic!("files without names") };
    paths.extend(["backdrop:page", "backdrop:around"].map(|name| (digest(name), name.into())));
    live
}

pub fn facts(once: bool) -> StartFacts {
    StartFacts {
        release: "1.2.3".into(),
        host_name: "here".into(),
        once,
        time_zone: TimeZone::get("Europe/Berlin").expect("a zone"),
        seed: [7; 32],
    }
}
