//! The common test media, made once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// A file of the common test media.
pub fn media(name: &str) -> PathBuf {
    static MADE: LazyLock<PathBuf> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let exe = std::env::current_exe().expect("own path");
        // <target>/<profile>/deps/<name>: media lie where integration tests have them, too.
        let dir = exe.ancestors().nth(3).expect("a target directory").join("tmp/media");
        fs::create_dir_all(&dir).expect("directory for media");
        let lock = fs::File::create(dir.join(".lock")).expect("lock");
        lock.lock().expect("one maker at a time");
        let made = Command::new(root.join("tests/media/make")).arg(&dir).status();
        assert!(made.expect("tests/media/make").success(), "media were not made");
        dir
    });
    MADE.join(name)
}
