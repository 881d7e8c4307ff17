//! Whether there is a screen, and whether it is alive.
//!
//! The evidence rule, for the service manager's watchdog:
//! - a [`Beat`] proves life if nothing on the screen should move, or if the display was handed more
//!   frames than at the beat before;
//! - a connected stage whose beats stop, or whose picture should move and does not, proves nothing:
//!   the watchdog will end it all;
//! - while no stage is connected there is no screen to judge and its host is bringing it back; the
//!   agent, which also syncs, is alive if it gets here.

use std::time::Duration;

use vitrine_config::time::Mono;
use vitrine_render::report::{Beat, Hello, Walls};
use vitrine_render::scene::Turn;

/// How often life is proved without a stage: the watchdog's patience is several of these.
const ALIVE_EVERY: Duration = Duration::from_secs(5);
/// How long a proof counts: a few beats, which come once a second.
const PROOF_LASTS: Duration = Duration::from_secs(5);
/// Who waits for the end of a programme waits at most so long for something to draw with.
const DRAWS_WITHIN: Duration = Duration::from_secs(60);

/// The stage as the director knows it.
#[derive(Debug)]
enum Stage {
    Up(Hello),
    Down { why: String, alive_at: Mono },
}

/// Whether there is a screen, and whether it is alive.
#[derive(Debug)]
pub struct Health {
    stage: Stage,
    last_beat: Option<Beat>,
    proved_at: Option<Mono>,
    /// The stage is another release's: why it still is.
    outdated: Option<String>,
    /// Since when the stage has nothing to draw with.
    idle_since: Option<Mono>,
}

impl Health {
    /// There is no stage yet.
    pub fn new(now: Mono) -> Health {
        let stage = Stage::Down { why: "not connected yet".into(), alive_at: now };
        let (last_beat, proved_at) = (None, None);
        Health { stage, last_beat, proved_at, outdated: None, idle_since: None }
    }

    /// A stage has come.
    pub fn up(&mut self, hello: Hello) {
        self.stage = Stage::Up(hello);
        (self.last_beat, self.outdated, self.idle_since) = (None, None, None);
    }

    /// The stage that is here knows more of itself.
    pub fn correct(&mut self, hello: Hello) {
        if let Stage::Up(known) = &mut self.stage {
            *known = hello;
        }
    }

    /// The stage has gone. Returns when it was last known to be alive.
    pub fn down(&mut self, why: String, now: Mono) -> Mono {
        self.stage = Stage::Down { why, alive_at: now };
        (self.proved_at, self.outdated) = (None, None);
        self.last_beat.take().map_or(now, |beat| beat.at)
    }

    /// The stage, if there is one; else why not.
    pub fn stage(&self) -> Result<&Hello, &str> {
        match &self.stage {
            Stage::Up(hello) => Ok(hello),
            Stage::Down { why, .. } => Err(why),
        }
    }

    /// The stage is another release's and stays, and why. Returns whether that is news.
    pub fn outdated(&mut self, why: &str) -> bool {
        self.outdated.replace(why.to_owned()).is_none()
    }

    /// Why the stage is another release's, if it is known to stay.
    pub fn is_outdated(&self) -> Option<&str> {
        self.outdated.as_deref()
    }

    /// How many displays there are to be drawn on, as far as is known.
    pub fn displays(&self) -> u8 {
        self.stage().map_or(1, |hello| hello.displays)
    }

    /// Whether this beat proves life.
    pub fn beat(&mut self, beat: Beat, now: Mono) -> bool {
        let before = self.frames_presented();
        let alive = !beat.moving || beat.frames_presented > before;
        self.idle_since = if beat.draws { None } else { self.idle_since.or(Some(now)) };
        self.last_beat = Some(beat);
        if alive {
            self.proved_at = Some(now);
        }
        alive
    }

    /// Whether the agent, having no stage, should prove its own life now.
    pub fn alive_without_stage(&mut self, now: Mono) -> bool {
        match &mut self.stage {
            Stage::Down { alive_at, .. } if *alive_at <= now => {
                *alive_at = now.after(ALIVE_EVERY);
                true
            }
            Stage::Up(_) | Stage::Down { .. } => false,
        }
    }

    /// When to ask [`Health::alive_without_stage`] again.
    pub fn deadline(&self) -> Option<Mono> {
        match &self.stage {
            Stage::Up(_) => None,
            Stage::Down { alive_at, .. } => Some(*alive_at),
        }
    }

    /// Whether the screen was proved alive a moment ago.
    pub fn screen_ok(&self, now: Mono) -> bool {
        self.proved_at.is_some_and(|at| now.since(at) <= PROOF_LASTS)
    }

    /// Whether the stage is there and working, so that what it does not get ready is to blame: one
    /// whose display is away may stand still for hours, and one that has nothing to draw with shows a
    /// card of its own. `once`: somebody waits for the end, and is not kept waiting for ever.
    pub fn is_judge(&self, now: Mono, once: bool) -> bool {
        let lives = self.last_beat.as_ref().is_some_and(|beat| now.since(beat.at) <= PROOF_LASTS);
        lives && !self.is_idle(now, once)
    }

    /// Whether there is nothing to draw with yet, and that is waited for.
    pub fn is_idle(&self, now: Mono, once: bool) -> bool {
        self.idle_since.is_some_and(|since| !once || now.since(since) <= DRAWS_WITHIN)
    }

    /// Turns that are not to blame, as last heard: the media worker of each still starts.
    pub fn starting(&self) -> &[Turn] {
        self.last_beat.as_ref().map_or(&[], |beat| &beat.starting)
    }

    /// What the last media worker was kept from.
    pub fn walls(&self) -> Option<Walls> {
        self.last_beat.as_ref().and_then(|beat| beat.walls)
    }

    /// Frames handed to the display since the stage started, as last heard.
    pub fn frames_presented(&self) -> u64 {
        self.last_beat.as_ref().map_or(0, |beat| beat.frames_presented)
    }
}
