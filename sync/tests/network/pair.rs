//! Whose device this is, and when that changes.

use super::*;

#[test]
fn a_token_that_is_refused_is_replaced_by_the_device_key() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    cloud.world().tokens.clear();
    cloud.publish(&one_picture(2));
    player.sync_now();
    player.live(2);
    assert!(cloud.world().tokens.len() == 1, "one new token, no loop");
    player.stop();
}

#[test]
fn a_removed_device_plays_on_and_the_next_tenant_finds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    let old = dir.path().join("assets");
    // The record waits in vain: the cloud is about to forget the device.
    let envelope = fs::read_to_string(dir.path().join("generations/1.envelope")).unwrap();
    let traces = ["acme".to_owned(), envelope, "number 77".to_owned()];
    cloud.world().tokens.clear();
    cloud.world().removed = true;
    player.sync.post(Request::Record(fault(77))).unwrap();
    let files = |dir: &Path| -> usize {
        let homes = fs::read_dir(dir).unwrap().map(|home| home.unwrap().path());
        homes.map(|home| fs::read_dir(home).unwrap().count()).sum()
    };
    assert_eq!(files(&old), 1);
    {
        let mut world = cloud.world();
        (world.removed, world.approved) = (true, false);
        world.tokens.clear();
    }
    player.sync_now();
    player.wait("unpaired", |event| matches!(event, Event::Unpaired).then_some(()));
    player.pairing();
    assert_eq!(files(&old), 1, "content stays until there is a new tenant");
    {
        let mut world = cloud.world();
        (world.tenant, world.device) = ("other".into(), "d9".into());
        world.key = SigningKey::from_bytes(&[5; 32]);
        world.approved = true;
    }
    player.wait("empty screen", |event| match event {
        Event::Live(live) if live.manifest.version == 0 => Some(()),
        _ => None,
    });
    assert_eq!(files(&old), 0, "the other tenant's bytes");
    let mut theirs = one_picture(1);
    (theirs["tenant"], theirs["device"]) = (json!("other"), json!("d9"));
    cloud.publish(&theirs);
    player.sync_now();
    player.live(1);
    player.stop();
    let disk = secrets::disk(dir.path());
    for trace in traces {
        assert!(!disk.contains(&trace), "of the tenant before: {trace}");
    }
    assert!(disk.contains("other"), "the control: nothing is found at all");
}

#[test]
fn a_device_that_moves_within_its_tenant_keeps_picture_and_records() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    {
        let mut world = cloud.world();
        (world.removed, world.approved) = (true, false);
        world.tokens.clear();
    }
    player.sync_now();
    player.wait("unpaired", |event| matches!(event, Event::Unpaired).then_some(()));
    player.sync.post(Request::Record(fault(1))).unwrap();
    // The new device's versions begin again; the file is here already.
    let mut moved = one_picture(1);
    moved["device"] = json!("d2");
    cloud.publish(&moved);
    {
        let mut world = cloud.world();
        (world.device, world.approved) = ("d2".into(), true);
    }
    let live = player.wait("live", |event| match event {
        Event::Live(live) => Some(Arc::clone(live)),
        _ => None,
    });
    assert_eq!((live.manifest.device.as_str(), live.manifest.version), ("d2", 1));
    assert_eq!(cloud.hits("GET /api/v3/assets/").len(), 1, "fetched once");
    cloud.until("record", |world| world.records.contains_key(&fault(1).id));
    player.stop();
}
