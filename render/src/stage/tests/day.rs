//! A day on the screen: items are as long as they should be, and the day has as many.

use super::*;

const REFRESH: Duration = Duration::from_nanos(16_683_350);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The display's first refresh at or after `at`.
fn refresh_at(at: Mono) -> Mono {
    let refresh = REFRESH.as_nanos() as u64;
    Mono(at.0.div_ceil(refresh) * refresh)
}

/// Plays items of these lengths in turn for a day, each up to `late` refreshes late, and gives the
/// moments at which they came on.
fn day(lengths_ms: &[u64], late: &[u64]) -> Vec<(Mono, Duration)> {
    let mut rig = Rig::new();
    let (mut turn, mut came) = (1, Vec::new());
    rig.ready(&[1]);
    rig.wish(&[1], None);
    rig.turn();
    let begun = rig.now;
    for (length_ms, late) in lengths_ms.iter().cycle().zip(late.iter().cycle()) {
        let lasts = Duration::from_millis(*length_ms);
        came.push((rig.now, lasts));
        if rig.now.since(begun) >= DAY {
            return came;
        }
        rig.ready(&[turn + 1]);
        rig.wish(&[turn], Some((&[turn + 1], Start::After { turn, lasts })));
        assert_eq!(rig.turn(), None, "nothing is due yet");
        let due = rig.stage.wake_at(rig.now.after(lasts / 2)).expect("it ends");
        let mut now = refresh_at(due).after(REFRESH * *late as u32);
        loop {
            rig.now = now;
            if rig.turn() == Some(vec![turn + 1]) {
                break;
            }
            now = now.after(REFRESH);
        }
        turn += 1;
        rig.scripts.borrow_mut().remove(&(turn - 2));
        rig.said.clear();
    }
    came
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn nothing_drifts_over_a_day(
        lengths_ms in prop::collection::vec(5_000..60_000u64, 1..6),
        late in prop::collection::vec(0..3u64, 1..9),
    ) {
        let came = day(&lengths_ms, &late);
        let mut wanted = came[0].0;
        for ((at, _), lasts) in came.iter().skip(1).zip(came.iter().map(|(_, lasts)| *lasts)) {
            wanted = wanted.after(lasts);
            let off = at.since(wanted);
            prop_assert!(*at >= wanted && off <= REFRESH * 3, "{:?} off after {:?}", off, wanted);
        }
    }

    #[test]
    fn an_item_is_as_long_as_it_should_be_to_a_refresh(
        lengths_ms in prop::collection::vec(5_000..60_000u64, 1..6),
    ) {
        for two in day(&lengths_ms, &[0]).windows(2) {
            let ((begun, lasts), (ended, _)) = (two[0], two[1]);
            let off = ended.since(begun).abs_diff(lasts);
            prop_assert!(off <= REFRESH, "{:?} instead of {:?}", ended.since(begun), lasts);
        }
    }
}
