//! Any order of requests, with the process or the database lost in between, against a model that
//! fits on a page.

use std::fs;

use proptest::prelude::*;
use tempfile::tempdir;
use vitrine_config::limits::GENERATIONS_KEPT;
use vitrine_wire::Digest;

use super::*;

/// Small, so that it is reached.
const MOST: usize = 6;

#[derive(Debug, Clone)]
enum Op {
    Keep { version: u64 },
    GoLive { version: u64 },
    RollBack { version: u64 },
    Orders { version: u64 },
    Discard { version: u64 },
    Append { proofs: usize, faults: usize },
    Acknowledge { most: usize },
    Begin { order: u8 },
    End { order: u8 },
    Note { second: i64 },
    Reopen { clean: bool },
    LoseDatabase,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1..12u64).prop_map(|version| Op::Keep { version }),
        4 => (1..12u64).prop_map(|version| Op::GoLive { version }),
        2 => (1..12u64).prop_map(|version| Op::RollBack { version }),
        1 => (1..12u64).prop_map(|version| Op::Orders { version }),
        1 => (1..12u64).prop_map(|version| Op::Discard { version }),
        3 => (0..3usize, 0..3usize).prop_map(|(proofs, faults)| Op::Append { proofs, faults }),
        2 => (0..4usize).prop_map(|most| Op::Acknowledge { most }),
        2 => (0..4u8).prop_map(|order| Op::Begin { order }),
        1 => (0..4u8).prop_map(|order| Op::End { order }),
        1 => (0..9i64).prop_map(|second| Op::Note { second }),
        2 => any::<bool>().prop_map(|clean| Op::Reopen { clean }),
        1 => Just(Op::LoseDatabase),
    ]
}

#[derive(Debug, Default)]
struct Model {
    pending: Option<u64>,
    /// The last one is live.
    lives: Vec<u64>,
    highest: u64,
    turned_down: Option<u64>,
    /// Version, and whether it is lost which of them were begun.
    orders: (u64, bool),
    /// Id, and whether it is a proof of play.
    outbox: Vec<(String, bool)>,
    /// Order, and whether it has ended.
    begun: Vec<(u8, bool)>,
    latest: Option<i64>,
    made: usize,
}

impl Model {
    fn keep(&mut self, version: u64) -> bool {
        let ok = version >= self.highest && self.lives.last().is_none_or(|live| version > *live);
        if ok {
            self.lives.retain(|v| *v != version);
            (self.pending, self.highest) = (Some(version), version);
        }
        ok
    }

    fn go_live(&mut self, version: u64) -> bool {
        let known = self.pending == Some(version) || self.lives.contains(&version);
        if known && self.lives.last() != Some(&version) {
            self.lives.retain(|v| *v != version);
            self.lives.push(version);
            self.pending = self.pending.filter(|v| *v != version);
            self.prune();
        }
        known
    }

    fn prune(&mut self) {
        let surplus = self.lives.len().saturating_sub(1 + GENERATIONS_KEPT);
        self.lives.drain(..surplus);
        let latest = self.lives.iter().max().copied();
        self.pending = self.pending.filter(|v| latest.is_none_or(|latest| *v > latest));
    }

    fn discard(&mut self, version: u64) {
        self.pending = self.pending.filter(|v| *v != version);
        self.lives.retain(|v| *v != version);
    }

    fn append(&mut self, records: &[Record], proofs: usize) -> usize {
        let new = records.iter().enumerate().map(|(n, r)| (r.id.clone(), n < proofs));
        self.outbox.extend(new);
        let surplus = self.outbox.len().saturating_sub(MOST);
        for _ in 0..surplus {
            let first = self.outbox.iter().position(|(_, droppable)| *droppable).unwrap_or(0);
            self.outbox.remove(first);
        }
        surplus
    }

    /// The files know the versions, the live one and the highest; what went live in which order
    /// they do not.
    fn lose_database(&mut self) {
        let live = self.lives.last().copied();
        let mut files: Vec<u64> = self.lives.drain(..).chain(self.pending.take()).collect();
        files.sort_unstable();
        let latest = files.last().copied();
        let was_live = |v: u64| live.map_or(Some(v) != latest, |live| v <= live);
        self.lives = files.iter().copied().filter(|v| was_live(*v)).collect();
        self.pending = files.iter().copied().rfind(|v| !was_live(*v));
        self.prune();
        (self.outbox, self.begun, self.latest) = Default::default();
        self.orders.1 = self.orders.0 > 0;
    }
}

fn new_records(model: &mut Model, proofs: usize, faults: usize) -> Vec<Record> {
    let first = model.made;
    model.made += proofs + faults;
    let id = |n: usize| format!("{:032x}", first + n);
    let one = |n: usize| if n < proofs { proof(&id(n)) } else { fault(&id(n)) };
    (0..proofs + faults).map(one).collect()
}

