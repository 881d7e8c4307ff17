//! Which files a worker may open: libraries, plugins and the devices of decoders. Its own it has.
//!
//! Landlock holds for a thread and those that it starts, so [`shut`] wants to be alone.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    PathFdError, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};

use super::Reach;

/// The newest rules that are known here; an older kernel takes those it knows.
const NEWEST: ABI = ABI::V6;

/// Libraries and what they read: the linker's list, colour and shader settings, processors, the board.
const READ: [&str; 14] = [
    "/usr",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/drirc",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/device-tree",
    "/sys/class",
    "/sys/dev",
    "/sys/devices",
    "/dev/null",
    "/dev/urandom",
];
/// How devices of decoders are named in `/dev`.
const DECODERS: [&str; 3] = ["video", "media", "dma_heap"];
/// Sound devices and who says which one is meant.
const SOUND: [&str; 4] = ["/etc/asound.conf", "/etc/alsa", "/run/alsa", "/proc/asound"];
/// Sound servers let in whoever can read their secret.
const SOUND_SERVER: [&str; 2] = ["/etc/pulse", "/etc/machine-id"];

/// Why the wall is missing.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error("{0}")]
    Rules(#[from] RulesetError),
    #[error("the kernel has none")]
    Unknown,
    #[error("it would hold for one of {0} threads")]
    NotAlone(usize),
    #[error("count threads: {0}")]
    Threads(#[from] io::Error),
}

/// Nothing is written any more but to devices, nothing is opened to be read but what is in the lists above.
pub fn shut(reach: Reach) -> Result<(), FilesError> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::ReadDir | AccessFs::IoctlDev;
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    let rules = allow(rules, to_read(reach), read)?;
    let rules = allow(rules, devices(reach), device)?;
    let status = rules.restrict_self()?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(FilesError::Unknown),
        _ if threads > 1 => Err(FilesError::NotAlone(threads)),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}

/// What is not there needs no rule.
fn allow(
    rules: RulesetCreated,
    paths: impl IntoIterator<Item = PathBuf>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let there = paths.into_iter().filter_map(|path| {
        let fd: Result<PathFd, PathFdError> = PathFd::new(&path);
        let fd = fd.ok()?;
        // Rights on what is in a directory cannot be given on a file.
        let access = if path.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
        Some(Ok(PathBeneath::new(fd, access)))
    });
    rules.add_rules(there)
}

fn to_read(reach: Reach) -> BTreeSet<PathBuf> {
    let mut paths: BTreeSet<PathBuf> = READ.into_iter().map(PathBuf::from).collect();
    let plugins = gstreamer::Registry::get().plugins();
    paths.extend(plugins.iter().filter_map(|p| Some(p.filename()?.parent()?.to_owned())));
    let own = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    paths.extend(std::env::split_paths(&own).filter(|path| path.is_absolute()));
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let at_home = |name: &str| home.iter().map(|home| home.join(name)).collect::<Vec<_>>();
    if reach >= Reach::Devices {
        paths.extend(SOUND.map(PathBuf::from));
        paths.extend(at_home(".asoundrc"));
    }
    if reach >= Reach::Server {
        paths.extend(SOUND_SERVER.map(PathBuf::from));
        paths.extend(at_home(".config/pulse"));
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        paths.extend(runtime.map(|dir| dir.join("pulse")));
    }
    paths
}

fn devices(reach: Reach) -> Vec<PathBuf> {
    let mut found = below(Path::new("/dev"), |name| DECODERS.iter().any(|d| name.starts_with(d)));
    // Those that compute, not those that show.
    found.extend(below(Path::new("/dev/dri"), |name| name.starts_with("renderD")));
    if reach >= Reach::Devices {
        found.push(PathBuf::from("/dev/snd"));
    }
    found
}

fn below(dir: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let wanted = entries.filter(|entry| entry.file_name().to_str().is_some_and(&wanted));
    wanted.map(|entry| entry.path()).collect()
}
