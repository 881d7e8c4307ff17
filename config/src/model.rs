//! The settings, checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Time;

/// Settings that hold. If you have one, every range below is true.
///
/// *Live* settings take effect when the file is saved, *restart* ones at the next start of the
/// process named.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `[cloud]`
    pub cloud: Cloud,
    /// `[device]`
    pub device: Device,
    /// `[paths]`
    pub paths: Paths,
    /// `[cache]`
    pub cache: Cache,
    /// `[screen]`
    pub screen: Screen,
    /// `[audio]`
    pub audio: Audio,
    /// `[playback]`
    pub playback: Playback,
    /// `[update]`
    pub update: Update,
    /// `[log]`
    pub log: Log,
    /// `[policy]`
    pub policy: Policy,
}

/// `[cloud]`: where wishes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cloud {
    /// `url`: base URL, `https://…`, or `http://` to a loopback address. Absent: play what is in
    /// the store, sync with nobody. Restart of the agent.
    pub url: Option<String>,
    /// `ca_file`: PEM file with a private certificate authority, trusted besides the system's.
    /// Restart of the agent.
    pub ca_file: Option<PathBuf>,
    /// `proxy`: `http://[name:password@]host:port`, for everything that goes to an `https://`
    /// address. Absent: as the environment says (`https_proxy`). Restart of the agent.
    pub proxy: Option<Secret>,
    /// `enrollment`: an operator's yes given in advance: redeemed instead of a code, once. Restart of
    /// the agent.
    pub enrollment: Option<Secret>,
    /// `poll_s`: pause between two polls when the push channel is down, 5..=3600 s, default 60.
    /// Live.
    pub poll: Duration,
    /// `heartbeat_s`: pause between two heartbeats, 10..=86400 s, default 300. Live.
    pub heartbeat: Duration,
    /// `first_contact_spread_s`: the first contact after start is put off by a random share of
    /// this, 0..=600 s, default 60, so that a fleet does not knock together after an outage; a
    /// device that is not yet paired never waits. Restart of the agent.
    pub first_contact_spread: Duration,
}

/// A text that opens doors. It is never shown, not even for debugging.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes it in.
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// For whoever has to knock.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// `[device]`: what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// `name`: shown at pairing and by *identify*, 1..=64 characters. Absent: the host name. Live.
    pub name: Option<String>,
    /// `time_zone`: IANA name such as `Europe/Berlin`. Absent: the system's. Live.
    pub time_zone: Option<String>,
}

/// `[paths]`: where things lie. Restart of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// `state_dir`: key, store and cache; the one writable directory. Default `/var/lib/vitrine`.
    pub state_dir: PathBuf,
    /// `runtime_dir`: sockets; at most 90 bytes, so that their names fit. Default `/run/vitrine`.
    pub runtime_dir: PathBuf,
    /// `boot_dir`: where a `vitrine.toml` that was put on the card is taken from. Absent:
    /// `/boot/firmware`, or `/boot` where there is none.
    pub boot_dir: Option<PathBuf>,
}

/// `[cache]`: room and pace of downloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// `size_mb`: room for assets, 64..=1 000 000 MB (10^6 bytes), default 8000. Live.
    pub size_bytes: u64,
    /// `reserve_mb`: left free on the file system whatever happens, 16..=100 000 MB, default 500.
    /// Live.
    pub reserve_bytes: u64,
    /// `downloads`: at a time, 1..=8, default 2. Live.
    pub downloads: usize,
    /// `patience_s`: a new generation goes live without the assets that it does not need at once
    /// after this, 0..=604800 s, default 3600. Live.
    pub patience: Duration,
    /// `horizon_h`: what the schedule needs within this must be here before a new generation goes
    /// live, 1..=744 h, default 24. Live.
    pub horizon: Duration,
    /// `rate_kb_s`: all downloads together, 0..=1 000 000 kB/s (10^3 bytes), default 0: as fast as
    /// can be. Here in bytes a second. Live.
    pub rate_bytes_s: u64,
    /// `download_hours`: files are fetched in this part of the day only. Absent: at any time. Live.
    pub download_hours: Option<Hours>,
    /// `metered`: bytes cost money: nothing is fetched before its time. Default no. Live.
    pub metered: bool,
}

/// A part of every day in local time, half-open; `until` at or before `from` is on the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// Inside.
    pub from: Time,
    /// Outside.
    pub until: Time,
}

/// `[screen]`: where light comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// `output`: default `fullscreen`. Restart of the stage.
    pub output: Output,
    /// `background`: `#rrggbb` behind everything, default `#000000`. Live.
    pub background: [u8; 3],
    /// `rotation`: how everything is turned, default `normal`. Live.
    pub rotation: Rotation,
    /// `overscan_percent`: left free at each edge, of its length, 0..=10 %, default 0. Live.
    pub overscan_percent: u8,
    /// `displays`: which of several, default `first`. Live.
    pub displays: Displays,
    /// `mode`: size and rate of each display. Absent: its own. Live.
    pub mode: Option<Mode>,
    /// `canvas`: most pixels that are drawn of one display, sides 16..=16384. Absent: all. Live.
    pub canvas: Option<Canvas>,
}

