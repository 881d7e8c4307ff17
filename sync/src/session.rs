//! Who we are to the cloud: pairing, then tokens. Decides, asks nobody itself.
//!
//! In:  what the cloud answered, the time, a random number.
//! Out: what to ask next and when, and what has changed.
//!
//! ```text
//!            code shown                approved
//!   Fresh ───────────────► Waiting ───────────────► Open ◄──┐ refreshed
//!     ▲ ▲    lapsed, denied   │                      │ │ ────┘
//!     │ └─────────────────────┘        lapsed, 401   ▼ │
//!     └───────────────────────────────────────────  Locked ── device key ──► Open
//!                    unknown device
//! ```
//!
//! Tokens live in memory only: the device key buys new ones after any time offline, so a stolen
//! disk image holds one secret and not three. A refresh token is used once, whatever comes of it:
//! when its answer was lost, a second use would look like theft and revoke everything.
//!
//! Promises, each held by a table test of the same name: `a_device_pairs`, `tokens_are_renewed`,
//! `a_removed_device_pairs_anew`, `a_wrong_clock_is_no_obstacle`.
//!
//! Not here: sockets, signing, what is kept on disk (`shell`).

mod exchange;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use vitrine_config::time::{Mono, Now, Trust};
use vitrine_wire::auth::{PairingAnswer, TokenAnswer, problem};

use crate::backoff::{Backoff, around};
use crate::error::CloudError;
use crate::identity::{Account, parse_tenant_key};

pub(crate) use exchange::{Ask, Effect, Grant, Pass, Reply};

/// What the cloud says beyond these is a mistake and is brought back into range.
const INTERVAL_S: std::ops::RangeInclusive<u64> = 1..=300;
const CODE_LIFE_S: std::ops::RangeInclusive<u64> = 30..=86_400;
const TOKEN_LIFE_S: std::ops::RangeInclusive<u64> = 30..=604_800;
/// Added to the interval when the cloud says `slow_down` (RFC 8628, section 3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// After an operator's no: long enough that a code does not flicker, short enough for a second try.
const DENIED: Duration = Duration::from_secs(30);
/// A token that is refused younger than this is not a matter of age: back off.
const YOUNG: Duration = Duration::from_secs(60);
/// The clocks of cloud and device may differ by this much before the cloud's is used to sign.
const CLOCKS_AGREE: SignedDuration = SignedDuration::from_secs(60);
/// Longest code that a screen can show.
const USER_CODE_BYTES: usize = 32;
/// Longest address that a QR code on a screen can hold legibly.
const URI_BYTES: usize = 1_024;
/// Longest tenant or device id: it travels in a header.
const ID_BYTES: usize = 255;

enum State {
    Fresh,
    Waiting { device_code: String, interval: Duration, lapses_at: Mono },
    Locked,
    Open { pass: Pass, refresh: Option<String>, since: Mono, lapses_at: Mono },
}

/// See the head of this file.
pub(crate) struct Session {
    cloud_url: String,
    account: Option<Account>,
    state: State,
    /// When to ask next.
    at: Mono,
    asking: bool,
    backoff: Backoff,
    server: Option<(Timestamp, Mono)>,
    /// The cloud said that it does not know the account; it stays on disk until another replaces it.
    disowned: bool,
    /// The assertion was refused and that was reported.
    reported: bool,
}

impl Session {
    /// Starts with what the disk remembers; asks nothing before `at`.
    pub(crate) fn new(cloud_url: String, account: Option<Account>, at: Mono) -> Session {
        let state = if account.is_some() { State::Locked } else { State::Fresh };
        Session {
            cloud_url,
            account,
            state,
            at,
            asking: false,
            backoff: Backoff::default(),
            server: None,
            disowned: false,
            reported: false,
        }
    }

    /// Whose device this is, as far as the cloud has not said otherwise.
    pub(crate) fn account(&self) -> Option<&Account> {
        self.account.as_ref().filter(|_| !self.disowned)
    }

    /// The tenant signs with another key from now on.
    pub(crate) fn rotated(&mut self, account: Account) {
        self.account = Some(account);
    }

    /// What proves requests now.
    pub(crate) fn pass(&self, now: Now) -> Option<&Pass> {
        match &self.state {
            State::Open { pass, lapses_at, .. } if now.mono < *lapses_at => Some(pass),
            _ => None,
        }
    }

