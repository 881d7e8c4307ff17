//! The watch against real directories and real notices: every way in which editors, package
//! managers and people save a file. Nothing here sleeps; each wait ends with the news or fails at a
//! deadline that is far beyond what a busy machine needs.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use vitrine_config::{Config, Problems, Reload, Sources, Watch};

const DEADLINE: Duration = Duration::from_secs(30);

/// A watched directory. The watch is declared first, so that it ends before its directory goes.
struct Rig {
    _watch: Watch,
    news: Receiver<Reload>,
    temp: tempfile::TempDir,
}

impl Rig {
    /// Prepares a directory and watches `etc/vitrine.toml` in it; what stood at the start has been
    /// told and taken.
    fn new(prepare: impl FnOnce(&Path)) -> (Rig, Reload) {
        let temp = tempfile::tempdir().unwrap();
        prepare(temp.path());
        let (told, news) = sync_channel(64);
        let file = Some(temp.path().join("etc/vitrine.toml"));
        let sources = Sources { file, ..Sources::default() };
        let watch = Watch::start(sources, move |reload| told.send(reload).unwrap()).unwrap();
        let rig = Rig { _watch: watch, news, temp };
        let first = rig.next();
        (rig, first)
    }

    /// With a file that says `poll_s = 10`.
    fn with_file() -> Rig {
        let (rig, first) = Rig::new(|home| {
            fs::create_dir(home.join("etc")).unwrap();
            fs::write(home.join("etc/vitrine.toml"), poll(10)).unwrap();
        });
        assert_eq!(poll_s(&changed(first)), 10);
        rig
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn next(&self) -> Reload {
        self.news.recv_timeout(DEADLINE).expect("news before the deadline")
    }

    /// Waits until the settings hold and say `want`; saving in steps may be seen half-way.
    fn until(&self, want: u64) {
        while poll_s(&self.changed()) != want {}
    }

    fn changed(&self) -> Arc<Config> {
        loop {
            if let Reload::Changed(config, _) = self.next() {
                return config;
            }
        }
    }

    fn broken(&self) -> Problems {
        loop {
            if let Reload::Broken(problems) = self.next() {
                return problems;
            }
        }
    }
}

fn changed(reload: Reload) -> Arc<Config> {
    match reload {
        Reload::Changed(config, _) => config,
        Reload::Broken(problems) => panic!("{problems}"),
    }
}

fn poll(seconds: u64) -> String {
    format!("[cloud]\npoll_s = {seconds}\n")
}

fn poll_s(config: &Config) -> u64 {
    config.cloud.poll.as_secs()
}

#[test]
fn saved_in_place() {
    let rig = Rig::with_file();
    for seconds in [20, 30, 40] {
        fs::write(rig.path("etc/vitrine.toml"), poll(seconds)).unwrap();
        rig.until(seconds);
    }
}

#[test]
fn appended_to() {
    let rig = Rig::with_file();
    let mut file = fs::OpenOptions::new().append(true).open(rig.path("etc/vitrine.toml")).unwrap();
    file.write_all(b"heartbeat_s = 77\n").unwrap();
    assert_eq!(rig.changed().cloud.heartbeat.as_secs(), 77);
}

#[test]
fn renamed_over() {
    let rig = Rig::with_file();
    for seconds in [20, 30] {
        fs::write(rig.path("etc/.vitrine.toml.swp"), poll(seconds)).unwrap();
        fs::rename(rig.path("etc/.vitrine.toml.swp"), rig.path("etc/vitrine.toml")).unwrap();
        rig.until(seconds);
    }
}

#[test]
fn moved_aside_and_written_anew() {
    let rig = Rig::with_file();
    for seconds in [20, 30] {
        fs::rename(rig.path("etc/vitrine.toml"), rig.path("etc/vitrine.toml~")).unwrap();
        fs::write(rig.path("etc/vitrine.toml"), poll(seconds)).unwrap();
        rig.until(seconds);
    }
}

#[test]
fn deleted_and_made_again_at_leisure() {
    let rig = Rig::with_file();
    fs::remove_file(rig.path("etc/vitrine.toml")).unwrap();
    let said = rig.broken().to_string();
    assert!(
        said.ends_with(
            "gone or empty: want its settings back; for defaults, a file with only a comment"
        ),
        "{said}"
    );
    fs::write(rig.path("etc/vitrine.toml"), poll(10)).unwrap();
    assert_eq!(poll_s(&rig.changed()), 10, "mended is told although nothing differs");
}

#[test]
fn emptied_and_filled_again() {
    let rig = Rig::with_file();
    fs::write(rig.path("etc/vitrine.toml"), "").unwrap();
    rig.broken();
    fs::write(rig.path("etc/vitrine.toml"), "# defaults\n").unwrap();
    rig.until(60);
}

#[test]
fn the_same_size_at_the_same_time() {
    let rig = Rig::with_file();
    let path = rig.path("etc/vitrine.toml");
    let then = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(rig.path("etc/new"), poll(20)).unwrap();
    fs::File::open(rig.path("etc/new")).unwrap().set_modified(then).unwrap();
    fs::rename(rig.path("etc/new"), &path).unwrap();
    rig.until(20);
}

#[test]
fn a_link_to_the_file_swapped() {
    let (rig, first) = Rig::new(|home| {
        fs::create_dir_all(home.join("etc")).unwrap();
        fs::create_dir_all(home.join("data")).unwrap();
        fs::write(home.join("data/a.toml"), poll(10)).unwrap();
        fs::write(home.join("data/b.toml"), poll(20)).unwrap();
        symlink("../data/a.toml", home.join("etc/vitrine.toml")).unwrap();
    });
    assert_eq!(poll_s(&changed(first)), 10);
    fs::write(rig.path("data/a.toml"), poll(11)).unwrap();
    rig.until(11);
    symlink("../data/b.toml", rig.path("etc/link")).unwrap();
    fs::rename(rig.path("etc/link"), rig.path("etc/vitrine.toml")).unwrap();
    rig.until(20);
    fs::write(rig.path("data/b.toml"), poll(21)).unwrap();
    rig.until(21);
}

#[test]
fn a_link_to_a_directory_on_the_way_swapped() {
    let (rig, first) = Rig::new(|home| {
        for (version, seconds) in [("v1", 10), ("v2", 20)] {
            fs::create_dir_all(home.join("data").join(version)).unwrap();
            fs::write(home.join("data").join(version).join("vitrine.toml"), poll(seconds)).unwrap();
        }
        symlink("v1", home.join("data/now")).unwrap();
        symlink("data/now", home.join("etc")).unwrap();
    });
    assert_eq!(poll_s(&changed(first)), 10);
    symlink("v2", rig.path("data/next")).unwrap();
    fs::rename(rig.path("data/next"), rig.path("data/now")).unwrap();
    rig.until(20);
    fs::write(rig.path("data/v2/vitrine.toml"), poll(21)).unwrap();
    rig.until(21);
}

#[test]
fn the_directory_replaced() {
    let rig = Rig::with_file();
    fs::create_dir(rig.path("new")).unwrap();
    fs::write(rig.path("new/vitrine.toml"), poll(20)).unwrap();
    fs::rename(rig.path("etc"), rig.path("old")).unwrap();
    fs::rename(rig.path("new"), rig.path("etc")).unwrap();
    rig.until(20);
    fs::write(rig.path("etc/vitrine.toml"), poll(30)).unwrap();
    rig.until(30);
}

#[test]
fn the_directory_removed_and_made_again() {
    let rig = Rig::with_file();
    fs::remove_dir_all(rig.path("etc")).unwrap();
    rig.broken();
    fs::create_dir(rig.path("etc")).unwrap();
    fs::write(rig.path("etc/vitrine.toml"), poll(20)).unwrap();
    rig.until(20);
    fs::write(rig.path("etc/vitrine.toml"), poll(30)).unwrap();
    rig.until(30);
}

#[test]
fn a_file_and_a_directory_that_come_later() {
    let (rig, first) = Rig::new(|_| {});
    assert_eq!(*changed(first), Config::default());
    fs::create_dir(rig.path("etc")).unwrap();
    fs::write(rig.path("etc/vitrine.toml"), poll(20)).unwrap();
    rig.until(20);
}

#[test]
fn drop_ins_added_changed_and_removed() {
    let rig = Rig::with_file();
    fs::create_dir(rig.path("etc/conf.d")).unwrap();
    fs::write(rig.path("etc/conf.d/10.toml"), poll(20)).unwrap();
    rig.until(20);
    fs::write(rig.path("etc/conf.d/20.toml"), poll(30)).unwrap();
    rig.until(30);
    fs::write(rig.path("etc/conf.d/20.toml"), poll(40)).unwrap();
    rig.until(40);
    fs::remove_file(rig.path("etc/conf.d/20.toml")).unwrap();
    rig.until(20);
    fs::remove_dir_all(rig.path("etc/conf.d")).unwrap();
    rig.until(10);
}

#[test]
fn a_drop_in_behind_a_link() {
    let rig = Rig::with_file();
    fs::write(rig.path("shared.toml"), poll(20)).unwrap();
    fs::create_dir(rig.path("etc/conf.d")).unwrap();
    symlink("../../shared.toml", rig.path("etc/conf.d/10.toml")).unwrap();
    rig.until(20);
    fs::write(rig.path("shared.toml"), poll(30)).unwrap();
    rig.until(30);
}

#[test]
fn broken_keeps_the_last_good_and_says_so_then_mended() {
    let rig = Rig::with_file();
    let path = rig.path("etc/vitrine.toml");
    fs::write(&path, "[cloud]\npoll_s = 1\nheartbeat_s = 1\n").unwrap();
    let said: Vec<String> = rig.broken().list.iter().map(ToString::to_string).collect();
    let at = path.display();
    let want = [
        format!("{at}:2:10: cloud.poll_s = 1: want a whole number, 5 to 3600 s"),
        format!("{at}:3:15: cloud.heartbeat_s = 1: want a whole number, 10 to 86400 s"),
    ];
    assert_eq!(said, want);

    // Broken in the same way again: nothing new. Broken in another way: told.
    fs::write(rig.path("etc/new"), "[cloud]\npoll_s = 1\nheartbeat_s = 1\n").unwrap();
    fs::rename(rig.path("etc/new"), &path).unwrap();
    fs::write(rig.path("etc/new"), "[cloud\n").unwrap();
    fs::rename(rig.path("etc/new"), &path).unwrap();
    let said = rig.broken().to_string();
    assert!(said.contains("no TOML"), "{said}");

    fs::write(rig.path("etc/new"), poll(10)).unwrap();
    fs::rename(rig.path("etc/new"), &path).unwrap();
    assert_eq!(poll_s(&changed(rig.next())), 10);
}

#[test]
fn broken_at_the_start_is_told_and_mended() {
    let (rig, first) = Rig::new(|home| {
        fs::create_dir(home.join("etc")).unwrap();
        fs::write(home.join("etc/vitrine.toml"), "nonsense").unwrap();
    });
    assert!(matches!(first, Reload::Broken(_)), "{first:?}");
    fs::write(rig.path("etc/vitrine.toml"), poll(20)).unwrap();
    rig.until(20);
}

#[test]
fn saved_without_a_difference_is_no_news() {
    let rig = Rig::with_file();
    let save = |text: &str| {
        fs::write(rig.path("etc/new"), text).unwrap();
        fs::rename(rig.path("etc/new"), rig.path("etc/vitrine.toml")).unwrap();
    };
    save(&format!("# a remark\n{}", poll(10)));
    save(&poll(20));
    assert_eq!(poll_s(&changed(rig.next())), 20);
}

#[test]
fn after_the_drop_nothing_is_told() {
    let (told, news) = sync_channel(1);
    let watch = Watch::start(Sources::default(), move |reload| told.send(reload).unwrap()).unwrap();
    assert_eq!(*changed(news.recv_timeout(DEADLINE).unwrap()), Config::default());
    drop(watch);
    // The thread has ended and dropped its end, so this does not wait.
    assert_eq!(news.recv_timeout(DEADLINE), Err(RecvTimeoutError::Disconnected));
}
