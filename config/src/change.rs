//! What differs between two sets of settings, and when it takes effect.

use crate::keys::{KEYS, Key};
use crate::model::Config;

/// When a changed setting takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// When the file is saved.
    Live,
    /// When the agent starts again.
    AgentRestart,
    /// When the stage starts again.
    StageRestart,
    /// When the process that it is about starts again, be it agent or stage.
    ProcessRestart,
}

/// One setting that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// `section.key`
    pub key: &'static str,
    /// When it takes effect.
    pub effect: Effect,
}

/// Which settings differ, in the order of the example file; empty for equal ones.
pub fn changes(old: &Config, new: &Config) -> Vec<Change> {
    let differs = |key: &&Key| key.text(old) != key.text(new);
    KEYS.iter().filter(differs).map(|key| Change { key: key.full, effect: key.effect }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_differs_and_nothing_else() {
        let old = Config::default();
        let mut new = old.clone();
        assert_eq!(changes(&old, &new), []);
        new.cloud.url = Some("https://signs.example".into());
        new.screen.background = [255, 0, 0];
        let want = [
            Change { key: "cloud.url", effect: Effect::AgentRestart },
            Change { key: "screen.background", effect: Effect::Live },
        ];
        assert_eq!(changes(&old, &new), want);
    }
}
