//! The cloud's manifest, made into the content model; and its orders.
//!
//! In:  a payload that has been proved already, as bytes.
//! Out: a [`Manifest`] in which every reference resolves and every number is in range, and one
//!      [`Complaint`] for each part that was passed over.
//!
//! A device in the field must play what it can: an item kind that this release does not know, a
//! digest with a typo, a zone of a playlist that is not there costs that element and no more. Only
//! a manifest that has no readable version, tenant or device is refused as a whole.
//!
//! Promises: `nothing_dangles_whatever_is_sent` (property), the table tests below it.
//!
//! Not here: signatures and versions (`accept`), downloads.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use vitrine_config::limits;

use super::check::{self, Notes};
use crate::model::{
    Asset, Complaint, Digest, Entry, Item, Layout, Manifest, Order, Playlist, Target, Zone,
};

/// What a manifest says of itself, not of what is to be shown.
const ABOUT: [&str; 7] =
    ["version", "tenant", "device", "issued_at", "not_after", "tenant_key", "settings"];

/// A payload of which nothing can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

/// What a payload must say.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Head {
    /// Rises.
    pub(crate) version: u64,
    /// Whose it is.
    pub(crate) tenant: String,
    /// Whom it is for.
    pub(crate) device: String,
}

impl Head {
    fn of(root: &Value) -> Result<Head, Unreadable> {
        let head = Head::deserialize(root).map_err(|e| Unreadable(e.to_string()))?;
        match i64::try_from(head.version) {
            Ok(1..) => Ok(head),
            // It could not be kept, and nothing could come after it.
            _ => Err(Unreadable(format!("version is {}, want 1 to {}", head.version, i64::MAX))),
        }
    }
}

/// Reads a payload. Bounded in size, depth, counts and texts by [`limits`].
pub fn read(payload: &[u8]) -> Result<(Manifest, Vec<Complaint>), Unreadable> {
    let mut root = parse(payload)?;
    let (head, content) = (Head::of(&root)?, content(&root));
    let mut notes = Notes::default();
    let not_after = notes.optional("not_after", root.get("not_after"));
    let mut assets = assets(list(&mut root, "assets", limits::ITEMS, &mut notes), &mut notes);
    let playlists = list(&mut root, "playlists", limits::PLAYLISTS, &mut notes);
    let playlists = self::playlists(playlists, &assets, &mut notes);
    let layouts = list(&mut root, "layouts", limits::LAYOUTS, &mut notes);
    let layouts = self::layouts(layouts, &playlists, &assets, &mut notes);
    let schedule = list(&mut root, "schedule", limits::ENTRIES, &mut notes);
    let schedule = self::schedule(schedule, &playlists, &layouts, &mut notes);
    let settings = list(&mut root, "settings", limits::SETTINGS, &mut notes);
    let settings = notes.distinct(settings, "settings", check::setting, |(key, _)| key.clone());
    let named = named(&playlists, &layouts);
    assets.retain(|digest, _| named.contains(digest));
    let Head { version, tenant, device } = head;
    let manifest = Manifest {
        version,
        tenant,
        device,
        content,
        not_after,
        assets,
        playlists,
        layouts,
        schedule,
        settings: settings.into_iter().collect(),
    };
    Ok((manifest, notes.done()))
}

/// See [`Manifest::content`]. What a later release may add counts as content.
fn content(root: &Value) -> Digest {
    let fields = root.as_object().into_iter().flatten();
    let shown: BTreeMap<_, _> = fields.filter(|(key, _)| !ABOUT.contains(&key.as_str())).collect();
    Digest::of(&serde_json::to_vec(&shown).unwrap_or_default())
}

/// Reads orders. One that this release does not know costs itself.
pub(crate) fn orders(payload: &[u8]) -> Result<(Head, Vec<Order>, Vec<Complaint>), Unreadable> {
    let mut root = parse(payload)?;
    let (head, mut notes) = (Head::of(&root)?, Notes::default());
    let raw = list(&mut root, "orders", limits::ORDERS, &mut notes);
    let orders = notes.distinct(raw, "orders", check::order, |order| order.id.clone());
    Ok((head, orders, notes.done()))
}

fn parse(payload: &[u8]) -> Result<Value, Unreadable> {
    let (found, most) = (payload.len(), limits::MANIFEST_DECODED_BYTES);
    if found > most {
        return Err(Unreadable(format!("{found} bytes, at most {most} are read")));
    }
    // The parser refuses nesting deeper than 128 by itself.
    let root: Value = serde_json::from_slice(payload).map_err(|e| Unreadable(e.to_string()))?;
    if root.is_object() { Ok(root) } else { Err(Unreadable("want an object".into())) }
}

/// Takes the array `key` out of `parent`, cut to `most` elements; absent is empty.
fn list(parent: &mut Value, key: &str, most: usize, notes: &mut Notes) -> Vec<Value> {
    match parent.get_mut(key).map(Value::take) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(mut all)) => {
            if all.len() > most {
                notes.add(key, format!("{} elements, the first {most} are read", all.len()));
                all.truncate(most);
            }
            all
        }
        Some(_) => {
            notes.add(key, "want an array".into());
            Vec::new()
        }
    }
}

