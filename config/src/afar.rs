//! Settings from afar: which of them are taken, and who has the last word on a key.
//!
//! In:  what the cloud says, what the device's files say, what both said before, the local policy.
//! Out: the words that hold, and what has changed for the record.
//!
//! The later word on a key wins. A word of the cloud bears its time; one of the files is as old as the
//! first look at which it stood there. Who withdraws a word leaves the key to the other, or to its
//! default. Variables of the environment and the command line are no words: they win always.
//!
//! Promises, each held by a test of the same name: `the_later_word_wins_key_by_key`,
//! `nothing_new_changes_nothing`, `in_whatever_order_words_come_the_same_ones_hold`,
//! `the_policy_of_the_device_stands_above_the_cloud`.
//!
//! Not here: where words are kept and told of (`vitrine_sync`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::change::Effect;
use crate::check;
use crate::error::Place;
use crate::keys::{KEYS, Key, Kind};
use crate::model::Policy;
use crate::raw::{self, Entry, Raw};

/// What one side says of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// As on the command line.
    pub value: String,
    /// When it was said.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
}

/// What both sides say of one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// The device's files.
    pub local: Option<Word>,
    /// The cloud.
    pub cloud: Option<Word>,
}

/// Everything that is said, by key.
pub type Ledger = BTreeMap<String, Words>;

/// Another value holds for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// `section.key`
    pub key: String,
    /// Whose word, or withdrawal of it, that was.
    pub by: String,
    /// When it was said.
    pub at: Timestamp,
    /// What held before; None: the default.
    pub old: Option<String>,
    /// What holds now; None: the default.
    pub new: Option<String>,
}

/// How the record calls the device's own files.
pub const FILE: &str = "the device's settings file";

impl Words {
    /// The word that holds.
    pub fn last(&self) -> Option<&Word> {
        match (&self.local, &self.cloud) {
            (Some(local), Some(cloud)) if cloud.at > local.at => Some(cloud),
            (Some(local), _) => Some(local),
            (None, cloud) => cloud.as_ref(),
        }
    }

    /// The cloud's word, if it holds.
    pub fn cloud_holds(&self) -> Option<&Word> {
        self.cloud.as_ref().filter(|cloud| self.last() == Some(cloud))
    }
}

/// Takes in what is said now.
///
/// - `before`: what was said until now.
/// - `local`: what the device's files say, key to value; noticed at `now`.
/// - `cloud`: what the cloud says and the policy has let pass.
pub fn merge(
    before: &Ledger,
    local: &BTreeMap<String, String>,
    cloud: &BTreeMap<String, Word>,
    now: Timestamp,
) -> (Ledger, Vec<Changed>) {
    let keys: BTreeSet<&String> = before.keys().chain(local.keys()).chain(cloud.keys()).collect();
    let (mut after, mut changes) = (Ledger::new(), Vec::new());
    for key in keys {
        let old = before.get(key).cloned().unwrap_or_default();
        let local = local.get(key).map(|value| match old.local.clone() {
            Some(word) if word.value == *value => word,
            _ => Word { value: value.clone(), at: now, by: FILE.into() },
        });
        let new = Words { local, cloud: cloud.get(key).cloned() };
        changes.extend(changed(key, &old, &new, now));
        if new != Words::default() {
            after.insert(key.clone(), new);
        }
    }
    (after, changes)
}

fn changed(key: &str, old: &Words, new: &Words, now: Timestamp) -> Option<Changed> {
    let value = |words: &Words| words.last().map(|word| word.value.clone());
    let (from, to) = (value(old), value(new));
    if from == to {
        return None;
    }
    // Without a new word it is the end of an old one that changed something.
    let said = new.last().filter(|word| old.last() != Some(word) && was_said(word, old));
    let (by, at) = match (said, old.last()) {
        (Some(word), _) => (word.by.clone(), word.at),
        (None, Some(word)) => (word.by.clone(), now),
        (None, None) => (String::new(), now),
    };
    Some(Changed { key: key.to_owned(), by, at, old: from, new: to })
}

/// Whether a word is none of those before.
fn was_said(word: &Word, before: &Words) -> bool {
    before.local.as_ref() != Some(word) && before.cloud.as_ref() != Some(word)
}

impl Policy {
    /// What is taken of a value that the cloud wants for a key, as the command line takes it; a
    /// number below its floor is the floor.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn admit(&self, name: &str, value: &str) -> Result<String, String> {
        let Some(key) = KEYS.iter().find(|key| key.full == name) else {
            return Err(format!("{name}: no setting of this release"));
        };
        if key.effect != Effect::Live || key.section() == "policy" {
            return Err(format!("{name}: only the device's own file can set it"));
        }
        if self.locked.contains(name) {
            return Err(format!("{name}: locked by the device's policy.locked"));
        }
        let read = check::check([layer([(name, value, "")])]);
        if let Some(problem) = read.problems.list.first() {
            return Err(format!("{name} = {value:?}: want {}", problem.want));
        }
        Ok(match (&key.kind, self.floors.get(name)) {
            (Kind::Whole { get, .. }, Some(floor)) => get(&read.config).max(*floor).to_string(),
            _ => key.bare(&read.config),
        })
    }
}

/// What holds of the cloud's words, for every layer above the files. Shared: whoever sets it wakes
/// whoever watches.
#[derive(Debug, Clone, Default)]
pub struct Afar(Arc<Mutex<Slot>>);

#[derive(Debug, Default)]
struct Slot {
    words: BTreeMap<String, Word>,
    wake: Option<SyncSender<()>>,
}

impl Afar {
    /// Puts these in force.
    pub fn set(&self, words: BTreeMap<String, Word>) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.words = words;
        if let Some(wake) = &slot.wake {
            // Full: it is about to look anyway.
            let _ = wake.try_send(());
        }
    }

    /// Those in force.
    pub fn words(&self) -> BTreeMap<String, Word> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).words.clone()
    }

    /// Whom to wake.
    pub(crate) fn wakes(&self, wake: SyncSender<()>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).wake = Some(wake);
    }

    /// As a layer. A word that does not hold any more, as after an upgrade, is left out.
    pub(crate) fn layer(&self) -> Raw {
        let words = self.words();
        let words = words.iter().map(|(key, word)| {
            (key.as_str(), word.value.as_str(), format!("{}, {:.0}", word.by, word.at))
        });
        let mut raw = Raw::default();
        for (key, value, by) in words {
            let one = layer([(key, value, by.as_str())]);
            if check::check([layer([(key, value, by.as_str())])]).problems.list.is_empty() {
                raw.entries.extend(one.entries);
            }
        }
        raw
    }
}

fn layer<'a>(words: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>) -> Raw {
    let mut raw = Raw::default();
    for (key, value, by) in words {
        match raw::assignment(&format!("{key}={value}")) {
            Ok(entry) => {
                raw.entries.push(Entry { place: Place::Cloud(by.to_owned()), ..entry });
            }
            Err(problem) => raw.problems.push(problem),
        }
    }
    raw
}

/// What a layer's files say: key to value, as the command line takes it. It is told to the cloud, so
/// secrets are not in it.
pub(crate) fn said(reading: &check::Reading) -> BTreeMap<String, String> {
    let said = |key: &&Key| !key.secret && reading.origins.contains_key(key.full);
    let keys = KEYS.iter().filter(said);
    keys.map(|key| (key.full.to_owned(), key.bare(&reading.config))).collect()
}

#[cfg(test)]
mod tests;