/// `screen.displays`: where there are several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Displays {
    /// `"first"`: one.
    #[default]
    First,
    /// `"mirror"`: the same on each.
    Mirror,
    /// `"extend"`: together one screen.
    Extend,
    /// `"each"`: its own entries of the schedule on each.
    Each,
}

/// `screen.mode`: of a display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Width, 16..=16384.
    pub width_px: u32,
    /// Height, 16..=16384.
    pub height_px: u32,
    /// Pictures in a thousand seconds, 1000..=1 000 000. Absent: any.
    pub refresh_millihertz: Option<u32>,
}

/// `screen.canvas`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canvas {
    /// Width.
    pub width_px: u32,
    /// Height.
    pub height_px: u32,
}

/// `screen.rotation`: clockwise, for displays that hang on their side or head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rotation {
    /// `"normal"`: not at all.
    #[default]
    Normal,
    /// `"90"` degrees.
    Quarter,
    /// `"180"` degrees.
    Half,
    /// `"270"` degrees.
    ThreeQuarters,
}

/// `screen.output`: what the stage draws on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// `"fullscreen"`: the display that `WAYLAND_DISPLAY` or `DISPLAY` names.
    Fullscreen,
    /// `"windowed 1280x720"`: a window in it; sizes 16..=16384.
    Windowed {
        /// Width.
        width_px: u32,
        /// Height.
        height_px: u32,
    },
    /// `"offscreen 1280x720"`: no display; pictures by screenshot.
    Offscreen {
        /// Width.
        width_px: u32,
        /// Height.
        height_px: u32,
    },
    /// `"external"`: somebody else starts the stage (the kiosk unit).
    External,
    /// `"none"`: sync only.
    None,
}

/// `[audio]`
#[derive(Debug, Clone, PartialEq)]
pub struct Audio {
    /// `device`: `"auto"` (default), `"none"`, `"hdmi"`, `"jack"`, `"usb"`, or an ALSA device name. Live: next item.
    pub device: AudioDevice,
    /// `volume_percent`: 0..=100, default 100; here 0.0..=1.0. Multiplies the item's own. Live.
    pub volume: f32,
}

/// `audio.device`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudioDevice {
    /// The first sink that works; silence if none does.
    Auto,
    /// Silence; the sound track is not decoded.
    None,
    /// The screen's own loudspeakers.
    Hdmi,
    /// The socket for a plug.
    Jack,
    /// A device at a USB socket.
    Usb,
    /// As `aplay -L` names it.
    Alsa(String),
}

/// `[playback]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playback {
    /// `image_duration_ms`: for items that say nothing themselves, 500..=604 800 000 ms, default
    /// 10 000. Live.
    pub image_duration: Duration,
    /// `prepare_ms`: an item that is not ready this long after it was asked for is skipped, unless
    /// the device has shown that it needs longer. 500..=60 000 ms, default 5000. Live.
    pub prepare: Duration,
}

/// `[update]`: newer versions of the player itself. Restart of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// `policy`: who begins an update, default `order`.
    pub policy: UpdatePolicy,
    /// `key`: Ed25519 public key that releases are signed with, 32 bytes in base64. Absent: no
    /// updates.
    pub key: Option<String>,
    /// `hours`: when `window` looks for a newer version and tries it, default 02:00 to 05:00.
    pub hours: Hours,
    /// `present_within_s`: a new version that has not shown content by then is given up,
    /// 5..=3600 s, default 120.
    pub present_within: Duration,
    /// `trial_s`: a new version must live for so long after its first content, 5..=86400 s,
    /// default 600.
    pub trial: Duration,
}

/// `update.policy`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdatePolicy {
    /// `"off"`: only a person at the device.
    Off,
    /// `"order"`: also the cloud, by an order.
    Order,
    /// `"window"`: also the device itself, within `hours`.
    Window,
}

/// `[log]`. Restart of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// `level`: a `tracing` filter such as `info` or `vitrine_sync=debug,info`, default `info`.
    pub filter: String,
    /// `format`: `"text"` (default: journald when there, else stderr), `"json"`.
    pub format: LogFormat,
}

/// `log.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: the journal when the process runs under systemd, else standard error.
    Text,
    /// For machines: one JSON object a line on standard error.
    Json,
}

/// `[policy]`: what the cloud may set. Itself it is set here alone. Live.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// `floors`: numbers below which the cloud cannot set a key, such as
    /// `cloud.poll_s=60, cache.reserve_mb=1000`.
    pub floors: BTreeMap<String, u64>,
    /// `locked`: keys that the cloud cannot set at all, such as `screen.rotation, audio.device`.
    pub locked: BTreeSet<String>,
}
