//! What holds where nobody says otherwise. `example.toml` says the same; a test compares them.

use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::time;

use crate::model::{
    Audio, AudioDevice, Cache, Cloud, Config, Device, Displays, Hours, Log, LogFormat, Output,
    Paths, Playback, Policy, Rotation, Screen, Update, UpdatePolicy,
};

impl Default for Config {
    fn default() -> Config {
        Config {
            cloud: Cloud {
                url: None,
                ca_file: None,
                proxy: None,
                enrollment: None,
                poll: Duration::from_secs(60),
                heartbeat: Duration::from_secs(300),
                first_contact_spread: Duration::from_secs(60),
            },
            device: Device { name: None, time_zone: None },
            paths: Paths {
                state_dir: PathBuf::from("/var/lib/vitrine"),
                runtime_dir: PathBuf::from("/run/vitrine"),
                boot_dir: None,
            },
            cache: Cache {
                size_bytes: 8_000_000_000,
                reserve_bytes: 500_000_000,
                downloads: 2,
                patience: Duration::from_secs(3_600),
                horizon: Duration::from_secs(24 * 3_600),
                rate_bytes_s: 0,
                download_hours: None,
                metered: false,
            },
            screen: Screen {
                output: Output::Fullscreen,
                background: [0; 3],
                rotation: Rotation::Normal,
                overscan_percent: 0,
                displays: Displays::First,
                mode: None,
                canvas: None,
            },
            audio: Audio { device: AudioDevice::Auto, volume: 1.0 },
            playback: Playback {
                image_duration: Duration::from_secs(10),
                prepare: Duration::from_secs(5),
            },
            update: Update {
                policy: UpdatePolicy::Order,
                key: None,
                hours: Hours { from: time(2, 0, 0, 0), until: time(5, 0, 0, 0) },
                present_within: Duration::from_secs(120),
                trial: Duration::from_secs(600),
            },
            log: Log { filter: "info".into(), format: LogFormat::Text },
            policy: Policy::default(),
        }
    }
}
