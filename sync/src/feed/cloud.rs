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
use serde_json::value::RawValue;
use vitrine_config::limits;
use vitrine_wire::digest::Hasher;

use super::check::{self, Notes, shape};
use crate::model::{
    Asset, Complaint, Digest, Entry, Item, Layout, Manifest, Order, Playlist, Target, Zone,
};

/// What a manifest says of itself, not of what is to be shown.
const ABOUT: [&str; 7] =
    ["version", "tenant", "device", "issued_at", "not_after", "tenant_key", "settings"];
/// The fields of a [`Head`].
const HEAD: [&str; 3] = ["version", "tenant", "device"];

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

/// A JSON object whose fields are not read yet: of ten thousand elements each is read once, where
/// its shape is known, and one that cannot be read costs itself.
pub(crate) type Fields<'a> = BTreeMap<String, &'a RawValue>;

impl Head {
    fn of(fields: &Fields<'_>) -> Result<Head, Unreadable> {
        let known = fields.iter().filter(|(key, _)| HEAD.contains(&key.as_str()));
        let head =
            object(known).and_then(|head| Head::deserialize(head).map_err(|e| e.to_string()));
        let head = head.map_err(Unreadable)?;
        match i64::try_from(head.version) {
            Ok(1..) => Ok(head),
            // It could not be kept, and nothing could come after it.
            _ => Err(Unreadable(format!("version is {}, want 1 to {}", head.version, i64::MAX))),
        }
    }
}

/// Cuts a payload into its fields. Bounded in size by [`limits`].
pub(crate) fn fields(payload: &[u8]) -> Result<Fields<'_>, Unreadable> {
    let (found, most) = (payload.len(), limits::MANIFEST_DECODED_BYTES);
    if found > most {
        return Err(Unreadable(format!("{found} bytes, at most {most} are read")));
    }
    serde_json::from_slice(payload).map_err(|e| Unreadable(e.to_string()))
}

/// The key that the payload wants pinned.
pub(crate) fn tenant_key(fields: &Fields<'_>) -> Option<String> {
    serde_json::from_str(fields.get("tenant_key")?.get()).ok()
}

/// Reads a manifest. Bounded in depth, counts and texts by [`limits`].
pub(crate) fn manifest(mut fields: Fields<'_>) -> Result<(Manifest, Vec<Complaint>), Unreadable> {
    let (head, content) = (Head::of(&fields)?, content(&fields));
    let mut notes = Notes::default();
    let not_after = notes.optional("not_after", fields.get("not_after").copied());
    let mut assets = assets(list(&mut fields, "assets", limits::ITEMS, &mut notes), &mut notes);
    let playlists = list(&mut fields, "playlists", limits::PLAYLISTS, &mut notes);
    let playlists = self::playlists(playlists, &assets, &mut notes);
    let layouts = list(&mut fields, "layouts", limits::LAYOUTS, &mut notes);
    let layouts = self::layouts(layouts, &playlists, &assets, &mut notes);
    let schedule = list(&mut fields, "schedule", limits::ENTRIES, &mut notes);
    let schedule = self::schedule(schedule, &playlists, &layouts, &mut notes);
    let settings = list(&mut fields, "settings", limits::SETTINGS, &mut notes);
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
fn content(fields: &Fields<'_>) -> Digest {
    let mut hasher = Hasher::default();
    for (key, value) in fields.iter().filter(|(key, _)| !ABOUT.contains(&key.as_str())) {
        // No two contents give the same bytes: a JSON string has no line feed that is not written as
        // one. Kept over restarts (`turned_down`), so the form must stay.
        hasher.update(Value::from(key.as_str()).to_string().as_bytes());
        hasher.update(b"\n");
        hasher.update(value.get().as_bytes());
        hasher.update(b"\n");
    }
    hasher.digest()
}

/// Reads orders. One that this release does not know costs itself.
pub(crate) fn orders(payload: &[u8]) -> Result<(Head, Vec<Order>, Vec<Complaint>), Unreadable> {
    let mut fields = fields(payload)?;
    let (head, mut notes) = (Head::of(&fields)?, Notes::default());
    let raw = list(&mut fields, "orders", limits::ORDERS, &mut notes);
    let orders = notes.distinct(raw, "orders", check::order, |order| order.id.clone());
    Ok((head, orders, notes.done()))
}

/// Reads these fields as they are.
fn object<'a>(
    fields: impl Iterator<Item = (&'a String, &'a &'a RawValue)>,
) -> Result<Value, String> {
    let read = |(key, raw): (&'a String, &'a &'a RawValue)| Ok((key.clone(), shape(raw)?));
    fields.map(read).collect::<Result<_, String>>().map(Value::Object)
}

/// Takes the array `key` out of `parent`, cut to `most` elements; absent is empty.
fn list<'a>(
    parent: &mut Fields<'a>,
    key: &str,
    most: usize,
    notes: &mut Notes,
) -> Vec<&'a RawValue> {
    let Some(raw) = parent.remove(key) else { return Vec::new() };
    match serde_json::from_str::<Option<Vec<&RawValue>>>(raw.get()) {
        Ok(all) => {
            let mut all = all.unwrap_or_default();
            if all.len() > most {
                notes.add(key, format!("{} elements, the first {most} are read", all.len()));
                all.truncate(most);
            }
            all
        }
        Err(_) => {
            notes.add(key, "want an array".into());
            Vec::new()
        }
    }
}

