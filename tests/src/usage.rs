//! What processes cost: CPU time and memory, read from `/proc`.

use std::fs;
use std::time::Duration;

/// Kernel ticks a second in `/proc/PID/stat`: `USER_HZ`, 100 on every Linux we run on.
const TICKS_PER_S: u64 = 100;

/// User and system time that `pid` has used so far, and that of its ended children.
pub fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, rest)) = stat.rsplit_once(')') else { return Duration::ZERO };
    // proc(5): utime, stime, cutime, cstime are fields 14 to 17; `rest` begins at field 3.
    let ticks: u64 = rest.split_whitespace().skip(11).take(4).filter_map(number).sum();
    Duration::from_millis(ticks * 1_000 / TICKS_PER_S)
}

/// What the threads of `pids` have used so far: all but the software drivers', and those.
pub fn cpu_by_driver(pids: &[u32]) -> (Duration, Duration) {
    // Rasteriser and queue of Mesa's Vulkan driver, and its workers for the X server.
    const DRIVER: [&str; 4] = ["llvmpipe", "lavapipe", "lvp", "WSI"];
    let (mut own, mut driver) = (Duration::ZERO, Duration::ZERO);
    for pid in pids {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            let Some((head, rest)) = stat.rsplit_once(')') else { continue };
            let ticks: u64 = rest.split_whitespace().skip(11).take(2).filter_map(number).sum();
            let used = Duration::from_millis(ticks * 1_000 / TICKS_PER_S);
            let name = head.split_once('(').map_or("", |(_, name)| name);
            let is_driver = DRIVER.iter().any(|prefix| name.starts_with(prefix));
            *(if is_driver { &mut driver } else { &mut own }) += used;
        }
    }
    (own, driver)
}

/// The most memory that `pid` itself ever had.
pub fn peak_rss_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| number(line.split_whitespace().next()?)).unwrap_or(0) * 1_024
}

/// Bytes that `pid` itself has sent to disks so far; those of a file system in memory do not count.
pub fn written_bytes(pid: u32) -> u64 {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes:"));
    line.and_then(|line| number(line.trim())).unwrap_or(0)
}

fn number(field: &str) -> Option<u64> {
    field.parse().ok()
}

/// Proportional set size of `pid` in bytes: its own memory and its share of what is shared.
pub fn pss_bytes(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1_024
}

/// The part of [`pss_bytes`] that is mapped from files whose names contain one of `names`.
pub fn pss_of_files(pid: u32, names: &[&str]) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap_or_default();
    let (mut counts, mut kib) = (false, 0);
    for line in maps.lines() {
        if let Some(pss) = line.strip_prefix("Pss:") {
            let here = pss.split_whitespace().next().and_then(number).unwrap_or(0);
            kib += if counts { here } else { 0 };
        } else if line.split_whitespace().next().is_some_and(|first| first.contains('-')) {
            // proc(5): the head of a mapping begins with its range of addresses.
            counts = names.iter().any(|name| line.contains(name));
        }
    }
    kib * 1_024
}
