use jiff::civil::Time;
use proptest::prelude::*;
use vitrine_sync::model::Validity;

use super::*;

const WEEK: [Day; 7] = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];

fn entry(id: &str, kind: EntryKind, priority: i32, windows: Vec<Window>) -> Entry {
    let target = Target::Playlist(id.into());
    let valid = Validity::default();
    Entry { id: id.into(), kind, priority, display: 1, target, windows, valid }
}

fn window(days: &[Day], from: (i8, i8), until: (i8, i8)) -> Window {
    let time = |(hour, minute)| Time::constant(hour, minute, 0, 0);
    Window { days: days.to_vec(), from: time(from), until: time(until) }
}

fn always(_: &Target) -> bool {
    true
}

/// For a device with one display.
fn resolve(schedule: &[Entry], now: &Zoned, trust: Trust, has: &dyn Fn(&Target) -> bool) -> Due {
    super::resolve(schedule, &Asked { now, trust, displays: 1 }, has)
}

fn berlin(text: &str) -> Zoned {
    format!("{text}[Europe/Berlin]").parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn names(schedule: &[Entry], due: &Due) -> String {
    due.entries.iter().map(|at| schedule[*at].id.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn resolve_table() {
    use EntryKind::{Fallback, Interrupt, Normal};
    let schedule = [
        entry("house", Fallback, 0, vec![]),
        entry("dawn", Normal, 1, vec![window(&[], (5, 0), (6, 0))]),
        entry("night", Normal, 1, vec![window(&WEEK, (22, 0), (6, 0))]),
        entry("lunch", Normal, 2, vec![window(&WEEK[..5], (11, 30), (14, 0))]),
        entry("early", Normal, 3, vec![window(&WEEK[6..], (2, 30), (4, 0))]),
        entry("alarm", Interrupt, -9, vec![window(&[Day::Wed], (12, 0), (12, 1))]),
    ];
    for (case, now, playing, until) in [
        ("plain morning", "2026-03-04T09:00+01:00", "house", "2026-03-04T11:30+01:00"),
        ("first instant", "2026-03-04T11:30+01:00", "lunch", "2026-03-04T12:00+01:00"),
        ("any interrupt wins", "2026-03-04T12:00+01:00", "alarm", "2026-03-04T12:01+01:00"),
        ("end is outside", "2026-03-04T14:00+01:00", "house", "2026-03-04T22:00+01:00"),
        ("over midnight", "2026-03-05T01:00+01:00", "night", "2026-03-05T05:00+01:00"),
        ("equals take turns", "2026-03-05T05:30+01:00", "dawn night", "2026-03-05T06:00+01:00"),
        ("saturday", "2026-03-07T12:00+01:00", "house", "2026-03-07T22:00+01:00"),
        ("02:30 is skipped", "2026-03-29T03:10+02:00", "night", "2026-03-29T03:30+02:00"),
        ("02:30 was skipped", "2026-03-29T03:30+02:00", "early", "2026-03-29T04:00+02:00"),
        ("02:30 comes twice", "2026-10-25T02:15+01:00", "early", "2026-10-25T04:00+01:00"),
    ] {
        let due = resolve(&schedule, &berlin(now), Trust::Synced, &always);
        assert_eq!(names(&schedule, &due), playing, "case {case:?}");
        assert_eq!(due.until, Some(until.parse().expect(case)), "case {case:?}");
    }
}

#[test]
fn validity_is_half_open_and_waits_for_a_believed_clock_to_end() {
    let bound = |text: &str| Some(text.parse().expect("a timestamp"));
    let mut summer = entry("summer", EntryKind::Normal, 0, vec![]);
    summer.valid =
        Validity { from: bound("2026-06-01T00:00+02:00"), until: bound("2026-09-01T00:00+02:00") };
    let house = entry("house", EntryKind::Fallback, 0, vec![]);
    let both = vec![house, summer.clone()];
    let alone = vec![summer];
    for (case, schedule, now, trust, playing) in [
        ("before", &both, "2026-05-31T23:59+02:00", Trust::Synced, "house"),
        ("begins", &both, "2026-06-01T00:00+02:00", Trust::Synced, "summer"),
        ("ends", &both, "2026-09-01T00:00+02:00", Trust::Synced, "house"),
        ("a guess selects", &both, "2026-07-01T00:00+02:00", Trust::Guess, "summer"),
        ("a guess prefers what holds", &both, "2026-09-01T00:00+02:00", Trust::Guess, "house"),
        ("a guess ends nothing", &alone, "2026-09-01T00:00+02:00", Trust::Guess, "summer"),
        ("a belief does", &alone, "2026-09-01T00:00+02:00", Trust::Synced, ""),
        ("no early release by a guess", &alone, "2026-05-01T00:00+02:00", Trust::Guess, ""),
    ] {
        let due = resolve(schedule, &berlin(now), trust, &always);
        assert_eq!(names(schedule, &due), playing, "case {case:?}");
    }
}

#[test]
fn every_loser_is_told_why() {
    let mut over = entry("over", EntryKind::Normal, 9, vec![]);
    over.valid.until = Some("2026-01-01T00:00Z".parse().expect("a timestamp"));
    let mut later = entry("later", EntryKind::Normal, 9, vec![]);
    later.valid.from = Some("2027-01-01T00:00Z".parse().expect("a timestamp"));
    let schedule = [
        entry("plays", EntryKind::Normal, 1, vec![]),
        entry("outranked", EntryKind::Normal, 0, vec![]),
        entry("empty", EntryKind::Interrupt, 0, vec![]),
        entry("closed", EntryKind::Normal, 9, vec![window(&[], (8, 0), (9, 0))]),
        over,
        later,
    ];
    let has_something = |target: &Target| *target != Target::Playlist("empty".into());
    let now = berlin("2026-03-04T09:00+01:00");
    let due = resolve(&schedule, &now, Trust::Synced, &has_something);
    use Verdict::{NotYet, NothingToShow, Outranked, Over, Plays, WindowClosed};
    assert_eq!(due.verdicts, [Plays, Outranked, NothingToShow, WindowClosed, Over, NotYet]);
}

#[test]
fn overlays_lie_over_one_another_as_far_as_there_is_room() {
    let mut schedule: Vec<Entry> = (0..limits::OVERLAYS as i32 + 2)
        .map(|n| entry(&n.to_string(), EntryKind::Overlay, -n, vec![]))
        .collect();
    schedule[1].valid.until = Some(berlin("2026-03-04T08:00+01:00").timestamp());
    let due = resolve(&schedule, &berlin("2026-03-04T09:00+01:00"), Trust::Guess, &always);
    assert_eq!(due.overlays, [8, 7, 6, 5, 4, 3, 2, 0], "the highest in front");
    assert_eq!((due.verdicts[9], due.verdicts[1]), (Verdict::Outranked, Verdict::Over));
    assert_eq!(due.entries, [0usize; 0]);
}

#[test]
fn a_year_of_lunches_opens_and_closes_every_weekday() {
    let schedule =
        [entry("lunch", EntryKind::Normal, 0, vec![window(&WEEK[..5], (11, 30), (14, 0))])];
    let (mut now, end) = (berlin("2026-01-01T00:00+01:00"), berlin("2027-01-01T00:00+01:00"));
    let mut lunches = 0;
    while now < end {
        let due = resolve(&schedule, &now, Trust::Synced, &always);
        if !due.entries.is_empty() {
            assert_eq!(now.time(), Time::constant(11, 30, 0, 0), "{now}");
            lunches += 1;
        }
        now = due.until.expect("there is always another lunch").to_zoned(now.time_zone().clone());
    }
    assert_eq!(lunches, 261, "weekdays of 2026");
}

fn some_window() -> impl Strategy<Value = Window> {
    let time = (0i8..24, 0i8..4).prop_map(|(hour, quarter)| (hour, quarter * 15));
    (prop::collection::vec(0usize..7, 0..4), time.clone(), time).prop_map(|(days, from, until)| {
        window(&days.into_iter().map(|day| WEEK[day]).collect::<Vec<_>>(), from, until)
    })
}

fn some_validity() -> impl Strategy<Value = Validity> {
    // Minutes of 2026, like the moments asked about.
    let bound = || {
        prop::option::of((0..525_600i64).prop_map(|minute| {
            "2026-01-01T00:00Z".parse::<Timestamp>().expect("a timestamp") + minute.minutes()
        }))
    };
    (bound(), bound()).prop_map(|(from, until)| Validity { from, until })
}

fn some_schedule() -> impl Strategy<Value = Vec<Entry>> {
    use EntryKind::{Fallback, Interrupt, Normal, Overlay};
    let kind = prop_oneof![Just(Interrupt), Just(Normal), Just(Fallback), Just(Overlay)];
    let windows = prop::collection::vec(some_window(), 0..3);
    let one = (kind, 0i32..3, windows, some_validity());
    prop::collection::vec(one, 0..6).prop_map(|all| {
        let entries = all.into_iter().enumerate();
        entries
            .map(|(place, (kind, priority, windows, valid))| Entry {
                valid,
                ..entry(&place.to_string(), kind, priority, windows)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn the_answer_holds_until_until(
        schedule in some_schedule(), minute in 0..525_600i64, share in 0.0..1.0f64,
        guess: bool,
    ) {
        let trust = if guess { Trust::Guess } else { Trust::Synced };
        let now = berlin("2026-01-01T00:00+01:00") + minute.minutes();
        let due = resolve(&schedule, &now, trust, &always);
        if let Some(until) = due.until {
            prop_assert!(until > now.timestamp());
            let holds_s = until.as_second() - now.timestamp().as_second();
            let later = &now + ((holds_s as f64 * share) as i64).seconds();
            let then = resolve(&schedule, &later, trust, &always);
            prop_assert_eq!(then.entries, due.entries, "changed early, at {}", later);
            prop_assert_eq!(then.overlays, due.overlays, "changed early, at {}", later);
            prop_assert_eq!(then.verdicts, due.verdicts, "changed early, at {}", later);
        }
    }

    #[test]
    fn overlays_stand_in_nobodys_way(schedule in some_schedule(), minute in 0..525_600i64) {
        let now = berlin("2026-01-01T00:00+01:00") + minute.minutes();
        let others: Vec<Entry> =
            schedule.iter().filter(|entry| entry.kind != EntryKind::Overlay).cloned().collect();
        let with = resolve(&schedule, &now, Trust::Synced, &always);
        let without = resolve(&others, &now, Trust::Synced, &always);
        prop_assert_eq!(names(&schedule, &with), names(&others, &without));
        prop_assert!(with.overlays.is_sorted_by_key(|at| schedule[*at].priority));
    }

    #[test]
    fn a_guess_never_leaves_the_screen_empty(schedule in some_schedule(), minute in 0..525_600i64) {
        let now = berlin("2026-01-01T00:00+01:00") + minute.minutes();
        let believed = resolve(&schedule, &now, Trust::Synced, &always);
        let guessed = resolve(&schedule, &now, Trust::Guess, &always);
        if believed.entries.is_empty() {
            let ended = |entry: &Entry| entry.valid.until.is_some_and(|u| u <= now.timestamp());
            prop_assert!(guessed.entries.iter().all(|at| ended(&schedule[*at])));
        } else {
            prop_assert_eq!(guessed.entries, believed.entries, "certain content goes first");
        }
    }

    #[test]
    fn each_display_has_its_own_schedule(
        schedule in some_schedule(), on in prop::collection::vec(1..4u8, 6),
        minute in 0..525_600i64,
    ) {
        let now = berlin("2026-01-01T00:00+01:00") + minute.minutes();
        let mut schedule = schedule;
        schedule.iter_mut().zip(on).for_each(|(entry, display)| entry.display = display);
        let asked = Asked { now: &now, trust: Trust::Synced, displays: 3 };
        let due = super::resolve(&schedule, &asked, &always);
        let id = |place: &usize| schedule[*place].id.clone();
        for display in 1..=3 {
            let mut alone: Vec<_> = schedule.clone();
            alone.retain(|entry| entry.display == display);
            alone.iter_mut().for_each(|entry| entry.display = 1);
            let own = resolve(&alone, &now, Trust::Synced, &always);
            let own: Vec<_> = own.entries.iter().map(|at| alone[*at].id.clone()).collect();
            let found: Vec<_> = match display {
                1 => due.entries.iter().map(id).collect(),
                _ => {
                    let is_here = |at: &&usize| {
                        schedule[**at].display == display
                            && schedule[**at].kind != EntryKind::Overlay
                    };
                    due.overlays.iter().filter(is_here).map(id).collect()
                }
            };
            let most = if display == 1 { own.len() } else { 1 };
            prop_assert_eq!(found, own.into_iter().take(most).collect::<Vec<_>>());
        }
    }
}

#[test]
fn entries_for_a_display_that_is_not_there_wait_for_it() {
    let second = Entry { display: 2, ..entry("b", EntryKind::Interrupt, 9, vec![]) };
    let third = Entry { display: 2, ..entry("c", EntryKind::Interrupt, 9, vec![]) };
    let schedule = [entry("a", EntryKind::Normal, 0, vec![]), second, third];
    let now = berlin("2026-03-04T09:00+01:00");
    let due = resolve(&schedule, &now, Trust::Synced, &always);
    assert_eq!((due.entries, due.overlays), (vec![0], vec![]));
    assert_eq!(due.verdicts[1], Verdict::NoDisplay);
    let asked = Asked { now: &now, trust: Trust::Synced, displays: 2 };
    let due = super::resolve(&schedule, &asked, &always);
    assert_eq!((due.entries, due.overlays), (vec![0], vec![1]));
    assert_eq!(due.verdicts, [Verdict::Plays, Verdict::Plays, Verdict::Outranked]);
}
