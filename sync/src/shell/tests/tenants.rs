//! What the next tenant finds of the one before, wherever the power fails; and what a tenant that fills
//! the cache does to what plays.

use std::path::Path;

use super::*;
use crate::shell::hand_over::hand_over;

/// Everything that lies in a directory, names and bytes.
fn disk(dir: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        all.extend(entry.file_name().into_encoded_bytes());
        match entry.file_type().unwrap().is_dir() {
            true => all.extend(disk(&entry.path())),
            false => all.extend(std::fs::read(entry.path()).unwrap()),
        }
    }
    all
}

fn holds(dir: &Path, trace: &[u8]) -> bool {
    disk(dir).windows(trace.len()).any(|part| part == trace)
}

const SECRET: &[u8] = b"the old tenant's picture, which is nobody else's business";

/// What of it can be found on the disk: a file, an envelope, a record, the account.
struct Traces(Vec<Vec<u8>>);

impl Traces {
    fn found(&self, dir: &Path) -> usize {
        self.0.iter().filter(|trace| holds(dir, trace)).count()
    }
}

/// A device of `acme` with something of everything, and the account that comes next.
async fn estate() -> (Bench, Account, Traces) {
    let mut bench = bench(Duration::ZERO).await;
    bench.serve(SECRET);
    bench.cloud.publish(&manifest(1, &[SECRET]));
    bench.pass(Duration::from_secs(90)).await;
    bench.cloud.0.dead.store(true, Ordering::Relaxed);
    bench.keep_fault("acme_fault").await;
    let next = Account {
        cloud_url: "http://127.0.0.1:1".into(),
        tenant: "rival".into(),
        device: "d9".into(),
        tenant_key: SigningKey::from_bytes(&[5; 32]).verifying_key(),
        former_key: None,
    };
    let envelope = std::fs::read(bench._dir.path().join("generations/1.envelope")).unwrap();
    let traces = [SECRET, &envelope[100..160], b"acme_fault", b"acme"].map(<[u8]>::to_vec);
    (bench, next, Traces(traces.into()))
}

/// What a cut may leave done of a handing over.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cut {
    Noted,
    EnvelopesGone,
    RowsGone,
    SomeFilesGone,
    FilesGone,
    InForce,
}

fn cut(dir: &Path, next: &Account, at: Cut) {
    next.save_next(dir).unwrap();
    if at == Cut::Noted {
        return;
    }
    for entry in std::fs::read_dir(dir.join("generations")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    if at == Cut::EnvelopesGone {
        return;
    }
    let (mut store, _) = store::Store::open(dir).unwrap();
    store.forget_tenant().unwrap();
    // No close: the power is gone.
    drop(store);
    if at == Cut::RowsGone {
        return;
    }
    let digest = Digest::of(SECRET).to_string();
    let file = dir.join("assets").join(&digest[..2]).join(&digest);
    std::fs::remove_file(file).unwrap();
    std::fs::remove_dir(dir.join("assets/parts")).unwrap();
    if at == Cut::SomeFilesGone {
        return;
    }
    crate::cache::wipe(&dir.join("assets")).unwrap();
    if at == Cut::InForce {
        next.save(dir).unwrap();
    }
}

#[tokio::test]
async fn wherever_a_handing_over_is_cut_the_next_start_ends_it_before_anything_is_shown() {
    for at in [
        Cut::Noted,
        Cut::EnvelopesGone,
        Cut::RowsGone,
        Cut::SomeFilesGone,
        Cut::FilesGone,
        Cut::InForce,
    ] {
        let (bench, next, traces) = estate().await;
        let bench = bench.restart_after(|dir| cut(dir, &next, at)).await;
        let dir = bench._dir.path();
        assert_eq!(bench.plays(), 0, "{at:?}: the old tenant's content after the cut");
        let paired = bench.events.lock().unwrap().iter().rev().find_map(|(_, event)| match event {
            Event::Started { paired, .. } => Some(paired.clone().map(|paired| paired.tenant)),
            _ => None,
        });
        assert_eq!(paired, Some(Some("rival".into())), "{at:?}: nobody need approve again");
        assert_eq!(traces.found(dir), 0, "{at:?}: something is still on the disk");
        assert!(!dir.join("account.next.json").exists(), "{at:?}");
    }
}

/// Without the note nothing goes: the test above looks at the right places.
#[tokio::test]
async fn control_without_a_note_everything_stays() {
    let (bench, _, traces) = estate().await;
    let bench = bench.restart_after(|_| ()).await;
    assert_eq!(bench.plays(), 1);
    assert_eq!(traces.found(bench._dir.path()), 4);
}

#[tokio::test]
async fn handing_over_twice_is_handing_over_once() {
    let (bench, next, _) = estate().await;
    let (dir, store) = (bench._dir.path(), Arc::clone(&bench.shell.ways.store));
    let before = Account::load(dir).unwrap().unwrap();
    for _ in 0..2 {
        let cache = bench.shell.ways.cache.clone();
        hand_over(dir, &before, &next, &store, move || cache.wipe()).await.unwrap();
        assert_eq!(Account::load(dir).unwrap(), Some(next.clone()));
    }
}

#[tokio::test]
async fn content_that_is_too_large_for_the_cache_never_harms_what_plays() {
    let mut bench = bench(Duration::ZERO).await;
    bench.serve(b"small");
    bench.cloud.publish(&manifest(1, &[b"small"]));
    bench.pass(Duration::from_secs(90)).await;
    bench.tune(|tuning| tuning.cache_bytes = 40);
    const LARGE: &[u8] = b"far more than the forty bytes that this tenant has";
    bench.serve(LARGE);
    bench.cloud.publish(&manifest(2, &[LARGE]));
    bench.pass(HOUR * 72).await;
    assert_eq!((bench.plays(), bench.lives().last().unwrap().2), (1, 0), "whole, for three days");
    assert!(bench.shell.ways.cache.contains(&Digest::of(b"small")));
    assert_eq!(bench.faults(), ["no_room"], "said once");
    let asked = bench.cloud.times("asset").len();
    assert_eq!(asked, 1, "what can never fit is not tried");
    // A part of it that fits, and shows: after patience the rest is passed over.
    bench.serve(b"fits");
    bench.cloud.publish(&manifest(3, &[LARGE, b"fits"]));
    bench.pass(HOUR * 2).await;
    assert_eq!((bench.plays(), bench.lives().last().unwrap().2), (3, 1));
    bench.tune(|tuning| tuning.cache_bytes = 1 << 20);
    bench.pass(HOUR).await;
    assert_eq!(bench.lives().last().unwrap().2, 0, "the control: with room it comes");
}
