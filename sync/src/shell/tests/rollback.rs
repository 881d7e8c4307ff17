//! The way back, by a person and by an order, and how long it holds.

use super::*;
use crate::Asker;

impl Bench {
    pub(super) async fn roll_back(&mut self) -> Result<u64, String> {
        self.shell.requested(vec![Request::Rollback(Asker::Person(7))]).await;
        let events = self.events.lock().unwrap();
        let answer = events.iter().rev().find_map(|(_, event)| match event {
            Event::RolledBack { ask: 7, result } => Some(result.clone()),
            _ => None,
        });
        answer.unwrap()
    }

    /// Lets time pass with a player that does every order to roll back.
    async fn pass_obediently(&mut self, time: Duration) {
        for _ in 0..3 {
            self.pass(time / 3).await;
            for id in self.ordered() {
                self.shell.requested(vec![Request::Rollback(Asker::Order(id))]).await;
            }
        }
    }

    /// Ids of the orders that the player was given since it was asked last.
    pub(super) fn ordered(&self) -> Vec<String> {
        let mut events = self.events.lock().unwrap();
        let mut ids = Vec::new();
        events.retain(|(_, event)| match event {
            Event::Order(order) => {
                ids.push(order.id.clone());
                false
            }
            _ => true,
        });
        ids
    }

    /// Publishes a picture and lets it go live.
    async fn shows(&mut self, version: u64, file: &'static [u8]) {
        self.serve(file);
        self.cloud.publish(&manifest(version, &[file]));
        self.pass(Duration::from_secs(90)).await;
        assert_eq!(self.plays(), version);
    }
}

#[tokio::test]
async fn a_rollback_is_instant_and_lasts_until_there_is_something_else() {
    let mut bench = bench(Duration::ZERO).await;
    bench.serve(b"one");
    bench.serve(b"two");
    assert!(bench.roll_back().await.unwrap_err().contains("nothing is live"));
    bench.cloud.publish(&manifest(1, &[b"one"]));
    bench.pass(Duration::from_secs(90)).await;
    assert!(bench.roll_back().await.unwrap_err().contains("before"));
    bench.cloud.publish(&manifest(2, &[b"two"]));
    bench.pass(Duration::from_secs(90)).await;
    bench.cloud.0.dead.store(true, Ordering::Relaxed);
    assert_eq!((bench.plays(), bench.roll_back().await, bench.plays()), (2, Ok(1), 1));
    bench.cloud.0.dead.store(false, Ordering::Relaxed);
    bench.pass(HOUR).await;
    assert_eq!(bench.plays(), 1, "the cloud still has version 2");
    let mut bench = bench.restart().await;
    bench.pass(HOUR).await;
    assert_eq!(bench.plays(), 1, "after a restart");
    assert_eq!((bench.roll_back().await, bench.plays()), (Ok(2), 2));
    assert_eq!((bench.roll_back().await, bench.plays()), (Ok(1), 1));
    bench.cloud.publish(&manifest(3, &[]));
    bench.pass(HOUR).await;
    assert_eq!(bench.plays(), 3);
    assert_eq!(bench.faults().iter().filter(|code| *code == "rolled_back").count(), 3);
}

#[tokio::test]
async fn a_rollback_to_files_that_are_gone_leaves_the_picture_alone() {
    let mut bench = bench(Duration::ZERO).await;
    bench.serve(b"one");
    bench.serve(b"two");
    for (version, file) in [(1, b"one"), (2, b"two")] {
        bench.cloud.publish(&manifest(version, &[file]));
        bench.pass(Duration::from_secs(90)).await;
    }
    bench.shell.ways.cache.remove(&Digest::of(b"one")).unwrap();
    let why = bench.roll_back().await.unwrap_err();
    assert!(why.contains("nothing that version 1 shows"), "{why}");
    assert_eq!(bench.plays(), 2);
}

#[tokio::test]
async fn a_rollback_by_order_holds_until_other_content_is_published() {
    let mut bench = bench(Duration::ZERO).await;
    bench.shows(1, b"one").await;
    bench.shows(2, b"two").await;
    bench.cloud.order(&orders::of(3, &[("back", "rollback")]));
    bench.pass_obediently(HOUR).await;
    assert_eq!(bench.plays(), 1, "the order is done");
    bench.pass_obediently(HOUR * 3).await;
    assert_eq!(bench.plays(), 1, "through polls");
    let mut bench = bench.restart().await;
    bench.pass_obediently(HOUR).await;
    assert_eq!(bench.plays(), 1, "through a restart");
    bench.cloud.order(&orders::of(4, &[("back", "rollback"), ("who", "identify")]));
    bench.pass(HOUR).await;
    assert_eq!((bench.ordered(), bench.plays()), (vec!["who".into()], 1), "through other orders");
    // The same content in a newer manifest: a key that was replaced, an end that was put off.
    let mut again = manifest(5, &[b"two"]);
    again["not_after"] = json!("2030-01-01T00:00:00Z");
    bench.cloud.publish(&again);
    bench.pass(HOUR * 5).await;
    assert_eq!(bench.plays(), 1, "through newer manifests");
    let mut bench = bench.restart().await;
    bench.pass(HOUR * 5).await;
    assert_eq!(bench.plays(), 1, "and a restart after that");
    assert_eq!(bench.shell.content.seen.map(|seen| seen.version), Some(5));
    bench.shows(6, b"six").await;
    // It does not hold beyond that.
    bench.cloud.publish(&manifest(7, &[b"two"]));
    bench.pass(HOUR).await;
    assert_eq!(bench.plays(), 7, "what was turned down once may come again");
}

#[tokio::test]
async fn who_goes_back_to_what_was_turned_down_gets_it_and_what_comes_after() {
    let mut bench = bench(Duration::ZERO).await;
    bench.shows(1, b"one").await;
    bench.shows(2, b"two").await;
    assert_eq!(bench.roll_back().await, Ok(1));
    bench.cloud.publish(&manifest(3, &[b"two"]));
    bench.pass(HOUR).await;
    assert_eq!((bench.plays(), bench.roll_back().await), (1, Ok(2)));
    bench.pass(HOUR).await;
    assert_eq!(bench.plays(), 3, "nothing is turned down any more");
    bench.cloud.publish(&manifest(4, &[b"one"]));
    bench.pass(HOUR).await;
    assert_eq!(bench.plays(), 4);
}

#[tokio::test]
async fn a_rollback_outlives_its_database() {
    let mut bench = bench(Duration::ZERO).await;
    bench.shows(1, b"one").await;
    bench.shows(2, b"two").await;
    assert_eq!(bench.roll_back().await, Ok(1));
    let mut bench = bench.restart_after(lose_database).await;
    assert_eq!(bench.plays(), 1);
    bench.pass(HOUR * 5).await;
    assert_eq!(bench.plays(), 1, "version 2 lies there as if it were to come");
    bench.shows(3, b"six").await;
}
