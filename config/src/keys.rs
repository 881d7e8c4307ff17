//! Every setting, once: name, effect, range or wanted form, way in and way out.
//!
//! In: nothing. Out: [`KEYS`], which `raw`, `check`, `show` and `change` all go by.
//! Promises: `every_key_changes_something`, `the_example_names_every_key` (tests below).
//! Not here: defaults (`default`), grammar of texts (`units`).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::change::Effect::{self, AgentRestart, Live, ProcessRestart, StageRestart};
use crate::limits::PREPARE_MAX_MS;
use crate::model::{Config, Secret};
use crate::units;

/// Bytes of a megabyte, as disks are sold.
const MB: u64 = 1_000_000;
/// Bytes of a kilobyte, as lines are sold.
const KB: u64 = 1_000;
/// Seconds of an hour.
const HOUR_S: u64 = 3_600;

/// One setting.
pub struct Key {
    /// `section.name`
    pub full: &'static str,
    pub effect: Effect,
    pub kind: Kind,
    /// Its value opens doors: it is repeated to nobody.
    pub secret: bool,
}

/// What it takes. `set` is only called with what the kind allows.
pub enum Kind {
    Whole {
        range: RangeInclusive<u64>,
        unit: &'static str,
        get: fn(&Config) -> u64,
        set: fn(&mut Config, u64),
    },
    /// `set` gives `None` and changes nothing if the text is not as wanted.
    Text {
        want: &'static str,
        get: fn(&Config) -> String,
        set: fn(&mut Config, &str) -> Option<()>,
    },
}

impl Key {
    pub fn section(&self) -> &'static str {
        self.full.split_once('.').map_or(self.full, |(section, _)| section)
    }

    pub fn name(&self) -> &'static str {
        self.full.split_once('.').map_or("", |(_, name)| name)
    }

    /// What a problem says after "want".
    pub fn want(&self) -> String {
        match &self.kind {
            Kind::Whole { range, unit, .. } => {
                format!("a whole number, {} to {}{unit}", range.start(), range.end())
            }
            Kind::Text { want, .. } => (*want).into(),
        }
    }

    /// Its value in TOML for people to see.
    pub fn shown(&self, config: &Config) -> String {
        let text = self.text(config);
        if self.secret && text != "\"\"" { "\"(hidden)\"".into() } else { text }
    }

    /// Its value in TOML.
    pub fn text(&self, config: &Config) -> String {
        match &self.kind {
            Kind::Whole { get, .. } => get(config).to_string(),
            Kind::Text { get, .. } => toml::Value::from(get(config)).to_string(),
        }
    }

    /// Its value as the command line takes it.
    pub fn bare(&self, config: &Config) -> String {
        match &self.kind {
            Kind::Whole { get, .. } => get(config).to_string(),
            Kind::Text { get, .. } => get(config),
        }
    }

    /// `VITRINE_SECTION_NAME`
    pub fn variable(&self) -> String {
        format!("VITRINE_{}", self.full.replace('.', "_").to_ascii_uppercase())
    }
}

/// Names of the sections, in order.
pub fn sections() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    KEYS.iter()
        .map(Key::section)
        .filter(move |section| std::mem::replace(&mut last, section) != *section)
}

const fn whole(
    full: &'static str,
    effect: Effect,
    (range, unit): (RangeInclusive<u64>, &'static str),
    get: fn(&Config) -> u64,
    set: fn(&mut Config, u64),
) -> Key {
    Key { full, effect, kind: Kind::Whole { range, unit, get, set }, secret: false }
}

const fn text(
    full: &'static str,
    effect: Effect,
    want: &'static str,
    get: fn(&Config) -> String,
    set: fn(&mut Config, &str) -> Option<()>,
) -> Key {
    Key { full, effect, kind: Kind::Text { want, get, set }, secret: false }
}

/// Of text whose value is repeated to nobody.
const fn secret(
    full: &'static str,
    effect: Effect,
    want: &'static str,
    get: fn(&Config) -> String,
    set: fn(&mut Config, &str) -> Option<()>,
) -> Key {
    Key { secret: true, ..text(full, effect, want, get, set) }
}

/// Empty text: absent.
fn optional<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { read(text).map(Some) }
}

