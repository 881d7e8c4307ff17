//! Tickers that run with the headlines of a feed: when others reach the screen.

use std::time::Duration;

use vitrine_sync::model::{
    Align, Content, Item, Live, NewsFeed, Text, TextStyle, VerticalPlace, Words,
};

use super::*;

fn ticker(id: &str, text: &str) -> Item {
    let (url, refresh) = ("u".to_owned(), Duration::from_secs(900));
    let feed = Some(NewsFeed { url, items: 3, separator: None, refresh });
    let words = Words::Ticker { text: text.into(), feed, speed_px_s: 100 };
    let style = TextStyle {
        font: None,
        family: None,
        size_px: 40,
        weight: 400,
        colour: [255; 3],
        align: Align::Start,
        place: VerticalPlace::Middle,
        wrap: false,
        padding_px: 0,
    };
    item(id, Content::Text(Box::new(Text { words, style })))
}

/// The same generation, by now with these headlines.
fn with(items: &[Item], headline: &str) -> Live {
    let mut live = live(1, vec![playlist("p", items.to_vec())]);
    if !headline.is_empty() {
        live.headlines.insert("u".into(), vec![headline.into()]);
    }
    live
}

/// The simulated stage lets a line run across in eight seconds.
#[test]
fn other_headlines_wait_for_the_line_to_run_out() {
    let items = [ticker("t", "")];
    let mut world = World::playing(with(&items, "a"));
    world.run_to(3_000);
    world.go_live(with(&items, "b"));
    world.run_to(4_000);
    world.go_live(with(&items, "c"));
    world.run_to(20_000);
    assert_eq!(world.take_shown(), ["50 ticker:a", "8050 ticker:c", "16050 ticker:c"]);
}

#[test]
fn a_line_that_follows_itself_makes_room_at_the_end_of_its_time_and_only_for_another() {
    let items = [lasting(10_000, ticker("t", ""))];
    let mut world = World::playing(with(&items, "a"));
    world.run_to(14_000);
    assert_eq!(world.take_shown(), ["50 ticker:a"], "nothing to make room for");
    world.go_live(with(&items, "b"));
    world.run_to(25_000);
    assert_eq!(world.take_shown(), ["14050 ticker:b"]);
}

#[test]
fn a_ticker_without_headlines_is_passed_over_until_some_come() {
    let items = [ticker("t", ""), image("a")];
    let mut world = World::playing(with(&items, ""));
    world.run_to(12_000);
    assert_eq!(world.take_shown(), ["50 a"]);
    world.go_live(with(&items, "news"));
    world.run_to(19_000);
    assert_eq!(world.take_shown(), ["12050 ticker:news"]);
    let instead = [ticker("t", "welcome")];
    let mut world = World::playing(with(&instead, ""));
    world.run_to(1_000);
    assert_eq!(world.take_shown(), ["50 ticker:welcome"]);
}
