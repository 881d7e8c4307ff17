//! From the command line to settings in force, and from settings to what each part needs.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use vitrine_config::model::UpdatePolicy;
use vitrine_config::{Config, Place, Sources};
use vitrine_sync::{Options, Tuning, Updates};

use crate::error::Error;
use crate::update::state::State;
use crate::update::{launch, own_version};
use crate::{cli, host, notify, provision};

/// Where the settings are if nobody says otherwise.
const FILE: &str = "/etc/vitrine/vitrine.toml";

/// All layers of this process.
pub fn sources(args: &cli::Settings) -> Sources {
    let file = args.config.clone().unwrap_or_else(|| PathBuf::from(FILE));
    let sources = Sources {
        file_required: args.config.is_some(),
        overrides: args.over.clone(),
        ..Sources::of_process(Some(file))
    };
    // Where it lies is said by the layers below it, and by those above it.
    let (config, _) = vitrine_config::load_what_holds(&sources);
    Sources { provisioned: Some(provision::kept(&config.paths.state_dir)), ..sources }
}

/// Reads them so that no typo keeps a player from starting or from being reached: what is wrong in a
/// file or the environment costs its own keys, and is told by the watch of the running player.
///
/// # Errors
/// What a person has just typed: a wrong override, a named file that is not there (under a service
/// manager nobody typed it).
pub fn load(sources: &Sources) -> Result<Config, Error> {
    let (config, problems) = vitrine_config::load_what_holds(sources);
    let Some(problems) = problems else { return Ok(config) };
    let typed = problems.list.iter().any(|problem| match &problem.place {
        Place::CommandLine => true,
        Place::File(path) => sources.file.as_ref() == Some(path) && !notify::is_wanted(),
        Place::At { .. } | Place::Environment(_) | Place::Cloud(_) => false,
    });
    if typed { Err(Error::Config(problems.to_string())) } else { Ok(config) }
}

/// The zone that the schedule is read in, and what is wrong if it is not the one asked for.
pub fn time_zone(config: &Config) -> (TimeZone, Option<String>) {
    let Some(name) = &config.device.time_zone else { return (TimeZone::system(), None) };
    match TimeZone::get(name) {
        Ok(zone) => (zone, None),
        Err(error) => {
            let zone = TimeZone::system();
            let used = zone.iana_name().unwrap_or("the system's").to_owned();
            let complaint = format!("device.time_zone = {name:?}: {error}; using {used}");
            (zone, Some(complaint))
        }
    }
}

/// What is fixed while the agent runs.
pub fn sync_options(config: &Config) -> Options {
    Options {
        state_dir: config.paths.state_dir.clone(),
        cloud_url: config.cloud.url.clone(),
        ca_file: config.cloud.ca_file.clone(),
        proxy: config.cloud.proxy.clone(),
        enrollment: config.cloud.enrollment.clone(),
        name: device_name(config),
        model: host::model(),
        release: release(),
        first_contact_spread: config.cloud.first_contact_spread,
    }
}

/// What may change.
pub fn tuning(config: &Config) -> Tuning {
    Tuning {
        poll: config.cloud.poll,
        downloads: config.cache.downloads,
        patience: config.cache.patience,
        cache_bytes: config.cache.size_bytes,
        reserve_bytes: config.cache.reserve_bytes,
        horizon: config.cache.horizon,
        rate_bytes_s: config.cache.rate_bytes_s,
        download_hours: config.cache.download_hours,
        metered: config.cache.metered,
        time_zone: time_zone(config).0,
    }
}

/// What sync is told of updates; None: there are none, because no key is pinned.
pub fn updates(config: &Config, state: &State) -> Option<Updates> {
    let update = &config.update;
    Some(Updates {
        key: update.key.clone()?,
        running: own_version(),
        package: launch::package_version(),
        arch: std::env::consts::ARCH.to_owned(),
        refused: state.refused.iter().map(|refused| refused.version.clone()).collect(),
        keep: state.files(),
        hours: (update.policy == UpdatePolicy::Window).then_some(update.hours),
    })
}

/// The configured name, else the host name.
pub fn device_name(config: &Config) -> String {
    config.device.name.clone().unwrap_or_else(host::name)
}

/// Version of the player.
pub fn release() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Makes a directory of the player's own, with everything above it.
pub fn make_dir(dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir).map_err(Error::file(dir, "make the directory"))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    fn start(text: Option<&str>, over: &[&str]) -> Result<Config, Error> {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("vitrine.toml");
        if let Some(text) = text {
            File::create(&file).and_then(|mut f| f.write_all(text.as_bytes())).expect("a file");
        }
        let over = over.iter().map(|text| (*text).to_owned()).collect();
        let sources = Sources {
            file: Some(file),
            file_required: true,
            overrides: over,
            ..Sources::default()
        };
        load(&sources)
    }

    #[test]
    fn a_typo_in_a_file_costs_its_key_and_not_the_start() {
        let config = start(Some("[cloud]\npoll_s = 2\nheartbeat_s = 20\n"), &[]).expect("a start");
        assert_eq!(config.cloud.poll, Config::default().cloud.poll);
        assert_eq!(config.cloud.heartbeat.as_secs(), 20);
    }

    #[test]
    fn what_a_person_has_just_typed_must_be_right() {
        for (case, text, over) in
            [("no such file", None, &[][..]), ("wrong override", Some(""), &["cloud.poll_s=2"][..])]
        {
            let error = start(text, over).expect_err(case);
            assert_eq!(error.code() as u8, 3, "case {case:?}: {error}");
        }
    }

    #[test]
    fn an_unknown_time_zone_is_told_and_the_systems_is_used() {
        let mut config = Config::default();
        config.device.time_zone = Some("Europe/Berlin".into());
        assert_eq!(time_zone(&config).0.iana_name(), Some("Europe/Berlin"));
        config.device.time_zone = Some("Mars/Olympus".into());
        let (_, complaint) = time_zone(&config);
        assert!(complaint.is_some_and(|text| text.contains("Mars/Olympus")));
    }
}
