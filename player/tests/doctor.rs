//! What somebody who waits for the doctor sees.

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use common::vitrine;

/// It is killed once its first word is there: no later one may be.
#[test]
fn the_doctor_says_what_it_finds_while_it_looks_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |key: &str| format!("paths.{key}={}", dir.path().display());
    let mut command = vitrine();
    command.args(["doctor", "-o", &at("state_dir"), "-o", &at("runtime_dir")]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
    let mut out = BufReader::new(child.stdout.take().expect("its output"));
    let mut first = String::new();
    out.read_line(&mut first).expect("a line");
    child.kill().expect("it is there");
    let mut rest = String::new();
    // Its children have an output of their own.
    out.read_to_string(&mut rest).expect("text");
    child.wait().expect("an end");
    assert!(first.contains("  board  "), "{first}");
    assert!(!rest.contains("  player  "), "it was through already: {rest}");
}
