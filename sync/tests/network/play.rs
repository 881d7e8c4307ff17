//! From the cloud to the screen, and what interrupts it.

use super::*;

#[test]
fn from_pairing_to_the_screen_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = TestCloud::start();
    cloud.add_asset(PNG);
    cloud.publish(&one_picture(1));
    let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
    assert_eq!(player.started(), None);
    let pairing = player.pairing();
    assert_eq!((pairing.user_code.as_str(), pairing.fingerprint.len()), ("ABCD-EFGH", 19));
    cloud.approve();
    let paired = player.wait("paired", |event| match event {
        Event::Paired(paired) => Some(paired.clone()),
        _ => None,
    });
    assert_eq!((paired.tenant.as_str(), paired.device.as_str()), ("acme", "d1"));
    let live = player.live(1);
    assert_eq!(live.missing, BTreeSet::new());
    assert_eq!(bytes_of(&live, PNG), PNG);
    player.sync.post(Request::Record(fault(1))).unwrap();
    cloud.until("record", |world| world.records.contains_key(&fault(1).id));
    player.stop();
}

#[test]
fn without_the_cloud_it_starts_with_what_was_live() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    player.stop();
    let url = cloud.url.clone();
    drop(cloud);
    for cloud_url in [Some(url.as_str()), None] {
        let player = Player::start(options(dir.path(), cloud_url), tuning());
        let live = player.started().expect("something to play");
        assert_eq!((live.manifest.version, live.missing.len()), (1, 0));
        assert_eq!(bytes_of(&live, PNG), PNG);
        player.stop();
    }
}

#[test]
fn an_unchanged_manifest_costs_no_body() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    let before = cloud.world().count("GET /api/v3/manifest");
    player.sync_now();
    cloud.until("asked again", |world| world.count("GET /api/v3/manifest") > before);
    let hits = cloud.hits("GET /api/v3/manifest");
    assert!(hits.last().unwrap().header("if-none-match").is_some());
    player.stop();
}

#[test]
fn a_poll_with_nothing_new_costs_one_request_without_a_body() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    cloud.until("push channel", |world| world.count("GET /api/v3/events") > 0);
    let asked = |player: &Player| {
        player.wait("asked", |event| matches!(event, Event::Asked(Ok(()))).then_some(()));
    };
    // What an open channel asks for by itself has come after this.
    player.sync_now();
    asked(&player);
    player.sync_now();
    asked(&player);
    let before = cloud.world().hits.len();
    player.sync_now();
    asked(&player);
    let hits: Vec<String> =
        cloud.world().hits[before..].iter().map(|hit| hit.what.clone()).collect();
    assert_eq!(hits, ["GET /api/v3/manifest"]);
    assert!(cloud.hits("GET /api/v3/manifest").last().unwrap().header("if-none-match").is_some());
    player.stop();
}

#[test]
fn a_hint_brings_the_manifest_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    cloud.until("push channel", |world| world.count("GET /api/v3/events") > 0);
    // The next poll is an hour away.
    cloud.publish(&one_picture(2));
    player.live(2);
    player.stop();
}

#[test]
fn a_download_cut_in_the_middle_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let big: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    let cloud = TestCloud::start();
    cloud.approve();
    let digest = cloud.add_asset(big.clone());
    cloud.publish(&manifest(1, &[("video/mp4", &big)], vec![item("a", &big)]));
    cloud.world().chaos.cut_after = Some(300_000);
    let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
    assert_eq!(bytes_of(&player.live(1), &big), big);
    let hits = cloud.hits("GET /api/v3/assets/");
    let ranges: Vec<_> = hits.iter().map(|hit| hit.header("range")).collect();
    assert_eq!(ranges, [None, Some("bytes=300000-")]);
    assert_eq!(hits[1].header("if-range"), Some(format!("\"{digest}\"").as_str()));
    assert_eq!(hits[1].header("accept-encoding"), Some("identity"));
    player.stop();
}

#[test]
fn stop_does_not_wait_for_a_cloud_that_never_answers() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    let before = {
        let mut world = cloud.world();
        world.chaos.silent = true;
        world.count("GET /api/v3/manifest")
    };
    player.sync_now();
    cloud.until("asked", |world| world.count("GET /api/v3/manifest") > before);
    player.sync.post(Request::Record(fault(7))).unwrap();
    player.stop();
    // What was posted before the stop is kept.
    cloud.world().chaos.silent = false;
    let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
    cloud.until("record", |world| world.records.contains_key(&fault(7).id));
    player.stop();
}

#[test]
fn one_state_directory_has_one_agent() {
    let dir = tempfile::tempdir().unwrap();
    let player = Player::start(options(dir.path(), None), tuning());
    let clock = Arc::new(rig::clock());
    let second = vitrine_sync::Sync::start(options(dir.path(), None), tuning(), clock, drop);
    assert!(second.unwrap_err().to_string().contains("another process"));
    player.stop();
}
