//! What the player is put to.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use vitrine_tests::cloud::{Cloud, Tenant};
use vitrine_tests::oracle::Disk;
use vitrine_tests::player::Player;
use vitrine_tests::strace::Call;

use crate::rig::{Act, copy};

/// The smallest cache that can be set, so that one file fills it.
const SMALL_CACHE: &str = "[cache]\nsize_mb = 64\nreserve_mb = 16\n";
/// Leaves no room for the others.
const FILLS_THE_CACHE_BYTES: u64 = 63_900_000;

/// Version that is live in the end: pairing makes the first, then come four and this one.
pub const LAST: u64 = 6;

/// A cloud with a tenant.
pub struct World {
    pub dir: tempfile::TempDir,
    pub cloud: Cloud,
    pub tenant: Tenant,
}

impl World {
    pub fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let cloud = Cloud::start(dir.path(), "127.0.0.1:0").unwrap();
        let tenant = cloud.tenant("acme").unwrap();
        World { dir, cloud, tenant }
    }

    /// A file that counts as a picture, for whoever does not decode it.
    pub fn picture(&self, name: &str, bytes: u64) -> PathBuf {
        let path = self.dir.path().join(format!("{name}.png"));
        let mut file = File::create(&path).unwrap();
        image::RgbImage::from_pixel(2, 2, image::Rgb([1, 2, 3])).save(&path).unwrap();
        file.set_len(bytes).unwrap();
        if bytes < 1 << 20 {
            let noise: Vec<u8> = (0..bytes).map(|n| (n * n % 251) as u8).collect();
            file = File::options().append(true).open(&path).unwrap();
            file.write_all(&[name.as_bytes(), &noise].concat()).unwrap();
        }
        path
    }

    pub fn approve(&self, player: &Player) {
        let code = player.user_code();
        self.tenant.operator(&["pairing", "approve", &code, "--name", "lobby"]).unwrap();
    }

    /// Ids of all records that the cloud has.
    pub fn records(&self) -> BTreeSet<String> {
        let kinds = ["heartbeat", "fault", "order_result", "setting_changed"];
        let all = kinds.iter().flat_map(|kind| self.records_of(kind));
        all.map(|record| record["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Codes of all faults that the cloud has heard of.
    pub fn faults(&self) -> BTreeSet<String> {
        let faults = self.records_of("fault").into_iter();
        faults.filter_map(|record| Some(record["code"].as_str()?.to_owned())).collect()
    }

    fn records_of(&self, kind: &str) -> Vec<Value> {
        let devices = self.tenant.operator_json(&["device", "list"]).unwrap();
        let device = devices[0]["device"].as_str().unwrap();
        self.tenant.records(device, kind).unwrap()
    }

    /// A player that has had four generations, was killed, and finds a fifth: two new files, of
    /// which one is there in part, and no room for them beside one that nobody needs any more.
    fn ready_to_sync(&self) -> PathBuf {
        let dir = self.dir.path().join("player");
        Player::configure(&dir, self.cloud.url(), "none", SMALL_CACHE).unwrap();
        let mut player = Player::start(&dir, None).unwrap();
        self.approve(&player);
        player.until_status("it has the empty one", |status| live(status) == 1);
        let (large, old) =
            (self.picture("large", FILLS_THE_CACHE_BYTES), self.picture("old", 9_000));
        let sets = [vec![large, old.clone()], vec![old.clone()], vec![old.clone()], vec![old]];
        for (version, files) in (2..).zip(sets) {
            self.tenant.play(&files, &format!("{version}s")).unwrap();
            player.until_status("it is live", |status| live(status) == version);
        }
        player.process().signal(rustix::process::Signal::KILL);
        player.process().ended(std::time::Duration::from_secs(5)).unwrap();
        assert_eq!(Disk::read(&dir.join("state")).unwrap().live, LAST - 1);
        let (new, small) = (self.picture("new", 150_000), self.picture("small", 20_000));
        let half = fs::read(&new).unwrap();
        let digest = vitrine_wire::Digest::of(&half);
        let mut part = File::create(dir.join(format!("state/assets/parts/{digest}.part"))).unwrap();
        part.write_all(&half[..half.len() / 2]).unwrap();
        self.tenant.play(&[new, small], "1s").unwrap();
        dir.join("state")
    }

    fn act(&self, name: &'static str, golden: Option<&Path>) -> Act {
        Act {
            name,
            dir: tempfile::tempdir().unwrap(),
            golden: golden.map(|state| {
                let golden = self.dir.path().join(format!("golden {name}"));
                copy(state, &golden);
                golden
            }),
            cloud_url: self.cloud.url().to_owned(),
            settings: SMALL_CACHE,
            then: |_| (),
            over: |_, status| live(status) >= LAST,
            back: |_, status| live(status) >= LAST,
            among: |call| call.path.starts_with("state"),
            looks: false,
        }
    }
}

pub fn live(status: &serde_json::Value) -> u64 {
    status["manifest_version"].as_u64().unwrap_or(0)
}

/// Download, admit, evict, activate, append to the outbox and send it.
pub fn sync(world: &World) -> Act {
    let golden = world.ready_to_sync();
    Act {
        over: |player, status| {
            let state = player.dir().join("state");
            live(status) >= LAST && Disk::read(&state).is_ok_and(|disk| disk.outbox.is_empty())
        },
        ..world.act("sync", Some(&golden))
    }
}

#[test]
fn sync_survives_every_fault() {
    let world = World::new();
    let owed = sync(&world).survives_every_fault();
    assert!(owed.len() > 10, "hardly an outbox held a record: {owed:?}");
    let known = world.records();
    let lost: Vec<&String> = owed.difference(&known).collect();
    assert!(lost.is_empty(), "records that were kept and never came: {lost:?}");
}

#[test]
fn a_first_start_survives_every_fault() {
    let world = World::new();
    let act = Act {
        over: |_, status| status["user_code"].is_string(),
        back: |_, status| status["user_code"].is_string(),
        ..world.act("first start", None)
    };
    act.survives_every_fault();
}

#[test]
fn a_change_of_the_settings_survives_every_fault() {
    let world = World::new();
    let golden = world.ready_to_sync();
    let act = Act {
        then: |player| {
            let url = fs::read_to_string(player.dir().join("vitrine.toml")).unwrap();
            let url = url.split('"').nth(1).unwrap();
            let more = format!("{SMALL_CACHE}[device]\nname = \"new name\"\n");
            Player::configure(player.dir(), url, "none", &more).unwrap();
        },
        over: |player, status| live(status) >= LAST && player.heard("new settings"),
        among: |call: &Call| call.path.starts_with("vitrine.toml"),
        looks: true,
        ..world.act("settings", Some(&golden))
    };
    act.survives_every_fault();
}