fn assets(raw: Vec<Value>, notes: &mut Notes) -> BTreeMap<Digest, Asset> {
    let mut kept = BTreeMap::<Digest, Asset>::new();
    for (n, value) in raw.into_iter().enumerate() {
        let place = format!("assets[{n}]");
        let Some(asset) = notes.taken(&place, check::asset(value)) else { continue };
        match kept.get(&asset.sha256) {
            Some(known) if known.size_bytes != asset.size_bytes => notes.add(
                &place,
                format!("{} bytes, named before with {}", asset.size_bytes, known.size_bytes),
            ),
            Some(_) => {}
            None => {
                kept.insert(asset.sha256, asset);
            }
        }
    }
    kept
}

fn playlists(
    raw: Vec<Value>,
    assets: &BTreeMap<Digest, Asset>,
    notes: &mut Notes,
) -> BTreeMap<String, Playlist> {
    let mut kept = BTreeMap::new();
    let mut room = limits::ITEMS;
    for (n, mut value) in raw.into_iter().enumerate() {
        let place = format!("playlists[{n}]");
        let items = notes.within(&place, |notes| list(&mut value, "items", limits::ITEMS, notes));
        let Some(playlist) = notes.taken(&place, check::playlist(value)) else { continue };
        if kept.contains_key(&playlist.id) {
            notes.add(&place, format!("id {:?} is taken", playlist.id));
            continue;
        }
        let items = self::items(items, &place, assets, notes);
        let items = notes.cut(&place, items, room, "items over all playlists");
        room -= items.len();
        kept.insert(playlist.id.clone(), Playlist { items, ..playlist });
    }
    kept
}

fn items(
    raw: Vec<Value>,
    at: &str,
    assets: &BTreeMap<Digest, Asset>,
    notes: &mut Notes,
) -> Vec<Item> {
    let known = |item: Item| match item.content.asset() {
        Some(asset) if !assets.contains_key(&asset) => Err(format!("no asset {asset}")),
        _ => Ok(item),
    };
    notes.distinct(
        raw,
        &format!("{at}.items"),
        |value| check::item(value).and_then(known),
        |item| item.id.clone(),
    )
}

fn layouts(
    raw: Vec<Value>,
    playlists: &BTreeMap<String, Playlist>,
    assets: &BTreeMap<Digest, Asset>,
    notes: &mut Notes,
) -> BTreeMap<String, Layout> {
    let mut kept = BTreeMap::new();
    for (n, mut value) in raw.into_iter().enumerate() {
        let place = format!("layouts[{n}]");
        let zones = notes.within(&place, |notes| list(&mut value, "zones", limits::ZONES, notes));
        let Some(mut layout) = notes.taken(&place, check::layout(value)) else { continue };
        if kept.contains_key(&layout.id) {
            notes.add(&place, format!("id {:?} is taken", layout.id));
            continue;
        }
        // A page without its picture is better than none.
        for (name, image) in [
            ("background_image", &mut layout.background_image),
            ("letterbox_image", &mut layout.letterbox_image),
        ] {
            if let Some(gone) = image.take_if(|asset| !assets.contains_key(asset)) {
                notes.add(&format!("{place}.{name}"), format!("no asset {gone}"));
            }
        }
        let zones = self::zones(zones, &place, playlists, notes);
        kept.insert(layout.id.clone(), Layout { zones, ..layout });
    }
    kept
}

/// Zones back to front.
fn zones(
    raw: Vec<Value>,
    at: &str,
    playlists: &BTreeMap<String, Playlist>,
    notes: &mut Notes,
) -> Vec<Zone> {
    let known = |(z, zone): (i32, Zone)| match playlists.contains_key(&zone.playlist) {
        true => Ok((z, zone)),
        false => Err(format!("no playlist {:?}", zone.playlist)),
    };
    let mut zones = notes.distinct(
        raw,
        &format!("{at}.zones"),
        |value| check::zone(value).and_then(known),
        |(_, zone)| zone.id.clone(),
    );
    zones.sort_by_key(|(z, _)| *z);
    zones.into_iter().map(|(_, zone)| zone).collect()
}

fn schedule(
    raw: Vec<Value>,
    playlists: &BTreeMap<String, Playlist>,
    layouts: &BTreeMap<String, Layout>,
    notes: &mut Notes,
) -> Vec<Entry> {
    let known = |entry: Entry| match &entry.target {
        Target::Playlist(id) if !playlists.contains_key(id) => Err(format!("no playlist {id:?}")),
        Target::Layout(id) if !layouts.contains_key(id) => Err(format!("no layout {id:?}")),
        _ => Ok(entry),
    };
    let read = |value| check::entry(value).and_then(known);
    notes.distinct(raw, "schedule", read, |entry| entry.id.clone())
}

fn named(
    playlists: &BTreeMap<String, Playlist>,
    layouts: &BTreeMap<String, Layout>,
) -> BTreeSet<Digest> {
    let items = playlists.values().flat_map(|playlist| &playlist.items);
    let of_items = items.filter_map(|item| item.content.asset());
    of_items.chain(layouts.values().flat_map(Layout::assets)).collect()
}

#[cfg(test)]
mod tests;
