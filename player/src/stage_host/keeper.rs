//! When a stage is started, killed and given up: the rules, without any process.
//!
//! In:  [`Cause`]s with the time at which they happened.
//! Out: [`Action`]s, and the moment to ask again ([`Keeper::deadline`]).
//!
//! Promises, each held by a test of the same name:
//! - `a_dead_stage_is_back_at_once_and_later_with_growing_pauses`;
//! - `a_surviving_stage_is_taken_up_and_none_is_started_beside_it`;
//! - `a_silent_stage_is_replaced_only_while_something_is_wanted`;
//! - `never_two_stages_and_never_none_for_good`: whatever happens in whatever order, a start is
//!   asked for only when the stage before is known to be dead, never after a stop, and a dead stage
//!   is always followed by another.

use std::time::Duration;

use vitrine_config::time::Mono;

/// Pause before the n-th start in a row that did not last; then the last one for ever: a display
/// that comes back after hours finds its stage within five seconds.
const PAUSES: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// Of starts that fail in a row the director hears of the first two and then of each n-th: every
/// five minutes, not every five seconds, for as long as no display is plugged in.
const TELL_EVERY: usize = 60;
/// A stage that was up this long starts the row anew.
const STEADY: Duration = Duration::from_secs(60);
/// From the start of the process to its hello: a Pi from a cold card needs two to three seconds,
/// a loaded test machine without GPU more.
const HELLO_WITHIN: Duration = Duration::from_secs(20);
/// A stage beats once a second; its loop may stall while a driver compiles a shader.
const SILENT_FOR: Duration = Duration::from_secs(10);
/// Once more this long: after a pause of the whole machine, the agent may be scheduled first.
const BENEFIT_OF_DOUBT: Duration = Duration::from_secs(2);
/// A stage whose link broke has mostly died: how it died is known this soon.
const DEATH_WITHIN: Duration = Duration::from_millis(300);
/// A living stage that lost its link tries again five times a second.
const BACK_WITHIN: Duration = Duration::from_secs(5);
/// From the kill to the end. A process that a driver holds may take for ever: then the kill is
/// repeated, and a stop does not wait.
const GONE_WITHIN: Duration = Duration::from_millis(500);
/// From the request to end to the end; after that it is killed. Part of the two seconds in which
/// the player stops.
const QUIT_WITHIN: Duration = Duration::from_millis(800);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The host begins; maybe a stage of an earlier agent is still there.
    Begin {
        /// Its process id.
        survivor: Option<u32>,
    },
    /// A start that was asked for succeeded.
    Started {
        /// Process id.
        pid: u32,
    },
    /// A start that was asked for failed.
    NotStarted {
        /// What the system says.
        why: String,
    },
    /// A stage said hello.
    Up {
        /// Process id.
        pid: u32,
    },
    /// The stage said anything at all.
    Word,
    /// The link to the stage broke.
    Lost {
        /// How.
        why: String,
        /// It lives and has made room for another one, which is about to say hello.
        relieved: bool,
    },
    /// A stage process is gone.
    Ended {
        /// Which.
        pid: u32,
        /// How.
        why: String,
    },
    /// The director wants something shown.
    Wished,
    /// The deadline has come.
    Due,
    /// The player stops.
    Stop,
    /// The player makes way for another one, which takes up the stage as it is.
    Leave,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start a stage; [`Cause::Started`] or [`Cause::NotStarted`] answers.
    Start,
    /// Kill it; [`Cause::Ended`] follows.
    Kill {
        /// Which.
        pid: u32,
        /// For the log.
        why: &'static str,
    },
    /// Ask it to end.
    Quit,
    /// Tell the director that there is no stage (any more).
    Down {
        /// How it ended.
        why: String,
    },
    /// Nothing is left to be done: the host may end.
    Finished,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// Somebody else's stage, or not begun, or stopped.
    Idle,
    /// Dead; to be started then.
    Pausing { until: Mono },
    /// A start was asked for.
    Asked,
    /// The process is there, its hello is not.
    Starting { pid: u32, until: Mono },
    /// On the link.
    Up { pid: u32, since: Mono, heard: Mono, doubted: bool },
    /// Link lost; maybe it is dead, maybe it comes back. `told`: the director knows. Somebody else's
    /// stage: relieved, which is no death if it or another one says hello.
    Limbo { pid: u32, until: Mono, told: bool, why: String },
    /// Killed; its end is not known yet.
    Dying { pid: u32, told: bool, until: Mono },
    /// Asked to end; killed if it does not.
    Quitting { pid: u32, until: Mono, killed: bool },
}

/// The rules.
#[derive(Debug)]
pub struct Keeper {
    phase: Phase,
    /// Starts in a row that did not last.
    row: usize,
    /// Something is wanted on the screen.
    wished: bool,
    /// We start stages ourselves; else the kiosk unit does.
    own: bool,
}

