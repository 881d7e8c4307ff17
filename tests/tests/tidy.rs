//! Rules of the house that a machine can hold, each with its reason in `ARCHITECTURE.md`.

// A test that meets the unexpected must panic.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const CRATES: [&str; 7] = ["config", "sync/wire", "sync", "render", "player", "cloud", "tests"];

/// The only files with `unsafe` in them; `ARCHITECTURE.md` says why.
const UNSAFE_FILES: [&str; 5] = [
    "render/src/gpu/import.rs",
    "render/src/worker/allocator.rs",
    "render/src/worker/frames.rs",
    "render/src/worker/sandbox/tests.rs",
    "render/tests/worker/lending.rs",
];

/// Files may not grow beyond this; the longest one sets the pace for splitting, not for growing.
const FILE_LINES_MAX: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn dependencies(of: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(of).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let table = manifest["dependencies"].as_table().unwrap();
    table.keys().filter(|name| name.starts_with("vitrine-")).cloned().collect()
}

fn rust_files(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for part in CRATES {
        for folder in ["src", "tests", "benches", "examples"] {
            let below = root().join(part).join(folder);
            if below.is_dir() {
                rust_files(&below, &mut files);
            }
        }
    }
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(path).unwrap();
            (name, text)
        })
        .collect()
}

#[test]
fn rooms_have_the_doors_of_the_plan() {
    for (part, wanted) in [
        ("config", vec![]),
        ("sync/wire", vec![]),
        ("sync", vec!["vitrine-config", "vitrine-wire"]),
        ("render", vec!["vitrine-config"]),
        ("player", vec!["vitrine-config", "vitrine-render", "vitrine-sync"]),
        ("cloud", vec!["vitrine-wire"]),
    ] {
        let wanted: BTreeSet<String> = wanted.into_iter().map(str::to_owned).collect();
        assert_eq!(dependencies(part), wanted, "crate {part}");
    }
}

#[test]
fn unsafe_code_is_only_where_the_list_says() {
    // Taken apart, so that this file does not find itself.
    let word = concat!("allow(unsafe", "_code");
    let with: BTreeSet<String> =
        sources().into_iter().filter(|(_, text)| text.contains(word)).map(|(n, _)| n).collect();
    let listed: BTreeSet<String> = UNSAFE_FILES.into_iter().map(str::to_owned).collect();
    assert_eq!(with, listed);
}

#[test]
fn only_the_store_knows_sql() {
    for (name, text) in sources() {
        let is_store = name.starts_with("sync/src/store") || name.starts_with("sync/tests");
        if name.starts_with("sync/") && !is_store {
            assert!(!text.contains("rusqlite"), "{name} touches SQLite");
        }
    }
}

#[test]
fn one_module_of_the_device_reads_clocks() {
    // Taken apart, so that this file does not find itself.
    let words = [concat!("Instant", "::now("), concat!("Timestamp", "::now("), "clock_gettime("];
    for (name, text) in sources() {
        let on_device = ["config/src", "sync/src", "sync/wire/src", "render/src", "player/src"];
        let (code, _tests) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        let is_test = name.contains("/tests") || name.ends_with("tests.rs");
        if on_device.iter().any(|p| name.starts_with(p)) && !is_test && !name.ends_with("clock.rs")
        {
            for word in words {
                assert!(!code.contains(word), "{name} reads a clock: {word}");
            }
        }
    }
}

#[test]
fn no_file_is_where_everything_ends_up() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{name} has {lines} lines, at most {FILE_LINES_MAX}");
    }
}

/// Lines that would give somebody a password, or a shell to use it in.
fn ways_in(text: &str) -> Vec<&str> {
    let code = |line: &&str| !line.trim_start().starts_with('#');
    let words = ["passwd", "password", "adduser", "useradd", "usermod", "/bin/sh\"", "/bin/bash"];
    let gives = |line: &&str| words.iter().any(|word| line.to_lowercase().contains(word));
    text.lines().filter(code).filter(gives).collect()
}

#[test]
fn no_password_comes_with_the_package() {
    for folder in ["systemd", "systemd/deb"] {
        for entry in fs::read_dir(root().join(folder)).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_file() && name != "README.md" {
                let text = fs::read_to_string(entry.path()).unwrap();
                assert_eq!(ways_in(&text), [""; 0], "{folder}/{name}");
            }
        }
    }
    // `u NAME ID "GECOS" HOME`, and no shell: systemd-sysusers locks it and gives it nologin.
    let users = fs::read_to_string(root().join("systemd/vitrine.sysusers")).unwrap();
    let users: Vec<&str> = users.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(users, [r#"u vitrine - "Vitrine signage player" /var/lib/vitrine"#]);
    let example = fs::read_to_string(root().join("config/example.toml")).unwrap();
    assert_eq!(ways_in(&example), [""; 0], "settings that are in force");
    // The control.
    assert_eq!(ways_in("# passwd\necho vitrine:1234 | chpasswd\n").len(), 1);
}

#[test]
fn readme_names_the_two_commands() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let top: String = readme.lines().take(40).collect::<Vec<_>>().join("\n");
    assert!(top.contains("./dev demo") && top.contains("./dev test"));
}
