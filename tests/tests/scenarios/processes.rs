//! Who loads what, who is left behind, and bad input at the command line.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use rustix::process::Signal;
use vitrine_tests::patience::until;
use vitrine_tests::player::Player;
use vitrine_tests::process::is_alive;

use crate::stage_set::{SCREEN, Set, video};

/// A player with all its processes at work.
fn playing_a_video(set: &Set) -> Player {
    let player = set.paired_player(SCREEN);
    set.tenant.play(&[video("h264.mp4")], "1s").unwrap();
    player.until_status("the video plays", |status| status["showing"][0]["since"].is_string());
    player
}

/// Libraries that a process has mapped, by file name.
fn libraries(pid: u32) -> String {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    maps.lines().filter_map(|line| line.rsplit_once('/')).map(|(_, name)| name).fold(
        String::new(),
        |mut all, name| {
            if name.contains(".so") && !all.contains(name) {
                all.push_str(name);
                all.push('\n');
            }
            all
        },
    )
}

#[test]
fn parsers_and_drivers_stay_in_their_processes() {
    let set = Set::new();
    let mut player = playing_a_video(&set);
    let agent = libraries(player.process().pid());
    let stage = libraries(player.process().family_with(" stage")[0]);
    let worker = until("a worker has its decoder loaded", || {
        let all = player.process().family_with("media-worker");
        all.into_iter().map(libraries).find(|all| all.contains("libavcodec"))
    });
    // The control: the same look finds what it looks for where it belongs.
    assert!(worker.contains("libavcodec") && stage.contains("libvulkan"));
    assert!(stage.contains("libX11"), "the display here is an X server");
    for parser in ["libavcodec", "libavformat", "libgstlibav", "libgstisomp4", "libgstplayback"] {
        assert!(!agent.contains(parser), "{parser} in the agent");
        assert!(!stage.contains(parser), "{parser} in the stage");
    }
    let drivers = ["libvulkan", "libEGL", "libGL.", "libGLES", "libLLVM"];
    for library in drivers.iter().chain(&["libwayland", "libX11", "libxcb"]) {
        assert!(!agent.contains(library), "{library} in the agent");
    }
}

/// Addresses at which `pid` waits for anybody to connect over TCP, as the kernel writes them.
fn open_doors(pid: u32) -> Vec<String> {
    // Workers come and go.
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let links = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    let sockets: BTreeSet<String> = links
        .filter_map(|link| {
            Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').into())
        })
        .collect();
    let mut doors = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            // Number, own address, other address, state (0A: listens), …, inode.
            if words[3] == "0A" && sockets.contains(words[9]) {
                doors.push(words[1].to_owned());
            }
        }
    }
    doors
}

#[test]
fn nobody_can_connect_to_a_player() {
    let set = Set::new();
    let mut player = playing_a_video(&set);
    let family = player.process().family();
    assert!(family.len() >= 3, "agent, stage and worker: {family:?}");
    for pid in family {
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert_eq!(open_doors(pid), [""; 0], "{}", command.replace('\0', " "));
    }
    // The control: the same look finds a door where there is one.
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("{:04X}", door.local_addr().unwrap().port());
    let own = open_doors(std::process::id());
    assert!(own.iter().any(|address| address.ends_with(&port)), "{port} in {own:?}");
}

#[test]
fn a_clean_stop_leaves_nothing_behind() {
    let set = Set::new();
    let mut player = playing_a_video(&set);
    let family = player.process().family();
    assert!(family.len() >= 3, "agent, stage and worker: {family:?}");
    player.process().signal(Signal::TERM);
    let ended = player.process().ended(Duration::from_secs(10)).expect("it ends");
    assert!(ended.success(), "{ended:?}");
    until("nothing is left", || family.iter().all(|pid| !is_alive(*pid)).then_some(()));
}
