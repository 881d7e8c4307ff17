//! How a stage of another release is followed by one of ours: the rules, without any process.
//!
//! A new version of the agent finds the stage of the one before, takes it up as it is and shows
//! content on it. Then one of its own release is to take its place (`succession` says how, without a
//! dark moment): it is started here, or by the kiosk's service, where that is who starts stages.

/// Starts of our own stage beside the old one; then the old one will do.
const TRIES: u8 = 3;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Start our own stage in the place of the one that is there.
    StartHeir,
    /// Have whoever has started this one do so.
    Renew {
        /// The one that is there.
        stage: u32,
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
}

impl Handover {
    /// `own`: stages are ours to start.
    pub fn new(own: bool) -> Handover {
        Handover {
            own,
            foreign: None,
            heir: None,
            frozen: None,
            tries: if own { TRIES } else { 1 },
        }
    }

    /// A stage is on the link. Returns whether it takes the place of one whose picture is there still.
    pub fn up(&mut self, pid: u32, of_this_release: bool) -> bool {
        self.foreign = (!of_this_release).then_some(pid);
        self.heir.take_if(|heir| *heir == pid).is_some()
    }

    /// The stage on the link has shown something.
    pub fn shown(&mut self) -> Option<Step> {
        let stage = self.foreign.filter(|_| self.heir.is_none() && self.tries > 0)?;
        self.tries -= 1;
        Some(if self.own { Step::StartHeir } else { Step::Renew { stage } })
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

    /// Whether the stage on the link is the one to be judged by. One that somebody else has started and
    /// did not renew is.
    pub fn is_ours(&self) -> bool {
        self.foreign.is_none() || (!self.own && self.tries == 0)
    }

    /// The stage that was started and has not said hello yet.
    pub fn heir(&self) -> Option<u32> {
        self.heir
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: u32 = 1;
    const NEW: u32 = 2;

    #[test]
    fn another_releases_stage_shows_something_and_is_followed_by_ours() {
        let mut stages = Handover::new(true);
        assert!(!stages.up(OLD, false) && !stages.is_ours());
        assert_eq!(stages.shown(), Some(Step::StartHeir));
        stages.started(NEW);
        assert_eq!(stages.shown(), None, "the old one goes on");
        assert!(stages.up(NEW, true) && stages.is_ours());
        assert_eq!((stages.shown(), stages.heir()), (None, None));
    }

    #[test]
    fn an_heir_that_dies_leaves_nobody_frozen() {
        for (case, on_the_link) in [("at once", false), ("before it has shown anything", true)] {
            let mut stages = Handover::new(true);
            stages.up(OLD, false);
            stages.shown();
            stages.started(NEW);
            if on_the_link {
                stages.up(NEW, true);
            }
            assert_eq!(stages.ended(NEW), Some(OLD), "{case}");
            assert_eq!(stages.ended(NEW), None, "{case}: woken once");
            let again = (!on_the_link).then_some(Step::StartHeir);
            assert_eq!(stages.shown(), again, "{case}");
        }
        let mut stages = Handover::new(true);
        stages.up(OLD, false);
        stages.shown();
        stages.started(NEW);
        assert_eq!((stages.stop(), stages.ended(NEW)), (Some(NEW), Some(OLD)));
        assert_eq!(stages.shown(), None, "the player stops");
        let mut stages = Handover::new(true);
        stages.up(OLD, false);
        stages.shown();
        stages.started(NEW);
        stages.up(NEW, true);
        assert_eq!((stages.ended(OLD), stages.ended(NEW)), (None, None), "it took the place");
    }

    #[test]
    fn a_stage_of_ours_is_left_alone() {
        let mut stages = Handover::new(true);
        assert!(!stages.up(OLD, true) && stages.is_ours());
        assert_eq!(stages.shown(), None);
    }

    #[test]
    fn three_heirs_may_fail_then_the_old_one_stays_and_proves_nothing() {
        let mut stages = Handover::new(true);
        stages.up(OLD, false);
        for heir in NEW..NEW + 3 {
            assert_eq!(stages.shown(), Some(Step::StartHeir));
            stages.started(heir);
            stages.ended(heir);
        }
        assert_eq!((stages.shown(), stages.is_ours()), (None, false));
    }

    #[test]
    fn whoever_starts_the_stages_is_asked_once() {
        let mut stages = Handover::new(false);
        stages.up(OLD, false);
        assert_eq!(stages.shown(), Some(Step::Renew { stage: OLD }));
        stages.ended(OLD);
        stages.up(NEW, false);
        assert_eq!(stages.shown(), None, "it cannot do otherwise");
        assert!(stages.is_ours());
    }
}
