//! Whether this device can update itself, and what became of the last try.

use rustix::fs::StatVfsMountFlags;
use vitrine_config::Config;

use super::finding::Finding;
use crate::update::{own_version, recall};

/// One line on versions.
pub fn update(config: &Config) -> Finding {
    let dir = &config.paths.state_dir;
    if config.update.key.is_none() {
        let advice =
            "set update.key if devices are to update themselves; the package manager does too";
        return Finding::fair("update", format!("{}; no key is pinned", own_version()), advice);
    }
    let noexec = rustix::fs::statvfs(dir)
        .is_ok_and(|about| about.f_flag.contains(StatVfsMountFlags::NOEXEC));
    if noexec {
        let found =
            format!("{} is mounted noexec: no version can be started from it", dir.display());
        return Finding::bad("update", found, "mount it without noexec, or choose paths.state_dir");
    }
    let state = recall(dir);
    let proved = match &state.current {
        Some(release) => format!("{} has proved itself", release.version),
        None => format!("{} of the package", own_version()),
    };
    match (&state.trial, state.refused.last()) {
        (Some(trial), _) => {
            Finding::good("update", format!("{proved}; {} is on trial", trial.release.version))
        }
        (None, Some(refused)) => {
            let found = format!("{proved}; {} came back: {}", refused.version, refused.why);
            Finding::fair("update", found, "offer something newer; this one is not tried again")
        }
        (None, None) => Finding::good("update", proved),
    }
}
