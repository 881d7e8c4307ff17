//! A download that is cut in the middle goes on where it was, and is proved whole.

use std::fs;
use std::sync::atomic::Ordering;

use vitrine_tests::chaos::Relay;
use vitrine_tests::patience::until;

use crate::stage_set::{SCREEN, Set};

/// Large enough to be cut in the middle, small enough to be quick.
const SIZE_BYTES: usize = 6 << 20;
const CUT_AT_BYTES: u64 = 3 << 20;

#[test]
fn cut_in_the_middle_resumes_and_verifies() {
    let set = Set::new();
    let relay = Relay::start(set.cloud.address()).unwrap();
    let player = set.paired_player_by(&format!("http://{}", relay.address()), SCREEN, None);

    let still = set.path().join("large.bmp");
    let picture = image::RgbImage::from_fn(2_048, 1_024, |x, y| {
        image::Rgb([x as u8, y as u8, (x * y) as u8])
    });
    picture.save(&still).unwrap();
    assert!(fs::metadata(&still).unwrap().len() >= SIZE_BYTES as u64);
    relay.weather.cut_after_bytes.store(CUT_AT_BYTES, Ordering::SeqCst);
    set.tenant.play(std::slice::from_ref(&still), "1s").unwrap();

    until("the connection was cut", || {
        (relay.weather.cuts.load(Ordering::SeqCst) == 1).then_some(())
    });
    player.until_status("the picture is on screen", |status| {
        status["showing"].as_array().is_some_and(|showing| !showing.is_empty())
    });
    let digest = vitrine_wire::Digest::of(&fs::read(&still).unwrap()).to_string();
    let cached = player.dir().join("state/assets").join(&digest[..2]).join(&digest);
    assert_eq!(fs::read(cached).unwrap(), fs::read(still).unwrap());
    let (up, log) = (relay.weather.passed_bytes.load(Ordering::SeqCst), set.cloud.process().log());
    assert!(up < SIZE_BYTES as u64 * 3 / 2, "fetched {up} bytes: started over\n{log}");
}
