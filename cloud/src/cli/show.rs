//! Answers as people read them.

use serde_json::Value;
use vitrine_cloud::records::Kept;
use vitrine_wire::manifest::{Asset, Setting};
use vitrine_wire::operator::{DeviceState, EnrollmentMade, EnrollmentState, Room};
use vitrine_wire::record::{Body, Record};
use vitrine_wire::release::Index;

/// Columns with two spaces between them, each as wide as its widest cell.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |n: usize| {
        let cells = rows.iter().filter_map(|row| row.get(n));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Uploaded files.
pub fn assets(assets: &[Asset]) -> String {
    let mut rows = vec![row(["DIGEST", "BYTES", "TYPE", "NAME"])];
    rows.extend(assets.iter().map(|asset| {
        let (digest, size) = (asset.sha256.to_string(), asset.size_bytes.to_string());
        row([&digest, &size, &asset.media_type, &asset.name])
    }));
    table(&rows)
}

/// The release index.
pub fn releases(index: &Index) -> String {
    let mut rows = vec![row(["VERSION", "MACHINE", "ROLLOUT", "BYTES", "DIGEST"])];
    rows.extend(index.releases.iter().map(|release| {
        let (version, digest) = (release.version.to_string(), release.sha256.to_string());
        let (share, size) =
            (format!("{} %", release.rollout_percent), release.size_bytes.to_string());
        row([&version, &release.arch, &share, &size, &digest])
    }));
    let until = index.not_after.map_or("for ever".into(), |at| format!("until {at:.0}"));
    format!("index {}, good {until}\n{}", index.version, table(&rows))
}

/// A `vitrine.toml` for the boot partition of cards: the token and where it counts.
pub fn card(made: &EnrollmentMade, uses: u32) -> String {
    let EnrollmentMade { enrollment, token, cloud_url, expires_at } = made;
    let screens = if uses == 1 { "one screen".to_owned() } else { format!("{uses} screens") };
    format!(
        "# Enrollment {enrollment} for {screens}, until {expires_at:.0}. Put this as vitrine.toml on \
         the boot\n# partition; the player takes it at its start and removes it. It is shown this \
         once.\n[cloud]\nurl = \"{cloud_url}\"\nenrollment = \"{token}\""
    )
}

/// Enrollment tokens without their secrets.
pub fn enrollments(all: &[EnrollmentState]) -> String {
    let mut rows = vec![row(["ENROLLMENT", "USES LEFT", "UNTIL"])];
    rows.extend(all.iter().map(|one| {
        let (left, until) = (one.uses_left.to_string(), format!("{:.0}", one.expires_at));
        row([&one.enrollment, &left, &until])
    }));
    table(&rows)
}

/// Screens and how they are.
pub fn devices(devices: &[DeviceState]) -> String {
    let mut rows = vec![row(["DEVICE", "NAME", "LAST SEEN", "PUBLISHED", "LIVE", "SHOWING"])];
    rows.extend(devices.iter().map(|device| {
        let seen = device.seen_at.map_or("never".into(), |at| format!("{at:.0}"));
        let said = device.heartbeat.as_ref();
        let live = said.map_or("-".into(), |said| said.manifest_version.to_string());
        let showing = match said {
            Some(said) if !said.screen_ok => "(screen not ok)",
            Some(said) => &said.showing,
            None => "-",
        };
        let published = device.manifest_version.to_string();
        row([&device.device, &device.name, &seen, &published, &live, showing])
    }));
    table(&rows)
}

/// Room for assets, and what of it is taken.
pub fn room(room: &Room) -> String {
    let mb = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    match room.quota_bytes {
        Some(quota) => format!("{} of {} taken", mb(room.used_bytes), mb(quota)),
        None => format!("{} taken, no quota", mb(room.used_bytes)),
    }
}

/// What is said of settings.
pub fn settings(settings: &[Setting]) -> String {
    let mut rows = vec![row(["KEY", "VALUE", "BY", "AT"])];
    rows.extend(settings.iter().map(|Setting { key, value, updated_at, by }| {
        row([key, value, by, &format!("{updated_at:.0}")])
    }));
    table(&rows)
}

/// What a screen told.
pub fn records(records: &[Kept]) -> String {
    let mut rows = vec![row(["NO", "AT", "KIND", "WHAT"])];
    rows.extend(records.iter().map(|kept| {
        let number = kept.seq.to_string();
        match serde_json::from_str::<Record>(kept.record.get()) {
            Ok(record) => {
                let (kind, what) = said(&record.body);
                row([&number, &format!("{:.0}", record.at), kind, &what])
            }
            Err(_) => row([&number, "-", "(other)", kept.record.get()]),
        }
    }));
    table(&rows)
}

fn said(body: &Body) -> (&'static str, String) {
    match body {
        Body::Heartbeat(said) => {
            ("heartbeat", format!("manifest {}, {}", said.manifest_version, said.showing))
        }
        Body::ProofOfPlay(shown) => {
            let seconds = shown.shown_ms as f64 / 1_000.0;
            let (playlist, item) = (&shown.playlist, &shown.item);
            let (there, gone) = (shown.frames_presented, shown.frames_dropped);
            let what = format!(
                "{playlist}/{item} for {seconds:.1} s, {there} frames shown, {gone} dropped"
            );
            ("proof_of_play", what)
        }
        Body::OrderResult(result) => {
            let done = if result.done { "done" } else { "failed" };
            ("order_result", format!("{} {done}: {}", result.order, result.detail))
        }
        Body::Fault(fault) => ("fault", format!("{}: {}", fault.code, fault.detail)),
        Body::SettingChanged(change) => {
            let value = |value: &Option<String>| value.clone().unwrap_or("the default".into());
            let (old, new) = (value(&change.old), value(&change.new));
            let what = format!("{}: {new} instead of {old}, by {}", change.key, change.by);
            ("setting_changed", what)
        }
    }
}

/// JSON for machines.
pub fn json(value: &Value) -> String {
    format!("{value:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [row(["A", "LONG"]), row(["äöü", "x"])];
        assert_eq!(table(&rows), "A    LONG\näöü  x");
    }
}
