//! What the cache promises; the kills are in `kill_tests`.
#![allow(clippy::disallowed_methods)] // Tests spoil files on purpose.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::model::Asset;

fn cache() -> (TempDir, Cache) {
    let dir = tempdir().unwrap();
    let (cache, amiss) = Cache::open(dir.path().join("assets"), &BTreeMap::new()).unwrap();
    assert!(amiss.is_empty());
    (dir, cache)
}

fn asset(bytes: &[u8]) -> Asset {
    Asset {
        sha256: Digest::of(bytes),
        size_bytes: bytes.len() as u64,
        media_type: "image/png".into(),
        name: "a name, never a path".into(),
    }
}

fn admit(cache: &Cache, bytes: &[u8]) -> Digest {
    let (mut download, _) = Download::resume(cache, &asset(bytes)).unwrap();
    download.write(bytes).unwrap();
    download.finish().unwrap();
    Digest::of(bytes)
}

#[test]
fn a_download_becomes_a_read_only_file_under_its_digest() {
    let (dir, cache) = cache();
    let name = admit(&cache, b"abc");
    let text = name.to_string();
    let path = dir.path().join("assets").join(&text[..2]).join(&text);
    assert_eq!(cache.path(&name), path);
    assert_eq!(cache.files().path(&name), Some(path.clone()));
    assert_eq!(fs::read(&path).unwrap(), b"abc");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o444);
    assert!(cache.contains(&name));
    assert_eq!(cache.held()[&name].bytes, 3);
    assert!(cache.parts().unwrap().is_empty());
    assert!(cache.free_bytes().unwrap() > 0);
    let again = Cache::open(dir.path().join("assets"), &BTreeMap::from([(name, 3)])).unwrap();
    assert_eq!(again.0.held(), cache.held());
}

#[test]
fn an_empty_asset_is_an_asset() {
    let (_dir, cache) = cache();
    let name = admit(&cache, b"");
    assert!(cache.contains(&name));
}

proptest! {
    #[test]
    fn cut_anywhere_it_resumes_and_is_whole(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        cuts in prop::collection::vec(0..400usize, 0..5),
    ) {
        let (_dir, cache) = cache();
        for cut in cuts {
            let (mut download, offset) = Download::resume(&cache, &asset(&bytes)).unwrap();
            let from = offset as usize;
            download.write(&bytes[from..cut.clamp(from, bytes.len())]).unwrap();
        }
        let (mut download, offset) = Download::resume(&cache, &asset(&bytes)).unwrap();
        download.write(&bytes[offset as usize..]).unwrap();
        download.finish().unwrap();
        let name = Digest::of(&bytes);
        prop_assert_eq!(fs::read(cache.path(&name)).unwrap(), bytes);
    }
}

#[test]
fn other_bytes_get_no_name_and_no_second_chance() {
    let (_dir, cache) = cache();
    let wanted = asset(b"abc");
    let (mut download, _) = Download::resume(&cache, &wanted).unwrap();
    download.write(b"abd").unwrap();
    let error = download.finish().unwrap_err();
    assert!(matches!(error, FetchError::Digest { .. }), "{error}");
    assert_eq!(error.remedy(), Remedy::Restart);
    assert!(!cache.contains(&wanted.sha256) && !cache.path(&wanted.sha256).exists());
    assert!(cache.parts().unwrap().is_empty());
}

#[test]
fn no_more_than_promised_is_written_and_no_less_is_taken() {
    let (_dir, cache) = cache();
    let wanted = asset(b"abc");
    let (mut download, _) = Download::resume(&cache, &wanted).unwrap();
    download.write(b"ab").unwrap();
    let error = download.write(b"cd").unwrap_err();
    assert!(matches!(error, FetchError::TooLong { promised_bytes: 3, .. }), "{error}");
    let error = download.finish().unwrap_err();
    assert!(matches!(error, FetchError::TooShort { found_bytes: 2, .. }), "{error}");
    assert_eq!(error.remedy(), Remedy::Resume);
    assert_eq!(cache.parts().unwrap(), BTreeMap::from([(wanted.sha256, 2)]));
}

#[test]
fn a_server_that_starts_over_is_followed() {
    let (_dir, cache) = cache();
    let wanted = asset(b"abc");
    let (mut download, _) = Download::resume(&cache, &wanted).unwrap();
    download.write(b"xx").unwrap();
    download.restart().unwrap();
    download.write(b"abc").unwrap();
    download.finish().unwrap();
    assert!(cache.contains(&wanted.sha256));
}

