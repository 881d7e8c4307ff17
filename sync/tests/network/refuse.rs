//! What is not believed, and that it does no harm.

use super::*;

#[test]
fn a_kept_manifest_that_the_pinned_key_did_not_sign_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    player.stop();
    drop(cloud);
    let account = dir.path().join("account.json");
    let text = fs::read_to_string(&account).unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
    value["tenant_key"] =
        json!(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, other.as_bytes()));
    fs::write(&account, value.to_string()).unwrap();
    let player = Player::start(options(dir.path(), None), tuning());
    assert_eq!(player.started(), None);
    player.trouble("manifest_signature");
    player.stop();
}

/// A moment's failure to read must not make a device nobody's until somebody starts it again.
#[test]
fn a_start_that_cannot_read_who_it_is_fails_and_the_next_one_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    player.stop();
    for name in ["device.key", "account.json", "account.next.json"] {
        let (path, aside) = (dir.path().join(name), dir.path().join("aside"));
        fs::rename(&path, &aside).ok();
        // Opens and cannot be read, as on a bad block.
        fs::create_dir(&path).unwrap();
        let started = Sync::start(options(dir.path(), None), tuning(), Arc::new(clock()), |_| ());
        let error = started.err().unwrap().to_string();
        assert!(error.contains(name), "{error}");
        fs::remove_dir(&path).unwrap();
        fs::rename(&aside, &path).ok();
        let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
        assert!(player.started().is_some(), "{name}");
        player.sync_now();
        player.wait("it is online", |event| {
            matches!(event, Event::Connection(Connection::Online { .. })).then_some(())
        });
        player.stop();
    }
}

#[test]
fn wrong_bytes_are_refused_and_fetched_again() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    let other = b"another picture".as_slice();
    cloud.add_asset(other);
    cloud.world().chaos.wrong_bytes = true;
    cloud.publish(&manifest(2, &[("image/png", other)], vec![item("b", other)]));
    assert!(player.trouble("asset").contains("digest"));
    assert!(!player.rest().iter().any(|event| matches!(event, Event::Live(_))), "went live");
    cloud.world().chaos = Chaos::default();
    player.sync_now();
    assert_eq!(bytes_of(&player.live(2), other), other);
    player.stop();
}

#[test]
fn what_is_not_for_this_device_is_refused_and_the_old_plays_on() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    let stranger = SigningKey::from_bytes(&[1; 32]);
    let with = |version: u64, key: &str, value: Value| {
        let mut manifest = one_picture(version);
        manifest[key] = value;
        manifest
    };
    cloud.publish_signed(&one_picture(5), &stranger);
    player.trouble("manifest_signature");
    cloud.publish(&with(6, "tenant", json!("evil")));
    player.trouble("manifest_tenant");
    cloud.publish(&with(7, "device", json!("d2")));
    player.trouble("manifest_device");
    cloud.publish(&with(1, "issued_at", json!("2026-01-02T00:00:00Z")));
    player.sync_now();
    player.trouble("manifest_older");
    let refused = cloud.world().count("GET /api/v3/manifest");
    player.sync_now();
    cloud.until("asked again", |world| world.count("GET /api/v3/manifest") > refused);
    cloud.publish(&one_picture(2));
    let live = player.wait("live", |event| match event {
        Event::Trouble { code, .. } => panic!("{code} is said again"),
        Event::Live(live) => Some(Arc::clone(live)),
        _ => None,
    });
    assert_eq!(live.manifest.version, 2, "nothing refused went live before");
    player.stop();
}

#[test]
fn a_login_page_is_no_cloud() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    cloud.world().chaos.login_page = true;
    player.sync_now();
    let why = player.wait("offline", |event| match event {
        Event::Connection(Connection::Offline { why }) => Some(why.clone()),
        _ => None,
    });
    assert!(why.contains("text/html"), "{why}");
    cloud.world().chaos.login_page = false;
    cloud.publish(&one_picture(2));
    player.sync_now();
    player.live(2);
    player.stop();
}

#[test]
fn credentials_do_not_follow_to_another_origin() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, store) = (TestCloud::start(), TestCloud::start());
    cloud.approve();
    store.add_asset(PNG);
    cloud.world().chaos.redirect = Some(store.url.clone());
    cloud.publish(&one_picture(1));
    let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
    player.live(1);
    assert!(cloud.hits("GET /api/v3/assets/")[0].header("authorization").is_some());
    let hit = &store.hits("GET /elsewhere/")[0];
    assert_eq!((hit.header("authorization"), hit.header("x-tenant")), (None, None));
    player.stop();
}

#[test]
fn a_redirect_into_cleartext_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = TestCloud::start();
    cloud.approve();
    cloud.world().chaos.redirect = Some("http://cloud.example".into());
    cloud.publish(&one_picture(1));
    let player = Player::start(options(dir.path(), Some(&cloud.url)), tuning());
    cloud.until("asked", |world| world.count("GET /api/v3/assets/") > 0);
    cloud.world().chaos.redirect = None;
    cloud.add_asset(PNG);
    player.sync_now();
    player.live(1);
    player.stop();
}

#[test]
fn wrong_settings_cost_the_cloud_and_not_the_picture() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, player) = playing(dir.path());
    player.stop();
    let no_file = dir.path().join("gone.pem");
    for (case, url, ca_file) in [
        ("no address", "cloud", None),
        ("cleartext", "http://cloud.example", None),
        ("name and password", "https://a:b@cloud.example", None),
        ("no authority", cloud.url.as_str(), Some(no_file)),
    ] {
        let mut options = options(dir.path(), Some(url));
        options.ca_file = ca_file;
        let player = Player::start(options, tuning());
        assert!(player.started().is_some(), "case {case:?}");
        player.trouble("cloud_settings");
        player.stop();
    }
}
