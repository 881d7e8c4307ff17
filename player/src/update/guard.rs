//! Whether a version on trial is to be believed.
//!
//! In:  what it says of itself, and when.
//! Out: a [`Verdict`], and when to look again.
//!
//! The version says itself that it shows content; that it says so counts, its silence counts against
//! it. So a version that hangs, or never gets there, is judged by a program that is known to work.

use std::time::Duration;

use vitrine_config::model::Update;
use vitrine_config::time::Mono;

/// What the version says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It is alive.
    Alive,
    /// Content is on its own screen.
    Content,
    /// It has no screen of its own here, and nobody to ask for one.
    Hindered,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has proved itself, by a sign of life after the time of trial: from now on it is the good one.
    Good,
    /// It has shown no content in its time: it is given up.
    Late,
    /// It could show none in its time, for no fault of its own: it may be tried another time.
    Hindered,
    /// It hangs: it is killed, which counts as a death.
    Silent,
}

/// The guard over one start.
#[derive(Debug)]
pub struct Guard {
    present_until: Mono,
    trial: Duration,
    silent_for: Duration,
    content_at: Option<Mono>,
    hindered: bool,
    heard_at: Mono,
    good: bool,
}

impl Guard {
    /// The version starts now. No sign of life for `silent_for` is a hang.
    pub fn new(limits: &Update, silent_for: Duration, now: Mono) -> Guard {
        Guard {
            present_until: now.after(limits.present_within),
            trial: limits.trial,
            silent_for,
            content_at: None,
            hindered: false,
            heard_at: now,
            good: false,
        }
    }

    /// It said something.
    pub fn hear(&mut self, said: Said, now: Mono) {
        self.heard_at = now;
        match said {
            Said::Alive => {}
            Said::Content => drop(self.content_at.get_or_insert(now)),
            Said::Hindered => self.hindered = true,
        }
    }

    /// Whether it has proved itself.
    pub fn is_good(&self) -> bool {
        self.good
    }

    /// What is to be done now. [`Verdict::Good`] is said once.
    pub fn judge(&mut self, now: Mono) -> Option<Verdict> {
        if now >= self.heard_at.after(self.silent_for) {
            return Some(Verdict::Silent);
        }
        match self.content_at {
            _ if self.good => None,
            None if now < self.present_until => None,
            None if self.hindered => Some(Verdict::Hindered),
            None => Some(Verdict::Late),
            Some(at) => {
                self.good = self.heard_at >= at.after(self.trial);
                self.good.then_some(Verdict::Good)
            }
        }
    }

    /// When to judge again if nothing is said before.
    pub fn deadline(&self) -> Mono {
        let silent = self.heard_at.after(self.silent_for);
        match self.content_at {
            None => silent.min(self.present_until),
            Some(_) => silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Mono {
        Mono(s * 1_000_000_000)
    }

    /// Plays what is said at which second until a verdict other than good; None: none by 200 s.
    fn play(said: &[(u64, Said)]) -> (Option<(u64, Verdict)>, bool) {
        let mut limits = vitrine_config::Config::default().update;
        (limits.present_within, limits.trial) = (Duration::from_secs(60), Duration::from_secs(90));
        let mut guard = Guard::new(&limits, Duration::from_secs(30), at(0));
        for second in 0..=200 {
            said.iter()
                .filter(|(s, _)| *s == second)
                .for_each(|(_, said)| guard.hear(*said, at(second)));
            let due = guard.deadline() <= at(second);
            match guard.judge(at(second)) {
                None => assert!(!due, "woken for nothing at {second}"),
                Some(Verdict::Good) => {}
                Some(verdict) => return (Some((second, verdict)), guard.is_good()),
            }
        }
        (None, guard.is_good())
    }

    #[test]
    fn a_version_must_show_content_in_time_and_live_on() {
        let alive =
            |until: u64| (0..until).step_by(10).map(|s| (s, Said::Alive)).collect::<Vec<_>>();
        let shown = |s: u64, until: u64| [alive(until), vec![(s, Said::Content)]].concat();
        for (case, said, want) in [
            ("it says nothing", vec![], (Some((30, Verdict::Silent)), false)),
            ("alive, but no content", alive(200), (Some((60, Verdict::Late)), false)),
            (
                "hindered",
                [alive(200), vec![(5, Said::Hindered)]].concat(),
                (Some((60, Verdict::Hindered)), false),
            ),
            (
                "hindered, then content",
                [shown(50, 200), vec![(5, Said::Hindered)]].concat(),
                (None, true),
            ),
            ("content too late", shown(61, 200), (Some((60, Verdict::Late)), false)),
            ("content, then silence", shown(5, 50), (Some((70, Verdict::Silent)), false)),
            ("content and a life", shown(5, 200), (None, true)),
            ("content at the last moment", shown(59, 200), (None, true)),
            ("a hang that outlasts the trial", shown(5, 90), (Some((110, Verdict::Silent)), false)),
            ("good, then silence", shown(5, 120), (Some((140, Verdict::Silent)), true)),
        ] {
            assert_eq!(play(&said), want, "case {case:?}");
        }
    }
}
