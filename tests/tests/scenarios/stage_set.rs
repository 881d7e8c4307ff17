//! What every scenario starts from: a cloud with a tenant, plain stills, a paired player.

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use tempfile::TempDir;
use vitrine_tests::cloud::{Cloud, Tenant};
use vitrine_tests::display::Display;
use vitrine_tests::patience::until;
use vitrine_tests::picture;
use vitrine_tests::player::Player;

pub const RED: [u8; 3] = [200, 30, 30];
pub const GREEN: [u8; 3] = [30, 180, 60];
pub const BLUE: [u8; 3] = [40, 60, 200];

/// Off by one code value in each step from file to screen.
pub const TOLERANCE: u8 = 4;

/// Small, because the software rasteriser draws every pixel.
pub const SCREEN: &str = "offscreen 320x180";

pub struct Set {
    pub cloud: Cloud,
    pub tenant: Tenant,
    pub dir: TempDir,
}

impl Set {
    pub fn new() -> Set {
        let dir = tempfile::tempdir().unwrap();
        let cloud = Cloud::start(dir.path(), "127.0.0.1:0").unwrap();
        let tenant = cloud.tenant("acme").unwrap();
        Set { cloud, tenant, dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A still of one colour.
    pub fn still(&self, name: &str, colour: [u8; 3]) -> PathBuf {
        still_at(self.path(), name, colour)
    }

    /// A player that syncs from this cloud, started and approved.
    pub fn paired_player(&self, screen: &str) -> Player {
        self.paired_player_by(self.cloud.url(), screen, None)
    }

    /// The same by way of `url`, on `display`.
    pub fn paired_player_by(&self, url: &str, screen: &str, display: Option<&Display>) -> Player {
        let dir = self.path().join("player");
        Player::configure(&dir, url, screen, "").unwrap();
        let player = Player::start(&dir, display.map(Display::name)).unwrap();
        self.approve(&player);
        player.until_status("paired", |status| status["tenant"] == "acme");
        player
    }

    pub fn approve(&self, player: &Player) {
        let code = player.user_code();
        self.tenant.operator(&["pairing", "approve", &code, "--name", "lobby"]).unwrap();
    }

    /// The only device's id.
    pub fn device(&self) -> String {
        let devices = self.tenant.operator_json(&["device", "list"]).unwrap();
        devices[0]["device"].as_str().unwrap().to_owned()
    }

    /// Records of a kind that the cloud has from the only device.
    pub fn records(&self, kind: &str) -> Vec<serde_json::Value> {
        self.tenant.records(&self.device(), kind).unwrap()
    }
}

/// A still of one colour in `dir`.
pub fn still_at(dir: &Path, name: &str, colour: [u8; 3]) -> PathBuf {
    let path = dir.join(format!("{name}.png"));
    RgbImage::from_pixel(64, 36, Rgb(colour)).save(&path).unwrap();
    path
}

/// A generated video of `./dev test`'s sample media.
pub fn video(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.dev/media").join(name);
    assert!(path.is_file(), "{} is missing: ./dev test makes it", path.display());
    path
}

/// Waits until the middle of what the display was handed has this colour.
#[track_caller]
pub fn until_colour(player: &Player, colour: [u8; 3]) {
    until(&format!("the screen shows {colour:?}"), || {
        let shot = player.screenshot().ok()?;
        picture::near(picture::at(&shot, 0.5, 0.5), colour, TOLERANCE).then_some(())
    });
}

/// Whether the middle of the screen has this colour now.
pub fn shows(player: &Player, colour: [u8; 3]) -> bool {
    let shot = player.screenshot().unwrap();
    picture::near(picture::at(&shot, 0.5, 0.5), colour, TOLERANCE)
}
