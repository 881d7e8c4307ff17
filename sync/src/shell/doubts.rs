//! Which record it is that the cloud does not take, and whether that is the record's fault.
//!
//! In:  what was sent, whether it was taken.
//! Out: what to send next, and which records are to be set aside.
//!
//! A batch that is refused is halved until one record is left; that one is held back, and the next
//! are tried without it. Once the cloud takes another, it is proved to be the record; if it takes none,
//! the cloud is at fault, and nothing is set aside.
//!
//! Promises: `one_bad_record_is_found_and_the_others_go_on`, `a_cloud_that_takes_nothing_costs_nothing`.
//!
//! Not here: sending (`outbox`), what becomes of what is set aside (`store`).

use std::collections::{BTreeMap, BTreeSet};

use vitrine_wire::record::{BATCH_MAX, Body, Record};

/// Records held back in haste; when the cloud refuses more in a row, it may not be they, and the next
/// ones are tried at the pace of the back-off.
const HELD_BACK: usize = 8;
/// Records held back in all: then the first ones are tried again.
const HELD_BACK_MAX: usize = 200;
/// Code of the fault that tells of a record set aside. One that is refused itself is not told of
/// again: that would have no end.
pub(super) const REFUSED: &str = "record_refused";

/// One record of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) id: String,
    /// Whether it tells of another that was set aside.
    complains: bool,
}

impl Tag {
    pub(super) fn of(record: &Record) -> Tag {
        let complains = matches!(&record.body, Body::Fault(fault) if fault.code == REFUSED);
        Tag { id: record.id.clone(), complains }
    }
}

/// A record that is at fault.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Guilty {
    pub(super) id: String,
    /// What the cloud said; None: nobody is to be told.
    pub(super) why: Option<String>,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    most: Option<usize>,
    held_back: BTreeMap<String, Option<String>>,
}

impl Doubts {
    /// Records in the next batch.
    pub(super) fn most(&self) -> usize {
        self.most.unwrap_or(BATCH_MAX)
    }

    /// Not to be sent while there are others.
    pub(super) fn held_back(&self) -> BTreeSet<String> {
        self.held_back.keys().cloned().collect()
    }

    /// The cloud has taken something of `sent`. Returns what is to be set aside.
    pub(super) fn taken(&mut self, sent: &[Tag]) -> Vec<Guilty> {
        self.most = None;
        let held_back = std::mem::take(&mut self.held_back).into_iter();
        let others = held_back.filter(|(id, _)| sent.iter().all(|tag| tag.id != *id));
        others.map(|(id, why)| Guilty { id, why }).collect()
    }

    /// The cloud has refused `sent`, all of it. True: worth another try at once, with less or with
    /// others. False: there is nothing more to find out.
    pub(super) fn refused(&mut self, sent: &[Tag], why: &str) -> bool {
        let [one] = sent else {
            self.most = Some((sent.len() / 2).max(1));
            return true;
        };
        self.most = Some(1);
        let why = (!one.complains).then(|| why.to_owned());
        if self.held_back.insert(one.id.clone(), why).is_some() {
            return false;
        }
        if self.held_back.len() > HELD_BACK_MAX {
            self.held_back.clear();
        }
        self.held_back.len() <= HELD_BACK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cloud that refuses whatever has one of `bad` in it. Returns what it took, what was set
    /// aside, and how many batches that needed; ends when there is nothing to send or to learn.
    fn send_all(mut outbox: Vec<u32>, bad: &[u32]) -> (Vec<u32>, Vec<u32>, usize) {
        let (mut doubts, mut took, mut aside) = (Doubts::default(), Vec::new(), Vec::new());
        for batches in 0.. {
            let held_back = doubts.held_back();
            let name = |n: &u32| n.to_string();
            let free = outbox.iter().filter(|n| !held_back.contains(&name(n)));
            let mut batch: Vec<u32> = free.take(doubts.most()).copied().collect();
            if batch.is_empty() {
                batch = outbox.iter().take(doubts.most()).copied().collect();
            }
            let sent: Vec<Tag> =
                batch.iter().map(|n| Tag { id: name(n), complains: false }).collect();
            if sent.is_empty() {
                return (took, aside, batches);
            }
            if batch.iter().any(|n| bad.contains(n)) {
                if !doubts.refused(&sent, "no") {
                    return (took, aside, batches);
                }
                continue;
            }
            outbox.retain(|n| !batch.contains(n));
            took.extend(batch);
            for guilty in doubts.taken(&sent) {
                let n: u32 = guilty.id.parse().unwrap();
                outbox.retain(|other| *other != n);
                aside.push(n);
            }
        }
        unreachable!("batches are counted for ever")
    }

    #[test]
    fn one_bad_record_is_found_and_the_others_go_on() {
        for bad in [&[][..], &[0], &[399], &[150, 151, 380], &[0, 1, 2, 3, 4, 5, 6, 7]] {
            let (mut took, mut aside, batches) = send_all((0..400).collect(), bad);
            took.sort_unstable();
            aside.sort_unstable();
            let good: Vec<u32> = (0..400).filter(|n| !bad.contains(n)).collect();
            // The last one has no other beside it that would prove its guilt: it waits.
            let proved: Vec<u32> = bad.iter().copied().filter(|n| *n != 399).collect();
            assert_eq!((took, aside), (good, proved), "{bad:?}");
            assert!(batches < 60, "{bad:?}: {batches} batches");
        }
    }

    #[test]
    fn a_cloud_that_takes_nothing_costs_nothing() {
        let all: Vec<u32> = (0..400).collect();
        let (took, aside, batches) = send_all(all.clone(), &all);
        assert_eq!((took, aside), (vec![], vec![]));
        assert!(batches < 30, "{batches} batches");
    }

    #[test]
    fn a_complaint_about_a_complaint_is_not_made() {
        let mut doubts = Doubts::default();
        assert!(doubts.refused(&[Tag { id: "a".into(), complains: true }], "no"));
        let other = Tag { id: "b".into(), complains: false };
        assert_eq!(doubts.taken(&[other]), [Guilty { id: "a".into(), why: None }]);
    }
}
