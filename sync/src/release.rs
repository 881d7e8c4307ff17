//! Newer versions of the player: which index is believed, and which release is for this device.
//!
//! In:  an index as it came, what the player says of itself.
//! Out: the release to fetch, or in words why there is none.
//!
//! Promises: `only_what_the_pinned_key_signed_and_never_something_older`,
//! `a_release_is_newer_than_all_that_is_here_and_all_that_failed`.
//!
//! Not here: asking and fetching (`shell::release`), trying a release (`vitrine-player`). Nothing of
//! it depends on the tenant: another tenant's device runs the same player.

use ed25519_dalek::VerifyingKey;
use semver::Version;
use vitrine_config::model::Hours;
use vitrine_wire::Digest;
use vitrine_wire::release::{self, Index, IndexError, Release};

/// What the player says of itself, once after a start.
#[derive(Debug, Clone, PartialEq)]
pub struct Updates {
    /// Public key that releases are signed with; `vitrine_wire::release::parse_key` reads it.
    pub key: String,
    /// The version that runs.
    pub running: Version,
    /// The version that the package has brought.
    pub package: Version,
    /// Kind of machine, as in [`Release::arch`].
    pub arch: String,
    /// Versions that were tried and came back.
    pub refused: Vec<Version>,
    /// Files that are in use; those of other releases are removed.
    pub keep: Vec<Digest>,
    /// Look for news by itself within these hours; None: only when asked.
    pub hours: Option<Hours>,
}

/// An index is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Not signed by the pinned key, or unreadable.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A step back, or two different ones of one version.
    #[error("release index: version {found} after version {seen}; versions only rise")]
    Older {
        /// Newest believed.
        seen: u64,
        /// The one that came.
        found: u64,
    },
}

/// Decides about an index that the cloud sent.
pub(crate) fn judge(
    raw: &[u8],
    key: &VerifyingKey,
    seen: Option<&Index>,
) -> Result<Index, Refusal> {
    let index = release::open(raw, key)?;
    match seen {
        Some(seen)
            if index.version < seen.version
                || (index.version == seen.version && index != *seen) =>
        {
            Err(Refusal::Older { seen: seen.version, found: index.version })
        }
        _ => Ok(index),
    }
}

/// The newest release that this device may take.
///
/// # Errors
/// There is none; why, for a person.
pub(crate) fn choose<'a>(
    index: &'a Index,
    device: &str,
    own: &Updates,
) -> Result<&'a Release, String> {
    let here = (&own.running).max(&own.package);
    let mut newer: Vec<_> = index
        .releases
        .iter()
        .filter(|release| release.arch == own.arch && release.version > *here)
        .collect();
    newer.sort_by(|a, b| b.version.cmp(&a.version));
    let found = newer.iter().map(|release| misfit(release, device, own).map_or(Ok(*release), Err));
    let mut why = format!("{here} is the newest for {}", own.arch);
    for one in found {
        match one {
            Ok(release) => return Ok(release),
            Err(reason) => why = reason,
        }
    }
    Err(why)
}

