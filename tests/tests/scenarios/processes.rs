//! Who loads what, who is left behind, and bad input at the command line.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use vitrine_tests::patience::until;
use vitrine_tests::process::is_alive;

use crate::stage_set::{SCREEN, Set, video};

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
    let mut player = set.paired_player(SCREEN);
    set.tenant.play(&[video("h264.mp4")], "1s").unwrap();
    player.until_status("the video plays", |status| status["showing"][0]["since"].is_string());
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

#[test]
fn a_clean_stop_leaves_nothing_behind() {
    let set = Set::new();
    let mut player = set.paired_player(SCREEN);
    set.tenant.play(&[video("h264.mp4")], "1s").unwrap();
    player.until_status("the video plays", |status| status["showing"][0]["since"].is_string());
    let family = player.process().family();
    assert!(family.len() >= 3, "agent, stage and worker: {family:?}");
    player.process().signal(Signal::TERM);
    let ended = player.process().ended(Duration::from_secs(10)).expect("it ends");
    assert!(ended.success(), "{ended:?}");
    until("nothing is left", || family.iter().all(|pid| !is_alive(*pid)).then_some(()));
}
