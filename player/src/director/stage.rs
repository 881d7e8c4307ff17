//! What the stage and its host say.

use std::time::Duration;

use vitrine_config::time::{Mono, Now};
use vitrine_render::report::{Hello, Report};
use vitrine_sync::wire::record::{Body, Fault, ProofOfPlay};

use super::{Director, STARTING_PATIENCE};
use crate::event::{Effect, StageEvent};

/// A stage that dies again and again is reported at most this often.
const STAGE_FAULT_GAP: Duration = Duration::from_secs(60);

impl Director {
    /// Takes a word from the stage's host.
    pub(super) fn stage_says(&mut self, event: StageEvent, now: &Now) {
        match event {
            StageEvent::Up(hello) => self.stage_up(hello, now),
            StageEvent::Report(report) => self.report(report, now),
            StageEvent::Snapshot { id, png } => self.snapshot(id, png, now),
            StageEvent::Outdated { why, hindered } => self.stage_outdated(why, hindered, now),
            StageEvent::Down { why } => self.stage_down(why, now),
        }
    }

    fn stage_up(&mut self, hello: Hello, now: &Now) {
        // What an earlier stage showed is over, whether or not its end was told.
        self.close_ledger(now.mono, now);
        let showing = hello.showing.iter().copied().max().unwrap_or(0);
        self.playback.restart(hello.newest_turn.max(showing), now);
        self.desk.renumber(|| self.playback.turns.next());
        self.health.up(hello, now.mono);
        self.updates.content_said = false;
        (self.card, self.last_wish) = (None, None);
        self.patient_until = Some(now.mono.after(STARTING_PATIENCE));
    }

    fn stage_outdated(&mut self, why: String, hindered: bool, now: &Now) {
        if hindered {
            self.effects.push(Effect::Hindered);
        }
        if self.health.outdated(&why) {
            self.fault(Fault { code: "stage_outdated".into(), detail: why }, now);
        }
    }

    fn stage_down(&mut self, why: String, now: &Now) {
        let was_up = self.health.stage().is_ok();
        let last_seen = self.health.down(why.clone(), now.mono);
        if !was_up {
            return;
        }
        self.close_ledger(last_seen, now);
        self.playback.suspend();
        self.last_wish = None;
        let quiet = self.stage_fault_at.is_some_and(|at| now.mono.since(at) < STAGE_FAULT_GAP);
        if !quiet {
            self.stage_fault_at = Some(now.mono);
            let detail = format!("{why}; it is brought back and shows what should be on then");
            self.fault(Fault { code: "stage_died".into(), detail }, now);
        }
    }

    fn report(&mut self, report: Report, now: &Now) {
        match report {
            // The same stage, which by now knows more of itself: what it shows goes on.
            Report::Hello(hello) => self.health.correct(hello),
            Report::Shown { turn, at } => {
                self.ready_if(true);
                self.ledger.shown(turn, at);
                self.desk.shown(turn, at);
                self.playback.shown(turn, at);
                let content = self.ledger.on_screen().any(|(seen, _)| seen == turn);
                self.content(content);
            }
            Report::Gone { turn, at, frames_presented, frames_dropped } => {
                let proof = self.ledger.gone(turn, at, (frames_presented, frames_dropped));
                self.prove(proof, now);
                self.playback.gone(turn, now.mono);
            }
            Report::Ended { turn, at } => self.playback.ended(turn, at),
            Report::Prepared { turn, lasts } => {
                self.playback.prepared(turn, lasts, now.mono);
            }
            Report::Mended { turn, what } => {
                self.playback.worth_a_word(turn, "decoder_failed", &what)
            }
            Report::BrokeOff { turn, what } => {
                self.playback.worth_a_word(turn, "file_broken", &what);
            }
            Report::Failed { turn, error } => self.playback.failed(turn, &error, now.mono),
            Report::Refused { what } => {
                let code = "display_refused".to_owned();
                self.fault(Fault { code, detail: what }, now);
            }
            Report::Beat(beat) => {
                self.health.beat(beat, now.mono);
                let idle = self.health.is_idle(now.mono, self.facts.once);
                self.playback.hold(idle, self.health.starting(), now.mono);
            }
            // The host keeps the picture that travels behind it and says `StageEvent::Snapshot`.
            Report::Snapshot { .. } => {}
        }
    }

    fn close_ledger(&mut self, at: Mono, now: &Now) {
        for proof in self.ledger.close(at) {
            self.prove(Some(proof), now);
        }
    }

    fn prove(&mut self, proof: Option<ProofOfPlay>, now: &Now) {
        self.keep(proof.map(Body::ProofOfPlay), now);
    }
}
