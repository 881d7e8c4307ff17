//! How answers of the player are put into words for people.

use std::fmt::Write;

use semver::Version;
use vitrine_config::limits;
use vitrine_config::time::Trust;

use crate::network::Trouble;
use crate::progress;
use crate::status::{DiskWritten, SettingSaid, Status, Update};

/// `vitrine status` as text: one fact a line, the most asked-for first.
pub fn status(status: &Status) -> String {
    let mut lines = Lines::default();
    for showing in &status.showing {
        let zone = showing.zone.as_deref().map(|zone| format!("zone {zone}: ")).unwrap_or_default();
        let since = showing
            .since
            .map_or_else(|| "being prepared".to_owned(), |since| format!("since {since:.0}"));
        lines.add("showing", format!("{zone}{} (turn {}, {since})", showing.label, showing.turn));
    }
    if status.showing.is_empty() {
        lines.add("showing", "nothing".to_owned());
    }
    let until = status.due_until.map(|until| format!(", until {until:.0}")).unwrap_or_default();
    lines.add("due", format!("{}{until}", status.due));
    lines.add("cloud", status.connection.clone());
    if let Some(Trouble { headline, detail, .. }) = &status.network {
        lines.add("network", format!("{headline}. {detail}"));
    }
    lines.option("pairing", status.user_code.as_ref().map(|code| format!("code {code}")));
    lines.option("tenant", status.tenant.clone());
    lines.option("device", status.device.clone());
    lines.add("manifest", status.manifest_version.to_string());
    if let Some(downloads) = &status.downloads {
        lines.add("download", progress::total(downloads));
        downloads.files.iter().for_each(|file| lines.add("", progress::file(file)));
    }
    lines.option("waits", status.downloads_wait.map(|at| format!("for download hours, {at:.0}")));
    for SettingSaid { key, value, at, by } in &status.settings {
        lines.add("setting", format!("{key} = {value}, set in the cloud by {by}, {at:.0}"));
    }
    lines.option("written", status.written.as_ref().map(written));
    lines.add("stage", format!("{}, {} frames", status.stage, status.frames_presented));
    lines.option("workers", status.workers.map(|walls| format!("behind {walls}")));
    let trust = match status.trust {
        Trust::Synced => "set by the network",
        Trust::Guess => "a guess",
    };
    lines.add("clock", format!("{:.0}, {trust}", status.at));
    lines.add("release", format!("{}, up {}", status.release, span(status.uptime_s)));
    lines.option("on trial", status.update.trial.clone());
    for refused in &status.update.refused {
        lines.add("refused", refused.clone());
    }
    for trouble in &status.troubles {
        lines.add("trouble", trouble.clone());
    }
    lines.text
}

/// What was written to the disk, beside what may be.
fn written(written: &DiskWritten) -> String {
    let mb = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let over = |over| if over { ", OVER" } else { "" };
    let store = written.store_bytes.map_or("not counted".to_owned(), mb);
    format!(
        "content {} for {} of files (budget {} %{}), store {store} in {} (budget {} a day{})",
        mb(written.content_bytes),
        mb(written.content_kept_bytes),
        limits::CONTENT_WRITTEN_PERCENT,
        over(written.content_is_over()),
        span(written.within_s),
        mb(limits::STORE_WRITTEN_BYTES_A_DAY),
        over(written.store_is_over()),
    )
}

/// `vitrine update status` as text.
pub fn update(status: &Status) -> String {
    let Update { current, previous, trial, refused } = &status.update;
    let mut lines = Lines::default();
    lines.add("running", status.release.clone());
    let proved = current.as_ref().map_or_else(|| "the package's".to_owned(), Version::to_string);
    lines.add("proved", proved);
    lines.option("before it", previous.as_ref().map(Version::to_string));
    lines.option("on trial", trial.clone());
    refused.iter().for_each(|one| lines.add("refused", one.clone()));
    lines.text
}

