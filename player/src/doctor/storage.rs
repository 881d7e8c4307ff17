//! How the medium under the file system is: its age, and what the kernel holds against it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::finding::Finding;
use super::machine::read;

/// The kernel's ring of messages at its usual size, twice.
const LOG_BYTES: usize = 1 << 20;
/// How the kernel speaks of a medium that fails.
const COMPLAINTS: [&str; 6] = [
    "I/O error, dev",
    "EXT4-fs error",
    "Buffer I/O error",
    "mmc0: error",
    "mmc0: Card stuck",
    "Remounting filesystem read-only",
];

/// What cards say of their age: eMMC do, SD cards have no word for it.
pub fn wear(root: &Path) -> Vec<Finding> {
    let blocks = fs::read_dir(root.join("sys/block")).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        blocks.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
        .iter()
        .filter(|name| name.starts_with("mmcblk"))
        .filter_map(|name| card(root, name))
        .collect()
}

fn card(root: &Path, block: &str) -> Option<Finding> {
    let fact = |name: &str| read(root, &format!("sys/block/{block}/device/{name}"));
    let name = [fact("name"), fact("date")].into_iter().flatten().collect::<Vec<_>>().join(", ");
    if let Some(life) = fact("life_time") {
        return Some(age(&name, &life, fact("pre_eol_info").as_deref()));
    }
    // Boot partitions of an eMMC are blocks of their own without any facts.
    let kind = fact("type")?;
    let found = format!("{kind} card {name}: it does not tell its age");
    Some(Finding::good("wear", found))
}

fn age(name: &str, life: &str, spare: Option<&str>) -> Finding {
    // JEDEC eMMC 5.0, EXT_CSD 268 and 269: 0x01 is up to 10 % used, 0x0a up to 100 %, 0x0b beyond.
    // EXT_CSD 267: of the blocks kept in reserve, 0x02 is 80 % used, 0x03 90 %.
    let number = |word: &str| u32::from_str_radix(word.trim_start_matches("0x"), 16).ok();
    let worst = life.split_whitespace().filter_map(number).max().unwrap_or(0);
    let spare = spare.and_then(number).unwrap_or(0);
    let found = match worst {
        0 => format!("eMMC {name}: age not known"),
        1..=10 => format!("eMMC {name}: up to {} % of its life used", worst * 10),
        _ => format!("eMMC {name}: beyond its life"),
    };
    match (worst, spare) {
        (11.., _) | (_, 3..) => Finding::bad("wear", found, "replace it now"),
        (9.., _) | (_, 2) => Finding::fair("wear", found, "plan to replace it"),
        _ => Finding::good("wear", found),
    }
}

/// What file systems have counted and what the kernel has said since the start; `log`: as far as
/// it may be read.
pub fn faults(root: &Path, log: Option<&str>) -> Finding {
    let ext4 = fs::read_dir(root.join("sys/fs/ext4")).into_iter().flatten().flatten();
    let mut found: Vec<String> = ext4
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let count = read(root, &format!("sys/fs/ext4/{name}/errors_count"))?;
            (count != "0").then(|| format!("{name}: {count} file system errors"))
        })
        .collect();
    found.sort();
    let complains = |line: &&str| COMPLAINTS.iter().any(|complaint| line.contains(complaint));
    let lines: Vec<_> = log.unwrap_or_default().lines().filter(complains).collect();
    if let Some(last) = lines.last() {
        // Level, number, time and flags stand before the text.
        let text = last.split_once(';').map_or(*last, |(_, text)| text);
        found.push(format!("{} complaints of the kernel, the last: {text}", lines.len()));
    }
    match (found.is_empty(), log) {
        (true, Some(_)) => Finding::good("storage", "no errors since the start"),
        (true, None) => {
            Finding::good("storage", "no file system errors; the kernel's log is for root alone")
        }
        (false, _) => {
            let advice =
                "save what is on it and replace it; fsck mends what is left (fsck.repair=yes)";
            Finding::bad("storage", found.join("; "), advice)
        }
    }
}

