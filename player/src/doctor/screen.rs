//! Which displays are plugged in.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::finding::Finding;
use super::machine::read;

/// Every connector of every graphics card, with the mode it would run.
pub fn connectors(root: &Path) -> Finding {
    let class = "sys/class/drm";
    let entries = fs::read_dir(root.join(class)).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let mut usable = Vec::new();
    let mut blind = Vec::new();
    for name in &names {
        let Some((_, connector)) = name.split_once('-') else { continue };
        if read(root, &format!("{class}/{name}/status")).as_deref() != Some("connected") {
            continue;
        }
        // The kernel lists the preferred mode first.
        let modes = read(root, &format!("{class}/{name}/modes")).unwrap_or_default();
        match modes.lines().next() {
            // Modes that differ in their rate alone look the same here.
            Some(mode) => {
                let all: BTreeSet<_> = modes.lines().collect();
                usable.push(format!("{connector} {mode} of {} sizes", all.len()));
            }
            None => blind.push(connector.to_owned()),
        }
    }
    match (usable.is_empty(), blind.is_empty()) {
        (false, _) => Finding::good("display", usable.join(", ")),
        (true, false) => {
            let advice = "the display does not say what it can: try another cable or port";
            Finding::bad("display", format!("{} without modes", blind.join(", ")), advice)
        }
        (true, true) => {
            let advice = "plug in a display and switch it on; the player waits for it";
            Finding::fair("display", "none is connected", advice)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::finding::State;
    use super::*;

    #[test]
    fn connected_is_not_enough() {
        for (case, status, modes, state, found) in [
            (
                "on",
                "connected\n",
                "1920x1080\n1280x720\n",
                State::Good,
                "HDMI-A-1 1920x1080 of 2 sizes",
            ),
            ("blind", "connected\n", "", State::Bad, "HDMI-A-1 without modes"),
            ("off", "disconnected\n", "", State::Fair, "none is connected"),
        ] {
            let root = tempfile::tempdir().expect("directory");
            let dir = root.path().join("sys/class/drm/card0-HDMI-A-1");
            fs::create_dir_all(&dir).expect("directory");
            for (name, text) in [("status", status), ("modes", modes)] {
                let mut file = fs::File::create(dir.join(name)).expect("file");
                file.write_all(text.as_bytes()).expect("written");
            }
            let seen = connectors(root.path());
            assert_eq!((seen.state, seen.found.as_str()), (state, found), "case {case:?}");
        }
    }
}