    /// When [`Session::due`] will have something to ask; None while an answer is awaited.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        (!self.asking).then_some(self.at)
    }

    /// Somebody wants an answer now.
    pub(crate) fn hurry(&mut self, now: Now) {
        if !matches!(self.state, State::Waiting { .. } | State::Open { .. }) {
            self.at = self.at.min(now.mono);
        }
    }

    /// Nobody has to be waited for: the next question may be asked at once.
    pub(crate) fn expect_yes(&mut self, now: Now) {
        self.at = now.mono;
    }

    /// A token that is good still is not renewed before `at`.
    pub(crate) fn spread(&mut self, at: Mono) {
        if let State::Open { lapses_at, .. } = self.state {
            self.at = self.at.max(at.min(lapses_at));
        }
    }

    /// Other calls have failed so often in a row: a question that fails waits as long as they do.
    pub(crate) fn line_failed(&mut self, failures: u32) {
        self.backoff.at_least(failures);
    }

    /// The question under way was dropped; it is asked again.
    pub(crate) fn unanswered(&mut self, now: Now) {
        if std::mem::take(&mut self.asking) {
            self.at = now.mono;
        }
    }

    /// The account that a pairing brought cannot be used: back to the one of `before`, and another
    /// code for another try.
    pub(crate) fn undo(&mut self, before: Option<Account>, now: Now, random: f64) {
        self.disowned = before.is_some();
        self.account = before;
        self.state = State::Fresh;
        self.wait(None, now, random);
    }

    /// Takes note of the cloud's clock.
    pub(crate) fn heard(&mut self, server_time: Option<Timestamp>, now: Now) {
        if let Some(at) = server_time {
            self.server = Some((at, now.mono));
        }
    }

    /// The best knowledge of the time: the local clock if it can be believed and the cloud does not
    /// contradict it, else the cloud's.
    pub(crate) fn wall(&self, now: Now) -> Timestamp {
        let Some((told, mono)) = self.server else { return now.wall };
        let passed = SignedDuration::try_from(now.mono.since(mono)).unwrap_or(SignedDuration::MAX);
        let server = told.saturating_add(passed).unwrap_or(Timestamp::MAX);
        let apart = now.wall.duration_since(server).abs();
        if now.trust == Trust::Synced && apart <= CLOCKS_AGREE { now.wall } else { server }
    }

    /// What to ask now, if anything; the answer goes to [`Session::answered`].
    pub(crate) fn due(&mut self, now: Now) -> Option<Ask> {
        if self.asking || now.mono < self.at {
            return None;
        }
        self.lapse(now);
        self.asking = true;
        let assertion = |account: &Account, at| {
            Ask::Token(Grant::Assertion { device: account.device.clone(), at })
        };
        let at = self.wall(now);
        Some(match (&mut self.state, &self.account) {
            (State::Waiting { device_code, .. }, _) => {
                Ask::Token(Grant::DeviceCode(device_code.clone()))
            }
            (State::Open { refresh, .. }, Some(account)) => match refresh.take() {
                Some(token) => Ask::Token(Grant::Refresh(token)),
                None => assertion(account, at),
            },
            (State::Locked, Some(account)) => assertion(account, at),
            (State::Fresh, _) | (State::Locked | State::Open { .. }, None) => Ask::Pairing,
        })
    }

    /// A code that nobody approved in time makes room: for the account, should the cloud know it
    /// again, else for another code.
    fn lapse(&mut self, now: Now) {
        if let State::Waiting { lapses_at, .. } = self.state
            && lapses_at <= now.mono
        {
            self.state = if self.account.is_some() { State::Locked } else { State::Fresh };
        }
    }

    /// An access token was refused: get another.
    pub(crate) fn refused(&mut self, now: Now, random: f64) {
        let State::Open { since, .. } = self.state else { return };
        let young = now.mono.since(since) < YOUNG;
        let wait = if young { self.backoff.failed(None, random) } else { Duration::ZERO };
        self.state = State::Locked;
        self.at = now.mono.after(wait);
    }

    /// Takes the cloud's answer.
    pub(crate) fn answered(&mut self, reply: Reply, now: Now, random: f64) -> Vec<Effect> {
        self.asking = false;
        let effect = match reply {
            Reply::Pairing(Ok(answer)) => Some(self.code(answer, now, random)),
            Reply::Pairing(Err(error)) => self.no_code(&error, now, random),
            Reply::Token(Ok(answer)) => self.token(answer, now, random),
            Reply::Token(Err(error)) => self.no_token(&error, now, random),
        };
        effect.into_iter().collect()
    }

    fn code(&mut self, mut answer: PairingAnswer, now: Now, random: f64) -> Effect {
        let uris = [&answer.verification_uri, &answer.verification_uri_complete];
        let legible = (1..=USER_CODE_BYTES).contains(&answer.user_code.len());
        if !legible || uris.iter().any(|uri| uri.len() > URI_BYTES) {
            self.wait(None, now, random);
            let detail = format!(
                "pairing answer cannot be shown: code of {} bytes, want 1 to {USER_CODE_BYTES}; \
                 address of {} bytes, want at most {URI_BYTES}",
                answer.user_code.len(),
                uris.iter().map(|uri| uri.len()).max().unwrap_or(0),
            );
            return Effect::Trouble { code: "pairing_answer", detail };
        }
        self.backoff.worked();
        let interval = seconds(answer.interval_s, INTERVAL_S);
        self.at = now.mono.after(interval);
        self.state = State::Waiting {
            device_code: std::mem::take(&mut answer.device_code),
            interval,
            lapses_at: now.mono.after(seconds(answer.expires_in_s, CODE_LIFE_S)),
        };
        Effect::Show(answer)
    }

    fn no_code(&mut self, error: &CloudError, now: Now, random: f64) -> Option<Effect> {
        self.wait(error.retry_after, now, random);
        let first = self.backoff.failures() == 1;
        (first && error.status().is_some_and(|status| status < 500))
            .then(|| Effect::Trouble { code: "pairing_refused", detail: error.to_string() })
    }

    fn token(&mut self, answer: TokenAnswer, now: Now, random: f64) -> Option<Effect> {
        let pairing = matches!(self.state, State::Waiting { .. } | State::Fresh);
        let account = match self.believed(&answer, pairing) {
            Ok(account) => account,
            Err(detail) => {
                self.wait(None, now, random);
                return Some(Effect::Trouble { code: "token_refused", detail });
            }
        };
        let life = seconds(answer.expires_in_s, TOKEN_LIFE_S);
        self.state = State::Open {
            pass: Pass { token: answer.access_token, tenant: answer.tenant },
            refresh: Some(answer.refresh_token),
            since: now.mono,
            lapses_at: now.mono.after(life),
        };
        // 40 to 50 % of the life: of an hour half is left after half an hour without a cloud, so that
        // nobody need ask for a token first when it is back.
        self.at = now.mono.after(around(life.mul_f64(0.45), random));
        self.backoff.worked();
        let news = self.disowned || self.account.as_ref() != Some(&account);
        (self.disowned, self.reported) = (false, false);
        self.account = Some(account.clone());
        news.then(|| Effect::Paired(Box::new(account)))
    }

    /// The account that a token is for. A device that is paired already takes tokens for its own
    /// account only, and keeps the key that it pinned.
    fn believed(&self, answer: &TokenAnswer, pairing: bool) -> Result<Account, String> {
        let (tenant, device) = (&answer.tenant, &answer.device);
        if let Some(known) = self.account.as_ref().filter(|_| !pairing) {
            let same = known.tenant == *tenant && known.device == *device;
            return same.then(|| known.clone()).ok_or_else(|| {
                format!(
                    "token is for device {device:?} of {tenant:?}, this is {:?} of {:?}",
                    known.device, known.tenant
                )
            });
        }
        let id = |id: &str| {
            (1..=ID_BYTES).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
        };
        if !id(tenant) || !id(device) {
            return Err(format!("token is for device {device:?} of {tenant:?}: not usable as ids"));
        }
        let tenant_key = parse_tenant_key(&answer.tenant_key).map_err(|e| e.to_string())?;
        Ok(Account {
            cloud_url: self.cloud_url.clone(),
            tenant: tenant.clone(),
            device: device.clone(),
            tenant_key,
            former_key: None,
        })
    }

    fn no_token(&mut self, error: &CloudError, now: Now, random: f64) -> Option<Effect> {
        match &mut self.state {
            State::Waiting { .. } => self.not_approved(error, now, random),
            State::Locked | State::Open { .. } => self.not_renewed(error, now, random),
            State::Fresh => {
                self.wait(error.retry_after, now, random);
                None
            }
        }
    }

    fn not_approved(&mut self, error: &CloudError, now: Now, random: f64) -> Option<Effect> {
        let State::Waiting { interval, .. } = &mut self.state else { return None };
        match error.problem() {
            problem::AUTHORIZATION_PENDING => {
                self.backoff.worked();
                self.at = now.mono.after(*interval);
            }
            problem::SLOW_DOWN => {
                *interval += SLOWER;
                self.at = now.mono.after(*interval);
            }
            problem::ACCESS_DENIED => {
                self.state = State::Fresh;
                self.at = now.mono.after(around(DENIED, random));
                let detail = "the operator refused this device; a new code follows".into();
                return Some(Effect::Trouble { code: "pairing_denied", detail });
            }
            problem::EXPIRED_TOKEN | problem::INVALID_GRANT => {
                self.state = State::Fresh;
                self.wait(None, now, random);
            }
            _ => {
                let least = now.mono.after(*interval);
                self.wait(error.retry_after, now, random);
                self.at = self.at.max(least);
            }
        }
        None
    }

    fn not_renewed(&mut self, error: &CloudError, now: Now, random: f64) -> Option<Effect> {
        match error.problem() {
            problem::UNKNOWN_DEVICE => {
                self.state = State::Fresh;
                self.at = now.mono;
                let news = !self.disowned;
                self.disowned = true;
                return news.then_some(Effect::Unpaired);
            }
            problem::INVALID_GRANT if matches!(self.state, State::Open { .. }) => {
                self.state = State::Locked;
                self.at = now.mono;
                return None;
            }
            _ => self.wait(error.retry_after, now, random),
        }
        // The first refusal may be the clock's fault, which the answer's date has just mended.
        let report = error.status().is_some_and(|status| status < 500)
            && self.backoff.failures() > 1
            && !std::mem::replace(&mut self.reported, true);
        report.then(|| Effect::Trouble { code: "token_refused", detail: error.to_string() })
    }

    fn wait(&mut self, told: Option<Duration>, now: Now, random: f64) {
        self.at = now.mono.after(self.backoff.failed(told, random));
    }
}

fn seconds(told: u64, sane: std::ops::RangeInclusive<u64>) -> Duration {
    Duration::from_secs(told.clamp(*sane.start(), *sane.end()))
}

#[cfg(test)]
mod tests;