/// A span for people: `2d 3h`, `4m 5s`, `6s`.
pub fn span(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest}s"),
        (0, 0, _) => format!("{minutes}m {rest}s"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

#[derive(Default)]
struct Lines {
    text: String,
}

impl Lines {
    fn add(&mut self, name: &str, fact: String) {
        // Writing to memory does not fail.
        let _ = writeln!(self.text, "{name:<9} {fact}");
    }

    fn option(&mut self, name: &str, fact: Option<String>) {
        if let Some(fact) = fact {
            self.add(name, fact);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use vitrine_render::report::Walls;
    use vitrine_sync::model::Digest;
    use vitrine_sync::wire::record::{Download, Downloads};

    use super::*;
    use crate::status::Showing;

    #[test]
    fn spans_show_the_two_units_that_matter() {
        for (seconds, want) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m 0s"),
            (3_599, "59m 59s"),
            (3_600, "1h 0m"),
            (90_061, "1d 1h"),
        ] {
            assert_eq!(span(seconds), want);
        }
    }

    #[test]
    fn a_status_reads_well() {
        let given = Status {
            release: "0.1.0".into(),
            at: Timestamp::constant(1_000, 0),
            trust: Trust::Guess,
            uptime_s: 61,
            tenant: Some("acme".into()),
            device: None,
            user_code: None,
            connection: "offline: no route".into(),
            network: Some(Trouble {
                code: "no_cable".into(),
                headline: "No network cable".into(),
                detail: "Plug one in.".into(),
            }),
            manifest_version: 3,
            downloads: Some(Downloads {
                version: 4,
                assets: 3,
                assets_here: 1,
                bytes: 40_000_000,
                bytes_here: 12_300_000,
                files: vec![Download {
                    asset: Digest::of(b"x"),
                    name: "clip.mp4".into(),
                    bytes: 20_000_000,
                    bytes_here: 5_000_000,
                }],
            }),
            downloads_wait: Some(Timestamp::constant(3_000, 0)),
            settings: vec![SettingSaid {
                key: "cloud.poll_s".into(),
                value: "30".into(),
                at: Timestamp::constant(500, 0),
                by: "anna".into(),
            }],
            written: Some(DiskWritten {
                content_bytes: 12_100_000,
                content_kept_bytes: 12_000_000,
                store_bytes: Some(9_000_000),
                within_s: 7_200,
            }),
            asked: 1,
            ask_failed: None,
            due: "entry lunch".into(),
            due_until: Some(Timestamp::constant(2_000, 0)),
            showing: vec![Showing {
                turn: 7,
                zone: None,
                playlist: "p".into(),
                item: "i".into(),
                label: "cat.jpg".into(),
                since: None,
            }],
            stage: "pid 5".into(),
            workers: Some(Walls { calls: true, files: true, network: false }),
            frames_presented: 9,
            update: Update::default(),
            troubles: vec!["dog.jpg: not a picture".into()],
        };
        let want = "\
showing   cat.jpg (turn 7, being prepared)
due       entry lunch, until 1970-01-01T00:33:20Z
cloud     offline: no route
network   No network cable. Plug one in.
tenant    acme
manifest  3
download  version 4: 1 of 3 files, 12.3 of 40.0 MB
          clip.mp4 5.0 of 20.0 MB
waits     for download hours, 1970-01-01T00:50:00Z
setting   cloud.poll_s = 30, set in the cloud by anna, 1970-01-01T00:08:20Z
written   content 12.1 MB for 12.0 MB of files (budget 102 %), store 9.0 MB in 2h 0m (budget 8.4 MB a day, OVER)
stage     pid 5, 9 frames
workers   behind seccomp, Landlock; not here: network namespace
clock     1970-01-01T00:16:40Z, a guess
release   0.1.0, up 1m 1s
trouble   dog.jpg: not a picture
";
        assert_eq!(status(&given), want);
    }
}