impl Keeper {
    /// `own`: stages are ours to start and kill.
    pub fn new(own: bool) -> Keeper {
        Keeper { phase: Phase::Idle, row: 0, wished: false, own }
    }

    /// Whether what happens to stages now is worth a line: not the hundredth failed start in a row.
    pub fn is_news(&self) -> bool {
        self.row <= 2 || self.row.is_multiple_of(TELL_EVERY)
    }

    /// Whether a stage is on the link.
    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up { .. })
    }

    /// The stage on the link.
    pub fn stage(&self) -> Option<u32> {
        match self.phase {
            Phase::Up { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// When [`Cause::Due`] is wanted.
    pub fn deadline(&self) -> Option<Mono> {
        match &self.phase {
            Phase::Idle | Phase::Asked => None,
            Phase::Pausing { until }
            | Phase::Starting { until, .. }
            | Phase::Limbo { until, .. }
            | Phase::Dying { until, .. }
            | Phase::Quitting { until, .. } => Some(*until),
            Phase::Up { heard, doubted, .. } => {
                let patience = if *doubted { SILENT_FOR + BENEFIT_OF_DOUBT } else { SILENT_FOR };
                (self.wished && self.own).then(|| heard.after(patience))
            }
        }
    }

    /// Takes one cause at `now`; the actions are to be carried out in order.
    pub fn handle(&mut self, cause: Cause, now: Mono) -> Vec<Action> {
        match cause {
            Cause::Begin { survivor } => self.begin(survivor, now),
            Cause::Started { pid } => self.started(pid, now),
            Cause::NotStarted { why } => self.died(why, now),
            Cause::Up { pid } => self.up(pid, now),
            Cause::Word => self.word(now),
            Cause::Lost { why, relieved } => self.lost(why, relieved, now),
            Cause::Ended { pid, why } => self.ended(pid, why, now),
            Cause::Wished => self.wish(now),
            Cause::Due => self.due(now),
            Cause::Stop => self.stop(now),
            Cause::Leave => self.finish(),
        }
    }

    fn begin(&mut self, survivor: Option<u32>, now: Mono) -> Vec<Action> {
        match survivor {
            _ if !self.own => Vec::new(),
            Some(pid) => {
                self.phase = Phase::Starting { pid, until: now.after(BACK_WITHIN) };
                Vec::new()
            }
            None => self.start(),
        }
    }

    fn start(&mut self) -> Vec<Action> {
        self.phase = Phase::Asked;
        vec![Action::Start]
    }

    fn started(&mut self, pid: u32, now: Mono) -> Vec<Action> {
        match self.phase {
            Phase::Asked => {
                self.phase = Phase::Starting { pid, until: now.after(HELLO_WITHIN) };
                Vec::new()
            }
            // A stop came between: it must not stay.
            _ => vec![Action::Kill { pid, why: "it is not wanted any more" }],
        }
    }

    fn up(&mut self, pid: u32, now: Mono) -> Vec<Action> {
        let mut actions = Vec::new();
        match &self.phase {
            Phase::Quitting { .. } => return vec![Action::Quit],
            Phase::Up { .. } => {
                actions.push(Action::Down { why: "another stage took its place".to_owned() });
            }
            Phase::Limbo { told: false, why, .. } if self.own => {
                actions.push(Action::Down { why: why.clone() });
            }
            _ => {}
        }
        self.phase = Phase::Up { pid, since: now, heard: now, doubted: false };
        actions
    }

    fn word(&mut self, now: Mono) -> Vec<Action> {
        if let Phase::Up { heard, doubted, .. } = &mut self.phase {
            (*heard, *doubted) = (now, false);
        }
        Vec::new()
    }

    fn lost(&mut self, why: String, relieved: bool, now: Mono) -> Vec<Action> {
        match self.phase {
            Phase::Up { pid, .. } if !self.own && relieved => {
                self.phase = Phase::Limbo { pid, until: now.after(HELLO_WITHIN), told: false, why };
                Vec::new()
            }
            Phase::Up { .. } if !self.own => {
                self.phase = Phase::Idle;
                vec![Action::Down { why }]
            }
            Phase::Up { pid, since, .. } => {
                self.forgive(since, now);
                let until = now.after(DEATH_WITHIN);
                self.phase = Phase::Limbo { pid, until, told: false, why };
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// A stage that lasted starts the row of pauses anew.
    fn forgive(&mut self, since: Mono, now: Mono) {
        if now.since(since) >= STEADY {
            self.row = 0;
        }
    }

    fn ended(&mut self, ended: u32, why: String, now: Mono) -> Vec<Action> {
        match self.phase {
            Phase::Up { pid, since, .. } if pid == ended && self.own => {
                self.forgive(since, now);
                self.died(why, now)
            }
            Phase::Limbo { pid, .. } if pid == ended && !self.own => {
                self.phase = Phase::Idle;
                vec![Action::Down { why }]
            }
            Phase::Starting { pid, .. }
            | Phase::Limbo { pid, told: false, .. }
            | Phase::Dying { pid, told: false, .. }
                if pid == ended =>
            {
                self.died(why, now)
            }
            Phase::Limbo { pid, .. } | Phase::Dying { pid, .. } if pid == ended => self.again(now),
            Phase::Quitting { pid, .. } if pid == ended => {
                self.phase = Phase::Idle;
                vec![Action::Finished]
            }
            _ => Vec::new(),
        }
    }

    fn died(&mut self, why: String, now: Mono) -> Vec<Action> {
        if self.phase == Phase::Idle {
            return Vec::new();
        }
        let was_up = matches!(self.phase, Phase::Up { .. } | Phase::Limbo { .. });
        let news = was_up || self.row <= 1 || self.row.is_multiple_of(TELL_EVERY);
        let mut actions = if news { vec![Action::Down { why }] } else { Vec::new() };
        actions.extend(self.again(now));
        actions
    }

    /// Starts the next one, after the pause that is due.
    fn again(&mut self, now: Mono) -> Vec<Action> {
        let pause = PAUSES[self.row.min(PAUSES.len() - 1)];
        self.row = self.row.saturating_add(1);
        if pause.is_zero() {
            return self.start();
        }
        self.phase = Phase::Pausing { until: now.after(pause) };
        Vec::new()
    }

    /// The time of silence counts from the first wish on.
    fn wish(&mut self, now: Mono) -> Vec<Action> {
        if !std::mem::replace(&mut self.wished, true) {
            return self.word(now);
        }
        Vec::new()
    }

    fn due(&mut self, now: Mono) -> Vec<Action> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        match &mut self.phase {
            Phase::Pausing { .. } => self.start(),
            Phase::Starting { pid, .. } => {
                let pid = *pid;
                self.kill(pid, false, "it did not say hello in time", now)
            }
            Phase::Up { doubted, .. } if !*doubted => {
                *doubted = true;
                Vec::new()
            }
            Phase::Up { pid, .. } => {
                let pid = *pid;
                self.kill(pid, false, "it gave no sign of life", now)
            }
            Phase::Limbo { why, .. } if !self.own => {
                let why = std::mem::take(why);
                self.phase = Phase::Idle;
                vec![Action::Down { why }]
            }
            Phase::Limbo { told, until, why, .. } if !*told => {
                (*told, *until) = (true, now.after(BACK_WITHIN));
                vec![Action::Down { why: why.clone() }]
            }
            Phase::Limbo { pid, .. } => {
                let pid = *pid;
                self.kill(pid, true, "it did not come back to the link", now)
            }
            Phase::Dying { pid, told, .. } => {
                let (pid, told) = (*pid, *told);
                self.kill(pid, told, "it is not dead yet", now)
            }
            Phase::Quitting { killed: true, .. } => self.finish(),
            Phase::Quitting { pid, killed, until } => {
                (*killed, *until) = (true, now.after(GONE_WITHIN));
                vec![Action::Kill { pid: *pid, why: "it did not end when asked to" }]
            }
            Phase::Idle | Phase::Asked => Vec::new(),
        }
    }

    fn kill(&mut self, pid: u32, told: bool, why: &'static str, now: Mono) -> Vec<Action> {
        self.phase = Phase::Dying { pid, told, until: now.after(GONE_WITHIN) };
        vec![Action::Kill { pid, why }]
    }

    fn stop(&mut self, now: Mono) -> Vec<Action> {
        match self.phase {
            _ if !self.own => self.finish(),
            Phase::Up { pid, .. } => {
                let until = now.after(QUIT_WITHIN);
                self.phase = Phase::Quitting { pid, until, killed: false };
                vec![Action::Quit]
            }
            Phase::Starting { pid, .. } | Phase::Limbo { pid, .. } | Phase::Dying { pid, .. } => {
                let until = now.after(GONE_WITHIN);
                self.phase = Phase::Quitting { pid, until, killed: true };
                vec![Action::Kill { pid, why: "the player stops" }]
            }
            Phase::Quitting { .. } => Vec::new(),
            Phase::Idle | Phase::Asked | Phase::Pausing { .. } => self.finish(),
        }
    }

    fn finish(&mut self) -> Vec<Action> {
        self.phase = Phase::Idle;
        vec![Action::Finished]
    }
}

#[cfg(test)]
mod tests;
