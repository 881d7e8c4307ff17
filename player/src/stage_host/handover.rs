//! How a stage of another release is followed by one of ours: the rules, without any process.
//!
//! A new version of the agent finds the stage of the one before, takes it up as it is and shows
//! content on it. Then one of its own release is to take its place (`succession` says how, without a
//! dark moment): it is started here, or by the kiosk's service, where that is who starts stages.

use std::time::Duration;

use vitrine_config::time::Mono;

/// Starts of our own stage beside the old one; then the old one will do. As often the service is asked
/// without anything coming of it.
const TRIES: u8 = 3;
/// Before the service is asked again; then the last one for ever. A new stage has a minute to show
/// something, so nothing has come of the first call only after that. Where there is no service, or
/// none that can be asked, a person may set it right at any time, and asking costs nothing.
const PAUSES: [Duration; 3] =
    [Duration::from_secs(120), Duration::from_secs(600), Duration::from_secs(3_600)];

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Start our own stage in the place of the one that is there.
    StartHeir,
    /// Have whoever has started this one do so.
    Renew {
        /// The one that is there.
        stage: u32,
        /// It was asked for before, and nothing has come of it.
        again: bool,
    },
}

/// The rules.
#[derive(Debug)]
pub struct Handover {
    /// Stages are ours to start.
    own: bool,
    /// The stage on the link, if it is of another release.
    foreign: Option<u32>,
    /// Started in its place, not on the link yet.
    heir: Option<u32>,
    /// Who was started last in whose place: it freezes that one, and wakes it again only if it ends in
    /// good order.
    frozen: Option<(u32, u32)>,
    tries: u8,
    /// Who starts stages was asked to renew this one, and when it is time to ask again.
    asked: Option<(u32, Mono)>,
    /// How often in vain.
    in_vain: usize,
}

impl Handover {
    /// `own`: stages are ours to start.
    pub fn new(own: bool) -> Handover {
        Handover {
            own,
            foreign: None,
            heir: None,
            frozen: None,
            tries: TRIES,
            asked: None,
            in_vain: 0,
        }
    }

    /// A stage is on the link. Returns whether it takes the place of one whose picture is there still.
    pub fn up(&mut self, pid: u32, of_this_release: bool) -> bool {
        self.foreign = (!of_this_release).then_some(pid);
        self.heir.take_if(|heir| *heir == pid).is_some()
    }

    /// The stage on the link shows something.
    pub fn shown(&mut self, now: Mono) -> Option<Step> {
        let stage = self.foreign.filter(|_| self.heir.is_none() && self.tries > 0)?;
        if self.own {
            self.tries -= 1;
            return Some(Step::StartHeir);
        }
        let again = match self.asked {
            None => false,
            Some((asked, at)) if asked == stage && at <= now => true,
            // Its time is not over; or it is another one, which was started the way that those are.
            Some(_) => return None,
        };
        let pause = PAUSES[self.in_vain.min(PAUSES.len() - 1)];
        self.in_vain = self.in_vain.saturating_add(1);
        self.asked = Some((stage, now.after(pause)));
        Some(Step::Renew { stage, again })
    }

    /// Whoever starts stages was asked for a new one and does what he does then.
    pub fn called(&mut self) {
        self.tries = self.tries.saturating_sub(1);
    }

    /// When to call [`Handover::shown`] again.
    pub fn deadline(&self) -> Option<Mono> {
        let (stage, at) = self.asked.filter(|_| self.tries > 0)?;
        (self.foreign == Some(stage)).then_some(at)
    }

    /// Our own stage was started.
    pub fn started(&mut self, heir: u32) {
        self.heir = Some(heir);
        self.frozen = self.foreign.map(|old| (heir, old));
    }

    /// A stage is gone. Returns the one to wake: it was frozen by this one.
    pub fn ended(&mut self, pid: u32) -> Option<u32> {
        self.foreign.take_if(|one| *one == pid);
        self.heir.take_if(|one| *one == pid);
        self.frozen.take_if(|(_, old)| *old == pid);
        self.frozen.take_if(|(heir, _)| *heir == pid).map(|(_, old)| old)
    }

    /// None of ours is started any more. Returns the one that was and has not said hello yet.
    pub fn stop(&mut self) -> Option<u32> {
        self.tries = 0;
        self.heir
    }

    /// Whether the stage on the link is the one to be judged by. One of another release is, if somebody
    /// else has put it in the place of the one that he was asked to renew: the next start will bring the
    /// same. The one that was there before is not: a stage of ours that does not work, or was never
    /// started, must not be believed in for it.
    pub fn is_ours(&self) -> bool {
        self.foreign.is_none_or(|stage| self.asked.is_some_and(|(asked, _)| asked != stage))
    }

