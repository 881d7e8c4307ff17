//! The director's thread: one inbox, one deadline, no other way in.
//!
//! It ends when its inbox closes, which is how the player asks it to stop, or when its hands are
//! done. It also notices when the wall clock is set, because nobody else tells.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use vitrine_config::time::{Clock, Mono, Now};

use crate::director::Director;
use crate::event::{Effect, Event};

/// Longest sleep: a clock that was set is noticed this soon at the latest.
const LONGEST: Duration = Duration::from_secs(60);
/// Wall and steady time drift apart by less than this between two wake-ups; more is a clock that
/// was set.
const JUMP: SignedDuration = SignedDuration::from_secs(2);

/// What carries effects out. None of it may wait for anybody.
pub trait Hands {
    /// An event has come; the director has not seen it yet.
    fn see(&mut self, _event: &Event, _now: &Now) {}

    /// Does what the director wants.
    fn carry_out(&mut self, effect: Effect, now: &Now);

    /// An event of the hands' own, asked for until there is none.
    fn own_event(&mut self, _now: &Now) -> Option<Event> {
        None
    }

    /// When they want to be woken, if nothing else happens before.
    fn deadline(&self) -> Option<Mono> {
        None
    }

    /// Whether the loop is to end.
    fn done(&self, _now: &Now) -> bool {
        false
    }
}

/// Runs until the inbox closes or the hands are done.
pub fn run(
    director: &mut Director,
    inbox: &Receiver<Event>,
    clock: &dyn Clock,
    hands: &mut impl Hands,
) {
    let mut watch = JumpWatch::default();
    let mut now = clock.now();
    while !hands.done(&now) {
        let wake = [director.deadline(), hands.deadline()].into_iter().flatten().min();
        let wait = wake.map_or(LONGEST, |at| at.since(now.mono).min(LONGEST));
        let event = match inbox.recv_timeout(wait) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => Event::Tick,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        now = clock.now();
        if watch.jumped(&now) {
            handle(director, hands, Event::Tick, &now);
        }
        handle(director, hands, event, &now);
        while let Some(event) = hands.own_event(&now) {
            handle(director, hands, event, &now);
        }
        // A stream of events must not keep the deadline from being kept.
        if director.deadline().is_some_and(|at| at <= now.mono) {
            handle(director, hands, Event::Tick, &now);
        }
    }
}

fn handle(director: &mut Director, hands: &mut impl Hands, event: Event, now: &Now) {
    hands.see(&event, now);
    for effect in director.handle(event, now) {
        hands.carry_out(effect, now);
    }
}

/// Sees a wall clock that was set: the distance between wall and steady time changes.
#[derive(Debug, Default)]
struct JumpWatch {
    zero: Option<Timestamp>,
}

impl JumpWatch {
    fn jumped(&mut self, now: &Now) -> bool {
        let steady = SignedDuration::from_nanos(i64::try_from(now.mono.0).unwrap_or(i64::MAX));
        let zero = now.wall.checked_sub(steady).unwrap_or(now.wall);
        let Some(before) = self.zero.replace(zero) else { return false };
        let jump = zero.duration_since(before);
        if jump.abs() > JUMP {
            tracing::info!(seconds = jump.as_secs(), "the clock was set");
        }
        jump.abs() > JUMP
    }
}

#[cfg(test)]
mod tests {
    use vitrine_config::time::Trust;

    use super::*;

    #[test]
    fn a_clock_that_was_set_is_noticed_and_a_running_one_is_not() {
        let now = |wall_s, mono_s: u64| Now {
            wall: Timestamp::constant(wall_s, 0),
            mono: Mono(mono_s * 1_000_000_000),
            trust: Trust::Guess,
        };
        let mut watch = JumpWatch::default();
        for (case, wall_s, mono_s, want) in [
            ("the first look", 1_000, 10, false),
            ("an hour passes", 4_600, 3_610, false),
            ("adjusted a little", 4_602, 3_611, false),
            ("set forward", 90_000, 3_612, true),
            ("goes on from there", 90_001, 3_613, false),
            ("set back", 5_000, 3_614, true),
        ] {
            assert_eq!(watch.jumped(&now(wall_s, mono_s)), want, "case {case:?}");
        }
    }
}
