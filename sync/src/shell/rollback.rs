//! The way back: the generation before the live one, at once.
//!
//! It has been live, so it is known and proved, and its files are kept while there is room. What it
//! replaces becomes the one before it: going back twice is going forth. The versions seen stay as they
//! were, and what it replaces is *turned down*: no manifest brings it back, whatever its version, until
//! one has gone live that shows something else.

use std::sync::Arc;
use std::time::Duration;

use vitrine_config::time::Now;

use super::Shell;
use crate::cloud::Cloud;
use crate::error::chain;
use crate::plan::{self, Readiness};
use crate::{Asker, Event};

impl<C: Cloud> Shell<C> {
    /// Goes back and says what came of it to whoever asked.
    pub(super) async fn roll_back(&mut self, asker: Asker, now: Now) {
        let result = self.go_back(now).await;
        if let Ok((from, to)) = result {
            let who = match &asker {
                Asker::Person(_) => "a person at the device".to_owned(),
                Asker::Order(id) => format!("order {id:?}"),
            };
            let detail = format!("version {to} is live again in place of {from}, asked by {who}");
            self.trouble("rolled_back", detail).await;
        }
        match asker {
            Asker::Person(ask) => {
                let result = result.map(|(_, to)| to);
                self.say(Event::RolledBack { ask, result });
            }
            Asker::Order(id) => {
                let how = result.map(|(_, to)| format!("version {to} is live"));
                self.end_order(id, how, now).await;
            }
        }
    }

    /// Goes back because nothing of what is live can be shown.
    pub(super) async fn give_up(&mut self, why: String, now: Now) {
        match self.go_back(now).await {
            Ok((from, to)) => {
                let detail = format!("version {to} is live again in place of {from}: {why}");
                self.trouble("rolled_back", detail).await;
            }
            Err(stays) => tracing::warn!(why, stays, "sync: no way back"),
        }
    }

    /// The version that was live and the one that is.
    async fn go_back(&mut self, now: Now) -> Result<(u64, u64), String> {
        let live = self.content.live.as_ref().ok_or("nothing is live")?;
        let from = live.manifest.version;
        let before = self.content.previous.as_ref().ok_or("nothing was live before")?;
        let (to, held) = (before.version, self.ways.cache.held());
        let at_once = (Duration::MAX, Duration::ZERO);
        let Readiness::Go { missing } = plan::ready(before, &held, at_once, &self.when(now)) else {
            return Err(format!("nothing that version {to} shows is on the device any more"));
        };
        // Who goes back to what was turned down takes that back.
        let undone = self.content.turned_down == Some(before.content);
        let turned_down = (!undone).then_some(live.manifest.content);
        self.ways.store.roll_back(to, turned_down).await.map_err(|error| chain(&error))?;
        self.content.turned_down = turned_down;
        let live = self.content.live.take().map(|live| Arc::unwrap_or_clone(live).manifest);
        if let Some(before) = std::mem::replace(&mut self.content.previous, live) {
            self.say_live(before, missing, now);
        }
        self.content.settle.want(now.mono);
        Ok((from, to))
    }
}
