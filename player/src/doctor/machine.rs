//! Board, system, memory, heat and clock, as the kernel tells them.

use std::fs;
use std::path::Path;

use super::finding::Finding;
use crate::clock::SYNCED_MARK;

/// A player, its stage and two 1080p decoders, with room for the system around them.
const MEMORY_LEAST_MB: u64 = 900;
/// Raspberry Pi boards slow down from 80 °C on.
const HOT_C: i64 = 75;

/// A file's text without what the kernel ends it with.
pub fn read(root: &Path, path: &str) -> Option<String> {
    let text = fs::read_to_string(root.join(path)).ok()?;
    Some(text.trim_end_matches(['\0', '\n']).to_owned()).filter(|text| !text.is_empty())
}

/// Which board.
pub fn board(root: &Path) -> Finding {
    let model = read(root, "proc/device-tree/model");
    let name = model.or_else(|| read(root, "sys/class/dmi/id/product_name"));
    match name.as_deref() {
        Some(name) if ["Pi 3", "Pi 2", "Pi Zero 2"].iter().any(|old| name.contains(old)) => {
            let advice = "use a Raspberry Pi 4 or later: this one has no Vulkan and no OpenGL ES 3";
            Finding::bad("board", name, advice)
        }
        Some(name) => Finding::good("board", name),
        None => Finding::good("board", "unnamed"),
    }
}

/// Which distribution and kernel.
pub fn system(root: &Path) -> Finding {
    let release = read(root, "etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let name = name.unwrap_or("unknown").trim_matches('"').to_owned();
    let kernel = read(root, "proc/sys/kernel/osrelease").unwrap_or_default();
    let found = format!("{name}, kernel {kernel}, {}", std::env::consts::ARCH);
    match std::env::consts::ARCH {
        "aarch64" | "x86_64" => Finding::good("system", found),
        _ => Finding::fair("system", found, "use a 64-bit system: nothing else is tested"),
    }
}

/// How much memory there is.
pub fn memory(root: &Path) -> Finding {
    let info = read(root, "proc/meminfo").unwrap_or_default();
    let mb = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1_024 / 1_000_000)
    };
    let (Some(all), Some(free)) = (mb("MemTotal:"), mb("MemAvailable:")) else {
        return Finding::fair("memory", "unknown", "look at /proc/meminfo");
    };
    let found = format!("{all} MB, {free} MB of it available");
    if all < MEMORY_LEAST_MB {
        return Finding::fair("memory", found, "one 1080p video at a time: this is a 1 GB player");
    }
    Finding::good("memory", found)
}

/// How warm the processor is, where it says so.
pub fn heat(root: &Path) -> Option<Finding> {
    let zone = "sys/class/thermal/thermal_zone0/temp";
    let celsius = read(root, zone)?.parse::<i64>().ok()? / 1_000;
    let found = format!("{celsius} °C");
    Some(if celsius >= HOT_C {
        Finding::fair("heat", found, "give it air or a heat sink: it slows down at 80 °C")
    } else {
        Finding::good("heat", found)
    })
}

/// Whether the supply holds, as a Raspberry Pi's firmware tells it.
pub fn power(root: &Path) -> Option<Finding> {
    let text = read(root, "sys/devices/platform/soc/soc:firmware/get_throttled")?;
    let bits = u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()?;
    let is = |place: u32| bits >> place & 1 == 1;
    let advice = "use the supply made for this board and a short cable: it stalls and breaks cards";
    let warm = "give it air or a heat sink";
    Some(match (is(0), is(1) || is(2) || is(3), is(16), is(17) || is(18) || is(19)) {
        (true, ..) => Finding::bad("power", "voltage is too low now", advice),
        (_, true, ..) => Finding::fair("power", "the processor is slowed down now", warm),
        (_, _, true, _) => Finding::fair("power", "voltage was too low since the start", advice),
        (_, _, _, true) => Finding::fair("power", "it was slowed down since the start", warm),
        _ => Finding::good("power", "voltage and speed were right all the time"),
    })
}

/// Whether the time is right, and outlives a power cut.
pub fn clock(root: &Path) -> Finding {
    let keeper = root.join("sys/class/rtc/rtc0").exists();
    match (root.join(SYNCED_MARK.trim_start_matches('/')).exists(), keeper) {
        (true, true) => {
            Finding::good("clock", "set by systemd-timesyncd; a battery-backed one is there")
        }
        (true, false) => Finding::good("clock", "set by systemd-timesyncd"),
        (false, _) => Finding::fair(
            "clock",
            "nobody has set it since the start",
            "install systemd-timesyncd and see `timedatectl`: until then schedules go by a guess",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;
    use crate::test_machine::machine;

    #[test]
    fn boards_without_a_usable_gpu_are_told_apart() {
        for (model, state) in [
            ("Raspberry Pi 4 Model B Rev 1.5\0", State::Good),
            ("Raspberry Pi 5 Model B Rev 1.0\0", State::Good),
            ("Raspberry Pi 3 Model B Plus Rev 1.3\0", State::Bad),
            ("Raspberry Pi Zero 2 W Rev 1.0\0", State::Bad),
        ] {
            let root = machine(&[("proc/device-tree/model", model)]);
            let found = board(root.path());
            assert_eq!((found.state, found.found.as_str()), (state, model.trim_end_matches('\0')));
        }
    }

    #[test]
    fn small_memory_and_heat_are_said() {
        let info = "MemTotal:         900000 kB\nMemAvailable:     400000 kB\n";
        let root =
            machine(&[("proc/meminfo", info), ("sys/class/thermal/thermal_zone0/temp", "81000\n")]);
        assert_eq!(memory(root.path()).found, "921 MB, 409 MB of it available");
        assert_eq!(heat(root.path()).map(|found| found.state), Some(State::Fair));
        assert_eq!(heat(machine(&[]).path()), None);
    }

    #[test]
    fn low_voltage_is_told_before_heat() {
        for (bits, state, words) in [
            ("0", State::Good, "right all the time"),
            ("50005", State::Bad, "too low now"),
            ("50000", State::Fair, "too low since"),
            ("80008", State::Fair, "slowed down now"),
            ("80000", State::Fair, "was slowed down"),
        ] {
            let root = machine(&[("sys/devices/platform/soc/soc:firmware/get_throttled", bits)]);
            let found = power(root.path()).expect("told");
            assert_eq!(found.state, state, "{bits}");
            assert!(found.found.contains(words), "{bits}: {}", found.found);
        }
        assert_eq!(power(machine(&[]).path()), None);
    }

    #[test]
    fn a_clock_that_nobody_set_is_said() {
        assert_eq!(clock(machine(&[]).path()).state, State::Fair);
        assert_eq!(
            clock(machine(&[(SYNCED_MARK.trim_start_matches('/'), "")]).path()).state,
            State::Good
        );
    }
}
