//! Where settings lie on disk at this moment: what to listen to, and how to tell that it changed.
//!
//! Every link on the way to a file is followed by hand, because each of them can be swapped: the
//! directory that holds the link is where that shows.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::load;

/// Links followed on the way to one file; Linux gives up at the same number.
const LINKS: usize = 40;

/// One look at the disk.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Real directories in which a change to any of the files would show.
    pub dirs: BTreeSet<PathBuf>,
    /// Each file, and the directory of drop-ins, by the name it is read by, and what lies there;
    /// the main file comes first.
    pub files: Vec<(PathBuf, Option<Stamp>)>,
}

/// Tells one state of a file from another: path *and* time, because either can stay the same.
#[derive(Debug, PartialEq, Eq)]
pub struct Stamp {
    real: PathBuf,
    device_inode: (u64, u64),
    /// Length in bytes.
    pub len: u64,
    modified_s_ns: (i64, i64),
    changed_s_ns: (i64, i64),
}

impl Survey {
    /// Looks at `main` and the drop-ins beside it.
    pub fn of(main: &Path) -> Survey {
        let mut survey = Survey::default();
        survey.add(main.into());
        let drop_ins = load::drop_in_dir(main);
        // A name in the directory makes the directory itself one of those to listen to.
        walk(&drop_ins.join("any.toml"), &mut survey.dirs);
        survey.add(drop_ins);
        for path in load::drop_ins(main).unwrap_or_default() {
            survey.add(path);
        }
        survey
    }

    fn add(&mut self, path: PathBuf) {
        let stamp = walk(&path, &mut self.dirs).map(|(real, meta)| Stamp::new(real, &meta));
        self.files.push((path, stamp));
    }
}

impl Stamp {
    fn new(real: PathBuf, meta: &Metadata) -> Stamp {
        Stamp {
            real,
            device_inode: (meta.dev(), meta.ino()),
            len: meta.len(),
            modified_s_ns: (meta.mtime(), meta.mtime_nsec()),
            changed_s_ns: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// Walks to the real file behind the absolute `path` and notes the directories that decide where
/// it ends: the one that holds each link, and the one where the file lies or, if it is missing,
/// where the first missing part would appear.
fn walk(path: &Path, dirs: &mut BTreeSet<PathBuf>) -> Option<(PathBuf, Metadata)> {
    let mut at = PathBuf::from("/");
    let mut rest = parts(path);
    let mut links = 0;
    let mut last = None;
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&part);
        let meta = fs::symlink_metadata(&next).ok();
        let Some(meta) = meta else {
            dirs.insert(at);
            return None;
        };
        if !meta.is_symlink() {
            at = next;
            last = Some(meta);
            continue;
        }
        dirs.insert(at.clone());
        links += 1;
        let target = fs::read_link(&next).ok().filter(|_| links <= LINKS)?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        let behind = std::mem::take(&mut rest);
        rest = parts(&target);
        rest.extend(behind);
    }
    dirs.insert(at.parent()?.into());
    Some((at, last?))
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn each_link_on_the_way_is_listened_to() {
        let temp = tempfile::tempdir().unwrap();
        let home = temp.path().canonicalize().unwrap();
        fs::create_dir_all(home.join("etc")).unwrap();
        fs::create_dir_all(home.join("data/v1")).unwrap();
        fs::write(home.join("data/v1/vitrine.toml"), "").unwrap();
        symlink("v1", home.join("data/now")).unwrap();
        symlink("../data/now/vitrine.toml", home.join("etc/vitrine.toml")).unwrap();

        let survey = Survey::of(&home.join("etc/vitrine.toml"));
        let want = ["etc", "data", "data/v1"].map(|dir| home.join(dir));
        assert_eq!(survey.dirs, BTreeSet::from(want));
        let real = survey.files[0].1.as_ref().unwrap().real.clone();
        assert_eq!(real, home.join("data/v1/vitrine.toml"));
    }

    #[test]
    fn what_is_missing_is_awaited_where_it_would_appear() {
        let temp = tempfile::tempdir().unwrap();
        let home = temp.path().canonicalize().unwrap();
        let survey = Survey::of(&home.join("etc/vitrine/vitrine.toml"));
        assert_eq!(survey.dirs, BTreeSet::from([home.clone()]));
        assert!(survey.files.iter().all(|(_, stamp)| stamp.is_none()));
    }

    #[test]
    fn links_in_a_ring_end() {
        let temp = tempfile::tempdir().unwrap();
        let home = temp.path().canonicalize().unwrap();
        symlink("b", home.join("a")).unwrap();
        symlink("a", home.join("b")).unwrap();
        let survey = Survey::of(&home.join("a"));
        assert_eq!(survey.files[0], (home.join("a"), None));
    }
}
