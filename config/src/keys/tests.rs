//! Every key, its range and its place in the example.

use super::*;
use crate::change::changes;
use crate::{Sources, load};

const EXAMPLE: &str = include_str!("../../example.toml");

/// A value other than the default for each text key.
const OTHER_TEXTS: &[(&str, &str)] = &[
    ("cloud.url", "https://signs.example"),
    ("cloud.ca_file", "/etc/vitrine/ca.pem"),
    ("cloud.proxy", "http://pi:hush@proxy.example:3128"),
    ("cloud.enrollment", "0123456789abcdef-_ABCDEF"),
    ("device.name", "Lobby left"),
    ("device.time_zone", "UTC"),
    ("paths.state_dir", "/data/vitrine"),
    ("paths.runtime_dir", "/run/user/1000/vitrine"),
    ("paths.boot_dir", "/boot"),
    ("cache.download_hours", "22:00-06:30"),
    ("cache.metered", "yes"),
    ("screen.output", "windowed 1280x720"),
    ("screen.background", "#00447f"),
    ("screen.rotation", "270"),
    ("screen.displays", "extend"),
    ("screen.mode", "1920x1080@59.94"),
    ("screen.canvas", "1920x1080"),
    ("audio.device", "sysdefault:CARD=vc4hdmi0"),
    ("update.policy", "window"),
    ("update.key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
    ("update.hours", "03:00-04:00"),
    ("log.level", "vitrine_sync=debug,info"),
    ("log.format", "json"),
    ("policy.floors", "cloud.poll_s=60"),
    ("policy.locked", "screen.rotation"),
];

fn set(key: &str, value: &str) -> Result<Config, crate::Problems> {
    load(&Sources { overrides: vec![format!("{key}={value}")], ..Sources::default() })
}

/// The comment and the line of a key in the example.
fn documented(key: &Key) -> (String, &'static str) {
    let (_, section) = EXAMPLE.split_once(&format!("\n[{}]\n", key.section())).unwrap();
    let section = section.split("\n[").next().unwrap();
    let line = format!("{} = ", key.name());
    let mut comment = Vec::new();
    for text in section.lines() {
        if let Some(value) = text.strip_prefix(&line) {
            return (comment.join(" "), value);
        }
        match text.strip_prefix('#') {
            Some(text) => comment.push(text.trim()),
            None => comment.clear(),
        }
    }
    panic!("{} is not in the example", key.full);
}

#[test]
fn every_key_changes_something() {
    for key in KEYS {
        let value = match &key.kind {
            Kind::Whole { range, .. } => (range.end() - 1).to_string(),
            Kind::Text { .. } => {
                OTHER_TEXTS.iter().find(|(name, _)| *name == key.full).unwrap().1.into()
            }
        };
        let config = set(key.full, &value).unwrap();
        let changed: Vec<_> = changes(&Config::default(), &config);
        let names: Vec<_> = changed.iter().map(|change| change.key).collect();
        assert_eq!(names, [key.full]);
        assert_eq!(changed[0].effect, key.effect, "{}", key.full);
    }
}

#[test]
fn every_key_keeps_its_range() {
    for key in KEYS {
        let Kind::Whole { range, get, .. } = &key.kind else { continue };
        for number in [*range.start(), *range.end()] {
            let config = set(key.full, &number.to_string()).unwrap();
            assert_eq!(get(&config), number, "{}", key.full);
        }
        let below = i128::from(*range.start()) - 1;
        let above = i128::from(*range.end()) + 1;
        for number in [below, above, i128::from(i64::MIN), i128::from(u64::MAX)] {
            let problems = set(key.full, &number.to_string()).unwrap_err();
            let want = format!("command line: {} = {number}: want {}", key.full, key.want());
            assert_eq!(problems.to_string(), want);
        }
        for text in ["", "ten", "1.5", "1_0", "+", "0x10"] {
            assert!(set(key.full, text).is_err(), "{} took {text:?}", key.full);
        }
    }
}

#[test]
fn the_example_names_every_key_with_default_range_and_effect() {
    for key in KEYS {
        let (comment, value) = documented(key);
        assert_eq!(value, key.text(&Config::default()), "{}", key.full);
        let effect = match key.effect {
            Effect::Live => "Live",
            Effect::AgentRestart => "Restart of the agent",
            Effect::StageRestart => "Restart of the stage",
            Effect::ProcessRestart => "Restart of the process",
        };
        assert!(comment.contains(effect), "{}: {effect} is not in {comment:?}", key.full);
        if let Kind::Whole { range, unit, .. } = &key.kind {
            let range = format!("{} to {}{unit}", range.start(), range.end());
            assert!(comment.contains(&range), "{}: {range} is not in {comment:?}", key.full);
        }
    }
}

#[test]
fn the_example_parses_to_the_defaults_and_names_nothing_else() {
    let raw = crate::raw::document(std::path::Path::new("example.toml"), EXAMPLE);
    assert_eq!(raw.entries.len(), KEYS.len());
    let reading = crate::check::check([raw]);
    assert_eq!(reading.problems, crate::Problems::default());
    assert_eq!(reading.config, Config::default());
}

#[test]
fn names_are_unambiguous() {
    let mut variables: Vec<_> = KEYS.iter().map(Key::variable).collect();
    variables.sort();
    variables.dedup();
    assert_eq!(variables.len(), KEYS.len());
    assert!(sections().all(|section| !section.contains('_')), "a variable could mean two keys");
    let mut once: Vec<_> = sections().collect();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), sections().count(), "a section comes in two pieces");
}
