//! Tickers that run with other people's headlines.

use super::*;
use axum::http::StatusCode;
use rig::Paper;

fn ticker(version: u64, url: &str) -> Value {
    let item = json!({ "id": "t", "kind": "ticker", "feed": { "url": url } });
    manifest(version, &[], vec![item])
}

/// A player whose ticker runs with the headlines of `paper`.
fn reading(dir: &Path, paper: &Paper) -> (TestCloud, Player) {
    let cloud = TestCloud::start();
    cloud.approve();
    cloud.publish(&ticker(1, &paper.url));
    let player = Player::start(options(dir, Some(&cloud.url)), tuning());
    player.live(1);
    (cloud, player)
}

/// Waits until a ticker runs with these.
fn until_headlines(player: &Player, paper: &Paper, wanted: &[&str]) {
    player.wait(&format!("{wanted:?}"), |event| match event {
        Event::Live(live) => (live.headlines.get(&paper.url)? == wanted).then_some(()),
        _ => None,
    });
}

#[test]
fn headlines_come_change_and_outlive_a_restart_without_any_network() {
    let dir = tempfile::tempdir().unwrap();
    let paper = Paper::start();
    paper.print(&["Rain", "Wind &amp; snow"], "\"1\"");
    let (cloud, player) = reading(dir.path(), &paper);
    until_headlines(&player, &paper, &["Rain", "Wind & snow"]);
    paper.print(&["Sun"], "\"2\"");
    player.sync_now();
    until_headlines(&player, &paper, &["Sun"]);
    let before = paper.desk().hits.len();
    player.sync_now();
    paper.until_asked(before);
    for (path, headers) in &paper.desk().hits {
        assert_eq!(path, "/feed");
        for field in ["authorization", "x-tenant", "cookie", "referer"] {
            assert!(!headers.contains_key(field), "{field} is sent");
        }
    }
    let last = paper.desk().hits.last().map(|(_, headers)| headers.clone()).unwrap();
    assert_eq!(last.get("if-none-match").unwrap(), "\"2\"");
    player.stop();
    let url = paper.url.clone();
    drop((paper, cloud));
    let player = Player::start(options(dir.path(), None), tuning());
    let live = player.started().expect("something to play");
    assert_eq!(live.headlines[&url], ["Sun"], "with the first word");
    player.stop();
}

#[test]
fn a_broken_feed_keeps_the_last_headlines_and_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let paper = Paper::start();
    paper.print(&["Rain"], "\"1\"");
    let (_cloud, player) = reading(dir.path(), &paper);
    until_headlines(&player, &paper, &["Rain"]);
    for (n, fault) in ["<html>Sign in</html>", "<rss><channel><item>", ""].into_iter().enumerate() {
        let before = paper.desk().hits.len();
        (paper.desk().body, paper.desk().etag) = (fault.into(), Some(format!("\"x{n}\"")));
        player.sync_now();
        paper.until_asked(before);
    }
    let told = player.trouble("feed_failed");
    assert!(told.contains(&paper.url) && told.contains("the last headlines stay"), "{told}");
    let before = paper.desk().hits.len();
    paper.desk().status = Some(StatusCode::NOT_FOUND);
    player.sync_now();
    paper.until_asked(before);
    let news = player.rest();
    assert!(!news.iter().any(|event| matches!(event, Event::Live(_))), "{news:?}");
    paper.print(&["Sun"], "\"3\"");
    player.sync_now();
    until_headlines(&player, &paper, &["Sun"]);
    player.stop();
}

#[test]
fn redirects_are_followed_but_not_for_ever_and_size_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let paper = Paper::start();
    paper.print(&["Rain"], "\"1\"");
    paper.desk().location = Some("/moved".into());
    let (_cloud, player) = reading(dir.path(), &paper);
    until_headlines(&player, &paper, &["Rain"]);
    for fault in ["a loop", "too long"] {
        for n in 0..3 {
            let before = paper.desk().hits.len();
            let mut desk = paper.desk();
            (desk.status, desk.etag) = (None, Some(format!("\"{fault} {n}\"")));
            match fault {
                "a loop" => desk.location = Some(format!("/{n}/../never-there?")),
                _ => (desk.location, desk.body) = (None, vec![b' '; 3 << 20]),
            }
            drop(desk);
            player.sync_now();
            paper.until_asked(before);
        }
        let told = player.trouble("feed_failed");
        let says = if fault == "a loop" { "redirect" } else { "longer than" };
        assert!(told.contains(says), "{told}");
        paper.print(&[fault], &format!("\"good after {fault}\""));
        player.sync_now();
        until_headlines(&player, &paper, &[fault]);
    }
    player.stop();
}

#[test]
fn a_feed_that_no_ticker_names_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let paper = Paper::start();
    paper.print(&["Rain"], "\"1\"");
    let (cloud, player) = reading(dir.path(), &paper);
    until_headlines(&player, &paper, &["Rain"]);
    let kept = || fs::read_dir(dir.path().join("headlines")).map_or(0, |files| files.count());
    assert_eq!(kept(), 1);
    cloud.publish(&manifest(
        2,
        &[],
        vec![json!({"id": "c", "kind": "colour", "colour": "#000000"})],
    ));
    let live = player.live(2);
    assert!(live.headlines.is_empty());
    player.stop();
    assert_eq!(kept(), 0);
}
