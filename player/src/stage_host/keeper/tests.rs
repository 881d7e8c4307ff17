//! The rules as tables, and their promises under any order of events.

use proptest::prelude::*;

use super::*;

fn at(ms: u64) -> Mono {
    Mono(ms * 1_000_000)
}

fn lost() -> Cause {
    Cause::Lost { why: "broken".into(), relieved: false }
}

fn ended(pid: u32) -> Cause {
    Cause::Ended { pid, why: "signal 9".into() }
}

fn down(why: &str) -> Action {
    Action::Down { why: why.into() }
}

/// A keeper whose stage 1 is up and shows something.
fn playing() -> Keeper {
    let mut keeper = Keeper::new(true);
    assert_eq!(keeper.handle(Cause::Begin { survivor: None }, at(0)), [Action::Start]);
    assert_eq!(keeper.handle(Cause::Started { pid: 1 }, at(0)), []);
    assert_eq!(keeper.handle(Cause::Up { pid: 1 }, at(100)), []);
    assert_eq!(keeper.handle(Cause::Wished, at(100)), []);
    keeper
}

#[test]
fn a_dead_stage_is_back_at_once_and_later_with_growing_pauses() {
    let mut keeper = playing();
    assert_eq!(keeper.handle(lost(), at(200)), []);
    assert_eq!(keeper.handle(ended(1), at(210)), [down("signal 9"), Action::Start]);
    let mut now = 210;
    let mut pauses = Vec::new();
    for pid in 2..9 {
        keeper.handle(Cause::Started { pid }, at(now));
        keeper.handle(ended(pid), at(now));
        let due = keeper.deadline().expect("a pause");
        pauses.push(due.since(at(now)).as_millis());
        now = due.0 / 1_000_000;
        assert_eq!(keeper.handle(Cause::Due, due), [Action::Start]);
    }
    assert_eq!(pauses, [250, 500, 1_000, 2_000, 5_000, 5_000, 5_000]);
}

#[test]
fn a_stage_that_lasted_is_back_at_once_again() {
    let mut keeper = playing();
    keeper.handle(ended(1), at(200));
    keeper.handle(Cause::Started { pid: 2 }, at(200));
    keeper.handle(Cause::Up { pid: 2 }, at(300));
    let actions = keeper.handle(ended(2), at(70_000));
    assert_eq!(actions, [down("signal 9"), Action::Start]);
}

#[test]
fn a_display_that_stays_away_is_no_flood_of_faults() {
    let mut keeper = Keeper::new(true);
    keeper.handle(Cause::Begin { survivor: None }, at(0));
    let mut told = 0;
    for pid in 1..=600 {
        keeper.handle(Cause::Started { pid }, at(0));
        let actions = keeper.handle(ended(pid), at(0));
        told += actions.iter().filter(|action| matches!(action, Action::Down { .. })).count();
        if let Some(due) = keeper.deadline() {
            keeper.handle(Cause::Due, due);
        }
    }
    assert!((2..=12).contains(&told), "told {told} times");
}

#[test]
fn a_surviving_stage_is_taken_up_and_none_is_started_beside_it() {
    let mut keeper = Keeper::new(true);
    assert_eq!(keeper.handle(Cause::Begin { survivor: Some(9) }, at(0)), []);
    assert_eq!(keeper.handle(Cause::Up { pid: 9 }, at(150)), []);
    assert_eq!(keeper.deadline(), None, "nothing is wanted yet");
}

#[test]
fn a_survivor_that_does_not_come_is_replaced_once_it_is_dead() {
    let mut keeper = Keeper::new(true);
    keeper.handle(Cause::Begin { survivor: Some(9) }, at(0));
    let due = keeper.deadline().expect("it is given some time");
    let killed = keeper.handle(Cause::Due, due);
    assert!(matches!(killed[..], [Action::Kill { pid: 9, .. }]), "{killed:?}");
    assert_eq!(keeper.handle(ended(9), due), [down("signal 9"), Action::Start]);
}

