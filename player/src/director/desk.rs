//! What was asked for once and is not done yet: screenshots, and the name on the screen.

use std::collections::BTreeMap;
use std::time::Duration;

use vitrine_config::time::Mono;
use vitrine_render::scene::Turn;

/// How long *identify* stays on the screen: a walk from one screen to the next.
const IDENTIFY_FOR: Duration = Duration::from_secs(10);
/// A stage that has not answered by now will not.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Screenshots under way at a time; each holds a picture in memory when it comes.
const SNAPSHOTS_MAX: usize = 8;
/// Orders that one showing of the name answers.
const IDENTIFY_ORDERS_MAX: usize = 32;

/// Who wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// A person at the local API, by number of the question.
    Person(u64),
    /// The cloud, by id of the order.
    Order(String),
}

#[derive(Debug)]
struct Snapshot {
    asker: Asker,
    until: Mono,
}

/// The name on the screen.
#[derive(Debug)]
pub struct Badge {
    /// Its number.
    pub turn: Turn,
    asked_at: Mono,
    shown_at: Option<Mono>,
    orders: Vec<String>,
}

impl Badge {
    fn until(&self) -> Mono {
        match self.shown_at {
            Some(at) => at.after(IDENTIFY_FOR),
            None => self.asked_at.after(IDENTIFY_FOR).after(ANSWER_WITHIN),
        }
    }
}

/// What was asked for once and is not done yet.
#[derive(Debug, Default)]
pub struct Desk {
    snapshots: BTreeMap<u64, Snapshot>,
    last_id: u64,
    badge: Option<Badge>,
}

impl Desk {
    /// Notes that `asker` wants a picture; the number to ask the stage with, None if too many are
    /// under way.
    pub fn want_snapshot(&mut self, asker: Asker, now: Mono) -> Option<u64> {
        if self.snapshots.len() >= SNAPSHOTS_MAX {
            return None;
        }
        self.last_id += 1;
        self.snapshots.insert(self.last_id, Snapshot { asker, until: now.after(ANSWER_WITHIN) });
        Some(self.last_id)
    }

    /// Who wanted picture `id`, once.
    pub fn take_snapshot(&mut self, id: u64) -> Option<Asker> {
        self.snapshots.remove(&id).map(|snapshot| snapshot.asker)
    }

    /// Who waited too long; everybody if there is nobody to answer.
    pub fn give_up_snapshots(&mut self, now: Mono, all: bool) -> Vec<Asker> {
        let late = |_: &u64, snapshot: &mut Snapshot| all || snapshot.until <= now;
        self.snapshots.extract_if(.., late).map(|(_, snapshot)| snapshot.asker).collect()
    }

    /// Puts the name on the screen under `turn`, or leaves it there longer. False if too many
    /// orders wait for it.
    pub fn identify(&mut self, turn: Turn, order: Option<String>, now: Mono) -> bool {
        let fresh = || Badge { turn, asked_at: now, shown_at: None, orders: Vec::new() };
        let badge = self.badge.get_or_insert_with(fresh);
        badge.asked_at = now;
        badge.shown_at = badge.shown_at.map(|_| now);
        let room = badge.orders.len() < IDENTIFY_ORDERS_MAX;
        badge.orders.extend(order.filter(|_| room));
        room
    }

    /// The name on the screen.
    pub fn badge(&self) -> Option<&Badge> {
        self.badge.as_ref()
    }

    /// A stage has come: the name goes on under a number that it does not know.
    pub fn renumber(&mut self, turn: impl FnOnce() -> Turn) {
        if let Some(badge) = &mut self.badge {
            badge.turn = turn();
        }
    }

    /// `turn` is on the screen.
    pub fn shown(&mut self, turn: Turn, at: Mono) {
        if let Some(badge) = self.badge.as_mut().filter(|badge| badge.turn == turn) {
            badge.shown_at.get_or_insert(at);
        }
    }

    /// Takes the name off the screen if its time is up: the orders that asked for it, and whether
    /// it ever came on.
    pub fn finish_badge(&mut self, now: Mono) -> Option<(Vec<String>, bool)> {
        let over = self.badge.take_if(|badge| badge.until() <= now)?;
        Some((over.orders, over.shown_at.is_some()))
    }

    /// When something here is over.
    pub fn deadline(&self) -> Option<Mono> {
        let snapshots = self.snapshots.values().map(|snapshot| snapshot.until);
        snapshots.chain(self.badge.as_ref().map(Badge::until)).min()
    }
}
