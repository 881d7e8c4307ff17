//! Orders: each is done once, only by whom it is meant for, and whoever stands in between.

use ed25519_dalek::SigningKey;
use vitrine_wire::envelope::{Purpose, seal};

use super::*;

/// Orders of one version, each an id and an action.
pub(super) fn of(version: u64, orders: &[(&str, &str)]) -> Value {
    let order = |(id, action): &(&str, &str)| json!({ "id": id, "action": action, "expires_at": "2026-03-09T00:00:00Z" });
    json!({
        "version": version, "tenant": "acme", "device": "d1", "issued_at": "2026-03-04T12:00:00Z",
        "orders": orders.iter().map(order).collect::<Vec<_>>(),
    })
}

const MINUTES: Duration = Duration::from_secs(180);

/// A device that plays version 5 and has done an order of version 6.
async fn obeyed() -> Bench {
    let mut bench = bench(Duration::ZERO).await;
    bench.cloud.publish(&manifest(5, &[]));
    bench.cloud.order(&of(6, &[("six", "identify")]));
    bench.pass(MINUTES).await;
    assert_eq!((bench.plays(), bench.ordered()), (5, vec!["six".into()]));
    bench
}

impl Bench {
    /// Has somebody serve these as the orders for a while: ids begun, and the faults that it cost.
    async fn is_served(&mut self, raw: Vec<u8>) -> (Vec<String>, Vec<String>) {
        self.cloud.0.faults.lock().unwrap().clear();
        self.cloud.order_raw(Some(raw));
        self.pass(MINUTES).await;
        (self.ordered(), self.faults())
    }

    /// The honest counterpart: an order of the next version is begun.
    async fn obeys_the_next(&mut self, version: u64) {
        let id = version.to_string();
        let raw = sealed(Purpose::Orders, &of(version, &[(&id, "identify")]), &tenant());
        assert_eq!(self.is_served(raw).await, (vec![id], vec![]), "the control");
        assert_eq!(self.plays(), 5, "an order changes nothing that plays");
    }
}

fn sealed(purpose: Purpose, payload: &Value, key: &SigningKey) -> Vec<u8> {
    serde_json::to_vec(&seal(purpose, &serde_json::to_vec(payload).unwrap(), &[key])).unwrap()
}

#[tokio::test]
async fn what_others_made_is_refused_with_a_record() {
    let mut bench = obeyed().await;
    let ours = of(7, &[("x", "identify")]);
    let with = |key: &str, value: Value| {
        let mut changed = ours.clone();
        changed[key] = value;
        sealed(Purpose::Orders, &changed, &tenant())
    };
    let stranger = SigningKey::from_bytes(&[66; 32]);
    for (raw, code) in [
        (sealed(Purpose::Orders, &ours, &stranger), "orders_signature"),
        (sealed(Purpose::Manifest, &ours, &tenant()), "orders_signature"),
        (with("tenant", json!("evil")), "orders_tenant"),
        (with("device", json!("d2")), "orders_device"),
        (with("version", json!(5)), "orders_older"),
        (with("version", json!(u64::MAX)), "orders_unreadable"),
        (b"<html>".to_vec(), "orders_unreadable"),
    ] {
        assert_eq!(bench.is_served(raw).await, (vec![], vec![code.into()]), "case {code}");
    }
    bench.obeys_the_next(7).await;
}

#[tokio::test]
async fn orders_are_no_manifest() {
    let mut bench = obeyed().await;
    bench.cloud.publish_raw(sealed(Purpose::Orders, &manifest(7, &[]), &tenant()));
    bench.pass(MINUTES).await;
    assert_eq!((bench.plays(), bench.faults()), (5, vec!["manifest_signature".into()]));
    bench.cloud.publish(&manifest(7, &[]));
    bench.pass(MINUTES).await;
    assert_eq!(bench.plays(), 7, "the control");
}

#[tokio::test]
async fn a_replay_is_refused_also_after_a_restart_and_after_the_database_is_lost() {
    let six = sealed(Purpose::Orders, &of(6, &[("six", "identify")]), &tenant());
    let seven = sealed(Purpose::Orders, &of(7, &[("seven", "identify")]), &tenant());
    let older = || (vec![], vec!["orders_older".to_owned()]);
    let mut bench = obeyed().await;
    assert_eq!(bench.is_served(seven.clone()).await, (vec!["seven".into()], vec![]));
    assert_eq!(bench.is_served(six.clone()).await, older());
    assert_eq!(bench.is_served(seven.clone()).await, (vec![], vec![]), "the newest is known");
    let mut bench = bench.restart().await;
    assert_eq!(bench.is_served(seven.clone()).await, (vec![], vec![]));
    assert_eq!(bench.is_served(six.clone()).await, older());
    // What was begun is forgotten with it, but not that it was.
    let mut bench = bench.restart_after(lose_database).await;
    bench.pass(MINUTES).await;
    assert_eq!(bench.is_served(seven).await, older());
    assert_eq!(bench.is_served(six).await, older());
    bench.obeys_the_next(8).await;
}

#[tokio::test]
async fn an_order_that_came_too_late_is_not_begun() {
    let mut bench = obeyed().await;
    let mut late = of(7, &[("late", "identify"), ("early", "identify")]);
    late["orders"][0]["expires_at"] = json!("2026-03-04T12:01:00Z");
    let raw = sealed(Purpose::Orders, &late, &tenant());
    assert_eq!(bench.is_served(raw).await, (vec!["early".into()], vec![]));
}

#[tokio::test]
async fn an_order_that_could_not_be_noted_is_begun_when_it_can_be() {
    let until = "2026-03-04T12:10:00Z".parse().unwrap();
    let spoil = |dir: &std::path::Path| store::tests::take_no_order(dir, "seven", until);
    let mut bench = obeyed().await.restart_after(spoil).await;
    let raw = sealed(Purpose::Orders, &of(7, &[("seven", "identify")]), &tenant());
    assert_eq!(bench.is_served(raw).await, (vec![], vec!["order_not_noted".into()]), "told once");
    bench.pass(HOUR).await;
    assert_eq!(bench.ordered(), ["seven"], "nothing new was said meanwhile");
}

#[tokio::test]
async fn a_poll_without_news_is_one_request() {
    let mut bench = obeyed().await;
    bench.cloud.order_raw(None);
    bench.pass(HOUR).await;
    let calls = |bench: &Bench| ["manifest", "orders"].map(|call| bench.cloud.times(call).len());
    let before = calls(&bench);
    bench.pass(HOUR).await;
    let [polls, orders] = calls(&bench);
    assert!((54..=68).contains(&(polls - before[0])), "{} polls", polls - before[0]);
    assert_eq!(orders, before[1]);
}

#[tokio::test]
async fn an_order_to_roll_back_is_done_once_and_answered() {
    let mut bench = bench(Duration::ZERO).await;
    for version in [1, 2] {
        bench.cloud.publish(&manifest(version, &[]));
        bench.pass(Duration::from_secs(90)).await;
    }
    bench.shell.ways.store.begin_order("o1".into()).await.unwrap();
    let asker = crate::Asker::Order("o1".into());
    bench.shell.requested(vec![Request::Rollback(asker)]).await;
    assert_eq!(bench.plays(), 1);
    assert_eq!(bench.shell.ways.store.begun_but_not_ended().await.unwrap(), [""; 0]);
}
