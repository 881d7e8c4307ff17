//! Whether there is a screen, and whether it is alive.
//!
//! The evidence rule, for the service manager's watchdog:
//! - a [`Beat`] proves the screen alive if no picture is overdue on it, or if the display was handed
//!   more frames than at the beat before;
//! - the agent, which also syncs, says that it is alive for as long as it gets here, but for one case: a
//!   connected stage that has proved nothing for [`HUNG_AFTER`], because its beats stopped, or a picture
//!   is due and none is handed to the display. Then the watchdog will end it all. Shorter than that is
//!   slowness, or one stage that is frozen while another one gets ready in its place;
//! - while no stage is connected there is no screen to judge, and its host is bringing it back.

use std::time::Duration;

use vitrine_config::time::Mono;
use vitrine_render::report::{Beat, Hello, Walls};
use vitrine_render::scene::Turn;

/// The agent says that it is alive whenever something happens, but no more often than this...
const ALIVE_AT_MOST: Duration = Duration::from_secs(1);
/// ... and if nothing does, this often: the watchdog's patience is several of these.
const ALIVE_EVERY: Duration = Duration::from_secs(5);
/// A stage that proves nothing for so long hangs: longer than any frame takes on a machine without
/// processor time, and than an old stage is kept frozen while a new one starts (`succession`).
pub(super) const HUNG_AFTER: Duration = Duration::from_secs(75);
/// How long a proof counts: a few beats, which come once a second.
const PROOF_LASTS: Duration = Duration::from_secs(5);
/// Who waits for the end of a programme waits at most so long for something to draw with.
const DRAWS_WITHIN: Duration = Duration::from_secs(60);

/// The stage as the director knows it.
#[derive(Debug)]
enum Stage {
    Up(Hello),
    Down(String),
}

/// Whether there is a screen, and whether it is alive.
#[derive(Debug)]
pub struct Health {
    stage: Stage,
    last_beat: Option<Beat>,
    /// When the stage that is here last proved its life.
    proved_at: Option<Mono>,
    /// Since when it might have.
    judged_from: Mono,
    /// When it was last said that the agent is alive.
    said_at: Option<Mono>,
    /// The stage was found to hang when that was to be said again.
    hung: bool,
    /// The stage is another release's: why it still is.
    outdated: Option<String>,
    /// Since when the stage has nothing to draw with.
    idle_since: Option<Mono>,
}

impl Health {
    /// There is no stage yet.
    pub fn new(now: Mono) -> Health {
        Health {
            stage: Stage::Down("not connected yet".into()),
            last_beat: None,
            proved_at: None,
            judged_from: now,
            said_at: None,
            hung: false,
            outdated: None,
            idle_since: None,
        }
    }

    /// A stage has come.
    pub fn up(&mut self, hello: Hello, now: Mono) {
        self.stage = Stage::Up(hello);
        (self.proved_at, self.judged_from) = (None, now);
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
        self.stage = Stage::Down(why);
        (self.proved_at, self.outdated) = (None, None);
        self.last_beat.take().map_or(now, |beat| beat.at)
    }

