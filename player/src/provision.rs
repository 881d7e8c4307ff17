//! Settings that somebody put on the card: a `vitrine.toml` on the boot partition, which any
//! computer can write to.
//!
//! In:  the boot directory, the state directory.
//! Out: `<state_dir>/provisioned.toml`, a layer of settings above those in `/etc`; complaints.
//!
//! It may hold secrets (an enrollment token, a proxy's password), and whoever finds the card could
//! read them there: so what was taken is removed. Order: (1) the settings are on the medium under
//! their own name, (2) the digest of what was taken is, (3) the file on the boot partition goes. A
//! power cut before (2) takes it once more, one before (3) leaves only the removal to be done. The
//! service may not write to the boot partition: there `forget-provisioning`, as root, does (3) by
//! that digest when the agent is up.
//!
//! Promises, held by tests below: a wrong file changes nothing, stays and is told; nothing is lost
//! by a cut at any step; the same file put there again counts again.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use vitrine_config::Config;
use vitrine_config::limits::CONFIG_FILE_BYTES;
use vitrine_sync::durable;
use vitrine_sync::wire::Digest;
use vitrine_sync::wire::record::Fault;

/// As it is called on the boot partition.
const NAME: &str = "vitrine.toml";
/// The digest of what was taken and is not seen to be gone.
const TAKEN: &str = "provisioned.taken";
/// Where boot partitions are mounted, the newer place first.
const BOOT: [&str; 2] = ["/boot/firmware", "/boot"];
/// The token is a secret of the player's own user.
const MODE: u32 = 0o600;

/// Where the settings from the card are kept.
pub fn kept(state_dir: &Path) -> PathBuf {
    state_dir.join("provisioned.toml")
}

/// Takes what lies on the boot partition; what went wrong is told.
pub fn take(config: &Config) -> Option<Fault> {
    let named = config.paths.boot_dir.as_deref();
    let usual = || BOOT.map(Path::new).into_iter().find(|dir| dir.is_dir());
    let dir = named.or_else(usual)?;
    let detail = match take_from(dir, &config.paths.state_dir) {
        Ok(None) => return None,
        Ok(Some(complaint)) => complaint,
        Err(error) => format!("{}: {error}", dir.join(NAME).display()),
    };
    Some(Fault { code: "provisioning".to_owned(), detail })
}

fn take_from(boot: &Path, state: &Path) -> io::Result<Option<String>> {
    take_with(boot, state, durable::remove)
}

fn take_with(
    boot: &Path,
    state: &Path,
    remove: impl Fn(&Path) -> io::Result<()>,
) -> io::Result<Option<String>> {
    let path = boot.join(NAME);
    let Some(bytes) = read(&path)? else {
        // Gone: the same text put there again is a new wish.
        durable::remove(&state.join(TAKEN))?;
        return Ok(None);
    };
    let digest = Digest::of(&bytes).to_string();
    let taken = std::fs::read_to_string(state.join(TAKEN)).is_ok_and(|taken| taken == digest);
    if !taken {
        if let Err(problems) = vitrine_config::check_file(&path) {
            return Ok(Some(format!("nothing of it is used: {problems}")));
        }
        durable::make_dir(state, 0o750)?;
        durable::write(&kept(state), &bytes, MODE)?;
        durable::write(&state.join(TAKEN), digest.as_bytes(), 0o640)?;
        tracing::info!(path = %path.display(), "settings taken from the boot partition");
    }
    let removed = remove(&path);
    // Right after the first time, whoever may remove it has not had a chance yet.
    Ok(removed.err().filter(|_| taken).map(|error| {
        format!(
            "{} was taken but is still there, and may hold secrets: {error}; remove it by hand",
            path.display()
        )
    }))
}

/// None if there is no such file.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        // A link could lead to anybody's file.
        Ok(found) if !found.is_file() => return Err(io::Error::other("not a plain file")),
        Ok(_) => File::open(path)?,
    };
    let mut bytes = Vec::new();
    file.take(CONFIG_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The enrollment token has served or is refused: it is not kept any longer. The other settings
/// stay as they are written.
pub fn forget_enrollment(state_dir: &Path) -> io::Result<()> {
    let path = kept(state_dir);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text?,
    };
    match without_enrollment(&text) {
        Some(rest) => durable::write(&path, rest.as_bytes(), MODE),
        None => Ok(()),
    }
}