/// Why a newer release is not for this device now.
fn misfit(release: &Release, device: &str, own: &Updates) -> Option<String> {
    let Release { version, min_package, rollout_percent, .. } = release;
    if let Some(failed) = own.refused.iter().max().filter(|failed| *failed >= version) {
        return Some(format!(
            "{failed} was tried and came back; held until something newer is there"
        ));
    }
    if let Some(wanted) = min_package.as_ref().filter(|wanted| own.package < **wanted) {
        let package = &own.package;
        return Some(format!("{version} wants the package {wanted}, installed is {package}"));
    }
    (!release.is_for(device))
        .then(|| format!("{version} reaches {rollout_percent} % of devices so far, not this one"))
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use jiff::Timestamp;

    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn entry(text: &str) -> Release {
        Release {
            version: version(text),
            arch: "aarch64".into(),
            sha256: Digest::of(text.as_bytes()),
            size_bytes: 1,
            min_package: None,
            rollout_percent: 100,
        }
    }

    fn index(version: u64, releases: Vec<Release>) -> Index {
        Index { version, issued_at: Timestamp::UNIX_EPOCH, not_after: None, releases }
    }

    fn own() -> Updates {
        Updates {
            key: String::new(),
            running: version("0.2.0"),
            package: version("0.1.0"),
            arch: "aarch64".into(),
            refused: vec![],
            keep: vec![],
            hours: None,
        }
    }

    #[test]
    fn only_what_the_pinned_key_signed_and_never_something_older() {
        let key = |seed| SigningKey::from_bytes(&[seed; 32]);
        let signed = |index: &Index, seed| release::seal(index, &[&key(seed)]).unwrap();
        let (old, seen) = (index(4, vec![]), index(5, vec![entry("0.3.0")]));
        let (other, next) = (index(5, vec![]), index(6, vec![]));
        let judged = |raw: &[u8]| judge(raw, &key(1).verifying_key(), Some(&seen));
        for (case, good) in [("the same", &seen), ("the next", &next)] {
            assert_eq!(judged(&signed(good, 1)).as_ref(), Ok(good), "case {case:?}");
        }
        let mut forged = signed(&next, 1);
        let middle = forged.len() / 2;
        forged[middle] ^= 1;
        for (case, raw) in [
            ("rollback", signed(&old, 1)),
            ("two of one version", signed(&other, 1)),
            ("another key", signed(&next, 2)),
            ("a changed byte", forged),
        ] {
            assert!(judged(&raw).is_err(), "case {case:?}");
        }
        assert!(judge(&signed(&old, 1), &key(1).verifying_key(), None).is_ok(), "the first one");
    }

    #[test]
    fn a_release_is_newer_than_all_that_is_here_and_all_that_failed() {
        let wide = |text: &str| entry(text);
        let wrong_arch = Release { arch: "x86_64".into(), ..entry("0.9.0") };
        let nobody = Release { rollout_percent: 0, ..entry("0.4.0") };
        let demanding = Release { min_package: Some(version("0.2.0")), ..entry("0.4.0") };
        let fresh_package = Updates { package: version("0.5.0"), ..own() };
        let burnt = Updates { refused: vec![version("0.3.0")], ..own() };
        for (case, releases, own, want) in [
            ("nothing", vec![], own(), Err("0.2.0 is the newest")),
            ("the same", vec![wide("0.2.0")], own(), Err("0.2.0 is the newest")),
            ("older", vec![wide("0.1.9")], own(), Err("0.2.0 is the newest")),
            ("newer", vec![wide("0.3.0")], own(), Ok("0.3.0")),
            ("the newest", vec![wide("0.3.0"), wide("0.10.0"), wide("0.4.0")], own(), Ok("0.10.0")),
            ("a trial release is older", vec![wide("0.2.0-rc.1")], own(), Err("newest")),
            ("another machine's", vec![wrong_arch, wide("0.3.0")], own(), Ok("0.3.0")),
            ("not rolled out here", vec![nobody.clone()], own(), Err("0 % of devices")),
            ("the one below is", vec![nobody, wide("0.3.0")], own(), Ok("0.3.0")),
            ("package too old", vec![demanding], own(), Err("wants the package 0.2.0")),
            (
                "the package is newer",
                vec![wide("0.4.0")],
                fresh_package,
                Err("0.5.0 is the newest"),
            ),
            ("it failed", vec![wide("0.3.0")], burnt.clone(), Err("held until")),
            ("below one that failed", vec![wide("0.2.5")], burnt.clone(), Err("held until")),
            ("above one that failed", vec![wide("0.3.1")], burnt, Ok("0.3.1")),
        ] {
            let index = index(1, releases);
            match (choose(&index, "d1", &own), want) {
                (Ok(found), Ok(want)) => assert_eq!(found.version, version(want), "case {case:?}"),
                (Err(why), Err(want)) => assert!(why.contains(want), "case {case:?}: {why}"),
                (got, want) => panic!("case {case:?}: {got:?}, want {want:?}"),
            }
        }
    }
}