    /// The stage, if there is one; else why not.
    pub fn stage(&self) -> Result<&Hello, &str> {
        match &self.stage {
            Stage::Up(hello) => Ok(hello),
            Stage::Down(why) => Err(why),
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

    /// Takes a beat, which may prove life.
    pub fn beat(&mut self, beat: Beat, now: Mono) {
        let before = self.frames_presented();
        if !beat.moving || beat.frames_presented > before {
            self.proved_at = Some(now);
        }
        self.idle_since = if beat.draws { None } else { self.idle_since.or(Some(now)) };
        self.last_beat = Some(beat);
    }

    /// Whether the service manager is to be told now that we live. Not said of a screen that hangs.
    pub fn says_alive(&mut self, now: Mono) -> bool {
        if self.said_at.is_some_and(|at| now.since(at) < ALIVE_AT_MOST) {
            return false;
        }
        self.hung = self.hangs(now);
        if !self.hung {
            self.said_at = Some(now);
        }
        !self.hung
    }

    fn hangs(&self, now: Mono) -> bool {
        let since = self.proved_at.unwrap_or(self.judged_from);
        matches!(self.stage, Stage::Up(_)) && now.since(since) > HUNG_AFTER
    }

    /// When to ask [`Health::says_alive`] again; a screen that hangs has to say something before.
    pub fn deadline(&self) -> Option<Mono> {
        self.said_at.filter(|_| !self.hung).map(|at| at.after(ALIVE_EVERY))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: u64 = 1_000_000_000;

    fn hello() -> Hello {
        let size = vitrine_render::scene::Size { width_px: 64, height_px: 36 };
        let (showing, gpu) = (vec![], String::new());
        let (newest_turn, displays, zero_copy) = (0, 1, String::new());
        Hello { pid: 1, newest_turn, showing, size, displays, gpu, zero_copy }
    }

    fn beat(at: Mono, (frames_presented, moving): (u64, bool)) -> Beat {
        Beat { at, frames_presented, moving, walls: None, draws: true, starting: vec![] }
    }

    /// At which second it last said that it lives, of 400, and the longest silence before.
    fn lives(beats: impl Fn(u64) -> Option<(u64, bool)>) -> (u64, u64) {
        let mut health = Health::new(Mono(0));
        health.up(hello(), Mono(0));
        let (mut last, mut silence) = (0, 0);
        for second in 0..400 {
            let now = Mono(second * S);
            if let Some(said) = beats(second) {
                health.beat(beat(now, said), now);
            }
            if health.says_alive(now) {
                (silence, last) = (silence.max(second - last), second);
            }
        }
        (last, silence)
    }

    #[test]
    fn only_a_screen_that_hangs_ends_the_agent() {
        type Beats = fn(u64) -> Option<(u64, bool)>;
        let cases: [(&str, Beats, bool); 9] = [
            ("a film", |s| Some((s * 30, true)), true),
            ("a still", |_| Some((1, false)), true),
            ("a clock, told by a stage that calls it moving", |s| Some((s / 60, true)), true),
            ("a frame takes 40 s", |s| Some((s / 40, true)), true),
            ("its loop turns every 40 s", |s| s.is_multiple_of(40).then_some((s, true)), true),
            ("frozen while another starts", |s| (s % 100 > 65).then_some((s, true)), true),
            ("its loop hangs", |s| (s < 10).then_some((s, true)), false),
            ("its loop never turns", |_| None, false),
            ("the display takes nothing", |s| Some((s.min(10), true)), false),
        ];
        for (case, beats, want) in cases {
            let (last, silence) = lives(beats);
            assert!(silence <= ALIVE_EVERY.as_secs(), "case {case:?}: silent for {silence} s");
            let limit = HUNG_AFTER.as_secs() + 10;
            let ok = if want { last >= 398 } else { last <= limit };
            assert!(ok, "case {case:?}: last heard at {last} s");
        }
    }

    proptest! {
        /// Whatever comes in whatever order: it is alive exactly while there is no stage, or one that
        /// has proved its life, or come, no longer ago than the limit; and says so in time.
        #[test]
        fn it_says_that_it_lives_while_it_does(
            steps in prop::collection::vec((0_u64..200, 0_u8..6, any::<bool>()), 1..60)
        ) {
            let mut health = Health::new(Mono(0));
            let (mut now, mut frames, mut proof) = (0, 0, None);
            prop_assert!(health.says_alive(Mono(0)), "at the start");
            for (wait_s, step, moving) in steps {
                let end = now + wait_s * S;
                while let Some(at) = health.deadline().filter(|at| at.0 <= end) {
                    now = now.max(at.0);
                    let hangs = proof.is_some_and(|at| now - at > 75 * S);
                    prop_assert_eq!(health.says_alive(Mono(now)), !hangs, "at {} ns", now);
                    prop_assert!(health.deadline().is_none_or(|next| next.0 == now + 5 * S));
                    prop_assert_eq!(health.deadline().is_none(), hangs);
                }
                now = end;
                match step {
                    0 => {
                        health.up(hello(), Mono(now));
                        (proof, frames) = (Some(now), 0);
                    }
                    1 => {
                        health.down("gone".into(), Mono(now));
                        proof = None;
                    }
                    _ => {
                        let more = u64::from(step) / 3;
                        frames += more;
                        health.beat(beat(Mono(now), (frames, moving)), Mono(now));
                        let proves = proof.is_some() && (more > 0 || !moving);
                        proof = if proves { Some(now) } else { proof };
                    }
                }
                // As after every event.
                let hung = health.deadline().is_none();
                let hangs = proof.is_some_and(|at| now - at > 75 * S);
                prop_assert!(!hung || health.says_alive(Mono(now)) != hangs);
            }
        }
    }
}
