//! What a source does when its worker fails it: hardware is left for software, once, wherever in the
//! file that happens; what breaks off in software is over.
//!
//! In:  what went wrong, and what has been shown by then.
//! Out: another worker on the same file, told where to go on, or the end.
//!
//! Not here: what makes it go on there (`worker::resume`).

use std::time::Duration;

use vitrine_config::time::Mono;

use super::{Opened, VideoSource, job};
use crate::scene::AudioOut;
use crate::worker::link::Link;
use crate::worker::protocol::{Command, Medium};

/// From a worker's word to be silent until it is, at most: what is on its way to the ears, and the
/// ramp. Closed before that, it would end in a click.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What was before the worker at work.
#[derive(Debug, Default)]
pub(super) struct Before {
    software: bool,
    /// Frame memories up to this number are of earlier workers.
    memories: u32,
    /// A worker that is on its way out.
    leaving: Option<Leaving<Link>>,
}

/// Who goes when somebody has followed him, and not before his sound has ended without a click.
#[derive(Debug)]
struct Leaving<T> {
    who: T,
    since: Mono,
    followed: bool,
}

impl<T> Leaving<T> {
    fn may_go(&self, now: Mono) -> bool {
        self.followed && now.since(self.since) >= LAST_WORDS
    }
}

impl Before {
    /// Whether hardware was left already.
    pub(super) fn is_software(&self) -> bool {
        self.software
    }

    /// The number here of what the worker at work calls `generation`.
    pub(super) fn numbered(&self, generation: u32) -> u32 {
        generation.wrapping_add(self.memories)
    }

    /// What the worker at work calls it; None: it is not one of its own.
    pub(super) fn own(&self, number: u32) -> Option<u32> {
        number.checked_sub(self.memories).filter(|own| *own > 0)
    }

    /// Since when the first frame is awaited of a worker that took another one's place.
    pub(super) fn awaited_since(&self) -> Option<Mono> {
        self.leaving.as_ref().filter(|leaving| !leaving.followed).map(|leaving| leaving.since)
    }

    /// The worker at work has a frame.
    pub(super) fn has_followed(&mut self) {
        self.leaving.iter_mut().for_each(|leaving| leaving.followed = true);
    }

    /// Lets go of the worker that was before, if it is time for that.
    pub(super) fn see_off(&mut self, now: Mono) {
        if let Some(leaving) = self.leaving.take_if(|leaving| leaving.may_go(now)) {
            leaving.who.close();
        }
    }

    /// Lets go of it whatever it has to say.
    pub(super) fn close(&mut self) {
        if let Some(leaving) = self.leaving.take() {
            leaving.who.close();
        }
    }
}

impl VideoSource {
    /// The last frame has come, sooner than it should have.
    pub(super) fn break_off(&mut self, at_ns: u64, text: &str) {
        if self.leave_hardware(text) {
            return;
        }
        self.timeline.end(at_ns);
        if self.supply.breaks_off(&self.spec.path) {
            let path = self.spec.path.display();
            self.broke_off = Some(format!("{path}: {text}; it ended there"));
        }
    }

    /// A film that fails in software before its first frame gets another worker, once: what goes wrong
    /// between GStreamer's threads mostly goes right the next time.
    pub(super) fn try_once_more(&mut self, text: &str) -> bool {
        let unseen = self.timeline.front().is_none() && self.hardware.is_none();
        if !unseen || self.medium != Medium::Video || self.watch.rebuilt {
            return false;
        }
        tracing::warn!(path = %self.spec.path.display(), text, "another worker");
        self.watch.rebuilt = true;
        self.begin_anew();
        true
    }

    /// What fails in hardware is decoded in software from now on: from its beginning if nothing was
    /// seen of it, else from where it came to.
    pub(super) fn leave_hardware(&mut self, text: &str) -> bool {
        let Some(decoder) = self.hardware.take() else { return false };
        self.supply.distrust(&self.spec.path);
        self.before.software = true;
        let how = match self.timeline.front() {
            None => {
                self.begin_anew();
                "decoded in software instead"
            }
            // All is here.
            Some(_) if self.timeline.is_whole() => return false,
            Some(_) => {
                self.go_on();
                "it went on in software from there"
            }
        };
        self.mended = Some(format!("{}: {decoder}: {text}; {how}", self.spec.path.display()));
        true
    }

    /// Another worker, before the first frame.
    pub(super) fn begin_anew(&mut self) {
        self.link.close();
        let software = self.supply.distrusts(&self.spec.path);
        self.lends &= self.supply.zero_copy().may_lend();
        self.keeps = false;
        let how = (software, self.lends);
        let job = job(&self.spec, self.medium, self.held.clone(), how);
        self.link = Link::open(job, self.supply.clone(), self.waker.clone());
        self.memories.clear();
        self.loans.clear();
        self.watch.opened = Opened::NotYet;
    }

    /// Another worker, behind what is here. What it has too late is passed over.
    fn go_on(&mut self) {
        let now = self.watch.now;
        self.lends = false;
        let how = (true, self.lends);
        let mut job = job(&self.spec, self.medium, self.held.clone(), how);
        if let Command::Open { from_ns, audio, .. } = &mut job.open {
            *from_ns = self.timeline.reached_ns(now);
            if self.hushed {
                *audio = AudioOut::None;
            }
        }
        let link = Link::open(job, self.supply.clone(), self.waker.clone());
        if let Some(at) = self.timeline.started() {
            // There is no worker yet: it is kept for it.
            let _ = link.start(Command::Start { at });
        }
        let old = std::mem::replace(&mut self.link, link);
        // One that is dead or does not listen is silent.
        let _ = old.send(&Command::Hush);
        self.before.close();
        self.before.leaving = Some(Leaving { who: old, since: now, followed: false });
        self.before.memories = self.memories.iter().map(|(number, _)| *number).max().unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_hushed_stays_until_he_is_followed_and_silent() {
        let since = Mono(7_000_000_000);
        let soon = since.after(Duration::from_millis(40));
        let late = since.after(LAST_WORDS);
        let mut leaving = Leaving { who: (), since, followed: false };
        assert!(!leaving.may_go(late), "nobody has followed");
        leaving.followed = true;
        assert!(!leaving.may_go(soon), "it would be heard");
        assert!(leaving.may_go(late));
    }
}