/// Takes what could be read.
fn put<T>(place: &mut T, value: Option<T>) -> Option<()> {
    value.map(|value| *place = value)
}

fn path(path: &std::path::Path) -> String {
    path.to_string_lossy().into_owned()
}

fn revealed(secret: &Option<Secret>) -> String {
    secret.as_ref().map(|secret| secret.reveal().to_owned()).unwrap_or_default()
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Parts of a list, without the blanks around them.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn floors(text: &str) -> Option<BTreeMap<String, u64>> {
    let floor = |part: &str| {
        let (name, number) = part.split_once('=')?;
        let (name, number) = (name.trim(), number.trim().parse().ok()?);
        let fits = KEYS.iter().any(|key| match &key.kind {
            Kind::Whole { range, .. } => key.full == name && range.contains(&number),
            Kind::Text { .. } => false,
        });
        fits.then(|| (name.to_owned(), number))
    };
    parts(text).map(floor).collect()
}

fn names(text: &str) -> Option<BTreeSet<String>> {
    let known = |name: &str| KEYS.iter().any(|key| key.full == name).then(|| name.to_owned());
    parts(text).map(known).collect()
}

/// Every setting, section by section, in the order of `example.toml`.
pub static KEYS: &[Key] = &[
    text(
        "cloud.url",
        AgentRestart,
        "\"https://host[:port][/path]\", http:// only to a loopback address, or \"\" for no cloud",
        |c| c.cloud.url.clone().unwrap_or_default(),
        |c, t| put(&mut c.cloud.url, optional(t, units::cloud_url)),
    ),
    text(
        "cloud.ca_file",
        AgentRestart,
        "an absolute path to a PEM file, or \"\" for none",
        |c| c.cloud.ca_file.as_deref().map(path).unwrap_or_default(),
        |c, t| put(&mut c.cloud.ca_file, optional(t, units::absolute)),
    ),
    secret(
        "cloud.proxy",
        AgentRestart,
        "\"http://[name:password@]host:port\", or \"\" for the environment's",
        |c| revealed(&c.cloud.proxy),
        |c, t| put(&mut c.cloud.proxy, optional(t, units::proxy)),
    ),
    secret(
        "cloud.enrollment",
        AgentRestart,
        "an enrollment token as the cloud made it, or \"\" for none",
        |c| revealed(&c.cloud.enrollment),
        |c, t| put(&mut c.cloud.enrollment, optional(t, units::token)),
    ),
    whole(
        "cloud.poll_s",
        Live,
        (5..=3_600, " s"),
        |c| c.cloud.poll.as_secs(),
        |c, n| c.cloud.poll = Duration::from_secs(n),
    ),
    whole(
        "cloud.heartbeat_s",
        Live,
        (10..=86_400, " s"),
        |c| c.cloud.heartbeat.as_secs(),
        |c, n| c.cloud.heartbeat = Duration::from_secs(n),
    ),
    whole(
        "cloud.first_contact_spread_s",
        AgentRestart,
        (0..=600, " s"),
        |c| c.cloud.first_contact_spread.as_secs(),
        |c, n| c.cloud.first_contact_spread = Duration::from_secs(n),
    ),
    text(
        "device.name",
        Live,
        "1 to 64 printable characters, or \"\" for the host name",
        |c| c.device.name.clone().unwrap_or_default(),
        |c, t| put(&mut c.device.name, optional(t, units::name)),
    ),
    text(
        "device.time_zone",
        Live,
        "a time zone such as \"Europe/Berlin\" that the system knows, or \"\" for the system's",
        |c| c.device.time_zone.clone().unwrap_or_default(),
        |c, t| put(&mut c.device.time_zone, optional(t, units::time_zone)),
    ),
    text(
        "paths.state_dir",
        AgentRestart,
        "an absolute path without \"..\"",
        |c| path(&c.paths.state_dir),
        |c, t| put(&mut c.paths.state_dir, units::absolute(t)),
    ),
    text(
        "paths.runtime_dir",
        AgentRestart,
        "an absolute path without \"..\" of at most 90 bytes, so that the names of sockets fit",
        |c| path(&c.paths.runtime_dir),
        |c, t| put(&mut c.paths.runtime_dir, units::socket_dir(t)),
    ),
    text(
        "paths.boot_dir",
        AgentRestart,
        "an absolute path, or \"\" for /boot/firmware",
        |c| c.paths.boot_dir.as_deref().map(path).unwrap_or_default(),
        |c, t| put(&mut c.paths.boot_dir, optional(t, units::absolute)),
    ),
    whole(
        "cache.size_mb",
        Live,
        (64..=1_000_000, " MB"),
        |c| c.cache.size_bytes / MB,
        |c, n| c.cache.size_bytes = n * MB,
    ),
    whole(
        "cache.reserve_mb",
        Live,
        (16..=100_000, " MB"),
        |c| c.cache.reserve_bytes / MB,
        |c, n| c.cache.reserve_bytes = n * MB,
    ),
    whole(
        "cache.downloads",
        Live,
        (1..=8, ""),
        |c| c.cache.downloads as u64,
        |c, n| c.cache.downloads = n as usize,
    ),
    whole(
        "cache.patience_s",
        Live,
        (0..=604_800, " s"),
        |c| c.cache.patience.as_secs(),
        |c, n| c.cache.patience = Duration::from_secs(n),
    ),
    whole(
        "cache.horizon_h",
        Live,
        (1..=744, " h"),
        |c| c.cache.horizon.as_secs() / HOUR_S,
        |c, n| c.cache.horizon = Duration::from_secs(n * HOUR_S),
    ),
    whole(
        "cache.rate_kb_s",
        Live,
        (0..=1_000_000, " kB/s"),
        |c| c.cache.rate_bytes_s / KB,
        |c, n| c.cache.rate_bytes_s = n * KB,
    ),
    text(
        "cache.download_hours",
        Live,
        "a part of the day such as \"22:00-06:00\", or \"\" for any time",
        |c| c.cache.download_hours.map(units::hours_text).unwrap_or_default(),
        |c, t| put(&mut c.cache.download_hours, optional(t, units::hours)),
    ),
    text(
        "cache.metered",
        Live,
        "\"yes\" or \"no\"",
        |c| units::yes_text(c.cache.metered).into(),
        |c, t| put(&mut c.cache.metered, units::yes(t)),
    ),
    text(
        "screen.output",
        StageRestart,
        "\"fullscreen\", \"windowed WxH\", \"offscreen WxH\" (16 to 16384 px a side), \"external\" or \"none\"",
        |c| units::output_text(c.screen.output),
        |c, t| put(&mut c.screen.output, units::output(t)),
    ),
    text(
        "screen.background",
        Live,
        "a colour such as \"#00447f\"",
        |c| units::colour_text(c.screen.background),
        |c, t| put(&mut c.screen.background, units::colour(t)),
    ),
    text(
        "screen.rotation",
        Live,
        "\"normal\", \"90\", \"180\" or \"270\"",
        |c| units::rotation_text(c.screen.rotation).into(),
        |c, t| put(&mut c.screen.rotation, units::rotation(t)),
    ),
    whole(
        "screen.overscan_percent",
        Live,
        (0..=10, " %"),
        |c| c.screen.overscan_percent.into(),
        |c, n| c.screen.overscan_percent = n as u8,
    ),
    text(
        "screen.displays",
        Live,
        "\"first\", \"mirror\", \"extend\" or \"each\"",
        |c| units::displays_text(c.screen.displays).into(),
        |c, t| put(&mut c.screen.displays, units::displays(t)),
    ),
    text(
        "screen.mode",
        Live,
        "a mode such as \"1920x1080@60\" or \"1920x1080\", or \"\" for the display's own",
        |c| c.screen.mode.map(units::mode_text).unwrap_or_default(),
        |c, t| put(&mut c.screen.mode, optional(t, units::mode)),
    ),
    text(
        "screen.canvas",
        Live,
        "a size such as \"1920x1080\" (16 to 16384 px a side), or \"\" for the display's own",
        |c| c.screen.canvas.map(units::canvas_text).unwrap_or_default(),
        |c, t| put(&mut c.screen.canvas, optional(t, units::canvas)),
    ),
    text(
        "audio.device",
        Live,
        "\"auto\", \"none\", \"hdmi\", \"jack\", \"usb\" or an ALSA device as aplay -L lists it",
        |c| units::audio_device_text(&c.audio.device),
        |c, t| put(&mut c.audio.device, units::audio_device(t)),
    ),
    whole(
        "audio.volume_percent",
        Live,
        (0..=100, " %"),
        |c| (c.audio.volume * 100.0).round() as u64,
        |c, n| c.audio.volume = n as f32 / 100.0,
    ),
    whole(
        "playback.image_duration_ms",
        Live,
        (500..=604_800_000, " ms"),
        |c| ms(c.playback.image_duration),
        |c, n| c.playback.image_duration = Duration::from_millis(n),
    ),
    whole(
        "playback.prepare_ms",
        Live,
        (500..=PREPARE_MAX_MS, " ms"),
        |c| ms(c.playback.prepare),
        |c, n| c.playback.prepare = Duration::from_millis(n),
    ),
    text(
        "update.policy",
        AgentRestart,
        "\"off\", \"order\" or \"window\"",
        |c| units::policy_text(c.update.policy).into(),
        |c, t| put(&mut c.update.policy, units::policy(t)),
    ),
    text(
        "update.key",
        AgentRestart,
        "an Ed25519 public key, 32 bytes in base64, or \"\" for no updates",
        |c| c.update.key.clone().unwrap_or_default(),
        |c, t| put(&mut c.update.key, optional(t, units::key)),
    ),
    text(
        "update.hours",
        AgentRestart,
        "a part of the day such as \"02:00-05:00\"",
        |c| units::hours_text(c.update.hours),
        |c, t| put(&mut c.update.hours, units::hours(t)),
    ),
    whole(
        "update.present_within_s",
        AgentRestart,
        (5..=3_600, " s"),
        |c| c.update.present_within.as_secs(),
        |c, n| c.update.present_within = Duration::from_secs(n),
    ),
    whole(
        "update.trial_s",
        AgentRestart,
        (5..=86_400, " s"),
        |c| c.update.trial.as_secs(),
        |c, n| c.update.trial = Duration::from_secs(n),
    ),
    text(
        "log.level",
        ProcessRestart,
        "error, warn, info, debug, trace or off, alone or as \"vitrine_sync=debug,info\"",
        |c| c.log.filter.clone(),
        |c, t| put(&mut c.log.filter, units::log_filter(t)),
    ),
    text(
        "log.format",
        ProcessRestart,
        "\"text\" or \"json\"",
        |c| units::log_format_text(c.log.format).into(),
        |c, t| put(&mut c.log.format, units::log_format(t)),
    ),
    text(
        "policy.floors",
        Live,
        "\"\", or numbers such as \"cloud.poll_s=60, cache.reserve_mb=1000\"",
        |c| {
            let floors = c.policy.floors.iter().map(|(key, floor)| format!("{key}={floor}"));
            floors.collect::<Vec<_>>().join(", ")
        },
        |c, t| put(&mut c.policy.floors, floors(t)),
    ),
    text(
        "policy.locked",
        Live,
        "\"\", or keys such as \"screen.rotation, audio.device\"",
        |c| c.policy.locked.iter().cloned().collect::<Vec<_>>().join(", "),
        |c, t| put(&mut c.policy.locked, names(t)),
    ),
];

#[cfg(test)]
mod tests;
