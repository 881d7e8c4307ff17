//! Settings in the loop: the words of the cloud and of the device's files, brought together.
//!
//! The cloud's come with the newest manifest that is believed, whether or not it is live; the files'
//! come from the player. What follows from them is `vitrine_config::merge`'s to say; each change is
//! recorded in the transaction that keeps it.

use std::collections::{BTreeMap, BTreeSet};

use vitrine_config::time::Now;
use vitrine_config::{Changed, Ledger, Word, Words, merge};
use vitrine_wire::record::{Body, SettingChanged};

use super::{Shell, record};
use crate::cloud::Cloud;
use crate::error::chain;
use crate::{Event, LocalSettings};

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Settings {
    local: Option<LocalSettings>,
    cloud: BTreeMap<String, Word>,
    /// What was said last, once it was read.
    ledger: Option<Ledger>,
    /// The words of the cloud that hold, as the player was told.
    told: BTreeMap<String, Word>,
    /// What was not taken, as reported.
    refused: BTreeSet<String>,
}

impl Settings {
    /// What the newest manifest says.
    pub(super) fn of(cloud: BTreeMap<String, Word>) -> Settings {
        Settings { cloud, ..Settings::default() }
    }
}

impl<C: Cloud> Shell<C> {
    /// The device's files say.
    pub(super) async fn set_locally(&mut self, local: LocalSettings, now: Now) {
        self.settings.local = Some(local);
        self.settle_settings(now).await;
    }

    /// A manifest says.
    pub(super) async fn set_from_afar(&mut self, cloud: BTreeMap<String, Word>, now: Now) {
        self.settings.cloud = cloud;
        self.settle_settings(now).await;
    }

    /// What the tenant's cloud said is forgotten already in the store.
    pub(super) fn forget_settings(&mut self) {
        let local = self.settings.local.take();
        self.settings = Settings { local, ..Settings::default() };
        self.say(Event::Settings(BTreeMap::new()));
    }

    async fn settle_settings(&mut self, now: Now) {
        let Some(LocalSettings { said, policy }) = self.settings.local.clone() else { return };
        let (mut taken, mut refused) = (BTreeMap::new(), BTreeSet::new());
        for (key, word) in &self.settings.cloud {
            match policy.admit(key, &word.value) {
                Ok(value) => _ = taken.insert(key.clone(), Word { value, ..word.clone() }),
                Err(why) => _ = refused.insert(format!("{why}; {} wanted it", word.by)),
            }
        }
        if let Err(error) = self.keep_settings(&said, &taken, now).await {
            self.trouble("settings_not_kept", error).await;
        }
        for why in refused.difference(&std::mem::take(&mut self.settings.refused)) {
            self.trouble("setting_refused", why.clone()).await;
        }
        self.settings.refused = refused;
        let ledger = self.settings.ledger.iter().flatten();
        let holds =
            |(key, words): (&String, &Words)| Some((key.clone(), words.cloud_holds()?.clone()));
        let holds: BTreeMap<_, _> = ledger.filter_map(holds).collect();
        if holds != self.settings.told {
            self.settings.told = holds.clone();
            self.say(Event::Settings(holds));
        }
    }

    /// Brings the words together, with a record of each change. The first words of all change nothing:
    /// they are what the device came with.
    async fn keep_settings(
        &mut self,
        local: &BTreeMap<String, String>,
        cloud: &BTreeMap<String, Word>,
        now: Now,
    ) -> Result<(), String> {
        let known = match self.settings.ledger.take() {
            Some(ledger) => Some(ledger),
            None => self.ways.store.settings().await.map_err(|error| chain(&error))?,
        };
        let at = self.session.wall(now);
        let none = BTreeMap::new();
        let first = || merge(&Ledger::new(), local, &none, at).0;
        let before = known.clone().unwrap_or_else(first);
        let (after, changes) = merge(&before, local, cloud, at);
        self.settings.ledger = Some(after.clone());
        if known.as_ref() == Some(&after) {
            return Ok(());
        }
        for change in &changes {
            tracing::info!(key = change.key, by = change.by, new = change.new, "sync: setting");
        }
        let few = changes.len();
        let records = changes.into_iter().map(|change| record(body(change), now)).collect();
        // What cannot be kept holds all the same; the next start takes it for new.
        let dropped = self.ways.store.keep_settings(after, records).await;
        self.outbox.kept(few, dropped.map_err(|error| chain(&error))?, now);
        Ok(())
    }
}

fn body(change: Changed) -> Body {
    let Changed { key, by, at: said_at, old, new } = change;
    Body::SettingChanged(SettingChanged { key, by, said_at, old, new })
}
