//! What is written, made to mean something.
//!
//! In: the layers, each as [`Raw`], the weakest first. Out: a [`Reading`]: the settings that hold,
//! where each was set, and all problems at once.
//! Promises: `every_key_keeps_its_range`, `a_wrong_value_leaves_the_one_below`.
//! Not here: files (`load`). Every value of every layer is checked, also one that a later layer
//! overrides: it would bite on the day when that layer goes.

use std::collections::BTreeMap;

use crate::error::{Place, Problem, Problems};
use crate::keys::Kind;
use crate::model::Config;
use crate::raw::{Entry, Raw, Value};

/// What could be made of all layers.
#[derive(Default)]
pub struct Reading {
    /// Holds, whatever the problems: a wrong value leaves what the layers below it say.
    pub config: Config,
    /// `section.key` → where its value was written; keys at their default are not in it.
    pub origins: BTreeMap<&'static str, Place>,
    pub problems: Problems,
}

/// Checks all layers.
pub fn check(layers: impl IntoIterator<Item = Raw>) -> Reading {
    let mut reading = Reading::default();
    for raw in layers {
        let mut problems = raw.problems;
        for entry in raw.entries {
            match apply(&mut reading.config, &entry) {
                Some(()) => _ = reading.origins.insert(entry.key.full, entry.place),
                None => problems.push(complaint(entry)),
            }
        }
        problems.sort_by_key(|problem| position(&problem.place));
        reading.problems.extend(problems);
    }
    reading
}

/// Takes one value, or changes nothing.
fn apply(config: &mut Config, entry: &Entry) -> Option<()> {
    match (&entry.key.kind, &entry.value) {
        (Kind::Whole { range, set, .. }, value) => {
            let number = whole(value).filter(|number| range.contains(number))?;
            set(config, number);
            Some(())
        }
        (Kind::Text { set, .. }, Value::Text(text) | Value::Bare(text)) => set(config, text),
        (Kind::Text { .. }, Value::Whole(_) | Value::Other) => None,
    }
}

fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Whole(number) => u64::try_from(*number).ok(),
        Value::Bare(text) => text.parse().ok(),
        Value::Text(_) | Value::Other => None,
    }
}

fn complaint(entry: Entry) -> Problem {
    Problem {
        key: Some(entry.key.full.into()),
        want: entry.key.want(),
        place: entry.place,
        found: if entry.key.secret { "(hidden)".into() } else { entry.found },
    }
}

/// Order of the text; problems of a whole file come first.
fn position(place: &Place) -> (usize, usize) {
    match place {
        Place::At { line, column, .. } => (*line, *column),
        _ => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::raw;

    #[test]
    fn a_wrong_value_leaves_the_one_below() {
        let below = raw::document(Path::new("a.toml"), "cloud.poll_s = 30\ncloud.heartbeat_s = 40");
        let above = raw::document(Path::new("b.toml"), "cloud.poll_s = 0\ncloud.heartbeat_s = 50");
        let reading = check([below, above]);
        assert_eq!(reading.config.cloud.poll.as_secs(), 30);
        assert_eq!(reading.config.cloud.heartbeat.as_secs(), 50);
        assert_eq!(reading.origins["cloud.poll_s"].to_string(), "a.toml:1:16");
        assert_eq!(reading.problems.list.len(), 1);
    }
}
