//! What people and the cloud ask for once: commands and orders.

use std::sync::Arc;

use vitrine_config::time::Now;
use vitrine_render::scene::{Card, Layer};
use vitrine_sync::Request;
use vitrine_sync::model::{Action, Order};

use super::Director;
use super::desk::Asker;
use crate::event::{Answer, Command, Effect};
use crate::scene_of;

impl Director {
    /// Answers a person, now or when the stage has.
    pub(super) fn command(&mut self, ask: u64, command: Command, now: &Now) {
        let answer = match command {
            Command::Status => Answer::Status(Box::new(self.status(now))),
            Command::Next => self.skip(true, now),
            Command::Previous => self.skip(false, now),
            Command::Screenshot => return self.want_snapshot(Asker::Person(ask), now),
            Command::Identify => match self.identify(None, now) {
                Ok(()) => Answer::Done,
                Err(why) => Answer::Refused(why),
            },
            Command::SyncNow => {
                self.effects.push(Effect::Sync(Request::SyncNow));
                Answer::Done
            }
            Command::Rollback => {
                let asker = vitrine_sync::Asker::Person(ask);
                return self.effects.push(Effect::Sync(Request::Rollback(asker)));
            }
            Command::UpdateCheck | Command::UpdateNow => {
                let take = command == Command::UpdateNow;
                let asker = vitrine_sync::Asker::Person(ask);
                return self.effects.push(Effect::Sync(Request::Release { asker, take }));
            }
            Command::UpdateRollback => return self.effects.push(Effect::SendBack(ask)),
        };
        self.effects.push(Effect::Answer { ask, answer });
    }

    fn skip(&mut self, forward: bool, now: &Now) -> Answer {
        match self.playback.skip(forward, now) {
            Ok(()) => Answer::Done,
            Err(why) => Answer::Refused(why),
        }
    }

    /// Begins an order; its result follows.
    pub(super) fn order(&mut self, order: Order, now: &Now) {
        match order.action {
            Action::Screenshot => self.want_snapshot(Asker::Order(order.id), now),
            Action::Identify => {
                if let Err(why) = self.identify(Some(order.id.clone()), now) {
                    self.order_result(&order.id, Err(&why), now);
                }
            }
            Action::Rollback => {
                let asker = vitrine_sync::Asker::Order(order.id);
                self.effects.push(Effect::Sync(Request::Rollback(asker)));
            }
            Action::Update => self.order_update(order.id, now),
        }
    }

    pub(super) fn order_result(&mut self, order: &str, result: Result<&str, &str>, now: &Now) {
        let request = self.records.order(order, result, now);
        self.effects.push(Effect::Sync(request));
    }

    fn want_snapshot(&mut self, asker: Asker, now: &Now) {
        if let Err(why) = self.health.stage() {
            let why = format!("there is no screen: {why}");
            return self.refuse(asker, &why, now);
        }
        match self.desk.want_snapshot(asker.clone(), now.mono) {
            Some(id) => self.effects.push(Effect::Snapshot { id }),
            None => self.refuse(asker, "too many screenshots are under way", now),
        }
    }

    fn refuse(&mut self, asker: Asker, why: &str, now: &Now) {
        match asker {
            Asker::Person(ask) => {
                let answer = Answer::Refused(why.to_owned());
                self.effects.push(Effect::Answer { ask, answer });
            }
            Asker::Order(order) => self.order_result(&order, Err(why), now),
        }
    }

    /// The stage's answer to picture `id`.
    pub(super) fn snapshot(&mut self, id: u64, png: Result<Arc<Vec<u8>>, String>, now: &Now) {
        let Some(asker) = self.desk.take_snapshot(id) else { return };
        match (asker, png) {
            (asker, Err(why)) => self.refuse(asker, &why, now),
            (Asker::Person(ask), Ok(png)) => {
                self.effects.push(Effect::Answer { ask, answer: Answer::Screenshot(png) });
            }
            (Asker::Order(order), Ok(png)) => {
                self.effects.push(Effect::Sync(Request::Screenshot { order, png }));
            }
        }
    }

    fn identify(&mut self, order: Option<String>, now: &Now) -> Result<(), String> {
        if let Err(why) = self.health.stage() {
            return Err(format!("there is no screen: {why}"));
        }
        let turn = match self.desk.badge() {
            Some(badge) => badge.turn,
            None => self.playback.turns.next(),
        };
        let taken = self.desk.identify(turn, order, now.mono);
        taken.then_some(()).ok_or_else(|| "too many orders to identify wait already".to_owned())
    }

    /// The name in front of everything, while it is asked for.
    pub(super) fn badge(&self) -> Option<Layer> {
        let turn = self.desk.badge()?.turn;
        let mut lines = Vec::new();
        if let Some(paired) = &self.cloud.paired {
            lines.push(format!("tenant {}, device {}", paired.tenant, paired.device));
        }
        if let Ok(hello) = self.health.stage() {
            let size = hello.size;
            lines.push(format!("{} x {} px", size.width_px, size.height_px));
        }
        lines.push(format!("Vitrine {}", self.facts.release));
        let name = self.playback.config.device.name.as_ref().unwrap_or(&self.facts.host_name);
        let card = Card::Identify { name: name.clone(), detail: lines.join("\n") };
        Some(scene_of::card(turn, card))
    }

    /// Ends what has had its time.
    pub(super) fn settle_desk(&mut self, now: &Now) {
        let nobody = self.health.stage().is_err();
        for asker in self.desk.give_up_snapshots(now.mono, nobody) {
            self.refuse(asker, "the screen gave no answer", now);
        }
        if let Some((orders, shown)) = self.desk.finish_badge(now.mono) {
            let result =
                if shown { Ok("was on the screen") } else { Err("never came on the screen") };
            orders.iter().for_each(|order| self.order_result(order, result, now));
        }
    }
}
