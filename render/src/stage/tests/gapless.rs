//! Nothing foreign, nothing black, nothing twice: films of changes, read from the pixels.

use super::film::{Film, Glimpse, REFRESH, colour, ground, number, only, video};
use super::*;

const WIDTH: u32 = 96;
const HEIGHT: u32 = 64;

/// A clip of the test media.
#[derive(Debug, Clone, Copy)]
struct Clip {
    name: &'static str,
    rate: u64,
    frames: u32,
    /// Of the ground, as near as codecs keep it.
    rgb: [u8; 3],
}

const RED_30: Clip = Clip { name: "gap-30.mp4", rate: 30, frames: 12, rgb: [0xa0, 0x20, 0x20] };
const GREEN_25: Clip = Clip { name: "gap-25.mp4", rate: 25, frames: 10, rgb: [0x20, 0xa0, 0x20] };
const BLUE_60: Clip = Clip { name: "gap-60.mp4", rate: 60, frames: 24, rgb: [0x20, 0x20, 0xa0] };
const YELLOW_25: Clip = Clip { name: "gap-25.webm", rate: 25, frames: 10, rgb: [0xa0, 0xa0, 0x20] };

/// One item of a film.
#[derive(Debug, Clone, Copy)]
enum Item {
    Still([u8; 3], Duration),
    Whole(Clip),
    /// Repeated for so long.
    Looped(Clip, Duration),
}

impl Item {
    fn layer(self, turn: Turn) -> Layer {
        match self {
            Item::Still(rgb, _) => colour(turn, rgb),
            Item::Whole(clip) => video(turn, clip.name, false),
            Item::Looped(clip, _) => video(turn, clip.name, true),
        }
    }

    fn end(self, turn: Turn) -> Start {
        match self {
            Item::Still(_, lasts) | Item::Looped(_, lasts) => Start::After { turn, lasts },
            Item::Whole(_) => at_end(turn),
        }
    }

    fn lasts(self) -> Duration {
        match self {
            Item::Still(_, lasts) | Item::Looped(_, lasts) => lasts,
            Item::Whole(clip) => Duration::from_secs(u64::from(clip.frames)) / clip.rate as u32,
        }
    }

    fn rgb(self) -> [u8; 3] {
        match self {
            Item::Still(rgb, _) => rgb,
            Item::Whole(clip) | Item::Looped(clip, _) => clip.rgb,
        }
    }

    /// The frame that is due this long after the first one; None for a still.
    fn frame_at(self, since: Duration) -> Option<u32> {
        // A frame is due from its moment on; times are rounded to nanoseconds on the way.
        let nearest = (since + REFRESH / 2).as_nanos() as u64 + 1_000;
        let due = |clip: Clip| nearest * clip.rate / 1_000_000_000;
        match self {
            Item::Still(..) => None,
            Item::Whole(clip) => Some((due(clip) as u32).min(clip.frames - 1)),
            Item::Looped(clip, _) => Some(due(clip) as u32 % clip.frames),
        }
    }
}

/// Plays `items` as a director would have it, and then a curtain.
fn film(items: &[Item]) -> (Vec<Glimpse>, Vec<Report>) {
    let mut film = Film::new(WIDTH, HEIGHT);
    let curtain = |turn| colour(turn, [1, 2, 3]);
    let scene = |place: usize| {
        let turn = place as Turn + 1;
        only(items.get(place).map_or(curtain(turn), |item| item.layer(turn)))
    };
    let mut seen = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let turn = place as Turn + 1;
        // From the second one on, the stage has moved on by itself before it hears of this.
        seen.extend(if place > 0 { film.until_shown(turn) } else { Vec::new() });
        film.wish(scene(place), Some(Next { scene: scene(place + 1), start: item.end(turn) }));
    }
    seen.extend(film.until_shown(items.len() as Turn + 1));
    film.stage.close(film.now);
    film.said.extend(film.stage.take_reports());
    (seen, film.said)
}

fn near(found: [u8; 3], wanted: [u8; 3]) -> bool {
    found.iter().zip(wanted).all(|(f, w)| f.abs_diff(w) <= 24)
}

fn shown_at(said: &[Report], wanted: Turn) -> Mono {
    let shown = said.iter().find_map(|report| match report {
        Report::Shown { turn, at } if *turn == wanted => Some(*at),
        _ => None,
    });
    shown.expect("it was shown")
}

/// Holds every refresh of a film to what must be there at that moment.
fn check(case: &str, items: &[Item]) {
    let (seen, said) = film(items);
    let mut wanted_at = shown_at(&said, 1);
    for (turn, item) in (1..).zip(items) {
        let begun = shown_at(&said, turn);
        let late = begun.since(wanted_at);
        assert!(begun >= wanted_at, "{case}, {turn}: too early");
        assert!(late <= REFRESH, "{case}, {turn}: {late:?} too late");
        let over = shown_at(&said, turn + 1);
        for glimpse in seen.iter().filter(|glimpse| begun <= glimpse.at && glimpse.at < over) {
            let since = glimpse.at.since(begun);
            let found = ground(&glimpse.picture);
            assert!(near(found, item.rgb()), "{case}, {turn} after {since:?}: {found:?}");
            if let Some(frame) = item.frame_at(since) {
                let found = number(&glimpse.picture);
                assert_eq!(found, frame, "{case}, {turn} after {since:?}: frame");
            }
        }
        // A video has all of its frames, each for its full time.
        let whole = matches!(item, Item::Whole(_));
        wanted_at = if whole { begun } else { wanted_at }.after(item.lasts());
        check_count(case, turn, *item, &said);
    }
    assert!(shown_at(&said, items.len() as Turn + 1).since(wanted_at) <= REFRESH, "{case}: end");
}

