//! Ten thousand screens, a cloud that is away for half an hour, and how they come back: the real
//! session, back-off and errands of each, in a time that passes when this test says so.
//!
//! What is not real is the glue of `shell::advance`, which would cost each screen a database; it is
//! spelled out in [`Screen::act`], as short as it can be. The cloud takes records by the channel.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use vitrine_wire::auth::TokenAnswer;

use super::*;
use crate::backoff::around;
use crate::error::Failure;
use crate::session::Session;
use crate::shell::content::POLL_LESS;
use crate::shell::line::Line;
use crate::shell::{errand::Errand, push};

const SCREENS: usize = 10_000;
/// The cloud goes away at 0 and is back at this second.
const BACK_S: u64 = 1_800;
const END_S: u64 = BACK_S + 3_000;
const TOKEN_LIFE_S: u64 = 3_600;
const POLL: Duration = Duration::from_secs(60);
const HEARTBEAT: Duration = Duration::from_secs(300);

/// SplitMix64: the same in each run.
struct Dice(u64);

impl Dice {
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

struct Screen {
    session: Session,
    poll: Errand,
    records: Errand,
    push: Errand,
    line: Line,
    push_open: bool,
    tries: u32,
    back_s: Option<u64>,
    /// When its records were taken after that.
    told_s: Option<u64>,
}

fn grant() -> TokenAnswer {
    TokenAnswer {
        access_token: "a".into(),
        token_type: "Bearer".into(),
        expires_in_s: TOKEN_LIFE_S,
        refresh_token: "r".into(),
        tenant: "acme".into(),
        device: "d1".into(),
        tenant_key: STANDARD.encode(tenant().verifying_key().as_bytes()),
    }
}

fn at(mono: Mono) -> Now {
    let passed = SignedDuration::try_from(mono.since(Mono::default())).unwrap();
    Now { wall: Timestamp::UNIX_EPOCH + passed, mono, trust: Trust::Synced }
}

impl Screen {
    /// One whose token was given some time ago, whose push channel has just broken after a long time,
    /// and that has something to tell every five minutes.
    fn new(dice: &mut Dice, begin: Mono) -> Screen {
        let account = Account {
            cloud_url: "https://cloud.example".into(),
            tenant: "acme".into(),
            device: "d1".into(),
            tenant_key: tenant().verifying_key(),
            former_key: None,
        };
        let mut session = Session::new(account.cloud_url.clone(), Some(account), Mono::default());
        let age = Duration::from_secs(TOKEN_LIFE_S).mul_f64(0.4 * dice.share());
        let given = at(Mono(begin.0 - u64::try_from(age.as_nanos()).unwrap()));
        session.due(given);
        session.answered(Reply::Token(Ok(grant())), given, dice.share());
        let (mut poll, mut records, mut push) = Default::default();
        push::reopen(&mut push, true, at(begin), dice.share());
        Errand::want(&mut poll, begin.after(POLL * POLL_LESS).after(POLL.mul_f64(dice.share())));
        Errand::want(&mut records, begin.after(HEARTBEAT.mul_f64(dice.share())));
        let (line, push_open, tries) = (Line::default(), false, 0);
        Screen { session, poll, records, push, line, push_open, tries, back_s: None, told_s: None }
    }

    /// Makes the calls that are due. Returns how many reached the network.
    fn act(&mut self, now: Now, up: bool, dice: &mut Dice) -> u32 {
        let mut calls = 0;
        if !self.token_waits(now) && self.session.due(now).is_some() {
            calls += 1;
            let failure = || CloudError::new("test", Failure::Unreachable("away".into()));
            let reply = if up { Ok(grant()) } else { Err(failure()) };
            self.session.answered(Reply::Token(reply), now, dice.share());
        }
        if self.session.pass(now).is_some() {
            if self.push.start(now) {
                calls += 1;
                self.opens(now, up, dice);
            }
            if !self.line.is_down() && !self.finds_out() && self.poll.start(now) {
                calls += 1;
                self.poll.worked(Some(now.mono.after(around(POLL * POLL_LESS, dice.share()))));
            }
            if !self.line.is_down() && self.records.start(now) {
                // By the channel if there is one: no request.
                calls += u32::from(!self.push_open);
                self.tells(now, up, dice);
            }
        }
        self.tries += if self.back_s.is_none() { calls } else { 0 };
        calls
    }

    fn finds_out(&self) -> bool {
        self.line.is_down() && !self.push_open
    }

    fn opens(&mut self, now: Now, up: bool, dice: &mut Dice) {
        if !up {
            self.push.failed(None, now, dice.share());
            self.line.failed(now.mono);
            return self.session.line_failed(self.push.failures());
        }
        self.push.worked(None);
        self.push_open = true;
        self.back_s.get_or_insert(now.mono.since(Mono::default()).as_secs());
        if let Some(spread) = self.line.works(now.mono) {
            self.session.spread(spread.at(dice.share()));
        }
        self.records.release();
        self.poll.want_instead(now.mono.after(around(POLL * POLL_LESS, dice.share())));
    }

