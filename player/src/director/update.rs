//! Updates, as far as they concern the screen: when a release may be tried, and what people and the
//! cloud hear of it.

use vitrine_config::model::{Output, UpdatePolicy};
use vitrine_config::time::Now;
use vitrine_sync::wire::record::Fault;
use vitrine_sync::{Asker, Request};

use super::Director;
use crate::event::{Answer, Effect};
use crate::status;
use crate::update::desk::News;
use crate::update::state::{Outcome, Release, STARTS_MAX, State};

/// What is known of updates.
#[derive(Debug, Default)]
pub struct Updates {
    /// As the desk said last.
    state: State,
    /// A release that is here; `true`: somebody asked for it.
    here: Option<(Release, bool)>,
    /// Content has been seen on the stage that is there.
    pub content_said: bool,
}

impl Director {
    /// Takes a word from the desk.
    pub(super) fn update_says(&mut self, news: News, now: &Now) {
        match news {
            News::State(state) => self.updates.state = *state,
            News::Outcome(outcome) => self.outcome(outcome, now),
            News::Ready => self.effects.push(Effect::GiveWay),
            News::SentBack { ask, result } => {
                let answer = result.map_or_else(Answer::Refused, |()| Answer::Done);
                self.effects.push(Effect::Answer { ask, answer });
            }
        }
    }

    fn outcome(&mut self, Outcome { version, why_not, id }: Outcome, now: &Now) {
        let (code, detail) = match why_not {
            None => ("updated", format!("{version} has proved itself and stays")),
            Some(why) => ("update_refused", format!("{version}: {why}")),
        };
        self.cloud.trouble(now.wall, code, &detail);
        let fault = Fault { code: code.to_owned(), detail };
        self.effects.push(match id {
            Some(id) => Effect::FaultOnce { id, fault },
            None => Effect::Fault(fault),
        });
    }

    /// The cloud wants a newer version to run.
    pub(super) fn order_update(&mut self, order: String, now: &Now) {
        if self.playback.config.update.policy == UpdatePolicy::Off {
            return self.order_result(&order, Err("update.policy is off on this device"), now);
        }
        let asker = Asker::Order(order);
        self.effects.push(Effect::Sync(Request::Release { asker, take: true }));
    }

    /// A release is on the device.
    pub(super) fn release_here(&mut self, release: Release, hurry: bool) {
        self.updates.here = Some((release, hurry));
    }

    /// Puts a release on trial. One that nobody asked for waits until content is on the screen: in
    /// front of a dark display no version could prove itself.
    pub(super) fn settle_update(&mut self) {
        let proves = self.playback.config.screen.output == Output::None
            || self.ledger.on_screen().next().is_some();
        if let Some((release, _)) = self.updates.here.take_if(|(_, hurry)| *hurry || proves) {
            self.effects.push(Effect::TryRelease(release));
        }
    }

    /// Evidence for the guardian, once for each stage.
    pub(super) fn content(&mut self, seen: bool) {
        if seen && !std::mem::replace(&mut self.updates.content_said, true) {
            self.effects.push(Effect::Content);
        }
    }

    /// For a person.
    pub(super) fn update_status(&self) -> status::Update {
        let State { current, previous, trial, refused, .. } = &self.updates.state;
        let version = |release: &Release| release.version.clone();
        let trial = trial.as_ref();
        status::Update {
            current: current.as_ref().map(version),
            previous: previous.as_ref().map(version),
            trial: trial.map(|trial| {
                format!("{}, start {} of {STARTS_MAX}", trial.release.version, trial.starts)
            }),
            refused: refused.iter().map(|r| format!("{}: {}", r.version, r.why)).collect(),
        }
    }
}