/// The kernel's messages since the start; None where only root may read them.
pub fn kernel_log() -> Option<String> {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut log =
        fs::OpenOptions::new().read(true).custom_flags(nonblocking).open("/dev/kmsg").ok()?;
    let (mut all, mut one) = (Vec::new(), [0; 8_192]);
    // One message a read; an error is the end.
    while all.len() < LOG_BYTES
        && let Ok(bytes) = log.read(&mut one)
        && bytes > 0
    {
        all.extend_from_slice(&one[..bytes]);
    }
    Some(String::from_utf8_lossy(&all).into_owned())
}

/// Whether the root file system can be written to. Both are fine: the player writes to its state
/// directory alone.
pub fn root_mount(root: &Path) -> Finding {
    let mounts = read(root, "proc/mounts").unwrap_or_default();
    let options = mounts.lines().rev().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        (words.get(1) == Some(&"/")).then(|| format!("{} {}", words[2], words[3]))
    });
    let found = match &options {
        Some(options) if options.split([' ', ',']).any(|word| word == "ro") => {
            "read-only; only the state directory is written to"
        }
        Some(options) if options.starts_with("overlay") => {
            "an overlay: changes are gone at a restart"
        }
        Some(_) => "writable",
        None => "not known",
    };
    Finding::good("root", found)
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;
    use crate::test_machine::machine;

    #[test]
    fn age_is_read_as_the_standard_has_it() {
        for (life, spare, state) in [
            ("0x01 0x02", "0x01", State::Good),
            ("0x01 0x0a", "0x01", State::Fair),
            ("0x0b 0x01", "0x01", State::Bad),
            ("0x01 0x01", "0x03", State::Bad),
            ("0x00 0x00", "0x00", State::Good),
        ] {
            let root = machine(&[
                ("sys/block/mmcblk0/device/life_time", life),
                ("sys/block/mmcblk0/device/pre_eol_info", spare),
                ("sys/block/mmcblk0/device/type", "MMC\n"),
            ]);
            let states: Vec<_> = wear(root.path()).iter().map(|finding| finding.state).collect();
            assert_eq!(states, [state], "{life}, {spare}");
        }
    }

    #[test]
    fn a_card_without_an_age_says_so() {
        let root = machine(&[
            ("sys/block/mmcblk0/device/type", "SD\n"),
            ("sys/block/mmcblk0/device/name", "SC32G\n"),
            ("sys/block/mmcblk0/device/date", "06/2024\n"),
            ("sys/block/mmcblk0boot0/size", "0\n"),
            ("sys/block/sda/size", "0\n"),
        ]);
        let found: Vec<_> = wear(root.path()).into_iter().map(|finding| finding.found).collect();
        assert_eq!(found, ["SD card SC32G, 06/2024: it does not tell its age"]);
    }

    #[test]
    fn errors_are_counted_wherever_they_are_told() {
        let good = machine(&[("sys/fs/ext4/mmcblk0p2/errors_count", "0\n")]);
        let bad = machine(&[("sys/fs/ext4/mmcblk0p2/errors_count", "3\n")]);
        let log = "6,1,1,-;usb 1-1: new device\n3,2,2,-;mmc0: error -110 whilst reading\n";
        for (case, root, log, state, words) in [
            ("fine", &good, Some("6,1,1,-;all is well\n"), State::Good, "no errors"),
            ("log not for us", &good, None, State::Good, "for root alone"),
            ("counted", &bad, None, State::Bad, "mmcblk0p2: 3 file system errors"),
            ("said", &good, Some(log), State::Bad, "mmc0: error -110"),
        ] {
            let found = faults(root.path(), log);
            assert_eq!(found.state, state, "case {case:?}");
            assert!(found.found.contains(words), "case {case:?}: {}", found.found);
        }
    }

    #[test]
    fn a_read_only_root_is_told_and_no_fault() {
        for (mounts, words) in [
            ("/dev/mmcblk0p2 / ext4 ro,noatime 0 0\n", "read-only"),
            ("/dev/mmcblk0p2 / ext4 rw,noatime,errors=remount-ro 0 0\n", "writable"),
            ("overlayroot / overlay rw,lowerdir=/ro 0 0\n", "an overlay"),
        ] {
            let found = root_mount(machine(&[("proc/mounts", mounts)]).path());
            assert!(found.found.contains(words), "{mounts}: {}", found.found);
        }
    }
}
