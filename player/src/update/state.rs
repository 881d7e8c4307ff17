//! Which version is due: what is remembered, and what follows from it.
//!
//! In:  what is remembered, the version of the package, whether a file is whole.
//! Out: what to start, and what to remember before it is started.
//!
//! Promises, each held by a test of the same name:
//! - `a_trial_is_started_three_times_at_most`, whatever it does and whenever the plug is pulled;
//! - `whatever_happens_the_last_good_version_or_the_package_is_started`;
//! - `what_has_failed_is_not_tried_again`: never two bad versions in a row;
//! - `a_newer_package_wins`.

use std::collections::BTreeSet;

use semver::Version;
use serde::{Deserialize, Serialize};
use vitrine_sync::wire::Digest;

/// Starts of a version that has not proved itself.
pub const STARTS_MAX: u8 = 3;
/// Times that a version may not be judged, for a reason that may pass; then it counts as one that
/// came back.
pub const DOUBTS_MAX: u8 = 3;
/// Versions that came back; the highest alone decides what is tried, the rest is for people.
const REFUSED_KEPT: usize = 16;
/// Outcomes that wait to be told: more than one is rare.
const UNTOLD_KEPT: usize = 16;

/// A release whose file is on the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its version.
    pub version: Version,
    /// Name and proof of its file.
    pub sha256: Digest,
}

/// A version that has to prove itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Which.
    pub release: Release,
    /// Starts so far, the running one included.
    pub starts: u8,
    /// How the start before ended.
    #[serde(default)]
    pub ended: Option<String>,
}

/// A version that came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Which.
    pub version: Version,
    /// For a person.
    pub why: String,
}

/// What became of a version; the cloud is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which.
    pub version: Version,
    /// Why it does not run; None: it has proved itself.
    pub why_not: Option<String>,
    /// Of the record that tells it, so that it is kept once however often it is told; random, given
    /// before it is told.
    #[serde(default)]
    pub id: Option<String>,
}

/// A version that could not be judged, for a reason that may pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubted {
    /// Which.
    pub version: Version,
    /// How often.
    pub times: u8,
}

/// Everything that is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The version that has proved itself; None: the package.
    pub current: Option<Release>,
    /// The one before it.
    pub previous: Option<Release>,
    /// The one that has to.
    pub trial: Option<Trial>,
    /// Those that came back, newest last.
    pub refused: Vec<Refused>,
    /// The one that could not be judged last.
    pub doubted: Option<Doubted>,
    /// What became of versions, not told yet.
    pub untold: Vec<Outcome>,
}

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The package's own program.
    Package,
    /// A release that has proved itself.
    Release(Release),
    /// A release on trial.
    Trial(Release),
}

impl State {
    /// Decides what to start now. What this leaves in `self` must be durable before it is started.
    pub fn next_start(
        &mut self,
        package: &Version,
        whole: impl Fn(&Release) -> Result<(), String>,
    ) -> Start {
        self.yield_to(package);
        if let Some(trial) = &mut self.trial {
            let left = trial.starts < STARTS_MAX;
            match whole(&trial.release) {
                Ok(()) if left => {
                    trial.starts += 1;
                    return Start::Trial(trial.release.clone());
                }
                Ok(()) => {
                    let last = trial.ended.take().unwrap_or_else(|| "the machine went down".into());
                    self.give_up(format!("it ended {STARTS_MAX} times on trial, at last: {last}"));
                }
                Err(why) => self.drop_trial(why),
            }
        }
        while let Some(current) = self.current.clone() {
            match whole(&current) {
                Ok(()) => return Start::Release(current),
                Err(why) => self.drop_current(why),
            }
        }
        Start::Package
    }

    /// The version that had proved itself cannot be started; the one before is due.
    pub fn drop_current(&mut self, why: String) {
        if let Some(current) = std::mem::replace(&mut self.current, self.previous.take()) {
            self.note(current.version, Some(why));
        }
    }

    /// A package that is as new as a release takes its place.
    fn yield_to(&mut self, package: &Version) {
        let older = |release: &Release| release.version <= *package;
        self.previous.take_if(|release| older(release));
        self.current.take_if(|release| older(release));
        self.trial.take_if(|trial| older(&trial.release));
    }