    fn tells(&mut self, now: Now, up: bool, dice: &mut Dice) {
        if !up {
            self.records.failed(None, now, dice.share());
            self.line.failed(now.mono);
            return self.push.want(now.mono.after(push::ask_after(POLL, dice.share())));
        }
        if self.back_s.is_some() {
            self.told_s.get_or_insert(now.mono.since(Mono::default()).as_secs());
        }
        self.records.worked(Some(now.mono.after(HEARTBEAT)));
    }

    fn token_waits(&self, now: Now) -> bool {
        self.line.is_down() && self.session.pass(now).is_some()
    }

    fn deadline(&self, now: Now) -> Option<Mono> {
        let proved = self.session.pass(now).is_some();
        let free = proved && !self.line.is_down();
        let push = self.push.deadline().filter(|_| proved);
        let others = [self.records.deadline(), self.poll.deadline()].map(|at| at.filter(|_| free));
        let session = self.session.deadline().filter(|_| !self.token_waits(now));
        [session, push].into_iter().chain(others).flatten().min()
    }
}

#[test]
fn a_fleet_comes_back_without_a_wave() {
    let mut dice = Dice(7);
    let begin = Mono(2 * TOKEN_LIFE_S * 1_000_000_000);
    let mut screens: Vec<Screen> = (0..SCREENS).map(|_| Screen::new(&mut dice, begin)).collect();
    let mut next: BinaryHeap<Reverse<(Mono, usize)>> =
        (0..SCREENS).filter_map(|n| Some(Reverse((screens[n].deadline(at(begin))?, n)))).collect();
    let begin_s = begin.since(Mono::default()).as_secs();
    let mut calls_s = vec![0u32; END_S as usize];
    while let Some(Reverse((mono, n))) = next.pop() {
        let mono = mono.max(begin);
        let second = mono.since(begin).as_secs();
        if second >= END_S {
            continue;
        }
        let calls = screens[n].act(at(mono), second >= BACK_S, &mut dice);
        calls_s[second as usize] += calls;
        if let Some(at) = screens[n].deadline(at(mono)) {
            // What is due at once again is due a moment later: no time passes within a call here.
            next.push(Reverse((at.max(mono.after(Duration::from_millis(1))), n)));
        }
    }
    let after = |at: u64| at - begin_s - BACK_S;
    let back = screens.iter().filter_map(|screen| screen.back_s.map(after)).collect();
    let told = screens.iter().filter_map(|screen| screen.told_s.map(after)).collect();
    report(&screens, &calls_s, back, told);
}

/// Prints the table and holds it to what was promised. `back`: seconds until the channel was open,
/// with what there is of news; `told`: until records were taken.
fn report(screens: &[Screen], calls_s: &[u32], mut back: Vec<u64>, mut told: Vec<u64>) {
    println!("seconds after | channels open | records taken | requests/s mean | peak");
    for from in (0..END_S - BACK_S).step_by(100) {
        let span = (BACK_S + from) as usize..(BACK_S + from + 100) as usize;
        let within = |all: &[u64]| all.iter().filter(|at| (from..from + 100).contains(*at)).count();
        let (sum, peak) = calls_s[span].iter().fold((0, 0), |(s, p), c| (s + c, p.max(*c)));
        let (came, took) = (within(&back), within(&told));
        println!(
            "{from:>4} to {:>4}  | {came:>13} | {took:>13} | {:>15} | {peak:>4}",
            from + 100,
            sum / 100
        );
    }
    let all_but_one_percent = |all: &mut Vec<u64>| {
        all.sort_unstable();
        all.get(SCREENS * 99 / 100).copied()
    };
    let (back, told) = (all_but_one_percent(&mut back), all_but_one_percent(&mut told));
    let mut tries: Vec<u32> = screens.iter().map(|screen| screen.tries).collect();
    tries.sort_unstable();
    let peak = calls_s[BACK_S as usize..].iter().max().copied().unwrap_or(0);
    let (median, most) = (tries[SCREENS / 2], tries[SCREENS - 1]);
    println!(
        "peak {peak} requests/s; 99 % have their channel after {back:?} s and their records told \
         after {told:?} s; tries: median {median}, most {most}"
    );
    let early = calls_s[..BACK_S as usize].iter().max().copied().unwrap_or(0);
    println!("while it was away: at most {early} knocks a second");
    assert!(peak <= 100, "{peak} requests in one second");
    assert!(back.is_some_and(|s| s <= 300), "{back:?}");
    assert!(told.is_some_and(|s| s <= 300), "{told:?}");
    assert!(most <= 20, "{most} tries");
}
