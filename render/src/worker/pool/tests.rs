//! Processes that are waited for, and those that are not.

use std::fs;

use super::*;

/// Workers that note their start, wait until a file is there, and say hello.
fn pool(dir: &Path, spare_within: SpareWithin) -> WorkerPool {
    fs::File::create(dir.join("starts")).expect("a file");
    let mut hello = fs::File::create(dir.join("hello")).expect("a file");
    io::Write::write_all(&mut hello, Event::Hello.write().bytes()).expect("a word");
    // It may outlive the directory.
    let script = "echo >>starts; until [ -e go ]; do sleep 0.01; done; cat hello >&0; exec sleep 9";
    let cd = format!("cd '{}' || exit; {script}", dir.display());
    let args = ["-c".into(), cd.into()].to_vec();
    WorkerPool::patient(WorkerCommand { program: "/bin/sh".into(), args }, spare_within)
}

fn starts(dir: &Path) -> usize {
    fs::read_to_string(dir.join("starts")).expect("a file").lines().count()
}

fn until(what: impl Fn() -> bool) {
    while !what() {
        thread::yield_now();
    }
}

const FOR_EVER: Duration = Duration::from_secs(3_600);

#[test]
fn while_the_first_one_looks_at_all_plug_ins_no_second_one_does() {
    let dir = tempfile::tempdir().expect("a directory");
    let within = SpareWithin { first: FOR_EVER, later: Duration::ZERO };
    let pool = pool(dir.path(), within);
    pool.warm();
    let sources: Vec<_> = (0..3)
        .map(|_| {
            let supply = pool.supply();
            let ask = move || supply.process().expect("a process").1;
            thread::Builder::new().name("source".into()).spawn(ask).expect("a thread")
        })
        .collect();
    until(|| starts(dir.path()) > 0);
    thread::yield_now();
    assert_eq!(starts(dir.path()), 1);
    fs::File::create(dir.path().join("go")).expect("a file");
    let mut got: Vec<_> = sources.into_iter().map(|source| source.join().expect("one")).collect();
    got.sort_by_key(|readiness| *readiness != Readiness::Ready);
    assert_eq!(got, [Readiness::Ready, Readiness::Starting, Readiness::Starting]);
}

#[test]
fn once_one_was_ready_another_that_does_not_start_is_not_waited_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let within = SpareWithin { first: FOR_EVER, later: Duration::ZERO };
    let pool = pool(dir.path(), within);
    pool.warm();
    pool.supply().got_ready();
    let (_own, readiness) = pool.supply().process().expect("a process");
    assert_eq!(readiness, Readiness::Starting);
}
