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
use vitrine_sync::wire::record::{self, Body, Record};

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
}

fn trust(trust: Trust) -> record::Trust {
    match trust {
        Trust::Synced => record::Trust::Synced,
        Trust::Guess => record::Trust::Guess,
    }
}