    /// The stage that was started and has not said hello yet.
    pub fn heir(&self) -> Option<u32> {
        self.heir
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Mono {
        Mono(s * 1_000_000_000)
    }

    const OLD: u32 = 1;
    const NEW: u32 = 2;

    #[test]
    fn another_releases_stage_shows_something_and_is_followed_by_ours() {
        let mut stages = Handover::new(true);
        assert!(!stages.up(OLD, false) && !stages.is_ours());
        assert_eq!(stages.shown(at(0)), Some(Step::StartHeir));
        stages.started(NEW);
        assert_eq!(stages.shown(at(0)), None, "the old one goes on");
        assert!(stages.up(NEW, true) && stages.is_ours());
        assert_eq!((stages.shown(at(0)), stages.heir()), (None, None));
    }

    #[test]
    fn an_heir_that_dies_leaves_nobody_frozen() {
        for (case, on_the_link) in [("at once", false), ("before it has shown anything", true)] {
            let mut stages = Handover::new(true);
            stages.up(OLD, false);
            stages.shown(at(0));
            stages.started(NEW);
            if on_the_link {
                stages.up(NEW, true);
            }
            assert_eq!(stages.ended(NEW), Some(OLD), "{case}");
            assert_eq!(stages.ended(NEW), None, "{case}: woken once");
            let again = (!on_the_link).then_some(Step::StartHeir);
            assert_eq!(stages.shown(at(0)), again, "{case}");
        }
        let mut stages = Handover::new(true);
        stages.up(OLD, false);
        stages.shown(at(0));
        stages.started(NEW);
        assert_eq!((stages.stop(), stages.ended(NEW)), (Some(NEW), Some(OLD)));
        assert_eq!(stages.shown(at(0)), None, "the player stops");
        let mut stages = Handover::new(true);
        stages.up(OLD, false);
        stages.shown(at(0));
        stages.started(NEW);
        stages.up(NEW, true);
        assert_eq!((stages.ended(OLD), stages.ended(NEW)), (None, None), "it took the place");
    }

    #[test]
    fn a_stage_of_ours_is_left_alone() {
        let mut stages = Handover::new(true);
        assert!(!stages.up(OLD, true) && stages.is_ours());
        assert_eq!(stages.shown(at(0)), None);
    }

    #[test]
    fn three_heirs_may_fail_then_the_old_one_stays_and_proves_nothing() {
        let mut stages = Handover::new(true);
        stages.up(OLD, false);
        for heir in NEW..NEW + 3 {
            assert_eq!(stages.shown(at(0)), Some(Step::StartHeir));
            stages.started(heir);
            stages.ended(heir);
        }
        assert_eq!((stages.shown(at(0)), stages.is_ours()), (None, false));
    }

    /// A stage of another release that somebody else has started and is asked to renew.
    fn asked() -> Handover {
        let mut stages = Handover::new(false);
        assert!(!stages.up(OLD, false) && !stages.is_ours());
        assert_eq!(stages.shown(at(0)), Some(Step::Renew { stage: OLD, again: false }));
        stages
    }

    #[test]
    fn what_somebody_else_puts_in_its_place_is_the_one_to_be_judged_by() {
        for (case, of_this_release) in [("ours", true), ("he cannot do otherwise", false)] {
            let mut stages = asked();
            stages.called();
            assert!(!stages.is_ours(), "{case}: the old one is there still");
            stages.up(NEW, of_this_release);
            stages.ended(OLD);
            assert!(stages.is_ours(), "{case}");
            assert_eq!((stages.shown(at(9_999)), stages.deadline()), (None, None), "{case}");
        }
    }

    #[test]
    fn an_old_stage_that_nobody_renews_stays_proves_nothing_and_is_asked_for_more_and_more_rarely()
    {
        let mut stages = asked();
        let mut pauses = Vec::new();
        let mut now = at(0);
        for _ in 0..5 {
            assert_eq!(stages.shown(now), None, "not yet");
            let due = stages.deadline().expect("another try");
            pauses.push(due.since(now).as_secs());
            now = due;
            assert_eq!(stages.shown(now), Some(Step::Renew { stage: OLD, again: true }));
            assert!(!stages.is_ours());
        }
        assert_eq!(pauses, [120, 600, 3_600, 3_600, 3_600]);
        stages.up(OLD, false);
        assert_eq!(stages.shown(now), None, "a link that broke is no reason to hurry");
    }

    #[test]
    fn three_calls_may_come_to_nothing_then_the_old_one_stays_and_proves_nothing() {
        let mut stages = asked();
        stages.called();
        for _ in 1..TRIES {
            // Its heir has died, and it is back on the link.
            stages.up(OLD, false);
            let due = stages.deadline().expect("another try");
            assert!(stages.shown(due).is_some());
            stages.called();
        }
        assert_eq!((stages.deadline(), stages.shown(at(99_999))), (None, None));
        assert!(!stages.is_ours());
    }
}