/// The list `key` of the object `raw` at `place`, and the rest of it.
fn split<'a>(
    raw: &'a RawValue,
    (place, key, most): (&str, &str, usize),
    notes: &mut Notes,
) -> Option<(Vec<&'a RawValue>, Value)> {
    let mut fields: Fields<'a> = notes.taken(place, shape(raw))?;
    let list = notes.within(place, |notes| list(&mut fields, key, most, notes));
    Some((list, notes.taken(place, object(fields.iter()))?))
}

fn assets(raw: Vec<&RawValue>, notes: &mut Notes) -> BTreeMap<Digest, Asset> {
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
    raw: Vec<&RawValue>,
    assets: &BTreeMap<Digest, Asset>,
    notes: &mut Notes,
) -> BTreeMap<String, Playlist> {
    let mut kept = BTreeMap::new();
    let mut room = limits::ITEMS;
    for (n, raw) in raw.into_iter().enumerate() {
        let place = format!("playlists[{n}]");
        let parts = split(raw, (&place, "items", limits::ITEMS), notes);
        let Some((items, value)) = parts else { continue };
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
    raw: Vec<&RawValue>,
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
        |raw: &RawValue| check::item(raw).and_then(known),
        |item| item.id.clone(),
    )
}

fn layouts(
    raw: Vec<&RawValue>,
    playlists: &BTreeMap<String, Playlist>,
    assets: &BTreeMap<Digest, Asset>,
    notes: &mut Notes,
) -> BTreeMap<String, Layout> {
    let mut kept = BTreeMap::new();
    for (n, raw) in raw.into_iter().enumerate() {
        let place = format!("layouts[{n}]");
        let parts = split(raw, (&place, "zones", limits::ZONES), notes);
        let Some((zones, value)) = parts else { continue };
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
    raw: Vec<&RawValue>,
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
        |raw: &RawValue| check::zone(raw).and_then(known),
        |(_, zone)| zone.id.clone(),
    );
    zones.sort_by_key(|(z, _)| *z);
    zones.into_iter().map(|(_, zone)| zone).collect()
}

fn schedule(
    raw: Vec<&RawValue>,
    playlists: &BTreeMap<String, Playlist>,
    layouts: &BTreeMap<String, Layout>,
    notes: &mut Notes,
) -> Vec<Entry> {
    let known = |entry: Entry| match &entry.target {
        Target::Playlist(id) if !playlists.contains_key(id) => Err(format!("no playlist {id:?}")),
        Target::Layout(id) if !layouts.contains_key(id) => Err(format!("no layout {id:?}")),
        _ => Ok(entry),
    };
    let read = |raw: &RawValue| check::entry(raw).and_then(known);
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
