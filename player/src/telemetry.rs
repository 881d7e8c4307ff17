//! What the cloud is told, as records.
//!
//! In:  what happened, and when.
//! Out: [`Record`]s with ids that are never given twice.
//!
//! Not here: keeping and sending them (`vitrine_sync`), deciding that something is worth one
//! (`director`).

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use vitrine_config::time::{Now, Trust};
use vitrine_sync::Request;
use vitrine_sync::model::{Content, Item, Manifest};
use vitrine_sync::wire::record::{self, Body, OrderResult, Record};

/// Maker of records. Two makers in one process need two seeds.
#[derive(Debug)]
pub struct Records {
    ids: SmallRng,
}

impl Records {
    /// `seed`: random, never the same at two starts; ids follow from it.
    pub fn new(seed: [u8; 32]) -> Records {
        Records { ids: SmallRng::from_seed(seed) }
    }

    /// A record that `body` happened at `now`.
    pub fn record(&mut self, body: Body, now: &Now) -> Record {
        let id = format!("{:016x}{:016x}", self.ids.next_u64(), self.ids.next_u64());
        Record { id, at: now.wall, trust: trust(now.trust), body }
    }

    /// Asks sync to keep and send `body`.
    pub(crate) fn request(&mut self, body: Body, now: &Now) -> Request {
        Request::Record(self.record(body, now))
    }

    /// Asks sync to keep and send what became of an order.
    pub(crate) fn order(&mut self, order: &str, result: Result<&str, &str>, now: &Now) -> Request {
        let (done, detail) = (result.is_ok(), result.unwrap_or_else(|why| why));
        let (order, detail) = (order.to_owned(), detail.to_owned());
        self.request(Body::OrderResult(OrderResult { order, done, detail }), now)
    }
}

fn trust(trust: Trust) -> record::Trust {
    match trust {
        Trust::Synced => record::Trust::Synced,
        Trust::Guess => record::Trust::Guess,
    }
}

/// What people call what an item shows: the name of its file, its colour, or the
/// item's own name.
pub(crate) fn label(item: &Item, manifest: &Manifest) -> String {
    let name = |asset| manifest.assets.get(asset).map(|asset| asset.name.clone());
    match &item.content {
        Content::Image(asset) | Content::Video(asset) | Content::Audio(asset) => {
            name(asset).unwrap_or_else(|| item.id.clone())
        }
        Content::Colour([red, green, blue]) => format!("#{red:02x}{green:02x}{blue:02x}"),
        Content::Text(_) => item.id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_32_hexadecimal_digits_and_never_the_same() {
        let now = crate::director::sim::now(0);
        let body = || Body::Fault(record::Fault { code: "x".into(), detail: "y".into() });
        let mut records = Records::new([1; 32]);
        let ids: BTreeSet<_> = (0..1_000).map(|_| records.record(body(), &now).id).collect();
        assert_eq!(ids.len(), 1_000);
        let hex = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(hex)));
        assert!(!ids.contains(&Records::new([2; 32]).record(body(), &now).id));
    }
}
