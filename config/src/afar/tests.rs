use proptest::prelude::*;

use super::*;

const KEY: &str = "cloud.poll_s";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn word(value: &str, second: i64, by: &str) -> Word {
    Word { value: value.into(), at: at(second), by: by.into() }
}

fn cloud(value: &str, second: i64) -> BTreeMap<String, Word> {
    BTreeMap::from([(KEY.to_owned(), word(value, second, "anna"))])
}

fn local(value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(KEY.to_owned(), value.to_owned())])
}

fn holds(ledger: &Ledger) -> Option<&str> {
    ledger.get(KEY)?.last().map(|word| word.value.as_str())
}

#[test]
fn the_later_word_wins_key_by_key() {
    let (none, silent) = (BTreeMap::new(), BTreeMap::new());
    let mut ledger = Ledger::new();
    for (case, local, cloud, now, want, change) in [
        ("nobody", none.clone(), silent.clone(), 10, None, None),
        ("the cloud", none.clone(), cloud("30", 15), 20, Some("30"), Some(("anna", 15, None))),
        ("then the file", local("40"), cloud("30", 15), 25, Some("40"), {
            Some((FILE, 25, Some("30")))
        }),
        ("nothing new", local("40"), cloud("30", 15), 30, Some("40"), None),
        ("an older one of the cloud", local("40"), cloud("50", 24), 35, Some("40"), None),
        (
            "a newer one",
            local("40"),
            cloud("60", 36),
            40,
            Some("60"),
            Some(("anna", 36, Some("40"))),
        ),
        ("the file again", local("70"), cloud("60", 36), 45, Some("70"), {
            Some((FILE, 45, Some("60")))
        }),
        ("the file says no more", none.clone(), cloud("60", 36), 50, Some("60"), {
            Some((FILE, 50, Some("70")))
        }),
        ("nor the cloud", none, silent, 55, None, Some(("anna", 55, Some("60")))),
    ] {
        let (after, changes) = merge(&ledger, &local, &cloud, at(now));
        assert_eq!(holds(&after), want, "case {case:?}");
        let got = changes.first().map(|c| (c.by.as_str(), c.at, c.old.as_deref()));
        assert_eq!(got, change.map(|(by, s, old)| (by, at(s), old)), "case {case:?}");
        assert_eq!(
            changes.first().and_then(|c| c.new.as_deref()),
            change.and(want),
            "case {case:?}"
        );
        ledger = after;
    }
}

#[test]
fn the_policy_of_the_device_stands_above_the_cloud() {
    let policy = Policy {
        floors: BTreeMap::from([("cache.reserve_mb".to_owned(), 1_000)]),
        locked: BTreeSet::from(["screen.rotation".to_owned()]),
    };
    for (case, key, value, want) in [
        ("good", "cloud.poll_s", "30", Ok("30")),
        ("a text", "device.name", "Lobby", Ok("Lobby")),
        ("below the floor", "cache.reserve_mb", "16", Ok("1000")),
        ("above the floor", "cache.reserve_mb", "2000", Ok("2000")),
        ("locked", "screen.rotation", "90", Err("locked")),
        ("out of range", "cloud.poll_s", "0", Err("5 to 3600")),
        ("no number", "cloud.poll_s", "often", Err("5 to 3600")),
        ("unknown", "cloud.mood", "good", Err("no setting")),
        ("where wishes come from", "cloud.url", "https://evil.example", Err("own file")),
        ("where things lie", "paths.state_dir", "/tmp", Err("own file")),
        ("a dark screen", "screen.output", "none", Err("own file")),
        ("the policy itself", "policy.locked", "", Err("own file")),
    ] {
        match (policy.admit(key, value), want) {
            (Ok(got), Ok(want)) => assert_eq!(got, want, "case {case:?}"),
            (Err(got), Err(want)) => assert!(got.contains(want), "case {case:?}: {got}"),
            (got, want) => panic!("case {case:?}: {got:?}, want {want:?}"),
        }
    }
}

/// What happens to settings, in the order of time.
#[derive(Debug, Clone)]
enum Op {
    File(Option<u8>),
    Cloud(Option<u8>),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let value = || prop::option::of(0u8..4);
    prop::collection::vec(
        prop_oneof![value().prop_map(Op::File), value().prop_map(Op::Cloud)],
        1..12,
    )
}

proptest! {
    #[test]
    fn nothing_new_changes_nothing(ops in ops()) {
        let (mut file, mut afar, mut ledger) = (BTreeMap::new(), BTreeMap::new(), Ledger::new());
        for (second, op) in (1i64..).zip(ops) {
            match op {
                Op::File(value) => file = value.map_or_else(BTreeMap::new, |v| local(&v.to_string())),
                Op::Cloud(value) => {
                    afar = value.map_or_else(BTreeMap::new, |v| cloud(&v.to_string(), second));
                }
            }
            let before = holds(&ledger).map(str::to_owned);
            let (after, changes) = merge(&ledger, &file, &afar, at(second));
            // Each change is told, and nothing else is.
            let told = changes.iter().map(|c| (c.old.clone(), c.new.clone())).next();
            let now = holds(&after).map(str::to_owned);
            prop_assert_eq!(told, (before != now).then_some((before, now)));
            let (again, none) = merge(&after, &file, &afar, at(second + 100));
            prop_assert_eq!((&again, none.len()), (&after, 0));
            ledger = after;
        }
    }

    #[test]
    fn in_whatever_order_words_come_the_same_ones_hold(
        first in 0u8..4, second in 0u8..4, late in any::<bool>(),
    ) {
        // The file was changed at 10, the cloud at 5 or 15; the cloud's word comes before or after.
        let when = if late { 15 } else { 5 };
        let (file, afar) = (local(&first.to_string()), cloud(&second.to_string(), when));
        let none = BTreeMap::new();
        let (seen, _) = merge(&Ledger::new(), &file, &none, at(10));
        let (one, _) = merge(&seen, &file, &afar, at(20));
        let (seen, _) = merge(&Ledger::new(), &BTreeMap::new(), &afar, at(9));
        let (other, _) = merge(&seen, &file, &afar, at(10));
        prop_assert_eq!(holds(&one), holds(&other));
        let want = if late { second } else { first }.to_string();
        prop_assert_eq!(holds(&one), Some(want.as_str()));
    }
}

#[test]
fn a_layer_from_afar_lies_above_the_files_and_below_what_was_typed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("vitrine.toml");
    std::io::Write::write_all(
        &mut std::fs::File::create(&file).unwrap(),
        b"[cloud]\npoll_s = 30\nheartbeat_s = 30\n[audio]\nvolume_percent = 5\n",
    )
    .unwrap();
    let mut sources = crate::Sources { file: Some(file), ..Default::default() };
    sources.overrides = vec!["cloud.heartbeat_s=99".into()];
    let afar = [("cloud.poll_s", "40"), ("cloud.heartbeat_s", "40"), ("cloud.poll_ms", "1")];
    let afar = afar.map(|(key, value)| (key.to_owned(), word(value, 5, "anna")));
    sources.afar.set(BTreeMap::from(afar));
    let config = crate::load(&sources).unwrap();
    assert_eq!((config.cloud.poll.as_secs(), config.cloud.heartbeat.as_secs()), (40, 99));
    assert_eq!(config.audio.volume, 0.05);
    let shown = crate::show_origins(&sources).unwrap();
    assert!(shown.contains("poll_s = 40  # cloud, by anna, 1970-01-01T00:00:05Z"), "{shown}");
}
