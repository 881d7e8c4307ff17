//! A push channel that works is all the connection there need be.

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A device whose channel has been open for a while.
async fn connected() -> Bench {
    let mut bench = bench(Duration::ZERO).await;
    bench.cloud.talks();
    bench.cloud.publish(&manifest(1, &[]));
    bench.pass(HOUR).await;
    assert_eq!((bench.plays(), bench.shell.push.is_open()), (1, true));
    bench
}

fn calls(bench: &Bench) -> [usize; 4] {
    ["token", "push", "manifest", "records"].map(|call| bench.cloud.times(call).len())
}

#[tokio::test]
async fn records_go_up_by_the_channel_and_cost_no_request() {
    let mut bench = connected().await;
    let before = calls(&bench)[3];
    for n in 0..450 {
        bench.keep_fault(&format!("f{n}")).await;
    }
    bench.pass(Duration::from_secs(10)).await;
    assert_eq!((bench.faults().len(), calls(&bench)[3]), (450, before));
    assert_eq!(bench.shell.ways.store.outbox_len().await.unwrap(), 0);
}

#[tokio::test]
async fn a_record_that_the_cloud_refuses_is_found_by_the_channel_too() {
    let mut bench = connected().await;
    bench.cloud.0.poison.lock().unwrap().push("bad");
    for code in ["a", "bad", "b"] {
        bench.keep_fault(code).await;
    }
    bench.pass(Duration::from_secs(120)).await;
    let mut faults = bench.faults();
    faults.sort();
    assert_eq!(faults, ["a", "b", doubts::REFUSED]);
}

#[tokio::test]
async fn a_cloud_that_does_not_answer_on_the_channel_gets_them_by_request() {
    let mut bench = connected().await;
    bench.cloud.0.answers_channel.store(false, Ordering::Relaxed);
    bench.keep_fault("late").await;
    bench.pass(Duration::from_secs(90)).await;
    assert_eq!(bench.faults(), ["late"]);
}

#[tokio::test]
async fn while_the_cloud_is_away_one_kind_of_call_knocks_and_then_all_is_there_at_once() {
    let mut bench = connected().await;
    bench.cloud.dies();
    bench.pass(Duration::from_secs(200)).await;
    let before = calls(&bench);
    bench.keep_fault("meanwhile").await;
    bench.pass(HOUR / 2).await;
    let [token, push, manifest, records] = calls(&bench);
    assert_eq!([token, manifest, records], [before[0], before[2], before[3]], "only the channel");
    assert!((4..=20).contains(&(push - before[1])), "{} knocks", push - before[1]);
    let offline = |bench: &Bench| matches!(bench.shell.connection, Connection::Offline { .. });
    assert!(offline(&bench));
    bench.cloud.publish(&manifest_of(2));
    bench.cloud.0.dead.store(false, Ordering::Relaxed);
    bench.pass(crate::backoff::CAP).await;
    assert_eq!(bench.plays(), 2);
    assert_eq!(bench.faults(), ["meanwhile"]);
    assert!(!offline(&bench));
    let after = calls(&bench);
    assert_eq!([after[1] - push, after[2] - manifest, after[3] - records], [1, 1, 0]);
}

fn manifest_of(version: u64) -> Value {
    manifest(version, &[])
}

#[tokio::test]
async fn who_asks_while_the_cloud_is_away_is_answered() {
    let mut bench = connected().await;
    bench.cloud.dies();
    bench.pass(HOUR).await;
    let asked = calls(&bench)[2];
    bench.shell.requested(vec![Request::SyncNow]).await;
    bench.pass(Duration::from_secs(1)).await;
    assert_eq!(calls(&bench)[2], asked + 1);
    let events = bench.events.lock().unwrap();
    let last = events.iter().rev().find_map(|(_, event)| match event {
        Event::Asked(result) => Some(result.is_err()),
        _ => None,
    });
    assert_eq!(last, Some(true));
}

#[tokio::test]
async fn a_network_that_lets_no_channel_through_is_asked_as_before() {
    let mut bench = bench(Duration::ZERO).await;
    bench.cloud.publish(&manifest(1, &[]));
    bench.pass(HOUR).await;
    bench.cloud.0.dead.store(true, Ordering::Relaxed);
    bench.pass(HOUR).await;
    bench.cloud.publish(&manifest(2, &[]));
    bench.cloud.0.dead.store(false, Ordering::Relaxed);
    bench.pass(crate::backoff::CAP).await;
    assert_eq!(bench.plays(), 2);
    let day = calls(&bench)[2];
    bench.pass(DAY).await;
    assert!(calls(&bench)[2] - day > 1_200, "polling goes on");
}