    /// Puts a release on trial.
    ///
    /// # Errors
    /// One is on trial, or it is not newer than what runs and all that came back.
    pub fn begin(&mut self, release: Release) -> Result<(), String> {
        let version = &release.version;
        if let Some(trial) = &self.trial {
            return Err(format!("{} is on trial still", trial.release.version));
        }
        if let Some(current) = self.current.as_ref().filter(|c| c.version >= *version) {
            return Err(format!("{} runs already", current.version));
        }
        if let Some(failed) =
            self.refused.iter().map(|r| &r.version).max().filter(|f| *f >= version)
        {
            return Err(format!("{failed} came back; held until something newer than it is there"));
        }
        self.trial = Some(Trial { release, starts: 0, ended: None });
        Ok(())
    }

    /// The trial has proved itself.
    pub fn confirm(&mut self) {
        if let Some(trial) = self.trial.take() {
            self.note(trial.release.version.clone(), None);
            self.previous = self.current.replace(trial.release);
        }
    }

    /// The trial has ended before it had proved itself.
    pub fn died(&mut self, how: String) {
        if let Some(trial) = self.trial.as_mut().filter(|trial| trial.starts > 0) {
            trial.ended = Some(how);
        }
    }

    /// The trial was stopped in good order by somebody else: that start does not count.
    pub fn stopped(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.starts = trial.starts.saturating_sub(1);
        }
    }

    /// The trial is over, the version before is due again.
    pub fn give_up(&mut self, why: String) {
        if let Some(trial) = self.trial.take() {
            self.refuse(trial.release.version, why);
        }
    }

    /// A version could not be looked at, which says nothing of it: it may be tried another time.
    pub fn pass_over(&mut self, version: Version, why: String) {
        self.note(version, Some(why));
    }

    /// A version could not be judged, for a reason that may pass: it may be tried another time, but
    /// not for ever.
    pub fn doubt(&mut self, version: Version, why: String) {
        let before = self.doubted.take().filter(|doubted| doubted.version == version);
        let times = before.map_or(0, |doubted| doubted.times) + 1;
        if times >= DOUBTS_MAX {
            return self.refuse(version, format!("{times} times: {why}"));
        }
        let said = format!("{why}; this may pass, so it may be tried another time");
        self.doubted = Some(Doubted { version: version.clone(), times });
        self.note(version, Some(said));
    }

    /// The trial is over without a verdict, the version before is due again.
    pub fn doubt_trial(&mut self, why: String) {
        if let Some(trial) = self.trial.take() {
            self.doubt(trial.release.version, why);
        }
    }

    /// A version is not to be tried (again).
    pub fn refuse(&mut self, version: Version, why: String) {
        self.note(version.clone(), Some(why.clone()));
        self.refused.push(Refused { version, why });
        let over = self.refused.len().saturating_sub(REFUSED_KEPT);
        self.refused.drain(..over);
    }

    /// Goes back to the version before, which is then not taken anew by itself.
    ///
    /// # Errors
    /// Nothing newer than the package runs.
    pub fn roll_back(&mut self, why: &str) -> Result<(), String> {
        if self.trial.is_some() {
            self.give_up(why.to_owned());
            return Ok(());
        }
        let current = self.current.take().ok_or(
            "the version of the package runs, so there is nothing to go back to: install an older package",
        )?;
        self.current = self.previous.take();
        self.refuse(current.version, why.to_owned());
        Ok(())
    }

    /// It cannot be started at the moment, which says nothing of it: it may be tried another time.
    pub fn drop_trial(&mut self, why: String) {
        if let Some(trial) = self.trial.take() {
            self.pass_over(trial.release.version, why);
        }
    }

    fn note(&mut self, version: Version, why_not: Option<String>) {
        self.untold.push(Outcome { version, why_not, id: None });
        let over = self.untold.len().saturating_sub(UNTOLD_KEPT);
        self.untold.drain(..over);
    }

    /// Gives each outcome that has none an `id`.
    pub fn number(&mut self, mut id: impl FnMut() -> String) {
        for outcome in &mut self.untold {
            outcome.id.get_or_insert_with(&mut id);
        }
    }

    /// Outcomes that have been told and kept.
    pub fn forget(&mut self, told: &BTreeSet<String>) {
        self.untold.retain(|outcome| outcome.id.as_ref().is_none_or(|id| !told.contains(id)));
    }

    /// Files that must stay.
    pub fn files(&self) -> Vec<Digest> {
        let trial = self.trial.as_ref().map(|trial| &trial.release);
        let all = [self.current.as_ref(), self.previous.as_ref(), trial];
        all.into_iter().flatten().map(|release| release.sha256).collect()
    }

    /// The release that runs or is on trial; None: the package.
    pub fn due(&self) -> Option<&Release> {
        let trial = self.trial.as_ref().filter(|trial| trial.starts > 0);
        trial.map(|trial| &trial.release).or(self.current.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(minor: u64) -> Version {
        Version::new(0, minor, 0)
    }

    fn release(minor: u64) -> Release {
        Release { version: version(minor), sha256: Digest([minor as u8; 32]) }
    }

    fn whole(_: &Release) -> Result<(), String> {
        Ok(())
    }

    fn trying(minor: u64) -> State {
        let mut state = State { current: Some(release(2)), ..State::default() };
        state.begin(release(minor)).expect("it may be tried");
        state
    }

    #[test]
    fn a_trial_is_started_three_times_at_most() {
        for (case, end) in [
            ("it died", (|state| state.died("signal 11".into())) as fn(&mut State)),
            ("the plug was pulled", |_| {}),
        ] {
            let mut state = trying(3);
            for _ in 0..STARTS_MAX {
                assert_eq!(state.next_start(&version(1), whole), Start::Trial(release(3)));
                end(&mut state);
            }
            let back = Start::Release(release(2));
            assert_eq!(state.next_start(&version(1), whole), back, "case {case:?}");
            assert_eq!(state.refused[0].version, version(3), "case {case:?}");
            assert!(state.untold[0].why_not.is_some(), "case {case:?}");
            assert_eq!(state.next_start(&version(1), whole), back, "case {case:?}: for good");
        }
    }

    #[test]
    fn a_stop_in_good_order_is_no_death() {
        let mut state = trying(3);
        for _ in 0..10 {
            assert_eq!(state.next_start(&version(1), whole), Start::Trial(release(3)));
            state.stopped();
        }
        assert_eq!(state.refused, []);
    }

    #[test]
    fn one_that_has_proved_itself_stays_and_the_one_before_is_kept() {
        let mut state = trying(3);
        state.next_start(&version(1), whole);
        state.confirm();
        assert_eq!(state.next_start(&version(1), whole), Start::Release(release(3)));
        assert_eq!((state.previous.clone(), state.trial.clone()), (Some(release(2)), None));
        assert_eq!(state.untold, [Outcome { version: version(3), why_not: None, id: None }]);
        state.roll_back("by hand").expect("there is one before");
        assert_eq!(state.next_start(&version(1), whole), Start::Release(release(2)));
        state.roll_back("by hand").expect("there is the package");
        assert_eq!(state.next_start(&version(1), whole), Start::Package);
        assert!(state.roll_back("by hand").is_err());
        assert!(state.begin(release(3)).is_err(), "it was sent back");
    }

    #[test]
    fn what_has_failed_is_not_tried_again() {
        let mut state = trying(5);
        state.next_start(&version(1), whole);
        state.give_up("no content".into());
        for (minor, may) in [(5, false), (4, false), (3, false), (6, true)] {
            assert_eq!(state.clone().begin(release(minor)).is_ok(), may, "0.{minor}.0");
        }
    }

    #[test]
    fn a_newer_package_wins() {
        for (package, want) in [
            (1, Start::Trial(release(3))),
            (2, Start::Trial(release(3))),
            (3, Start::Package),
            (4, Start::Package),
        ] {
            assert_eq!(
                trying(3).next_start(&version(package), whole),
                want,
                "package 0.{package}.0"
            );
        }
    }

    #[test]
    fn a_damaged_file_is_never_started_and_says_nothing_of_its_version() {
        let damaged = |which: u64| {
            move |release: &Release| {
                if release.version == version(which) { Err("digest".to_owned()) } else { Ok(()) }
            }
        };
        let mut state = trying(3);
        let start = state.next_start(&version(1), damaged(3));
        assert_eq!((start, state.refused.len()), (Start::Release(release(2)), 0));
        assert!(state.begin(release(3)).is_ok(), "fetched anew, it may be tried");
        let mut state =
            State { current: Some(release(3)), previous: Some(release(2)), ..State::default() };
        assert_eq!(state.next_start(&version(1), damaged(3)), Start::Release(release(2)));
        assert_eq!(state.next_start(&version(1), damaged(2)), Start::Package);
    }

    #[test]
    fn what_cannot_be_judged_is_tried_again_but_not_for_ever() {
        let mut state = State::default();
        for time in 1..=DOUBTS_MAX {
            state.begin(release(3)).expect("it may be tried");
            state.next_start(&version(1), whole);
            state.doubt_trial("no stage".into());
            assert_eq!((&state.trial, state.untold.len()), (&None, usize::from(time)));
        }
        assert!(state.begin(release(3)).is_err(), "it was tried often enough");
        assert_eq!(state.refused[0].why, "3 times: no stage");

        let mut state = State::default();
        for minor in [3, 4, 3, 4] {
            state.doubt(version(minor), "silent".into());
        }
        assert_eq!(state.refused, [], "those in a row count");
    }

    #[test]
    fn an_outcome_keeps_its_number_until_it_is_forgotten() {
        let mut state = State::default();
        state.refuse(version(2), "x".into());
        state.number(|| "a".into());
        state.refuse(version(3), "y".into());
        state.number(|| "b".into());
        let ids =
            |state: &State| state.untold.iter().filter_map(|o| o.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&state), ["a", "b"]);
        state.refuse(version(4), "z".into());
        state.forget(&BTreeSet::from(["a".to_owned()]));
        assert_eq!((ids(&state), state.untold.len()), (vec!["b".to_owned()], 2));
    }

    #[derive(Debug, Clone)]
    enum Op {
        Begin(u64),
        Start,
        Damaged(u64),
        Died,
        Stopped,
        Confirm,
        GiveUp,
        Doubt,
        RollBack,
        Package(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            (2u64..8).prop_map(Op::Begin),
            Just(Op::Start),
            (2u64..8).prop_map(Op::Damaged),
            Just(Op::Died),
            Just(Op::Stopped),
            Just(Op::Confirm),
            Just(Op::GiveUp),
            Just(Op::Doubt),
            Just(Op::RollBack),
            (1u64..8).prop_map(Op::Package),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_the_last_good_version_or_the_package_is_started(
            ops in proptest::collection::vec(op(), 1..60),
        ) {
            let (mut state, mut package) = (State::default(), 1);
            let (mut good, mut bad, mut sent_back, mut starts_in_a_row) = (vec![], vec![], vec![], 0);
            for op in ops {
                match op {
                    Op::Begin(minor) => {
                        let fresh = bad.iter().all(|bad| *bad < minor);
                        let began = state.begin(release(minor)).is_ok();
                        prop_assert!(!began || fresh, "0.{minor} was tried after {bad:?}");
                        starts_in_a_row = if began { 0 } else { starts_in_a_row };
                    }
                    Op::Died => state.died("signal".into()),
                    Op::Stopped => {
                        starts_in_a_row -= i32::from(state.trial.as_ref().is_some_and(|t| t.starts > 0));
                        state.stopped();
                    }
                    Op::Confirm => {
                        good.extend(state.trial.as_ref().map(|trial| trial.release.clone()));
                        state.confirm();
                    }
                    Op::GiveUp => {
                        bad.extend(state.trial.as_ref().map(|trial| trial.release.version.minor));
                        state.give_up("no".into());
                    }
                    Op::Doubt => {
                        state.doubt_trial("silent".into());
                        bad.extend(state.refused.iter().map(|refused| refused.version.minor));
                    }
                    Op::RollBack => {
                        let runs = state.trial.as_ref().map(|trial| trial.release.clone());
                        sent_back.extend(runs.or(state.current.clone()));
                        drop(state.roll_back("no"));
                    }
                    Op::Package(minor) => package = minor,
                    Op::Start | Op::Damaged(_) => {
                        let broken = if let Op::Damaged(minor) = op { minor } else { 0 };
                        let sound = |release: &Release| {
                            if release.version.minor == broken { Err("digest".into()) } else { Ok(()) }
                        };
                        match state.next_start(&version(package), sound) {
                            Start::Package => {}
                            Start::Release(release) => {
                                prop_assert!(good.contains(&release));
                                prop_assert!(!sent_back.contains(&release), "0.{} again", release.version.minor);
                            }
                            Start::Trial(release) => {
                                prop_assert!(!sent_back.contains(&release), "once more");
                                starts_in_a_row += 1;
                                prop_assert!(starts_in_a_row <= i32::from(STARTS_MAX));
                            }
                        }
                        let due = state.due().map(|release| release.version.minor);
                        prop_assert!(due.is_none_or(|minor| minor > package && minor != broken));
                        // What is on the disk is all that a restart knows.
                        let kept = serde_json::to_vec(&state).expect("JSON");
                        prop_assert_eq!(&serde_json::from_slice::<State>(&kept).expect("JSON"), &state);
                    }
                }
            }
        }
    }
}