/// Every frame of a clip that was played whole is counted once.
fn check_count(case: &str, wanted: Turn, item: Item, said: &[Report]) {
    let Item::Whole(clip) = item else { return };
    let counted = said.iter().find_map(|report| match report {
        Report::Gone { turn, frames_presented, frames_dropped, .. } if *turn == wanted => {
            Some((*frames_presented, *frames_dropped))
        }
        _ => None,
    });
    assert_eq!(counted, Some((clip.frames.into(), 0)), "{case}, {wanted}: frames");
}

const A_WHILE: Duration = Duration::from_millis(250);
const RED: Item = Item::Still([200, 0, 0], A_WHILE);
const BLUE: Item = Item::Still([0, 0, 200], A_WHILE);

#[test]
fn stills_follow_stills_and_videos_without_a_gap() {
    check("still, still", &[RED, BLUE, RED]);
    check("still, video, still", &[RED, Item::Whole(GREEN_25), BLUE]);
}

#[test]
fn lateness_does_not_add_up() {
    // Ends between two refreshes, each time.
    let short = [RED, BLUE].map(|item| Item::Still(item.rgb(), Duration::from_millis(57)));
    check("many", &short.repeat(20));
}

#[test]
fn videos_follow_each_other_whatever_their_size_rate_and_codec() {
    let clips = [RED_30, GREEN_25, BLUE_60, YELLOW_25, RED_30].map(Item::Whole);
    check("videos", &clips);
}

#[test]
fn a_video_moves_on_while_its_successor_comes_in() {
    let early = Duration::from_millis(200);
    let entrance = Some(crate::scene::Transition { kind: TransitionKind::Zoom, lasts: early });
    let next = only(Layer { entrance, ..video(2, GREEN_25.name, false) });
    let mut film = Film::new(WIDTH, HEIGHT);
    let start = Start::AtEnd { turn: 1, early };
    film.wish(only(video(1, RED_30.name, false)), Some(Next { scene: next, start }));
    film.until_shown(2);
    let (begun, crossed) = (shown_at(&film.said, 1), shown_at(&film.said, 2));
    let lasts = Item::Whole(RED_30).lasts();
    assert!(crossed.since(begun.after(lasts - early)) <= REFRESH, "{:?}", crossed.since(begun));
    // For so long the new picture, in the middle, leaves the numbers of the old one free.
    while film.now.since(crossed) < early / 2 {
        let glimpse = film.step();
        let since = glimpse.at.since(begun);
        let frame = Item::Whole(RED_30).frame_at(since);
        assert_eq!(Some(number(&glimpse.picture)), frame, "after {since:?}");
    }
    assert!(near(ground(&film.step().picture), GREEN_25.rgb), "the new one is not in the middle");
    while film.now.since(crossed) < early {
        film.step();
    }
    let glimpse = film.step();
    let frame = Item::Whole(GREEN_25).frame_at(glimpse.at.since(crossed));
    assert_eq!(Some(number(&glimpse.picture)), frame, "afterwards");
}

fn check_loop(clip: Clip) {
    check(clip.name, &[Item::Looped(clip, Duration::from_millis(1_500)), RED]);
}

#[test]
fn a_loop_goes_round_without_a_gap_and_ends_in_time() {
    check_loop(RED_30);
}

#[test]
fn a_loop_at_the_displays_own_rate_has_no_gap() {
    check_loop(BLUE_60);
}

#[test]
fn a_loop_of_another_container_and_codec_has_no_gap() {
    check_loop(YELLOW_25);
}

/// The oracle can fail: a frame that is shown once more is noticed.
#[test]
#[should_panic(expected = "frame")]
fn a_frozen_frame_is_noticed() {
    let slower = Clip { rate: 24, ..GREEN_25 };
    check("wrong rate", &[Item::Whole(slower)]);
}

#[test]
fn a_video_is_back_on_another_gpu_at_once_and_no_frame_counts_twice() {
    let mut film = Film::new(WIDTH, HEIGHT);
    film.wish(
        only(video(1, RED_30.name, false)),
        Some(Next { scene: only(colour(2, [1, 2, 3])), start: at_end(1) }),
    );
    film.until_shown(1);
    for _ in 0..5 {
        film.step();
    }
    film.lose_gpu();
    let glimpse = film.step();
    assert!(glimpse.drawn, "the display was left dark");
    assert!(near(ground(&glimpse.picture), RED_30.rgb), "{:?}", ground(&glimpse.picture));
    let since = glimpse.at.since(shown_at(&film.said, 1));
    assert_eq!(Some(number(&glimpse.picture)), Item::Whole(RED_30).frame_at(since));
    film.until_shown(2);
    check_count("GPU lost", 1, Item::Whole(RED_30), &film.said);
}
