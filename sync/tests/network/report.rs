//! Records and orders: kept, sent, acknowledged.

use super::*;

#[test]
fn a_record_is_kept_once_however_often_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    cloud.world().chaos.forget_to_acknowledge = true;
    for n in 1..=3 {
        player.sync.post(Request::Record(fault(n))).unwrap();
    }
    cloud.until("sent", |world| world.count("POST /api/v3/records") > 0);
    cloud.until("sent again", |world| world.count("POST /api/v3/records") > 1);
    cloud.until("kept", |world| (1..=3).all(|n| world.records.contains_key(&fault(n).id)));
    player.stop();
}

#[test]
fn records_of_a_day_offline_are_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    player.stop();
    let player = Player::start(options(dir.path(), None), tuning());
    for n in 1..=450 {
        player.sync.post(Request::Record(fault(n))).unwrap();
    }
    player.stop();
    let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
    cloud.until("all", |world| (1..=450).all(|n| world.records.contains_key(&fault(n).id)));
    player.stop();
}

#[test]
fn an_order_is_given_once_and_its_picture_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    let shot = json!({ "id": "o1", "action": "screenshot", "expires_at": "2100-01-01T00:00:00Z" });
    let late = json!({ "id": "late", "action": "identify", "expires_at": "2020-01-01T00:00:00Z" });
    cloud.order(2, json!([shot, late]));
    let order = player.wait("order", |event| match event {
        Event::Order(order) => Some(order.id.clone()),
        _ => None,
    });
    assert_eq!(order, "o1");
    cloud.order(3, json!([shot, late]));
    cloud.until("asked again", |world| world.count("GET /api/v3/orders") > 1);
    cloud.publish(&one_picture(4));
    player.live(4);
    let again = player.rest().into_iter().any(|event| matches!(event, Event::Order(_)));
    assert!(!again, "given twice");
    player.sync.post(Request::Screenshot { order, png: Arc::new(PNG.to_vec()) }).unwrap();
    let result = |world: &World| {
        world.records.values().find_map(|record| match &record.body {
            Body::OrderResult(result) => Some((result.order.clone(), result.done)),
            _ => None,
        })
    };
    cloud.until("result", |world| result(world).is_some());
    assert_eq!(result(&cloud.world()), Some(("o1".into(), true)));
    assert_eq!(cloud.world().screenshots["o1"], PNG);
    player.stop();
}

#[test]
fn an_order_cut_off_by_a_stop_is_reported_and_not_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    let who = json!({ "id": "o1", "action": "identify", "expires_at": "2100-01-01T00:00:00Z" });
    cloud.order(2, json!([who]));
    player.wait("order", |event| matches!(event, Event::Order(_)).then_some(()));
    player.stop();
    let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
    let cut = |record: &Record| matches!(&record.body, Body::OrderResult(result) if result.order == "o1" && !result.done);
    cloud.until("result", |world| world.records.values().any(cut));
    assert!(!player.rest().iter().any(|event| matches!(event, Event::Order(_))), "done again");
    player.stop();
}
