//! A program under `strace`: which calls it makes to the file system, and one of them gone wrong.
//!
//! `strace` counts calls for each thread by itself, so a call is named by what it does (`fsync`), to
//! which path, and the how manieth of its thread that is. That names every call of every thread.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a call does.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    /// It only looks.
    Looks,
    /// It changes what is on the disk.
    Changes,
    /// It changes what is on the disk, and may find that full.
    TakesRoom,
}

/// Every call that has to do with files. An `openat` changes something if it may make the file.
const CALLS: [(&str, Does); 33] = [
    ("openat", Does::TakesRoom),
    ("write", Does::TakesRoom),
    ("writev", Does::TakesRoom),
    ("pwrite64", Does::TakesRoom),
    ("pwritev", Does::TakesRoom),
    ("fsync", Does::TakesRoom),
    ("fdatasync", Does::TakesRoom),
    ("rename", Does::TakesRoom),
    ("renameat", Does::Changes),
    ("renameat2", Does::Changes),
    ("link", Does::TakesRoom),
    ("linkat", Does::Changes),
    ("unlink", Does::Changes),
    ("unlinkat", Does::Changes),
    ("mkdir", Does::TakesRoom),
    ("mkdirat", Does::Changes),
    ("rmdir", Does::Changes),
    ("ftruncate", Does::TakesRoom),
    ("fallocate", Does::TakesRoom),
    ("fchmod", Does::Changes),
    ("chmod", Does::Changes),
    ("utimensat", Does::Changes),
    ("symlink", Does::Changes),
    ("symlinkat", Does::Changes),
    ("read", Does::Looks),
    ("pread64", Does::Looks),
    ("readv", Does::Looks),
    ("getdents64", Does::Looks),
    ("statx", Does::Looks),
    ("newfstatat", Does::Looks),
    ("stat", Does::Looks),
    ("fstat", Does::Looks),
    ("lstat", Does::Looks),
];

/// One call of a program to the file system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// Name of the call.
    pub name: String,
    /// Whether it is an `openat` that may make the file.
    pub makes: bool,
    /// To what, relative to the folder that was asked about.
    pub path: PathBuf,
    /// The how manieth of this name and path in its thread, from 1.
    pub nth: usize,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The program is killed instead.
    Kill,
    /// The call fails with this error and does nothing.
    Error(&'static str),
    /// This call and all later ones of its name and path do nothing and say that all is well.
    Lies,
}

impl Call {
    /// Whether it may change what is on the disk.
    pub fn changes(&self) -> bool {
        self.does() != Does::Looks
    }

    fn does(&self) -> Does {
        let found = CALLS.iter().find(|(name, _)| *name == self.name);
        match found {
            Some((_, does)) if self.name != "openat" || self.makes => *does,
            _ => Does::Looks,
        }
    }

    /// What may go wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let kill = self.changes().then_some(Fault::Kill);
        let full = (self.does() == Does::TakesRoom).then_some(Fault::Error("ENOSPC"));
        kill.into_iter().chain([Fault::Error("EIO")]).chain(full).collect()
    }
}

/// `command` under strace, which writes every call to the file system into `log`.
pub fn traced(command: &Command, log: &Path) -> Command {
    let names = CALLS.map(|(name, _)| name);
    let mut strace = strace(log);
    strace.args(["--seccomp-bpf", "-y", "-e"]).arg(format!("trace={}", names.join(",")));
    under(strace, command)
}

/// `command` under strace, with `fault` at `call`, whose path is below `folder`. What `strace` did
/// is in `log`.
pub fn faulty(command: &Command, call: &Call, fault: Fault, folder: &Path, log: &Path) -> Command {
    let Call { name, nth, .. } = call;
    let how = match fault {
        Fault::Kill => format!("signal=KILL:when={nth}"),
        Fault::Error(error) => format!("error={error}:when={nth}"),
        Fault::Lies => format!("retval=0:when={nth}+"),
    };
    let mut strace = strace(log);
    if fault != Fault::Kill {
        // Quicker, but no signal is delivered with it.
        strace.arg("--seccomp-bpf");
    }
    strace.arg("-P").arg(folder.join(&call.path));
    strace.args(["-e", &format!("trace={name}"), "-e", &format!("inject={name}:{how}")]);
    under(strace, command)
}