/// None if there is none. Comments go with it: they may say what it was.
fn without_enrollment(text: &str) -> Option<String> {
    let mut table: toml::Table = text.parse().ok()?;
    table.get_mut("cloud")?.as_table_mut()?.remove("enrollment")?;
    Some(table.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TEXT: &str = "[cloud]\nurl = \"https://a.example\"\nenrollment = \"0123456789abcdef\"\n";

    struct Card {
        dir: tempfile::TempDir,
    }

    impl Card {
        fn new() -> Card {
            let dir = tempfile::tempdir().expect("directory");
            std::fs::create_dir(dir.path().join("boot")).expect("directory");
            Card { dir }
        }

        fn boot(&self) -> PathBuf {
            self.dir.path().join("boot")
        }

        fn state(&self) -> PathBuf {
            self.dir.path().join("state")
        }

        fn put(&self, text: &str) {
            let mut file = File::create(self.boot().join(NAME)).expect("file");
            file.write_all(text.as_bytes()).expect("written");
        }

        fn take(&self) -> Option<String> {
            take_from(&self.boot(), &self.state()).expect("a usable disk")
        }

        fn kept(&self) -> Option<String> {
            std::fs::read_to_string(kept(&self.state())).ok()
        }

        fn is_there(&self) -> bool {
            self.boot().join(NAME).exists()
        }
    }

    #[test]
    fn what_is_put_on_the_card_is_taken_and_removed() {
        use std::os::unix::fs::PermissionsExt;
        let card = Card::new();
        assert_eq!((card.take(), card.kept()), (None, None));
        card.put(TEXT);
        assert_eq!(card.take(), None);
        assert_eq!((card.kept().as_deref(), card.is_there()), (Some(TEXT), false));
        let mode = std::fs::metadata(kept(&card.state())).expect("kept").permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        // Another wish replaces it.
        let other = "[cloud]\nurl = \"https://b.example\"\n";
        card.put(other);
        assert_eq!(card.take(), None);
        assert_eq!(card.kept().as_deref(), Some(other));
    }

    #[test]
    fn a_wrong_file_changes_nothing_and_stays() {
        let card = Card::new();
        card.put(TEXT);
        card.take();
        for wrong in ["[cloud]\nurl = 7\n", "no settings", "[cloud]\nenrollment = \"h ush\"\n"] {
            card.put(wrong);
            let told = card.take().expect("a complaint");
            assert!(told.contains("vitrine.toml:") && !told.contains("ush\""), "{told}");
            assert_eq!((card.kept().as_deref(), card.is_there()), (Some(TEXT), true));
        }
    }

    #[test]
    fn a_power_cut_at_any_step_loses_nothing_and_takes_nothing_twice() {
        // After (1): the settings are kept, the digest is not.
        let card = Card::new();
        card.put(TEXT);
        durable::make_dir(&card.state(), 0o750).expect("directory");
        durable::write(&kept(&card.state()), TEXT.as_bytes(), MODE).expect("written");
        assert_eq!(card.take(), None);
        assert_eq!((card.kept().as_deref(), card.is_there()), (Some(TEXT), false));
        // After (2): the token has served meanwhile; only the removal is left.
        card.put(TEXT);
        let digest = Digest::of(TEXT.as_bytes()).to_string();
        durable::write(&card.state().join(TAKEN), digest.as_bytes(), MODE).expect("written");
        forget_enrollment(&card.state()).expect("forgotten");
        assert_eq!(card.take(), None);
        assert!(!card.kept().expect("kept").contains("0123456789abcdef"));
        assert!(!card.is_there());
        // After (3): nothing is left to do; the same file put there again counts again.
        assert_eq!(card.take(), None);
        card.put(TEXT);
        card.take();
        assert!(card.kept().expect("kept").contains("0123456789abcdef"));
    }

    #[test]
    fn what_cannot_be_removed_is_told_from_the_second_start_on() {
        let card = Card::new();
        card.put(TEXT);
        let removed = |_: &Path| Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem));
        let take = || take_with(&card.boot(), &card.state(), removed).expect("a usable disk");
        assert_eq!(take(), None, "whoever may remove it has not had a chance yet");
        let told = take().expect("a complaint");
        assert!(told.contains("still there") && told.contains("by hand"), "{told}");
        assert_eq!((card.kept().as_deref(), card.is_there()), (Some(TEXT), true));
    }

    #[test]
    fn a_link_is_not_followed() {
        let card = Card::new();
        std::os::unix::fs::symlink("/etc/hostname", card.boot().join(NAME)).expect("link");
        assert!(take_from(&card.boot(), &card.state()).is_err());
        assert_eq!(card.kept(), None);
    }

    #[test]
    fn only_the_token_is_forgotten() {
        let rest = without_enrollment(TEXT).expect("a token");
        assert_eq!(rest.trim(), "[cloud]\nurl = \"https://a.example\"");
        for text in ["", "[cloud]\nurl = \"https://a.example\"\n", "[device]\n"] {
            assert_eq!(without_enrollment(text), None, "{text:?}");
        }
    }
}