#[test]
fn what_the_disk_holds_is_hashed_again_before_it_is_built_upon() {
    let (_dir, cache) = cache();
    let wanted = asset(b"abcdef");
    for (case, part, offset, whole) in [
        ("good start", &b"abc"[..], 3, true),
        ("spoilt start", b"axc", 3, false),
        ("too long", b"abcdefg", 0, true),
        ("complete", b"abcdef", 6, true),
    ] {
        fs::write(cache.part(&wanted.sha256), part).unwrap();
        let (mut download, from) = Download::resume(&cache, &wanted).unwrap();
        assert_eq!(from, offset, "case {case:?}");
        download.write(&b"abcdef"[from as usize..]).unwrap();
        assert_eq!(download.finish().is_ok(), whole, "case {case:?}");
        cache.remove(&wanted.sha256).unwrap();
    }
}

#[test]
fn two_downloads_of_one_asset_do_not_mix() {
    let (_dir, cache) = cache();
    let wanted = asset(b"abc");
    let (first, _) = Download::resume(&cache, &wanted).unwrap();
    let second = Download::resume(&cache, &wanted);
    assert!(matches!(second, Err(FetchError::Busy { .. })));
    drop(first);
    Download::resume(&cache, &wanted).unwrap();
}

#[test]
fn bytes_that_are_not_ours_in_the_part_are_found() {
    let (_dir, cache) = cache();
    let wanted = asset(b"abc");
    let (mut download, _) = Download::resume(&cache, &wanted).unwrap();
    download.write(b"abc").unwrap();
    let mut other = OpenOptions::new().append(true).open(cache.part(&wanted.sha256)).unwrap();
    other.write_all(b"!").unwrap();
    let error = download.finish().unwrap_err();
    assert!(matches!(error, FetchError::Torn { found_bytes: 4, .. }), "{error}");
    assert_eq!(error.remedy(), Remedy::Restart);
}

#[test]
fn a_full_disk_is_told_with_numbers() {
    let (_dir, cache) = cache();
    let wanted = asset(b"abc");
    // A device that is always full stands in for the disk.
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let error = Download::on_file(&cache, &wanted, full).write(b"abc").unwrap_err();
    assert!(matches!(error, FetchError::NoRoom { missing_bytes: 3, .. }), "{error}");
    assert_eq!(error.remedy(), Remedy::Report);
}

#[test]
fn a_start_tidies_what_is_wrong_and_leaves_alone_what_is_foreign() {
    let (dir, cache) = cache();
    let root = dir.path().join("assets");
    let (good, short, orphan) =
        (admit(&cache, b"good"), admit(&cache, b"short"), admit(&cache, b"orphan"));
    let (wanted_part, stray_part) = (Digest::of(b"wanted"), Digest::of(b"stray"));
    fs::write(cache.part(&wanted_part), b"wan").unwrap();
    fs::write(cache.part(&stray_part), b"str").unwrap();
    fs::write(root.join("parts/readme"), b"foreign").unwrap();
    let home = cache.path(&good).parent().unwrap().to_owned();
    fs::write(home.join("foreign"), b"foreign").unwrap();
    fs::write(home.join(Digest::of(b"astray").to_string()), b"astray").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", home.join("link")).unwrap();

    let wanted = BTreeMap::from([(good, 4), (short, 9), (wanted_part, 6)]);
    let (again, amiss) = Cache::open(root.clone(), &wanted).unwrap();
    assert_eq!(again.held().into_keys().collect::<BTreeSet<_>>(), BTreeSet::from([good, orphan]));
    assert_eq!(amiss.len(), 1);
    assert!(amiss[0].contains("5 bytes on disk, want 9"), "{amiss:?}");
    assert!(!cache.path(&short).exists());
    assert_eq!(again.parts().unwrap(), BTreeMap::from([(wanted_part, 3)]));
    assert!(home.join("foreign").exists() && root.join("parts/readme").exists());
}

#[test]
fn removing_is_idempotent_and_wiping_leaves_nothing() {
    let (dir, cache) = cache();
    let (one, _two) = (admit(&cache, b"one"), admit(&cache, b"two"));
    cache.remove(&one).unwrap();
    cache.remove(&one).unwrap();
    assert!(!cache.contains(&one) && !cache.path(&one).exists());
    Download::resume(&cache, &asset(b"three")).unwrap().0.write(b"th").unwrap();
    cache.wipe().unwrap();
    assert!(cache.held().is_empty() && cache.parts().unwrap().is_empty());
    let (again, _) = Cache::open(dir.path().join("assets"), &BTreeMap::new()).unwrap();
    assert!(again.held().is_empty());
}
