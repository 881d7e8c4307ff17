//! Whose the link is, when more than one stage wants it: the later one's, once and for all.
//!
//! In:  who connects, and how it stands with the stage that is there.
//! Out: an [`Answer`].
//!
//! A stage that was relieved by another one tries again five times a second, because it cannot know why
//! its link broke. Taken in, it would be the later one, and so on without end. It is let in again when
//! the one that relieved it is gone; when that one shows something, it is not needed any more.

use std::collections::VecDeque;

/// Stages that one other has relieved, directly or not. More than two are hardly ever there at once.
const REMEMBERED: usize = 8;

/// What a stage that connects is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The link is its own.
    Come,
    /// Not now: perhaps it will be needed.
    Later,
    /// That one has taken its place: end.
    End { by: u32 },
}

/// The stage on the link, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Holder {
    /// Process id.
    pub pid: u32,
    /// It has something on the screen.
    pub shows: bool,
}

/// Who was relieved by the stage on the link.
#[derive(Debug, Default)]
pub(super) struct Place {
    relieved: VecDeque<u32>,
}

impl Place {
    /// Somebody connects. `holder`: who is on the link and has not hung up. Process ids that the system
    /// does not know are zero: those are always taken in.
    pub fn comes(&mut self, pid: u32, holder: Option<Holder>) -> Answer {
        let Some(holder) = holder else {
            self.relieved.clear();
            return Answer::Come;
        };
        if pid == holder.pid || pid == 0 || holder.pid == 0 {
            return Answer::Come;
        }
        if self.relieved.contains(&pid) {
            return if holder.shows { Answer::End { by: holder.pid } } else { Answer::Later };
        }
        self.relieved.truncate(REMEMBERED - 1);
        self.relieved.push_front(holder.pid);
        Answer::Come
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: u32 = 10;
    const NEW: u32 = 11;

    fn on(pid: u32, shows: bool) -> Option<Holder> {
        Some(Holder { pid, shows })
    }

    #[test]
    fn the_later_one_has_it_for_good() {
        let mut place = Place::default();
        for (case, comes, holder, want) in [
            ("the first", OLD, None, Answer::Come),
            ("the first, whose link broke", OLD, on(OLD, true), Answer::Come),
            ("another one", NEW, on(OLD, true), Answer::Come),
            ("the first again, too early", OLD, on(NEW, false), Answer::Later),
            ("the other one, whose link broke", NEW, on(NEW, false), Answer::Come),
            ("the first again", OLD, on(NEW, true), Answer::End { by: NEW }),
            ("it does not hear", OLD, on(NEW, true), Answer::End { by: NEW }),
            ("a third", 12, on(NEW, true), Answer::Come),
            ("the first, to the third", OLD, on(12, true), Answer::End { by: 12 }),
            ("the second, to the third", NEW, on(12, true), Answer::End { by: 12 }),
            ("the first, and the third is gone", OLD, None, Answer::Come),
            ("the second, which is later now", NEW, on(OLD, true), Answer::Come),
            ("one of which nothing is known", 0, on(NEW, true), Answer::Come),
        ] {
            assert_eq!(place.comes(comes, holder), want, "case {case:?}");
        }
    }

    #[test]
    fn an_heir_that_fails_leaves_the_link_to_the_one_before() {
        let mut place = Place::default();
        place.comes(OLD, None);
        place.comes(NEW, on(OLD, true));
        assert_eq!(place.comes(OLD, None), Answer::Come);
        assert_eq!(place.comes(NEW, on(OLD, true)), Answer::Come, "its next try");
    }

    /// However many there are and however often they try, all but the last end, and that one keeps it.
    #[test]
    fn a_quarrel_ends() {
        let mut place = Place::default();
        let mut alive: Vec<u32> = (1..=6).collect();
        let mut holder = None;
        for round in 0..10 {
            let trying = alive.clone();
            for pid in trying {
                if holder == Some(pid) {
                    continue;
                }
                match place.comes(pid, holder.map(|pid| Holder { pid, shows: round > 0 })) {
                    Answer::Come => holder = Some(pid),
                    Answer::Later => {}
                    Answer::End { by } => {
                        assert_eq!(Some(by), holder);
                        alive.retain(|one| *one != pid);
                    }
                }
            }
        }
        assert_eq!((alive, holder), (vec![6], Some(6)));
    }
}
