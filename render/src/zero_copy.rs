//! Whether frames may stay where their decoder has put them, for the GPU to read them there.
//!
//! In:  what the probe of the GPU says, what became of frames.
//! Out: whether workers lend frames; a line for people.
//!
//! Once something went wrong, frames are copied for as long as this process lives.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One for all sources and GPUs of a process.
#[derive(Debug, Default)]
pub(crate) struct ZeroCopy {
    standing: Mutex<Standing>,
    news: AtomicU64,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum Standing {
    /// There is no GPU yet.
    #[default]
    Unknown,
    /// The GPU takes such memory, as far as its driver says.
    Able,
    /// A frame was read that way, and every sample was right.
    Proved(String),
    /// This GPU does not; another one may.
    Unable(String),
    /// It went wrong.
    Refused(String),
}

impl ZeroCopy {
    /// What the driver of the GPU in use says.
    pub(crate) fn probed(&self, able: Result<(), String>) {
        let mut standing = self.lock();
        if matches!(*standing, Standing::Refused(_)) {
            return;
        }
        *standing = match able {
            Ok(()) => Standing::Able,
            Err(why) => Standing::Unable(why),
        };
        self.news.fetch_add(1, Ordering::Relaxed);
    }

    /// Frames of this kind were seen to be read right.
    pub(crate) fn proved(&self, what: String) {
        let mut standing = self.lock();
        if matches!(*standing, Standing::Able) {
            tracing::info!(what, "frames are read where their decoder has put them");
            *standing = Standing::Proved(what);
            self.news.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// It went wrong: never again.
    pub(crate) fn refuse(&self, why: &str) {
        let mut standing = self.lock();
        if !matches!(*standing, Standing::Refused(_)) {
            tracing::warn!(why, "frames are copied from now on");
            *standing = Standing::Refused(why.to_owned());
            self.news.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The GPU was lost while frames may have been read that way: perhaps for it.
    pub(crate) fn lost(&self) {
        if matches!(*self.lock(), Standing::Proved(_)) {
            self.refuse("the GPU was lost while it read frames of a decoder");
        }
    }

    /// Whether a worker may lend frames. Before there is a GPU it may: what that one cannot take is
    /// read by the processor.
    pub(crate) fn may_lend(&self) -> bool {
        !matches!(*self.lock(), Standing::Unable(_) | Standing::Refused(_))
    }

    /// Rises whenever there is something else to say.
    pub(crate) fn news(&self) -> u64 {
        self.news.load(Ordering::Relaxed)
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        match &*self.lock() {
            Standing::Unknown => "unknown yet".to_owned(),
            Standing::Able => "possible, not used yet".to_owned(),
            Standing::Proved(what) => format!("yes, {what}"),
            Standing::Unable(why) => format!("no, {why}"),
            Standing::Refused(why) => format!("no more, {why}"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_once_is_not_tried_again() {
        let zero_copy = ZeroCopy::default();
        assert!(zero_copy.may_lend(), "the first film begins before there is a GPU");
        zero_copy.probed(Err("too old".to_owned()));
        assert_eq!((zero_copy.may_lend(), zero_copy.describe()), (false, "no, too old".to_owned()));
        zero_copy.probed(Ok(()));
        zero_copy.proved("NV12".to_owned());
        assert_eq!((zero_copy.may_lend(), zero_copy.describe()), (true, "yes, NV12".to_owned()));
        zero_copy.refuse("green");
        zero_copy.refuse("blue");
        zero_copy.probed(Ok(()));
        zero_copy.proved("NV12".to_owned());
        assert_eq!(
            (zero_copy.may_lend(), zero_copy.describe()),
            (false, "no more, green".to_owned())
        );
    }

    #[test]
    fn a_lost_gpu_is_held_against_it_only_if_it_was_in_use() {
        let zero_copy = ZeroCopy::default();
        zero_copy.probed(Ok(()));
        zero_copy.lost();
        assert!(zero_copy.may_lend());
        zero_copy.proved("NV12".to_owned());
        zero_copy.lost();
        assert!(!zero_copy.may_lend());
    }
}
