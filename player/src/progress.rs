//! How far downloads are, in words and as a bar.

use vitrine_sync::wire::record::{Download, Downloads};

/// Width of a line that every terminal has.
const COLUMNS: usize = 79;
/// Width of the bar between its brackets.
const BAR: u64 = 24;

/// All files together: `version 4: 1 of 3 files, 12.3 of 40.0 MB`.
pub fn total(of: &Downloads) -> String {
    let (version, here, files) = (of.version, of.assets_here, of.assets);
    format!("version {version}: {here} of {files} files, {}", mb(of.bytes_here, of.bytes))
}

/// One file: `clip.mp4 5.0 of 20.0 MB`.
pub fn file(of: &Download) -> String {
    format!("{} {}", of.name, mb(of.bytes_here, of.bytes))
}

/// One line with a bar, no wider than a terminal.
pub fn bar(of: &Downloads) -> String {
    let share = |whole: u64| of.bytes_here.saturating_mul(whole) / of.bytes.max(1);
    let full = share(BAR).min(BAR) as usize;
    let (done, left) = ("#".repeat(full), "-".repeat(BAR as usize - full));
    let files: Vec<&str> = of.files.iter().map(|file| file.name.as_str()).collect();
    let line = format!(
        "[{done}{left}] {:>3} %  {} of {} files, {}  {}",
        share(100).min(100),
        of.assets_here,
        of.assets,
        mb(of.bytes_here, of.bytes),
        files.join(", ")
    );
    line.trim_end().chars().map(|c| if c.is_control() { '?' } else { c }).take(COLUMNS).collect()
}

fn mb(here: u64, all: u64) -> String {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    format!("{:.1} of {:.1} MB", mb(here), mb(all))
}

#[cfg(test)]
mod tests {
    use vitrine_sync::model::Digest;

    use super::*;

    #[test]
    fn a_bar_fits_a_line_whatever_it_shows() {
        let under_way = |name: &str| Download {
            asset: Digest::of(b"x"),
            name: name.into(),
            bytes: 1,
            bytes_here: 0,
        };
        let given = |bytes, bytes_here, name| Downloads {
            version: 4,
            assets: 3,
            assets_here: 1,
            bytes,
            bytes_here,
            files: vec![under_way(name)],
        };
        let long = "x".repeat(200);
        for (case, given, want) in [
            (
                "half",
                given(40_000_000, 20_000_000, "clip.mp4"),
                "[############------------]  50 %  1 of 3 files, 20.0 of 40.0 MB  clip.mp4",
            ),
            (
                "nothing to come",
                given(0, 0, ""),
                "[------------------------]   0 %  1 of 3 files, 0.0 of 0.0 MB",
            ),
            (
                "more than there is",
                given(1_000_000, 9_000_000, "a\nb"),
                "[########################] 100 %  1 of 3 files, 9.0 of 1.0 MB  a?b",
            ),
        ] {
            assert_eq!(bar(&given), want, "case {case:?}");
        }
        assert_eq!(bar(&given(1, 0, &long)).len(), COLUMNS);
    }
}
