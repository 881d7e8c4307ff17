//! Decides what is on the screen, now and next.

use std::sync::Arc;

use jiff::tz::TimeZone;
use vitrine_config::Config;
use vitrine_config::time::{Mono, Now};

use crate::event::{Effect, Event};
use crate::telemetry::Records;

/// What is known at start and does not change.
#[derive(Debug, Clone)]
pub struct StartFacts {
    /// Version of the player.
    pub release: String,
    /// What this machine is called when the settings say nothing: the host name.
    pub host_name: String,
    /// Play everything once, then [`Effect::Finished`].
    pub once: bool,
    /// Zone that the schedule is read in; [`Event::TimeZone`] changes it.
    pub time_zone: TimeZone,
    /// Random; record ids follow from it.
    pub seed: [u8; 32],
}

/// Decides what is on the screen, now and next. Cannot fail, cannot wait, reads no clock.
#[derive(Debug)]
pub struct Director {
    config: Arc<Config>,
    facts: StartFacts,
    records: Records,
}

impl Director {
    /// A director that knows nothing yet: content comes with `vitrine_sync::Event::Started`.
    pub fn new(config: Arc<Config>, facts: StartFacts, now: &Now) -> Director {
        let _ = now;
        let records = Records::new(facts.seed);
        Director { config, facts, records }
    }

    /// Takes one event at `now`. What is asked for is to be carried out in order.
    pub fn handle(&mut self, event: Event, now: &Now) -> Vec<Effect> {
        let _ = (event, now, &self.config, &self.facts, &mut self.records);
        Vec::new()
    }

    /// When it wants to be woken with [`Event::Tick`] if nothing else happens before; later than
    /// the last `now`. None: not by itself.
    pub fn deadline(&self) -> Option<Mono> {
        None
    }
}