#[test]
fn a_silent_stage_is_replaced_only_while_something_is_wanted() {
    let mut keeper = playing();
    keeper.handle(Cause::Word, at(5_000));
    assert_eq!(keeper.deadline(), Some(at(15_000)));
    assert_eq!(keeper.handle(Cause::Due, at(15_000)), [], "the benefit of the doubt");
    let killed = keeper.handle(Cause::Due, at(17_000));
    assert!(matches!(killed[..], [Action::Kill { pid: 1, .. }]), "{killed:?}");
    assert_eq!(keeper.handle(lost(), at(17_001)), []);
    assert_eq!(keeper.handle(ended(1), at(17_002)), [down("signal 9"), Action::Start]);
}

#[test]
fn a_word_dispels_the_doubt() {
    let mut keeper = playing();
    keeper.handle(Cause::Due, at(10_100));
    keeper.handle(Cause::Word, at(10_200));
    assert_eq!(keeper.deadline(), Some(at(20_200)));
}

#[test]
fn a_living_stage_that_lost_its_link_may_come_back() {
    let mut keeper = playing();
    keeper.handle(lost(), at(200));
    assert_eq!(keeper.handle(Cause::Due, at(500)), [down("broken")]);
    assert_eq!(keeper.handle(Cause::Up { pid: 1 }, at(700)), [], "said only once");
}

#[test]
fn somebody_elses_stage_is_neither_started_nor_killed() {
    let mut keeper = Keeper::new(false);
    assert_eq!(keeper.handle(Cause::Begin { survivor: Some(9) }, at(0)), []);
    keeper.handle(Cause::Up { pid: 9 }, at(1));
    keeper.handle(Cause::Wished, at(1));
    assert_eq!(keeper.deadline(), None);
    assert_eq!(keeper.handle(lost(), at(2)), [down("broken")]);
    keeper.handle(Cause::Up { pid: 9 }, at(3));
    assert_eq!(keeper.handle(Cause::Stop, at(4)), [Action::Finished]);
}

/// A keeper of somebody else's stage 1, which makes room for another one.
fn relieved() -> Keeper {
    let mut keeper = Keeper::new(false);
    keeper.handle(Cause::Begin { survivor: None }, at(0));
    keeper.handle(Cause::Up { pid: 1 }, at(1));
    let lost = Cause::Lost { why: "broken".into(), relieved: true };
    assert_eq!(keeper.handle(lost, at(2)), []);
    keeper
}

#[test]
fn a_stage_that_was_relieved_has_not_died() {
    let mut keeper = relieved();
    assert_eq!(keeper.handle(Cause::Up { pid: 2 }, at(300)), [], "its successor is there");
    assert_eq!(keeper.handle(ended(1), at(900)), [], "it was ended by that one");
    assert_eq!(keeper.deadline(), None);
    assert_eq!(keeper.handle(lost(), at(1_000)), [down("broken")], "the successor dies");

    let mut keeper = relieved();
    assert_eq!(keeper.handle(Cause::Up { pid: 1 }, at(300)), [], "the other one came to nothing");
    assert_eq!(keeper.handle(Cause::Stop, at(400)), [Action::Finished]);
    assert_eq!(relieved().handle(Cause::Stop, at(400)), [Action::Finished], "it is not killed");
}

#[test]
fn a_relieved_stage_that_nobody_follows_is_a_death() {
    let mut keeper = relieved();
    assert_eq!(keeper.handle(ended(1), at(300)), [down("signal 9")]);
    assert_eq!(keeper.deadline(), None, "somebody else starts the next one");

    let mut keeper = relieved();
    let due = keeper.deadline().expect("a limit");
    assert_eq!(keeper.handle(Cause::Due, due), [down("broken")]);
    assert_eq!(keeper.handle(ended(1), due), [], "said once");
}

