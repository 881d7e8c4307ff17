//! Processes, descriptors and mappings come and go together with sources.

use std::time::{Duration, Instant};

use vitrine_render::source::{Source, State};

use super::rig::{Rig, START, media, pool, spec};

/// Process ids of this process's children, zombies too.
pub fn children() -> Vec<i32> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("tasks").flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Descriptors and mappings of frames that this process has.
fn frames_held() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
    maps.lines().filter(|line| line.contains("vitrine-frames")).count()
}

fn sockets_and_pipes() -> usize {
    let fds = std::fs::read_dir("/proc/self/fd").expect("descriptors").flatten();
    fds.filter_map(|fd| std::fs::read_link(fd.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

/// Reaping happens on other threads: looks again and again, up to a deadline against hanging.
#[track_caller]
pub fn eventually(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Everything that counts whole-process resources is one test: others would disturb it when they
/// run in the same process.
#[test]
#[ignore = "counts what the whole process holds: runs in a process of its own"]
fn counted_alone() {
    closing_leaves_nothing_behind();
    a_spare_is_used_replaced_and_ended_with_its_pool();
}

#[test]
fn sources_and_pools_leave_nothing_behind() {
    let own = std::env::current_exe().expect("own path");
    let alone = std::process::Command::new(own)
        .args(["--ignored", "--exact", "life::counted_alone", "--nocapture"])
        .output()
        .expect("run");
    assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stderr));
    assert!(String::from_utf8_lossy(&alone.stdout).contains("1 passed"));
}

fn closing_leaves_nothing_behind() {
    let (pool, sockets) = (pool(), sockets_and_pipes());
    for round in 0..50 {
        let mut rig = Rig::open(spec(media("silent.mp4")), &pool);
        // A third each: closed at once, when prepared, while playing.
        if round % 3 > 0 {
            rig.ready();
        }
        if round % 3 == 2 {
            rig.source.start(START);
            assert_eq!(rig.numbers(3).len(), 3);
        }
    }
    eventually("processes are left", || children().is_empty());
    eventually("mappings are left", || frames_held() == 0);
    eventually("sockets are left", || sockets_and_pipes() == sockets);
}

fn a_spare_is_used_replaced_and_ended_with_its_pool() {
    let pool = pool();
    pool.warm();
    pool.warm();
    eventually("no spare", || children().len() == 1);
    let spare = children();
    let mut rig = Rig::open(spec(media("silent.mp4")), &pool);
    rig.ready();
    eventually("the spare is not replaced", || children().len() == 2);
    assert!(matches!(rig.source.poll(START), State::Ready(_)));
    drop(rig);
    eventually("the used one does not end", || children().len() == 1);
    assert_ne!(children(), spare, "the spare was not used");
    drop(pool);
    eventually("the spare outlives its pool", || children().is_empty());
}
