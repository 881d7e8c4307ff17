//! A machine as its files tell of it, for tests.

use std::fs::{File, create_dir_all};
use std::io::Write;

/// A root directory with these files: path and text.
pub fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("directory");
    for (path, text) in files {
        let path = root.path().join(path);
        create_dir_all(path.parent().expect("parent")).expect("directory");
        let mut file = File::create(path).expect("file");
        file.write_all(text.as_bytes()).expect("written");
    }
    root
}