fn apply(store: &mut Store, model: &mut Model, op: &Op) {
    match *op {
        Op::Keep { version } => {
            let kept = store.keep_pending(version, &envelope(version), at(3));
            assert_eq!(kept.is_ok(), model.keep(version));
        }
        Op::GoLive { version } => {
            let gone = model.go_live(version);
            model.turned_down = model.turned_down.filter(|_| !gone);
            assert_eq!(store.go_live(version).is_ok(), gone);
        }
        Op::RollBack { version } => {
            let gone = model.go_live(version);
            model.turned_down = if gone { Some(version) } else { model.turned_down };
            let down = Some(Digest::of(&envelope(version)));
            assert_eq!(store.roll_back(version, down).is_ok(), gone);
        }
        Op::Orders { version } => {
            store.note_orders(version).unwrap();
            if version > model.orders.0 {
                model.orders = (version, false);
            }
        }
        Op::Discard { version } => {
            store.discard(version).unwrap();
            model.discard(version);
        }
        Op::Append { proofs, faults } => {
            let records = new_records(model, proofs, faults);
            assert_eq!(store.append_records(&records).unwrap(), model.append(&records, proofs));
        }
        Op::Acknowledge { most } => {
            let ids: Vec<_> = model.outbox.iter().take(most).map(|(id, _)| id.clone()).collect();
            store.acknowledge(&ids).unwrap();
            model.outbox.drain(..ids.len());
        }
        Op::Begin { order } => {
            let new = model.begun.iter().all(|(o, _)| *o != order);
            assert_eq!(store.begin_order(&order.to_string()).unwrap(), new);
            model.begun.extend(new.then_some((order, false)));
        }
        Op::End { order } => end(store, model, order),
        Op::Note { second } => {
            store.note_time(at(second)).unwrap();
            model.latest = model.latest.max(Some(second));
        }
        Op::Reopen { .. } | Op::LoseDatabase => unreachable!("done by the caller"),
    }
}

fn end(store: &mut Store, model: &mut Model, order: u8) {
    let result = new_records(model, 0, 1);
    let dropped = store.end_order(&order.to_string(), &result[0]).unwrap();
    assert_eq!(dropped, model.append(&result, 0));
    match model.begun.iter_mut().find(|(o, _)| *o == order) {
        Some((_, ended)) => *ended = true,
        None => model.begun.push((order, true)),
    }
}

fn compare(store: &mut Store, model: &Model) {
    let version = |g: Option<crate::store::Generation>| {
        g.map(|g| {
            assert_eq!(g.envelope, envelope(g.version));
            g.version
        })
    };
    assert_eq!(version(store.pending().unwrap()), model.pending, "pending");
    assert_eq!(version(store.live().unwrap()), model.lives.last().copied(), "live");
    let previous = model.lives.iter().rev().nth(1).copied();
    assert_eq!(version(store.previous().unwrap()), previous, "previous");
    assert_eq!(store.highest_version().unwrap(), model.highest, "highest");
    let down = model.turned_down.map(|version| Digest::of(&envelope(version)));
    assert_eq!(store.turned_down().unwrap(), down, "turned down");
    let (orders, unknown) = model.orders;
    assert_eq!(store.orders_least().unwrap(), orders + u64::from(unknown), "orders");
    let outbox: Vec<_> = model.outbox.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids(&store.oldest_records(99).unwrap()), outbox, "outbox");
    assert_eq!(store.outbox_len().unwrap(), outbox.len());
    let open = model.begun.iter().filter(|(_, ended)| !ended).map(|(o, _)| o.to_string());
    assert_eq!(store.begun_but_not_ended().unwrap(), open.collect::<Vec<_>>(), "orders");
    assert_eq!(store.latest_time().unwrap(), model.latest.map(at), "time");
}

fn reopen(store: Store, dir: &Path, model: &mut Model, op: &Op) -> Store {
    match op {
        Op::Reopen { clean: true } => store.close().unwrap(),
        _ => drop(store),
    }
    if matches!(op, Op::LoseDatabase) {
        fs::remove_file(dir.join("store.db")).unwrap();
        model.lose_database();
    }
    let (mut store, opened) = open(dir);
    assert_eq!(opened.unclean, matches!(op, Op::Reopen { clean: false }));
    store.outbox_most = MOST;
    store
}

proptest! {
    // Each case is some thirty commits, each of them flushed.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_order_of_requests_agrees_with_the_model(ops in prop::collection::vec(op(), 1..48)) {
        let dir = tempdir().unwrap();
        let (mut store, _) = open(dir.path());
        store.outbox_most = MOST;
        let mut model = Model::default();
        for op in &ops {
            match op {
                Op::Reopen { .. } | Op::LoseDatabase => {
                    store = reopen(store, dir.path(), &mut model, op);
                }
                _ => apply(&mut store, &mut model, op),
            }
            compare(&mut store, &model);
        }
    }
}

#[test]
fn the_comparison_finds_a_store_that_forgets() {
    let dir = tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let mut model = Model::default();
    let ops = [Op::Append { proofs: 1, faults: 1 }, Op::Keep { version: 3 }];
    ops.iter().for_each(|op| apply(&mut store, &mut model, op));
    compare(&mut store, &model);
    store
        .write("forget", |all| Ok(all.execute("DELETE FROM record WHERE seq = 1", ())))
        .unwrap()
        .unwrap();
    let found =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| compare(&mut store, &model)));
    assert!(found.is_err());
}