#[test]
fn a_stop_asks_then_kills_then_is_done() {
    let mut keeper = playing();
    assert_eq!(keeper.handle(Cause::Stop, at(1_000)), [Action::Quit]);
    let due = keeper.deadline().expect("its time to end is limited");
    let killed = keeper.handle(Cause::Due, due);
    assert!(matches!(killed[..], [Action::Kill { pid: 1, .. }]), "{killed:?}");
    assert_eq!(keeper.handle(ended(1), due), [Action::Finished]);
}

#[test]
fn a_stage_that_cannot_be_killed_is_killed_again_and_keeps_no_stop_waiting() {
    let mut keeper = playing();
    keeper.handle(lost(), at(200));
    for _ in 0..2 {
        let due = keeper.deadline().expect("a limit");
        keeper.handle(Cause::Due, due);
    }
    for _ in 0..3 {
        let due = keeper.deadline().expect("another try");
        let again = keeper.handle(Cause::Due, due);
        assert!(matches!(again[..], [Action::Kill { pid: 1, .. }]), "{again:?}");
    }
    let now = keeper.deadline().expect("another try");
    keeper.handle(Cause::Stop, now);
    let due = keeper.deadline().expect("a limit");
    assert_eq!(keeper.handle(Cause::Due, due), [Action::Finished]);
}

#[derive(Debug, Clone)]
enum Op {
    Hello,
    Word,
    Lose,
    Die,
    Wish,
    Wait(u64),
    Stop,
    CannotStart,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => Just(Op::Hello),
        2 => Just(Op::Word),
        2 => Just(Op::Lose),
        3 => Just(Op::Die),
        1 => Just(Op::Wish),
        4 => (0u64..15_000).prop_map(Op::Wait),
        1 => Just(Op::Stop),
        1 => Just(Op::CannotStart),
    ]
}

/// Processes as the system has them.
struct World {
    keeper: Keeper,
    now: u64,
    alive: Option<u32>,
    pids: u32,
    stopped: bool,
    refuse: bool,
}

impl World {
    fn feed(&mut self, cause: Cause) -> Result<(), TestCaseError> {
        for action in self.keeper.handle(cause, at(self.now)) {
            match action {
                Action::Start => {
                    prop_assert_eq!(self.alive, None, "two stages");
                    prop_assert!(!self.stopped, "started after the stop");
                    if std::mem::take(&mut self.refuse) {
                        self.feed(Cause::NotStarted { why: "no".into() })?;
                    } else {
                        self.pids += 1;
                        self.alive = Some(self.pids);
                        self.feed(Cause::Started { pid: self.pids })?;
                    }
                }
                Action::Kill { pid, .. } if self.alive == Some(pid) => {
                    self.alive = None;
                    self.feed(ended(pid))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, op: Op) -> Result<(), TestCaseError> {
        match (op, self.alive) {
            (Op::Hello, Some(pid)) => self.feed(Cause::Up { pid })?,
            (Op::Word, Some(_)) => self.feed(Cause::Word)?,
            (Op::Lose, _) => self.feed(lost())?,
            (Op::Die, Some(pid)) => {
                self.alive = None;
                self.feed(ended(pid))?;
            }
            (Op::Wish, _) => self.feed(Cause::Wished)?,
            (Op::Wait(ms), _) => {
                self.now += ms;
                self.feed(Cause::Due)?;
            }
            (Op::Stop, _) => {
                self.stopped = true;
                self.feed(Cause::Stop)?;
            }
            (Op::CannotStart, _) => self.refuse = true,
            _ => {}
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn never_two_stages_and_never_none_for_good(ops in prop::collection::vec(op(), 0..80)) {
        let keeper = Keeper::new(true);
        let mut world =
            World { keeper, now: 0, alive: None, pids: 0, stopped: false, refuse: false };
        world.feed(Cause::Begin { survivor: None })?;
        for op in ops {
            world.carry_out(op)?;
            let coming = world.keeper.deadline().is_some();
            prop_assert!(world.stopped || world.alive.is_some() || coming, "dark for ever");
        }
    }
}
