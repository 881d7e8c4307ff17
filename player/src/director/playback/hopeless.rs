//! A generation of which nothing can be shown: back to the one before it.

use super::Playback;

impl Playback {
    /// The version that is to be given up, said once: it is live and whole, all that was
    /// tried has failed, nothing of it was ever shown, and something of another one was. Where
    /// that one fails as well, the device is at fault and not the content: it goes no further back.
    pub fn hopeless(&mut self) -> Option<u64> {
        let live = self.live.as_ref()?;
        let version = live.manifest.version;
        let tried = live.missing.is_empty() && self.failures.any();
        let another_was_shown = self.shown_of.is_some_and(|shown| shown != version);
        let first_time = self.given_up != Some(version);
        if self.needs_card() && tried && another_was_shown && first_time {
            self.given_up = Some(version);
            return Some(version);
        }
        None
    }
}
