//! Exit codes and words of the small commands, from outside.

mod common;

use common::{finish, vitrine};

#[test]
fn exit_codes_mean_something() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).display().to_string();
    common::write(dir.path().join("good.toml").as_path(), "[cloud]\npoll_s = 30\n");
    common::write(dir.path().join("wrong.toml").as_path(), "[cloud]\npoll_s = 3\npol = 1\n");
    let nobody = format!("paths.runtime_dir={}", dir.path().display());
    let (good, wrong, missing) = (path("good.toml"), path("wrong.toml"), path("missing.toml"));
    for (args, code, word) in [
        (&["version"][..], 0, "vitrine "),
        (&["--help"][..], 0, "Exit codes"),
        (&["completions", "bash"][..], 0, "complete"),
        (&["config", "check", &good][..], 0, "good"),
        (&["config", "show", "--config", &good][..], 0, "poll_s = 30"),
        (&["config", "check", &wrong][..], 3, "5 to 3600"),
        (&["config", "check", &missing][..], 3, "missing.toml"),
        (&["run", "--config", &missing][..], 3, "missing.toml"),
        (&["run", "-o", "screen.output=sideways"][..], 3, "screen.output"),
        (&["status", "-o", &nobody][..], 4, "no player"),
        (&["dance"][..], 2, "dance"),
        (&["play"][..], 2, "PATHS"),
        (&[][..], 2, "Usage"),
    ] {
        let output = finish(vitrine().args(args));
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        let text = String::from_utf8_lossy(&text);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        assert!(text.contains(word), "{args:?}: {word:?} in {text}");
    }
}

#[test]
fn all_problems_of_a_file_are_told_at_once_with_line_and_column() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("wrong.toml");
    common::write(&file, "[cloud]\npoll_s = 3\npol = 1\n");
    let output = finish(vitrine().args(["config", "check"]).arg(&file));
    let text = String::from_utf8_lossy(&output.stderr);
    for place in ["wrong.toml:2:", "wrong.toml:3:"] {
        assert!(text.contains(place), "{place} in {text}");
    }
}
