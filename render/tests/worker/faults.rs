//! What is wrong with a file or a worker costs the source, says why, and nothing else.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use vitrine_render::source::worker::{WorkerCommand, WorkerPool};
use vitrine_render::source::{Source, State};

use super::rig::{Rig, START, media, pool, spec};

pub fn file_with(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("file");
    file.write_all(bytes).expect("write");
    file
}

#[test]
fn a_file_that_cannot_be_played_is_named_with_the_reason() {
    let garbage = file_with(&[0x5a, 0x00, 0xc3, 0x17].repeat(16_384));
    let text = file_with(&b"this is no film\n".repeat(4_096));
    let empty = file_with(b"");
    let whole = std::fs::read(media("hd.mp4")).expect("media");
    let head_only = file_with(&whole[..40]);
    for (case, path, reason) in [
        ("text", text.path(), "text file"),
        ("garbage", garbage.path(), "no media that is known here"),
        ("empty", empty.path(), ""),
        ("head only", head_only.path(), ""),
        ("sound only", &media("sound.m4a"), "no moving picture in it, only audio/"),
        ("missing", Path::new("/nowhere/film.mp4"), "open: No such file"),
        ("directory", Path::new("/tmp"), "not a file"),
    ] {
        let pool = pool();
        let text = Rig::open(spec(path), &pool).failure();
        assert!(text.starts_with(&format!("{}: ", path.display())), "case {case:?}: {text}");
        assert!(text.contains(reason), "case {case:?}: {text}");
        assert!(!text.contains("/proc/"), "case {case:?}: {text}");
    }
}

#[test]
fn a_file_that_breaks_off_plays_what_is_there_and_ends() {
    for name in ["h264.mp4", "vp9.webm", "stream.ts"] {
        let whole = std::fs::read(media(name)).expect("media");
        let half = file_with(&whole[..whole.len() * 6 / 10]);
        let pool = pool();
        let mut rig = Rig::started(spec(half.path()), &pool);
        let seen = rig.numbers(usize::MAX);
        assert!(seen.len() > 3, "{name}: {} frames", seen.len());
        assert!(rig.source.ends_at().is_some(), "{name}");
    }
}

/// The process id of the worker that has this file. Between fork and exec, other children have it
/// too, for a moment.
fn worker_of(path: &Path) -> i32 {
    let wanted = std::fs::canonicalize(path).expect("path");
    let holds = |pid: &i32| {
        let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        fds.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|target| target == wanted)
    };
    let holders = || super::life::children().into_iter().filter(holds).collect::<Vec<_>>();
    super::life::eventually("not exactly one worker has the file", || holders().len() == 1);
    holders()[0]
}

fn signal(pid: i32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid).expect("pid");
    rustix::process::kill_process(pid, signal).expect("signal");
}

#[test]
fn a_killed_worker_is_a_failure_and_keeps_the_last_picture_readable() {
    let copy = file_with(&std::fs::read(media("silent.mp4")).expect("media"));
    let pool = pool();
    let mut wish = spec(copy.path());
    wish.looped = true;
    let mut rig = Rig::started(wish, &pool);
    assert_eq!(rig.numbers(5).len(), 5);
    signal(worker_of(copy.path()), rustix::process::Signal::KILL);
    let text = rig.failure();
    assert!(text.contains("killed by signal 9"), "{text}");
}

#[test]
fn a_worker_that_cannot_start_or_ends_at_once_is_a_failure() {
    for (case, program, reason) in [
        ("missing", "/nowhere/vitrine", "start /nowhere/vitrine"),
        ("ends at once", "/bin/false", "ended by itself: exit status: 1"),
    ] {
        let pool = WorkerPool::new(WorkerCommand { program: program.into(), args: Vec::new() });
        let text = Rig::open(spec(media("h264.mp4")), &pool).failure();
        assert!(text.contains(reason), "case {case:?}: {text}");
    }
}

#[test]
fn a_worker_that_hangs_is_given_up() {
    let args = vec!["1000".into()];
    let pool = WorkerPool::new(WorkerCommand { program: "/bin/sleep".into(), args });
    let mut rig = Rig::open(spec(media("h264.mp4")), &pool);
    assert_eq!(rig.source.poll(START), State::Preparing);
    let later = |s| START.after(Duration::from_secs(s));
    assert_eq!(rig.source.poll(later(29)), State::Preparing);
    assert!(rig.source.is_starting(), "it is said to be at work");
    let State::Failed(error) = rig.source.poll(later(31)) else { panic!("still waiting") };
    assert!(error.to_string().contains("no media worker was ready within 30 s"), "{error}");
    assert!(!rig.source.is_starting(), "it is waited for");
}

#[test]
fn a_worker_that_goes_silent_while_playing_is_given_up() {
    let copy = file_with(&std::fs::read(media("silent.mp4")).expect("media"));
    let pool = pool();
    let mut wish = spec(copy.path());
    wish.looped = true;
    let mut rig = Rig::started(wish, &pool);
    assert_eq!(rig.numbers(5).len(), 5);
    signal(worker_of(copy.path()), rustix::process::Signal::STOP);
    // Frames that were on their way may still come.
    let error = rig.until(|rig| {
        loop {
            if let State::Failed(error) = rig.source.poll(rig.now.after(Duration::from_secs(6))) {
                return Some(error);
            }
            rig.now = rig.source.next_at()?;
            let _ = rig.source.take(rig.now);
        }
    });
    assert!(error.to_string().contains("no further frame"), "{error}");
}

/// Workers of which the first leaves a mark and does `instead`; the later ones find it and work.
fn pool_whose_first(instead: &str) -> (WorkerPool, tempfile::TempDir) {
    let mark = tempfile::tempdir().expect("directory");
    let path = mark.path().join("tried");
    let own = super::rig::command();
    let args: Vec<String> = own.args.iter().map(|arg| arg.to_string_lossy().into()).collect();
    let fake = format!(
        "if [ -e {0} ]; then exec {1} {2}; fi; : > {0}; {instead}",
        path.display(),
        own.program.display(),
        args.join(" ")
    );
    let command = WorkerCommand { program: "/bin/sh".into(), args: vec!["-c".into(), fake.into()] };
    (WorkerPool::new(command), mark)
}

#[test]
fn a_second_worker_gets_a_try_when_the_first_one_fails() {
    let (pool, _mark) = pool_whose_first("exit 1");
    let mut rig = Rig::open(spec(media("silent.mp4")), &pool);
    rig.until(|rig| matches!(rig.source.poll(rig.now), State::Ready(_)).then_some(()));
}

#[test]
fn a_second_worker_gets_a_try_when_the_first_one_is_slow() {
    let (pool, mark) = pool_whose_first(r"printf '\013' >&0; exec sleep 1000 >&0");
    let mut rig = Rig::open(spec(media("silent.mp4")), &pool);
    rig.until(|rig| (rig.wakes() > 0).then_some(()));
    assert!(mark.path().join("tried").exists(), "the first one had the file before it began");
    assert_eq!(rig.source.poll(START), State::Preparing);
    assert_eq!(rig.source.poll(START.after(Duration::from_secs(3))), State::Preparing);
    rig.ready();
}