/// `command` under strace, with all calls of these names doing nothing and saying that all is well.
pub fn lied_to(command: &Command, names: &str, log: &Path) -> Command {
    let mut strace = strace(log);
    strace.args(["--seccomp-bpf", "-e", &format!("trace={names}")]);
    strace.args(["-e", &format!("inject={names}:retval=0")]);
    under(strace, command)
}

/// Whether the log says that something was injected.
pub fn struck(log: &Path) -> bool {
    fs::read_to_string(log).is_ok_and(|text| text.contains("(INJECTED)"))
}

/// Every call in a log of [`traced`] to something below `folder`.
pub fn calls(log: &Path, folder: &Path) -> Result<BTreeSet<Call>, String> {
    let text = fs::read_to_string(log).map_err(|error| format!("{}: {error}", log.display()))?;
    let mut counts = BTreeMap::<(String, String, PathBuf), usize>::new();
    let mut calls = BTreeSet::new();
    for line in text.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let Some((name, rest)) = call.trim_start().split_once('(') else { continue };
        let Some(path) = first_path(rest).and_then(|path| below(&path, folder)) else { continue };
        let count = counts.entry((thread.into(), name.into(), path.clone())).or_default();
        *count += 1;
        let makes = rest.contains("O_CREAT");
        calls.insert(Call { name: name.into(), makes, path, nth: *count });
    }
    Ok(calls)
}

/// The tracer is a grandchild, so that the program stays ours to wait for.
fn strace(log: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-qq", "-o"]).arg(log);
    strace
}

fn under(mut strace: Command, command: &Command) -> Command {
    strace.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    strace
}

/// The first path among the arguments, in quotation marks or as that of a descriptor, `7</a/b>`;
/// that of the working directory does not count.
fn first_path(arguments: &str) -> Option<PathBuf> {
    let arguments = match arguments.strip_prefix("AT_FDCWD") {
        Some(rest) => rest.split_once(", ")?.1,
        None => arguments,
    };
    let end = match arguments.chars().next()? {
        '"' => '"',
        '0'..='9' => '>',
        _ => return None,
    };
    let begin = arguments.find(['"', '<'])? + 1;
    let length = arguments[begin..].find(end)?;
    Some(PathBuf::from(&arguments[begin..begin + length]))
}

fn below(path: &Path, folder: &Path) -> Option<PathBuf> {
    path.strip_prefix(folder).ok().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_of_every_thread_has_a_name_of_its_own() {
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let log = dir.path().join("log");
        let text = "7 openat(AT_FDCWD</tmp>, \"/s/a\", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3</s/a>\n\
                    7 write(3</s/a>, \"x > y\", 5) = 5\n\
                    8 fsync(3</s/a> <unfinished ...>\n\
                    7 write(3</s/a>, \"/s/b\", 4) = 4\n\
                    8 <... fsync resumed>) = 0\n\
                    7 rename(\"/s/a\", \"/s/b\") = 0\n\
                    7 openat(AT_FDCWD</tmp>, \"/etc/x\", O_RDONLY) = -1 ENOENT\n\
                    7 newfstatat(3</s/b>, \"\", {st_mode=0}, AT_EMPTY_PATH) = 0\n\
                    7 +++ exited with 0 +++\n";
        let written = std::fs::File::create(&log)
            .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
        assert!(written.is_ok());
        let call = |name: &str, makes, path: &str, nth| Call {
            name: name.into(),
            makes,
            path: path.into(),
            nth,
        };
        let wanted = BTreeSet::from([
            call("openat", true, "a", 1),
            call("write", false, "a", 1),
            call("write", false, "a", 2),
            call("fsync", false, "a", 1),
            call("rename", false, "a", 1),
            call("newfstatat", false, "b", 1),
        ]);
        assert_eq!(calls(&log, Path::new("/s")), Ok(wanted));
    }
}
