//! What one device is told: content of its tenant, cut down to what it can reach.
//!
//! In:  what the tenant published, the device and its settings.
//! Out: a wire manifest.
//!
//! Promises, each held by a test of the same name:
//! - `only_what_is_reached`: nothing that the schedule does not lead to is sent;
//! - `every_asset_is_named`: each file that an item or a layout names is listed, once.
//!
//! Not here: signing and keeping (`publish`), whether content is right (`check`).

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vitrine_wire::Digest;
use vitrine_wire::manifest::{Asset, Entry, Item, Layout, Manifest, Playlist, Setting, Target};

/// Content as operators left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// By id.
    #[serde(default)]
    pub playlists: Vec<Playlist>,
    /// By id.
    #[serde(default)]
    pub layouts: Vec<Layout>,
    /// In the order of the operator.
    #[serde(default)]
    pub schedule: Vec<Entry>,
}

/// Content as published, with the files that belong to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Edition {
    /// What was published.
    #[serde(flatten)]
    pub content: Draft,
    /// Every file that its items and layouts name.
    #[serde(default)]
    pub assets: Vec<Asset>,
}

/// Whom a manifest is for.
#[derive(Debug, Clone, Copy)]
pub struct Address<'a> {
    /// Tenant id.
    pub tenant: &'a str,
    /// Device id.
    pub device: &'a str,
}

/// Makes the manifest of one device, with version 0 and the time of the epoch: both are set when
/// it turns out to say something new.
pub fn manifest(edition: &Edition, to: Address, settings: Vec<Setting>) -> Manifest {
    let content = &edition.content;
    let layouts: Vec<_> = pick(&content.layouts, |l| &l.id, &layouts_of(&content.schedule));
    let wanted = playlists_of(&content.schedule, &layouts);
    let playlists: Vec<_> = pick(&content.playlists, |p| &p.id, &wanted);
    let files = assets_of(&playlists, &layouts);
    let assets = edition.assets.iter().filter(|a| files.contains(&a.sha256)).cloned().collect();
    Manifest {
        version: 0,
        tenant: to.tenant.into(),
        device: to.device.into(),
        issued_at: Timestamp::UNIX_EPOCH,
        tenant_key: None,
        not_after: None,
        assets,
        playlists,
        layouts,
        schedule: content.schedule.clone(),
        settings,
    }
}

/// File that an item needs, if any.
pub fn asset_of(item: &Item) -> Option<Digest> {
    item.content.asset()
}

/// Every file that the items of `playlists` name, and the pages themselves.
pub fn assets_of(playlists: &[Playlist], layouts: &[Layout]) -> BTreeSet<Digest> {
    let items = playlists.iter().flat_map(|p| &p.items);
    items.filter_map(asset_of).chain(layouts.iter().flat_map(Layout::assets)).collect()
}

fn layouts_of(schedule: &[Entry]) -> BTreeSet<&str> {
    let targets = schedule.iter().map(|entry| &entry.target);
    targets
        .filter_map(|target| match target {
            Target::Layout(id) => Some(id.as_str()),
            Target::Playlist(_) => None,
        })
        .collect()
}

fn playlists_of<'a>(schedule: &'a [Entry], layouts: &'a [Layout]) -> BTreeSet<&'a str> {
    let zones = layouts.iter().flat_map(|l| &l.zones).map(|zone| zone.playlist.as_str());
    let direct = schedule.iter().filter_map(|entry| match &entry.target {
        Target::Playlist(id) => Some(id.as_str()),
        Target::Layout(_) => None,
    });
    direct.chain(zones).collect()
}

fn pick<T: Clone>(all: &[T], id: impl Fn(&T) -> &String, wanted: &BTreeSet<&str>) -> Vec<T> {
    all.iter().filter(|one| wanted.contains(id(one).as_str())).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn edition() -> Edition {
        let [a, b, c, d] = [1, 2, 3, 4].map(|n| Digest([n; 32]));
        let asset = |sha256: Digest| json!({"sha256": sha256, "size_bytes": 1, "media_type": "image/png", "name": "n"});
        let image = |id: &str, asset: Digest| json!({"id": id, "kind": "image", "asset": asset});
        let zone = json!({"id": "z", "x_px": 0, "y_px": 0, "width_px": 9, "height_px": 9,
            "playlist": "zoned"});
        serde_json::from_value(json!({
            "assets": [asset(a), asset(b), asset(c), asset(d)],
            "playlists": [
                {"id": "direct", "name": "", "items": [image("1", a), image("2", a),
                    {"id": "3", "kind": "colour", "colour": "#000000"}]},
                {"id": "idle", "name": "", "items": [image("1", c)]},
                {"id": "zoned", "name": "", "items": [image("1", b)]},
            ],
            "layouts": [
                {"id": "idle", "name": "", "width_px": 9, "height_px": 9, "zones": []},
                {"id": "page", "name": "", "width_px": 9, "height_px": 9, "zones": [zone],
                    "background_image": a, "letterbox_image": d},
            ],
            "schedule": [
                {"id": "1", "target": {"playlist": "direct"}},
                {"id": "2", "target": {"layout": "page"}},
            ],
        }))
        .unwrap()
    }

    fn made(edition: &Edition) -> Manifest {
        manifest(edition, Address { tenant: "t", device: "d" }, Vec::new())
    }

    #[test]
    fn only_what_is_reached() {
        let made = made(&edition());
        let playlists: Vec<_> = made.playlists.iter().map(|p| p.id.as_str()).collect();
        let layouts: Vec<_> = made.layouts.iter().map(|l| l.id.as_str()).collect();
        assert_eq!((playlists, layouts), (vec!["direct", "zoned"], vec!["page"]));
        assert!(!made.assets.iter().any(|a| a.sha256 == Digest([3; 32])), "idle asset is sent");
    }

    #[test]
    fn every_asset_is_named() {
        let made = made(&edition());
        let listed: Vec<_> = made.assets.iter().map(|a| a.sha256).collect();
        assert_eq!(listed, [1, 2, 4].map(|n| Digest([n; 32])));
    }

    #[test]
    fn nothing_published_is_an_empty_manifest() {
        let made = made(&Edition::default());
        assert_eq!((made.tenant.as_str(), made.device.as_str()), ("t", "d"));
        assert!(made.playlists.is_empty() && made.schedule.is_empty() && made.assets.is_empty());
    }
}
